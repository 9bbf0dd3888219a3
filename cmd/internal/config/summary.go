package config

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/order"
	"quartier/schemas/tariff"
	"quartier/schemas/timegrid"
)

// Summary writes what was understood: the districts with their sites, devices and installed power, tariffs and carbon sources with what they are valid for, and how
// the service runs. It never writes a secret.
func (c *Config) Summary(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i := range c.Districts {
		c.summarize(t, &c.Districts[i])
	}
	fmt.Fprintln(t, "TARIFF\tKIND\tVALID\tROWS\tEUR/kWh\tEUR/month\tTAXES\tSOURCE")
	for _, f := range c.File.Tariffs {
		x := c.Tariffs[f.ID]
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", x.ID, x.Kind, validity(x), len(x.Rows), priceRange(x), standing(x), f.Taxes, newestSource(x))
	}
	fmt.Fprintln(t, "\nCARBON\tKIND\tMEANING\tSOURCE")
	for _, f := range c.File.Carbon {
		x := c.Sources[f.ID]
		what := string(x.Kind)
		switch x.Kind {
		case tariff.CarbonConstant:
			what = fmt.Sprintf("%g g/kWh", x.GPerKWh)
		case tariff.CarbonDated:
			if n := len(x.Rows); n > 0 {
				what = fmt.Sprintf("%d rows, %g g/kWh from %s", n, x.Rows[n-1].GPerKWh, x.Rows[n-1].From.Format(time.DateOnly))
			}
		case tariff.CarbonSignal:
			if what = "from the record"; f.Feed != "" {
				what += ", which feed " + f.Feed + " fills"
			}
		case tariff.CarbonSeries:
			what = "file, " + spanOf(x.Intensity.Span().Start, x.Intensity.Span().End, len(x.Intensity.Values))
		}
		fmt.Fprintf(t, "%s\t%s\t%s, %s, %s\t%s\n", x.ID, what, x.Scope, x.Basis, x.Method, cmp.Or(newestFactor(x), "-"))
	}
	if len(c.File.Feeds) > 0 {
		fmt.Fprintln(t, "\nFEED\tKIND\tOF\tEVERY\tSILENT AFTER\tUSED BY")
	}
	for _, f := range c.File.Feeds {
		fmt.Fprintf(t, "%s\t%s\t%s\t%g min\t%g h\t%s\n", f.ID, f.Kind, cmp.Or(f.Area, "-"), f.Every, f.Silent, c.usesOf(f.ID))
	}
	c.service(t)
	return t.Flush()
}

// summarize writes one district.
func (c *Config) summarize(t *tabwriter.Writer, d *district.District) {
	fmt.Fprintf(t, "DISTRICT %s\t%s\n", d.ID, d.Name)
	fmt.Fprintf(t, "place\t%.3f, %.3f, %s, metering step %v\n", d.Latitude, d.Longitude, d.Zone, shortDuration(d.Step))
	fmt.Fprintf(t, "boundary\timport %s, export %s, tariff %s, carbon %s\n", limit(d.ImportLimitKW), limit(d.ExportLimitKW), d.Tariff, d.Carbon)
	consents := 0
	for _, m := range d.Members {
		if m.Consent.Report {
			consents++
		}
	}
	fmt.Fprintf(t, "sites\t%d\n", len(d.Sites))
	if n := len(order.Standing(d)); n > 0 {
		fmt.Fprintf(t, "quiet hours\t%d of devices\n", n)
	}
	fmt.Fprintf(t, "members\t%d, %d agreed to the monthly report\n", len(d.Members), consents)
	if s := c.District(d.ID).Sharing; s != nil {
		fmt.Fprintf(t, "sharing\t%s key, %g EUR/kWh, by %s\n", s.Key, s.Price, cmp.Or(s.Source, "no source"))
	}
	var names []string
	for _, p := range c.PEDProfiles(d.ID) {
		names = append(names, p.String())
	}
	fmt.Fprintf(t, "positive-energy balance\tby %s\n", strings.Join(names, ", "))
	fmt.Fprintln(t, "\nDEVICES\tNUMBER\tCONTROLLED\tINSTALLED")
	total, commanded := 0, 0
	for _, k := range district.Kinds() {
		n, ctl, kw, kwh := 0, 0, 0.0, 0.0
		for _, dev := range d.AllDevices {
			if dev.Kind != k {
				continue
			}
			n++
			if dev.Control {
				ctl++
			}
			p, e := installed(dev)
			kw, kwh = kw+p, kwh+e
		}
		if n == 0 {
			continue
		}
		total, commanded = total+n, commanded+ctl
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", k, n, ctl, capacity(k, kw, kwh))
	}
	fmt.Fprintf(t, "all\t%d\t%d\t-\n\n", total, commanded)
}

// installed returns the power in kW and the storage in kWh that a device adds to its district.
func installed(dev *district.Device) (kw, kwh float64) {
	switch {
	case dev.PV != nil:
		return dev.PV.PeakKW, 0
	case dev.Battery != nil:
		return dev.Battery.DischargeKW, dev.Battery.CapacityKWh
	case dev.HeatPump != nil:
		return dev.HeatPump.MaxKW, 0
	case dev.WaterHeater != nil:
		return dev.WaterHeater.MaxKW, dev.WaterHeater.CapacityKWh
	case dev.EVCharger != nil:
		return dev.EVCharger.MaxKW, 0
	}
	return 0, 0
}

func capacity(k district.Kind, kw, kwh float64) string {
	unit := "kW"
	if k == district.PV {
		unit = "kWp"
	}
	switch {
	case kwh > 0:
		return fmt.Sprintf("%.1f %s, %.1f kWh", kw, unit, kwh)
	case kw > 0:
		return fmt.Sprintf("%.1f %s", kw, unit)
	}
	return "-"
}

// standing writes the newest standing charge.
func standing(t *tariff.Tariff) string {
	if len(t.Rows) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", t.Rows[len(t.Rows)-1].SubscriptionEURPerMonth)
}

// service writes how the service runs.
func (c *Config) service(t *tabwriter.Writer) {
	f := &c.File
	database := "SQLite in " + f.DataDir
	switch {
	case f.Database.URLFile != "":
		database = "TimescaleDB, address in file " + f.Database.URLFile + ", outbox in " + f.DataDir
	case f.Database.URLEnv != "":
		database = "TimescaleDB, address in environment variable " + f.Database.URLEnv + ", outbox in " + f.DataDir
	}
	if days := f.Record.FineDays; days > 0 {
		database += fmt.Sprintf("; single samples are kept for %g days", days)
	}
	scheme := "http"
	if f.Console.TLSCert != "" {
		scheme = "https"
	}
	control := fmt.Sprintf("plan of %g h every %g min, set-points every %g s", f.Control.HorizonHours, f.Control.ReplanMinutes, f.Control.DispatchSeconds)
	if !f.Control.Enabled {
		control = "off: measures and plans, commands nothing"
	}
	fmt.Fprintf(t, "\nSERVICE\nconsole\t%s://%s\ndatabase\t%s\ncontrol\t%s\n", scheme, f.Console.Listen, database, control)
	if m := f.Alarms.Email; m != nil {
		fmt.Fprintf(t, "alarms by mail\tto %s, by %s (%s)\n", strings.Join(m.To, ", "), m.Server, m.TLS)
	}
	for _, w := range f.Alarms.Webhooks {
		signed := "unsigned"
		if w.SecretFile != "" || w.SecretEnv != "" {
			signed = "signed"
		}
		fmt.Fprintf(t, "alarms to\t%s (%s)\n", w.URL, signed)
	}
	if f.Face.ModbusListen != "" {
		fmt.Fprintf(t, "modbus server\t%s\n", f.Face.ModbusListen)
	}
	if f.Face.ModbusTLS != "" {
		fmt.Fprintf(t, "modbus server with TLS\t%s\n", f.Face.ModbusTLS)
	}
	if f.Face.OPCUAListen != "" {
		fmt.Fprintf(t, "opc ua server\t%s\n", f.Face.OPCUAListen)
	}
}

func limit(kw float64) string {
	if math.IsInf(kw, 1) {
		return "without limit"
	}
	return fmt.Sprintf("%g kW", kw)
}

// shortDuration writes 15m and not 15m0s.
func shortDuration(d time.Duration) string { return strings.TrimSuffix(d.String(), "0s") }

// validity returns the days for which a tariff has prices.
func validity(t *tariff.Tariff) string {
	if len(t.Rows) == 0 && t.Fed {
		return "as published"
	}
	if len(t.Rows) == 0 {
		return spanOf(t.Prices.Span().Start, t.Prices.Span().End, len(t.Prices.Values))
	}
	first, last := t.Rows[0], t.Rows[len(t.Rows)-1]
	text := "from " + first.From.Format(time.DateOnly)
	if !last.Until.IsZero() {
		text += " until " + last.Until.Format(time.DateOnly)
	}
	return text
}

func spanOf(start, end time.Time, n int) string {
	if n == 0 {
		return "not read"
	}
	return fmt.Sprintf("from %s until %s", start.Format("2006-01-02T15:04Z"), end.Format("2006-01-02T15:04Z"))
}

// priceRange returns the lowest and the highest price of the newest row.
func priceRange(t *tariff.Tariff) string {
	low, high := math.Inf(1), math.Inf(-1)
	take := func(v float64) {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if len(t.Rows) > 0 {
		row := t.Rows[len(t.Rows)-1]
		for _, v := range row.Import {
			take(v)
		}
		if t.Kind == tariff.Dynamic {
			for _, v := range t.Prices.Values {
				take((v*row.Times + row.Plus) * (1 + row.VAT))
			}
		}
	} else {
		for _, v := range t.Prices.Values {
			take(v)
		}
	}
	switch {
	case math.IsInf(low, 1):
		return "-"
	case low == high:
		return fmt.Sprintf("%.4f", low)
	}
	return fmt.Sprintf("%.4f to %.4f", low, high)
}

func newestSource(t *tariff.Tariff) string {
	for i := len(t.Rows) - 1; i >= 0; i-- {
		if t.Rows[i].Source != "" {
			return t.Rows[i].Source
		}
	}
	return "-"
}

// newestFactor returns where the newest values of a source of carbon intensity are from.
func newestFactor(c *tariff.Carbon) string {
	if n := len(c.Rows); n > 0 {
		from := c.Rows[n-1].From
		return c.Publications(timegrid.Span{Start: from, End: from.Add(time.Second)})
	}
	return c.Source
}
