package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"quartier/schemas/store"
)

// CreateUser adds a user; store.ErrExists when the file or, if it answers, the database has the name.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	if _, err := s.theirUser(ctx, u.Name); err == nil {
		return fmt.Errorf("store: create user %s: %w", u.Name, store.ErrExists)
	}
	return s.wrote(s.local.CreateUser(ctx, u))
}

// UpdateUser replaces a user. One that only the database has is taken into the file.
func (s *Store) UpdateUser(ctx context.Context, u store.User) error {
	err := s.local.UpdateUser(ctx, u)
	if errors.Is(err, store.ErrNotFound) {
		if _, theirs := s.theirUser(ctx, u.Name); theirs == nil {
			err = s.local.CreateUser(ctx, u)
		}
	}
	return s.wrote(err)
}

// theirUser returns a user of the database, within a short time; ErrNotFound also when it does not answer.
func (s *Store) theirUser(ctx context.Context, name string) (store.User, error) {
	db, _ := s.database()
	if db == nil {
		return store.User{}, fmt.Errorf("store: user %s: %w", name, store.ErrNotFound)
	}
	quick, cancel := context.WithTimeout(ctx, quickWithin)
	defer cancel()
	u, err := db.User(quick, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.setDown(ctx, err)
		err = fmt.Errorf("store: user %s: %w", name, store.ErrNotFound)
	}
	return u, err
}

// User returns a user by name: the file's, or else the database's.
func (s *Store) User(ctx context.Context, name string) (store.User, error) {
	u, err := s.local.User(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return s.theirUser(ctx, name)
	}
	return u, err
}

// Users returns every user by name; of two with one name, the file's.
func (s *Store) Users(ctx context.Context) ([]store.User, error) {
	ours, err := s.local.Users(ctx)
	if err != nil {
		return nil, err
	}
	db, _ := s.database()
	if db == nil {
		return ours, nil
	}
	quick, cancel := context.WithTimeout(ctx, quickWithin)
	defer cancel()
	theirs, err := db.Users(quick)
	if err != nil {
		s.setDown(ctx, err)
		return ours, ctx.Err()
	}
	return slices.Clip(union(ours, theirs, func(a, b store.User) int { return strings.Compare(a.Name, b.Name) })), nil
}

// SaveSession stores a session in the file.
func (s *Store) SaveSession(ctx context.Context, se store.Session) error {
	return s.local.SaveSession(ctx, se)
}

// Session returns a session of the file.
func (s *Store) Session(ctx context.Context, tokenHash string) (store.Session, error) {
	return s.local.Session(ctx, tokenHash)
}

// DeleteSession ends a session.
func (s *Store) DeleteSession(ctx context.Context, tokenHash string) error {
	return s.local.DeleteSession(ctx, tokenHash)
}

// DeleteSessions ends every session of a user.
func (s *Store) DeleteSessions(ctx context.Context, user string) error {
	return s.local.DeleteSessions(ctx, user)
}
