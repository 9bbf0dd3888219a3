package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/cmd/internal/feed"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

const (
	feedRecorded = 48 * time.Hour   // of the past of a document that goes into the record
	feedLook     = 10 * time.Second // between two looks at what is to be recorded
	priceHour    = 15               // local hour from which the prices of the next day are late
)

// FeedFolder is where the last documents are, in data_dir.
const FeedFolder = "feeds"

// AgeHours is the quantity of how old a feed's document was when the slot began that its value is about.
const AgeHours = "age_h"

// newsEvery is how long a source of a kind has nothing new to say at most: a weather model is run every few hours, prices are published once a day, the carbon intensity every quarter-hour.
var newsEvery = map[string]time.Duration{config.OpenMeteo: 24 * time.Hour, config.Entsoe: 36 * time.Hour, config.Eco2mix: 3 * time.Hour}

// source is a feed at work.
type source struct {
	*feed.Feed
	id, kind  string
	districts []*district.District // whose record takes its values
	silent    time.Duration
	stuck     time.Duration
	record    string                    // the signal of the record; empty: the feed's id
	done      map[district.SeriesID]had // what the record has of the last days
	read      bool
}

type had map[int64]float64 // by Unix seconds

func (s *source) signal() string { return cmp.Or(s.record, s.id) }

// FeedSource is the source that a feed of the configuration is, for a district where it depends on one.
func FeedSource(f config.Feed, d *district.District) (feed.Source, error) {
	key, err := f.Key()
	if err != nil {
		return feed.Source{}, err
	}
	base, err := url.Parse(cmp.Or(f.URL, config.FeedURL(f.Kind)))
	if err != nil {
		return feed.Source{}, fmt.Errorf("app: feed %s: its address is none", f.ID)
	}
	s := feed.Source{Name: f.ID, Secret: key}
	address := func(set func(url.Values)) string {
		u := *base
		q := u.Query()
		set(q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	switch f.Kind {
	case config.OpenMeteo:
		const fields = "temperature_2m,shortwave_radiation,direct_normal_irradiance,diffuse_radiation"
		s.Name, s.Place = f.ID+"."+d.ID, fmt.Sprintf("weather at %.4f, %.4f", d.Latitude, d.Longitude)
		s.Types, s.Read = []string{"application/json"}, feed.ReadOpenMeteo
		s.URL = func(time.Time) string {
			return address(func(q url.Values) {
				q.Set("latitude", fmt.Sprintf("%.4f", d.Latitude))
				q.Set("longitude", fmt.Sprintf("%.4f", d.Longitude))
				q.Set("hourly", fields)
				q.Set("minutely_15", fields)
				q.Set("timezone", "GMT")
				q.Set("past_days", "1")
				q.Set("forecast_days", "4")
				if key != "" {
					q.Set("apikey", key)
				}
			})
		}
	case config.Entsoe:
		s.Place, s.Types = "day-ahead prices of "+f.Area, []string{"text/xml", "application/xml"}
		s.Read = func(data []byte) (feed.Bulletin, error) { return feed.ReadEntsoe(data, f.Area) }
		s.URL = func(now time.Time) string {
			day := timegrid.Day(now, marketZone).Start.In(marketZone)
			return address(func(q url.Values) {
				q.Set("securityToken", key)
				q.Set("documentType", "A44")
				q.Set("contract_MarketAgreement.type", "A01")
				q.Set("in_Domain", f.Area)
				q.Set("out_Domain", f.Area)
				q.Set("periodStart", day.AddDate(0, 0, -1).UTC().Format("200601021504"))
				q.Set("periodEnd", day.AddDate(0, 0, 2).UTC().Format("200601021504"))
			})
		}
	case config.Eco2mix:
		s.Place, s.Types = "carbon intensity of France", []string{"application/json"}
		s.Read = func(data []byte) (feed.Bulletin, error) { return feed.ReadEco2mix(data, marketZone) }
		s.URL = func(now time.Time) string {
			return address(func(q url.Values) {
				q.Set("select", "date_heure,taux_co2")
				q.Set("where", fmt.Sprintf("taux_co2 is not null and date_heure >= date'%s'", now.UTC().Add(-23*time.Hour).Truncate(time.Hour).Format(time.RFC3339)))
				q.Set("order_by", "date_heure")
				q.Set("limit", "100")
			})
		}
	}
	return s, nil
}

// marketZone is the zone of the days of the European day-ahead market and of éco2mix.
var marketZone = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return time.FixedZone("CET", 3600)
	}
	return loc
}()

// openFeeds builds every feed that is used; client asks their sources, nil: as package feed does.
func openFeeds(cfg *config.Config, markets map[string]*market, now func() time.Time, client *http.Client, log *slog.Logger) ([]*source, error) {
	var out []*source
	open := func(f config.Feed, record string, of ...*district.District) error {
		if len(of) == 0 {
			return nil
		}
		src, err := FeedSource(f, of[0])
		if err != nil {
			return err
		}
		hours := func(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }
		opt := feed.Options{Dir: filepath.Join(cfg.File.DataDir, FeedFolder), Every: hours(f.Every / 60), Timeout: hours(f.Timeout / 3600), Silent: hours(f.Silent), Stuck: max(hours(f.Silent), newsEvery[f.Kind]), Client: client, Now: now, Log: log}
		out = append(out, &source{Feed: feed.New(src, opt), id: f.ID, kind: f.Kind, districts: of, silent: opt.Silent, stuck: opt.Stuck, record: record, done: map[district.SeriesID]had{}})
		return nil
	}
	for _, f := range cfg.File.Feeds {
		var of []*district.District
		record := ""
		for i := range cfg.Districts {
			d := &cfg.Districts[i]
			switch {
			case f.Kind == config.OpenMeteo && cfg.District(d.ID).Weather == f.ID:
				if err := open(f, "", d); err != nil {
					return nil, err
				}
			case f.Kind == config.Entsoe && usesMarket(cfg, d, f.ID):
				of = append(of, d)
			case f.Kind == config.Eco2mix && cfg.Carbon[d.Carbon].Feed == f.ID:
				of, record = append(of, d), "carbon"
			}
		}
		if err := open(f, record, of...); err != nil {
			return nil, err
		}
		if m := markets[f.ID]; m != nil && len(of) > 0 {
			m.live = out[len(out)-1].Feed
		}
	}
	return out, nil
}

// feedLoop asks every feed, and records what was published of the time that has come.
func (a *App) feedLoop(ctx context.Context) error {
	if len(a.feeds) == 0 {
		return nil
	}
	var all errgroup.Group
	for _, s := range a.feeds {
		all.Go(func() error { return a.protect("feed "+s.id, func() error { s.Run(ctx); return nil }) })
	}
	for ok := true; ok; ok = wait(ctx, feedLook) {
		for _, s := range a.feeds {
			if err := a.recordFeed(ctx, s); err != nil && ctx.Err() == nil {
				a.log.Warn("what a feed published is not recorded", "feed", s.id, "err", err)
			}
		}
	}
	return all.Wait()
}

// recordFeed writes the values of the last days that the record does not have yet, or has otherwise, and how old the document was for the present slot.
func (a *App) recordFeed(ctx context.Context, s *source) error {
	now := a.clock.Now()
	span := timegrid.NewSpan(now.Add(-feedRecorded), now.Add(time.Nanosecond))
	b, ok := s.Latest()
	if !ok {
		return nil
	}
	st := s.Status(now)
	since := cmp.Or(st.Issued, st.Answered)
	var samples []district.Sample
	for _, d := range s.districts {
		got := quarters(b.Samples(d.ID, s.signal(), span, district.FromSignal), b, now)
		if age := now.Sub(since).Hours(); len(got) > 0 && !since.IsZero() && age >= 0 {
			at := timegrid.Floor(now, d.Step)
			if id := district.NewSeriesID(d.ID, district.DistrictSite, s.id, AgeHours); s.done[id][at.Unix()] == 0 {
				got = append(got, district.Sample{Series: id, Time: at, Value: math.Max(1e-3, age), Source: district.FromSignal})
			}
		}
		samples = append(samples, got...)
	}
	if !s.read {
		if err := s.recall(ctx, a.record, samples, span); err != nil {
			return err
		}
	}
	samples = slices.DeleteFunc(samples, func(x district.Sample) bool {
		v, ok := s.done[x.Series][x.Time.Unix()]
		return ok && v == x.Value
	})
	if len(samples) == 0 {
		return nil
	}
	if err := a.sink(ctx, samples); err != nil {
		return err
	}
	m := a.markets[s.id]
	for _, x := range samples {
		s.note(x, span.Start)
		if m != nil && strings.HasSuffix(string(x.Series), "/"+feed.DayAheadPrice) {
			m.keep(x)
		}
	}
	return nil
}

// FeedSamples are the values of a document that begin in a span, for the record of a district.
func FeedSamples(b *feed.Bulletin, districtID, signal string, span timegrid.Span) []district.Sample {
	return quarters(b.Samples(districtID, signal, span, district.FromImport), *b, span.End.Add(-time.Nanosecond))
}

// FeedOf returns the feed of a kind that a district uses.
func FeedOf(cfg *config.Config, d *district.District, kind string) (config.Feed, bool) {
	for _, f := range cfg.File.Feeds {
		if f.Kind == kind && (kind == config.OpenMeteo && cfg.District(d.ID).Weather == f.ID || kind == config.Entsoe && usesMarket(cfg, d, f.ID) || kind == config.Eco2mix && cfg.Carbon[d.Carbon].Feed == f.ID) {
			return f, true
		}
	}
	return config.Feed{}, false
}

// quarters puts prices of longer steps down for each of their quarter-hours that has begun, so that each recorded price holds as long as any other.
func quarters(samples []district.Sample, b feed.Bulletin, now time.Time) []district.Sample {
	step := b.Series[feed.DayAheadPrice].Step
	if step <= marketStep {
		return samples
	}
	var out []district.Sample
	for _, x := range samples {
		for after := time.Duration(0); after < step; after += marketStep {
			if y := x; !x.Time.Add(after).After(now) {
				y.Time = x.Time.Add(after)
				out = append(out, y)
			}
		}
	}
	return out
}

// recall reads what the record has of the series.
func (s *source) recall(ctx context.Context, from sampleReader, samples []district.Sample, span timegrid.Span) error {
	ids := map[district.SeriesID]bool{}
	var list []district.SeriesID
	for _, x := range samples {
		if !ids[x.Series] {
			ids[x.Series] = true
			list = append(list, x.Series)
		}
	}
	err := from.Read(ctx, list, span, func(x district.Sample) error { s.note(x, span.Start); return nil })
	s.read = err == nil
	return err
}

// note remembers what the record has, and forgets what is before cutoff.
func (s *source) note(x district.Sample, cutoff time.Time) {
	v := s.done[x.Series]
	if v == nil {
		v = had{}
		s.done[x.Series] = v
	}
	v[x.Time.Unix()] = x.Value
	if len(v) > 1000 {
		for at := range v {
			if at < cutoff.Unix() {
				delete(v, at)
			}
		}
	}
}

// weatherOf returns what is published of a district's weather, for its scheduler; nil without a feed.
func (a *App) weatherOf(d *district.District) func(quantity string, slot timegrid.Span) (float64, bool) {
	for _, s := range a.feeds {
		if s.kind == config.OpenMeteo && s.districts[0] == d {
			return s.Value
		}
	}
	return nil
}

// weatherAge returns how long ago the source of a district's weather had something new to say; nil without a feed.
func (a *App) weatherAge(d *district.District) func() time.Duration {
	for _, s := range a.feeds {
		if s.kind == config.OpenMeteo && s.districts[0] == d {
			return func() time.Duration {
				now := a.clock.Now()
				if at := s.Status(now).Renewed; !at.IsZero() {
					return now.Sub(at)
				}
				return 0
			}
		}
	}
	return nil
}

// basis says on what a plan from an instant on rests, of what comes from outside.
func (a *App) basis(d *district.District, from, to time.Time) []district.Basis {
	var out []district.Basis
	for _, s := range a.feeds {
		if !slices.Contains(s.districts, d) || s.kind == config.Entsoe && boundaryFeed(a.cfg, d) != s.id {
			continue // a plan knows no supply tariffs of sites
		}
		now := a.clock.Now()
		st := s.Status(now)
		until := st.Until // without a gap
		b := district.Basis{Source: s.id, Published: until, Issued: cmp.Or(st.Issued, st.Answered), Silent: st.Silent || st.Stuck}
		switch s.kind {
		case config.OpenMeteo:
			b.Input, b.Beyond = "weather", "similar-days"
		case config.Eco2mix:
			b.Input, b.Beyond = "carbon", "similar-days"
			if st.Until.IsZero() {
				b.Beyond = "constant"
			}
		case config.Entsoe:
			b.Input, b.Beyond = "prices", "similar-days"
			m := a.markets[s.id]
			b.Published, until = m.last(from), m.until(from)
			if !m.known() {
				b.Beyond = "constant"
			}
		}
		if !until.Before(to) {
			b.Beyond = ""
		}
		out = append(out, b)
	}
	return out
}

// feedAlarms are the alarms of the feeds of a district: one that is silent, and prices of the next day that are late.
func (a *App) feedAlarms(districtID string) []console.Alarm {
	var out []console.Alarm
	now := a.clock.Now()
	for _, s := range a.feeds {
		i := slices.IndexFunc(s.districts, func(d *district.District) bool { return d.ID == districtID })
		if i < 0 {
			continue
		}
		st := s.Status(now)
		object := districtID + "/" + district.DistrictSite + "/" + s.id
		if st.Silent {
			detail := s.id + ": " + cmp.Or(st.Err, "no answer")
			if !st.Until.IsZero() {
				detail += "; published until " + st.Until.In(s.districts[i].Zone).Format("2006-01-02 15:04")
			}
			out = append(out, console.Alarm{Key: FeedSilent, Severity: "warning", Since: cmp.Or(st.Answered, st.Failing).Add(s.silent), Object: object, Detail: detail})
			continue
		}
		if st.Stuck {
			detail := s.id + ": nothing new since " + st.Renewed.In(s.districts[i].Zone).Format("2006-01-02 15:04")
			if !st.Until.IsZero() {
				detail += "; published until " + st.Until.In(s.districts[i].Zone).Format("2006-01-02 15:04")
			}
			out = append(out, console.Alarm{Key: FeedStuck, Severity: "warning", Since: st.Renewed.Add(s.stuck), Object: object, Detail: detail})
		}
		tomorrow := timegrid.Day(timegrid.Day(now, marketZone).End, marketZone)
		late := timegrid.Day(now, marketZone).Start.In(marketZone)
		late = time.Date(late.Year(), late.Month(), late.Day(), priceHour, 0, 0, 0, marketZone)
		if s.kind == config.Entsoe && !now.Before(late) && a.markets[s.id].until(tomorrow.Start).Before(tomorrow.End) {
			out = append(out, console.Alarm{Key: PricesLate, Severity: "warning", Since: late.UTC(), Object: object, Detail: s.id + ": " + tomorrow.Start.In(marketZone).Format(time.DateOnly)})
		}
	}
	return out
}

// The alarms of feeds.
const (
	FeedSilent = "feed-silent" // no sound answer for longer than silent_hours
	FeedStuck  = "feed-stuck"  // it answers, and says nothing new for longer than its kind may
	PricesLate = "prices-late" // the prices of the next day are not all published in the afternoon
)

// feedStatus tells the console how every feed is doing.
func (a *App) feedStatus() []console.Feed {
	var out []console.Feed
	now := a.clock.Now()
	some := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC()
		return &t
	}
	for _, s := range a.feeds {
		st := s.Status(now)
		f := console.Feed{ID: s.id, Kind: s.kind, State: "sound", Answered: some(st.Answered), Issued: some(st.Issued), Published: some(st.Until), Next: some(st.Next), Failures: st.Failures, Error: st.Err,
			Refused: st.Refused, Beyond: "similar-days"}
		switch {
		case st.Silent:
			f.State = "silent"
		case st.Stuck:
			f.State = "stuck"
		case st.Failures > 0:
			f.State = "failing"
		case st.Answered.IsZero():
			f.State = "waiting"
		}
		if m := a.markets[s.id]; m != nil && !m.known() && st.Until.IsZero() {
			f.Beyond = "constant"
		}
		for _, d := range s.districts {
			f.Districts = append(f.Districts, d.Name)
		}
		out = append(out, f)
	}
	return out
}
