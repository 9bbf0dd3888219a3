package batch

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
)

// Samples are samples in the form in which stores write them: names once, rows sorted by series and time without duplicates.
type Samples struct {
	Names []district.SeriesID
	Rows  []Row
}

// Row is one sample.
type Row struct {
	Series int32 // index into Names
	Flags  uint8 // quality in the low four bits, source in the high four
	Micro  int64 // time in microseconds since the Unix epoch
	Value  float64
}

// Quality returns the quality of the row.
func (r Row) Quality() district.Quality { return district.Quality(r.Flags & 15) }

// Source returns the source of the row.
func (r Row) Source() district.Source { return district.Source(r.Flags >> 4) }

// Flags packs quality and source as [Row.Flags] does.
func Flags(q district.Quality, s district.Source) uint8 { return uint8(q)&15 | uint8(s)<<4 }

// NewSamples checks samples and sorts them; of two with the same series and microsecond, the later in the slice stays. The error names every fault and
// matches [store.ErrInvalid].
func NewSamples(samples []district.Sample) (Samples, error) {
	var b Book
	out, _, err := b.NewSamples(samples)
	return out, err
}

// Book remembers the names of series, so that those of before are neither checked nor looked for again. It holds each name once, and for ever. The zero value is empty;
// its methods may be called from several goroutines.
type Book struct {
	mu     sync.Mutex
	number map[district.SeriesID]int32
	lines  []line
	turn   int64
}

// line is one series of a book.
type line struct {
	name district.SeriesID
	next int32 // the number of the series that came after it last time
	at   int32 // its index among the names of the call of turn
	turn int64
}

// The times that are good beyond doubt, in seconds since the Unix epoch; [store.Faults] judges others.
var (
	surelyFrom = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC).Unix()
	surelyTo   = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).Unix()
)

// NewSamples is the function of that name, and gives for each of the names its number in the book: numbers count from 0 and stay.
func (b *Book) NewSamples(samples []district.Sample) (out Samples, numbers []int32, err error) {
	numbers, err = b.Fill(&out, nil, samples)
	return out, numbers, err
}

// Fill is NewSamples into the room of out and numbers, which hold nothing of use when it returns an error.
func (b *Book) Fill(out *Samples, numbers []int32, samples []district.Sample) ([]int32, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	*out = Samples{Names: out.Names[:0], Rows: slices.Grow(out.Rows[:0], len(samples))[:len(samples)]}
	numbers = numbers[:0]
	var f store.Faults
	last := int32(-1) // the number of the sample before
	sorted := true
	for i := range samples {
		s := &samples[i]
		n := b.check(last, s, &f)
		if n < 0 {
			continue
		}
		last = n
		l := &b.lines[n]
		if l.turn != b.turn {
			l.turn, l.at = b.turn, int32(len(out.Names))
			out.Names, numbers = append(out.Names, l.name), append(numbers, n)
		}
		out.Rows[i] = Row{Series: l.at, Micro: s.Time.UnixMicro(), Value: s.Value, Flags: Flags(s.Quality, s.Source)}
		if i > 0 && sorted {
			p := &out.Rows[i-1]
			sorted = p.Series < l.at || p.Series == l.at && p.Micro < out.Rows[i].Micro
		}
	}
	if err := f.Err(); err != nil {
		return numbers, err
	}
	if !sorted {
		out.sort()
	}
	return numbers, nil
}

// Check returns the error of NewSamples, and makes nothing of the samples.
func (b *Book) Check(samples []district.Sample) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var f store.Faults
	last := int32(-1)
	for i := range samples {
		if n := b.check(last, &samples[i], &f); n >= 0 {
			last = n
		}
	}
	return f.Err()
}

// check notes the faults of a sample, and returns the number of its series, -1 where that has no good name. last is the number of the sample before.
func (b *Book) check(last int32, s *district.Sample, f *store.Faults) (n int32) {
	n, known := b.find(last, s.Series)
	if !known {
		if !f.CheckSeries(s.Series) {
			return -1
		}
		if b.number == nil {
			b.number = map[district.SeriesID]int32{}
		}
		n = int32(len(b.lines))
		b.number[s.Series] = n
		b.lines = append(b.lines, line{name: s.Series})
	}
	if last >= 0 {
		b.lines[last].next = n
	}
	sec := s.Time.Unix()
	if s.Value-s.Value != 0 || sec < surelyFrom || sec > surelyTo || s.Quality > district.Substituted || s.Source > 15 {
		f.CheckSample(s)
	}
	return n
}

// find returns the number of a name: mostly that of the sample before, or the one that followed it last time.
func (b *Book) find(last int32, name district.SeriesID) (n int32, known bool) {
	if last >= 0 {
		if b.lines[last].name == name {
			return last, true
		}
		if n := b.lines[last].next; b.lines[n].name == name {
			return n, true
		}
	}
	n, known = b.number[name]
	return n, known
}

// sort sorts rows by series and time; of several of the same the last stays.
func (s *Samples) sort() {
	slices.SortStableFunc(s.Rows, func(a, b Row) int {
		if a.Series != b.Series {
			return cmp.Compare(a.Series, b.Series)
		}
		return cmp.Compare(a.Micro, b.Micro)
	})
	kept := s.Rows[:0]
	for i, r := range s.Rows {
		if i+1 < len(s.Rows) && s.Rows[i+1].Series == r.Series && s.Rows[i+1].Micro == r.Micro {
			continue
		}
		kept = append(kept, r)
	}
	s.Rows = kept
}

// Sample returns row i as a sample.
func (s *Samples) Sample(i int) district.Sample {
	r := s.Rows[i]
	return district.Sample{Series: s.Names[r.Series], Time: store.FromMicro(r.Micro), Value: r.Value, Quality: r.Quality(), Source: r.Source()}
}
