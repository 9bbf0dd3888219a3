// Package tariff turns dated tariffs into prices: base, peak and off-peak hours with their windows, Tempo with the colours of its days, plain series of
// prices, and formulas on such a series. It also holds sources of carbon intensity, which are dated data in the same way.
//
// Prices are EUR/kWh with all taxes unless [Tariff.TaxesExcluded] says otherwise. Everything that changes is data: rows have the local day from which they
// hold, off-peak windows belong to the delivery point and to seasons, colours to a calendar. The clock on the wall decides, also on the days of 23 and 25 hours.
// An instant without a valid row or value has no price: it is an error that names the instant, never a zero. The package does no I/O and reads no clock.
//
//	t := &tariff.Tariff{ID: "base", Kind: tariff.Base, Zone: paris, Rows: []tariff.Row{{From: feb1, Import: map[tariff.Period]float64{tariff.BasePeriod: 0.1940}}}}
//	p, err := t.At(now)                                    // p.ImportEURPerKWh, p.Period, p.Source
//	prices, err := t.Import(timegrid.Day(now, paris), 15*time.Minute)
package tariff
