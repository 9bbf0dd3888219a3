package forecast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// ErrKept is matched by the errors of what was kept and cannot be taken up again.
var ErrKept = errors.New("forecast: not as it was kept")

// AppendState appends what was learned, so that RestoreState of a forecaster with the same settings, in the same build of the program, goes on to the digit: with the past that was passed to Forecast last. Only what
// forests learn of the oldest week of a past from which slots were dropped is worked out again, from less than was known then.
func (p *Probabilistic) AppendState(out []byte) []byte {
	c := coder{out: out}
	p.visit(&c)
	return c.out
}

// RestoreState takes up what AppendState wrote, with the past that was passed to Forecast last, and returns what follows it. After an error, which matches [ErrKept], the forecaster is of no use.
func (p *Probabilistic) RestoreState(in []byte, past Past) (rest []byte, err error) {
	c, slots := coder{in: in, reading: true}, len(past.Values)
	p.visit(&c)
	if !c.bad && (p.seen < 1 || len(p.made) != p.seen || len(p.spoken) != p.seen || (p.seen-1)*p.hour > slots || len(p.sumV) != len(p.sumC) || len(p.sumV) < 1 || len(p.sumV) > slots+1 ||
		p.mean.seen < 0 || p.mean.seen > slots || p.weather == nil && (p.under[0] != nil || len(p.held) > 0) || len(p.mean.models) != p.lead || !p.mean.first.Equal(past.Start) || len(p.judges) != (p.lead+3*p.hour-1)/(3*p.hour) || p.weather != nil && len(p.held) != len(p.judges) || !p.mouldOf(p.forests, width) ||
		!p.mouldOf(p.under, width+weatherFeatures)) {
		c.bad = true
	}
	for o, all := range p.spoken {
		if want := (p.lead - p.heard(o) + p.hour - 1) / p.hour; all != nil && len(all) != want || o < len(p.made) && p.made[o] != nil && len(p.made[o]) != want {
			c.bad = true
		}
	}
	if c.bad {
		return nil, fmt.Errorf("%w: %d bytes of a series of %d slots", ErrKept, len(in), slots)
	}
	return c.in, nil
}

func (p *Probabilistic) visit(c *coder) {
	c.visitAdaptive(p.mean)
	list(c, &p.made, 1, func(m *[]float32) { list(c, m, 4, c.single) })
	list(c, &p.spoken, 1, func(s *[]speech) { list(c, s, 0, c.speech) })
	c.whole(&p.seen)
	c.whole(&p.grown)
	c.flag(&p.beside)
	c.forests(&p.forests)
	list(c, &p.judges, 8, c.judge)
	list(c, &p.sumV, 8, c.float)
	list(c, &p.sumC, 8, c.float)
	c.whole(&p.taught)
	c.forests(&p.under)
	list(c, &p.held, 8, c.judge)
}

// mouldOf reports whether there are two forests, or none, that can be asked about rows of a width.
func (p *Probabilistic) mouldOf(of [2]*forest, width int) bool {
	if of[0] == nil || of[1] == nil {
		return of[0] == nil && of[1] == nil
	}
	for _, f := range of {
		for i := range f.trees {
			t := &f.trees[i]
			if len(t.leaves) == 0 {
				return false
			}
			for k, n := range t.nodes {
				for _, child := range [2]int32{n.left, n.right} {
					if n.feature < 0 || int(n.feature) >= width || child >= 0 && (int(child) <= k || int(child) >= len(t.nodes)) || child < 0 && int(^child) >= len(t.leaves) {
						return false
					}
				}
			}
		}
		if len(f.trees) == 0 {
			return false
		}
	}
	return true
}

// AppendState appends what is known of errors.
func (s *Spread) AppendState(out []byte) []byte {
	c := coder{out: out}
	s.visit(&c)
	return c.out
}

// RestoreState takes up what AppendState wrote, and returns what follows it.
func (s *Spread) RestoreState(in []byte) (rest []byte, err error) {
	c := coder{in: in, reading: true}
	s.visit(&c)
	for _, v := range s.made {
		c.bad = c.bad || len(v) > s.lead
	}
	if c.bad {
		return nil, fmt.Errorf("%w: %d bytes of the errors of forecasts", ErrKept, len(in))
	}
	return c.in, nil
}

func (s *Spread) visit(c *coder) {
	c.long(&s.first)
	slots := slices.Sorted(maps.Keys(s.made))
	list(c, &slots, 1, c.long)
	for _, at := range slots {
		v := s.made[at]
		list(c, &v, 8, c.float)
		s.made[at] = v
	}
	slots = slices.Sorted(maps.Keys(s.came))
	list(c, &slots, 1, c.long)
	for _, at := range slots {
		v := s.came[at]
		c.float(&v)
		s.came[at] = v
	}
}

// coder writes one value after the other, or reads them again in the same order.
type coder struct {
	out     []byte
	in      []byte
	reading bool
	bad     bool // what is read is not what was written
}

// take returns the next bytes that are read; zeros where there are none.
func (c *coder) take(n int) []byte {
	if n > len(c.in) {
		c.bad, c.in = true, nil
		return make([]byte, n)
	}
	b := c.in[:n]
	c.in = c.in[n:]
	return b
}

func (c *coder) long(v *int64) {
	if !c.reading {
		c.out = binary.AppendVarint(c.out, *v)
		return
	}
	x, n := binary.Varint(c.in)
	if n <= 0 {
		c.bad, c.in, n = true, nil, 0
	}
	*v, c.in = x, c.in[n:]
}

func (c *coder) whole(v *int) {
	x := int64(*v)
	c.long(&x)
	*v = int(x)
}

func (c *coder) small(v *int32) {
	x := int64(*v)
	c.long(&x)
	*v = int32(x)
	c.bad = c.bad || int64(*v) != x
}

func (c *coder) float(v *float64) {
	if !c.reading {
		c.out = binary.LittleEndian.AppendUint64(c.out, math.Float64bits(*v))
		return
	}
	*v = math.Float64frombits(binary.LittleEndian.Uint64(c.take(8)))
}

func (c *coder) single(v *float32) {
	if !c.reading {
		c.out = binary.LittleEndian.AppendUint32(c.out, math.Float32bits(*v))
		return
	}
	*v = math.Float32frombits(binary.LittleEndian.Uint32(c.take(4)))
}

func (c *coder) flag(v *bool) {
	x := int64(0)
	if *v {
		x = 1
	}
	c.long(&x)
	*v = x == 1
}

func (c *coder) instant(v *time.Time) {
	var s int64
	if !v.IsZero() {
		s = v.UnixNano()
	}
	if c.long(&s); c.reading && s != 0 {
		*v = time.Unix(0, s).UTC()
	}
}

// list is a slice of elements that are at least so many bytes long; nil stays nil.
func list[T any](c *coder, v *[]T, least int, each func(*T)) {
	n := 0
	if *v != nil {
		n = 1 + len(*v)
	}
	c.whole(&n)
	if c.reading {
		if n < 0 || n > 1<<24 || n-1 > len(c.in)/max(1, least) {
			c.bad, c.in, n = true, nil, 0
		}
		if *v = nil; n > 0 {
			*v = make([]T, n-1)
		}
	}
	for i := range *v {
		each(&(*v)[i])
	}
}

func (c *coder) floats(list []float64) {
	for i := range list {
		c.float(&list[i])
	}
}

// visitAdaptive shows what is learned; what follows from the past is worked out again, but for what the features of the last origins have in common.
func (c *coder) visitAdaptive(a *Adaptive) {
	c.float(&a.scale)
	c.whole(&a.seen)
	c.instant(&a.first)
	list(c, &a.models, 8*(features+2), func(m *regression) {
		c.floats(m.w[:])
		for i := range m.p {
			c.floats(m.p[i][:])
		}
		c.float(&m.err)
		c.float(&m.plain)
		c.whole(&m.n)
	})
	skip := max(0, len(a.kept)-a.lead-1)
	last := a.kept[skip:]
	c.whole(&skip)
	list(c, &last, 6, func(o *origin) {
		c.flag(&o.known)
		for _, v := range []*float64{&o.level, &o.last, &o.recent, &o.expected, &o.num} {
			c.float(v)
		}
	})
	if c.reading {
		if skip < 0 || skip > 1<<20 {
			c.bad, skip = true, 0
		}
		a.kept = append(make([]origin, skip), last...)
	}
}

func (c *coder) speech(s *speech) {
	c.flag(&s.open)
	c.flag(&s.forests)
	c.flag(&s.weather)
	c.float(&s.size)
	c.floats(s.centre[:])
	c.floats(s.spread[:])
	c.float(&s.low)
	c.float(&s.high)
	for e := range s.grown {
		if s.forests && e < 2 || s.weather && e >= 2 { // those that say nothing are not written
			c.floats(s.grown[e][:])
		}
	}
}

func (c *coder) judge(j *judge) {
	for e := range j.gain {
		c.floats(j.gain[e][:])
		c.floats(j.weights[e][:])
	}
	for e := range j.loss {
		c.floats(j.loss[e][:])
	}
	c.floats(j.wide[:])
	c.float(&j.n)
	c.flag(&j.weather)
}

func (c *coder) forests(of *[2]*forest) {
	for e := range of {
		var trees []tree
		if of[e] != nil {
			trees = of[e].trees
		}
		list(c, &trees, 2, func(t *tree) {
			list(c, &t.nodes, 7, func(n *node) {
				c.small(&n.feature)
				c.small(&n.left)
				c.small(&n.right)
				c.single(&n.at)
			})
			list(c, &t.leaves, 4*(quantiles+1), func(l *leaf) {
				for q := range l {
					c.single(&l[q])
				}
			})
		})
		if c.reading && len(trees) > 0 {
			of[e] = &forest{trees: trees}
		}
	}
}
