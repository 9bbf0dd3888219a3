package app

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

const house = `
tariffs: [{id: base, kind: base, rows: [{from: 2025-08-01, base_eur_per_kwh: 0.19}]}]
carbon: [{id: mean, kind: constant, g_per_kwh: 22}]
districts:
  - id: house
    name: House
    latitude_deg: 47
    longitude_deg: 5
    time_zone: Europe/Paris
    tariff: base
    carbon: mean
    devices:
      - {id: network, kind: heat_meter, profile: generic-heat-meter, address: "tcp://127.0.0.1:1", unit_id: 5, meter: {role: delivered}}
    sites:
      - id: home
        name: Home
        devices:
          - {id: grid, kind: grid_meter, profile: generic-pulse-counter, address: "tcp://127.0.0.1:1", poll_seconds: 60}
          - {id: sub, kind: load_meter, profile: generic-pulse-counter, address: "tcp://127.0.0.1:1", unit_id: 2, poll_seconds: 60}
          - {id: heat, kind: heat_meter, profile: generic-heat-meter, address: "tcp://127.0.0.1:1", unit_id: 3, meter: {role: delivered}}
          - {id: shown, kind: heat_meter, profile: generic-heat-meter, address: "tcp://127.0.0.1:1", unit_id: 6}
          - id: gas
            kind: gas_meter
            profile: generic-gas-meter
            address: tcp://127.0.0.1:1
            unit_id: 4
            meter: {role: delivered, gas_contents: [{from: 2026-01-01, kwh_per_m3: 10, source: S}, {from: 2026-03-02, kwh_per_m3: 11, source: S}]}
`

// world is the house with a record that is written by hand.
type world struct {
	t   *testing.T
	st  *sqlite.Store
	acc *Accountant
	d   *district.District
}

func newWorld(t *testing.T) *world { return newWorldOf(t, house) }

func newWorldOf(t *testing.T, text string) *world {
	t.Helper()
	cfg, err := config.Parse("house.yaml", []byte(text), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	acc, err := NewAccountant(cfg, &cfg.Districts[0], st)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, st, acc, &cfg.Districts[0]}
}

// write records a counter of the house at instants step apart, each the value of f.
func (w *world) write(series string, from, to time.Time, step time.Duration, f func(time.Time) float64) {
	w.t.Helper()
	var list []district.Sample
	for at := from; !at.After(to); at = at.Add(step) {
		list = append(list, district.Sample{Series: district.SeriesID("house/" + series), Time: at, Value: f(at)})
	}
	if err := w.st.Append(w.t.Context(), list); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close(from, to time.Time) {
	w.t.Helper()
	if err := w.acc.Close(w.t.Context(), timegrid.NewSpan(from, to)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) rows(from, to time.Time) []balance.Row {
	w.t.Helper()
	rows, err := w.st.Balances(w.t.Context(), "house", "home", timegrid.NewSpan(from, to))
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

var march = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday

// since is a counter that grows by kw from an instant.
func since(start time.Time, kw float64) func(time.Time) float64 {
	return func(t time.Time) float64 { return kw * t.Sub(start).Hours() }
}

// TestGapIsClosedWhenItsEndComes: a meter that was away is estimated meanwhile, and when its counter tells again the rows of the whole gap are closed once more, as on similar days and exact in sum.
func TestGapIsClosedWhenItsEndComes(t *testing.T) {
	w := newWorld(t)
	begin := march.AddDate(0, 0, -15)
	// 2 kW by day, 1 kW by night
	kwh := func(t time.Time) float64 {
		sum := 0.0
		for at := begin; at.Before(t); at = at.Add(15 * time.Minute) {
			sum += 0.25
			if at.Hour() >= 8 && at.Hour() < 20 {
				sum += 0.25
			}
		}
		return sum
	}
	gone, back := march.Add(10*time.Hour), march.Add(34*time.Hour)
	zero := func(time.Time) float64 { return 0 }
	for _, s := range []string{"home/grid/", "home/sub/"} {
		end := gone
		if s == "home/grid/" {
			end = back
		}
		w.write(s+"import_kwh", begin, end, 15*time.Minute, kwh)
		w.write(s+"export_kwh", begin, end, 15*time.Minute, zero)
	}
	w.close(gone.Add(-time.Hour), back)
	noon, night := w.rows(gone.Add(2*time.Hour), gone.Add(3*time.Hour)), w.rows(gone.Add(16*time.Hour), gone.Add(17*time.Hour))
	for _, r := range noon {
		if r.OtherWh != 500 || r.Method != balance.SimilarDays || r.Coverage != 0.5 || r.ResidualWh != 0 {
			t.Errorf("while the sub-meter is away, at noon: %+v", r)
		}
	}
	for _, r := range night {
		if r.OtherWh != 250 || !r.Substituted {
			t.Errorf("while the sub-meter is away, at night: %+v", r)
		}
	}
	// it comes back and has counted half of what is usual
	half := func(t time.Time) float64 { return kwh(gone) + (kwh(t)-kwh(gone))/2 }
	for _, q := range []string{"import_kwh", "export_kwh"} {
		f := half
		if q == "export_kwh" {
			f = zero
		}
		w.write("home/sub/"+q, back, back.Add(2*time.Hour), 15*time.Minute, f)
	}
	w.write("home/grid/import_kwh", back, back.Add(2*time.Hour), 15*time.Minute, kwh)
	w.write("home/grid/export_kwh", back, back.Add(2*time.Hour), 15*time.Minute, zero)
	w.close(back.Add(-time.Hour), back.Add(time.Hour)) // the last two hours, as the service does
	sum, residual := units.WattHours(0), units.WattHours(0)
	for _, r := range w.rows(gone, back) {
		sum, residual = sum+r.OtherWh, residual+r.ResidualWh
		if r.Method != balance.SimilarDays || r.Coverage != 1 || r.Unexplained() != 0 {
			t.Fatalf("row of the gap %+v", r)
		}
	}
	if want := units.Energy(half(back)).WattHours() - units.Energy(half(gone)).WattHours(); sum != want || residual != -want {
		t.Errorf("the gap has %d Wh and a residual of %d Wh, want %d Wh and as much that the meters do not explain", sum, residual, want)
	}
	if r := w.rows(gone.Add(2*time.Hour), gone.Add(3*time.Hour))[0]; r.OtherWh != 250 {
		t.Errorf("noon of the gap has %d Wh, want half of the usual 500 Wh", r.OtherWh)
	}
	// closed once more from anywhere, the gap is the same
	before := w.rows(gone, back)
	w.close(gone.Add(5*time.Hour), gone.Add(6*time.Hour))
	for i, r := range w.rows(gone, back) {
		if r != before[i] {
			t.Fatalf("row %d changed from %+v to %+v", i, before[i], r)
		}
	}
}

// TestCounterRollsOver: a pulse counter of 32 bits begins again at 0 in the middle of the night and no energy is lost; the register tells where.
func TestCounterRollsOver(t *testing.T) {
	w := newWorld(t)
	const full = 4294967.296 // kWh, by 1000 pulses a kWh
	count := func(t time.Time) float64 {
		if v := full - 1 + t.Sub(march).Hours(); v < full {
			return v
		} else {
			return v - full
		}
	}
	w.write("home/grid/import_kwh", march, march.Add(3*time.Hour), time.Minute, count)
	w.write("home/grid/export_kwh", march, march.Add(3*time.Hour), time.Minute, func(time.Time) float64 { return 0 })
	w.close(march, march.Add(3*time.Hour))
	sum := units.WattHours(0)
	for _, r := range w.rows(march, march.Add(3*time.Hour)) {
		sum += r.ImportWh
		if r.Method&^balance.Missing != 0 { // the sub-meter is missing
			t.Errorf("row %+v", r)
		}
	}
	if sum != 3000 {
		t.Errorf("three hours at 1 kW are %d Wh", sum)
	}
}

// TestCarriersAreClosed: heat and gas have rows of their own from their counters, gas by the content of its day, and the district's station bounds its heat; a heat meter that counts for nothing is only shown.
func TestCarriersAreClosed(t *testing.T) {
	w := newWorld(t)
	from, to := march.Add(-2*time.Hour), march.Add(2*time.Hour)
	w.write("_/network/heat_kwh", from, to, 5*time.Minute, since(from, 11))
	w.write("home/heat/heat_kwh", from, to, 5*time.Minute, since(from, 10))
	w.write("home/shown/heat_kwh", from, to, 5*time.Minute, since(from, 500))
	w.write("home/gas/gas_m3", from, to, 5*time.Minute, since(from, 0.4))
	w.close(from, to)
	rows, err := w.st.Carriers(t.Context(), "house", "", "", timegrid.NewSpan(from, to))
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]*balance.CarrierRow{}
	for i := range rows {
		r := &rows[i]
		key := r.Site + " " + string(r.Carrier)
		if sums[key] == nil {
			sums[key] = &balance.CarrierRow{}
		}
		sums[key].Add(r)
		if r.Coverage != 1 || r.Method != 0 || r.Unexplained() != 0 {
			t.Fatalf("row %+v", *r)
		}
	}
	for key, want := range map[string]balance.CarrierRow{
		"home heat": {DeliveredWh: 40_000, ConsumedWh: 40_000},
		"home gas":  {DeliveredWh: 16_800, ConsumedWh: 16_800}, // 0.8 m³ by 10 kWh, then 0.8 by 11
		"_ gas":     {DeliveredWh: 16_800, ConsumedWh: 16_800},
		"_ heat":    {DeliveredWh: 44_000, ConsumedWh: 40_000, ResidualWh: -4000},
	} {
		if got := sums[key]; got == nil || *got != want {
			t.Errorf("%s is %+v, want %+v", key, got, want)
		}
	}
	if len(sums) != 4 {
		t.Errorf("%d balances, want 4", len(sums))
	}
	if got := w.rows(from, to); len(got) != 0 {
		t.Errorf("%d electrical rows of meters that nobody read", len(got))
	}
}

// TestLateSamplesAreNoted: samples from before the time that is closed again by itself are remembered by their district, the oldest one, once; others are not.
func TestLateSamplesAreNoted(t *testing.T) {
	now := march.Add(12 * time.Hour)
	a := &App{clock: NewClock(now, 1), late: map[string]time.Time{}}
	at := func(id string, ago time.Duration) district.Sample {
		return district.Sample{Series: district.NewSeriesID(id, "s", "d", district.ImportKWh), Time: now.Add(-ago)}
	}
	a.noteLate([]district.Sample{at("a", time.Minute), at("b", 3*time.Hour), at("b", 30*time.Hour), at("b", 5*time.Hour)})
	if got := a.takeLate("a"); !got.IsZero() {
		t.Errorf("a sample of a minute ago is late: %v", got)
	}
	if got := a.takeLate("b"); !got.Equal(now.Add(-30 * time.Hour)) {
		t.Errorf("the oldest late sample is %v, want 30 h ago", got)
	}
	if got := a.takeLate("b"); !got.IsZero() {
		t.Errorf("late samples are told twice: %v", got)
	}
}

// TestRowsOutliveTheirSamples: rows whose samples are no longer kept are not closed again, not from what is left beside them either, and a command that asks for it is told.
func TestRowsOutliveTheirSamples(t *testing.T) {
	w := newWorld(t)
	from, to := march.Add(-3*24*time.Hour), march.Add(24*time.Hour)
	for _, s := range []string{"home/grid/", "home/sub/"} {
		w.write(s+"import_kwh", from, to, 15*time.Minute, since(from, 2))
		w.write(s+"export_kwh", from, to, 15*time.Minute, func(time.Time) float64 { return 0 })
	}
	w.close(from, to)
	before := w.rows(from, to)
	w.acc.fine, w.acc.Now = 100*24*time.Hour, func() time.Time { return march.Add(99 * 24 * time.Hour) } // samples from march-1d on are kept whole
	w.write("home/grid/import_kwh", from, to, 15*time.Minute, since(from, 50))                           // what stands there now is not what the rows rest on
	w.close(from, to)
	kept := march
	for i, r := range w.rows(from, to) {
		if changed := r != before[i]; changed != !r.Start.Before(kept) {
			t.Fatalf("row of %v changed: %v; samples are kept from %v on", r.Start, changed, kept)
		}
	}
	cfg, err := config.Parse("house.yaml", []byte("record: {fine_days: 100}\n"+house), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := CloseAccounts(t.Context(), cfg, w.st, w.d, timegrid.NewSpan(from.AddDate(-2, 0, 0), to.AddDate(-2, 0, 0))); err == nil || !strings.Contains(err.Error(), "kept for 100 days") {
		t.Errorf("closing rows without samples: %v", err)
	}
}

// TestImportedLoadCurve: a meter with counters of which only a load curve is known is counted by its power, half-hour by half-hour.
func TestImportedLoadCurve(t *testing.T) {
	w := newWorldOf(t, strings.Replace(house, "{id: grid, kind: grid_meter, profile: generic-pulse-counter", "{id: grid, kind: grid_meter, profile: eastron-sdm630", 1))
	w.write("home/grid/power_kw", march, march.Add(4*time.Hour), 30*time.Minute, func(at time.Time) float64 { return float64(1 + at.Hour()) })
	w.close(march, march.Add(4*time.Hour))
	sum := units.WattHours(0)
	for _, r := range w.rows(march, march.Add(4*time.Hour)) {
		sum += r.ImportWh
		if want := units.WattHours(250 * (1 + r.Start.Hour())); r.ImportWh != want {
			t.Errorf("%v has %d Wh, want %d Wh", r.Start, r.ImportWh, want)
		}
	}
	if sum != 10_000 {
		t.Errorf("four hours are %d Wh, want 10000 Wh", sum)
	}
}
