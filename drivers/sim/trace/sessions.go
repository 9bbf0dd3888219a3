package trace

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Session is one stay of a car at a charging point.
type Session struct {
	PlugIn, PlugOut time.Time // UTC
	EnergyKWh       float64   // delivered to the car
}

// ParseSessions reads charging sessions by user: columns user, plug_in_utc, plug_out_utc, energy_kwh in any order; lines that begin with #
// are remarks. A line that cannot be read, or whose stay is not positive or longer than ten days, or whose energy is not in (0, 200] kWh, is
// left out and reported. Each user's sessions come in order and do not overlap: one that begins before the last has ended is left out.
func ParseSessions(name string, data []byte) (map[string][]Session, []Fault, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comment = '#'
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("sessions %s: header: %w", name, err)
	}
	at := map[string]int{}
	for i, h := range header {
		at[strings.TrimSpace(h)] = i
	}
	want := []string{"user", "plug_in_utc", "plug_out_utc", "energy_kwh"}
	for _, w := range want {
		if _, ok := at[w]; !ok {
			return nil, nil, fmt.Errorf("sessions %s: no column %s", name, w)
		}
	}
	p := parser{name: name}
	out := make(map[string][]Session)
	for {
		rec, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			line := 0
			if pe, ok := errors.AsType[*csv.ParseError](err); ok {
				line = pe.Line
			}
			p.fault(line, line, "", "%v; left out", err)
			continue
		}
		line, _ := r.FieldPos(0)
		s, user, err := parseSession(rec, at)
		if err != nil {
			p.fault(line, line, "", "%v; left out", err)
			continue
		}
		out[user] = append(out[user], s)
	}
	if len(out) == 0 {
		return nil, p.faults, fmt.Errorf("sessions %s: no readable session", name)
	}
	for user, list := range out {
		sort.SliceStable(list, func(i, j int) bool { return list[i].PlugIn.Before(list[j].PlugIn) })
		kept := list[:0]
		for _, s := range list {
			if n := len(kept); n > 0 && s.PlugIn.Before(kept[n-1].PlugOut) {
				continue
			}
			kept = append(kept, s)
		}
		out[user] = kept
	}
	return out, p.faults, nil
}

func parseSession(rec []string, at map[string]int) (Session, string, error) {
	get := func(name string) string {
		if i := at[name]; i < len(rec) {
			return strings.TrimSpace(rec[i])
		}
		return ""
	}
	user := strings.Clone(get("user"))
	if user == "" {
		return Session{}, "", fmt.Errorf("no user")
	}
	in, err := parseStamp(get("plug_in_utc"))
	if err != nil {
		return Session{}, "", fmt.Errorf("plug_in_utc: %w", err)
	}
	out, err := parseStamp(get("plug_out_utc"))
	if err != nil {
		return Session{}, "", fmt.Errorf("plug_out_utc: %w", err)
	}
	if d := out.Sub(in); d <= 0 || d > 240*time.Hour {
		return Session{}, "", fmt.Errorf("stay of %v, want above zero and up to 240 h", d)
	}
	e, err := strconv.ParseFloat(get("energy_kwh"), 64)
	if err != nil || math.IsNaN(e) || e <= 0 || e > 200 {
		return Session{}, "", fmt.Errorf("energy_kwh %.40q, want a number in (0, 200] kWh", get("energy_kwh"))
	}
	return Session{in, out, e}, user, nil
}

// Sessions returns the recorded charging sessions of a user of set norway12.
func (l *Library) Sessions(user string) ([]Session, error) {
	if l.sessions == nil {
		f, err := l.fsys.Open(sessionsIn)
		if err != nil {
			return nil, fmt.Errorf("open sessions: %w", err)
		}
		defer func() { _ = f.Close() }()
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("unpack sessions %s: %w", sessionsIn, err)
		}
		data, err := io.ReadAll(io.LimitReader(z, maxBytes))
		if err != nil {
			return nil, fmt.Errorf("read sessions %s: %w", sessionsIn, err)
		}
		sessions, faults, err := ParseSessions(sessionsIn, data)
		if err != nil {
			return nil, err
		}
		l.sessions = sessions
		l.faults = append(l.faults, faults...)
	}
	s, ok := l.sessions[user]
	if !ok {
		var users []string
		for u := range l.sessions {
			users = append(users, u)
		}
		sort.Strings(users)
		return nil, fmt.Errorf("sessions %s: no user %q; there are %q", sessionsIn, user, users)
	}
	return s, nil
}

// oslo is the clock by which the recorded drivers lived.
var oslo = zone("Europe/Oslo")

// Stays re-dates the sessions of several recorded drivers to one charging point over the days that touch [from, to). A day of the
// demonstration takes the sessions that began on its source day, the day of the recorded year (March 2019 to February 2020) with the same
// weekday and the nearest day of the year, at the same clock time and with the same length. Drivers are merged; a car that would arrive
// while another stands there is turned away, and one that leaves within five minutes of the next arrival leaves before it.
func Stays(drivers [][]Session, from, to time.Time, zone *time.Location) []Session {
	type key struct {
		y int
		m time.Month
		d int
	}
	byDay := make(map[key][]Session)
	for _, list := range drivers {
		for _, s := range list {
			y, m, d := s.PlugIn.In(oslo).Date()
			byDay[key{y, m, d}] = append(byDay[key{y, m, d}], s)
		}
	}
	var out []Session
	begin := from.In(zone).AddDate(0, 0, -10) // a stay of up to ten days may reach into the span
	y, m, d := begin.Date()
	for day := time.Date(y, m, d, 12, 0, 0, 0, zone); day.Before(to.AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
		src := yearDay(day)
		y, m, d := src.Date()
		for _, s := range byDay[key{y, m, d}] {
			h, min, sec := s.PlugIn.In(oslo).Clock()
			in := time.Date(day.Year(), day.Month(), day.Day(), h, min, sec, 0, zone).UTC()
			out = append(out, Session{in, in.Add(s.PlugOut.Sub(s.PlugIn)), s.EnergyKWh})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].PlugIn.Before(out[j].PlugIn) })
	kept := out[:0]
	for _, s := range out {
		if n := len(kept); n > 0 && s.PlugIn.Before(kept[n-1].PlugOut.Add(5*time.Minute)) {
			continue
		}
		kept = append(kept, s)
	}
	var in []Session
	for _, s := range kept {
		if s.PlugOut.After(from) && s.PlugIn.Before(to) {
			in = append(in, s)
		}
	}
	return in
}

// yearDay returns the day of 1 March 2019 to 29 February 2020 with the same weekday and the nearest day of the year.
func yearDay(day time.Time) time.Time {
	y, m, d := day.Date()
	target := civilOf(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
	year := 2019
	if target.m < time.March {
		year = 2020
	}
	base := time.Date(year, target.m, target.d, 0, 0, 0, 0, time.UTC)
	diff := (int(target.midnight().Weekday()) - int(base.Weekday()) + 7) % 7 // days forward to the weekday
	if diff > 3 {
		diff -= 7
	}
	return base.AddDate(0, 0, diff)
}
