package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
)

// PlanChanges is what a plan does otherwise than the one before it, from now to where both reach.
type PlanChanges struct {
	Before  time.Time      `json:"before" doc:"when the plan before was made"`
	LoadKWh float64        `json:"load_kwh" doc:"by how much more is foreseen of what cannot be moved"`
	SunKWh  float64        `json:"sun_kwh" doc:"by how much more the solar inverters are to deliver"`
	Devices []DeviceChange `json:"devices" doc:"under control and to do something else, the most energy first, at most ten"`
	Others  int            `json:"others" doc:"how many more there are"`
}

// DeviceChange is what a device is to do otherwise. The powers are means over the first stretch that changed.
type DeviceChange struct {
	Site       string        `json:"site"`
	SiteName   string        `json:"site_name"`
	Device     string        `json:"device"`
	DeviceName string        `json:"device_name"`
	Kind       district.Kind `json:"kind"`
	Start      time.Time     `json:"start"`
	End        time.Time     `json:"end"`
	BeforeKW   float64       `json:"before_kw" doc:"positive into the device"`
	AfterKW    float64       `json:"after_kw"`
	MovedKWh   float64       `json:"moved_kwh" doc:"of all slots that changed, without sign: what comes earlier and goes later counts twice"`
}

const mostChanges = 10

// changes compares a plan with the one before it; nil where there is none that reaches into it.
func (s *Server) changes(ctx context.Context, d *district.District, p *district.Plan, now time.Time) (*PlanChanges, error) {
	before, err := cached(s.cache, fmt.Sprintf("before/%s/%d", d.ID, p.ID), 5*time.Minute, func() (*district.Plan, error) {
		old, err := s.deps.Store.LatestPlan(context.WithoutCancel(ctx), d.ID, p.CreatedAt.Add(-time.Microsecond))
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		return old, err
	})
	if err != nil || before == nil {
		return nil, err
	}
	return compare(d, before, p, now), nil
}

// compare says what after does otherwise than before; nil where the two have no step in common.
func compare(d *district.District, before, after *district.Plan, now time.Time) *PlanChanges {
	step := time.Duration(after.StepMinutes * float64(time.Minute))
	first := after.Start
	if now.After(first) {
		first = now
	}
	i, ok := after.Index(first)
	j, covered := before.Index(after.Start.Add(time.Duration(i) * step))
	if !ok || !covered || before.StepMinutes != after.StepMinutes {
		return nil
	}
	n := min(after.Steps-i, before.Steps-j)
	out := &PlanChanges{Before: before.CreatedAt, Devices: []DeviceChange{}}
	gap := func(was, is []float64, t int) float64 {
		if j+t >= len(was) || i+t >= len(is) {
			return 0
		}
		return is[i+t] - was[j+t]
	}
	for k := range after.Sites {
		is := &after.Sites[k]
		was := before.Site(is.ID)
		if was == nil {
			continue
		}
		for t := range n {
			out.LoadKWh += gap(was.LoadKW, is.LoadKW, t) * step.Hours()
		}
		for m := range is.Devices {
			x := &is.Devices[m]
			old := was.Device(x.ID)
			if old == nil {
				continue
			}
			if x.Kind == district.PV {
				for t := range n {
					out.SunKWh -= gap(old.PowerKW, x.PowerKW, t) * step.Hours()
				}
			}
			dev := d.Device(is.ID, x.ID)
			if dev == nil || !dev.Control || x.Kind == district.PV || x.Kind == district.LoadMeter {
				continue
			}
			c := DeviceChange{Site: is.ID, SiteName: is.ID, Device: x.ID, DeviceName: dev.Name, Kind: x.Kind}
			if site := d.Site(is.ID); site != nil {
				c.SiteName = site.Name
			}
			begin, end, sign := -1, n, 0.0 // of the first stretch that changed one way
			for t := range n {
				kw := gap(old.PowerKW, x.PowerKW, t)
				c.MovedKWh += math.Abs(kw) * step.Hours()
				switch {
				case begin < 0 && math.Abs(kw) > idleKW:
					begin, sign = t, kw
				case begin >= 0 && end == n && (math.Abs(kw) <= idleKW || kw*sign < 0):
					end = t
				}
			}
			if begin < 0 || c.MovedKWh < trifleKWh {
				continue
			}
			c.Start, c.End = after.Start.Add(time.Duration(i+begin)*step), after.Start.Add(time.Duration(i+end)*step)
			for t := begin; t < end; t++ {
				c.BeforeKW += old.PowerKW[j+t] / float64(end-begin)
				c.AfterKW += x.PowerKW[i+t] / float64(end-begin)
			}
			out.Devices = append(out.Devices, c)
		}
	}
	slices.SortStableFunc(out.Devices, func(a, b DeviceChange) int {
		return cmp.Or(cmp.Compare(b.MovedKWh, a.MovedKWh), strings.Compare(a.Site+"/"+a.Device, b.Site+"/"+b.Device))
	})
	out.Others = max(0, len(out.Devices)-mostChanges)
	out.Devices = out.Devices[:len(out.Devices)-out.Others]
	return out
}
