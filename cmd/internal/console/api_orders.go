package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/district"
	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// ErrStanding is the error of ending an order that stands in the configuration.
var ErrStanding = errors.New("console: the order stands in the configuration")

// Orders is where orders of people go, and where those that hold are known.
type Orders interface {
	// Give checks an order, keeps it and puts it in force from its start on. The error of a bad one is [order.Faults].
	Give(ctx context.Context, districtID string, o order.Order) (order.Order, error)
	// Try says what an order would cost without giving it: its Cost, or why there is none. The error of a bad one is [order.Faults].
	Try(ctx context.Context, districtID string, o order.Order) (tried order.Order, unpriced string, err error)
	// End ends an order before its time, for a reason; the error of one that is not there or has ended wraps [store.ErrNotFound], that of one of the configuration [ErrStanding].
	End(ctx context.Context, districtID, id, who, why string) (order.Order, error)
	// Open lists the orders of a district that hold or are to hold, those of building systems among them, with what they cost.
	Open(districtID string) []order.Order
}

// OrderCost is what an order costs.
type OrderCost struct {
	EUR   float64   `json:"eur" doc:"certified cost of the plan with the order less that without it, from the same state; negative: it saves"`
	Low   float64   `json:"low_eur" doc:"between this and high_eur lies the difference of the best plans: what is left of the plans' gaps"`
	High  float64   `json:"high_eur"`
	Hours float64   `json:"hours" doc:"that the plans reach over"`
	At    time.Time `json:"at" doc:"when it was reckoned"`
}

// OrderInfo is what somebody asked of the control.
type OrderInfo struct {
	ID         string        `json:"id"`
	State      order.State   `json:"state" enum:"planned,running,ended"`
	Kind       order.Kind    `json:"kind" enum:"power,own_control,comfort_range,comfort,away,ready_by,quiet_hours,import_limit,export_limit,lock_out"`
	Site       string        `json:"site" doc:"empty: the district itself"`
	SiteName   string        `json:"site_name"`
	Device     string        `json:"device" doc:"empty: the site or district"`
	DeviceName string        `json:"device_name"`
	Value      float64       `json:"value"`
	High       float64       `json:"high" doc:"upper end of a comfort range"`
	Unit       string        `json:"unit" doc:"of value and high; empty: the kind has no value"`
	From       string        `json:"from" doc:"of quiet hours, local time"`
	To         string        `json:"to"`
	Days       []string      `json:"days" doc:"of quiet hours, on which they begin: mon to sun; empty: every day"`
	Author     string        `json:"author"`
	Source     order.Source  `json:"source" enum:"console,building_system,silence,configuration" doc:"what the configuration says holds at any time, has no begin and is ended by nobody"`
	Reason     string        `json:"reason"`
	Created    time.Time     `json:"created"`
	Start      time.Time     `json:"start"`
	End        *time.Time    `json:"end" doc:"null: until somebody ends it, or of a building system, but of its lock-outs: as long as it is repeated"`
	Outcome    order.Outcome `json:"outcome" doc:"of an ended one: completed, ended (by somebody, before its time), replaced, lapsed (no longer repeated)"`
	EndedAt    *time.Time    `json:"ended_at"`
	EndedWho   string        `json:"ended_who"`
	EndedWhy   string        `json:"ended_why" doc:"the reason of who ended it, or of the order that took its place; empty: none was given"`
	Cost       *OrderCost    `json:"cost" doc:"null: not reckoned"`
}

// OrderWish is what an order asks for.
type OrderWish struct {
	Kind   order.Kind `json:"kind" enum:"power,own_control,comfort_range,comfort,away,ready_by,quiet_hours,import_limit,export_limit,lock_out"`
	Site   string     `json:"site,omitempty" maxLength:"100" doc:"absent: the district itself, for a limit"`
	Device string     `json:"device,omitempty" maxLength:"100"`
	Value  *float64   `json:"value,omitempty" doc:"kW of power, quiet_hours and limits, positive into the device; K of comfort and away; °C, the lower end, of comfort_range; kWh of ready_by. Each of these kinds needs it but quiet_hours, where absent is 0: off"`
	High   float64    `json:"high,omitempty" doc:"upper end of comfort_range, °C"`
	From   string     `json:"from,omitempty" doc:"of quiet_hours, each day, local time such as 22:00"`
	To     string     `json:"to,omitempty" doc:"of quiet_hours; before from: on the next day; the same as from: the whole day"`
	Days   []string   `json:"days,omitempty" maxItems:"7" doc:"of quiet_hours, on which they begin: mon, tue, wed, thu, fri, sat, sun; absent: every day"`
	Start  *time.Time `json:"start,omitempty" doc:"absent: now"`
	End    *time.Time `json:"end,omitempty" doc:"absent: until somebody ends it, of lock_out and quiet_hours alone"`
}

// NewOrder is an order to be given.
type NewOrder struct {
	OrderWish
	Reason string `json:"reason" minLength:"3" maxLength:"500"`
}

// OrderTrial is what an order would cost.
type OrderTrial struct {
	Cost     *OrderCost `json:"cost" doc:"null: see unpriced"`
	Unpriced string     `json:"unpriced" enum:",no_plan,beyond_plan,not_planned,not_reckoned" doc:"why there is no cost: there is no plan yet; the order begins after the end of the plan; it begins later and what follows from it is not known before (own control, a battery that comes back, a sun that is not held back); no plan with it was found in time"`
}

type tryOrderInput struct {
	District string `path:"district"`
	Body     OrderWish
}

type ordersInput struct {
	District string `path:"district"`
	Days     int    `query:"days" minimum:"0" maximum:"400" default:"7" doc:"how far back ended orders are listed"`
}

type giveOrderInput struct {
	District string `path:"district"`
	Body     NewOrder
}

type endOrderInput struct {
	District string `path:"district"`
	ID       string `path:"id" maxLength:"200"`
	Body     struct {
		Reason string `json:"reason" minLength:"3" maxLength:"500"`
	}
}

type orderOutput struct{ Body OrderInfo }

func (s *Server) orderRoutes() {
	register(s, ViewerAccess, get("list-orders", "/api/districts/{district}/orders", "orders", "What people and building systems ask of the control: running, planned and ended orders"), s.listOrders)
	give := write(http.MethodPost, "give-order", "/api/districts/{district}/orders", "orders", "Give an order")
	give.DefaultStatus = http.StatusCreated
	give.Errors = []int{http.StatusNotFound, http.StatusConflict}
	register(s, OperatorAccess, give, s.giveOrder)
	try := write(http.MethodPost, "try-order", "/api/districts/{district}/orders/trial", "orders", "What an order would cost, without giving it: two plans are compared, which takes as long as a plan may")
	try.Errors = []int{http.StatusNotFound, http.StatusConflict}
	register(s, OperatorAccess, try, s.tryOrder)
	end := write(http.MethodPost, "end-order", "/api/districts/{district}/orders/{id}/end", "orders", "End an order before its time")
	end.Errors = []int{http.StatusNotFound, http.StatusConflict}
	register(s, OperatorAccess, end, s.endOrder)
}

func (s *Server) listOrders(ctx context.Context, in *ordersInput) (*struct{ Body []OrderInfo }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	now := s.deps.Now()
	past, err := s.deps.Store.Orders(ctx, d.ID, timegrid.NewSpan(now.AddDate(0, 0, -in.Days), now.Add(order.Longest)))
	if err != nil {
		return nil, s.broken(ctx, "reading orders", err)
	}
	all := map[string]order.Order{}
	for _, o := range past {
		all[o.ID] = o
	}
	if s.deps.Orders != nil {
		for _, o := range s.deps.Orders.Open(d.ID) {
			if had, ok := all[o.ID]; !ok || had.Revision <= o.Revision {
				all[o.ID] = o
			}
		}
	}
	out := []OrderInfo{}
	for _, o := range all {
		out = append(out, describeOrder(d, o, now))
	}
	rank := map[order.State]int{order.Running: 0, order.Planned: 1, order.Ended: 2}
	slices.SortFunc(out, func(a, b OrderInfo) int {
		if a.State != b.State {
			return rank[a.State] - rank[b.State]
		}
		byStart := a.Start.Compare(b.Start)
		if a.State == order.Ended {
			byStart = -byStart
		}
		if byStart != 0 {
			return byStart
		}
		return slices.Compare([]byte(a.ID), []byte(b.ID))
	})
	return &struct{ Body []OrderInfo }{out}, nil
}

func describeOrder(d *district.District, o order.Order, now time.Time) OrderInfo {
	i := OrderInfo{ID: o.ID, State: o.State(now), Kind: o.Kind, Site: o.Site, SiteName: d.Name, Device: o.Device, DeviceName: o.Device, Value: o.Value, High: o.High,
		Unit: string(o.Kind.Unit()), From: o.From, To: o.To, Days: append([]string{}, o.Days.Names()...), Author: o.Author, Source: o.Source, Reason: o.Reason, Created: o.Created, Start: o.Start,
		Outcome: o.Outcome, EndedWho: o.EndedWho, EndedWhy: o.EndedWhy}
	if o.Site != "" {
		i.SiteName = o.Site
		if site := d.Site(o.Site); site != nil {
			i.SiteName = site.Name
		}
	}
	if dev := d.Device(o.Site, o.Device); dev != nil {
		i.DeviceName = dev.Name
	}
	if !o.End.IsZero() {
		i.End = &o.End
	}
	if !o.EndedAt.IsZero() {
		i.EndedAt = &o.EndedAt
	}
	if i.State == order.Ended && o.Outcome == order.Open { // its time came while nothing was running that could say so
		i.Outcome, i.EndedAt = order.Completed, &o.End
	}
	i.Cost = costOf(o.Cost)
	return i
}

func (s *Server) giveOrder(ctx context.Context, in *giveOrderInput) (*orderOutput, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	if s.deps.Orders == nil {
		return nil, huma.Error409Conflict("this Quartier controls nothing")
	}
	p := who(ctx)
	asked, err := in.Body.order(p.user.Name, in.Body.Reason)
	if err != nil {
		return nil, s.faulty(ctx, "giving the order", err)
	}
	given, err := s.deps.Orders.Give(ctx, d.ID, asked)
	if err != nil {
		return nil, s.faulty(ctx, "giving the order", err)
	}
	s.audit(ctx, p, "order-given", orderObject(given), describeText(given)+": "+given.Reason, "info")
	return &orderOutput{describeOrder(d, given, s.deps.Now())}, nil
}

func (s *Server) tryOrder(ctx context.Context, in *tryOrderInput) (*struct{ Body OrderTrial }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	if s.deps.Orders == nil {
		return nil, huma.Error409Conflict("this Quartier controls nothing")
	}
	asked, err := in.Body.order(who(ctx).user.Name, "trial")
	if err != nil {
		return nil, s.faulty(ctx, "trying the order", err)
	}
	tried, unpriced, err := s.deps.Orders.Try(ctx, d.ID, asked)
	if err != nil {
		return nil, s.faulty(ctx, "trying the order", err)
	}
	return &struct{ Body OrderTrial }{OrderTrial{costOf(tried.Cost), unpriced}}, nil
}

// order returns what is asked for as an order; the error is [order.Faults].
func (b OrderWish) order(author, reason string) (order.Order, error) {
	var faults order.Faults
	days, err := order.DaysOf(b.Days)
	if err != nil {
		faults = append(faults, order.Fault{Field: "days", Message: err.Error()})
	}
	if b.Value == nil && b.Kind.Unit() != "" && b.Kind != order.Quiet { // a limit that was forgotten is not one of 0 kW
		faults = append(faults, order.Fault{Field: "value", Message: fmt.Sprintf("missing: %s is in %s", b.Kind, b.Kind.Unit())})
	}
	if faults != nil {
		return order.Order{}, faults
	}
	var value float64
	if b.Value != nil {
		value = *b.Value
	}
	o := order.Order{Site: b.Site, Device: b.Device, Kind: b.Kind, Value: value, High: b.High, From: b.From, To: b.To, Days: days, Author: author, Source: order.FromConsole, Reason: reason}
	if b.Start != nil {
		o.Start = b.Start.UTC()
	}
	if b.End != nil {
		o.End = b.End.UTC()
	}
	return o, nil
}

// faulty answers for an order that was not taken: with each of its faults, where it has some.
func (s *Server) faulty(ctx context.Context, doing string, err error) error {
	var faults order.Faults
	if !errors.As(err, &faults) {
		return s.broken(ctx, doing, err)
	}
	var errs []error
	for _, f := range faults {
		errs = append(errs, &huma.ErrorDetail{Message: f.Field + ": " + f.Message, Location: "body." + f.Field})
	}
	return huma.Error422UnprocessableEntity("the order has faults", errs...)
}

func costOf(c *order.Cost) *OrderCost {
	if c == nil {
		return nil
	}
	return &OrderCost{c.EUR, c.Low, c.High, c.Hours, c.At}
}

func (s *Server) endOrder(ctx context.Context, in *endOrderInput) (*orderOutput, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	if s.deps.Orders == nil {
		return nil, huma.Error409Conflict("this Quartier controls nothing")
	}
	p := who(ctx)
	ended, err := s.deps.Orders.End(ctx, d.ID, in.ID, p.user.Name, in.Body.Reason)
	switch {
	case errors.Is(err, ErrStanding):
		return nil, huma.Error409Conflict("this stands in the configuration: who changes district.yaml ends it")
	case errors.Is(err, store.ErrNotFound):
		return nil, huma.Error404NotFound(fmt.Sprintf("%s has no order %q that holds or is to hold", d.ID, in.ID))
	case err != nil:
		return nil, s.broken(ctx, "ending the order", err)
	}
	s.audit(ctx, p, "order-ended", orderObject(ended), describeText(ended)+": "+in.Body.Reason, "info")
	return &orderOutput{describeOrder(d, ended, s.deps.Now())}, nil
}

// orderObject is what an order concerns, as the audit log names it.
func orderObject(o order.Order) string {
	object := o.District
	for _, part := range []string{o.Site, o.Device} {
		if part != "" {
			object += "/" + part
		}
	}
	return object
}

// describeText is an order in the audit log's words: "power -4 kW until 2026-01-14T18:00:00Z".
func describeText(o order.Order) string {
	text := string(o.Kind)
	if unit := o.Kind.Unit(); unit != "" {
		text += fmt.Sprintf(" %g %s", o.Value, unit)
	}
	if o.High != 0 {
		text += fmt.Sprintf(" to %g %s", o.High, o.Kind.Unit())
	}
	if o.From != "" {
		text += " " + o.From + " to " + o.To
	}
	if days := o.Days.Names(); len(days) > 0 {
		text += " on " + strings.Join(days, ", ")
	}
	text += " from " + o.Start.Format(time.RFC3339)
	if !o.End.IsZero() {
		text += " until " + o.End.Format(time.RFC3339)
	}
	return text + " (" + o.ID + ")"
}
