package forecast

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// AppendState appends what cannot be learned from what came again: what was said, how wrong that was, and who is believed.
func (j *Judged) AppendState(out []byte) []byte {
	c := coder{out: out}
	waits := maps.Clone(j.waits)
	squares := [3]float64{j.squares[0], j.squares[1], j.squared}
	j.visit(&c, &j.errors, &waits, &j.waited, &squares)
	return c.out
}

// RestoreState takes up what AppendState of a forecaster with the same settings wrote, in one that has taken what came until then or later, and returns what follows it. In one whose time is hours before then, as after a
// clock was set back, what was said and what failed after its time is left out. After an error, which matches [ErrKept], it is as before.
func (j *Judged) RestoreState(in []byte) (rest []byte, err error) {
	c := coder{in: in, reading: true}
	errors, waits, waited := []errorsAt(nil), map[int64][]waiting{}, int64(0)
	var squares [3]float64
	j.visit(&c, &errors, &waits, &waited, &squares)
	if c.bad || len(errors) != len(j.leads) {
		return nil, fmt.Errorf("%w: %d bytes of a judged forecast", ErrKept, len(in))
	}
	end := j.slot(j.End())
	if waited > end+int64(aheadHours*j.hour) {
		waited = j.rewind(errors, waits, end)
	}
	for b := range errors {
		list := errors[b].list
		errors[b].list = nil
		for _, f := range list {
			errors[b].add(f, math.MinInt64)
		}
	}
	j.squares, j.squared = [2]float64(squares[:2]), squares[2]
	made := j.waits
	j.errors, j.waits = errors, waits
	for slot, list := range made { // since the start
		for _, w := range list {
			if slot-int64(j.leads[w.at]) > waited {
				j.waits[slot] = append(j.waits[slot], w)
			}
		}
	}
	j.waited = max(j.waited, waited)
	for _, slot := range slices.Sorted(maps.Keys(j.waits)) { // what came while nobody was there
		if i := len(j.past.Values) - int(end-slot); slot < end && i >= 0 {
			j.came(j.past.Start.Add(j.set.Step*time.Duration(i)), j.past.Values[i])
		} else if slot < end {
			delete(j.waits, slot)
		}
	}
	return c.in, nil
}

// aheadHours is by how many hours the forecasts that wait may be newer than what came: the record may be late.
const aheadHours = 2

// rewind leaves out what is not known at a slot that lies before that up to which a state was kept, and returns the last slot whose forecasts wait.
func (j *Judged) rewind(errors []errorsAt, waits map[int64][]waiting, end int64) (waited int64) {
	for b := range errors {
		e := &errors[b]
		e.list = slices.DeleteFunc(e.list, func(f failure) bool { return f.slot >= end })
		for v := range e.since {
			e.since[v] = min(e.since[v], end)
		}
	}
	waited = math.MinInt64
	for slot, list := range waits {
		list = slices.DeleteFunc(list, func(w waiting) bool { return slot-int64(j.leads[w.at]) > end })
		for _, w := range list {
			waited = max(waited, slot-int64(j.leads[w.at]))
		}
		if waits[slot] = list; len(list) == 0 {
			delete(waits, slot)
		}
	}
	return waited
}

func (j *Judged) visit(c *coder, errors *[]errorsAt, waits *map[int64][]waiting, waited *int64, squares *[3]float64) {
	c.long(waited)
	c.floats(squares[:])
	list(c, errors, 8, func(e *errorsAt) {
		list(c, &e.list, 2+4*int(voices), func(f *failure) {
			hour := int64(f.hour)
			c.long(&f.slot)
			c.long(&hour)
			f.hour = uint8(hour)
			c.bad = c.bad || hour < 0 || hour > 23
			for v := range f.err {
				c.single(&f.err[v])
			}
		})
		c.float(&e.wide)
		c.bad = c.bad || !(e.wide >= wideLeast && e.wide <= wideMost)
		for v := range voices {
			c.flag(&e.back[v])
			c.long(&e.since[v])
		}
	})
	slots := slices.Sorted(maps.Keys(*waits))
	list(c, &slots, 1, c.long)
	for _, slot := range slots {
		of := (*waits)[slot]
		list(c, &of, 8*(int(voices)+quantiles), func(w *waiting) {
			c.whole(&w.at)
			c.floats(w.said[:])
			c.flag(&w.settled)
			c.whole(&w.speaks)
			c.floats(w.band[:])
			c.flag(&w.counted)
			if c.reading {
				c.bad = c.bad || w.at < 0 || w.at >= len(j.leads) || w.speaks < 0 || w.speaks >= voices || math.IsNaN(w.band[0])
			}
		})
		(*waits)[slot] = of
	}
}
