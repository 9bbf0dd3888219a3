package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"quartier/schemas/carbon"
)

// The kinds of feeds.
const (
	OpenMeteo = "open_meteo"
	Entsoe    = "entso_e"
	Eco2mix   = "eco2mix"
)

// FeedURL is the public address of a kind of feeds.
func FeedURL(kind string) string {
	switch kind {
	case OpenMeteo:
		return "https://api.open-meteo.com/v1/forecast"
	case Entsoe:
		return "https://web-api.tp.entsoe.eu/api"
	case Eco2mix:
		return "https://odre.opendatasoft.com/api/explore/v2.1/catalog/datasets/eco2mix-national-tr/records"
	}
	return ""
}

// feeds checks the feeds.
func (b *builder) feeds(f *File) {
	ids := map[string]string{}
	b.cfg.Feeds = map[string]Feed{}
	for i := range f.Feeds {
		one, path := f.Feeds[i], fmt.Sprintf("feeds[%d]", i)
		b.once(ids, "feed", one.ID, path+".id")
		switch given := one.KeyFile != "" || one.KeyEnv != ""; {
		case one.KeyFile != "" && one.KeyEnv != "":
			b.say(path+".key_env", "key_file is given too: one of them")
		case one.Kind == Entsoe && !given:
			b.say(path, "key_file or key_env is missing: the service gives nothing without its token")
		case one.Kind == Eco2mix && given:
			b.say(path, "éco2mix takes no token")
		}
		b.cfg.Feeds[one.ID] = one
	}
}

// feed checks a reference to a feed.
func (b *builder) feed(id, path, kind string) {
	refer(b, id, path, "feed", b.cfg.Feeds)
	if f, ok := b.cfg.Feeds[id]; ok && id != "" && f.Kind != kind {
		b.say(path, "%q is a feed of kind %s, want %s", id, f.Kind, kind)
	}
}

// fedTariff checks where the prices of a series or dynamic tariff come from.
func (b *builder) fedTariff(t *Tariff, path string) {
	if t.Kind != "series" && t.Kind != "dynamic" {
		return
	}
	switch {
	case t.File != nil && t.Feed != "":
		b.say(path+".feed", "file is given too: one of them")
	case t.File == nil && t.Feed == "" && !b.has(path+".file") && !b.has(path+".feed"):
		b.say(path, "file or feed is missing: a %s tariff takes its prices from one", t.Kind)
	}
	b.feed(t.Feed, path+".feed", Entsoe)
}

// fedCarbon checks the feed of a source of carbon intensity.
func (b *builder) fedCarbon(s *Carbon, path string) {
	if s.Feed == "" {
		return
	}
	if s.File != nil {
		b.say(path+".feed", "file is given too: one of them")
	}
	b.feed(s.Feed, path+".feed", Eco2mix)
	if is := carbon.Eco2mixAbout; s.Scope != is.Scope || s.Basis != is.Basis || s.Method != "average" {
		b.say(path+".feed", "éco2mix is average, %s, of %s, and this source %s, %s, of %s: they are not compared", is.Scope, is.Basis, s.Method, s.Scope, s.Basis)
	}
}

// Key returns the token of a feed from where the file says it is; empty when it says nowhere.
func (f *Feed) Key() (string, error) { return secret("feeds.key", f.KeyFile, f.KeyEnv) }

// usesOf says in words who uses a feed.
func (c *Config) usesOf(id string) string {
	var out []string
	for _, t := range c.File.Tariffs {
		if t.Feed == id {
			out = append(out, "tariff "+t.ID)
		}
	}
	for _, s := range c.File.Carbon {
		if s.Feed == id {
			out = append(out, "carbon "+s.ID)
		}
	}
	for _, d := range c.File.Districts {
		if d.Weather == id {
			out = append(out, "weather of "+d.ID)
		}
	}
	if len(out) == 0 {
		return "nobody"
	}
	return strings.Join(out, ", ")
}

// httpAddress refuses what is no address of a web service.
func httpAddress(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("%q is no address", s)
	}
	if u.User != nil || u.Query().Has("securityToken") || u.Query().Has("apikey") {
		return fmt.Errorf("the address holds a user name, password or token: secrets are never written here")
	}
	if u.Fragment != "" {
		return fmt.Errorf("%q has a fragment", s)
	}
	return nil
}

// eicSigns are the signs of an EIC code by their value.
const eicSigns = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"

// eic refuses a code whose last sign, which checks the others, is wrong: the sum of the values of the others, weighted 16 to 2, modulo 37.
func eic(s string) error {
	sum := 0
	for i, c := range s[:15] {
		sum += strings.IndexRune(eicSigns, c) * (16 - i)
	}
	if want := eicSigns[36-(sum+36)%37]; s[15] != want {
		return fmt.Errorf("%q ends in %c, which checks the other signs, and should in %c", s, s[15], want)
	}
	return nil
}

// FeedIDs returns the ids of the feeds of a kind, sorted.
func (c *Config) FeedIDs(kind string) []string {
	var out []string
	for id, f := range c.Feeds {
		if f.Kind == kind {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
