package building

import (
	"fmt"
	"math"
	"time"

	"quartier/schemas/district"
)

// Params are the rooms as one mass behind one resistance.
type Params struct {
	ResistanceKPerKW float64 // to the outside, above 0
	CapacityKWhPerK  float64 // above 0
	GainsKW          float64 // of people and appliances, mean
	SolarKW          float64 // of a full sun, 0 or more
	// DailyKW is how gains differ from the mean in the usual course of a day: by a swing of a day and one of half a day, each as cosine and sine of the time since midnight UTC. What air and walls of other temperatures
	// do to rooms that are heated by the same clock every day is in it as well.
	DailyKW [daily]float64
}

// daily is of how many parts the usual course of a day is.
const daily = 4

// Stated are the rooms as they are stated with a heat pump. What the sun gives them is not.
func Stated(h *district.HeatPumpParams) Params {
	return Params{ResistanceKPerKW: h.ResistanceKPerKW, CapacityKWhPerK: h.CapacityKWhPerK, GainsKW: h.GainsKW}
}

// TimeConstant is the time, hours, in which rooms without heat lose 63 % of what they are warmer than outside.
func (p Params) TimeConstant() float64 { return p.ResistanceKPerKW * p.CapacityKWhPerK }

// keep is the share of a difference of temperatures that is left after so many hours.
func (p Params) keep(hours float64) float64 { return math.Exp(-hours / p.TimeConstant()) }

// Measured is what was measured of rooms, slot by slot; all series are equally long, NaN where nothing is known.
type Measured struct {
	Start    time.Time
	Step     time.Duration
	IndoorC  []float64 // °C, at the end of each slot
	HeatKW   []float64 // given by the heat pump, mean of each slot
	OutdoorC []float64 // °C, mean of each slot
	Sun      []float64 // what shines, mean of each slot, as a share of a full sun; 0 throughout where nothing measures it
}

// Check says what is wrong with the form of what was measured.
func (m *Measured) Check() error {
	if n := len(m.IndoorC); m.Step <= 0 || len(m.HeatKW) != n || len(m.OutdoorC) != n || len(m.Sun) != n {
		return fmt.Errorf("building: %d temperatures inside, %d outside, %d powers and %d values of the sun in steps of %v", n, len(m.OutdoorC), len(m.HeatKW), len(m.Sun), m.Step)
	}
	return nil
}

// upTo is what was measured in the first n slots.
func (m *Measured) upTo(n int) Measured {
	return Measured{m.Start, m.Step, m.IndoorC[:n], m.HeatKW[:n], m.OutdoorC[:n], m.Sun[:n]}
}

func (m *Measured) perHour() int { return max(1, int(time.Hour/m.Step)) }
func (m *Measured) perDay() int  { return max(1, int(24*time.Hour/m.Step)) }

// forced tells whether all that drives the rooms is known in a slot.
func (m *Measured) forced(i int) bool {
	return !math.IsNaN(m.HeatKW[i] + m.OutdoorC[i] + m.Sun[i])
}

// hoursAhead are the leads at which the model is held against what came.
var hoursAhead = [...]int{1, 2, 3, 4, 6, 8, 12, 16, 20, 24}

// pair is a temperature and a later one.
type pair struct {
	from, to int32 // slots at whose ends they were
	lead     int8  // index into hoursAhead
}

// pairs are the temperatures at the end of each hour from slot first up to slot last, but without it, with those that followed up to slot end, but without it. Between them all is known that drives the rooms. Rooms that are warmer than hotC are
// left out: somebody opens windows then.
func (m *Measured) pairs(first, last, end int, hotC float64) []pair {
	per := m.perHour()
	begin := m.begins(end)
	var out []pair
	for o := first; o < last; o++ {
		if (o+1)%per != 0 || !(m.IndoorC[o] <= hotC) {
			continue
		}
		for k, hours := range hoursAhead {
			t := o + hours*per
			if t >= end {
				break
			}
			if m.IndoorC[t] <= hotC && begin[t] <= int32(o+1) {
				out = append(out, pair{int32(o), int32(t), int8(k)})
			}
		}
	}
	return out
}

// begins is, for each of the first n slots, the slot since which all is known that drives the rooms.
func (m *Measured) begins(n int) []int32 {
	out := make([]int32, n)
	from := int32(0)
	for i := range out {
		if !m.forced(i) {
			from = int32(i + 1)
		}
		out[i] = from
	}
	return out
}

// what drives rooms; from the fourth on it is the usual course of a day
const (
	outside = iota
	heated
	constantly
	sunshine
	course
	causes = course + daily
)

// state is what each cause alone would have made of rooms that were at 0 °C at the begin, K, per °C, kW of heat and so on, for a share kept from slot to slot; and how that changes with the share.
type state struct{ is, changes [causes]float64 }

// response is the state at the end of each slot. Where a cause is not known it begins anew.
func (m *Measured) response(keep float64, into []state) []state {
	into = append(into[:0], make([]state, len(m.IndoorC))...)
	course := m.courses()
	var z state
	var u [causes]float64
	for i := range into {
		if !m.forced(i) {
			z = state{}
			continue
		}
		u[outside], u[heated], u[constantly], u[sunshine] = m.OutdoorC[i], m.HeatKW[i], 1, m.Sun[i]
		copy(u[sunshine+1:], course[i%len(course)][:])
		for k := range u {
			z.changes[k] = z.is[k] + keep*z.changes[k] - u[k]
			z.is[k] = keep*z.is[k] + (1-keep)*u[k]
		}
		into[i] = z
	}
	return into
}

// courses are the parts of the usual course of a day in each of its slots, from the first slot on.
func (m *Measured) courses() [][daily]float64 {
	out := make([][daily]float64, m.perDay())
	for i := range out {
		out[i] = courseAt(m.Start.Add(time.Duration(i)*m.Step + m.Step/2))
	}
	return out
}

// courseAt are the parts of the usual course of a day at a time: a swing of a day and one of half a day.
func courseAt(at time.Time) [daily]float64 {
	u := at.UTC()
	a := 2 * math.Pi * float64(u.Hour()*3600+u.Minute()*60+u.Second()) / 86400
	return [daily]float64{math.Cos(a), math.Sin(a), math.Cos(2 * a), math.Sin(2 * a)}
}

// usual are the gains at a time, kW, under so much sun.
func (p Params) usual(at time.Time, sun float64) float64 {
	kw := p.GainsKW + p.SolarKW*sun
	for k, v := range courseAt(at) {
		kw += p.DailyKW[k] * v
	}
	return kw
}

// foreseen is what the model makes of the temperature at the begin of a pair by its end; kept is what it keeps of a difference over that time.
func (p Params) foreseen(x pair, indoorC float64, z []state, kept float64) float64 {
	a, b := &z[x.to].is, &z[x.from].is
	kw := a[heated] - kept*b[heated] + p.GainsKW*(a[constantly]-kept*b[constantly]) + p.SolarKW*(a[sunshine]-kept*b[sunshine])
	for k, of := range p.DailyKW {
		kw += of * (a[course+k] - kept*b[course+k])
	}
	return kept*indoorC + a[outside] - kept*b[outside] + p.ResistanceKPerKW*kw
}

// kept is what is kept of a difference over each of hoursAhead.
func (p Params) kept() (out [len(hoursAhead)]float64) {
	for k, h := range hoursAhead {
		out[k] = p.keep(float64(h))
	}
	return out
}

// Gains is the heat beside the pump's that the rooms got in each hour of what was measured, kW, by the balance of theirs under the model, the sun's share included; NaN where that is not known. Over any span of known hours the heat of
// the pump and these, less what went outside, is what the rooms hold more.
func (p Params) Gains(m *Measured) []float64 {
	per := m.perHour()
	keep := p.keep(m.Step.Hours())
	out := make([]float64, len(m.IndoorC)/per)
	for i := range out {
		begin, end := i*per-1, (i+1)*per-1
		out[i] = math.NaN()
		if begin < 0 {
			continue
		}
		c, kept := m.IndoorC[begin], 1.0
		for k := begin + 1; k <= end; k++ {
			c = keep*c + (1-keep)*(m.OutdoorC[k]+p.ResistanceKPerKW*m.HeatKW[k])
			kept *= keep
		}
		out[i] = (m.IndoorC[end] - c) / (p.ResistanceKPerKW * (1 - kept))
	}
	return out
}
