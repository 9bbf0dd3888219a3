package store

import "quartier/schemas/order"

// CheckOrders returns the faults of orders that no store can keep, or nil. Whether a district can obey them is judged by [order.Check].
func CheckOrders(orders []order.Order) error {
	var f Faults
	seen := map[string]bool{}
	for i := range orders {
		o := &orders[i]
		object := "order " + o.ID
		for _, name := range []struct{ what, text string }{{"id", o.ID}, {"district", o.District}, {"kind", string(o.Kind)}} {
			if name.text == "" {
				f.Addf("%.200q: %s is empty", object, name.what)
			}
			f.CheckName(name.what, name.text)
		}
		f.CheckName("site", o.Site)
		f.CheckName("device", o.Device)
		f.CheckTime(object, o.Created)
		f.CheckTime(object, o.Start)
		f.CheckNumber(object, "value", o.Value)
		f.CheckNumber(object, "high", o.High)
		if o.Revision < 1 {
			f.Addf("%.200q: revision %d, want 1 or more", object, o.Revision)
		}
		if until := o.Until(); !until.IsZero() {
			f.CheckTime(object, until)
		}
		if seen[o.ID] {
			f.Addf("%.200q: given twice", object)
		}
		seen[o.ID] = true
	}
	return f.Err()
}

// CleanOrder returns an order as it is kept: times to the microsecond in UTC, text without control characters.
func CleanOrder(o order.Order) order.Order {
	o.Author, o.Reason, o.EndedWho, o.EndedWhy = CleanText(o.Author), CleanText(o.Reason), CleanText(o.EndedWho), CleanText(o.EndedWhy)
	o.Created, o.Start = Instant(o.Created), Instant(o.Start)
	if !o.End.IsZero() {
		o.End = Instant(o.End)
	}
	if !o.EndedAt.IsZero() {
		o.EndedAt = Instant(o.EndedAt)
	}
	return o
}
