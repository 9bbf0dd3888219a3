package kpi

import "quartier/schemas/balance/why"

// Observed is what indicators need that is in no balance row: rooms, inverters and forecasts, of the boundary and the period.
type Observed struct {
	Comfort     Comfort
	Curtailment []Curtailment // by inverter
	Limited     bool          // whether a limit below its rating stood on any of them
	Irradiance  bool          // whether a station measured it
	HourAhead   Errors        // of forecasts of the net power of a district, or of the load of a site
	DayAhead    Errors
}

// Comfort is how far heated zones were from their comfort bands, summed over zones.
type Comfort struct {
	OutsideKh     float64 // K·h below the lower or above the upper end
	OutsideHours  float64 // zone hours outside
	MeasuredHours float64 // zone hours with a temperature
	Hours         float64 // zone hours of the period
}

// Add adds a mean temperature of a zone over hours that lie in its band from minC to maxC or not.
func (c *Comfort) Add(meanC, minC, maxC, hours float64) {
	if outside := max(0, minC-meanC, meanC-maxC); outside > 0 {
		c.OutsideKh += outside * hours
		c.OutsideHours += hours
	}
	c.MeasuredHours += hours
}

// Merge adds the hours of another time of the same zones but for Hours.
func (c *Comfort) Merge(o *Comfort) {
	c.OutsideKh += o.OutsideKh
	c.OutsideHours += o.OutsideHours
	c.MeasuredHours += o.MeasuredHours
}

// Yield is what an inverter gave in some time and the irradiation of the horizontal plane in the same time.
type Yield struct{ KWh, KWhPerM2 float64 }

func (y *Yield) add(kwh, kwhPerM2 float64) { y.KWh, y.KWhPerM2 = y.KWh+kwh, y.KWhPerM2+kwhPerM2 }

// Curtailment is what an inverter gave under a limit that held it back, and what it gave without, by local hour of the day: the plane of its modules sees the sun differently through the day.
type Curtailment struct {
	Free, Limited [24]Yield
	MeasuredHours float64 // for which it is known what its limit held back: where that is below its rating by day, power and irradiation are known too
	Hours         float64 // of the period
}

// limiting is the share of a limit from which on it holds an inverter back: below, the sun gives no more.
const limiting = 0.9

// Add adds what an inverter gave in a step of hours in an hour of the day, under a limit in kW; +Inf: none. It returns whether the limit held it back.
func (c *Curtailment) Add(hour int, kwh, kwhPerM2, limitKW, hours float64) bool {
	if kwhPerM2 <= 0 { // at night there is nothing to hold back
		return false
	}
	if kwh >= limiting*limitKW*hours {
		c.Limited[hour].add(kwh, kwhPerM2)
		return true
	}
	c.Free[hour].add(kwh, kwhPerM2)
	return false
}

// Merge adds what the same inverter gave in another time but for Hours.
func (c *Curtailment) Merge(o *Curtailment) {
	for h := range c.Free {
		c.Free[h].add(o.Free[h].KWh, o.Free[h].KWhPerM2)
		c.Limited[h].add(o.Limited[h].KWh, o.Limited[h].KWhPerM2)
	}
	c.MeasuredHours += o.MeasuredHours
}

// LostKWh returns what the limits kept from being produced: the irradiation of that time by the yield of the same hour of the day without a limit, or of all hours where that hour never was without one, less
// what was produced. ok is false where the inverter was never without a limit by day.
func (c *Curtailment) LostKWh() (kwh float64, ok bool) {
	var all Yield
	for _, y := range c.Free {
		all.add(y.KWh, y.KWhPerM2)
	}
	for h, y := range c.Limited {
		if y.KWhPerM2 <= 0 {
			continue
		}
		free := c.Free[h]
		if free.KWhPerM2 <= 0 {
			free = all
		}
		if free.KWhPerM2 <= 0 {
			return 0, false
		}
		kwh += max(0, y.KWhPerM2*free.KWh/free.KWhPerM2-y.KWh)
	}
	return kwh, true
}

// lost returns what limits kept from being produced, kWh.
func (o *Observed) lost() (sum float64, reason why.Code) {
	measured := 0.0
	for i := range o.Curtailment {
		measured += o.Curtailment[i].MeasuredHours
		kwh, ok := o.Curtailment[i].LostKWh()
		if !ok {
			reason = why.NeverFree
		}
		sum += kwh
	}
	switch {
	case len(o.Curtailment) == 0:
		return 0, why.NoInverter
	case o.Limited && !o.Irradiance:
		return 0, why.NoIrradiance
	case measured == 0 && o.Limited:
		return 0, why.NoRows
	case measured == 0:
		return 0, why.NoLimit
	}
	return sum, reason
}

// Errors are sums of forecast errors over slots.
type Errors struct {
	Slots      int64
	AbsoluteKW float64 // sum of |measured - forecast|
	MeasuredKW float64 // sum of |measured|
}

// Merge adds the sums of other slots.
func (e *Errors) Merge(o Errors) {
	e.Slots += o.Slots
	e.AbsoluteKW += o.AbsoluteKW
	e.MeasuredKW += o.MeasuredKW
}

func (e Errors) mae() (float64, why.Code) {
	return e.AbsoluteKW / float64(e.Slots), when(e.Slots > 0, why.NoForecast)
}

func (e Errors) share() (float64, why.Code) {
	switch {
	case e.Slots == 0:
		return 0, why.NoForecast
	case e.MeasuredKW == 0:
		return 0, why.NoPower
	}
	return e.AbsoluteKW / e.MeasuredKW, ""
}

// observed are the indicators of [Observed].
var observed = []Definition{
	{ID: "curtailed_energy_kwh", Version: 2, NameEN: "Curtailed solar energy", NameFR: "Énergie solaire écrêtée", Unit: "kWh", Formula: "sum over limited steps of max(0, G r(h) - g), r(h) = sum g / sum G of the unlimited steps of the same hour of the day",
		Inputs: []string{"g of each inverter", "its limit", "irradiation G of the horizontal plane"}, Note: "an estimate: a step counts as limited where an inverter gave at least nine tenths of its limit; covered is the time without a limit, and that under one where power and irradiation are known",
		over: func(o *Observed) (measured, hours float64) {
			for i := range o.Curtailment {
				measured, hours = measured+o.Curtailment[i].MeasuredHours, hours+o.Curtailment[i].Hours
			}
			return measured, hours
		},
		of: (*Observed).lost},
	{ID: "discomfort_kh", Version: 1, NameEN: "Discomfort of heated zones", NameFR: "Inconfort des zones chauffées", Unit: "K·h", Formula: "sum over zones and quarter-hours of max(0, Tmin - T, T - Tmax) dt", Inputs: []string{"room temperature T", "comfort band of each zone"},
		Note: "by the band of the configuration; not weighted by occupancy, which is not measured", over: func(o *Observed) (float64, float64) { return o.Comfort.MeasuredHours, o.Comfort.Hours },
		of: func(o *Observed) (float64, why.Code) { return o.Comfort.value(o.Comfort.OutsideKh) }},
	{ID: "discomfort_share", Version: 1, NameEN: "Time outside the comfort band", NameFR: "Temps hors de la bande de confort", Unit: "1", Formula: "zone hours outside [Tmin, Tmax] / zone hours measured", Inputs: []string{"room temperature T", "comfort band of each zone"},
		over: func(o *Observed) (float64, float64) { return o.Comfort.MeasuredHours, o.Comfort.Hours },
		of: func(o *Observed) (float64, why.Code) {
			return o.Comfort.value(o.Comfort.OutsideHours / o.Comfort.MeasuredHours)
		}},
	{ID: "forecast_error_day_ahead_kw", Version: 1, NameEN: "Forecast error a day ahead (MAE)", NameFR: "Erreur de prévision à un jour (MAE)", Unit: "kW", Formula: "(1/N) sum |measured - forecast|", Inputs: []string{"errors of forecasts 24 h ahead"},
		Note: "of the net power of a district, of the load of a site; forecasts that were made again from the record, of what was known at their time alone, count too", ahead: func(o *Observed) *Errors { return &o.DayAhead },
		of: func(o *Observed) (float64, why.Code) { return o.DayAhead.mae() }},
	{ID: "forecast_error_day_ahead", Version: 1, NameEN: "Forecast error a day ahead by what was measured (nMAE)", NameFR: "Erreur de prévision à un jour rapportée au mesuré (nMAE)", Unit: "1", Formula: "sum |measured - forecast| / sum |measured|",
		Inputs: []string{"errors of forecasts 24 h ahead"}, ahead: func(o *Observed) *Errors { return &o.DayAhead }, of: func(o *Observed) (float64, why.Code) { return o.DayAhead.share() }},
	{ID: "forecast_error_hour_ahead", Version: 1, NameEN: "Forecast error an hour ahead by what was measured (nMAE)", NameFR: "Erreur de prévision à une heure rapportée au mesuré (nMAE)", Unit: "1", Formula: "sum |measured - forecast| / sum |measured|",
		Inputs: []string{"errors of forecasts 1 h ahead"}, ahead: func(o *Observed) *Errors { return &o.HourAhead }, of: func(o *Observed) (float64, why.Code) { return o.HourAhead.share() }},
}

func (c *Comfort) value(v float64) (float64, why.Code) {
	switch {
	case c.Hours == 0:
		return 0, why.NoZone
	case c.MeasuredHours == 0:
		return 0, why.NoRoom
	}
	return v, ""
}

// value computes an indicator of what was observed, with the share of the period that it was measured for.
func (d *Definition) value(in *Input) (v float64, reason why.Code, coverage float64) {
	seen := in.Observed
	if seen == nil {
		seen = &Observed{}
	}
	measured, hours := 0.0, in.Period.Duration().Hours()
	if d.ahead != nil {
		measured = float64(d.ahead(seen).Slots) * in.Step.Hours()
	} else {
		measured, hours = d.over(seen)
	}
	if hours > 0 {
		coverage = min(1, measured/hours)
	}
	v, reason = d.of(seen)
	return v, reason, coverage
}
