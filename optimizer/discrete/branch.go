package discrete

import (
	"container/heap"
	"context"
	"math"

	"quartier/optimizer/ipm"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

const (
	branchSize   = 2000     // variables of the relaxation above which only directions are branched on
	branchBudget = 20000000 // nodes times variables
)

// tree is a branch and bound over decisions: a node fixes some, its relaxation bounds what the rest can reach. The nodes are taken in the order of their
// bounds, ties in that of their making.
type tree struct {
	*search
	open   nodes
	closed float64 // least bound of a node that was closed without being excluded
	limit  int
	made   int
	whole  bool // devices are branched on too
}

type node struct {
	dec   *model.Decisions
	bound float64
	order int
}

type nodes []*node

func (h nodes) Len() int { return len(h) }
func (h nodes) Less(a, b int) bool {
	if h[a].bound != h[b].bound {
		return h[a].bound < h[b].bound
	}
	return h[a].order > h[b].order // the younger first: deeper
}
func (h nodes) Swap(a, b int) { h[a], h[b] = h[b], h[a] }
func (h *nodes) Push(x any)   { *h = append(*h, x.(*node)) }
func (h *nodes) Pop() any {
	old := *h
	n := old[len(old)-1]
	*h = old[:len(old)-1]
	return n
}

func newTree(s *search, whole bool) *tree {
	t := &tree{search: s, closed: math.Inf(1), limit: max(1, branchBudget/max(1, s.variables())), whole: whole}
	t.push(model.NewDecisions(s.Problem), math.Inf(-1))
	return t
}

func (t *tree) push(dec *model.Decisions, bound float64) {
	t.made++
	heap.Push(&t.open, &node{dec, bound, t.made})
}

// empty reports whether every node was excluded and no plan was found.
func (t *tree) empty() bool { return len(t.open) == 0 && math.IsInf(t.closed, 1) && t.best == nil }

// bound is a cost below which there is no plan.
func (t *tree) bound() float64 {
	low := t.closed
	if t.best != nil {
		low = math.Min(low, t.best.Cost)
	}
	if len(t.open) > 0 {
		low = math.Min(low, t.open[0].bound)
	}
	if math.IsInf(low, 1) {
		return math.Inf(-1)
	}
	return low - 1e-9*math.Max(1, math.Abs(low))
}

// run takes nodes, a round each, until the limit, the context or the gap asked for.
func (t *tree) run(ctx context.Context) {
	for taken := 0; len(t.open) > 0 && taken < t.limit && !t.over(ctx); taken++ {
		if t.best != nil && t.best.Cost-t.open[0].bound <= t.slack() {
			return
		}
		n := heap.Pop(&t.open).(*node)
		if !t.expand(ctx, n, taken) {
			heap.Push(&t.open, n) // unfinished: still open
			return
		}
		t.round++
		if t.Log != nil && taken%16 == 0 {
			t.Log.Debug("plan node", "node", taken, "bound_eur", t.bound(), "open", len(t.open))
		}
	}
}

// slack is how far from the best plan a bound may stay.
func (t *tree) slack() float64 { return math.Max(1e-7, t.Gap) * math.Max(1, math.Abs(t.best.Cost)) }

func (t *tree) close(bound float64) { t.closed = math.Min(t.closed, bound) }

// expand bounds a node and closes or branches it. It reports false when the context ended first.
func (t *tree) expand(ctx context.Context, n *node, taken int) bool {
	prog := model.Build(t.Problem, model.Options{Decisions: n.dec})
	if prog.Impossible() {
		return true
	}
	sol, err := ipm.Solve(ctx, prog.IPM, ipm.Settings{GapTol: 1e-6})
	if err != nil || sol.Status == ipm.Interrupted {
		return false
	}
	if sol.Status == ipm.Infeasible {
		return true
	}
	if sol.Status != ipm.Solved && sol.Status != ipm.AlmostSolved {
		strict := model.Build(t.Problem, model.Options{Decisions: n.dec, Elastic: &model.Elastic{LimitPrice: 1, FinalPrice: 1, Only: true}})
		least, err := ipm.Solve(ctx, strict.IPM, ipm.Settings{GapTol: 1e-5})
		if err != nil || least.Status == ipm.Interrupted {
			return false
		}
		if least.Info.Bound > 2e-4 { // kWh beyond limits, far above what a plan may overstep
			return true
		}
	}
	bound := math.Max(n.bound, sol.Info.Bound+t.forcedStarts(n.dec))
	if t.best != nil && bound >= t.best.Cost-t.slack() {
		t.close(bound)
		return true
	}
	if t.BoundAt != nil && len(t.chord) > 0 {
		bound = math.Max(bound, t.BoundAt(ctx, n.dec.Direction, sol))
		if ctx.Err() != nil {
			return false
		}
		if t.best != nil && bound >= t.best.Cost-t.slack() {
			t.close(bound)
			return true
		}
	}
	plan, ok := Take(t.Problem, prog, sol, n.dec, t.Judge)
	if ok && (t.best == nil || plan.Cost < t.best.Cost) {
		t.best = plan
	}
	if taken%8 == 0 {
		if _, done := t.try(ctx, t.rounded(n.dec, prog, plan.Power)); !done {
			return false
		}
	}
	if t.best != nil && bound >= t.best.Cost-t.slack() {
		t.close(bound)
		return true
	}
	if !t.whole && len(t.units) > 0 && taken%4 == 0 { // what the devices do in these directions
		dec := n.dec.Clone()
		t.decide(ctx, dec, sol, nil, t.priced)
		if _, done := t.try(ctx, dec); !done {
			return false
		}
	}
	children := t.branch(n.dec, prog, sol, plan.Power)
	if len(children) == 0 {
		if _, done := t.try(ctx, t.rounded(n.dec, prog, plan.Power)); !done {
			return false
		}
		t.close(bound)
		return true
	}
	for _, c := range children {
		t.push(c, bound)
	}
	return true
}

// forcedStarts is what the starts cost that the fixed steps alone imply.
func (t *tree) forcedStarts(dec *model.Decisions) float64 {
	sum := 0.0
	for _, u := range t.units {
		d, ok := t.device(u).(*problem.HeatPump)
		if !ok || d.StartCost == 0 {
			continue
		}
		on := d.InitialOn
		for _, m := range dec.Device[u.site][u.dev].Modes {
			if m == model.On && !on {
				sum += d.StartCost
			}
			if m != model.Relaxed {
				on = m == model.On
			}
		}
	}
	return sum
}

// rounded completes decisions by the powers of an answer.
func (t *tree) rounded(dec *model.Decisions, prog *model.Program, power [][][]float64) *model.Decisions {
	out := dec.Clone()
	zero := make([]float64, t.Problem.Steps)
	for _, u := range t.units {
		is, v := &out.Device[u.site][u.dev], power[u.site][u.dev]
		if d, ok := t.device(u).(*problem.Shiftable); ok {
			if is.Start == 0 {
				is.Start = nearest(d, is, v) + 1
			}
			continue
		}
		c, rounded := diffuse(t.Problem, t.device(u), v)
		if !rounded {
			c = t.priced(&t.solvers[0], u, zero)
		}
		modes := append([]model.Mode(nil), c.dec.Modes...)
		for k, m := range is.Modes {
			if m != model.Relaxed {
				modes[k] = m
			}
		}
		if h, ok := t.device(u).(*problem.HeatPump); ok && !legal(h, modes) {
			modes = c.dec.Modes
		}
		is.Modes = modes
	}
	return out
}

// nearest returns the start in the decided window whose run takes its energy at the same mean time as the powers do.
func nearest(d *problem.Shiftable, is *model.Decision, v []float64) int {
	moment, energy := 0.0, 0.0
	for t, kw := range v {
		moment += float64(t) * kw
		energy += kw
	}
	own, total := 0.0, 0.0
	for k, kw := range d.ProfileKW {
		own += float64(k) * kw
		total += kw
	}
	lo, hi := model.Window(d, *is)
	if energy <= 0 || total <= 0 {
		return lo
	}
	return min(max(int(math.Round(moment/energy-own/total)), lo), hi)
}

// branch splits a node at its most doubtful decision; none means that everything is decided.
func (t *tree) branch(dec *model.Decisions, prog *model.Program, sol *ipm.Solution, power [][][]float64) []*model.Decisions {
	type spot struct {
		u     unit
		step  int
		doubt float64
	}
	best := spot{doubt: 0}
	units := t.units
	if !t.whole {
		units = nil
	}
	for _, u := range units {
		is, v := &dec.Device[u.site][u.dev], power[u.site][u.dev]
		if d, ok := t.device(u).(*problem.Shiftable); ok {
			lo, hi := model.Window(d, *is)
			if is.Start == 0 && lo < hi {
				if w := t.misfit(d, nearest(d, is, v), v); w > best.doubt {
					best = spot{u, -1, w}
				} else if best.doubt == 0 {
					best = spot{u, -1, 1e-9}
				}
			}
			continue
		}
		pl := prog.Place[u.site][u.dev]
		for k := 0; k < t.Problem.Steps; k++ {
			options := t.options(t.device(u), k)
			if options == nil || (is.Modes != nil && is.Modes[k] != model.Relaxed) {
				continue
			}
			least := leastPower(t.device(u))
			w := 1e-9
			if v[k] > 1e-6 && v[k] < least {
				w = math.Min(v[k], least-v[k]) + 1e-3
			}
			if len(pl.Input) == 2 {
				w = math.Max(w, math.Min(sol.Input[u.site][pl.Input[0]][k], sol.Input[u.site][pl.Input[1]][k]))
			}
			if d, ok := t.device(u).(*problem.HeatPump); ok && (d.StartCost > 0 || d.MinOnSteps > 1 || d.MinOffSteps > 1) {
				before := d.InitialOn
				if k > 0 {
					before = v[k-1] > 1e-6
				}
				if before != (v[k] > 1e-6) {
					w = math.Max(w, 0.01+d.StartCost)
				}
			}
			if w > best.doubt {
				best = spot{u, k, w}
			}
		}
	}
	chord := -1
	for k, lo := range prog.IPM.Import.Lo {
		if lo < 0 {
			if w := math.Min(-lo, prog.IPM.Import.Hi[k]) / 2; w > best.doubt {
				best.doubt, chord = w, k
			}
		}
	}
	if best.doubt == 0 {
		return nil
	}
	if chord >= 0 {
		return t.directions(dec, chord)
	}
	if best.step < 0 {
		return t.halves(dec, best.u, power)
	}
	var out []*model.Decisions
	for _, m := range t.options(t.device(best.u), best.step) {
		c := dec.Clone()
		is := &c.Device[best.u.site][best.u.dev]
		modes := make([]model.Mode, t.Problem.Steps)
		copy(modes, is.Modes)
		modes[best.step] = m
		is.Modes = modes
		if h, ok := t.device(best.u).(*problem.HeatPump); ok && !imply(h, modes) {
			continue
		}
		out = append(out, c)
	}
	return out
}

func (t *tree) directions(dec *model.Decisions, step int) []*model.Decisions {
	var out []*model.Decisions
	for _, d := range [...]model.Direction{model.Importing, model.Exporting} {
		c := dec.Clone()
		c.Direction[step] = d
		out = append(out, c)
	}
	return out
}

// halves splits the start window of an appliance.
func (t *tree) halves(dec *model.Decisions, u unit, power [][][]float64) []*model.Decisions {
	d := t.device(u).(*problem.Shiftable)
	is := dec.Device[u.site][u.dev]
	lo, hi := model.Window(d, is)
	cut := min(max(nearest(d, &is, power[u.site][u.dev]), lo), hi-1)
	a, b := dec.Clone(), dec.Clone()
	a.Device[u.site][u.dev] = model.Decision{Earliest: lo + 1, Latest: cut + 1}
	b.Device[u.site][u.dev] = model.Decision{Earliest: cut + 2, Latest: hi + 1}
	return []*model.Decisions{a, b}
}

// misfit is how far powers are from a run, kW.
func (t *tree) misfit(d *problem.Shiftable, start int, v []float64) float64 {
	worst := 0.0
	for k, kw := range v {
		want := 0.0
		if n := k - start; n >= 0 && n < len(d.ProfileKW) {
			want = d.ProfileKW[n]
		}
		worst = math.Max(worst, math.Abs(kw-want))
	}
	return worst
}

func leastPower(d problem.Device) float64 {
	switch d := d.(type) {
	case *problem.EV:
		return d.MinKW
	case *problem.HeatPump:
		return d.MinKW
	case *problem.WaterHeater:
		return d.MinKW
	}
	return 0
}

// imply writes into modes what minimum times force, and reports false when they contradict each other.
func imply(d *problem.HeatPump, modes []model.Mode) bool {
	set := func(t int, on bool) bool {
		if t >= len(modes) {
			return true
		}
		want := model.Off
		if on {
			want = model.On
		}
		if modes[t] == model.Relaxed {
			modes[t] = want
		}
		return modes[t] == want
	}
	for t := 0; t < d.HeldSteps(len(modes)); t++ {
		if !set(t, d.InitialOn) {
			return false
		}
	}
	before := model.Off
	if d.InitialOn {
		before = model.On
	}
	for t, m := range modes {
		if m == model.On && before == model.Off {
			for k := 1; k < d.MinOnSteps; k++ {
				if !set(t+k, true) {
					return false
				}
			}
		}
		if m == model.Off && before == model.On {
			for k := 1; k < d.MinOffSteps; k++ {
				if !set(t+k, false) {
					return false
				}
			}
		}
		before = modes[t]
	}
	return true
}
