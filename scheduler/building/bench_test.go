package building

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
)

// readRooms reads rooms that were recorded hour by hour: two lines of head, the first with the begin of the record, and then in each line the temperature inside at the end, °C, the heat given, kW, the temperature outside, °C, and the share of a full sun.
func readRooms(path string) (start time.Time, slots []Slot, err error) {
	f, err := os.Open(path)
	if err != nil {
		return start, nil, err
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewScanner(f)
	for line := 0; in.Scan(); line++ {
		switch line {
		case 0:
			if start, err = time.Parse(time.RFC3339, strings.TrimPrefix(in.Text(), "start,")); err != nil {
				return start, nil, err
			}
		case 1:
		default:
			var s Slot
			if _, err := fmt.Sscanf(in.Text(), "%g,%g,%g,%g", &s.IndoorC, &s.PowerKW, &s.OutdoorC, &s.Sun); err != nil {
				return start, nil, fmt.Errorf("%s: line %d: %w", path, line+1, err)
			}
			slots = append(slots, s)
		}
	}
	return start, slots, in.Err()
}

// BenchmarkRooms learns recorded rooms day by day and tells what each way to foresee them was wrong by 24 hours ahead, K. The files are those of the pattern QUARTIER_BENCH_ROOMS, see readRooms; what is stated of them is what a survey of the
// heating would say: the resistance by the largest heat that was ever given at the coldest, and a time constant of 40 hours.
//
//	QUARTIER_BENCH_ROOMS='/data/*.csv' go test ./scheduler/building -run '^$' -bench Rooms -benchtime 1x
func BenchmarkRooms(b *testing.B) {
	paths, err := filepath.Glob(os.Getenv("QUARTIER_BENCH_ROOMS"))
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range paths {
		b.Run(filepath.Base(path), func(b *testing.B) {
			start, slots, err := readRooms(path)
			if err != nil {
				b.Fatal(err)
			}
			most, coldest := 0.0, math.Inf(1)
			for _, s := range slots {
				most, coldest = math.Max(most, s.PowerKW), math.Min(coldest, s.OutdoorC)
			}
			pump := &district.HeatPumpParams{MaxKW: most, COPNominal: 1, ResistanceKPerKW: (21 - coldest) / most, MinC: 19, MaxC: 23}
			pump.CapacityKWhPerK = 40 / pump.ResistanceKPerKW
			var sum judged
			days, used := 0, 0.0
			var l *Learner
			for b.Loop() {
				if l, err = NewLearner(pump, start, time.Hour, time.UTC); err != nil {
					b.Fatal(err)
				}
				sum, days, used = judged{}, 0, 0
				for d := 0; (d+1)*24 <= len(slots); d++ {
					known := len(l.days)
					l.Take(slots[d*24 : (d+1)*24])
					if testing.Verbose() && d%10 == 9 {
						x, t := l.Identified(), l.Trial()
						b.Logf("day %d: R %.2f ± %.2f (%.2f), C %.2f ± %.2f (%.2f), RC %.0f ± %.0f, G %.2f ± %.2f, A %.2f ± %.2f, sigma %.2f; %+v", d+1, x.ResistanceKPerKW, x.Deviation.ResistanceKPerKW, pump.ResistanceKPerKW,
							x.CapacityKWhPerK, x.Deviation.CapacityKWhPerK, pump.CapacityKWhPerK, x.TimeConstantH, x.TimeConstantDeviationH, x.GainsKW, x.Deviation.GainsKW, x.SolarKW, x.Deviation.SolarKW, x.ErrorK, t)
					}
					if len(l.days) == known && known < KeepDays || len(l.days) == 0 {
						continue
					}
					one := l.days[len(l.days)-1]
					for w := range ways {
						sum.day[w] += one.day[w]
					}
					sum.nDay += one.nDay
					if days++; l.Trial().Use != AsStated {
						used++
					}
				}
			}
			n := float64(max(1, sum.nDay))
			b.ReportMetric(sum.day[byStated]/n, "stated-K")
			b.ReportMetric(sum.day[byIdentified]/n, "identified-K")
			b.ReportMetric(sum.day[byGains]/n, "gains-K")
			b.ReportMetric(sum.day[byStaying]/n, "staying-K")
			b.ReportMetric(used/float64(max(1, days)), "used")
		})
	}
}
