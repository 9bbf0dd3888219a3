package batch

import (
	"cmp"
	"slices"

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
	out := Samples{Rows: make([]Row, len(samples))}
	index := make(map[district.SeriesID]int32, min(len(samples), 1000))
	var f store.Faults
	last, lastIndex := district.SeriesID(""), int32(-1)
	sorted := true
	for i := range samples {
		s := &samples[i]
		if lastIndex < 0 || s.Series != last {
			n, ok := index[s.Series]
			if !ok {
				f.CheckSeries(s.Series)
				n = int32(len(out.Names))
				index[s.Series] = n
				out.Names = append(out.Names, s.Series)
			}
			last, lastIndex = s.Series, n
		}
		f.CheckSample(s)
		out.Rows[i] = Row{Series: lastIndex, Micro: s.Time.UnixMicro(), Value: s.Value, Flags: Flags(s.Quality, s.Source)}
		if i > 0 && sorted {
			p := &out.Rows[i-1]
			sorted = p.Series < lastIndex || p.Series == lastIndex && p.Micro < out.Rows[i].Micro
		}
	}
	if err := f.Err(); err != nil {
		return Samples{}, err
	}
	if sorted {
		return out, nil
	}
	slices.SortStableFunc(out.Rows, func(a, b Row) int {
		if a.Series != b.Series {
			return cmp.Compare(a.Series, b.Series)
		}
		return cmp.Compare(a.Micro, b.Micro)
	})
	kept := out.Rows[:0]
	for i, r := range out.Rows {
		if i+1 < len(out.Rows) && out.Rows[i+1].Series == r.Series && out.Rows[i+1].Micro == r.Micro {
			continue
		}
		kept = append(kept, r)
	}
	out.Rows = kept
	return out, nil
}

// Sample returns row i as a sample.
func (s *Samples) Sample(i int) district.Sample {
	r := s.Rows[i]
	return district.Sample{Series: s.Names[r.Series], Time: store.FromMicro(r.Micro), Value: r.Value, Quality: r.Quality(), Source: r.Source()}
}
