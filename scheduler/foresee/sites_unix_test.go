//go:build unix

package foresee

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"quartier/optimizer/forecast"
)

// processor is the time that this process has had of processors, s.
func processor() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // never fails
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// BenchmarkSites tells what forecasts of 20 sites with load and sun in quarter-hours take of a processor: seconds to learn from the record once, and a day after that, with a fourteenth of what
// is due every other week; and the same under a weather that is published. What was learned is kept then, and taken up by another one half a day later.
func BenchmarkSites(b *testing.B) {
	b.Run("without-weather", func(b *testing.B) { benchmarkSites(b, false) })
	b.Run("weather", func(b *testing.B) { benchmarkSites(b, true) })
}

func benchmarkSites(b *testing.B, weather bool) {
	const days, quarters = TrainDays + 6, 96
	hours := lived(days)
	all := Record{Start: monday, Series: map[Key][]float64{}}
	var published func(at time.Time) forecast.Weather
	shift := perDay
	if weather { // which the sun follows everywhere
		shift = 0
		published = func(at time.Time) forecast.Weather {
			sun := hours.Series[sunKey]
			return forecast.Weather{OutdoorC: 10 + math.Sin(float64(at.Unix()/900)), GlobalWm2: 180 * sun[int(at.Sub(monday)/time.Hour)%len(sun)], DirectWm2: 100}
		}
	}
	for s := range 20 {
		for k, v := range hours.Series {
			q := make([]float64, 0, days*quarters)
			for i := range v {
				for range 4 {
					q = append(q, v[(i+s*shift)%len(v)]*(1+0.1*rand.Float64()))
				}
			}
			all.Series[Key{Site: fmt.Sprintf("s%d", s), Quantity: k.Quantity}] = q
		}
	}
	part := func(from, to, length int) Record {
		out := Record{Start: monday.Add(time.Duration(from) * 15 * time.Minute), Series: map[Key][]float64{}}
		for k, v := range all.Series {
			w := append(make([]float64, 0, length), v[from:to]...)
			for len(w) < length {
				w = append(w, math.NaN())
			}
			out.Series[k] = w
		}
		if published != nil {
			for i := range to - from {
				out.Weather = append(out.Weather, published(out.Start.Add(time.Duration(i)*15*time.Minute)))
			}
		}
		return out
	}
	for b.Loop() {
		d := New(Settings{District: "d", Step: 15 * time.Minute, Ahead: 36 * time.Hour, Zone: time.UTC, Published: published})
		begun := processor()
		if err := d.Train(b.Context(), part(0, TrainDays*quarters, TrainDays*quarters)); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(processor()-begun, "s/train")
		begin := TrainDays * quarters
		if weather { // learned under once it is published, and listened to when some days showed what that is worth
			for end := begin + 3*quarters; begin < end; begin += 4 {
				d.Observe(part(begin-22*quarters, begin, 22*quarters))
				if err := d.Grow(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		}
		begun = processor()
		var longest time.Duration
		for slot := begin; slot < begin+quarters; slot++ {
			one := time.Now()
			d.Observe(part(slot-22*quarters, slot, 22*quarters))
			longest = max(longest, time.Since(one))
		}
		day := processor() - begun
		for _, x := range d.state.series {
			x.model.Forecast(d.state.past(x))
			x.model.Due()
		}
		begun = processor()
		if err := d.Grow(b.Context()); err != nil {
			b.Fatal(err)
		}
		grow := processor() - begun
		b.ReportMetric(day, "s/day-of-slots")
		b.ReportMetric(grow, "s/growth")
		b.ReportMetric(day+grow/14, "s/day")
		b.ReportMetric(longest.Seconds(), "s/longest-slot")
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB")
		runtime.KeepAlive(d)
		resume(b, d, begin+quarters, part)
	}
}

// resume has another one take up what was learned up to a slot, and learn half a day since.
func resume(b *testing.B, d *District, end int, part func(from, to, length int) Record) {
	const days, since = TrainDays * 96, 48
	var kept, outlooks bytes.Buffer
	begun := processor()
	if _, err := d.Keep(b.Context(), &kept); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(processor()-begun, "s/keep")
	b.ReportMetric(float64(kept.Len())/1e6, "MB/kept")
	rows := d.Heard()
	for _, o := range rows {
		outlooks.Write(o.Body)
	}
	b.ReportMetric(float64(outlooks.Len())/float64(max(1, len(rows))), "bytes/outlook")
	begun = processor()
	anew := New(d.set)
	if err := anew.Remember(rows); err != nil {
		b.Fatal(err)
	}
	if err := anew.Resume(b.Context(), &kept, part(end+since-days, end+since, days)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(processor()-begun, "s/resume")
}
