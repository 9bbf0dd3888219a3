package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/enedis"
	"quartier/schemas/district"
)

// curveTarget is the device that a delivery point's load curve is of, or why there is none.
type curveTarget struct {
	device string // district/site/device
	reason error
}

// curveTargets finds the grid meter behind each member's delivery point. A point whose site has several members has none: the site's meter measures all of them.
func curveTargets(cfg *config.Config) map[string]curveTarget {
	out := map[string]curveTarget{}
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		behind := map[string]int{}
		for _, m := range d.Members {
			behind[m.Site]++
		}
		for _, m := range d.Members {
			t := curveTarget{reason: fmt.Errorf("delivery point %s: site %s/%s has no grid meter", m.DeliveryPoint, d.ID, m.Site)}
			if n := behind[m.Site]; n > 1 || m.ShareOfSite < 1 {
				t.reason = fmt.Errorf("delivery point %s is one of several behind the meter of site %s/%s; --device says whose curve it is", m.DeliveryPoint, d.ID, m.Site)
			} else {
				for _, s := range d.Sites {
					if k := slices.IndexFunc(s.Devices, func(x district.Device) bool { return x.Kind == district.GridMeter }); s.ID == m.Site && k >= 0 {
						t = curveTarget{device: strings.Join([]string{d.ID, s.ID, s.Devices[k].ID}, "/")}
					}
				}
			}
			if _, twice := out[m.DeliveryPoint]; twice {
				t = curveTarget{reason: fmt.Errorf("delivery point %s is of several members", m.DeliveryPoint)}
			}
			out[m.DeliveryPoint] = t
		}
	}
	return out
}

// runEnedis takes a file of load curves: the power of a point's grid meter, positive drawn, at the beginning of each step; what is drawn and fed in one step is netted.
func (im *importer) runEnedis(ctx context.Context, in io.Reader, stamp enedis.Stamp, targets map[string]curveTarget, device string) error {
	im.seen, im.strangers = map[district.SeriesID]bool{}, map[district.SeriesID]bool{}
	values, err := enedis.Read(in, stamp, im.drop)
	if err != nil {
		return err
	}
	type step struct {
		series district.SeriesID
		start  time.Time
	}
	at := map[step]int{}
	var samples []district.Sample
	points := map[string]bool{}
	for _, v := range values {
		points[v.Point] = true
	}
	if device != "" && len(points) > 1 {
		return badInput{fmt.Errorf("quartier import: --device is for the curve of one delivery point, the file has %d", len(points))}
	}
	for _, v := range values {
		t := targets[v.Point]
		if device != "" {
			t = curveTarget{device: device}
		} else if t.device == "" && t.reason == nil {
			t.reason = fmt.Errorf("no member has the delivery point %s; --device says whose curve it is", v.Point)
		}
		if t.reason != nil {
			im.drop(v.Line, t.reason)
			continue
		}
		s := district.Sample{Series: district.SeriesID(t.device + "/" + district.PowerKW), Time: v.Start, Value: v.PowerKW, Quality: v.Quality, Source: district.FromImport}
		if v.Export {
			s.Value = -s.Value
		}
		key := step{s.Series, s.Time}
		if k, both := at[key]; both {
			samples[k].Value += s.Value
			samples[k].Quality = max(samples[k].Quality, s.Quality)
			continue
		}
		at[key] = len(samples)
		samples = append(samples, s)
	}
	for part := range slices.Chunk(samples, importBatch) {
		for _, s := range part {
			im.meet(s.Series)
		}
		im.batch = append(im.batch, part...)
		if err := im.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// checkDevice holds a device given by hand to its form.
func checkDevice(device string) error {
	if device == "" {
		return nil
	}
	if _, _, _, _, ok := district.SeriesID(device + "/" + district.PowerKW).Parts(); !ok {
		return badInput{errors.New("quartier import: --device " + device + " is no district/site/device")}
	}
	return nil
}
