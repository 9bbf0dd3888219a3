package storetest

import (
	"math"
	"reflect"
	"testing"
	"time"

	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

func orderOf(id string, kind order.Kind, from, to time.Time) order.Order {
	return order.Order{ID: id, District: "fontaine", Site: "ecole", Device: "bat", Kind: kind, Value: 0.1 + 0.2, Author: "zoé", Source: order.FromConsole,
		Reason: "essai", Created: t0, Start: from, End: to, Revision: 1}
}

func orders(t *testing.T, s store.Store) {
	all := timegrid.NewSpan(t0.AddDate(-1, 0, 0), t0.AddDate(1, 0, 0))
	if got, err := s.Orders(t.Context(), "fontaine", all); err != nil || len(got) != 0 {
		t.Fatalf("an empty store has orders %v, %v", got, err)
	}
	must(t, s.SaveOrders(t.Context(), nil))
	short := orderOf("b", order.Power, t0, t0.Add(time.Hour))
	open := orderOf("a", order.LockOut, t0, time.Time{})
	quiet := orderOf("c", order.Quiet, t0.Add(24*time.Hour), t0.Add(48*time.Hour))
	quiet.From, quiet.To, quiet.High = "22:00", "06:00", 21.5
	elsewhere := orderOf("d", order.Power, t0, t0.Add(time.Hour))
	elsewhere.District = "other"
	must(t, s.SaveOrders(t.Context(), []order.Order{quiet, short, open, elsewhere}))
	must(t, s.SaveOrders(t.Context(), []order.Order{short})) // once more
	check := func(what string, sp timegrid.Span, want ...order.Order) {
		t.Helper()
		got, err := s.Orders(t.Context(), "fontaine", sp)
		must(t, err)
		if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: orders came back as\n%+v, want\n%+v", what, got, want)
		}
	}
	check("all", all, open, short, quiet)
	check("after the short one", span(t0.Add(time.Hour), time.Hour), open)
	check("up to the begin of the last", span(t0.Add(23*time.Hour), time.Hour), open)
	check("before all", span(t0.Add(-time.Hour), time.Hour))
	// a revision ends it, an older one that comes late changes nothing
	ended := open
	ended.Outcome, ended.EndedAt, ended.EndedWho, ended.EndedWhy, ended.Revision = order.EndedBy, t0.Add(30*time.Minute), "adam", "the guests left", 2
	must(t, s.SaveOrders(t.Context(), []order.Order{ended}))
	must(t, s.SaveOrders(t.Context(), []order.Order{open}))
	check("ended", all, ended, short, quiet)
	check("after its end", span(t0.Add(time.Hour), time.Hour))
	// times finer than the record keeps
	fine := orderOf("e", order.Power, t0.Add(72*time.Hour+1234567*time.Nanosecond), t0.Add(73*time.Hour))
	must(t, s.SaveOrders(t.Context(), []order.Order{fine}))
	fine.Start = t0.Add(72*time.Hour + 1234*time.Microsecond)
	check("fine", span(t0.Add(72*time.Hour), time.Hour), fine)
}

func ordersRefused(t *testing.T, s store.Store) {
	good := orderOf("a", order.Power, t0, t0.Add(time.Hour))
	for name, change := range map[string]func(*order.Order){
		"no id": func(o *order.Order) { o.ID = "" }, "no district": func(o *order.Order) { o.District = "" }, "no kind": func(o *order.Order) { o.Kind = "" },
		"a value that is no number": func(o *order.Order) { o.Value = math.NaN() }, "no revision": func(o *order.Order) { o.Revision = 0 },
		"a control character": func(o *order.Order) { o.Site = "a\x00" }, "the year 20000": func(o *order.Order) { o.Start = t0.AddDate(18000, 0, 0) },
	} {
		bad := good
		bad.ID = "b"
		change(&bad)
		wantIs(t, s.SaveOrders(t.Context(), []order.Order{good, bad}), store.ErrInvalid)
		if t.Failed() {
			t.Fatalf("%s was taken", name)
		}
	}
	wantIs(t, s.SaveOrders(t.Context(), []order.Order{good, good}), store.ErrInvalid)
	if got, err := s.Orders(t.Context(), "fontaine", timegrid.NewSpan(t0.AddDate(-1, 0, 0), t0.AddDate(1, 0, 0))); err != nil || len(got) != 0 {
		t.Errorf("refused orders left %d, %v", len(got), err)
	}
}
