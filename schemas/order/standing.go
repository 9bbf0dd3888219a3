package order

import (
	"fmt"
	"slices"

	"quartier/schemas/district"
)

// Standing are the quiet hours of a district's configuration as orders: they hold at any time, belong to nobody who could end them, and are not in the record. Those of a site are there for
// each of its devices that Quartier commands and that they are about. The colons in their ids are in no id of a site or device, so that no two are the same.
func Standing(d *district.District) (out []Order) {
	for i := range d.Sites {
		site := &d.Sites[i]
		for k := range site.Devices {
			dev := &site.Devices[k]
			if !dev.Control || !slices.Contains(district.Hushed(), dev.Kind) {
				continue
			}
			add := func(what string, n int, q *district.QuietHours) {
				var days Days
				for _, day := range q.Days {
					days |= 1 << ((int(day) + 6) % 7)
				}
				out = append(out, Order{ID: fmt.Sprintf("configured:%s:%d:%s:%s", what, n, site.ID, dev.ID), District: d.ID, Site: site.ID, Device: dev.ID, Kind: Quiet, Value: q.AtMostKW, From: q.From, To: q.To, Days: days,
					Author: "configuration", Source: FromConfig, Reason: q.Reason, Revision: 1})
			}
			for n := range site.Quiet {
				if q := &site.Quiet[n]; len(q.Kinds) == 0 || slices.Contains(q.Kinds, dev.Kind) {
					add("site", n+1, q)
				}
			}
			for n := range dev.Quiet {
				add("device", n+1, &dev.Quiet[n])
			}
		}
	}
	return out
}
