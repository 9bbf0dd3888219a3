package config

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/tariff"
)

// Config is a checked configuration in the vocabulary of the rest of Quartier.
type Config struct {
	File      File // as written, with defaults
	Districts []district.District
	Tariffs   map[string]*tariff.Tariff
	Carbon    map[string]Carbon
}

// Options are what checking needs from outside. A nil function checks nothing.
type Options struct {
	// Profile says whether a profile is known, and for which device kinds it is; no kinds: any.
	Profile func(name string) (kinds []district.Kind, known bool)
	// Profiles lists the known profiles, for the message about an unknown one.
	Profiles []string
}

// Load reads and checks a file. The error is [Faults] when the content is wrong.
func Load(name string, opt Options) (*Config, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return Parse(name, data, opt)
}

// Parse checks the content of a file; name stands in the messages. The error is [Faults].
func Parse(name string, data []byte, opt Options) (*Config, error) {
	d := &decoder{file: name}
	c := &Config{}
	d.decode(data, &c.File)
	b := &builder{decoder: d, opt: opt, cfg: c}
	b.build()
	if err := d.result(); err != nil {
		return nil, err
	}
	return c, nil
}

// DatabaseURL returns the database's connection URL from where the file says it is; empty without a database.
func (c *Config) DatabaseURL() (string, error) {
	switch db := c.File.Database; {
	case db.URLFile != "":
		data, err := os.ReadFile(db.URLFile)
		if err != nil {
			return "", fmt.Errorf("config: database.url_file: %w", err)
		}
		return strings.TrimSpace(string(data)), nil
	case db.URLEnv != "":
		url := os.Getenv(db.URLEnv)
		if url == "" {
			return "", fmt.Errorf("config: database.url_env: environment variable %s is not set", db.URLEnv)
		}
		return url, nil
	}
	return "", nil
}

type builder struct {
	*decoder
	opt  Options
	cfg  *Config
	ends map[string]string // address and unit -> path of the device that has it
}

func (b *builder) build() {
	f := &b.cfg.File
	b.cfg.Tariffs, b.cfg.Carbon, b.ends = map[string]*tariff.Tariff{}, map[string]Carbon{}, map[string]string{}
	if f.Database.URLFile != "" && f.Database.URLEnv != "" {
		b.say("database.url_env", "url_file is given too: one of them")
	}
	if (f.Console.TLSCert == "") != (f.Console.TLSKey == "") {
		b.say("console", "tls_cert_file and tls_key_file are needed together")
	}
	for i, t := range f.Tariffs {
		path := fmt.Sprintf("tariffs[%d]", i)
		built := b.tariff(t, path)
		if _, twice := b.cfg.Tariffs[t.ID]; twice && t.ID != "" {
			b.say(path+".id", "%q is used twice", t.ID)
		}
		b.cfg.Tariffs[t.ID] = built
	}
	for i, s := range f.Carbon {
		if _, twice := b.cfg.Carbon[s.ID]; twice && s.ID != "" {
			b.say(fmt.Sprintf("carbon[%d].id", i), "%q is used twice", s.ID)
		}
		b.cfg.Carbon[s.ID] = s
	}
	ids := map[string]bool{}
	for i := range f.Districts {
		path := fmt.Sprintf("districts[%d]", i)
		b.once(ids, f.Districts[i].ID, path+".id")
		b.cfg.Districts = append(b.cfg.Districts, b.district(&f.Districts[i], path))
	}
}

// once notes an id that is used twice.
func (b *builder) once(seen map[string]bool, id, path string) {
	if id == "" {
		return
	}
	if seen[id] {
		b.say(path, "%q is used twice", id)
	}
	seen[id] = true
}

func (b *builder) zone(name, path string) *time.Location {
	if name == "" {
		return time.UTC
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		b.say(path, "%q is no time zone, such as Europe/Paris", name)
		return time.UTC
	}
	return loc
}

// day reads a local day; a text that is no day at all was reported by the decoder.
func (b *builder) day(text, path string, loc *time.Location) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation("2006-01-02", text, loc)
	if err != nil && patterns["date"].re.MatchString(text) {
		b.say(path, "%q is no day of the calendar", text)
	}
	return t
}

func (b *builder) tariff(t Tariff, path string) *tariff.Tariff {
	out := &tariff.Tariff{ID: t.ID, Name: t.Name, Kind: tariff.Kind(t.Kind), Zone: b.zone(t.Zone, path+".time_zone")}
	for i, r := range t.Rows {
		p := fmt.Sprintf("%s.rows[%d]", path, i)
		row := tariff.Row{From: b.day(r.From, p+".from", out.Zone), Import: map[tariff.Period]float64{}, Export: r.Export, Source: r.Source}
		prices := map[tariff.Period]*float64{tariff.BasePeriod: r.Base, tariff.HP: r.HP, tariff.HC: r.HC, tariff.BlueHP: r.BlueHP, tariff.BlueHC: r.BlueHC,
			tariff.WhiteHP: r.WhiteHP, tariff.WhiteHC: r.WhiteHC, tariff.RedHP: r.RedHP, tariff.RedHC: r.RedHC}
		wanted := tariff.Periods(out.Kind)
		for _, period := range wanted {
			if v := prices[period]; v != nil {
				row.Import[period] = *v
			} else {
				b.say(p, "%s_eur_per_kwh is missing in a %s tariff, EUR/kWh", period, t.Kind)
			}
		}
		for _, k := range []tariff.Kind{tariff.Base, tariff.HPHC, tariff.Tempo} {
			for _, period := range tariff.Periods(k) {
				if key := fmt.Sprintf("%s_eur_per_kwh", period); len(wanted) > 0 && prices[period] != nil && !slices.Contains(wanted, period) {
					b.say(p+"."+key, "has no place in a %s tariff", t.Kind)
				}
			}
		}
		if n := len(out.Rows); n > 0 && !row.From.After(out.Rows[n-1].From) && !row.From.IsZero() {
			b.say(p+".from", "%s is not after the row before, %s", r.From, out.Rows[n-1].From.Format("2006-01-02"))
		}
		out.Rows = append(out.Rows, row)
	}
	if t.Kind == "hp_hc" && len(t.OffPeak) == 0 {
		b.say(path, "a hp_hc tariff needs off_peak windows")
	}
	for i, w := range t.OffPeak {
		p := fmt.Sprintf("%s.off_peak[%d]", path, i)
		if (w.FirstMonth == 0) != (w.LastMonth == 0) {
			b.say(p, "first_month and last_month are needed together")
		}
		win := tariff.Window{From: minutes(w.From), To: minutes(w.To), FirstMonth: w.FirstMonth, LastMonth: w.LastMonth,
			ValidFrom: b.day(w.ValidFrom, p+".valid_from", out.Zone), ValidUntil: b.day(w.ValidUntil, p+".valid_until", out.Zone)}
		if w.From == w.To && w.From != "" {
			b.say(p+".to", "%s is where the window begins: it would hold all day", w.To)
		}
		out.OffPeak = append(out.OffPeak, win)
	}
	colours := map[string]tariff.Colour{}
	for i, d := range t.Days {
		p := fmt.Sprintf("%s.tempo_days[%d].date", path, i)
		b.day(d.Date, p, out.Zone)
		if _, twice := colours[d.Date]; twice {
			b.say(p, "%s is given twice", d.Date)
		}
		colours[d.Date] = tariff.Colour(d.Colour)
	}
	out.Colour = func(y int, m time.Month, d int) tariff.Colour { return colours[fmt.Sprintf("%04d-%02d-%02d", y, m, d)] }
	return out
}

// minutes returns a clock time in minutes after midnight.
func minutes(clock string) int {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		return 0
	}
	return t.Hour()*60 + t.Minute()
}

func (b *builder) district(f *District, path string) district.District {
	d := district.District{ID: f.ID, Name: f.Name, Latitude: f.Latitude, Longitude: f.Longitude, Zone: b.zone(f.Zone, path+".time_zone"),
		Step: time.Duration(f.StepMinutes) * time.Minute, ImportLimitKW: orInf(f.ImportKW), ExportLimitKW: orInf(f.ExportKW), Tariff: f.Tariff, Carbon: f.Carbon}
	b.tariffRef(f.Tariff, path+".tariff")
	if _, ok := b.cfg.Carbon[f.Carbon]; f.Carbon != "" && !ok {
		b.say(path+".carbon", "no source of carbon intensity has the id %q", f.Carbon)
	}
	ids := map[string]bool{}
	for i := range f.Devices {
		p := fmt.Sprintf("%s.devices[%d]", path, i)
		b.once(ids, f.Devices[i].ID, p+".id")
		d.Devices = append(d.Devices, b.device(&f.Devices[i], p))
	}
	sites := map[string]bool{}
	for i := range f.Sites {
		s, p := &f.Sites[i], fmt.Sprintf("%s.sites[%d]", path, i)
		b.once(sites, s.ID, p+".id")
		site := district.Site{ID: s.ID, Name: s.Name, ImportLimitKW: orInf(s.ImportKW), ExportLimitKW: orInf(s.ExportKW), Tariff: s.Tariff, WithdrawalFee: s.Fee}
		if s.Tariff == "" {
			site.Tariff = f.Tariff
		} else {
			b.tariffRef(s.Tariff, p+".tariff")
		}
		own, meters := map[string]bool{}, 0
		for k := range s.Devices {
			q := fmt.Sprintf("%s.devices[%d]", p, k)
			b.once(own, s.Devices[k].ID, q+".id")
			if s.Devices[k].Kind == string(district.GridMeter) {
				meters++
			}
			site.Devices = append(site.Devices, b.device(&s.Devices[k], q))
		}
		if meters == 0 && len(s.Devices) > 0 {
			b.say(p, "site %q has no grid_meter: its balance cannot be closed", s.ID)
		}
		d.Sites = append(d.Sites, site)
	}
	b.members(f, path, &d, sites)
	return d
}

func (b *builder) members(f *District, path string, d *district.District, sites map[string]bool) {
	ids, points, shares := map[string]bool{}, map[string]bool{}, map[string]float64{}
	for i, m := range f.Members {
		p := fmt.Sprintf("%s.members[%d]", path, i)
		b.once(ids, m.ID, p+".id")
		b.once(points, m.DeliveryPoint, p+".delivery_point")
		if m.Site != "" && !sites[m.Site] {
			b.say(p+".site", "no site has the id %q", m.Site)
		}
		if shares[m.Site] += m.Share; shares[m.Site] > 1+1e-9 {
			b.say(p+".share_of_site", "the members of %s have shares of %.3g together, more than 1", m.Site, shares[m.Site])
		}
		since := b.day(m.Consent.Since, p+".consent.since", d.Zone)
		if (m.Consent.LoadCurve || m.Consent.Report) && m.Consent.Since == "" {
			b.say(p+".consent", "since is missing: the day of the consent")
		}
		d.Members = append(d.Members, district.Member{ID: m.ID, Name: m.Name, Site: m.Site, DeliveryPoint: m.DeliveryPoint, Language: m.Language, ShareOfSite: m.Share,
			Consent: district.Consent{LoadCurve: m.Consent.LoadCurve, Report: m.Consent.Report, Since: since}})
	}
}

func (b *builder) tariffRef(id, path string) {
	if _, ok := b.cfg.Tariffs[id]; id != "" && !ok {
		b.say(path, "no tariff has the id %q", id)
	}
}

func orInf(v float64) float64 {
	if v == 0 {
		return math.Inf(1)
	}
	return v
}
