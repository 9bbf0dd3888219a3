package trace

import (
	"io/fs"
	"math"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
)

func traces(t testing.TB) fs.FS {
	t.Helper()
	return os.DirFS("../../../testdata/traces")
}

func set(t testing.TB, name string) *Set {
	t.Helper()
	s, err := NewLibrary(traces(t)).Set(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func dijon(t testing.TB) Place {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return Place{47.32, 5.04, loc}
}

// TestReadmeListsEveryFile: every trace is named in the README with its licence, and every named trace exists.
func TestReadmeListsEveryFile(t *testing.T) {
	readme, err := fs.ReadFile(traces(t), "README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	err = fs.WalkDir(traces(t), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) == ".md" {
			return err
		}
		found++
		row := ""
		for _, line := range strings.Split(string(readme), "\n") {
			if strings.HasPrefix(line, "| `"+name+"` |") {
				row = line
			}
		}
		if cells := strings.Split(row, "|"); len(cells) != 6 || strings.TrimSpace(cells[4]) == "" {
			t.Errorf("%s has no row with a licence in README.md", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(string(readme), ".csv.gz` |"); rows != found {
		t.Errorf("README.md has %d rows for %d files", rows, found)
	}
}

// TestEverySetLoads: all recorded sets can be read, and only those known to have gaps report any.
func TestEverySetLoads(t *testing.T) {
	gaps := map[string]bool{Emhass: true, ElecMaps: true}
	for _, d := range Definitions() {
		s := set(t, d.Name)
		if len(s.Faults) > 0 && !gaps[d.Name] {
			t.Errorf("%s: %d faults, first: %v", d.Name, len(s.Faults), s.Faults[0])
		}
		if d.Name == Emhass && len(s.Faults) == 0 {
			t.Error("the French home has weeks without a row, none was reported")
		}
	}
}

// TestInventedPricesSaySo: whoever opens the file reads that it is no recording.
func TestInventedPricesSaySo(t *testing.T) {
	tab, err := Open(traces(t), "invented/spot_15min.csv.gz", 0)
	if err != nil {
		t.Fatal(err)
	}
	if tab.Step != 15*time.Minute || len(tab.Columns["price_eur_per_mwh"].Values) != 35040 {
		t.Errorf("step %v, %d prices, want a year of quarter-hours", tab.Step, len(tab.Columns["price_eur_per_mwh"].Values))
	}
}

// TestRedating: the source day has the same weekday and the nearest day of the year; what people do keeps the clock time, also on the days when the
// clocks change, what the sun does keeps the solar time.
func TestRedating(t *testing.T) {
	s, p := set(t, CityLearn), dijon(t)
	la := s.ClockZone
	for _, tt := range []struct {
		name, at  string // local time in Dijon
		day       string // source day
		clock     string // clock time at the source
		sunHour   float64
		tolerance float64
	}{
		{"winter noon", "2026-01-14T12:00:00+01:00", "2017-01-11", "12:00", 12 - 1 + 5.04/15, 0.01},
		{"same date of another year, weekday two days off", "2026-11-24T18:30:00+01:00", "2016-11-22", "18:30", 18.5 - 1 + 5.04/15, 0.01},
		{"summer noon", "2026-07-15T14:00:00+02:00", "2017-07-12", "14:00", 14 - 2 + 5.04/15, 0.01},
		{"turn of the year", "2027-01-01T00:15:00+01:00", "2016-12-30", "00:15", -0.75 + 5.04/15, 0.01},
		{"day of 23 hours, before the change", "2026-03-29T01:59:00+01:00", "2017-03-26", "01:59", 2 - 1.0/60 - 1 + 5.04/15, 0.01},
		{"day of 23 hours, after the change", "2026-03-29T03:00:00+02:00", "2017-03-26", "03:00", 1 + 5.04/15, 0.01},
		{"day of 25 hours, first 02:30", "2026-10-25T02:30:00+02:00", "2016-10-23", "02:30", 0.5 + 5.04/15, 0.01},
		{"day of 25 hours, second 02:30", "2026-10-25T02:30:00+01:00", "2016-10-23", "02:30", 1.5 + 5.04/15, 0.01},
		{"leap day", "2028-02-29T12:00:00+01:00", "2017-02-28", "12:00", 11 + 5.04/15, 0.01},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			m := s.Moment(at, p)
			if got := m.Day.Format("2006-01-02"); got != tt.day {
				t.Errorf("source day %s, want %s", got, tt.day)
			}
			if m.Day.Weekday() != at.In(p.Zone).Weekday() {
				t.Errorf("source day is a %s, the day a %s", m.Day.Weekday(), at.In(p.Zone).Weekday())
			}
			if got := m.Clock.In(la).Format("15:04"); got != tt.clock {
				t.Errorf("clock at the source %s, want %s", got, tt.clock)
			}
			sun := m.Sun.Add(solar(s.Longitude)).Sub(m.Day).Hours()
			if math.Abs(sun-tt.sunHour) > tt.tolerance {
				t.Errorf("solar time at the source %.3f h, want %.3f h", sun, tt.sunHour)
			}
		})
	}
}

// TestSourceDaysFollowEachOther: over a year the source day moves on with the day, but for the places where a recording wraps; it is never farther
// than three days of the year in a complete set.
func TestSourceDaysFollowEachOther(t *testing.T) {
	s := set(t, CityLearn)
	jumps := 0
	last := time.Time{}
	for day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2027; day = day.AddDate(0, 0, 1) {
		src := s.SourceDay(day)
		if d := math.Abs(circular(civilOf(src), civilOf(day))); d > 3.5 {
			t.Errorf("%s comes from %s, %g days of the year away", day.Format("2006-01-02"), src.Format("2006-01-02"), d)
		}
		if !last.IsZero() && src.Sub(last) != 24*time.Hour {
			jumps++
		}
		last = src
	}
	if jumps > 3 {
		t.Errorf("%d jumps in a year, want only the wraps of the recording", jumps)
	}
}

// TestOneDayForAll: load, weather and sun of a set are looked up on the same source day.
func TestOneDayForAll(t *testing.T) {
	s, p := set(t, CityLearn), dijon(t)
	for h := 0; h < 24*370; h++ {
		at := time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC).Add(time.Duration(h) * time.Hour)
		m := s.Moment(at, p)
		if y, mo, d := m.Clock.In(s.ClockZone).Date(); !time.Date(y, mo, d, 0, 0, 0, 0, time.UTC).Equal(m.Day) {
			t.Fatalf("%s: clock moment on %d-%d-%d, source day %s", at, y, mo, d, m.Day)
		}
		if off := m.Sun.Add(solar(s.Longitude)).Sub(m.Day); off < -2*time.Hour || off > 26*time.Hour {
			t.Fatalf("%s: sun moment %v from the source day", at, off)
		}
	}
}

// TestSunStandsAtNoon: the mean recorded yield, re-dated, has its centre at true noon of the place, in winter and in summer.
func TestSunStandsAtNoon(t *testing.T) {
	s, p := set(t, CityLearn), dijon(t)
	pv, err := s.Series("pv_b07_kw_per_kwp")
	if err != nil {
		t.Fatal(err)
	}
	for _, month := range []time.Month{time.January, time.July, time.October} {
		sum, moment := 0.0, 0.0
		for q := 0; q < 28*96; q++ {
			at := time.Date(2026, month, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(q) * 15 * time.Minute)
			v, _ := pv.Between(s.Moment(at, p))
			hour := float64(q%96) / 4
			sum, moment = sum+v, moment+v*hour
		}
		// noon of 5.04° E is 11.66 h UTC; equation of time and clouds move the centre by up to half an hour
		if got := moment / sum; math.Abs(got-(12-5.04/15)) > 0.6 {
			t.Errorf("%s: centre of yield at %.2f h UTC, want about 11.66", month, got)
		}
	}
}

const gappy = `# a remark
time_utc,a_kw,b_kw
2026-01-01T00:00Z,1,10
2026-01-01T01:00Z,,11
2026-01-01T02:00Z,3,NaN
2026-01-01T03:00Z,4,bad
2026-01-01T03:00Z,99,99
2026-01-01T06:00Z,7,16
yesterday,1,1
2026-01-01T07:10Z,8,17
2026-01-01T08:00Z,9
`

// TestGapsAreFilledAndReported: a trace with gaps, NaN, a duplicate and nonsense is used; each defect is told once with its line, and what was filled
// is marked as substituted.
func TestGapsAreFilledAndReported(t *testing.T) {
	tab, err := Parse("gappy.csv", []byte(gappy), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	a, b := tab.Columns["a_kw"], tab.Columns["b_kw"]
	want := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}
	for i := range want {
		if math.Abs(a.Values[i]-want[i]) > 1e-12 {
			t.Errorf("a at %d h: %g, want %g", i, a.Values[i], want[i])
		}
	}
	sub := []bool{false, true, false, false, true, true, false, true, false}
	for i := range sub {
		if (a.Quality[i] == district.Substituted) != sub[i] {
			t.Errorf("a at %d h: quality %v, substituted should be %v", i, a.Quality[i], sub[i])
		}
	}
	// four hours without b cannot be interpolated and no week is at hand: the mean of the time of day, none recorded: 0
	if b.Values[2] != 0 || b.Quality[2] != district.Substituted {
		t.Errorf("b at 2 h: %g %v, want 0 substituted", b.Values[2], b.Quality[2])
	}
	var text []string
	for _, f := range tab.Faults {
		text = append(text, f.Error())
	}
	all := strings.Join(text, "\n")
	for _, part := range []string{
		"gappy.csv:6: b_kw: \"bad\" is no number", "gappy.csv:7: time_utc: 2026-01-01T03:00 was given on line 6", "gappy.csv:9: time_utc: time \"yesterday\"",
		"gappy.csv:10: time_utc: 2026-01-01T07:10 is not on the grid", "gappy.csv:11: 2 cells, want 3", "gappy.csv:6-8: 2 rows missing",
		"gappy.csv:4: a_kw: 1 slots without a value", "gappy.csv:5-6: b_kw: 4 slots without a value",
	} {
		if n := strings.Count(all, part); n != 1 {
			t.Errorf("%q is told %d times, want once, in:\n%s", part, n, all)
		}
	}
}

// TestLongGapsTakeTheWeekBefore: what is missing for longer than two hours is what was recorded seven days before.
func TestLongGapsTakeTheWeekBefore(t *testing.T) {
	var sb strings.Builder
	sb.WriteString("time_utc,kw\n")
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for h := range 24 * 14 {
		v := "NaN"
		if h < 24*10 || h >= 24*10+6 {
			v = string(rune('0' + h%10))
		}
		sb.WriteString(at.Add(time.Duration(h)*time.Hour).Format("2006-01-02T15:04Z") + "," + v + "\n")
	}
	tab, err := Parse("week.csv", []byte(sb.String()), 0)
	if err != nil {
		t.Fatal(err)
	}
	c := tab.Columns["kw"]
	for h := 24 * 10; h < 24*10+6; h++ {
		if c.Values[h] != c.Values[h-168] || c.Quality[h] != district.Substituted {
			t.Errorf("hour %d: %g %v, want %g substituted", h, c.Values[h], c.Quality[h], c.Values[h-168])
		}
	}
}

// TestUnusableTraces: a file that cannot be used at all is refused with a reason.
func TestUnusableTraces(t *testing.T) {
	for _, tt := range []struct{ name, data, want string }{
		{"empty", "", "no header"},
		{"header alone", "time,kw\n", "no readable row"},
		{"no quantity", "time\n2026-01-01T00:00\n", "at least one quantity"},
		{"column twice", "time,kw,kw\n2026-01-01T00:00,1,2\n", "given twice"},
		{"one row, no step", "time,kw\n2026-01-01T00:00,1\n", "step cannot be told"},
		{"centuries of minutes", "time,kw\n1900-01-01T00:00,1\n1900-01-01T00:01,1\n2200-01-01T00:00,1\n", "more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("x.csv", []byte(tt.data), 0)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

// TestSessionsAreChecked: readable stays are kept in order without overlap, all others are reported with their line.
func TestSessionsAreChecked(t *testing.T) {
	data := "# remark\nuser,plug_in_utc,plug_out_utc,energy_kwh\n" +
		"u,2026-01-02T18:00Z,2026-01-03T07:00Z,12\n" +
		"u,2026-01-01T18:00Z,2026-01-02T07:00Z,11\n" +
		"u,2026-01-01T20:00Z,2026-01-01T21:00Z,3\n" +
		"u,2026-01-04T18:00Z,2026-01-04T17:00Z,3\n" +
		"u,2026-01-05T18:00Z,2026-01-05T19:00Z,NaN\n"
	got, faults, err := ParseSessions("s.csv", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	if len(got["u"]) != 2 || got["u"][0].EnergyKWh != 11 {
		t.Errorf("sessions %v, want the 11 kWh and the 12 kWh one", got["u"])
	}
	if len(faults) != 2 || faults[0].From != 6 || faults[1].From != 7 {
		t.Errorf("faults %v, want lines 6 and 7", faults)
	}
}

// TestStaysKeepWeekdayAndClock: re-dated stays begin at recorded clock times on the same weekday, come in order and do not overlap; the same span
// asked for twice gives the same stays.
func TestStaysKeepWeekdayAndClock(t *testing.T) {
	lib, p := NewLibrary(traces(t)), dijon(t)
	var lists [][]Session
	begins := map[string]bool{}
	for _, u := range []string{"ASK_Plass67", "ASK_Plass7"} {
		l, err := lib.Sessions(u)
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, l)
		for _, s := range l {
			begins[s.PlugIn.In(oslo).Format("Mon 15:04")] = true
		}
	}
	from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	stays := Stays(lists, from, to, p.Zone)
	if len(stays) < 300 {
		t.Fatalf("%d stays in a year of two drivers with 620 sessions", len(stays))
	}
	for i, s := range stays {
		if !begins[s.PlugIn.In(p.Zone).Format("Mon 15:04")] {
			t.Errorf("stay begins %s, no recorded session does on that weekday", s.PlugIn.In(p.Zone).Format("Mon 15:04"))
		}
		if i > 0 && s.PlugIn.Before(stays[i-1].PlugOut) {
			t.Errorf("stay %d begins before the last has ended", i)
		}
	}
	again := Stays(lists, from, to, p.Zone)
	if len(again) != len(stays) {
		t.Errorf("%d stays, then %d", len(stays), len(again))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(gappy))
	f.Add([]byte("time,kw\n2026-01-01T00:00,1\n2026-01-01T01:00,2\n"))
	f.Add([]byte("t,x\n2026-01-01T00:00:01,1e300\n2199-01-01T00:00,-\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tab, err := Parse("fuzz.csv", data, 0)
		if err != nil {
			return
		}
		for name, c := range tab.Columns {
			if len(c.Values) != len(c.Quality) || len(c.Values) == 0 {
				t.Fatalf("%s: %d values, %d qualities", name, len(c.Values), len(c.Quality))
			}
			for i, v := range c.Values {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%s: value %d is %g after filling", name, i, v)
				}
			}
		}
	})
}

func FuzzParseSessions(f *testing.F) {
	f.Add([]byte("user,plug_in_utc,plug_out_utc,energy_kwh\nu,2026-01-01T18:00Z,2026-01-02T07:00Z,11\n"))
	f.Add([]byte("energy_kwh,user\n\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, _, err := ParseSessions("fuzz.csv", data)
		if err != nil {
			return
		}
		for _, list := range got {
			for i, s := range list {
				if !s.PlugOut.After(s.PlugIn) || !(s.EnergyKWh > 0) || i > 0 && s.PlugIn.Before(list[i-1].PlugOut) {
					t.Fatalf("session %d of %v", i, list)
				}
			}
		}
	})
}
