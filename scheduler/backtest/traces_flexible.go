package backtest

import (
	"errors"
	"io/fs"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"quartier/scheduler/devices"
	"quartier/schemas/district"
)

// waterKWhPerLK is the heat that warms a litre of water by 1 K.
const waterKWhPerLK = 1.163e-3

// flexible reads the files of flexible devices that are there.
func (l *loader) flexible(sites *table) {
	if t := l.optional("weather.csv"); t != nil {
		l.aligned(t, sites)
		l.c.OutdoorC = l.filled(t, "outdoor_c", math.Inf(-1))
	}
	if t := l.optional("tanks.csv"); t != nil {
		l.each(t, []string{"volume_l", "heater_kw", "cop", "min_c", "max_c", "loss_per_hour"}, func(row int, s *Site, v []float64) {
			if s.Tank != nil {
				l.fault("%s: row %d: site %s has a tank already", t.name, row, s.ID)
				return
			}
			s.Tank = &Tank{COP: v[2], Heater: district.WaterHeaterParams{VolumeL: v[0], MaxKW: v[1], MinC: v[3], MaxC: v[4], LossPerHour: v[5],
				CapacityKWh: v[0] * waterKWhPerLK * (v[4] - devices.ColdWaterC)}}
			s.Tank.DrawKW = l.filled(sites, s.ID+".draw_kw", 0)
		})
	}
	if t := l.optional("rooms.csv"); t != nil {
		l.each(t, []string{"capacity_kwh_per_k", "resistance_k_per_kw", "heat_pump_kw", "cop_at_7c", "cop_per_k", "min_c", "max_c"}, func(row int, s *Site, v []float64) {
			if s.Room != nil {
				l.fault("%s: row %d: site %s has rooms already", t.name, row, s.ID)
				return
			}
			s.Room = &Room{Pump: district.HeatPumpParams{CapacityKWhPerK: v[0], ResistanceKPerKW: v[1], MaxKW: v[2], COPNominal: v[3], COPPerK: v[4], MinC: v[5], MaxC: v[6]},
				GainsKW: make([]float64, len(sites.rows))}
			for h := range s.Room.MinC {
				s.Room.MinC[h], s.Room.MaxC[h] = v[5], v[6]
			}
			if sites.at(s.ID+".gains_kw") >= 0 {
				s.Room.GainsKW = l.filled(sites, s.ID+".gains_kw", math.Inf(-1))
			}
		})
	}
	if t := l.optional("comfort.csv"); t != nil {
		l.comfort(t)
	}
	if t := l.optional("sessions.csv"); t != nil {
		l.sessions(t)
	}
	for i := range l.c.Sites {
		s := &l.c.Sites[i]
		if s.Tank == nil && sites.at(s.ID+".draw_kw") >= 0 {
			l.fault("%s:1: column %s.draw_kw is of a site without a tank in tanks.csv", sites.name, s.ID)
		}
		if s.Room == nil && sites.at(s.ID+".gains_kw") >= 0 {
			l.fault("%s:1: column %s.gains_kw is of a site without rooms in rooms.csv", sites.name, s.ID)
		}
	}
}

// optional reads one of our files; nil where there is none.
func (l *loader) optional(name string) *table {
	if !l.has(name) {
		return nil
	}
	return l.own(name)
}

func (l *loader) has(name string) bool {
	for _, n := range []string{name, name + ".gz"} {
		if _, err := fs.Stat(l.dir, n); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// aligned says that a table has not the times of the sites.
func (l *loader) aligned(t, sites *table) {
	if len(t.rows) != len(sites.rows) || t.rows[0][0] != sites.rows[0][0] {
		l.fault("%s has %d rows from %s, %s has %d from %s", t.name, len(t.rows), t.rows[0][0], sites.name, len(sites.rows), sites.rows[0][0])
	}
}

// each reads rows of a site and numbers, none of which may be missing.
func (l *loader) each(t *table, keys []string, take func(row int, s *Site, v []float64)) {
	for _, k := range append([]string{"site"}, keys...) {
		if t.at(k) < 0 {
			l.fault("%s: there is no column %s", t.name, k)
			return
		}
	}
	for i, row := range t.rows {
		s := l.known(row[t.at("site")])
		if s == nil {
			l.fault("%s: row %d: there is no site %q in sites.csv", t.name, i+1, row[t.at("site")])
			continue
		}
		v, ok := make([]float64, len(keys)), true
		for k, key := range keys {
			x, err := strconv.ParseFloat(row[t.at(key)], 64)
			if err != nil {
				l.fault("%s: row %d: %s of %s is %q, no number", t.name, i+1, key, s.ID, row[t.at(key)])
				ok = false
			}
			v[k] = x
		}
		if ok {
			take(i+1, s, v)
		}
	}
}

// known is a site of sites.csv; nil where it is not there.
func (l *loader) known(id string) *Site {
	for i := range l.c.Sites {
		if l.c.Sites[i].ID == id {
			return &l.c.Sites[i]
		}
	}
	return nil
}

// comfort reads the comfort bands by the hour of the day.
func (l *loader) comfort(t *table) {
	if len(t.rows) != 24 || t.header[0] != "hour" {
		l.fault("%s: %d rows and a first column %q, want 24 of hour", t.name, len(t.rows), t.header[0])
		return
	}
	for h, row := range t.rows {
		if row[0] != strconv.Itoa(h) {
			l.fault("%s: row %d: hour %q, want %d", t.name, h+1, row[0], h)
			return
		}
	}
	for _, name := range t.header[1:] {
		id, what, _ := strings.Cut(name, ".")
		s := l.known(id)
		if s == nil || s.Room == nil || what != "min_c" && what != "max_c" {
			l.fault("%s:1: column %q is neither SITE.min_c nor SITE.max_c of a site with rooms", t.name, name)
			continue
		}
		band := &s.Room.MinC
		if what == "max_c" {
			band = &s.Room.MaxC
		}
		for h, row := range t.rows {
			v, err := strconv.ParseFloat(row[t.at(name)], 64)
			if err != nil {
				l.fault("%s: row %d: %s is %q, no number", t.name, h+1, name, row[t.at(name)])
				break
			}
			band[h] = v
		}
	}
}

// sessions reads the stays of cars: a stay counts from the first slot that begins with the car there to the last that ends with it.
func (l *loader) sessions(t *table) {
	type stay struct {
		s  *Site
		kw float64
		Session
	}
	for _, k := range []string{"arrival", "departure"} {
		if t.at(k) < 0 {
			l.fault("%s: there is no column %s", t.name, k)
			return
		}
	}
	n := l.c.Steps()
	var all []stay
	outside, short, lost := 0, 0, 0.0
	l.each(t, []string{"energy_kwh", "max_kw"}, func(row int, s *Site, v []float64) {
		if !(v[0] >= 0) || !(v[1] > 0) || math.IsInf(v[0], 0) || math.IsInf(v[1], 0) {
			l.fault("%s: row %d: energy_kwh %g and max_kw %g, want 0 or more and above 0", t.name, row, v[0], v[1])
			return
		}
		from, ok1 := l.instant(t, row, "arrival")
		to, ok2 := l.instant(t, row, "departure")
		if !ok1 || !ok2 {
			return
		}
		if !to.After(from) {
			l.fault("%s: row %d: departure %s is not after arrival %s", t.name, row, to.Format(timeForm), from.Format(timeForm))
			return
		}
		arrive := int(math.Ceil(float64(from.Sub(l.c.Start)) / float64(l.c.Step)))
		depart := int(math.Floor(float64(to.Sub(l.c.Start)) / float64(l.c.Step)))
		if arrive < 0 || depart > n {
			outside++
			return
		}
		if v[0] == 0 {
			return
		}
		most := v[1] * l.c.Hours() * float64(max(0, depart-arrive))
		if v[0] > most+1e-9 {
			short++
			lost += v[0] - most
			v[0] = most
		}
		if v[0] > 0 {
			all = append(all, stay{s, v[1], Session{arrive, depart, v[0]}})
		}
	})
	if outside > 0 {
		l.note("%s: %d sessions that do not begin and end within the data are left out", t.name, outside)
	}
	if short > 0 {
		l.note("%s: %d sessions want %.1f kWh more than max_kw gives in whole slots of their stay: that is left out", t.name, short, lost)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Arrive < all[j].Arrive })
	for _, one := range all {
		one.s.plug(one.kw, one.Session)
	}
}

// plug puts a car at the first charging point of its power that is free, or at a new one. Cars come by arrival.
func (s *Site) plug(kw float64, one Session) {
	for i := range s.Chargers {
		if p := &s.Chargers[i]; p.MaxKW == kw && p.Sessions[len(p.Sessions)-1].Depart <= one.Arrive {
			p.Sessions = append(p.Sessions, one)
			return
		}
	}
	s.Chargers = append(s.Chargers, Charger{MaxKW: kw, Sessions: []Session{one}})
}

// instant reads a time of a row.
func (l *loader) instant(t *table, row int, name string) (time.Time, bool) {
	text := t.rows[row-1][t.at(name)]
	at, err := parseTime(text)
	if err != nil {
		l.fault("%s: row %d: %s %q is no time such as 2026-01-31T13:00", t.name, row, name, text)
	}
	return at, err == nil
}
