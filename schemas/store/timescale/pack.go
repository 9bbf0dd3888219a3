package timescale

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/store"
	"quartier/schemas/store/batch"
)

// pack is a row of the table of that name: the samples of one series in a stretch of a day.
type pack struct {
	SeriesID    int32
	Start, Stop time.Time
	Count       int32
	EveryUS     int64
	Jitter      []int16
	Deltas      []int32
	LongDeltas  []int64
	Scale       *int16
	Digits      []int32
	Singles     []float32
	Numbers     []float64
	Flag        *int16
	Flags       []int16
}

const packColumns = "series_id, start, stop, count, every_us, jitter, deltas, long_deltas, scale, digits, singles, numbers, flag, flags"

// scan returns where the columns of packColumns go.
func (p *pack) scan() []any {
	return []any{&p.SeriesID, &p.Start, &p.Stop, &p.Count, &p.EveryUS, &p.Jitter, &p.Deltas, &p.LongDeltas, &p.Scale, &p.Digits, &p.Singles, &p.Numbers, &p.Flag, &p.Flags}
}

func (p *pack) values() []any {
	return []any{p.SeriesID, p.Start, p.Stop, p.Count, p.EveryUS, p.Jitter, p.Deltas, p.LongDeltas, p.Scale, p.Digits, p.Singles, p.Numbers, p.Flag, p.Flags}
}

func scanPack(row pgx.CollectableRow) (*pack, error) {
	p := &pack{}
	return p, row.Scan(p.scan()...)
}

// packRows packs samples of one series, which are in order of time and at least one.
func packRows(series int32, rows []batch.Row) *pack {
	p := &pack{SeriesID: series, Start: store.FromMicro(rows[0].Micro), Stop: store.FromMicro(rows[len(rows)-1].Micro), Count: int32(len(rows))}
	p.packTimes(rows)
	p.packValues(rows)
	flag := int16(rows[0].Flags)
	if slices.ContainsFunc(rows, func(r batch.Row) bool { return int16(r.Flags) != flag }) {
		p.Flags = make([]int16, len(rows))
		for i, r := range rows {
			p.Flags[i] = int16(r.Flags)
		}
	} else {
		p.Flag = &flag
	}
	return p
}

func (p *pack) packTimes(rows []batch.Row) {
	long := make([]int64, len(rows))
	for i := 1; i < len(rows); i++ {
		long[i] = rows[i].Micro - rows[i-1].Micro
	}
	if len(rows) > 1 {
		// the middle one, so that a gap costs nothing
		sorted := slices.Clone(long[1:])
		slices.Sort(sorted)
		p.EveryUS = sorted[len(sorted)/2]
	}
	least, most := int64(0), int64(0)
	for i := 1; i < len(rows); i++ {
		long[i] -= p.EveryUS
		least, most = min(least, long[i]), max(most, long[i])
	}
	switch {
	case least == 0 && most == 0:
	case least >= math.MinInt16 && most <= math.MaxInt16:
		p.Jitter = narrow[int16](long)
	case least >= math.MinInt32 && most <= math.MaxInt32:
		p.Deltas = narrow[int32](long)
	default:
		p.LongDeltas = long
	}
}

func narrow[T int16 | int32](in []int64) []T {
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = T(v)
	}
	return out
}

// maxScale is how many decimals a meter may have to be packed as digits.
const maxScale = 6

func (p *pack) packValues(rows []batch.Row) {
	digits := make([]int32, len(rows))
	for scale := int16(0); scale <= maxScale; scale++ {
		ten := math.Pow10(int(scale))
		i := 0
		for ; i < len(rows); i++ {
			d := math.Round(rows[i].Value * ten)
			if math.Abs(d) > math.MaxInt32 || d/ten != rows[i].Value || d == 0 && math.Signbit(d) {
				break
			}
			digits[i] = int32(d)
		}
		if i == len(rows) {
			p.Scale, p.Digits = &scale, digits
			return
		}
	}
	if !slices.ContainsFunc(rows, func(r batch.Row) bool { return float64(float32(r.Value)) != r.Value }) {
		p.Singles = make([]float32, len(rows))
		for i, r := range rows {
			p.Singles[i] = float32(r.Value)
		}
		return
	}
	p.Numbers = make([]float64, len(rows))
	for i, r := range rows {
		p.Numbers[i] = r.Value
	}
}

// rows unpacks the samples.
func (p *pack) rows() ([]batch.Row, error) {
	n := int(p.Count)
	for name, size := range map[string]int{"jitter": len(p.Jitter), "deltas": len(p.Deltas), "long_deltas": len(p.LongDeltas), "flags": len(p.Flags)} {
		if size != 0 && size != n {
			return nil, p.damaged("%d %s", size, name)
		}
	}
	if len(p.Digits)+len(p.Singles)+len(p.Numbers) != n || len(p.Digits) > 0 && p.Scale == nil || p.Flag == nil && len(p.Flags) != n {
		return nil, p.damaged("%d values", len(p.Digits)+len(p.Singles)+len(p.Numbers))
	}
	out := make([]batch.Row, n)
	at, ten := store.Micro(p.Start), 1.0
	if p.Scale != nil {
		ten = math.Pow10(int(*p.Scale))
	}
	for i := range out {
		r := &out[i]
		if i > 0 {
			at += p.EveryUS
		}
		switch {
		case p.Jitter != nil:
			at += int64(p.Jitter[i])
		case p.Deltas != nil:
			at += int64(p.Deltas[i])
		case p.LongDeltas != nil:
			at += p.LongDeltas[i]
		}
		r.Micro = at
		switch {
		case p.Digits != nil:
			r.Value = float64(p.Digits[i]) / ten
		case p.Singles != nil:
			r.Value = float64(p.Singles[i])
		default:
			r.Value = p.Numbers[i]
		}
		if p.Flag != nil {
			r.Flags = uint8(*p.Flag)
		} else {
			r.Flags = uint8(p.Flags[i])
		}
	}
	if at != store.Micro(p.Stop) {
		return nil, p.damaged("a last sample at %v", store.FromMicro(at))
	}
	return out, nil
}

func (p *pack) damaged(format string, args ...any) error {
	return fmt.Errorf("the pack of series %d from %s to %s of %d samples is damaged: it has "+format,
		append([]any{p.SeriesID, p.Start.UTC().Format(time.RFC3339), p.Stop.UTC().Format(time.RFC3339), p.Count}, args...)...)
}
