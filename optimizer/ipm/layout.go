package ipm

// input is one decided quantity of a group.
type input struct {
	row
	index int // in the site
	chain int // in the group, -1 for none
	sign  float64
	gain  []float64 // cut like the row; nil without a chain
	at    int       // of its first step in the chain rows' series
}

// state is a chain's variable.
type state struct {
	row
	index       int       // in the site
	keep, drive []float64 // keep has one step more, which is 0
	boxed       bool      // false: bands alone hold it; its box follows from the inputs' boxes and is no barrier term
	inputs      []int     // those that move it
	at          int       // of its first step in the chain rows' series
	before      float64
}

// group is what one elimination handles: a site with its net power's row, or, where nothing limits or prices the net power, one chain with its
// inputs, or one input. Without a site row the site's price is the district's. Series have n steps from step `from` of the program; those of d
// chains lie one behind the other (chain*stride + step), with zeros between them up to whole blocks.
type group struct {
	site    int
	from, n int
	stride  int
	in      []input
	ch      []state
	net     row // without blocks where there is no site row
	netted  bool
	base    []float64
	factor
	ap, ad       float64   // how far its own step may go
	reach        reach     // what limits it
	held         held      // what its step is still to be scaled by
	step         []float64 // of its net power
	y, dy, res   []float64 // chain rows: dual, its step, residual
	r0, r1       []float64 // chain rows' right-hand side without mu, and per mu
	v, dv, resv  []float64 // site row
	rv0, rv1     []float64
	ysave, vsave []float64 // of the best bound
	xsave        []float64 // of the best point: inputs, states, net
}

// flow is a boundary flow in all steps.
type flow struct {
	cells        []cell
	lo, hi, cost []float64
}

// d is the number of chains.
func (g *group) d() int { return len(g.ch) }

// solver holds every number of one solve.
type solver struct {
	p        *Problem
	attempt  int // which of startMus
	T        int
	groups   []group
	shards   []shard
	imp, exp flow
	base     []float64 // load of the sites without a row of their own
	constant float64   // scaled cost of what is fixed
	scale    float64   // EUR of the caller per EUR inside
	unit     float64   // 1/scale
	pairs    int       // complementarity pairs
	power    float64   // typical power of a site's row, for relative residuals
	wide     float64   // how many times that a grid row's is
	maxCost  float64   // no point of the boxes costs more

	ap, ad, mu float64 // the step to take; the target of the corrector
	centre     float64 // by how much more a group aims at that is held
	delta      []float64
	saveX      bool // the next move leaves a best point, or bound, behind
	saveDual   bool

	lam, dlam      []float64
	lamSave        []float64
	impSave        []float64
	expSave        []float64
	resLam, rhsLam []float64
	left           []float64 // of the grid rows' residual after the step, by rounding
	lam0, lam1     []float64 // the groups' share of the right-hand side, without mu and per mu
	net            []float64 // sum of net powers, or of their steps
	gi, ge, di, de []float64 // Newton gradients and steps of import and export
	peak           peak
	schur, work    []float64 // the grid matrix: the groups' sum, and the factor of the whole
	still          []bool    // grid rows that nothing moves
	pool           pool
	sweeps         sweeps
	lengths        []float64 // of the groups' steps, to be sorted
	flowAP, flowAD []float64 // how far import and export may go, by step
	gridAP, gridAD float64   // and all of the grid
	peakAP, peakAD float64   // and the peak
	before         []float64
	without, stale bool // whether held imports and exports are taken out of the grid matrix, and whether it is still to be factorised so
}

// sweeps are the solver's own, bound once: binding allocates.
type sweeps struct{ measure, predict, correct, hold, refine func(*shard) }

// shard is a fixed share of the groups with its own sums and working memory.
type shard struct {
	from, to     int
	pairs        int // complementarity pairs
	schur        []float64
	net          []float64 // sum of the net powers, or of their steps
	most         []float64 // largest freedom of a net power
	lam0, lam1   []float64 // right-hand side of the grid rows
	acc          sums
	pu, p0, su   []float64 // per step
	g0, g1       []float64
	bb, cross    []float64 // per step and chain
	pk, xs       []float64
	k0, k1       []float64
	work         [4][]float64 // of one row, with a block of zeros before it
	xbuf, blocks []float64
	cols         []four // one for each chain of a group
}

// sums are what one sweep over a shard adds up.
type sums struct {
	mu, zdw, dwdz    float64
	objective, bound float64
	primal, dual     float64 // largest residuals
	alphaP, alphaD   float64
}

func (a *sums) add(b *sums) {
	a.mu += b.mu
	a.zdw += b.zdw
	a.dwdz += b.dwdz
	a.objective += b.objective
	a.bound += b.bound
	a.primal = max(a.primal, b.primal)
	a.dual = max(a.dual, b.dual)
	a.alphaP = min(a.alphaP, b.alphaP)
	a.alphaD = min(a.alphaD, b.alphaD)
}

const (
	fixedWidth = 1e-11 // a box narrower than this, relative to its level, is a constant
	startCost  = 0.04  // scaled cost of a typical kW and step, to which startMus were chosen
	maxShards  = 16
	// shardGroups are enough to be worth a shard: each has a grid matrix of its own to clear and to add. Few large ones would leave a processor waiting for the last of another
	shardGroups = 20
)

// startMus are the first complementarity products, in scaled EUR, of the attempts.
var startMus = [...]float64{0.007, 0.3, 10}
