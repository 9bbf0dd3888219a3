package config

import (
	"fmt"
	"math"
	"time"

	"quartier/schemas/district"
)

// district checks one district and builds it.
func (b *builder) district(f *District, path string) district.District {
	d := district.District{ID: f.ID, Name: f.Name, Latitude: f.Latitude, Longitude: f.Longitude, Zone: b.zone(f.Zone, path+".time_zone"),
		Step: time.Duration(f.StepMinutes) * time.Minute, ImportLimitKW: orInf(f.ImportKW), ExportLimitKW: orInf(f.ExportKW), Tariff: f.Tariff, Carbon: f.Carbon, Silence: b.silence(f.Silence, path, f.ImportKW, f.ExportKW)}
	refer(b, f.Tariff, path+".tariff", "tariff", b.cfg.Tariffs)
	b.terms(f, path, d.Zone)
	refer(b, f.Carbon, path+".carbon", "source of carbon intensity", b.cfg.Carbon)
	b.feed(f.Weather, path+".weather", OpenMeteo)
	d.Devices = b.devices(f.Devices, path)
	for i, dev := range d.Devices {
		if _, ok := b.cfg.Feeds[dev.ID]; ok {
			b.say(fmt.Sprintf("%s.devices[%d].id", path, i), "%q is a feed too: their measurements would have the same names", dev.ID)
		}
	}
	sites := map[string]string{}
	for i := range f.Sites {
		p := fmt.Sprintf("%s.sites[%d]", path, i)
		b.once(sites, "site", f.Sites[i].ID, p+".id")
		d.Sites = append(d.Sites, b.site(f, &f.Sites[i], p))
	}
	b.members(f, path, &d, sites)
	b.choicesPED(f, path, sites)
	return d
}

// site checks one site and builds it.
func (b *builder) site(f *District, s *Site, path string) district.Site {
	site := district.Site{ID: s.ID, Name: s.Name, ImportLimitKW: orInf(s.ImportKW), ExportLimitKW: orInf(s.ExportKW), Tariff: s.Tariff, Silence: b.silence(s.Silence, path, s.ImportKW, s.ExportKW)}
	if s.Tariff == "" {
		site.Tariff = f.Tariff
	} else {
		refer(b, s.Tariff, path+".tariff", "tariff", b.cfg.Tariffs)
	}
	switch t := b.cfg.Tariffs[site.Tariff]; {
	case s.Fee != nil:
		site.WithdrawalFee = *s.Fee
	case t != nil:
		exempt := f.Sharing != nil && f.Sharing.ExciseExempt
		if f.Sharing != nil && len(f.Sharing.Terms) > 0 {
			exempt = f.Sharing.Terms[len(f.Sharing.Terms)-1].ExciseExempt
		}
		site.WithdrawalFee = t.NewestFee(exempt)
	}
	site.Devices = b.devices(s.Devices, path)
	site.Quiet = b.siteQuiet(s, path)
	meters := 0
	for i, dev := range site.Devices {
		switch dev.Kind {
		case district.GridMeter:
			meters++
		case district.Substation:
			b.say(fmt.Sprintf("%s.devices[%d].kind", path, i), "a substation belongs to the district, not to a site")
		}
	}
	if meters == 0 && len(s.Devices) > 0 {
		b.say(path, "site %q has no grid_meter: its balance cannot be closed", s.ID)
	}
	return site
}

// members checks the members of a district and builds them.
func (b *builder) members(f *District, path string, d *district.District, sites map[string]string) {
	ids, points, shares, production := map[string]string{}, map[string]string{}, map[string]float64{}, 0.0
	static := f.Sharing != nil && f.Sharing.Key == "static"
	for i := range f.Members {
		m, p := &f.Members[i], fmt.Sprintf("%s.members[%d]", path, i)
		b.once(ids, "member", m.ID, p+".id")
		b.once(points, "delivery point", m.DeliveryPoint, p+".delivery_point")
		refer(b, m.Site, p+".site", "site", sites)
		if shares[m.Site] += m.Share; shares[m.Site] > 1+1e-9 && m.Share <= 1 {
			b.say(p+".share_of_site", "the members of %s have shares of %.4g together up to here, more than 1", m.Site, shares[m.Site])
		}
		switch {
		case static && m.ShareOfProduction == nil && !b.has(p+".share_of_production"):
			b.say(p, "share_of_production is missing: the static key needs it")
		case static && m.ShareOfProduction != nil:
			if production += *m.ShareOfProduction; production > 1+1e-12 { // as the key is shared by
				b.say(p+".share_of_production", "the members have shares of %.4g together up to here, more than 1", production)
			}
		case !static && m.ShareOfProduction != nil:
			b.say(p+".share_of_production", "has a place with the static key alone")
		}
		if (m.Consent.LoadCurve || m.Consent.Report) && m.Consent.Since == "" && !b.has(p+".consent.since") {
			b.say(p+".consent", "since is missing: the day of the consent")
		}
		d.Members = append(d.Members, district.Member{ID: m.ID, Name: m.Name, Site: m.Site, DeliveryPoint: m.DeliveryPoint, Language: m.Language, ShareOfSite: m.Share,
			Consent: district.Consent{LoadCurve: m.Consent.LoadCurve, Report: m.Consent.Report, Since: day(m.Consent.Since, d.Zone)}})
	}
}

func orInf(v *float64) float64 {
	if v == nil {
		return math.Inf(1)
	}
	return *v
}
