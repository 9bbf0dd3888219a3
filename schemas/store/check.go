package store

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"quartier/schemas/balance"
	"quartier/schemas/district"
)

// The range of times that every store can keep, far beyond any measurement: years 1 to 9999.
var (
	minTime = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// maxNamed is how many faults of one call are named; the rest is counted.
const maxNamed = 20

// maxName is the longest series name or account name in bytes.
const maxName = 500

// Faults collects what is wrong with the arguments of one call.
type Faults struct {
	errs []error
	more int
}

// Addf adds one fault.
func (f *Faults) Addf(format string, args ...any) {
	if len(f.errs) == maxNamed {
		f.more++
		return
	}
	f.errs = append(f.errs, fmt.Errorf(format, args...))
}

// Err returns every fault in one error that matches [ErrInvalid], or nil without any.
func (f *Faults) Err() error {
	if len(f.errs) == 0 {
		return nil
	}
	if f.more > 0 {
		f.errs = append(f.errs, fmt.Errorf("and %d faults more", f.more))
	}
	return fmt.Errorf("%w: %w", ErrInvalid, errors.Join(f.errs...))
}

// CheckTime adds a fault when t cannot be kept.
func (f *Faults) CheckTime(object string, t time.Time) {
	if t.Before(minTime) || t.After(maxTime) {
		f.Addf("%s: time %v is not between year 1 and year 9999", object, t)
	}
}

// CheckNumber adds a fault when v is not finite.
func (f *Faults) CheckNumber(object, name string, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		f.Addf("%s: %s is %v, not a finite number", object, name, v)
	}
}

// CheckName adds a fault when a name cannot be a key: not UTF-8, control characters or too long. It reports whether there was none.
func (f *Faults) CheckName(what, name string) bool {
	switch {
	case !utf8.ValidString(name):
		f.Addf("%s %q is not UTF-8", what, name)
	case strings.ContainsFunc(name, unicode.IsControl):
		f.Addf("%s %q holds a control character", what, name)
	case len(name) > maxName:
		f.Addf("%s %.40q… is %d bytes long, more than %d", what, name, len(name), maxName)
	default:
		return true
	}
	return false
}

// CheckSeries adds a fault when the series name has not the four parts of [district.SeriesID]. It reports whether there was none.
func (f *Faults) CheckSeries(s district.SeriesID) bool {
	if _, _, _, _, ok := s.Parts(); !ok {
		f.Addf("series %.120q is not district/site/device/quantity", string(s))
		return false
	}
	return f.CheckName("series", string(s))
}

// CheckSample adds the faults of one sample but for its series name.
func (f *Faults) CheckSample(s *district.Sample) {
	if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		f.Addf("series %s at %s: value is %v, not a finite number", s.Series, s.Time.UTC().Format(time.RFC3339Nano), s.Value)
	}
	if s.Time.Before(minTime) || s.Time.After(maxTime) {
		f.CheckTime("series "+string(s.Series), s.Time)
	}
	if s.Quality > district.Substituted {
		f.Addf("series %s at %s: unknown quality %d", s.Series, s.Time.UTC().Format(time.RFC3339Nano), s.Quality)
	}
	if s.Source > 15 {
		f.Addf("series %s at %s: unknown source %d", s.Series, s.Time.UTC().Format(time.RFC3339Nano), s.Source)
	}
}

// CheckBalances returns the faults of balance rows, or nil.
func CheckBalances(rows []balance.Row) error {
	var f Faults
	for i := range rows {
		r := &rows[i]
		object := "balance " + r.District + "/" + r.Site
		if r.District == "" || r.Site == "" {
			f.Addf("balance row %d: district %q and site %q must not be empty", i, r.District, r.Site)
		}
		f.CheckName("district", r.District)
		f.CheckName("site", r.Site)
		f.CheckTime(object, r.Start)
		if r.Step <= 0 || r.Step%time.Microsecond != 0 {
			f.Addf("%s at %s: step %v is not a positive number of microseconds", object, r.Start.UTC().Format(time.RFC3339), r.Step)
		}
		f.CheckNumber(object, "cost_eur", r.CostEUR)
		f.CheckNumber(object, "carbon_kg", r.CarbonKg)
		f.CheckNumber(object, "baseline_cost_eur", r.BaselineCostEUR)
		f.CheckNumber(object, "baseline_carbon_kg", r.BaselineCarbonKg)
		f.CheckNumber(object, "coverage", r.Coverage)
	}
	return f.Err()
}

// CheckCarriers returns the faults of rows of carriers, or nil.
func CheckCarriers(rows []balance.CarrierRow) error {
	var f Faults
	for i := range rows {
		r := &rows[i]
		object := "balance " + r.District + "/" + r.Site + " of " + string(r.Carrier)
		if r.District == "" || r.Site == "" || r.Carrier == "" {
			f.Addf("carrier row %d: district %q, site %q and carrier %q must not be empty", i, r.District, r.Site, r.Carrier)
		}
		f.CheckName("district", r.District)
		f.CheckName("site", r.Site)
		f.CheckName("carrier", string(r.Carrier))
		f.CheckTime(object, r.Start)
		if r.Step <= 0 || r.Step%time.Microsecond != 0 {
			f.Addf("%s at %s: step %v is not a positive number of microseconds", object, r.Start.UTC().Format(time.RFC3339), r.Step)
		}
		f.CheckNumber(object, "coverage", r.Coverage)
	}
	return f.Err()
}

// CheckForecastErrors returns the faults of rows of forecast errors, or nil.
func CheckForecastErrors(rows []district.ForecastError) error {
	var f Faults
	for i := range rows {
		r := &rows[i]
		object := "forecast of " + r.Quantity + " of " + r.District + "/" + r.Site
		if r.Device != "" {
			object += "/" + r.Device
		}
		if r.District == "" || r.Site == "" || r.Quantity == "" {
			f.Addf("forecast row %d: district %q, site %q and quantity %q must not be empty", i, r.District, r.Site, r.Quantity)
		}
		f.CheckName("district", r.District)
		f.CheckName("site", r.Site)
		f.CheckName("device", r.Device)
		f.CheckName("quantity", r.Quantity)
		f.CheckTime(object, r.Day)
		if r.LeadMinutes < 0 || r.LeadMinutes > math.MaxInt32 {
			f.Addf("%s: lead of %d min", object, r.LeadMinutes)
		}
		if r.Count < 0 || r.Banded < 0 || r.Covered < 0 || r.Banded > r.Count || r.Covered > r.Banded {
			f.Addf("%s on %s: %d slots, %d with a band, %d within it", object, r.Day.UTC().Format(time.DateOnly), r.Count, r.Banded, r.Covered)
		}
		f.CheckNumber(object, "absolute", r.Absolute)
		f.CheckNumber(object, "persistence", r.Persistence)
		f.CheckNumber(object, "measured", r.Measured)
		f.CheckNumber(object, "pinball", r.Pinball)
	}
	return f.Err()
}

// CheckPlan returns the faults of what a plan is found by, or nil; its numbers are checked when it is written as JSON.
func CheckPlan(p *district.Plan) error {
	var f Faults
	if p == nil {
		f.Addf("no plan")
		return f.Err()
	}
	if p.District == "" {
		f.Addf("plan of %s: district is empty", p.CreatedAt.UTC().Format(time.RFC3339))
	}
	f.CheckName("district", p.District)
	f.CheckTime("plan of "+p.District, p.CreatedAt)
	return f.Err()
}

// CheckSetpoints returns the faults of set-points, or nil.
func CheckSetpoints(sps []district.Setpoint) error {
	var f Faults
	for i := range sps {
		sp := &sps[i]
		object := "set-point " + sp.District + "/" + sp.Site + "/" + sp.Device
		f.CheckName("district", sp.District)
		f.CheckName("site", sp.Site)
		f.CheckName("device", sp.Device)
		f.CheckTime(object, sp.Time)
		f.CheckNumber(object, "wanted_kw", sp.WantedKW)
		f.CheckNumber(object, "sent_kw", sp.SentKW)
		f.CheckNumber(object, "read_back", sp.ReadBack)
	}
	return f.Err()
}

// CheckEvent returns the faults of an event, or nil.
func CheckEvent(e Event) error {
	var f Faults
	if e.Kind == "" {
		f.Addf("event %q: kind is empty", e.Action)
	}
	f.CheckName("event kind", string(e.Kind))
	f.CheckTime("event "+e.Action, e.Time)
	return f.Err()
}

// CheckUser returns the faults of an account, or nil.
func CheckUser(u User) error {
	var f Faults
	if u.Name == "" {
		f.Addf("user name is empty")
	}
	f.CheckName("user name", u.Name)
	f.CheckName("role", string(u.Role))
	f.CheckName("password hash", u.PasswordHash)
	return f.Err()
}

// CheckSession returns the faults of a session, or nil.
func CheckSession(s Session) error {
	var f Faults
	if s.TokenHash == "" {
		f.Addf("session of %s: token hash is empty", s.User)
	}
	f.CheckName("token hash", s.TokenHash)
	f.CheckName("user name", s.User)
	f.CheckName("csrf token", s.CSRF)
	return f.Err()
}

// CleanText makes a description fit for every store: bytes that are not UTF-8 become U+FFFD, control characters but tab and newline as well. An
// event or set-point is never lost for what a device wrote into its message.
func CleanText(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, unprintable) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

func unprintable(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

// CleanSetpoint returns sp as a store keeps it: time in UTC to the microsecond, descriptions mended.
func CleanSetpoint(sp district.Setpoint) district.Setpoint {
	sp.Time = Instant(sp.Time)
	sp.Command, sp.Reason, sp.Detail = CleanText(sp.Command), CleanText(sp.Reason), CleanText(sp.Detail)
	sp.Outcome = district.Outcome(CleanText(string(sp.Outcome)))
	return sp
}

// CleanEvent returns e as a store keeps it: time in UTC to the microsecond, descriptions mended.
func CleanEvent(e Event) Event {
	e.Time = Instant(e.Time)
	e.Actor, e.Action, e.Object = CleanText(e.Actor), CleanText(e.Action), CleanText(e.Object)
	e.Detail, e.Remote, e.Severity = CleanText(e.Detail), CleanText(e.Remote), CleanText(e.Severity)
	return e
}

// CleanUser returns u as a store keeps it.
func CleanUser(u User) User {
	u.CreatedAt = Instant(u.CreatedAt)
	u.District, u.Member, u.Language = CleanText(u.District), CleanText(u.Member), CleanText(u.Language)
	return u
}

// Instant returns t as a store keeps it: in UTC, rounded down to the microsecond.
func Instant(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

// Micro returns the microseconds from the Unix epoch to t, rounded down.
func Micro(t time.Time) int64 { return t.UnixMicro() }

// CeilMicro returns the first microsecond at or after t; the bounds of a span of samples are rounded up, so that half-open spans join.
func CeilMicro(t time.Time) int64 {
	us := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		us++
	}
	return us
}

// FromMicro is the inverse of [Micro].
func FromMicro(us int64) time.Time { return time.UnixMicro(us).UTC() }
