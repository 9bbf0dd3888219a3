package scheduler

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/optimizer/problem"
	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// signalled is a town whose record knows, up to its present, what the weather was and what cars did.
type signalled struct {
	*town
	outdoor func(at time.Time) float64
	station func(at time.Time) float64
	car     func(at time.Time) (kw float64, there bool)
}

func (w *signalled) Read(_ context.Context, ids []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	for id, at := range map[district.SeriesID]func(time.Time) float64{"d/_/weather/outdoor_c": w.outdoor, "d/s/mast/outdoor_c": w.station} {
		for slot := range sp.Slots(time.Hour) {
			if at == nil || !slices.Contains(ids, id) || slot.Start.After(w.now) {
				break
			}
			if err := yield(district.Sample{Series: id, Time: slot.Start, Value: at(slot.Start)}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *signalled) Rollup(_ context.Context, ids []district.SeriesID, sp timegrid.Span, _ rollup.Step, _ *time.Location, yield func(rollup.Row) error) error {
	for _, id := range ids {
		for slot := range sp.Slots(15 * time.Minute) {
			if w.car == nil || slot.End.After(w.now) {
				break
			}
			kw, there := w.car(slot.Start)
			v, ok := map[district.SeriesID]float64{"d/s/ev/power_kw": kw, "d/s/ev/connected": 0}[id]
			if id == "d/s/ev/connected" && there {
				v = 1
			}
			if !ok {
				continue
			}
			if err := yield(rollup.Row{Series: id, Start: slot.Start, End: slot.End, Samples: 1, Held: 15 * time.Minute, Integral: v / 4, Last: v}); err != nil {
				return err
			}
		}
	}
	return nil
}

// foreseenOf is what a plan says of a series; nil where it says nothing.
func foreseenOf(p *district.Plan, quantity, device string) *district.Foreseen {
	for i := range p.Foreseen {
		if f := &p.Foreseen[i]; f.Quantity == quantity && f.Device == device {
			return f
		}
	}
	return nil
}

// hours makes a plan each hour and returns the last one.
func (w *signalled) hours(t *testing.T, n int) (p *district.Plan) {
	t.Helper()
	for range n {
		w.now = w.now.Add(time.Hour)
		w.refresh()
		var err error
		if p, err = w.s.Replan(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.asked, w.plans = w.asked[len(w.asked)-1:], w.plans[:0]
	}
	return p
}

func newSignalled(t *testing.T) *signalled {
	w := &signalled{town: newTown(t)}
	w.s.cfg.Store = w
	return w
}

// TestWeatherStepsBack: a published temperature is planned with while it is right, left within two days where it is wrong, foreseen from what was measured while nothing is published, and believed again later. Its errors are counted.
func TestWeatherStepsBack(t *testing.T) {
	w := newSignalled(t)
	w.outdoor = func(at time.Time) float64 {
		h := float64(at.Unix()) / 3600
		return 5 + 4*math.Sin(h/24*2*math.Pi) + 3*math.Sin(h/70)
	}
	wrong, silent := 0.0, false
	w.s.cfg.Weather = func(quantity string, slot timegrid.Span) (float64, bool) {
		return w.outdoor(slot.Start) + wrong + 0.3*math.Sin(float64(slot.Start.Unix())), quantity == district.OutdoorC && !silent
	}
	off := func(p *district.Plan) (worst float64) {
		for t, c := range foreseenOf(p, district.ForecastOutdoor, "").Mean[:24*4] {
			at := p.Start.Add(time.Duration(t) * 15 * time.Minute).Truncate(time.Hour)
			worst = math.Max(worst, math.Abs(c-w.outdoor(at)))
		}
		return worst
	}
	p := w.hours(t, 8*24)
	if f := foreseenOf(p, district.ForecastOutdoor, ""); f == nil || f.SteppedBack || off(p) > 1.6 {
		t.Fatalf("a right feed is off by up to %.1f K: %+v", off(p), f)
	}
	wrong = 15
	if p = w.hours(t, 2*24); !foreseenOf(p, district.ForecastOutdoor, "").SteppedBack || off(p) > 6 {
		t.Errorf("two days after a feed went wrong by 15 K the plan is off by up to %.1f K", off(p))
	}
	pump := w.asked[0].Sites[0].Devices[slices.IndexFunc(w.asked[0].Sites[0].Devices, func(d problem.Device) bool { return d.ID() == "hp" })].(*problem.HeatPump)
	if d := math.Abs(pump.Zone.OutdoorC[48] - w.outdoor(p.Start.Add(12*time.Hour))); d > 6 {
		t.Errorf("the heat pump is planned with a temperature that is off by %.1f K", d)
	}
	silent = true
	if p = w.hours(t, 24); off(p) > 6 {
		t.Errorf("without a feed the plan is off by up to %.1f K", off(p))
	}
	wrong, silent = 0, false
	if p = w.hours(t, 14*24); foreseenOf(p, district.ForecastOutdoor, "").SteppedBack || off(p) > 2.5 {
		t.Errorf("two weeks after a feed is right again the plan is off by up to %.1f K", off(p))
	}
	counted := map[int]int64{}
	for _, e := range w.errors {
		if e.Quantity == district.ForecastOutdoor && e.Site == district.DistrictSite && !e.Replayed {
			counted[e.LeadMinutes] = max(counted[e.LeadMinutes], e.Count)
		}
	}
	for _, lead := range []int{60, 180, 360, 720, 1440} {
		if counted[lead] != 24 {
			t.Errorf("%d errors of a day %d min ahead are in the record, want 24", counted[lead], lead)
		}
	}
}

// TestStationJudges: a feed that is wrong in what it says of the past as well is judged by the district's own station, where there is one.
func TestStationJudges(t *testing.T) {
	w := newSignalled(t)
	w.d.Sites[0].Devices = append(w.d.Sites[0].Devices, district.Device{ID: "mast", Kind: district.Weather})
	w.station = func(at time.Time) float64 { return 5 + 3*math.Sin(float64(at.Unix())/86400*2*math.Pi) }
	w.outdoor = func(at time.Time) float64 { return w.station(at) + 15 }
	w.s.cfg.Weather = func(quantity string, slot timegrid.Span) (float64, bool) {
		return w.outdoor(slot.Start), quantity == district.OutdoorC
	}
	p := w.hours(t, 3*24)
	f := foreseenOf(p, district.ForecastOutdoor, "")
	if !f.SteppedBack || math.Abs(f.Mean[40]-w.station(p.Start.Add(10*time.Hour))) > 2 {
		t.Errorf("%v °C is planned with, the station will measure %v °C", f.Mean[40], w.station(p.Start.Add(10*time.Hour)))
	}
}

// TestForeseenOfAPlan: a plan says of each series what it rests on: a tariff without a doubt, and the others in bands that do not fall.
func TestForeseenOfAPlan(t *testing.T) {
	w := newSignalled(t)
	w.outdoor = func(at time.Time) float64 { return 2 + math.Sin(float64(at.Unix()/3600%17)) }
	w.s.cfg.Carbon = func(timegrid.Span) (float64, bool) { return 50, true }
	p := w.hours(t, 2)
	for _, k := range [][2]string{{district.ForecastLoad, ""}, {district.ForecastSun, ""}, {district.ForecastNet, ""}, {district.ForecastOutdoor, ""}, {district.ForecastPrice, ""}, {district.ForecastCarbon, ""}, {district.ForecastHotWater, "tank"}, {district.ForecastHeat, "hp"}, {district.ForecastCar, "ev"}} {
		f := foreseenOf(p, k[0], k[1])
		if f == nil || len(f.Mean) != p.Steps || len(f.Low) > 0 && (len(f.Low) != p.Steps || len(f.High) != p.Steps) {
			t.Fatalf("%v: %+v", k, f)
		}
		for i := range f.Low {
			if f.Low[i] > f.High[i] {
				t.Fatalf("%v in step %d: %v to %v", k, i, f.Low[i], f.High[i])
			}
		}
		settled := k[0] == district.ForecastPrice || k[0] == district.ForecastCarbon
		if low, high, ok := f.Band(4); ok && settled != (low == high) && k[0] != district.ForecastCar || settled && (!f.Settled || len(f.Low)+len(f.High) > 0) {
			t.Errorf("%v is between %v and %v", k, low, high)
		}
	}
	if f := foreseenOf(p, district.ForecastHeat, "hp"); math.Abs(f.Mean[0]-(19-foreseenOf(p, district.ForecastOutdoor, "").Mean[0])/5) > 1e-3 {
		t.Errorf("%v kW of heat, want what is stated to be lost", f.Mean[0])
	}
	if f := foreseenOf(p, district.ForecastCar, "ev"); slices.Max(f.Mean) != 0 {
		t.Errorf("of a new charging point %v kW are expected", slices.Max(f.Mean))
	}
	if _, err := json.Marshal(p); err != nil {
		t.Error(err)
	}
}

// TestCarsToCome: a car that comes on most evenings is in the plan before it comes, within the site's limit, and no more once it stands there.
func TestCarsToCome(t *testing.T) {
	w := newSignalled(t)
	w.car = func(at time.Time) (float64, bool) { // from 18:00 to 07:00
		h := at.UTC().Hour()
		if there := h >= 18 || h < 7; !there || h < 18 || h > 19 {
			return 0, there
		}
		return 8, true
	}
	w.measure("ev", district.Connected, 0)
	evening := func(p *district.Plan) float64 {
		return p.Sites[0].LoadKW[int(p.Start.Truncate(24*time.Hour).Add(18*time.Hour+30*time.Minute).Sub(p.Start)/(15*time.Minute))]
	}
	load := func(p *district.Plan) float64 {
		return foreseenOf(p, district.ForecastLoad, "").Mean[0]
	}
	p := w.hours(t, 24) // noon
	if d := evening(p) - load(p); d > 0.01 {
		t.Errorf("%.2f kW are planned before anything is known of the forecast", d)
	}
	if f := foreseenOf(p, district.ForecastCar, "ev"); f.Mean[7*4+2] < 4 {
		t.Errorf("%.2f kW are shown", f.Mean[7*4+2])
	}
	p = w.hours(t, 16*24)
	if d := evening(p) - load(p); d < 4 || d > 8.01 {
		t.Errorf("%.2f kW are planned for the evening, want most of 8 kW", d)
	}
	w.d.Sites[0].ImportLimitKW = 20
	if p = w.hours(t, 24); evening(p) > 20-4-2.2+1e-6 {
		t.Errorf("%.2f kW are planned for the evening, beside machines of 6.2 kW under a limit of 20 kW", evening(p))
	}
	w.measure("ev", district.Connected, 1)
	if p = w.hours(t, 24); math.Abs(evening(p)-load(p)) > 0.01 {
		t.Errorf("%.2f kW are planned beside the car that is there", evening(p)-load(p))
	}
}

// TestRounded: a rounded value is as near as its digits of the largest one say, and settled values stay without a band.
func TestRounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := math.Pow(10, rapid.Float64Range(-4, 4).Draw(t, "magnitude"))
		list := rapid.SliceOfN(rapid.Float64Range(-scale, scale), 1, 20).Draw(t, "values")
		high := slices.Clone(list)
		for i := range high {
			high[i] += 1e-9
		}
		got := rounded(district.Foreseen{Mean: list, Low: list, High: high})
		most := 0.0
		for _, v := range list {
			most = math.Max(most, math.Abs(v))
		}
		for i, v := range list {
			if math.Abs(got.Mean[i]-v) > 0.0051*math.Max(most, 1e-9) && most < 1000 || math.Abs(got.Mean[i]-v) > math.Max(0.5, 0.0051*most) || math.Abs(got.Low[i]-v) > math.Max(0.5, 0.051*most) {
				t.Fatalf("%v of %v is rounded to %v and %v", v, most, got.Mean[i], got.Low[i])
			}
		}
	})
	price := []float64{0.1579, 0.2068}
	if got := rounded(district.Foreseen{Mean: price, Low: price, High: price}); !got.Settled || got.Low != nil || got.High != nil || !slices.Equal(got.Mean, price) {
		t.Errorf("a settled price has a band: %+v", got)
	}
	if got := rounded(district.Foreseen{Mean: price, Low: []float64{0.1579, 0.2}, High: []float64{0.1579, 0.21}}); got.Settled || got.Low[0] != 0.1579 || got.High[0] != 0.1579 || got.Low[1] != 0.2 {
		t.Errorf("a price that is settled at first is %+v", got)
	}
	if got := rounded(district.Foreseen{Mean: price}); got.Settled {
		t.Errorf("a price of which nothing is known is settled: %+v", got)
	}
	if got := wholeDigits([]float64{0.123456, -0.00004}, 0.2, 4, math.Round); got[0] != 0.1235 || got[1] != 0 {
		t.Errorf("%v", got)
	}
}
