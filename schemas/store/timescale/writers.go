package timescale

import (
	"context"
	"fmt"
	"time"
)

// Writer is a local file that writes to the database.
type Writer struct {
	Name string
	Seq  int64     // its last batch
	To   time.Time // the latest time of its rows
}

// Announce notes that a file is about to write rows up to w.To. It comes before the rows, so that nobody finds rows of a writer that is not known.
func (s *Store) Announce(ctx context.Context, w Writer) error {
	_, err := s.pool.Exec(ctx, `insert into writers(id, seq, to_time, at) values($1,$2,$3,now()) on conflict (id) do update
		set seq=greatest(writers.seq, excluded.seq), to_time=greatest(writers.to_time, excluded.to_time), at=now()`, w.Name, w.Seq, w.To)
	return s.fail(fmt.Sprintf("announce batch %d", w.Seq), err)
}

// recently is how long after its last write a writer counts as active.
const recently = 24 * time.Hour

// Others returns the latest time of rows that are not in the file of w: those of all other files, and those that the file itself wrote after the
// copy that it was put back from. It is the zero time without any; active says that one of them wrote within a day.
func (s *Store) Others(ctx context.Context, w Writer) (to time.Time, active bool, err error) {
	var latest *time.Time
	err = s.pool.QueryRow(ctx, "select max(to_time), coalesce(bool_or(at>now()-$3::interval), false) from writers where id<>$1 or seq>$2", w.Name, w.Seq, recently).
		Scan(&latest, &active)
	if latest != nil {
		to = latest.UTC()
	}
	return to, active, s.fail("look for other writers", err)
}
