package forecast

import "math"

// said is what an expert says of a slot: the quantiles, and the mean.
type said = [quantiles + 1]float64

// speech is what all experts say: the plain one, the two forests, and the two under the weather.
type speech struct {
	by      [5]said
	open    bool // there is something to tell
	forests bool // the forests speak
	weather bool // those under the weather do as well
	size    float64
}

// nothing is a slot that is not in doubt.
func (s *speech) nothing(y float64) {
	*s = speech{}
	for q := range s.by[0] {
		s.by[0][q] = y
	}
}

// plain is the mean of seven days with the present deviation fading, and around it the spread of the last weeks.
func (s *speech) plain(x *sight) {
	for q := range quantiles {
		s.by[0][q] = math.Max(x.low, x.plain+x.spread[q])
	}
	s.by[0][quantiles] = x.plain
}

// move shifts what the plain expert says, to no less than low.
func (s *speech) move(by, low float64) {
	for q := range s.by[0] {
		s.by[0][q] = math.Max(low, s.by[0][q]+by)
	}
}

// judge knows what the experts were worth for some leads, and how well bands held.
type judge struct {
	loss    [5][quantiles]float64
	n       float64
	weather bool               // those under the weather are listened to
	wide    [quantiles]float64 // logarithm of what the distance from the median is multiplied by
}

const (
	judgeMemory    = 21.0  // days over which losses are compared
	judgeSharpness = 15.0  // how fast an expert's weight falls with its loss
	judgePace      = 0.006 // by which a band widens with a miss
	judgeWidest    = 1.2   // logarithm
)

// hear learns from a slot that came; there are three of every origin, an origin an hour.
func (j *judge) hear(s *speech, y float64) {
	if !s.open || !s.forests {
		return
	}
	_, q := j.settle(s)
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
	for e := range s.by {
		if e >= 3 && !s.weather {
			break
		}
		for i, l := range Levels {
			d := y - s.by[e][i]
			j.loss[e][i] += by * (math.Max(l*d, (l-1)*d) - j.loss[e][i])
		}
	}
}

// won reports whether a forest under the weather is better than all that know nothing of it, by its loss over all quantiles: then those under the weather speak alone, and else not at all.
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
	return math.Min(sum[3], sum[4]) < math.Min(sum[0], math.Min(sum[1], sum[2]))
}

// weights are those of the experts for a quantile.
func (j *judge) weights(q int) (w [5]float64) {
	total, least := 0.0, math.Min(j.loss[1][q], j.loss[2][q])
	for e := 1; e < 3; e++ {
		if j.n == 0 || j.loss[e][q] <= j.loss[0][q] {
			w[e] = 1
			if least > 0 {
				w[e] = math.Exp(judgeSharpness * (1 - j.loss[e][q]/least))
			}
		}
		total += w[e]
	}
	if j.won() {
		w, total = [5]float64{}, 0
		for e := 3; e < len(w); e++ {
			w[e] = 1
			if least := math.Min(j.loss[3][q], j.loss[4][q]); least > 0 {
				w[e] = math.Exp(judgeSharpness * (1 - j.loss[e][q]/least))
			}
			total += w[e]
		}
	}
	if total == 0 {
		w[0], total = 1, 1
	}
	for e := range w {
		w[e] /= total
	}
	return w
}

// settle combines what experts say.
func (j *judge) settle(s *speech) (mean float64, q [quantiles]float64) {
	if !s.open || !s.forests {
		copy(q[:], s.by[0][:])
		return s.by[0][quantiles], q
	}
	for i := range q {
		for e, w := range j.weights(i) {
			q[i] += w * s.by[e][i]
		}
	}
	for e, w := range j.weights(quantiles / 2) {
		mean += w * s.by[e][quantiles]
	}
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
	return mean, q
}
