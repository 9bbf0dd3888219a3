package consoletest

import (
	"math"
	"time"

	"quartier/schemas/district"
)

// foresee fills what a plan expects of every series, with bands that widen with the lead: by a twelfth at first, by a third a day ahead. The load of the school has stepped back to similar
// days, that of the car park has no band, and prices are settled for a day.
func foresee(d *district.District, p *district.Plan) {
	add := func(site, device, quantity string, mean func(k int) float64, wide func(k int, v float64) float64) {
		f := district.Foreseen{Site: site, Device: device, Quantity: quantity, SteppedBack: site == "ecole" && quantity == district.ForecastLoad}
		for k := range p.Steps {
			v := mean(k)
			f.Mean = append(f.Mean, v)
			if wide == nil {
				continue
			}
			w := wide(k, v)
			low := v - w
			if quantity != district.ForecastNet && quantity != district.ForecastOutdoor {
				low = max(0, low)
			}
			f.Low, f.High = append(f.Low, low), append(f.High, v+1.2*w)
		}
		p.Foreseen = append(p.Foreseen, f)
	}
	at := func(k int) time.Time { return p.Start.Add(time.Duration(k) * d.Step) }
	grow := func(k int, v float64) float64 {
		return math.Abs(v) * math.Min(0.33, 0.08+0.05*math.Sqrt(float64(k)*d.Step.Hours()))
	}
	loads, suns := make([]float64, p.Steps), make([]float64, p.Steps)
	for si := range p.Sites {
		s, site := &p.Sites[si], d.Site(p.Sites[si].ID)
		wide := grow
		if s.ID == "parking" {
			wide = nil
		}
		add(s.ID, "", district.ForecastLoad, func(k int) float64 { return s.LoadKW[k] }, wide)
		sun := make([]float64, p.Steps)
		for i := range site.Devices {
			dev := &site.Devices[i]
			switch dev.Kind {
			case district.PV:
				for k := range sun {
					sun[k] -= power(dev, at(k), d.Zone)
				}
			case district.HeatPump:
				add(s.ID, dev.ID, district.ForecastHeat, func(k int) float64 { return 3.2 * power(dev, at(k), d.Zone) }, grow)
			case district.WaterHeater:
				add(s.ID, dev.ID, district.ForecastHotWater, func(k int) float64 {
					return 2.5 + 2*math.Sin(float64(at(k).In(d.Zone).Hour())/12*math.Pi)
				}, grow)
			case district.EVCharger:
				add(s.ID, dev.ID, district.ForecastCar, func(k int) float64 { return power(dev, at(k), d.Zone) }, func(int, float64) float64 { return 2 })
			}
		}
		add(s.ID, "", district.ForecastSun, func(k int) float64 { return sun[k] }, grow)
		for k := range sun {
			loads[k], suns[k] = loads[k]+s.LoadKW[k], suns[k]+sun[k]
		}
	}
	add(district.DistrictSite, "", district.ForecastLoad, func(k int) float64 { return loads[k] }, grow)
	add(district.DistrictSite, "", district.ForecastSun, func(k int) float64 { return suns[k] }, grow)
	add(district.DistrictSite, "", district.ForecastNet, func(k int) float64 { return loads[k] - suns[k] }, func(k int, _ float64) float64 { return grow(k, loads[k]) + grow(k, suns[k]) })
	add(district.DistrictSite, "", district.ForecastOutdoor, func(k int) float64 {
		h := float64(at(k).In(d.Zone).Hour())
		return 6 - 4*math.Cos((h-4)/12*math.Pi)
	}, func(k int, _ float64) float64 { return 0.4 + 0.06*float64(k)*d.Step.Hours() })
	add(district.DistrictSite, "", district.ForecastPrice, func(k int) float64 { return price(at(k), d.Zone) }, func(k int, v float64) float64 {
		if float64(k)*d.Step.Hours() < 24 {
			return 0
		}
		return 0.2 * v
	})
	add(district.DistrictSite, "", district.ForecastCarbon, func(k int) float64 { return carbon(at(k), d.Zone) }, grow)
}
