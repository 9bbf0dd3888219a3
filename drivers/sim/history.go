package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/drivers/profile"
	"quartier/drivers/sim/trace"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// CarbonDevice is the id under which a district's carbon intensity is recorded, at the site "_".
const CarbonDevice = "carbon"

// History makes the record that a world would have left from from to to, all devices under their own control, and hands it to emit, one civil month
// of the first district's zone per call, the newest month first. Each call has the samples of one month in the order of time: counters as the registers
// of the device's profile show them, state of charge and what stands at a charger at every step, temperatures and irradiance every hour, the
// carbon intensity at every step, for a device without counters its mean power of each step. Source is FromHistory; a value that rests on
// a filled gap of a trace has quality substituted.
//
// Counters join: the sample at to is what a world made by [New] with Start to begins with, and a month ends where the next one begins. Each
// month is run in anew for [RunIn], so that months can be made backwards; what is stored in rooms, tanks and batteries at the turn of a month
// differs a little from one month to the next.
//
// from and to are moved to the grid of step, which must be a multiple of 5 min and divide an hour. progress, where not nil, gets the share done after
// each day. It stops with ctx or with the first error of emit.
func History(ctx context.Context, cfg WorldConfig, from, to time.Time, step time.Duration,
	emit func(month timegrid.Span, samples []district.Sample) error, progress func(done float64)) error {
	if step <= 0 || step%coarseStep != 0 || time.Hour%step != 0 {
		return fmt.Errorf("history: step %v, want a multiple of %v that divides an hour", step, coarseStep)
	}
	span := timegrid.NewSpan(timegrid.Ceil(from, step), timegrid.Floor(to, step))
	if len(cfg.Districts) == 0 || span.Duration() <= 0 {
		return errors.New("history: no district or no time to cover")
	}
	zone := cfg.Districts[0].Zone
	if zone == nil {
		zone = time.UTC
	}
	h := history{cfg: cfg, lib: trace.NewLibrary(cfg.Traces), step: step, span: span, progress: progress}
	for end := span.End; end.After(span.Start); {
		month := timegrid.Month(end.Add(-time.Nanosecond), zone)
		part := month.Overlap(span)
		part.Start = timegrid.Ceil(part.Start, step)
		samples, err := h.month(ctx, part)
		if err != nil {
			return err
		}
		if err := emit(part, samples); err != nil {
			return fmt.Errorf("history of %s: %w", part.Start.In(zone).Format("2006-01"), err)
		}
		end = part.Start
	}
	return nil
}

type history struct {
	cfg      WorldConfig
	lib      *trace.Library
	step     time.Duration
	span     timegrid.Span
	next     map[district.SeriesID]float64 // exact counter at the begin of the month after
	progress func(float64)
}

// track is one recorded quantity of a device.
type track struct {
	id      district.SeriesID
	machine *machine
	state   physics
	point   string
	show    func(float64) float64
	hourly  bool
	counter bool
	values  []float64
	quality []district.Quality
}

func (h *history) month(ctx context.Context, span timegrid.Span) ([]district.Sample, error) {
	w, err := build(h.cfg, h.lib)
	if err != nil {
		return nil, err
	}
	tracks := h.tracks(w)
	if h.next == nil { // the newest month ends where the live world begins
		w.settle(h.span.End)
		h.next = make(map[district.SeriesID]float64)
		for _, t := range tracks {
			if t.counter {
				h.next[t.id], _ = t.state.value(t.point)
				if h.cfg.Counters != nil {
					if v, ok := h.cfg.Counters(t.machine.ref, t.point); ok {
						h.next[t.id] = v
					}
				}
			}
		}
	}
	w.reset(timegrid.Floor(span.Start.Add(-RunIn), coarseStep))
	w.run(span.Start, coarseStep)
	for _, d := range w.devices {
		d.base().importKWh, d.base().exportKWh = 0, 0
		if hp, ok := d.physics.(*heatPump); ok {
			hp.heatKWh = 0
		}
	}
	last := span.End.Equal(h.span.End)
	for at := span.Start; !at.After(span.End); at = at.Add(h.step) {
		if at.Equal(span.End) && !last {
			break
		}
		for _, t := range tracks {
			t.note(at)
		}
		if at.Equal(span.End) {
			break
		}
		h.slot(w, tracks)
		if at.Hour() == 0 && at.Minute() == 0 {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("history: %w", err)
			}
			if h.progress != nil {
				done := h.span.End.Sub(span.End) + at.Sub(span.Start)
				h.progress(float64(done) / float64(h.span.Duration()))
			}
		}
	}
	return h.collect(w, tracks, span), nil
}

// slot moves the world by one step and notes which values rested on filled gaps. The mean power replaces what note saw at the begin.
func (h *history) slot(w *World, tracks []*track) {
	energy := make([]float64, len(tracks))
	for i, t := range tracks {
		if t.point == district.PowerKW {
			energy[i] = t.machine.importKWh - t.machine.exportKWh
		}
	}
	sub := make([]bool, len(tracks))
	for end := w.now.Add(h.step); w.now.Before(end); {
		w.run(w.now.Add(coarseStep), coarseStep)
		for i, t := range tracks {
			sub[i] = sub[i] || t.machine.sub
		}
	}
	for i, t := range tracks {
		if sub[i] {
			t.quality[len(t.quality)-1] = district.Substituted
		}
		if t.point == district.PowerKW {
			t.values[len(t.values)-1] = (t.machine.importKWh - t.machine.exportKWh - energy[i]) / h.step.Hours()
		}
	}
}

func (t *track) note(at time.Time) {
	v, _ := t.state.value(t.point)
	t.values = append(t.values, v)
	t.quality = append(t.quality, district.Good)
}

// tracks lists what is recorded of each device: what its profile offers, so that live samples continue the same series.
func (h *history) tracks(w *World) []*track {
	var out []*track
	for _, ref := range w.order {
		s := w.devices[ref]
		dev := s.base().dev
		p, err := profile.Load(dev.Profile)
		if err != nil {
			p = nil // a profile of the user's own: everything is recorded as it is
		}
		add := func(point string, hourly, counter bool) bool {
			if _, ok := s.value(point); !ok {
				return false
			}
			t := &track{id: district.NewSeriesID(ref.District, ref.Site, ref.Device, point), machine: s.base(), state: s.physics, point: point, hourly: hourly, counter: counter,
				show: round3}
			if p != nil {
				pt := p.Point(point)
				if pt == nil {
					return false
				}
				t.show = register(pt)
			}
			out = append(out, t)
			return true
		}
		counted := false
		for _, c := range counters {
			counted = add(c, false, true) || counted
		}
		if !counted {
			add(district.PowerKW, false, false)
		}
		switch dev.Kind {
		case district.Battery:
			add(district.SOC, false, false)
		case district.EVCharger:
			for _, q := range []string{district.Connected, district.Charging, district.SessionKWh} {
				add(q, false, false)
			}
		case district.HeatPump:
			add(district.IndoorC, true, false)
		case district.WaterHeater:
			add(district.TankC, true, false)
		case district.Weather:
			add(district.OutdoorC, true, false)
			add(district.IrradianceWm2, true, false)
		}
	}
	return out
}

// register shows a value as the register of a point would: encoded and decoded.
func register(pt *profile.Point) func(float64) float64 {
	var sf int16
	if pt.Register != nil && pt.Register.ScaleFactor != nil {
		sf = pt.Register.ScaleFactor.Simulated
	}
	if pt.Register == nil || pt.Type == profile.String || pt.Type == profile.Bool || len(pt.States) > 0 {
		return round3
	}
	return func(v float64) float64 {
		regs, err := pt.Encode(Rollover(pt, v), sf)
		if err != nil {
			return round3(v)
		}
		shown, err := pt.Decode(regs, sf)
		if err != nil {
			return round3(v)
		}
		return shown
	}
}

// Rollover brings a counter to what its register can hold: past its highest number it begins again at nought, as the real one does.
func Rollover(pt *profile.Point, v float64) float64 {
	if pt.Form != district.Counter || pt.Register == nil || v < 0 {
		return v
	}
	bits := 0
	switch pt.Type {
	case profile.U16:
		bits = 16
	case profile.I16:
		bits = 15
	case profile.U32, profile.Acc32:
		bits = 32
	case profile.I32:
		bits = 31
	default: // long enough for any counter, or a float
		return v
	}
	var sf int16
	if pt.Register.ScaleFactor != nil {
		sf = pt.Register.ScaleFactor.Simulated
	}
	step := pt.Resolution(sf)
	if full := (math.Ldexp(1, bits) - 1) * step; full > 0 && v > full-step {
		return math.Mod(v, full-step)
	}
	return v
}

// collect turns the tracks of a month into samples: counters shifted so that the month ends where the next one begins.
func (h *history) collect(w *World, tracks []*track, span timegrid.Span) []district.Sample {
	steps := span.Count(h.step)
	n := 0
	for _, t := range tracks {
		n += len(t.values)
	}
	samples := make([]district.Sample, 0, n+steps*len(w.districts))
	shift := make([]float64, len(tracks))
	for i, t := range tracks {
		if t.counter {
			end, _ := t.state.value(t.point)
			shift[i] = h.next[t.id] - end
			h.next[t.id] = t.values[0] + shift[i]
		}
	}
	for k := 0; k <= steps; k++ {
		at := span.Start.Add(time.Duration(k) * h.step)
		for i, t := range tracks {
			if k >= len(t.values) || t.hourly && at.Minute() != 0 {
				continue
			}
			q := t.quality[k]
			if t.counter && k > 0 {
				q = t.quality[k-1] // a counter tells of the step before it
			}
			samples = append(samples, district.Sample{Series: t.id, Time: at, Value: t.show(t.values[k] + shift[i]), Quality: q, Source: district.FromHistory})
		}
		if k == steps && !span.End.Equal(h.span.End) {
			continue
		}
		for _, d := range w.districts {
			if d.carbon != nil {
				v, q := d.carbon.At(d.carbonSet.Moment(at, d.place))
				samples = append(samples, district.Sample{Series: district.NewSeriesID(d.d.ID, district.DistrictSite, CarbonDevice, district.CarbonIntensity),
					Time: at, Value: v, Quality: q, Source: district.FromHistory})
			}
		}
	}
	return samples
}
