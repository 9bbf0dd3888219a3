package trace

import (
	"fmt"
	"io/fs"
	"math"
	"sort"
	"time"

	"quartier/schemas/district"
)

// Set is a recorded set, read and ready to be re-dated.
type Set struct {
	Definition
	Faults []Fault

	columns map[string]*Series
	days    []civil          // recorded well enough, ascending
	source  map[[4]int]civil // cache: weekday, month, day, leap → source day
	byWeek  [7][]civil       // days by weekday
}

type civil struct {
	y    int
	m    time.Month
	d    int
	yday int // 1..366
}

func civilOf(t time.Time) civil {
	y, m, d := t.Date()
	return civil{y, m, d, t.YearDay()}
}

func (c civil) midnight() time.Time { return time.Date(c.y, c.m, c.d, 0, 0, 0, 0, time.UTC) }

// Series is one quantity of a set.
type Series struct {
	Name   string
	Follow Follow
	Step   time.Duration

	table  *Table
	column *Column
	zone   *time.Location
	shift  time.Duration
}

// Load reads a set from its files.
func Load(fsys fs.FS, d Definition) (*Set, error) {
	s := &Set{Definition: d, columns: make(map[string]*Series), source: make(map[[4]int]civil)}
	recorded := make(map[civil]float64) // smallest share of recorded slots over the columns
	first := true
	for _, src := range d.Sources {
		t, err := Open(fsys, src.File, src.Step)
		if err != nil {
			return nil, fmt.Errorf("trace set %s: %w", d.Name, err)
		}
		s.Faults = append(s.Faults, t.Faults...)
		sun := make(map[string]bool)
		for _, c := range src.Sun {
			if t.Columns[c] == nil {
				return nil, fmt.Errorf("trace set %s: %s has no column %s", d.Name, src.File, c)
			}
			sun[c] = true
		}
		share := make(map[civil]float64)
		for name, c := range t.Columns {
			ser := &Series{Name: name, Step: t.Step, table: t, column: c, zone: src.Zone, shift: src.Shift}
			if sun[name] {
				ser.Follow = Sun
			}
			s.columns[name] = ser
			for day, v := range ser.recordedShare() {
				if old, ok := share[day]; !ok || v < old {
					share[day] = v
				}
			}
		}
		for day, v := range share {
			old, ok := recorded[day]
			switch {
			case first, ok && v < old:
				recorded[day] = v
			}
		}
		for day := range recorded {
			if _, ok := share[day]; !ok {
				delete(recorded, day)
			}
		}
		first = false
	}
	for day, v := range recorded {
		if v >= 0.9 {
			s.days = append(s.days, day)
		}
	}
	if len(s.days) == 0 {
		return nil, fmt.Errorf("trace set %s: no day is recorded for nine tenths of its slots", d.Name)
	}
	sort.Slice(s.days, func(i, j int) bool { return s.days[i].midnight().Before(s.days[j].midnight()) })
	for _, day := range s.days {
		w := day.midnight().Weekday()
		s.byWeek[w] = append(s.byWeek[w], day)
	}
	for w := range s.byWeek {
		if len(s.byWeek[w]) == 0 {
			return nil, fmt.Errorf("trace set %s: no %s is recorded", d.Name, time.Weekday(w))
		}
	}
	return s, nil
}

// recordedShare is the share of good slots of each day of the stamps.
func (s *Series) recordedShare() map[civil]float64 {
	perDay := float64(24*time.Hour) / float64(s.Step)
	out := make(map[civil]float64)
	for i, q := range s.column.Quality {
		day := civilOf(s.table.Start.Add(time.Duration(i) * s.Step))
		if q == district.Good {
			out[day] += 1 / perDay
		} else {
			out[day] += 0
		}
	}
	return out
}

// Series returns a quantity of the set by its column's name.
func (s *Set) Series(column string) (*Series, error) {
	if c, ok := s.columns[column]; ok {
		return c, nil
	}
	var names []string
	for n := range s.columns {
		names = append(names, n)
	}
	sort.Strings(names)
	return nil, fmt.Errorf("trace set %s: no column %q; there are %q", s.Name, column, names)
}

// SourceDay returns the recorded day, as midnight UTC of its date, from which a day of the demonstration is taken: the same weekday, the
// nearest day of the year round its turn, the earlier in the year's circle on a tie, and of the same date in several years the first.
func (s *Set) SourceDay(day time.Time) time.Time {
	y, m, d := day.Date()
	return s.sourceDay(civilOf(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))).midnight()
}

func (s *Set) sourceDay(day civil) civil {
	w := day.midnight().Weekday()
	key := [4]int{int(w), int(day.m), day.d, 0}
	if c, ok := s.source[key]; ok {
		return c
	}
	best, bestDist := civil{}, math.Inf(1)
	for _, c := range s.byWeek[w] {
		d := circular(c, day)
		dist := math.Abs(d)
		if d > 0 {
			dist += 0.25 // the later of two equally near days yields
		}
		if dist < bestDist {
			best, bestDist = c, dist
		}
	}
	s.source[key] = best
	return best
}

// circular is by how many days of the year a lies after b, in (-183, 183], both laid on a year of 365 days where 29 February is 28.5.
func circular(a, b civil) float64 {
	d := a.position() - b.position()
	for d > 182.5 {
		d -= 365
	}
	for d <= -182.5 {
		d += 365
	}
	return d
}

func (c civil) position() float64 {
	if c.m == time.February && c.d == 29 {
		return 59.5
	}
	return float64(time.Date(2001, c.m, c.d, 0, 0, 0, 0, time.UTC).YearDay())
}

// Place is where and by which clock a demonstration runs.
type Place struct {
	Latitude, Longitude float64
	Zone                *time.Location
}

// Moment is an instant of a demonstration brought into a set: the instants to look up for what follows the clock and for what follows
// the sun. It is computed once per instant and set.
type Moment struct {
	Clock, Sun time.Time // true instants of the source place, UTC
	Day        time.Time // source day, midnight UTC of its date
}

// Moment maps an instant of the demonstration.
func (s *Set) Moment(t time.Time, p Place) Moment {
	local := t.In(p.Zone)
	y, m, d := local.Date()
	target := civil{y: y, m: m, d: d}
	src := s.sourceDay(target)
	h, min, sec := local.Clock()
	mo := Moment{Day: src.midnight()}
	mo.Clock = time.Date(src.y, src.m, src.d, h, min, sec, local.Nanosecond(), s.ClockZone).UTC()
	sinceMidnight := t.UTC().Add(solar(p.Longitude)).Sub(target.midnight())
	mo.Sun = mo.Day.Add(sinceMidnight).Add(-solar(s.Longitude))
	return mo
}

// solar is how far mean solar time at a longitude is ahead of UTC.
func solar(longitude float64) time.Duration {
	return time.Duration(longitude / 15 * float64(time.Hour))
}

// position returns the slot index of the moment with its fraction.
func (s *Series) position(m Moment) float64 {
	at := m.Clock
	if s.Follow == Sun {
		at = m.Sun
	}
	_, off := at.In(s.zone).Zone()
	stamp := at.Add(time.Duration(off)*time.Second + s.shift)
	return float64(stamp.Sub(s.table.Start)) / float64(s.Step)
}

// At returns the recorded value of the slot that holds the moment, the nearest end of the recording beyond it.
func (s *Series) At(m Moment) (float64, district.Quality) {
	i := s.clamp(int(math.Floor(s.position(m))))
	return s.column.Values[i], s.column.Quality[i]
}

// Slot returns the number of the slot that holds the moment and how far into it the moment is, in [0, 1).
func (s *Series) Slot(m Moment) (int, float64) {
	x := s.position(m)
	i := math.Floor(x)
	return s.clamp(int(i)), x - i
}

// Between returns the value interpolated linearly between the middles of the slots: what sky and weather do between two recorded means.
func (s *Series) Between(m Moment) (float64, district.Quality) {
	x := s.position(m) - 0.5
	i := math.Floor(x)
	a, b := s.clamp(int(i)), s.clamp(int(i)+1)
	f := x - i
	q := s.column.Quality[a]
	if s.column.Quality[b] != district.Good {
		q = s.column.Quality[b]
	}
	return s.column.Values[a]*(1-f) + s.column.Values[b]*f, q
}

func (s *Series) clamp(i int) int {
	return max(0, min(i, len(s.column.Values)-1))
}

// Mean returns the mean of the recorded (good) values and how many there are.
func (s *Series) Mean() (float64, int) {
	sum, n := 0.0, 0
	for i, v := range s.column.Values {
		if s.column.Quality[i] == district.Good {
			sum += v
			n++
		}
	}
	if n == 0 {
		return 0, 0
	}
	return sum / float64(n), n
}

// MonthlyMeans returns the mean of the recorded values by month of the stamps, and whether every month has one.
func (s *Series) MonthlyMeans() (means [12]float64, complete bool) {
	var n [12]float64
	for i, v := range s.column.Values {
		if s.column.Quality[i] == district.Good {
			m := s.table.Start.Add(time.Duration(i)*s.Step).Month() - 1
			means[m] += v
			n[m]++
		}
	}
	complete = true
	for m := range means {
		if n[m] == 0 {
			complete = false
			continue
		}
		means[m] /= n[m]
	}
	return means, complete
}

// DayMean returns the mean over a source day of the stamps, and whether it lies in the recording.
func (s *Series) DayMean(day time.Time) (float64, bool) {
	i := int(day.Sub(s.table.Start) / s.Step)
	n := int(24 * time.Hour / s.Step)
	if i < 0 || i+n > len(s.column.Values) {
		return 0, false
	}
	sum := 0.0
	for _, v := range s.column.Values[i : i+n] {
		sum += v
	}
	return sum / float64(n), true
}
