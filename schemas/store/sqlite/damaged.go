package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
)

// packKey is the key of a row of packs, or see jointKey.
type packKey struct{ id, from int64 }

// suspect has a pack set aside that a reader found damaged, beside the reader's work, who leaves it out.
func (s *Store) suspect(k packKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() || s.suspects[k] {
		return
	}
	if s.suspects == nil {
		s.suspects = map[packKey]bool{}
	}
	s.suspects[k] = true
	s.background.Go(func() {
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.suspects, k)
		}()
		err := s.write(context.Background(), "set damaged samples aside", 1, func(ctx context.Context) (func(), error) { return nil, s.setAside(ctx, k) })
		if err != nil && !s.closed.Load() {
			s.log.Error("damaged samples are left out, but stay where they are", "path", s.path, "error", err)
		}
	})
}

// setAside takes a damaged pack out of the way in the transaction under way, and says so in the log and by an alarm. Its bytes are kept. One that is sound after all stays.
func (s *Store) setAside(ctx context.Context, k packKey) error {
	var to, count int64
	var body []byte
	var name district.SeriesID
	if k.id < 0 {
		return s.setJointAside(ctx, k)
	}
	err := s.conn.QueryRowContext(ctx, "select to_us, row_count, body, coalesce((select name from series where id=series_id), '') from packs where series_id=? and from_us=?",
		k.id, k.from).Scan(&to, &count, &body, &name)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // somebody else did
	}
	if err != nil {
		return err
	}
	damage := unpack(body, func(int64, []batch.Row) {})
	if damage == nil {
		return nil
	}
	if _, err := s.conn.ExecContext(ctx, "delete from packs where series_id=? and from_us=?", k.id, k.from); err != nil {
		return err
	}
	return s.keepDamaged(ctx, k, name, string(name), k.from, to, count, body, damage)
}

// setJointAside is setAside for a joint pack.
func (s *Store) setJointAside(ctx context.Context, k packKey) error {
	group := -1 - k.id
	var from, count int64
	var body []byte
	var name district.SeriesID
	err := s.conn.QueryRowContext(ctx, "select from_us, row_count, body, coalesce((select name from series where id between ?1*?3 and ?1*?3+?3-1 order by id limit 1), '') from joint_packs where group_id=?1 and until_us=?2",
		group, k.from, members).Scan(&from, &count, &body, &name)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	damage := unpack(body, func(int64, []batch.Row) {})
	if damage == nil {
		return nil
	}
	if _, err := s.conn.ExecContext(ctx, "delete from joint_packs where group_id=? and until_us=?", group, k.from); err != nil {
		return err
	}
	return s.keepDamaged(ctx, k, name, string(name)+" and its neighbours", from, k.from, count, body, damage)
}

// keepDamaged keeps the bytes of a damaged pack that was taken out of its table, and says so in the log and by an alarm.
func (s *Store) keepDamaged(ctx context.Context, k packKey, name district.SeriesID, whose string, from, to, count int64, body []byte, damage error) error {
	if _, err := s.conn.ExecContext(ctx, "insert or replace into damaged_packs(series_id, from_us, to_us, row_count, found_us, why, body) values(?, ?, ?, ?, ?, ?, ?)",
		k.id, k.from, to, count, store.Micro(time.Now()), damage.Error(), body); err != nil {
		return err
	}
	s.tops = nil
	object := string(name)
	if i := strings.LastIndexByte(object, '/'); i >= 0 {
		object = object[:i] // the device
	}
	detail := fmt.Sprintf("%s: %d samples from %s to %s cannot be read: %v", whose, count, store.FromMicro(from).Format(time.RFC3339), store.FromMicro(to).Format(time.RFC3339), damage)
	s.log.Error("samples are damaged on the disk, and set aside", "path", s.path, "series", whose, "samples", count, "from", store.FromMicro(from), "to", store.FromMicro(to), "error", damage)
	return s.alarm(ctx, object, detail)
}

// alarm appends an alarm about damaged samples in the transaction under way.
func (s *Store) alarm(ctx context.Context, object, detail string) error {
	return s.appendEvent(ctx, store.CleanEvent(store.Event{Time: time.Now(), Kind: store.AlarmEvent, Actor: "quartier", Action: "samples-damaged", Object: object, Detail: detail,
		Severity: "error"}))
}
