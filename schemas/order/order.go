// Package order is what people and building systems ask of the control: an order has a kind, a target, a value with its unit, an author, a reason, a start and an end,
// and it says how it ended.
//
// Every such wish is an order, whether it comes from the console, the HTTP API or the Modbus and OPC UA face, so that there is one list and one meaning. An order is kept in
// the record from its begin; it never vanishes, it ends. All times are on the district's clock.
package order

import (
	"cmp"
	"time"

	"quartier/schemas/units"
)

// Kind is what is asked for.
type Kind string

// The kinds of orders. What an order's Value and High mean depends on its kind.
const (
	ImportLimit Kind = "import_limit"  // of a site or the district: largest power drawn, kW
	ExportLimit Kind = "export_limit"  // of a site or the district: largest power fed, kW
	Comfort     Kind = "comfort"       // of a site: shift of its comfort bands, K
	Range       Kind = "comfort_range" // of a heat pump or water heater: band from Value to High, °C
	Away        Kind = "away"          // of a site: nobody is there; zones may be Value K colder, cars and hot water do not matter
	ReadyBy     Kind = "ready_by"      // of a charger: Value kWh in this session by the order's end
	Quiet       Kind = "quiet_hours"   // of a heat pump, water heater or charger: at most Value kW in the daily hours From to To, 0: off
	Power       Kind = "power"         // of a device under control: Value kW, positive into it, 0: off
	OwnControl  Kind = "own_control"   // of a device under control: Quartier leaves it to its own control
	LockOut     Kind = "lock_out"      // of a device: it is being worked on, nothing is written to it until the order ends
)

// Kinds returns every kind, in the order in which forms show them.
func Kinds() []Kind {
	return []Kind{Power, OwnControl, Range, Comfort, Away, ReadyBy, Quiet, ImportLimit, ExportLimit, LockOut}
}

// Unit is the unit of a kind's value; empty where there is no value.
func (k Kind) Unit() units.Unit {
	switch k {
	case ImportLimit, ExportLimit, Quiet, Power:
		return units.KW
	case Comfort, Away:
		return "K"
	case Range:
		return units.DegC
	case ReadyBy:
		return units.KWh
	}
	return ""
}

// Source is the way on which an order came.
type Source string

// The sources of orders.
const (
	FromConsole Source = "console"         // a person, in the console or by the HTTP API
	FromSystem  Source = "building_system" // the Modbus or OPC UA face: it holds as long as it is repeated
	FromSilence Source = "silence"         // Quartier itself: the signal of a limit fell silent, and its fall-back holds
	FromConfig  Source = "configuration"   // the configuration: it stands until that is changed, see [Standing]
)

// Outcome is how an order ended.
type Outcome string

// The outcomes of orders.
const (
	Open      Outcome = ""          // it has not ended
	Completed Outcome = "completed" // its end came
	EndedBy   Outcome = "ended"     // somebody ended it before
	Replaced  Outcome = "replaced"  // another order took its place
	Lapsed    Outcome = "lapsed"    // its building system no longer repeated it
)

// State is where an order stands at an instant.
type State string

// The states of orders.
const (
	Planned State = "planned"
	Running State = "running"
	Ended   State = "ended"
)

// Order is one wish. Orders with the same [Order.Slot] exclude each other.
type Order struct {
	ID       string  `json:"id"`
	District string  `json:"district"`
	Site     string  `json:"site,omitempty"`   // empty: the district itself
	Device   string  `json:"device,omitempty"` // empty: the site or district
	Kind     Kind    `json:"kind"`
	Value    float64 `json:"value"`
	High     float64 `json:"high,omitempty"` // upper end of a comfort range, °C
	From     string  `json:"from,omitempty"` // of quiet hours, local time "22:00"
	To       string  `json:"to,omitempty"`   // of quiet hours, local time "06:00"; not after From: on the next day
	Days     Days    `json:"days,omitempty"` // of quiet hours, on which they begin

	Author  string    `json:"author"`
	Source  Source    `json:"source"`
	Reason  string    `json:"reason"`
	Created time.Time `json:"created"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end,omitzero"` // zero: until somebody ends it

	Outcome  Outcome   `json:"outcome,omitempty"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
	EndedWho string    `json:"ended_who,omitempty"`
	EndedWhy string    `json:"ended_why,omitempty"` // the reason of who ended it, or of the order that took its place
	Cost     *Cost     `json:"cost,omitempty"`
	Revision int       `json:"revision"` // grows with each change; of two rows with one id, the one with the higher revision holds
}

// Cost is what an order costs: the certified cost of a plan with it less that of a plan without it, from the same state, over the hours of the plan. Neither plan is proven to
// be the best one; the difference of the best ones lies between Low and High. The other orders are in both plans: costs of orders that make up for each other, such as two batteries that are locked out, add up to more
// than what all of them cost together.
type Cost struct {
	EUR   float64   `json:"eur"` // negative: it saves
	Low   float64   `json:"low_eur"`
	High  float64   `json:"high_eur"`
	Hours float64   `json:"hours"` // that the plans reach over
	At    time.Time `json:"at"`
}

// Slot names what an order decides on: of one slot, one order holds at a time, except that limits come beside each other and the tightest holds. Quiet hours at other hours or on other days
// have a slot of their own: where they meet, the lowest power holds.
type Slot struct {
	Kind         Kind
	Site, Device string
	From, To     string // of quiet hours
	Days         Days   // of quiet hours, every day by name
}

// Slot returns the order's slot.
func (o *Order) Slot() Slot {
	s := Slot{Kind: o.Kind, Site: o.Site, Device: o.Device}
	if o.Kind == Quiet {
		if s.From, s.To, s.Days = o.From, o.To, o.Days; s.Days == 0 {
			s.Days = 1<<len(dayNames) - 1
		}
	}
	return s
}

// State returns where the order stands at now.
func (o *Order) State(now time.Time) State {
	switch {
	case o.Outcome != Open || !o.End.IsZero() && !now.Before(o.End):
		return Ended
	case now.Before(o.Start):
		return Planned
	}
	return Running
}

// Until is when the order holds no longer, as far as that is known; zero: nobody knows.
func (o *Order) Until() time.Time {
	if o.Outcome != Open {
		return o.EndedAt
	}
	return o.End
}

// At reports whether the order asks for something at an instant: within its span and, of quiet hours, within the hours in the district's zone.
func (o *Order) At(t time.Time, zone *time.Location) bool {
	if t.Before(o.Start) {
		return false
	}
	if end := o.Until(); !end.IsZero() && !t.Before(end) {
		return false
	}
	return o.Kind != Quiet || inHours(o.From, o.To, o.Days, t, zone)
}

// Overlaps reports whether the spans of two orders, from start to end, have an instant in common.
func (o *Order) Overlaps(p *Order) bool {
	a, b := o.Until(), p.Until()
	return (b.IsZero() || o.Start.Before(b)) && (a.IsZero() || p.Start.Before(a))
}

// inHours reports whether an instant lies in daily hours by the local clock, whose changes it so follows: on the day of a change they are an hour longer or shorter. Hours
// whose ends are the same are a whole day. Hours over midnight belong to the day on which they begin.
func inHours(from, to string, days Days, t time.Time, zone *time.Location) bool {
	a, okA := minutes(from)
	b, okB := minutes(to)
	if !okA || !okB {
		return false
	}
	l := t.In(zone)
	m := l.Hour()*60 + l.Minute()
	switch today := l.Weekday(); {
	case a < b:
		return m >= a && m < b && days.Has(today)
	case m >= a:
		return days.Has(today)
	default:
		return m < b && days.Has((today+6)%7)
	}
}

// minutes are those since midnight of a clock time "22:00".
func minutes(clock string) (int, bool) {
	t, err := time.Parse("15:04", clock)
	return t.Hour()*60 + t.Minute(), err == nil
}

// Compare orders by start, then id.
func Compare(a, b Order) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) }
