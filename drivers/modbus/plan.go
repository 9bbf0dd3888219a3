package modbus

import (
	"context"
	"errors"
	"time"

	"quartier/drivers"
	"quartier/drivers/profile"
)

// plan is how some targets are read. It holds as long as what was learned of the device does, so that for the points that are polled it is made once.
type plan struct {
	epoch    uint64
	points   []*profile.Point // each part of a target once
	slots    [][]int          // of each target's parts, among points
	where    [][]int          // of each point, among wants: its value, then its scale factor if it has one; nil for a constant or where the device has no such model
	wants    []Span           // each once
	requests []merged
}

// merged is one request and the wants that it answers.
type merged struct {
	Span
	inside []int
}

func (d *Device) plan(targets []target, known learned) *plan {
	p := &plan{epoch: known.epoch, slots: make([][]int, len(targets))}
	slotOf, wantOf := map[*profile.Point]int{}, map[Span]int{}
	for i, t := range targets {
		for _, pt := range t.parts {
			slot, there := slotOf[pt]
			if !there {
				slot = len(p.points)
				slotOf[pt] = slot
				p.points, p.where = append(p.points, pt), append(p.where, nil)
				if pl, ok := locate(pt, known.layout); ok {
					for _, s := range pl.spans {
						want, there := wantOf[s]
						if !there {
							want = len(p.wants)
							wantOf[s] = want
							p.wants = append(p.wants, s)
						}
						p.where[slot] = append(p.where[slot], want)
					}
				}
			}
			p.slots[i] = append(p.slots[i], slot)
		}
	}
	answered := make([]bool, len(p.wants))
	for _, r := range Merge(p.wants, d.profile.Limits, func(s Span) bool { return known.alone[s] }) {
		m := merged{Span: r}
		for i, w := range p.wants {
			if !answered[i] && r.covers(w) {
				answered[i] = true
				m.inside = append(m.inside, i)
			}
		}
		p.requests = append(p.requests, m)
	}
	return p
}

// answer is what came back for one wanted span.
type answer struct {
	regs     []uint16
	at       time.Time
	rejected bool
}

func (a *answer) known() bool { return !a.at.IsZero() }

// room is where the answers to a plan and its values are put.
type room struct {
	answers []answer
	values  []value
}

func newRoom(p *plan) *room { return &room{make([]answer, len(p.wants)), make([]value, len(p.points))} }

// fit empties it for a plan.
func (r *room) fit(p *plan) {
	if len(r.answers) != len(p.wants) || len(r.values) != len(p.points) {
		*r = *newRoom(p)
		return
	}
	clear(r.answers)
	clear(r.values)
}

// fetch reads and decodes the points of a plan, the values being in room. Points that the device rejects come back bad, beside the error; those of which nothing is known do not.
func (d *Device) fetch(ctx context.Context, p *plan, room *room) ([]value, error) {
	room.fit(p)
	out, answers := room.values, room.answers
	now := d.config.Now().UTC()
	err := d.request(ctx, p, answers)
	if errors.Is(err, drivers.ErrUnreachable) || errors.Is(err, drivers.ErrGarbage) {
		d.forget()
	}
	for i, pt := range p.points {
		switch where := p.where[i]; {
		case pt.Constant != nil:
			out[i] = value{v: *pt.Constant, at: now, known: true}
		case where == nil:
			out[i] = value{at: now, known: true, bad: true} // the device has no such model
		default:
			decode(&out[i], pt, where, answers)
		}
	}
	return out, err
}

func decode(out *value, pt *profile.Point, where []int, answers []answer) {
	var last *answer
	for _, w := range where {
		last = &answers[w]
		if !last.known() {
			return
		}
		if last.rejected {
			*out = value{at: last.at, known: true, bad: true}
			return
		}
	}
	var sf int16
	if len(where) == 2 {
		sf = int16(last.regs[0])
	}
	v, err := pt.Decode(answers[where[0]].regs, sf)
	*out = value{v: v, at: last.at, known: true, bad: err != nil}
}

// request asks for the wants of a plan in merged requests. After an error that is no exception nothing more is asked. Of a merged request that the device refuses, whatever can be had
// alone is asked for, and that is done so from then on where it was the merging that was refused; a device that is busy is left in peace.
func (d *Device) request(ctx context.Context, p *plan, out []answer) error {
	var rejected []error
	for _, r := range p.requests {
		err := d.ask(ctx, p, r, out)
		code, is := errors.AsType[exceptionError](err)
		if is && errors.Is(err, drivers.ErrRejected) && !code.passing() && len(r.inside) > 1 {
			if code.ofRequest() {
				d.split(p, r.inside)
			}
			refused := 0
			for _, i := range r.inside {
				if e := d.ask(ctx, p, merged{p.wants[i], []int{i}}, out); errors.Is(e, drivers.ErrRejected) {
					out[i] = answer{at: d.config.Now().UTC(), rejected: true}
					rejected = append(rejected, e)
					refused++
				} else if e != nil {
					return errors.Join(append(rejected, e)...)
				}
			}
			if refused > 0 && refused < len(r.inside) {
				d.split(p, r.inside)
			}
			continue
		}
		switch {
		case errors.Is(err, drivers.ErrRejected):
			for _, i := range r.inside {
				out[i] = answer{at: d.config.Now().UTC(), rejected: true}
			}
			rejected = append(rejected, err)
		case err != nil:
			return errors.Join(append(rejected, err)...)
		}
	}
	return errors.Join(rejected...)
}

func (d *Device) ask(ctx context.Context, p *plan, r merged, out []answer) error {
	regs, err := d.link.read(ctx, d.dev.Unit, d.pauses(), r.Table, r.Address, r.Quantity)
	if err != nil {
		return err
	}
	at := d.config.Now().UTC()
	for _, i := range r.inside {
		from := p.wants[i].Address - r.Address
		out[i] = answer{regs: regs[from : from+p.wants[i].Quantity], at: at}
	}
	return nil
}

// keep remembers the plan of all readable points.
func (d *Device) keep(p *plan, known learned) {
	select {
	case k := <-d.learned:
		if k.epoch == known.epoch && len(k.alone) == len(known.alone) {
			k.plan = p
		}
		d.learned <- k
	default: // made again next time
	}
}
