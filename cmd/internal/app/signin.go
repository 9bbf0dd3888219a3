package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"quartier/cmd/internal/face"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// signIn says who signs in to the OPC UA server: a user of Quartier's own, with his password or with a certificate of his name. Viewers read, operators and administrators make requests too, and a
// resident, who sees only what is his, does not come in.
func (q *asks) signIn(ctx context.Context, l face.Login) (face.User, error) {
	remote, _, err := net.SplitHostPort(l.Remote)
	if err != nil {
		remote = l.Remote
	}
	var u *store.User
	if l.Certificate {
		found, err := q.a.record.User(ctx, l.Name)
		switch {
		case err == nil && !found.Disabled:
			u = &found
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return face.User{}, fmt.Errorf("app: read account %s: %w", l.Name, err)
		}
	} else if u, err = q.a.console.CheckPassword(ctx, l.Name, l.Password, remote); err != nil {
		return face.User{}, err
	}
	if u == nil || u.Role == store.Resident {
		q.record(l.Name, l.Remote, "sign-in-failed", l.Name, "OPC UA: wrong name or password, disabled, a resident, or too soon after failures")
		return face.User{}, face.ErrDenied
	}
	how := "by password"
	if l.Certificate {
		how = "by certificate"
	}
	q.record(u.Name, l.Remote, "sign-in", u.Name, "OPC UA, "+how+", role "+string(u.Role))
	return face.User{Name: u.Name, Requests: u.Role == store.Operator || u.Role == store.Administrator}, nil
}

// errEnough ends a reading of the record.
var errEnough = errors.New("enough")

// history reads the samples of a series with from <= time < to, oldest first, at most limit.
func (q *asks) history(ctx context.Context, series district.SeriesID, from, to time.Time, limit int) (out []district.Sample, err error) {
	err = q.a.record.Read(ctx, []district.SeriesID{series}, timegrid.NewSpan(from, to), func(s district.Sample) error {
		if len(out) >= limit {
			return errEnough
		}
		out = append(out, s)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return out, nil
}
