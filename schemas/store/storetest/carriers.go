package storetest

import (
	"math"
	"strings"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

func carriers(t *testing.T, s store.Store) {
	row := func(site string, carrier balance.Carrier, slot int, wh int64) balance.CarrierRow {
		return balance.CarrierRow{District: "fontaine", Site: site, Carrier: carrier, Start: t0.Add(time.Duration(slot) * 15 * time.Minute), Step: 15 * time.Minute, DeliveredWh: units.WattHours(wh),
			ExportedWh: 2, GeneratedWh: 3, ConvertedWh: 4, ChargeWh: 5, DischargeWh: 6, ConsumedWh: 7, ResidualWh: -8, Coverage: 0.5, Method: balance.SimilarDays | balance.Missing}
	}
	must(t, s.SaveCarriers(t.Context(), nil))
	in := []balance.CarrierRow{row("mairie", balance.Heat, 1, 1<<40), row("mairie", balance.Gas, 1, 2), row("_", balance.Heat, 0, 3), row("ecole", "biomass", 0, 4)}
	other := row("_", balance.Heat, 0, 9)
	other.District = "verger"
	must(t, s.SaveCarriers(t.Context(), append(in, other)))
	must(t, s.SaveCarriers(t.Context(), in[:2])) // again
	get := func(site string, carrier balance.Carrier, sp timegrid.Span, want ...balance.CarrierRow) {
		t.Helper()
		got, err := s.Carriers(t.Context(), "fontaine", site, carrier, sp)
		must(t, err)
		if len(got) != len(want) {
			t.Fatalf("%q of %q: %d rows, want %d", carrier, site, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("row %d of %q is\n%+v, want\n%+v", i, site, got[i], want[i])
			}
		}
	}
	get("", "", span(t0, time.Hour), in[2], in[3], in[1], in[0])
	get("mairie", "", span(t0, time.Hour), in[1], in[0])
	get("", balance.Heat, span(t0, time.Hour), in[2], in[0])
	get("ecole", "biomass", span(t0, 15*time.Minute), in[3])
	get("mairie", balance.Heat, span(t0, 15*time.Minute))
	get("nowhere", "", span(t0, time.Hour))
	in[0].DeliveredWh, in[0].Method = 0, 0
	must(t, s.SaveCarriers(t.Context(), in[:1])) // corrected
	get("mairie", balance.Heat, span(t0, time.Hour), in[0])

	bad, nameless := row("ecole", balance.Heat, 2, 1), row("ecole", "", 2, 1)
	bad.Coverage, bad.Step = math.Inf(1), -1
	err := s.SaveCarriers(t.Context(), []balance.CarrierRow{row("ecole", balance.Heat, 3, 1), bad, nameless})
	wantIs(t, err, store.ErrInvalid)
	for _, w := range []string{"fontaine/ecole of heat", "coverage is +Inf", "step -1ns", `carrier ""`} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not name %s", err, w)
		}
	}
	get("ecole", balance.Heat, span(t0, time.Hour))
}
