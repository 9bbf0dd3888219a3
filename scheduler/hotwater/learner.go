package hotwater

import (
	"math"
	"slices"
	"time"

	"quartier/scheduler/devices"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// KeepDays is how many days of measurements a [Learner] learns from, and looks back for at most.
const KeepDays = 42

// beyondK is by how much a tank may be warmer than its highest temperature, K: another source heats it, or its sensor sits at the top.
const beyondK = 20

// Learner learns a tank from what is measured of it, slot by slot. Its methods are not safe for use by several goroutines at once.
type Learner struct {
	stated  district.WaterHeaterParams
	zone    *time.Location
	steps   int
	m       Measured
	id      Identified
	draws   *Draws
	learned int // slots that the loss rests on
}

// NewLearner begins with a tank of which nothing was measured before start, to foresee up to so many steps ahead of the newest slot.
func NewLearner(stated *district.WaterHeaterParams, start time.Time, step time.Duration, steps int, zone *time.Location) *Learner {
	l := &Learner{stated: *stated, zone: zone, steps: max(steps, int(24*time.Hour/step)), m: Measured{Start: start, Step: step}}
	l.anew()
	return l
}

// End is the end of the newest slot that was taken.
func (l *Learner) End() time.Time {
	return l.m.Start.Add(time.Duration(len(l.m.TankC)) * l.m.Step)
}

// Take takes slots that follow on the newest one: the temperature at the end of each, °C, and the mean heat given by the heater, kW; NaN where that is not known. Both are equally long. It reports whether the tank
// was looked at anew, which is done once a day.
func (l *Learner) Take(tankC, heatKW []float64) (anew bool, err error) {
	if err := (Measured{Step: l.m.Step, TankC: tankC, HeatKW: heatKW}).Check(); err != nil || len(tankC) == 0 {
		return false, err
	}
	for i, c := range tankC {
		l.m.TankC, l.m.HeatKW = append(l.m.TankC, c), append(l.m.HeatKW, heatKW[i])
		l.believe(len(l.m.TankC) - 1)
	}
	if len(l.m.TankC)-l.learned >= l.perDay() {
		l.anew()
		return true, nil
	}
	l.id.balance(&l.stated, l.m)
	return false, nil
}

// believe strikes out a temperature that no tank has, as sensors give that are broken or begin: one out of range, or one that its heater cannot have led to or away from.
func (l *Learner) believe(i int) {
	c := l.m.TankC
	if !(c[i] > 0 && c[i] <= l.stated.MaxC+beyondK) {
		c[i] = math.NaN()
	}
	perK, most := devices.HeatPerK(&l.stated), devices.UsableKWh(&l.stated)/2
	if i == 0 || !(perK*(c[i]-c[i-1])-l.stated.MaxKW*l.m.Step.Hours() > most) {
		return
	}
	if i > 1 && perK*(c[i-2]-c[i-1]) > most {
		c[i-1] = math.NaN()
	} else {
		c[i] = math.NaN()
	}
}

// Due reports whether the tank is looked at anew once its slots up to now are taken.
func (l *Learner) Due(now time.Time) bool {
	return now.Sub(l.m.Start) >= time.Duration(l.learned+l.perDay())*l.m.Step
}

func (l *Learner) perDay() int { return int(24 * time.Hour / l.m.Step) }

// anew finds the loss of the tank and what was drawn with it. That is done once a day, since each value of the past changes with the loss.
func (l *Learner) anew() {
	if over := len(l.m.TankC) - KeepDays*l.perDay(); over > 0 {
		over = (over + l.perDay() - 1) / l.perDay() * l.perDay() // times of day stay where they are
		l.m.Start = l.m.Start.Add(time.Duration(over) * l.m.Step)
		l.m.TankC, l.m.HeatKW = slices.Clone(l.m.TankC[over:]), slices.Clone(l.m.HeatKW[over:])
	}
	l.id, _ = Identify(&l.stated, l.m, l.zone) // its form was checked
	l.draws = NewDraws(l.m.Step, l.steps, l.zone, l.stated.CapacityKWh)
	l.learned = len(l.m.TankC)
}

// Identified is what is known of the tank.
func (l *Learner) Identified() Identified { return l.id }

// Params is the tank as it is stated, with the loss that it was found to have.
func (l *Learner) Params() *district.WaterHeaterParams {
	w := l.stated
	w.LossPerHour = l.id.LossPerHour
	return &w
}

// Drawn is what was drawn from the tank, NaN where that is not known.
func (l *Learner) Drawn() timegrid.Series {
	return timegrid.Series{Start: l.m.Start, Step: l.m.Step, Values: l.id.DrawKW}
}

// Foresee is the expected draw of n slots from one on that begins at from, kW. Beyond what it foresees it goes on as a day before; slots before [Learner.End], as after a clock was set back, are taken to be as the first one after it.
func (l *Learner) Foresee(from time.Time, n int) []float64 {
	ahead := l.draws.Forecast(l.Drawn())
	skip := int(from.Sub(l.End()) / l.m.Step)
	out := make([]float64, n)
	for k := range out {
		at := max(0, k+skip)
		for at >= len(ahead) {
			at -= l.perDay()
		}
		if at >= 0 {
			out[k] = math.Max(0, ahead[at])
		}
	}
	return out
}
