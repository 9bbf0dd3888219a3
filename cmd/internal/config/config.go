package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"quartier/schemas/balance/ped"
	"quartier/schemas/district"
	"quartier/schemas/tariff"
)

// Config is a checked configuration in the vocabulary of the rest of Quartier.
type Config struct {
	Name      string // of the file, as given
	File      File   // as written, with defaults; of a loaded file, its paths are resolved against its folder
	Districts []district.District
	Tariffs   map[string]*tariff.Tariff
	Carbon    map[string]Carbon
	Feeds     map[string]Feed
	PED       map[string]*ped.Profile   // calculation profiles of the positive-energy balance: built in, of the file, and of files that it names
	Sources   map[string]*tariff.Carbon // the same sources of carbon intensity, with the values of their files
}

// Options are what checking needs from outside. A nil function checks nothing.
type Options struct {
	// Profile says whether a profile is known, and for which device kinds it is; no kinds: any.
	Profile func(name string) (kinds []district.Kind, known bool)
	// ProfileFault says what is wrong with a user's own profile, a file, that Profile does not know; nil: nothing more is said.
	ProfileFault func(name string) error
	// Profiles lists the known profiles, for the message about an unknown one.
	Profiles []string
	// Address says why a device of a known profile cannot be reached at an address of the right form, or nil.
	Address func(profile, address string) error
	// ReadFile reads a file that the configuration names, a series of prices or intensities, by its path as written. Nil: such files are not read and the
	// series stay empty.
	ReadFile func(path string) ([]byte, error)

	dir string // of the file, against which those of own profiles are resolved
}

// Load reads and checks a file, and the series that it names beside it. The error is [Faults] when the content is wrong.
func Load(name string, opt Options) (*Config, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	dir := filepath.Dir(name)
	opt.dir = dir
	if opt.ReadFile == nil {
		opt.ReadFile = func(path string) ([]byte, error) { return os.ReadFile(beside(dir, path)) }
	}
	c, err := Parse(name, data, opt)
	if err != nil {
		return nil, err
	}
	f := &c.File
	for _, p := range []*string{&f.DataDir, &f.Console.TLSCert, &f.Console.TLSKey, &f.Database.URLFile, &f.Face.ModbusCert, &f.Face.ModbusKey, &f.Face.ModbusCA, &f.OPCUA.PKI} {
		*p = beside(dir, *p)
	}
	for i := range f.Feeds {
		f.Feeds[i].KeyFile = beside(dir, f.Feeds[i].KeyFile)
		c.Feeds[f.Feeds[i].ID] = f.Feeds[i]
	}
	if m := f.Alarms.Email; m != nil {
		m.CAFile, m.PasswordFile = beside(dir, m.CAFile), beside(dir, m.PasswordFile)
	}
	for i := range f.Alarms.Webhooks {
		w := &f.Alarms.Webhooks[i]
		w.SecretFile = beside(dir, w.SecretFile)
	}
	c.eachDevice(func(_ [3]string, d *Device) {
		if x := d.OPCUA; x != nil {
			for _, p := range []*string{&x.PasswordFile, &x.UserCert, &x.UserKey} {
				*p = beside(dir, *p)
			}
		}
	})
	for i := range c.Districts {
		for _, dev := range c.Districts[i].AllDevices {
			if t := dev.TLS; t != nil {
				t.CAFile, t.CertFile, t.KeyFile = beside(dir, t.CAFile), beside(dir, t.CertFile), beside(dir, t.KeyFile)
			}
		}
	}
	return c, nil
}

// eachDevice calls visit for every device as written, with its district, site and id.
func (c *Config) eachDevice(visit func(at [3]string, d *Device)) {
	for i := range c.File.Districts {
		f := &c.File.Districts[i]
		for k := range f.Devices {
			visit([3]string{f.ID, district.DistrictSite, f.Devices[k].ID}, &f.Devices[k])
		}
		for j := range f.Sites {
			for k := range f.Sites[j].Devices {
				visit([3]string{f.ID, f.Sites[j].ID, f.Sites[j].Devices[k].ID}, &f.Sites[j].Devices[k])
			}
		}
	}
}

// Device returns a device as it is written, by its district, site and id, or nil.
func (c *Config) Device(district, site, id string) *Device {
	var out *Device
	c.eachDevice(func(at [3]string, d *Device) {
		if at == [3]string{district, site, id} {
			out = d
		}
	})
	return out
}

// PKIDir is the folder of our OPC UA certificate and the trust list.
func (c *Config) PKIDir() string {
	if c.File.OPCUA.PKI != "" {
		return c.File.OPCUA.PKI
	}
	return filepath.Join(c.File.DataDir, "pki")
}

// Password returns the password of an OPC UA server from where the file says it is; empty when it says nowhere.
func (x *DeviceOPCUA) Password() (string, error) {
	return secret("opcua.password", x.PasswordFile, x.PasswordEnv)
}

// beside resolves a path against a folder; an empty path stays empty.
func beside(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// Parse checks the content of a file; name stands in the messages. It reads no file but through opt.ReadFile. The error is [Faults].
func Parse(name string, data []byte, opt Options) (*Config, error) {
	d := &decoder{file: name}
	c := &Config{Name: name}
	d.decode(data, &c.File)
	b := &builder{decoder: d, opt: opt, cfg: c}
	if d.values <= maxValues {
		b.build()
	}
	if err := d.result(); err != nil {
		return nil, err
	}
	return c, nil
}

// leastFineDays is the fewest days for which samples are kept.
const leastFineDays = 100

// DatabaseURL returns the database's connection URL from where the file says it is; empty without a database.
func (c *Config) DatabaseURL() (string, error) {
	db := c.File.Database
	return secret("database.url", db.URLFile, db.URLEnv)
}

// secret reads a secret from a file or an environment variable; empty when neither is named. Errors name the place and never the content.
func secret(path, file, env string) (string, error) {
	switch {
	case file != "":
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("config: %s_file: %w", path, err)
		}
		text := strings.TrimSpace(string(data))
		if text == "" {
			return "", fmt.Errorf("config: %s_file: %s is empty", path, file)
		}
		return text, nil
	case env != "":
		text := strings.TrimSpace(os.Getenv(env))
		if text == "" {
			return "", fmt.Errorf("config: %s_env: environment variable %s is not set", path, env)
		}
		return text, nil
	}
	return "", nil
}

// District returns the district of the given id as it is written, with its sharing and baseline, or nil.
func (c *Config) District(id string) *District {
	for i := range c.File.Districts {
		if c.File.Districts[i].ID == id {
			return &c.File.Districts[i]
		}
	}
	return nil
}

// builder checks what concerns several values, and builds the vocabulary.
type builder struct {
	*decoder
	opt   Options
	cfg   *Config
	ends  map[string][]end // the devices at each address and unit
	lines map[string]end   // the first device on each serial line
}

func (b *builder) build() {
	f := &b.cfg.File
	b.cfg.Tariffs, b.cfg.Carbon, b.cfg.Sources, b.ends, b.lines = map[string]*tariff.Tariff{}, map[string]Carbon{}, map[string]*tariff.Carbon{}, map[string][]end{}, map[string]end{}
	if f.Database.URLFile != "" && f.Database.URLEnv != "" {
		b.say("database.url_env", "url_file is given too: one of them")
	}
	switch c := f.Console; {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		b.say("console", "tls_cert_file and tls_key_file are needed together")
	case c.TLSCert == "" && forms["listen"].re.MatchString(c.Listen) && !loopback(c.Listen):
		b.say("console.listen", "%s is reached beyond this machine: tls_cert_file and tls_key_file are needed, or a loopback address such as 127.0.0.1:8080", c.Listen)
	}
	if n := f.Record.FineDays; n > 0 && n < leastFineDays {
		b.say("record.fine_days", "%v days is below %d: forecasts, reports and audits of the last quarter read single samples", n, leastFineDays)
	}
	if c := f.Control; c.PlanMaxAgeHours*60 <= c.ReplanMinutes && c.PlanMaxAgeHours > 0 {
		b.say("control.plan_max_age_hours", "%v h is not above replan_minutes %v min: every plan would be too old before the next", c.PlanMaxAgeHours, c.ReplanMinutes)
	}
	b.face(&f.Face)
	b.feeds(f)
	b.alarms(&f.Alarms)
	ids := map[string]string{}
	for i := range f.Tariffs {
		path := fmt.Sprintf("tariffs[%d]", i)
		b.once(ids, "tariff", f.Tariffs[i].ID, path+".id")
		b.cfg.Tariffs[f.Tariffs[i].ID] = b.tariff(&f.Tariffs[i], path)
	}
	ids = map[string]string{}
	for i := range f.Carbon {
		path := fmt.Sprintf("carbon[%d]", i)
		b.once(ids, "carbon source", f.Carbon[i].ID, path+".id")
		b.cfg.Carbon[f.Carbon[i].ID] = f.Carbon[i]
		b.cfg.Sources[f.Carbon[i].ID] = b.carbon(&f.Carbon[i], path)
	}
	b.profilesPED(f)
	ids = map[string]string{}
	for i := range f.Districts {
		path := fmt.Sprintf("districts[%d]", i)
		b.once(ids, "district", f.Districts[i].ID, path+".id")
		b.cfg.Districts = append(b.cfg.Districts, b.district(&f.Districts[i], path))
	}
}

// once notes an id that is used twice.
func (b *builder) once(seen map[string]string, what, id, path string) {
	if id == "" {
		return
	}
	if first, twice := seen[id]; twice {
		b.say(path, "%q is the %s of line %d too", id, what, b.at(first).line)
		return
	}
	seen[id] = path
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

// day returns the local midnight of a day; zero for an absent one or one that the decoder has reported.
func day(text string, loc *time.Location) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, text, loc)
	if err != nil {
		return time.Time{}
	}
	return t
}

// minutes returns a clock time in minutes after midnight; 0 for one that the decoder has reported.
func minutes(clock string) int {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		return 0
	}
	return t.Hour()*60 + t.Minute()
}
