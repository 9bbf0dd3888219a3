package building

import (
	"fmt"
	"math"
	"slices"
	"time"

	"quartier/scheduler/devices"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// KeepDays is how many days of measurements a [Learner] learns from, and looks back for at most.
const KeepDays = 42

const (
	// leastC and mostC are the coldest and the warmest rooms that are believed, °C, and jumpK what a quarter-hour changes at most.
	leastC, mostC, jumpK = 0, 45, 6
	// hotK is by how much rooms are warmer than they should ever be when windows are likely opened.
	hotK = 1.5
	// holdFor is for how long the temperature outside goes on where it is not known.
	holdFor = 2 * time.Hour
)

// Slot is what was measured of rooms in a slot; NaN where it is not known.
type Slot struct {
	IndoorC  float64 // at the end, °C
	PowerKW  float64 // electrical, of the heat pump, mean
	OutdoorC float64 // mean
	Sun      float64 // as a share of a full sun, mean
}

// Learner learns rooms from what is measured of them, slot by slot. Its methods are not safe for use by several goroutines at once.
type Learner struct {
	pump   district.HeatPumpParams
	stated Params
	zone   *time.Location
	m      Measured
	held   int // slots for which the temperature outside was held

	id      Identified
	before  Identified // the day before
	days    []judged
	trial   Trial
	dev     *deviations
	learned int  // slots that all that rests on
	sunny   bool // the sun was known in half of those of which the rooms are

	sunFrom time.Time // what is expected of the sun
	sun     []float64
}

// NewLearner begins with rooms of which nothing was measured before start, which is the begin of an hour. It refuses a heat pump whose rooms no plan can be made for.
func NewLearner(pump *district.HeatPumpParams, start time.Time, step time.Duration, zone *time.Location) (*Learner, error) {
	if !(pump.ResistanceKPerKW > 0) || !(pump.CapacityKWhPerK > 0) || !(pump.MaxKW > 0) || math.IsInf(pump.ResistanceKPerKW+pump.CapacityKWhPerK+pump.MaxKW, 1) {
		return nil, fmt.Errorf("building: a resistance of %g K/kW, a capacity of %g kWh/K and a pump of %g kW", pump.ResistanceKPerKW, pump.CapacityKWhPerK, pump.MaxKW)
	}
	if step <= 0 || time.Hour%step != 0 {
		return nil, fmt.Errorf("building: steps of %v do not make an hour", step)
	}
	l := &Learner{pump: *pump, stated: Stated(pump), zone: zone, m: Measured{Start: start, Step: step}}
	l.look()
	return l, nil
}

// End is the end of the newest slot that was taken.
func (l *Learner) End() time.Time {
	return l.m.Start.Add(time.Duration(len(l.m.IndoorC)) * l.m.Step)
}

// Due reports whether the rooms are looked at anew once their slots up to now are taken.
func (l *Learner) Due(now time.Time) bool {
	return now.Sub(l.m.Start) >= time.Duration(l.learned+l.m.perDay())*l.m.Step
}

// looks is on how many of the last days the rooms are looked at where many are new, as after a start: those over which it is weighed how far gains are followed, and two before them, since what is judged was identified two days before.
const looks = trustDays + 2

// Take takes slots that follow on the newest one. It reports whether the rooms were looked at anew, which is done once a day, and on no more of them than a trial needs.
func (l *Learner) Take(slots []Slot) (anew bool) {
	days := (len(l.m.IndoorC) - l.learned + len(slots)) / l.m.perDay()
	for _, s := range slots {
		l.add(s)
		if len(l.m.IndoorC)-l.learned < l.m.perDay() {
			continue
		}
		if days--; days >= looks {
			l.learned = len(l.m.IndoorC)
			continue
		}
		l.look()
		anew = true
	}
	if len(slots) > 0 && !anew {
		m := l.seen()
		l.dev.grow(l.id.Params, &m)
	}
	return anew
}

// add keeps a slot, but for what cannot be.
func (l *Learner) add(s Slot) {
	m := &l.m
	n := len(m.IndoorC)
	if math.IsNaN(s.OutdoorC) && n > 0 && time.Duration(l.held+1)*m.Step <= holdFor {
		s.OutdoorC = m.OutdoorC[n-1]
		l.held++
	} else {
		l.held = 0
	}
	if !(s.IndoorC > leastC && s.IndoorC < mostC) {
		s.IndoorC = math.NaN()
	}
	if n > 0 && math.Abs(s.IndoorC-m.IndoorC[n-1]) > jumpK {
		s.IndoorC = math.NaN() // nothing follows on what cannot be, and what comes after stands alone
	}
	if !(s.OutdoorC > -60 && s.OutdoorC < 60) {
		s.OutdoorC = math.NaN()
	}
	s.Sun = math.Max(0, math.Min(1.5, s.Sun))
	heat := math.Max(0, s.PowerKW) * devices.COP(&l.pump, s.OutdoorC)
	if s.PowerKW > 2*l.pump.MaxKW {
		heat = math.NaN()
	}
	m.IndoorC, m.HeatKW, m.OutdoorC, m.Sun = append(m.IndoorC, s.IndoorC), append(m.HeatKW, heat), append(m.OutdoorC, s.OutdoorC), append(m.Sun, s.Sun)
}

// heatKW is the heat of the pump at full power on a mild day.
func (l *Learner) heatKW() float64 { return l.pump.MaxKW * math.Max(1, l.pump.COPNominal) }

func (l *Learner) hotC() float64 { return l.pump.MaxC + hotK }

// look judges what was identified before by what came since, and identifies anew. That is done once a day.
func (l *Learner) look() {
	perDay := l.m.perDay()
	if over := len(l.m.IndoorC) - KeepDays*perDay; over > 0 {
		over = (over + perDay - 1) / perDay * perDay // times of day stay where they are
		l.m.Start = l.m.Start.Add(time.Duration(over) * l.m.Step)
		for _, s := range []*[]float64{&l.m.IndoorC, &l.m.HeatKW, &l.m.OutdoorC, &l.m.Sun} {
			*s = slices.Clone((*s)[over:])
		}
	}
	n, known, shone := len(l.m.IndoorC), 0, 0
	for i, v := range l.m.Sun {
		if math.IsNaN(l.m.IndoorC[i] + l.m.HeatKW[i]) {
			continue
		}
		if known++; !math.IsNaN(v) {
			shone++
		}
	}
	l.sunny = 2*shone > known
	m := l.seen()
	if l.before.Days >= leastDays {
		l.days = append(l.days, judge(l.stated, l.before.Params, &m, n-2*perDay, n-perDay, l.hotC(), l.trial.Trust, l.zone))
		if over := len(l.days) - KeepDays; over > 0 {
			l.days = slices.Delete(l.days, 0, over)
		}
		l.trial.conclude(l.days)
	}
	var begin *Params
	if l.id.Days >= leastDays {
		begin = &l.id.Params
	}
	l.before = l.id
	l.id, _ = Identify(l.stated, l.heatKW(), l.hotC(), &m, begin) // its form is ours
	l.dev = newDeviations(l.id.Params, &m, gainsAhead, l.zone)
	l.learned = n
}

// seen is what was measured, without the sun where that is not known for the most part.
func (l *Learner) seen() Measured {
	m := l.m
	if !l.sunny {
		m.Sun = make([]float64, len(m.IndoorC))
	}
	return m
}

// Identified is what is known of the rooms, whether a plan goes by it or not.
func (l *Learner) Identified() Identified { return l.id }

// Trial is how the rooms were foreseen of late, and by what a plan goes for that.
func (l *Learner) Trial() Trial { return l.trial }

// inUse are the parameters that a plan goes by.
func (l *Learner) inUse() Params {
	if l.trial.Use == AsStated {
		return l.stated
	}
	return l.id.Params
}

// Params is the heat pump as it is stated, with the rooms as a plan is to take them.
func (l *Learner) Params() *district.HeatPumpParams {
	h, p := l.pump, l.inUse()
	h.ResistanceKPerKW, h.CapacityKWhPerK, h.GainsKW = p.ResistanceKPerKW, p.CapacityKWhPerK, p.GainsKW
	return &h
}

// Expect says what is expected of the sun from a slot on, as a share of a full one. Beyond it, and where it is not known, no sun is expected.
func (l *Learner) Expect(from time.Time, sun []float64) { l.sunFrom, l.sun = from, sun }

// GainsKW are the gains that a plan is to take in n slots from one on that begins at from, not before [Learner.End]: as they are stated, or what people, the sun as it is expected and, where that proved itself, the usual course of a day are found to give.
func (l *Learner) GainsKW(from time.Time, n int) []float64 {
	p, out := l.inUse(), make([]float64, n)
	var ahead []float64
	if l.trial.Use == WithGains {
		ahead = l.dev.foresee(len(l.dev.past.Values))
	}
	end := l.m.Start.Add(time.Duration(len(l.dev.past.Values)) * time.Hour)
	for k := range out {
		at := from.Add(time.Duration(k) * l.m.Step)
		sun := 0.0
		if i := int(at.Sub(l.sunFrom) / l.m.Step); !l.sunFrom.IsZero() && !at.Before(l.sunFrom) && i < len(l.sun) && !math.IsNaN(l.sun[i]) {
			sun = math.Max(0, math.Min(1.5, l.sun[i]))
		}
		out[k] = p.usual(at.Add(l.m.Step/2), sun)
		if hour := int(at.Sub(end) / time.Hour); len(ahead) > 0 && hour >= 0 {
			for hour >= len(ahead) {
				hour -= 24
			}
			out[k] += l.trial.Trust * ahead[hour]
		}
		out[k] = math.Max(-l.heatKW(), math.Min(2*l.heatKW(), out[k]))
	}
	return out
}

// DemandKW is the heat, kW, 0 or more, that the pump would have to give in each of so many slots from start on, not before [Learner.End], to hold the rooms at their lowest comfortable temperature while it is outdoorC warm outside.
func (l *Learner) DemandKW(start time.Time, steps int, outdoorC []float64) []float64 {
	out := l.GainsKW(start, steps)
	r := l.inUse().ResistanceKPerKW
	for k := range out {
		out[k] = math.Max(0, (l.pump.MinC-outdoorC[k])/r-out[k])
	}
	return out
}

// demandHours is over how many hours, up to a slot, gains are measured for what was demanded in it: the steps of a sensor are heat too.
const demandHours = 3

// Demanded is what came of [Learner.DemandKW] in the slots that were taken, with the gains that were measured; NaN where that is not known. It changes, back to the begin, with the parameters that a plan goes by.
func (l *Learner) Demanded() timegrid.Series {
	m, p, per := l.seen(), l.inUse(), l.m.perHour()
	gains := p.Gains(&m)
	out := timegrid.Series{Start: m.Start, Step: m.Step, Values: make([]float64, len(m.IndoorC))}
	for i := range out.Values {
		sum, hour := 0.0, i/per
		for k := hour - demandHours + 1; k <= hour; k++ {
			if k < 0 || k >= len(gains) {
				sum = math.NaN()
				break
			}
			sum += gains[k] / demandHours
		}
		out.Values[i] = math.NaN()
		if !math.IsNaN(sum) {
			out.Values[i] = math.Max(0, (l.pump.MinC-m.OutdoorC[i])/p.ResistanceKPerKW-sum)
		}
	}
	return out
}
