package app

import (
	"context"
	"fmt"
	"math"
	"time"

	"quartier/schemas/balance"
)

// off counts a row that differs.
func (a *Audit) off(format string, args ...any) {
	if a.RowsOff++; a.RowsOff == 1 {
		a.FirstOff = fmt.Sprintf(format, args...)
	}
}

// compareRows counts the balance rows of electricity that are not what raw samples give.
func (b *Books) compareRows(ctx context.Context, a *Audit) error {
	stored, err := b.store.Balances(ctx, b.district.ID, "", a.Month)
	if err != nil {
		return err
	}
	type key struct {
		site string
		at   int64
	}
	have := map[key]*balance.Row{}
	for i := range stored {
		have[key{stored[i].Site, stored[i].Start.UnixMicro()}] = &stored[i]
	}
	for i := range a.rows {
		r := &a.rows[i]
		k := key{r.Site, r.Start.UnixMicro()}
		s := have[k]
		delete(have, k)
		switch {
		case s == nil:
			a.off("%s at %s is not in the record", r.Site, r.Start.Format(time.RFC3339))
		case !sameRow(s, r):
			a.off("%s at %s: import %d Wh stored, %d Wh from raw samples; cost %.6f EUR, %.6f EUR; baseline cost %.6f EUR, %.6f EUR", r.Site, r.Start.Format(time.RFC3339), s.ImportWh, r.ImportWh,
				s.CostEUR, r.CostEUR, s.BaselineCostEUR, r.BaselineCostEUR)
		}
	}
	for k := range have {
		a.off("%s at %s is in the record, and no raw sample gives it", k.site, time.UnixMicro(k.at).UTC().Format(time.RFC3339))
	}
	return nil
}

// compareCarriers counts the rows of every other carrier that are not what raw samples give.
func (b *Books) compareCarriers(ctx context.Context, a *Audit) error {
	stored, err := b.store.Carriers(ctx, b.district.ID, "", "", a.Month)
	if err != nil {
		return err
	}
	type key struct {
		site    string
		carrier balance.Carrier
		at      int64
	}
	have := map[key]*balance.CarrierRow{}
	for i := range stored {
		have[key{stored[i].Site, stored[i].Carrier, stored[i].Start.UnixMicro()}] = &stored[i]
	}
	for i := range a.carriers {
		r := &a.carriers[i]
		k := key{r.Site, r.Carrier, r.Start.UnixMicro()}
		s := have[k]
		delete(have, k)
		if s == nil {
			a.off("%s of %s at %s is not in the record", r.Carrier, r.Site, r.Start.Format(time.RFC3339))
			continue
		}
		x := *s
		if x.Start = r.Start; math.Abs(x.Coverage-r.Coverage) <= 1e-9 {
			x.Coverage = r.Coverage
		}
		if x != *r {
			a.off("%s of %s at %s: delivered %d Wh stored, %d Wh from raw samples; consumed %d Wh, %d Wh", r.Carrier, r.Site, r.Start.Format(time.RFC3339), s.DeliveredWh, r.DeliveredWh, s.ConsumedWh, r.ConsumedWh)
		}
	}
	for k := range have {
		a.off("%s of %s at %s is in the record, and no raw sample gives it", k.carrier, k.site, time.UnixMicro(k.at).UTC().Format(time.RFC3339))
	}
	return nil
}

// sameRow compares rows, sums of money and mass to a billionth.
func sameRow(a, b *balance.Row) bool {
	x, y := *a, *b
	for _, p := range [][2]*float64{{&x.CostEUR, &y.CostEUR}, {&x.CarbonKg, &y.CarbonKg}, {&x.BaselineCostEUR, &y.BaselineCostEUR}, {&x.BaselineCarbonKg, &y.BaselineCarbonKg}, {&x.Coverage, &y.Coverage}} {
		if math.Abs(*p[0]-*p[1]) > 1e-9*(1+math.Abs(*p[0])) {
			return false
		}
		*p[0] = *p[1]
	}
	x.Start, y.Start = x.Start.UTC(), y.Start.UTC()
	return x == y
}
