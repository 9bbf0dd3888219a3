package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"quartier/schemas/store"
	"quartier/schemas/store/batch"
)

// CreateUser adds a user; store.ErrExists when the name is taken.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	return s.putUser(ctx, "create", u, "insert into users(name, password_hash, role, district, member, language, created_us, disabled)"+
		" values(?1,?2,?3,?4,?5,?6,?7,?8) on conflict do nothing", store.ErrExists)
}

// UpdateUser replaces a user; store.ErrNotFound without one.
func (s *Store) UpdateUser(ctx context.Context, u store.User) error {
	return s.putUser(ctx, "update", u, "update users set password_hash=?2, role=?3, district=?4, member=?5, language=?6, created_us=?7, disabled=?8"+
		" where name=?1", store.ErrNotFound)
}

// putUser runs a statement that changes one row, or none when the user is in the wrong state.
func (s *Store) putUser(ctx context.Context, verb string, u store.User, statement string, wrong error) error {
	if err := store.CheckUser(u); err != nil {
		return fmt.Errorf("store: %s user: %w", verb, err)
	}
	u = store.CleanUser(u)
	return s.write(ctx, verb+" user "+u.Name, 1, func(ctx context.Context) (func(), error) {
		res, err := s.conn.ExecContext(ctx, statement, u.Name, u.PasswordHash, string(u.Role), u.District, u.Member, u.Language, store.Micro(u.CreatedAt), u.Disabled)
		if err != nil {
			return nil, err
		}
		if n, err := res.RowsAffected(); err != nil {
			return nil, err
		} else if n == 0 {
			return nil, fmt.Errorf("store: %s user %s: %w", verb, u.Name, wrong)
		}
		return nil, s.enqueue(ctx, &batch.Batch{Kind: batch.OfUsers, Users: []batch.User{{User: u, PasswordHash: u.PasswordHash}}})
	})
}

const userColumns = "name, password_hash, role, district, member, language, created_us, disabled"

func scanUser(rows *sql.Rows) (u store.User, err error) {
	var us int64
	err = rows.Scan(&u.Name, &u.PasswordHash, &u.Role, &u.District, &u.Member, &u.Language, &us, &u.Disabled)
	u.CreatedAt = store.FromMicro(us)
	return u, err
}

// User returns a user by name.
func (s *Store) User(ctx context.Context, name string) (store.User, error) {
	us, err := s.users(ctx, "where name=?", name)
	if err != nil {
		return store.User{}, err
	}
	if len(us) == 0 {
		return store.User{}, fmt.Errorf("store: user %s: %w", name, store.ErrNotFound)
	}
	return us[0], nil
}

// Users returns every user by name.
func (s *Store) Users(ctx context.Context) ([]store.User, error) {
	return s.users(ctx, "order by name")
}

func (s *Store) users(ctx context.Context, where string, args ...any) ([]store.User, error) {
	rows, err := s.readers.QueryContext(ctx, "select "+userColumns+" from users "+where, args...)
	if err != nil {
		return nil, s.fail("read users", err)
	}
	out, err := collect(rows, scanUser)
	return out, s.fail("read users", err)
}

// SaveSession stores or replaces a session and forgets those that had expired when it was made. Sessions never leave this file.
func (s *Store) SaveSession(ctx context.Context, se store.Session) error {
	if err := store.CheckSession(se); err != nil {
		return fmt.Errorf("store: save session: %w", err)
	}
	return s.write(ctx, "save session of "+se.User, 1, func(ctx context.Context) (func(), error) {
		if _, err := s.conn.ExecContext(ctx, "delete from sessions where expires_us<=?", store.Micro(se.CreatedAt)); err != nil {
			return nil, err
		}
		_, err := s.conn.ExecContext(ctx, "insert or replace into sessions(token_hash, user_name, csrf, created_us, expires_us) values(?,?,?,?,?)",
			se.TokenHash, se.User, se.CSRF, store.Micro(se.CreatedAt), store.Micro(se.ExpiresAt))
		return nil, err
	})
}

// Session returns a session, expired or not.
func (s *Store) Session(ctx context.Context, tokenHash string) (store.Session, error) {
	var created, expires int64
	se := store.Session{TokenHash: tokenHash}
	err := s.readers.QueryRowContext(ctx, "select user_name, csrf, created_us, expires_us from sessions where token_hash=?", tokenHash).
		Scan(&se.User, &se.CSRF, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Session{}, fmt.Errorf("store: session: %w", store.ErrNotFound)
	}
	if err != nil {
		return store.Session{}, s.fail("read a session", err)
	}
	se.CreatedAt, se.ExpiresAt = store.FromMicro(created), store.FromMicro(expires)
	return se, nil
}

// DeleteSession ends a session.
func (s *Store) DeleteSession(ctx context.Context, tokenHash string) error {
	return s.write(ctx, "end a session", 1, func(ctx context.Context) (func(), error) {
		_, err := s.conn.ExecContext(ctx, "delete from sessions where token_hash=?", tokenHash)
		return nil, err
	})
}

// DeleteSessions ends every session of a user.
func (s *Store) DeleteSessions(ctx context.Context, user string) error {
	return s.write(ctx, "end the sessions of "+user, 1, func(ctx context.Context) (func(), error) {
		_, err := s.conn.ExecContext(ctx, "delete from sessions where user_name=?", user)
		return nil, err
	})
}
