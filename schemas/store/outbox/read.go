package outbox

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/timescale"
	"quartier/schemas/timegrid"
)

// Append makes the samples durable on the local disk.
func (s *Store) Append(ctx context.Context, samples []district.Sample) error {
	return s.wrote(s.local.Append(ctx, samples))
}

// SaveBalances writes rows to the local disk.
func (s *Store) SaveBalances(ctx context.Context, rows []balance.Row) error {
	return s.wrote(s.local.SaveBalances(ctx, rows))
}

// SavePlan stores p on the local disk and returns its id, which it keeps in the database.
func (s *Store) SavePlan(ctx context.Context, p *district.Plan) (int64, error) {
	id, err := s.local.SavePlan(ctx, p)
	return id, s.wrote(err)
}

// AppendSetpoints writes lines of the ledger to the local disk.
func (s *Store) AppendSetpoints(ctx context.Context, sps []district.Setpoint) error {
	return s.wrote(s.local.AppendSetpoints(ctx, sps))
}

// AppendEvent writes e to the local disk.
func (s *Store) AppendEvent(ctx context.Context, e store.Event) error {
	return s.wrote(s.local.AppendEvent(ctx, e))
}

// Read yields the samples of the series in the span, by series, then by time.
func (s *Store) Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	h, err := s.horizon(ctx)
	if err != nil {
		return err
	}
	db, err := s.older(ctx, "read samples", sp.Start)
	if err != nil {
		return err
	}
	if db == nil || !sp.Start.Before(sp.End) {
		return s.local.Read(ctx, series, sp, yield)
	}
	old, recent := sp, timegrid.Span{Start: sp.End, End: sp.End}
	if h.kept.After(sp.Start) && h.kept.Before(sp.End) {
		old.End, recent.Start = h.kept, h.kept
	}
	for _, name := range series {
		one := []district.SeriesID{name}
		theirs := func(y func(district.Sample) error) error {
			return s.judge(ctx, outer(db.Read(ctx, one, old, inner(y))))
		}
		ours := func(y func(district.Sample) error) error { return s.local.Read(ctx, one, old, y) }
		if err := merge(theirs, ours, yield); err != nil {
			return err
		}
		if err := s.local.Read(ctx, one, recent, yield); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// stopped wraps an error of the reader, to tell it from one of the database.
type stopped struct{ error }

func inner(y func(district.Sample) error) func(district.Sample) error {
	return func(x district.Sample) error {
		if err := y(x); err != nil {
			return stopped{err}
		}
		return nil
	}
}

func outer(err error) error {
	if _, ok := err.(stopped); ok { // given back as it is by Read
		return nil
	}
	return err
}

// source reads samples in order of time until its argument returns an error.
type source func(yield func(district.Sample) error) error

var errStop = errors.New("stop")

// pull turns a source into a sequence; *err is what it ended with.
func pull(src source, err *error) iter.Seq[district.Sample] {
	return func(yield func(district.Sample) bool) {
		*err = src(func(x district.Sample) error {
			if !yield(x) {
				return errStop
			}
			return nil
		})
		if errors.Is(*err, errStop) {
			*err = nil
		}
	}
}

// merge yields the samples of one series from two sources by time; of two at one instant, that of ours.
func merge(theirs, ours source, yield func(district.Sample) error) error {
	var errA, errB error
	nextA, stopA := iter.Pull(pull(theirs, &errA))
	defer stopA()
	nextB, stopB := iter.Pull(pull(ours, &errB))
	defer stopB()
	a, okA := nextA()
	b, okB := nextB()
	for {
		// an end that is an error must not pass for the end of the samples
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		var x district.Sample
		switch {
		case !okA && !okB:
			return nil
		case !okB || okA && a.Time.Before(b.Time):
			x = a
			a, okA = nextA()
		default:
			x = b
			if okA && a.Time.Equal(b.Time) {
				a, okA = nextA()
			}
			b, okB = nextB()
		}
		if err := yield(x); err != nil {
			return err
		}
	}
}

// quickWithin bounds what the database adds to answers that do not depend on it.
const quickWithin = 2 * time.Second

// Latest returns the newest sample of each series at or before asOf. What the file has from its own time needs no database; for series that the file does
// not know or has only older samples of, it is asked for a short time.
func (s *Store) Latest(ctx context.Context, series []district.SeriesID, asOf time.Time) (map[district.SeriesID]district.Sample, error) {
	out, err := s.local.Latest(ctx, series, asOf)
	if err != nil {
		return nil, err
	}
	h, err := s.horizon(ctx)
	if err != nil {
		return nil, err
	}
	var ask []district.SeriesID
	for _, name := range series {
		if x, ok := out[name]; !ok || x.Time.Before(h.kept) {
			ask = append(ask, name)
		}
	}
	if len(ask) == 0 {
		return out, nil
	}
	db, err := s.older(ctx, "read the latest samples", asOf)
	if db == nil {
		if err == nil {
			db, _ = s.database()
		}
		if err != nil || db == nil {
			return out, err
		}
	}
	quick, cancel := context.WithTimeout(ctx, quickWithin)
	defer cancel()
	theirs, err := db.Latest(quick, ask, asOf)
	if err != nil {
		s.setDown(ctx, err)
		if asOf.Before(h.aged) || ctx.Err() != nil {
			return nil, err
		}
		return out, nil
	}
	for name, x := range theirs {
		if mine, ok := out[name]; !ok || x.Time.After(mine.Time) {
			out[name] = x
		}
	}
	return out, nil
}

// readWithin bounds the database's part of a read: one that is gone without a word holds nobody up for longer.
const readWithin = time.Minute

// Series lists the known series that start with prefix, sorted.
func (s *Store) Series(ctx context.Context, prefix string) ([]district.SeriesID, error) {
	out, err := s.local.Series(ctx, prefix)
	if err != nil {
		return nil, err
	}
	db, _ := s.database()
	if db == nil {
		return out, nil
	}
	quick, cancel := context.WithTimeout(ctx, quickWithin)
	defer cancel()
	theirs, err := db.Series(quick, prefix)
	if err != nil {
		s.setDown(ctx, err)
		return out, ctx.Err()
	}
	out = append(out, theirs...)
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Balances returns the rows of a site ("": all) that start in sp, by start, then site.
func (s *Store) Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error) {
	ours, err := s.local.Balances(ctx, districtID, site, sp)
	if err != nil {
		return nil, err
	}
	db, err := s.older(ctx, "read balances of "+districtID, sp.Start)
	if db == nil {
		return ours, err
	}
	bounded, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	theirs, err := db.Balances(bounded, districtID, site, sp)
	if err != nil {
		return nil, s.judge(ctx, err)
	}
	return union(ours, theirs, func(a, b balance.Row) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return strings.Compare(a.Site, b.Site)
	}), nil
}

// SaveCarriers writes rows to the local disk.
func (s *Store) SaveCarriers(ctx context.Context, rows []balance.CarrierRow) error {
	return s.wrote(s.local.SaveCarriers(ctx, rows))
}

// Carriers returns the rows of a site ("": all) and carrier ("": all) that start in sp, by start, then site, then carrier.
func (s *Store) Carriers(ctx context.Context, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error) {
	ours, err := s.local.Carriers(ctx, districtID, site, carrier, sp)
	if err != nil {
		return nil, err
	}
	db, err := s.older(ctx, "read carriers of "+districtID, sp.Start)
	if db == nil {
		return ours, err
	}
	bounded, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	theirs, err := db.Carriers(bounded, districtID, site, carrier, sp)
	if err != nil {
		return nil, s.judge(ctx, err)
	}
	return union(ours, theirs, func(a, b balance.CarrierRow) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.Site, b.Site), strings.Compare(string(a.Carrier), string(b.Carrier)))
	}), nil
}

// SaveForecastErrors writes rows to the local disk.
func (s *Store) SaveForecastErrors(ctx context.Context, rows []district.ForecastError) error {
	return s.wrote(s.local.SaveForecastErrors(ctx, rows))
}

// ForecastErrors returns the rows of a district whose day begins in sp, by day, then site, device, quantity, lead, and those that were replayed last.
func (s *Store) ForecastErrors(ctx context.Context, districtID string, sp timegrid.Span) ([]district.ForecastError, error) {
	ours, err := s.local.ForecastErrors(ctx, districtID, sp)
	if err != nil {
		return nil, err
	}
	db, err := s.older(ctx, "read forecast errors of "+districtID, sp.Start)
	if db == nil {
		return ours, err
	}
	bounded, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	theirs, err := db.ForecastErrors(bounded, districtID, sp)
	if err != nil {
		return nil, s.judge(ctx, err)
	}
	return union(ours, theirs, func(a, b district.ForecastError) int {
		replayed := 0
		if a.Replayed != b.Replayed {
			replayed = 1
			if b.Replayed {
				replayed = -1
			}
		}
		return cmp.Or(a.Day.Compare(b.Day), strings.Compare(a.Site, b.Site), strings.Compare(a.Device, b.Device), strings.Compare(a.Quantity, b.Quantity), cmp.Compare(a.LeadMinutes, b.LeadMinutes), replayed)
	}), nil
}

// union returns two sorted lists as one; of two equal elements, the one of ours.
func union[T any](ours, theirs []T, compare func(a, b T) int) []T {
	all := append(slices.Clip(ours), theirs...)
	slices.SortStableFunc(all, compare)
	return slices.CompactFunc(all, func(a, b T) bool { return compare(a, b) == 0 })
}

// BalanceSpan returns the span from the first row of a district to the end of its last, of what can be read now.
func (s *Store) BalanceSpan(ctx context.Context, districtID string) (timegrid.Span, error) {
	ours, err := s.local.BalanceSpan(ctx, districtID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return ours, err
	}
	db, _ := s.database()
	if db == nil {
		return ours, err
	}
	quick, cancel := context.WithTimeout(ctx, quickWithin)
	defer cancel()
	theirs, dbErr := db.BalanceSpan(quick, districtID)
	if dbErr != nil {
		_ = s.judge(ctx, dbErr)
		return ours, err
	}
	if err != nil { // only they have any
		return theirs, nil
	}
	if theirs.Start.Before(ours.Start) {
		ours.Start = theirs.Start
	}
	if theirs.End.After(ours.End) {
		ours.End = theirs.End
	}
	return ours, nil
}

// LatestPlan returns the newest plan of a district created at or before asOf.
func (s *Store) LatestPlan(ctx context.Context, districtID string, asOf time.Time) (*district.Plan, error) {
	ours, err := s.local.LatestPlan(ctx, districtID, asOf)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	h, hErr := s.horizon(ctx)
	if hErr != nil {
		return nil, hErr
	}
	db, _ := s.database()
	if db == nil || ours != nil && !ours.CreatedAt.Before(h.kept) {
		return ours, err
	}
	bounded, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	theirs, dbErr := db.LatestPlan(bounded, districtID, asOf)
	switch dbErr = s.judge(ctx, dbErr); {
	case dbErr == nil && (ours == nil || theirs.CreatedAt.After(ours.CreatedAt)):
		return theirs, nil
	case ours != nil:
		return ours, nil // the newest of what can be read now
	}
	return nil, dbErr
}

// Plan returns a plan by id.
func (s *Store) Plan(ctx context.Context, id int64) (*district.Plan, error) {
	p, err := s.local.Plan(ctx, id)
	if !errors.Is(err, store.ErrNotFound) {
		return p, err
	}
	db, _ := s.database()
	if db == nil {
		return p, err
	}
	bounded, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	p, err = db.Plan(bounded, id)
	return p, s.judge(ctx, err)
}

// PlansBetween returns the plans of a district created in sp, oldest first.
func (s *Store) PlansBetween(ctx context.Context, districtID string, sp timegrid.Span) ([]*district.Plan, error) {
	ours, err := s.local.PlansBetween(ctx, districtID, sp)
	if err != nil {
		return nil, err
	}
	db, err := s.older(ctx, "read plans of "+districtID, sp.Start)
	if db == nil {
		return ours, err
	}
	bounded, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	theirs, err := db.PlansBetween(bounded, districtID, sp)
	if err != nil {
		return nil, s.judge(ctx, err)
	}
	return union(ours, theirs, func(a, b *district.Plan) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return compareIDs(a.ID, b.ID)
	}), nil
}

func compareIDs(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// newest merges two lists that are sorted newest first, and cuts them at limit (0: none).
func newest[T any](ours, theirs []T, limit int, at func(T) time.Time, id func(T) int64) []T {
	all := union(ours, theirs, func(a, b T) int {
		if c := at(b).Compare(at(a)); c != 0 {
			return c
		}
		return compareIDs(id(b), id(a))
	})
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	return all
}

// lines returns the database when a list of the newest lines needs it: not when ours fills the limit from the file's own time.
func (s *Store) lines(ctx context.Context, op string, from time.Time, limit int, oldest time.Time, full bool) (*timescale.Store, error) {
	h, err := s.horizon(ctx)
	if err != nil || full && !oldest.Before(h.kept) {
		return nil, err
	}
	db, err := s.older(ctx, op, from)
	if errors.Is(err, ErrAway) && limit > 0 {
		err = nil
	}
	return db, err
}

// Setpoints returns set-points with time in sp, newest first.
func (s *Store) Setpoints(ctx context.Context, districtID, site, device string, sp timegrid.Span, limit int) ([]district.Setpoint, error) {
	lines, err := s.LedgerLines(ctx, districtID, site, device, sp, limit)
	if err != nil {
		return nil, err
	}
	out := make([]district.Setpoint, 0, len(lines))
	for _, l := range lines {
		out = append(out, l.Setpoint)
	}
	return out, nil
}

// LedgerLines is [Store.Setpoints] with the id of each line.
func (s *Store) LedgerLines(ctx context.Context, districtID, site, device string, sp timegrid.Span, limit int) ([]batch.Setpoint, error) {
	ours, err := s.local.LedgerLines(ctx, districtID, site, device, sp, limit)
	if err != nil {
		return nil, err
	}
	full := limit > 0 && len(ours) >= limit
	var oldest time.Time
	if full {
		oldest = ours[len(ours)-1].Time
	}
	db, err := s.lines(ctx, "read set-points of "+districtID, sp.Start, limit, oldest, full)
	if err != nil {
		return nil, err
	}
	if db != nil {
		bounded, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		theirs, err := db.LedgerLines(bounded, districtID, site, device, sp, limit)
		if err != nil {
			return nil, s.judge(ctx, err)
		}
		ours = newest(ours, theirs, limit, func(l batch.Setpoint) time.Time { return l.Time }, func(l batch.Setpoint) int64 { return l.ID })
	}
	return ours, nil
}

// Restore writes a batch of an archive to the local disk.
func (s *Store) Restore(ctx context.Context, b *batch.Batch) error {
	return s.wrote(s.local.Restore(ctx, b))
}

// Events returns events with time in sp, newest first.
func (s *Store) Events(ctx context.Context, kinds []store.EventKind, sp timegrid.Span, limit int) ([]store.Event, error) {
	ours, err := s.local.Events(ctx, kinds, sp, limit)
	if err != nil {
		return nil, err
	}
	full := limit > 0 && len(ours) >= limit
	var oldest time.Time
	if full {
		oldest = ours[len(ours)-1].Time
	}
	db, err := s.lines(ctx, "read events", sp.Start, limit, oldest, full)
	if db == nil {
		return ours, err
	}
	bounded, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	theirs, err := db.Events(bounded, kinds, sp, limit)
	if err != nil {
		return nil, s.judge(ctx, err)
	}
	return newest(ours, theirs, limit, func(e store.Event) time.Time { return e.Time }, func(e store.Event) int64 { return e.ID }), nil
}
