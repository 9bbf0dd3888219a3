package forecast

import "math"

const (
	looks   = 6 // experts that look at the days before
	experts = looks + 2
	targets = quantiles + 1 // the quantiles, and the mean
)

// said is what an expert says of a slot: the quantiles, and the mean.
type said = [targets]float64

// speech is what all experts say.
type speech struct {
	centre  [looks]float64     // what those expect that look at the days before; the first is the plain one
	spread  [quantiles]float64 // of the last weeks, around each of them
	low     float64            // the least that may be
	high    float64            // the most, under a clear sky
	grown   [4]said            // what the two forests say, and the two under the weather
	open    bool               // there is something to tell
	forests bool               // the forests speak
	weather bool               // those under the weather do as well
	size    float64
}

// all is what the experts say that know nothing of the weather.
func (s *speech) all() (of [experts]said) {
	for e, y := range s.centre {
		most := math.Max(s.high, y)
		for q, by := range s.spread {
			of[e][q] = math.Max(s.low, math.Min(most, y+by))
		}
		of[e][quantiles] = y
	}
	of[looks], of[looks+1] = s.grown[0], s.grown[1]
	return of
}

// nothing is a slot that is not in doubt.
func (s *speech) nothing(y float64) {
	*s = speech{low: math.Inf(-1), high: math.Inf(1)}
	s.centre[0] = y
}

// judge blends what the experts say of some leads, target by target, by what they were worth, and knows how well bands held.
//
// The weights are those of exponentially weighted aggregation on the gradients of the loss (Cesa-Bianchi and Lugosi, Prediction, Learning, and Games, 2006, 2.5; Gaillard, Stoltz and van Erven, 2014):
// they follow by how much the blend had lost less with a little more of an expert. So experts that err to opposite sides are blended, and the blend is in the long run hardly worse than the
// best fixed one. Each keeps a little, by which it comes back when its time comes.
type judge struct {
	gain    [experts][targets]float64 // logarithm of what was learned of the weights
	weights [experts][targets]float64
	loss    [3][quantiles]float64 // of the blend, and of the forests under the weather
	n       float64
	weather bool               // those under the weather are listened to
	wide    [quantiles]float64 // logarithm of what the distance from the median is multiplied by
}

const (
	judgeMemory    = 21.0  // days over which losses are compared
	judgeSharpness = 15.0  // how fast the weight of a forest under the weather falls with its loss
	judgePace      = 0.006 // by which a band widens with a miss
	judgeWidest    = 1.2   // logarithm

	blendRate   = 0.005 // of learning: by this much an error as large as the series is moves the logarithms of the weights of the mean; see learn
	blendMemory = 365   // days
	blendLeast  = 0.01  // share of the weights that stays as it was at first
	blendGrown  = 0.8   // share that the forests have at first
)

// newJudge has learned nothing.
func newJudge() judge {
	var j judge
	for t := range targets {
		j.weigh(t)
	}
	return j
}

// weigh derives the weights for a target.
func (j *judge) weigh(target int) {
	first := func(e int) float64 {
		if e < looks {
			return (1 - blendGrown) / looks
		}
		return blendGrown / (experts - looks)
	}
	most, sum := math.Inf(-1), 0.0
	for e := range j.gain {
		most = math.Max(most, j.gain[e][target])
	}
	for e := range j.gain {
		j.weights[e][target] = first(e) * math.Exp(j.gain[e][target]-most)
		sum += j.weights[e][target]
	}
	for e := range j.gain {
		j.weights[e][target] = (1-blendLeast)*j.weights[e][target]/sum + blendLeast*first(e)
	}
}

// blend is what experts say together.
func (j *judge) blend(of *[experts]said) (all said) {
	for e := range of {
		for t, w := range j.weights[e] {
			all[t] += w * of[e][t]
		}
	}
	return all
}

// hear learns from a slot that came; there are three of every origin, an origin an hour. scale is how large the series is.
func (j *judge) hear(s *speech, y, scale float64) {
	if !s.open || !s.forests {
		return
	}
	of := s.all()
	blend := j.blend(&of)
	q := j.widened(j.chosen(s, &blend))
	sure := math.Max(y, q[quantiles-1])-math.Min(y, q[0]) < 0.01*s.size // such slots hold by themselves and would let the others fail
	for i, l := range Levels {
		if sure {
			break
		}
		switch miss := 0.0; {
		case l < 0.5:
			if y < q[i] {
				miss = 1
			}
			j.wide[i] += judgePace * (miss - l)
		case l > 0.5:
			if y > q[i] {
				miss = 1
			}
			j.wide[i] += judgePace * (miss - (1 - l))
		}
		j.wide[i] = math.Max(-judgeWidest, math.Min(judgeWidest, j.wide[i]))
	}
	j.n++
	by := math.Max(1/j.n, 1/(judgeMemory*3*24))
	for i, l := range Levels {
		j.loss[0][i] += by * (pinball(l, y-blend[i]) - j.loss[0][i])
		for e := 1; e < 3 && s.weather; e++ {
			j.loss[e][i] += by * (pinball(l, y-s.grown[e+1][i]) - j.loss[e][i])
		}
	}
	j.learn(&of, &blend, y, scale)
}

// learn moves the weights of a blend by what came. Quantiles far from the middle have smaller slopes, and so learn faster.
func (j *judge) learn(of *[experts]said, blend *said, y, scale float64) {
	if scale <= 0 {
		return
	}
	const keep = 1 - 1/(blendMemory*3*24.0)
	for t, b := range blend {
		rate, slope := blendRate, (b-y)/scale // of half the square
		if t < quantiles {
			l := Levels[t]
			if rate, slope = blendRate/(l*(1-l)), -l; b > y {
				slope++
			}
		}
		for e := range j.gain {
			j.gain[e][t] = keep*j.gain[e][t] + rate*slope*(b-of[e][t])/scale
		}
		j.weigh(t)
	}
}

func pinball(level, d float64) float64 { return math.Max(level*d, (level-1)*d) }

// won reports whether a forest under the weather is better than what is known without, by its loss over all quantiles: then those under the weather speak alone, and else not at all.
func (j *judge) won() bool {
	if !j.weather {
		return false
	}
	var sum [len(j.loss)]float64
	for e := range sum {
		for _, l := range j.loss[e] {
			sum[e] += l
		}
	}
	return math.Min(sum[1], sum[2]) < sum[0]
}

// under is what the forests under the weather say together.
func (j *judge) under(s *speech) (all said) {
	for t := range all {
		i := t
		if t == quantiles {
			i = quantiles / 2
		}
		least, total := math.Min(j.loss[1][i], j.loss[2][i]), 0.0
		for e := 1; e < 3; e++ {
			w := 1.0
			if least > 0 {
				w = math.Exp(judgeSharpness * (1 - j.loss[e][i]/least))
			}
			all[t], total = all[t]+w*s.grown[e+1][t], total+w
		}
		all[t] /= total
	}
	return all
}

// chosen is what the experts say together, or those under the weather alone where they won.
func (j *judge) chosen(s *speech, blend *said) *said {
	if !j.won() {
		return blend
	}
	all := j.under(s)
	return &all
}

// widened are quantiles whose distances from the median follow what the band held.
func (j *judge) widened(all *said) (q [quantiles]float64) {
	copy(q[:], all[:])
	const mid = quantiles / 2
	for i := range q {
		q[i] = q[mid] + math.Exp(j.wide[i])*(q[i]-q[mid])
	}
	// the inner quantiles stay within the outer ones
	for i := mid - 1; i >= 0; i-- {
		q[i] = math.Min(q[i], q[i+1])
	}
	for i := mid + 1; i < len(q); i++ {
		q[i] = math.Max(q[i], q[i-1])
	}
	return q
}

// settle combines what experts say.
func (j *judge) settle(s *speech) (mean float64, q [quantiles]float64) {
	of := s.all()
	if !s.open || !s.forests {
		copy(q[:], of[0][:])
		return of[0][quantiles], q
	}
	blend := j.blend(&of)
	all := j.chosen(s, &blend)
	return all[quantiles], j.widened(all)
}
