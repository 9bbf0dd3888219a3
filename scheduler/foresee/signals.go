package foresee

import (
	"math"
	"time"

	"quartier/optimizer/forecast"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// learnedHours is of how many of the last hours a series that is foreseen without anybody who says anything learns how wrong that would have been, when it is first heard of.
const learnedHours = 14 * 24

// Heard is a series of which somebody says something ahead.
type Heard struct {
	Key
	Came     timegrid.Series         // what came of it until its end; what is known already is not looked at
	Said     forecast.Said           // from there on
	Settings forecast.JudgedSettings // Step, Zone and Count are those of the district
	// Spent reports that no more is to be learned now; nil: all is. A series that is foreseen without anybody who says anything is learned a day of its past at a time, at least one; until it has caught up, what is said is expected of it, and
	// similar days where nothing is.
	Spent func() bool
}

// Hear takes what came of a series since, holds what was said of it against that, and says what is to be expected from the end of what came on, over as many slots as its settings say. The result is of use until the series is
// heard of again.
func (d *District) Hear(h Heard) *Judged {
	d.ears.Lock()
	defer d.ears.Unlock()
	h.Came.Step, h.Settings.Step, h.Settings.Zone = d.set.Step, d.set.Step, d.set.Zone
	j := d.catchUp(h)
	if was, ok := d.former[h.Key]; ok && j == d.signals[h.Key] && len(j.Past().Values) > 0 {
		delete(d.former, h.Key)
		d.restoreSignal(j, was)
	}
	d.mu.Lock()
	if d.state == nil {
		d.forgetErrors(j.End()) // nobody else does
	}
	d.mu.Unlock()
	return &Judged{d: d, key: h.Key, from: j.End(), said: j.Say(after(h.Said, max(0, int(j.End().Sub(h.Came.Span().End)/d.set.Step)))), telling: j.Telling()}
}

// catchUp returns what was learned of a series, with all that came of it. Where the record knows a day more of the past, or the clock was set back by more than what is known may be late, the past is taken anew, and what was said of late and
// how wrong that was goes on.
func (d *District) catchUp(h Heard) *forecast.Judged {
	end := h.Came.Span().End
	j, anew := d.signals[h.Key], d.lessons[h.Key]
	back := j != nil && j.End().Sub(end) > slack
	if anew != nil && anew.End().After(end) {
		anew = nil
	}
	if anew == nil && (j == nil || back || d.missed(j, h.Came) >= int(24*time.Hour/d.set.Step)) {
		set := h.Settings
		set.Count = func(slot time.Time, o forecast.Outcome) { d.countOutcome(h.Key, slot, o) }
		anew = forecast.NewJudged(h.Came.Start, set)
	}
	if anew != nil && !d.teach(anew, h) {
		d.lessons[h.Key] = anew
		if j == nil || back {
			set := h.Settings
			set.Own = false
			j = forecast.NewJudged(h.Came.Start, set) // of this plan alone
		}
	} else if anew != nil {
		if j != nil {
			_, _ = anew.RestoreState(j.AppendState(nil)) // it is of the same settings
		}
		j, d.signals[h.Key] = anew, anew
		delete(d.lessons, h.Key)
	}
	d.take(j, h.Came)
	return j
}

// teach has a new series learn its past, and reports whether it has.
func (d *District) teach(j *forecast.Judged, h Heard) bool {
	if !h.Settings.Own {
		d.take(j, h.Came)
		return true
	}
	end, day := h.Came.Span().End, 24*time.Hour
	learn := end.Add(-learnedHours * time.Hour) // from there on it learns how wrong it would have been
	d.take(j, timegrid.Series{Start: h.Came.Start, Step: d.set.Step})
	for some := false; j.End().Before(end); some = true {
		if some && h.Spent != nil && h.Spent() {
			return false
		}
		from := int(j.End().Sub(h.Came.Start) / d.set.Step)
		to := min(len(h.Came.Values), from+int(day/d.set.Step))
		if j.End().Before(learn) {
			to = min(to, int(learn.Sub(h.Came.Start)/d.set.Step))
			j.Take(h.Came.Values[from:to]...)
		} else {
			j.Learn(h.Came.Values[from:to]...)
		}
	}
	return true
}

// take takes what came since. What lies before it is a gap.
func (d *District) take(j *forecast.Judged, came timegrid.Series) {
	for skip := int(came.Start.Sub(j.End()) / d.set.Step); skip > 0; skip-- { // nobody was there
		j.Take(math.NaN())
	}
	if from := int(j.End().Sub(came.Start) / d.set.Step); from < len(came.Values) {
		j.Take(came.Values[from:]...)
	}
}

// after is what is said without its first slots.
func after(said forecast.Said, slots int) forecast.Said {
	return forecast.Said{Mean: said.Mean[min(slots, len(said.Mean)):], Settled: said.Settled[min(slots, len(said.Settled)):], Firm: said.Firm[min(slots, len(said.Firm)):]}
}

// missed is how many slots that came are not known of the past that is looked at: gaps in it, and what lies before it.
func (d *District) missed(j *forecast.Judged, came timegrid.Series) (n int) {
	past := j.Past()
	first, offset := int(j.Since().Sub(came.Start)/past.Step), int(came.Start.Sub(past.Start)/past.Step)
	for i := max(0, first); i < len(came.Values) && i+offset < len(past.Values); i++ {
		if at := i + offset; !math.IsNaN(came.Values[i]) && (at < 0 || math.IsNaN(past.Values[at])) {
			n++
		}
	}
	return n
}

// HeardUntil returns the end of what is known of a series to [District.Hear], and how much of its past is: zero before it was heard of.
func (d *District) HeardUntil(k Key) (end time.Time, known time.Duration) {
	d.ears.Lock()
	defer d.ears.Unlock()
	j := d.signals[k]
	if j == nil {
		return time.Time{}, 0
	}
	return j.End(), time.Duration(j.Known()) * d.set.Step
}

// countOutcome counts a forecast whose slot has come, unless the record did before a restart.
func (d *District) countOutcome(k Key, slot time.Time, o forecast.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	day := slot.Truncate(24 * time.Hour)
	if d.recount != nil && d.recount.counted(d, tallyKey{k, day.Unix(), int(o.Lead / time.Minute), false}) {
		return
	}
	e := d.count(k, o.Lead, day, false)
	e.Count++
	e.Absolute += math.Abs(o.Came - o.Mean)
	e.Persistence += math.Abs(o.Came - o.Plain)
	e.Measured += math.Abs(o.Came)
	e.Banded++
	if o.Came >= o.Low && o.Came <= o.High {
		e.Covered++
	}
	e.Pinball += (pinball(o.Came, o.Low, 0.1) + pinball(o.Came, o.Median, 0.5) + pinball(o.Came, o.High, 0.9)) / 3
}

// Judged is what is expected of a series.
type Judged struct {
	d       *District
	key     Key
	from    time.Time
	said    *forecast.Expected
	telling bool
}

// Telling reports whether it is nearer to what comes than to expect nothing, see [forecast.Judged.Telling].
func (j *Judged) Telling() bool { return j.telling }

// Foreseen is what is expected in steps slots from one on; beyond what is foreseen it goes on as a day before.
func (j *Judged) Foreseen(from time.Time, steps int) district.Foreseen {
	j.d.ears.Lock()
	defer j.d.ears.Unlock()
	f := district.Foreseen{Site: j.key.Site, Device: j.key.Device, Quantity: j.key.Quantity, SteppedBack: j.said.SteppedBack()}
	skip, day := int(from.Sub(j.from)/j.d.set.Step), int(24*time.Hour/j.d.set.Step)
	for t := range steps {
		i := max(0, t+skip)
		for i >= len(j.said.Mean) {
			i -= day
		}
		i = max(0, i)
		q := j.said.Band(i)
		f.Mean, f.Low, f.High = append(f.Mean, j.said.Mean[i]), append(f.Low, q[0]), append(f.High, q[outcomes-1])
	}
	return f
}

// Banded puts the bands of load and sun of sites and of the district's net power around what a plan rests on, which may have in it what is known beside, and says whether similar days were better of late.
func (d *District) Banded(list []district.Foreseen, from time.Time) []district.Foreseen {
	d.mu.Lock()
	defer d.mu.Unlock()
	worse := d.worse(from)
	for i := range list {
		list[i].SteppedBack = worse[Key{Site: list[i].Site, Quantity: list[i].Quantity}]
		d.band(&list[i], from)
	}
	return list
}

func (d *District) band(f *district.Foreseen, from time.Time) {
	if d.state == nil {
		return
	}
	k := Key{Site: f.Site, Quantity: f.Quantity}
	x, skip := d.state.series[k], int(from.Sub(d.state.end())/d.set.Step)
	if k == netKey {
		x = d.state.net
	}
	if x == nil || skip < 0 || skip+len(f.Mean) > len(x.ahead) || x.known < readyFor*int(24*time.Hour/d.set.Step) {
		return
	}
	var q [outcomes]float64
	hour := from.Truncate(time.Hour) // forecasts of full hours are kept
	for t, mean := range f.Mean {
		if x.spread != nil {
			if !x.spread.Errors(hour, t+int(from.Sub(hour)/d.set.Step), q[:]) {
				f.Low, f.High = nil, nil
				return
			}
		} else {
			for i := range q {
				q[i] = x.quantile[i][skip+t] - x.ahead[skip+t]
			}
		}
		f.Low, f.High = append(f.Low, mean+q[0]), append(f.High, mean+q[outcomes-1])
	}
}

const (
	backDays  = 14 // over which it is told whether similar days were better
	backLeast = 48 // forecasts at a lead that must have been held against what came
)

// worse tells of which series similar days foresaw more, over the last weeks, at most leads: then the blend of a series leans on what is like them.
func (d *District) worse(now time.Time) map[Key]bool {
	since := now.Add(-backDays * 24 * time.Hour).Unix()
	sums := map[Key]map[int]district.ForecastError{} // by lead
	for key, e := range d.tally {
		if key.day >= since {
			if sums[key.Key] == nil {
				sums[key.Key] = map[int]district.ForecastError{}
			}
			s := sums[key.Key][key.lead]
			s.Add(*e)
			sums[key.Key][key.lead] = s
		}
	}
	out := map[Key]bool{}
	for k, leads := range sums {
		back := 0
		for _, s := range leads {
			if s.Count >= backLeast && s.Absolute > s.Persistence {
				back++
			}
		}
		out[k] = 2*back > len(Leads)
	}
	return out
}
