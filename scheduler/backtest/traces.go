package backtest

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"quartier/optimizer/storage"
)

// Traces reads a folder of our own form, each file also as .csv.gz:
//
//	sites.csv    time,SITE.load_kw,SITE.sun_kw,…          mean powers of the step that begins at time
//	prices.csv   time,import_price,carbon_kg_per_kwh      the carbon column may be left out
//	stores.csv   site,capacity_kwh,charge_kw,discharge_kw,charge_efficiency,discharge_efficiency,loss_per_hour
//
// and, for devices that are controlled, whose electricity is then not in load_kw, any of
//
//	tanks.csv     site,volume_l,heater_kw,cop,min_c,max_c,loss_per_hour    hot water, with SITE.draw_kw in sites.csv: heat drawn at the tap
//	rooms.csv     site,capacity_kwh_per_k,resistance_k_per_kw,heat_pump_kw,cop_at_7c,cop_per_k,min_c,max_c
//	              buildings as one thermal mass, with SITE.gains_kw in sites.csv (heat of sun and people; may be left out) and weather.csv
//	comfort.csv   hour,SITE.min_c,SITE.max_c                               the band of rooms by hour of the day, 0 to 23, in place of that of rooms.csv
//	weather.csv   time,outdoor_c
//	sessions.csv  site,arrival,departure,energy_kwh,max_kw                 cars: the energy is metered at the charging point
//
// A tank's loss is a share of its heat above mains water of 12 °C; its cop is 1 of a heating element. Powers are means of a slot, so that a heater or charger on for a part of it needs no
// least power. Cars are taken to be there in the whole slots of their stay.
//
// Times are 2026-01-31T13:00 of a clock without changes, one step apart without a gap; lines that begin with # are remarks. An empty cell is taken from the day before, and
// counted in the notes. Faults are one error each, with file, line and value.
func Traces(dir fs.FS, name string) (*Case, error) {
	l := &loader{dir: dir, c: &Case{Name: name}}
	sites, prices, stores := l.own("sites.csv"), l.own("prices.csv"), l.optional("stores.csv")
	if stores == nil && !slices.ContainsFunc([]string{"tanks.csv", "rooms.csv", "sessions.csv"}, l.has) {
		stores = l.own("stores.csv") // nothing else is controlled, and its fault is told
	}
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	l.times(sites)
	if l.c.Step <= 0 {
		return nil, errors.Join(l.errs...)
	}
	for _, h := range sites.header[1:] {
		id, what, ok := strings.Cut(h, ".")
		if ok && (what == "draw_kw" || what == "gains_kw") {
			l.site(id, len(sites.rows))
			continue // with the devices
		}
		if !ok || what != "load_kw" && what != "sun_kw" {
			l.fault("%s:1: column %q is neither SITE.load_kw nor SITE.sun_kw, nor SITE.draw_kw of a tank or SITE.gains_kw of rooms", sites.name, h)
			continue
		}
		s := l.site(id, len(sites.rows))
		if v := l.filled(sites, h, 0); what == "load_kw" {
			s.LoadKW = v
		} else {
			s.SunKW = v
		}
	}
	l.aligned(prices, sites)
	l.c.ImportPrice = l.filled(prices, "import_price", math.Inf(-1))
	if prices.at("carbon_kg_per_kwh") >= 0 {
		l.c.Carbon = l.filled(prices, "carbon_kg_per_kwh", 0)
	} else {
		l.c.Carbon = make([]float64, len(prices.rows))
		l.note("there is no carbon intensity: 0 is taken")
	}
	if stores != nil {
		l.stores(stores)
	}
	l.flexible(sites)
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return l.c, l.c.Validate()
}

func (l *loader) site(id string, n int) *Site {
	for i := range l.c.Sites {
		if l.c.Sites[i].ID == id {
			return &l.c.Sites[i]
		}
	}
	l.c.Sites = append(l.c.Sites, Site{ID: id, LoadKW: make([]float64, n), SunKW: make([]float64, n)})
	return &l.c.Sites[len(l.c.Sites)-1]
}

// own reads one of our files.
func (l *loader) own(name string) *table {
	var r io.Reader
	f, err := l.dir.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		if z, err2 := l.dir.Open(name + ".gz"); err2 == nil {
			f, err, name = z, nil, name+".gz"
		}
	}
	if err != nil {
		l.fault("%w", err)
		return nil
	}
	defer f.Close()
	r = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			l.fault("%s: %w", name, err)
			return nil
		}
	}
	c := csv.NewReader(r)
	c.Comment = '#'
	return l.parse(name, c)
}

// timeForm is how times are written.
const timeForm = "2006-01-02T15:04"

func parseTime(text string) (time.Time, error) {
	return time.Parse(timeForm, strings.TrimSuffix(text, "Z"))
}

// times finds start and step.
func (l *loader) times(t *table) {
	last := time.Time{}
	for i, row := range t.rows {
		at, err := parseTime(row[0])
		switch {
		case err != nil:
			l.fault("%s: row %d: %q is no time such as 2026-01-31T13:00", t.name, i+1, row[0])
			return
		case i == 0:
			l.c.Start = at
		case i == 1:
			l.c.Step = at.Sub(last)
		}
		if i > 0 && (at.Sub(last) != l.c.Step || l.c.Step <= 0) {
			l.fault("%s: row %d: %s does not follow %s by a step of %v", t.name, i+1, row[0], last.Format(timeForm), l.c.Step)
			l.c.Step = 0
			return
		}
		last = at
	}
	if l.c.Step <= 0 {
		l.fault("%s: there are fewer than two rows", t.name)
	}
}

// filled reads a column; an empty cell has the value of the day before.
func (l *loader) filled(t *table, name string, least float64) []float64 {
	at := t.at(name)
	v := l.column(t, name, least)
	perDay, gaps := int(24*time.Hour/l.c.Step), 0
	for i := range v {
		if t.rows[i][at] == "" {
			gaps++
			if i >= perDay {
				v[i] = v[i-perDay]
			}
		}
	}
	if gaps > 0 {
		l.note("%s: %d of %d values are missing and taken from the day before", name, gaps, len(v))
	}
	return v
}

func (l *loader) stores(t *table) {
	keys := []string{"capacity_kwh", "charge_kw", "discharge_kw", "charge_efficiency", "discharge_efficiency", "loss_per_hour"}
	if t.at("site") < 0 {
		l.fault("%s: there is no column site", t.name)
		return
	}
	for i, row := range t.rows {
		id := row[t.at("site")]
		s := l.known(id)
		if s == nil {
			l.fault("%s: row %d: there is no site %q in sites.csv", t.name, i+1, id)
			continue
		}
		v := make([]float64, len(keys))
		for k, key := range keys {
			at := t.at(key)
			if at < 0 && key == "loss_per_hour" {
				continue
			}
			x, err := 0.0, errors.New("missing")
			if at >= 0 {
				x, err = strconv.ParseFloat(row[at], 64)
			}
			if err != nil {
				l.fault("%s: row %d: %s of %s is missing or no number", t.name, i+1, key, id)
			}
			v[k] = x
		}
		if s.Store != nil {
			l.fault("%s: row %d: site %s has a store already", t.name, i+1, id)
		}
		s.Store = &storage.Store{CapacityKWh: v[0], ChargeKW: v[1], DischargeKW: v[2], ChargeEfficiency: v[3], DischargeEfficiency: v[4], LossPerHour: v[5]}
	}
}
