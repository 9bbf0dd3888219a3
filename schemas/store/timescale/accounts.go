package timescale

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/store"
	"quartier/schemas/store/batch"
)

// CreateUser adds a user; store.ErrExists when the name is taken.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	return s.putUser(ctx, "create", u, "insert into users("+userColumns+") values($1,$2,$3,$4,$5,$6,$7,$8) on conflict do nothing", store.ErrExists)
}

// UpdateUser replaces a user; store.ErrNotFound without one.
func (s *Store) UpdateUser(ctx context.Context, u store.User) error {
	return s.putUser(ctx, "update", u, "update users set password_hash=$2, role=$3, district=$4, member=$5, language=$6, created_at=$7, disabled=$8"+
		" where name=$1", store.ErrNotFound)
}

const userColumns = "name, password_hash, role, district, member, language, created_at, disabled"

func userArgs(u store.User) []any {
	return []any{u.Name, u.PasswordHash, string(u.Role), u.District, u.Member, u.Language, u.CreatedAt, u.Disabled}
}

// putUser runs a statement that changes one row, or none when the user is in the wrong state.
func (s *Store) putUser(ctx context.Context, verb string, u store.User, statement string, wrong error) error {
	if err := store.CheckUser(u); err != nil {
		return fmt.Errorf("store: %s user: %w", verb, err)
	}
	u = store.CleanUser(u)
	return s.write(ctx, verb+" user "+u.Name, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, statement, userArgs(u)...)
		if err == nil && tag.RowsAffected() == 0 {
			return fmt.Errorf("store: %s user %s: %w", verb, u.Name, wrong)
		}
		return err
	})
}

// applyUsers writes users as an installation has them now.
func (s *Store) applyUsers(ctx context.Context, users []batch.User) error {
	return s.write(ctx, fmt.Sprintf("save %d users", len(users)), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		for _, u := range users {
			b.Queue("insert into users("+userColumns+") values($1,$2,$3,$4,$5,$6,$7,$8) on conflict (name) do update set password_hash=excluded.password_hash,"+
				" role=excluded.role, district=excluded.district, member=excluded.member, language=excluded.language, created_at=excluded.created_at,"+
				" disabled=excluded.disabled", userArgs(u.UserOf())...)
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

func scanUser(row pgx.CollectableRow) (u store.User, err error) {
	err = row.Scan(&u.Name, &u.PasswordHash, &u.Role, &u.District, &u.Member, &u.Language, &u.CreatedAt, &u.Disabled)
	u.CreatedAt = u.CreatedAt.UTC()
	return u, err
}

// User returns a user by name.
func (s *Store) User(ctx context.Context, name string) (store.User, error) {
	rows, err := s.pool.Query(ctx, "select "+userColumns+" from users where name=$1", store.CleanText(name))
	if err != nil {
		return store.User{}, s.fail("read user "+name, err)
	}
	u, err := pgx.CollectExactlyOneRow(rows, scanUser)
	return u, s.fail("read user "+name, notFound("user "+name, err))
}

// Users returns every user by name.
func (s *Store) Users(ctx context.Context) ([]store.User, error) {
	rows, err := s.pool.Query(ctx, "select "+userColumns+" from users order by name")
	if err != nil {
		return nil, s.fail("read users", err)
	}
	out, err := pgx.CollectRows(rows, scanUser)
	return out, s.fail("read users", err)
}

// SaveSession stores or replaces a session and forgets those that had expired when it was made.
func (s *Store) SaveSession(ctx context.Context, se store.Session) error {
	if err := store.CheckSession(se); err != nil {
		return fmt.Errorf("store: save session: %w", err)
	}
	return s.write(ctx, "save session of "+se.User, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "delete from sessions where expires_at<=$1", store.Instant(se.CreatedAt)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into sessions(token_hash, user_name, csrf, created_at, expires_at) values($1,$2,$3,$4,$5) on conflict (token_hash)
			do update set user_name=excluded.user_name, csrf=excluded.csrf, created_at=excluded.created_at, expires_at=excluded.expires_at`,
			se.TokenHash, se.User, se.CSRF, store.Instant(se.CreatedAt), store.Instant(se.ExpiresAt))
		return err
	})
}

// Session returns a session, expired or not.
func (s *Store) Session(ctx context.Context, tokenHash string) (store.Session, error) {
	se := store.Session{TokenHash: tokenHash}
	err := s.pool.QueryRow(ctx, "select user_name, csrf, created_at, expires_at from sessions where token_hash=$1", store.CleanText(tokenHash)).
		Scan(&se.User, &se.CSRF, &se.CreatedAt, &se.ExpiresAt)
	if err != nil {
		return store.Session{}, s.fail("read a session", notFound("session", err))
	}
	se.CreatedAt, se.ExpiresAt = se.CreatedAt.UTC(), se.ExpiresAt.UTC()
	return se, nil
}

// DeleteSession ends a session.
func (s *Store) DeleteSession(ctx context.Context, tokenHash string) error {
	return s.write(ctx, "end a session", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "delete from sessions where token_hash=$1", store.CleanText(tokenHash))
		return err
	})
}

// DeleteSessions ends every session of a user.
func (s *Store) DeleteSessions(ctx context.Context, user string) error {
	return s.write(ctx, "end the sessions of "+user, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "delete from sessions where user_name=$1", store.CleanText(user))
		return err
	})
}
