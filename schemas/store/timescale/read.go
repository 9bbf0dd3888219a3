package timescale

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
)

const (
	// pageRows is how many samples a read takes at a time, before it hands them over without holding a connection.
	pageRows = 8192
	// pagePacks is how many packs it takes with them.
	pagePacks = 8
	// pageWithin bounds the read of one page, which takes milliseconds: a server that is gone without a word holds nobody up for longer.
	pageWithin = time.Minute
)

// Read yields the samples of the series in the span, by series, then by time. No connection is held while yield runs.
func (s *Store) Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	ids, err := s.known(ctx, series)
	if err != nil {
		return s.fail("look up series", err)
	}
	from, to := store.CeilMicro(sp.Start), store.CeilMicro(sp.End)
	for _, name := range series {
		id, ok := ids[name]
		if !ok {
			continue
		}
		for next := from; next < to; {
			page, end, err := s.readPage(ctx, id, next, to)
			if err != nil {
				return s.fail("read series "+string(name), err)
			}
			for _, r := range page {
				if err := yield(district.Sample{Series: name, Time: store.FromMicro(r.Micro), Value: r.Value, Quality: r.Quality(), Source: r.Source()}); err != nil {
					return err
				}
			}
			next = end
		}
	}
	if err := ctx.Err(); err != nil {
		return s.fail("read samples", err)
	}
	if len(ids) == 0 { // nothing was asked of the server; a closed store is one all the same
		return s.alive(ctx)
	}
	return nil
}

// alive returns an error when the store was closed or the server is away.
func (s *Store) alive(ctx context.Context) error {
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return s.fail("read", err)
	}
	c.Release()
	return nil
}

// readPage returns samples of a series from an instant on, and the instant up to which these are all, at most to. Rows and packs are read by one statement: a sample that moves
// from the one to the other meanwhile is seen once.
func (s *Store) readPage(ctx context.Context, id int32, from, to int64) (page []batch.Row, end int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageWithin)
	defer cancel()
	rows, err := s.pool.Query(ctx, `(select time, value, quality, source, null::integer, null::timestamptz, null::timestamptz, null::integer, null::bigint, null::smallint[],
		null::integer[], null::bigint[], null::smallint, null::integer[], null::real[], null::double precision[], null::smallint, null::smallint[]
		from sample where series_id=$1 and time>=$2 and time<$3 order by time limit $4)
		union all (select null, null, null, null, `+packColumns+` from pack where series_id=$1 and start<$3 and stop>=$2 order by start limit $5)`,
		id, store.FromMicro(from), store.FromMicro(to), pageRows, pagePacks)
	if err != nil {
		return nil, 0, err
	}
	var at *time.Time
	var value *float64
	var quality, source *int16
	var packs []*pack
	p := &nullPack{}
	_, err = pgx.ForEachRow(rows, append([]any{&at, &value, &quality, &source}, p.scan()...), func() error {
		if at == nil {
			packs = append(packs, p.pack())
		} else {
			page = append(page, batch.Row{Micro: at.UnixMicro(), Value: *value, Flags: batch.Flags(district.Quality(*quality), district.Source(*source))})
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	// each part comes in order; nothing promises which part comes first
	end = to
	if len(page) == pageRows {
		end = min(end, page[len(page)-1].Micro+1)
	}
	if len(packs) == pagePacks {
		end = min(end, store.Micro(packs[len(packs)-1].Stop)+1)
	}
	return mergePage(page, packs, from, end)
}

// mergePage returns the rows and the samples of packs in [from, end), in order.
func mergePage(rows []batch.Row, packs []*pack, from, end int64) ([]batch.Row, int64, error) {
	for len(rows) > 0 && rows[len(rows)-1].Micro >= end {
		rows = rows[:len(rows)-1]
	}
	if len(packs) == 0 {
		return rows, end, nil
	}
	var out []batch.Row
	for _, p := range packs {
		start := store.Micro(p.Start)
		for len(rows) > 0 && rows[0].Micro < start {
			out, rows = append(out, rows[0]), rows[1:]
		}
		some, err := p.rows()
		if err != nil {
			return nil, 0, err
		}
		for _, r := range some {
			if r.Micro >= from && r.Micro < end {
				out = append(out, r)
			}
		}
	}
	return append(out, rows...), end, nil
}

// nullPack is a pack whose columns may all be null.
type nullPack struct {
	series, count *int32
	start, stop   *time.Time
	every         *int64
	rest          pack
}

func (n *nullPack) scan() []any {
	p := &n.rest
	return []any{&n.series, &n.start, &n.stop, &n.count, &n.every, &p.Jitter, &p.Deltas, &p.LongDeltas, &p.Scale, &p.Digits, &p.Singles, &p.Numbers, &p.Flag, &p.Flags}
}

// pack returns what was scanned last, which has no nulls where a pack has none.
func (n *nullPack) pack() *pack {
	p := n.rest
	p.SeriesID, p.Count, p.Start, p.Stop, p.EveryUS = *n.series, *n.count, *n.start, *n.stop, *n.every
	return &p
}

// Latest returns the newest sample of each series at or before asOf.
func (s *Store) Latest(ctx context.Context, series []district.SeriesID, asOf time.Time) (map[district.SeriesID]district.Sample, error) {
	names := make([]string, 0, len(series))
	for _, name := range series {
		if storable(string(name)) {
			names = append(names, string(name))
		}
	}
	// a pack is taken only where it may have a newer one than the newest row
	rows, err := s.pool.Query(ctx, `select s.name, m.time, m.value, m.quality, m.source, p.`+strings.ReplaceAll(packColumns, ", ", ", p.")+` from series s
		left join lateral (select * from sample where series_id=s.id and time<=$2 order by time desc limit 1) m on true
		left join lateral (select * from pack where series_id=s.id and start<=$2 order by start desc limit 1) p on m.time is null or least(p.stop, $2)>m.time
		where s.name=any($1::text[]) and (m.time is not null or p.start is not null)`, names, store.Instant(asOf))
	if err != nil {
		return nil, s.fail("read the latest samples", err)
	}
	out := make(map[district.SeriesID]district.Sample, len(series))
	until := store.Micro(asOf)
	var name string
	var at *time.Time
	var value *float64
	var quality, source *int16
	p := &nullPack{}
	_, err = pgx.ForEachRow(rows, append([]any{&name, &at, &value, &quality, &source}, p.scan()...), func() error {
		id := district.SeriesID(name)
		if at != nil {
			out[id] = district.Sample{Series: id, Time: at.UTC(), Value: *value, Quality: district.Quality(*quality), Source: district.Source(*source)}
		}
		if p.start == nil {
			return nil
		}
		packed, err := p.pack().rows()
		if err != nil {
			return err
		}
		for i := len(packed) - 1; i >= 0; i-- {
			if r := packed[i]; r.Micro <= until {
				if mine, ok := out[id]; !ok || r.Micro > store.Micro(mine.Time) {
					out[id] = district.Sample{Series: id, Time: store.FromMicro(r.Micro), Value: r.Value, Quality: r.Quality(), Source: r.Source()}
				}
				break
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.fail("read the latest samples", err)
	}
	return out, nil
}
