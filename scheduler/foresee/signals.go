package foresee

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
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
}

// Hear takes what came of a series since, holds what was said of it against that, and says what is to be expected from the end of what came on, over as many slots as its settings say. The result is of use until the series is
// heard of again.
func (d *District) Hear(h Heard) *Judged {
	d.mu.Lock()
	defer d.mu.Unlock()
	j := d.signals[h.Key]
	var state []byte
	if j != nil && missed(j.Past(), h.Came) >= int(24*time.Hour/d.set.Step) { // the record knows more of the past now
		state, j = j.AppendState(nil), nil
	}
	if j == nil || j.End().After(h.Came.Span().End) { // the clock was set back
		set := h.Settings
		set.Step, set.Zone = d.set.Step, d.set.Zone
		set.Count = func(slot time.Time, o forecast.Outcome) { d.countOutcome(h.Key, slot, o) }
		j = forecast.NewJudged(h.Came.Start, set)
		if set.Own {
			teach := max(0, len(h.Came.Values)-learnedHours*int(time.Hour/d.set.Step))
			j.Take(h.Came.Values[:teach]...)
			j.Learn(h.Came.Values[teach:]...)
		}
		d.signals[h.Key] = j
		if state != nil {
			_, _ = j.RestoreState(state) // it is of the same settings
		}
	}
	for skip := int(h.Came.Start.Sub(j.End()) / d.set.Step); skip > 0; skip-- { // nobody was there
		j.Take(math.NaN())
	}
	if from := int(j.End().Sub(h.Came.Start) / d.set.Step); from < len(h.Came.Values) {
		j.Take(h.Came.Values[from:]...)
	}
	if was, ok := d.former[h.Key]; ok {
		delete(d.former, h.Key)
		_, _ = j.RestoreState(was) // what does not fit is learned anew
	}
	if d.state == nil {
		d.forgetErrors(j.End()) // nobody else does
	}
	return &Judged{d: d, key: h.Key, from: j.End(), said: j.Say(h.Said), telling: j.Telling()}
}

// missed is how many slots of a past are not known that came.
func missed(past, came timegrid.Series) (n int) {
	offset := int(came.Start.Sub(past.Start) / past.Step)
	for i, v := range came.Values {
		if at := i + offset; at >= 0 && at < len(past.Values) && math.IsNaN(past.Values[at]) && !math.IsNaN(v) {
			n++
		}
	}
	return n
}

// HeardUntil returns the end of what is known of a series to [District.Hear], and how much of its past is: zero before it was heard of.
func (d *District) HeardUntil(k Key) (end time.Time, known time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	j := d.signals[k]
	if j == nil {
		return time.Time{}, 0
	}
	for _, v := range j.Past().Values {
		if !math.IsNaN(v) {
			known += d.set.Step
		}
	}
	return j.End(), known
}

func (d *District) countOutcome(k Key, slot time.Time, o forecast.Outcome) {
	e := d.count(k, o.Lead, slot.Truncate(24*time.Hour), false)
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
	j.d.mu.Lock()
	defer j.d.mu.Unlock()
	f := district.Foreseen{Site: j.key.Site, Device: j.key.Device, Quantity: j.key.Quantity, SteppedBack: j.said.SteppedBack()}
	skip, day := max(0, int(from.Sub(j.from)/j.d.set.Step)), int(24*time.Hour/j.d.set.Step)
	for t := range steps {
		i := t + skip
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

// keptSignal is what was learned of a series that is heard of.
type keptSignal struct {
	Key   Key
	State []byte
}

// appendSignals writes what was learned of all of them.
func (d *District) appendSignals(out []byte) []byte {
	kept := []keptSignal{}
	for _, k := range slices.SortedFunc(maps.Keys(d.signals), compareKeys) {
		kept = append(kept, keptSignal{k, d.signals[k].AppendState(nil)})
	}
	body, err := json.Marshal(kept)
	if err != nil {
		panic(err) // strings and bytes alone
	}
	return append(out, body...)
}

func readSignals(body []byte) (kept []keptSignal, err error) {
	if err := json.Unmarshal(body, &kept); err != nil {
		return nil, fmt.Errorf("what was heard: %w", err)
	}
	return kept, nil
}

// restoreSignals takes up what appendSignals wrote: at once of the series that were heard of since the start.
func (d *District) restoreSignals(kept []keptSignal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range kept {
		if j := d.signals[s.Key]; j != nil {
			_, _ = j.RestoreState(s.State) // what does not fit is learned anew
		} else {
			d.former[s.Key] = s.State
		}
	}
}
