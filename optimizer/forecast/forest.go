package forecast

import (
	"math"
	"math/rand/v2"
	"sort"
)

// forest is a quantile regression forest: extremely randomised trees whose leaves keep the quantiles, and the mean, of what was learned there. Quantiles of the trees are averaged.
type forest struct {
	trees []tree
}

type tree struct {
	nodes  []node
	leaves []leaf
}

// node sends rows with x[feature] < at to the left, the others to the right; a child below zero is the leaf ^child.
type node struct {
	feature     int32
	left, right int32
	at          float32
}

type leaf [quantiles + 1]float32 // the last is the mean

// rows are what a forest learns from: x has width features a row.
type rows struct {
	width  int
	x      []float32
	y, w   []float32
	ranked []float32 // what splits are judged by
}

func (r *rows) n() int { return len(r.y) }

// growth settles how trees are made.
type growth struct {
	trees, candidates, leaf int
}

// growForest learns; the same rows and seed give the same forest.
func growForest(r *rows, set growth, seed uint64) *forest {
	rng := rand.New(rand.NewPCG(seed, 17))
	f := &forest{trees: make([]tree, set.trees)}
	order := make([]int32, r.n())
	g := grower{r: r, set: set, rng: rng, vals: make([]weighted, 0, 4*set.leaf)}
	for i := range f.trees {
		for k := range order {
			order[k] = int32(k)
		}
		g.t = &f.trees[i]
		g.split(order, 0)
	}
	return f
}

type weighted struct{ y, w float32 }

type grower struct {
	r    *rows
	set  growth
	rng  *rand.Rand
	t    *tree
	vals []weighted
	part []int32
}

// judged is how many rows splits are judged by.
const judged = 400

// split makes the subtree of rows and returns its place.
func (g *grower) split(of []int32, depth int) int32 {
	if len(of) < 2*g.set.leaf || depth > 24 {
		return g.leaf(of)
	}
	best, feature, at := -1.0, -1, float32(0)
	all := of
	if len(of) > judged { // a part that is drawn tells enough
		part := g.part[:0]
		for range judged {
			part = append(part, of[g.rng.IntN(len(of))])
		}
		g.part, of = part, part
	}
	least := max(1, g.set.leaf*len(of)/len(all))
	var total, weight float64
	for _, i := range of {
		total += float64(g.r.w[i] * g.r.ranked[i])
		weight += float64(g.r.w[i])
	}
	for range g.set.candidates {
		j := g.rng.IntN(g.r.width)
		// a threshold between two rows drawn, so that it follows the density of the feature
		a, b := g.r.x[int(of[g.rng.IntN(len(of))])*g.r.width+j], g.r.x[int(of[g.rng.IntN(len(of))])*g.r.width+j]
		if a == b {
			continue
		}
		if a > b {
			a, b = b, a
		}
		cut := a + (b-a)*float32(0.001+0.998*g.rng.Float64())
		sum, w, n := 0.0, 0.0, 0
		for _, i := range of {
			if g.r.x[int(i)*g.r.width+j] < cut {
				sum += float64(g.r.w[i] * g.r.ranked[i])
				w += float64(g.r.w[i])
				n++
			}
		}
		if n < least || len(of)-n < least || w <= 0 || weight-w <= 0 {
			continue
		}
		if gain := sum*sum/w + (total-sum)*(total-sum)/(weight-w); best < 0 || gain > best {
			best, feature, at = gain, j, cut
		}
	}
	of = all
	if feature < 0 {
		return g.leaf(of)
	}
	lo, hi := 0, len(of)
	for lo < hi {
		if g.r.x[int(of[lo])*g.r.width+feature] < at {
			lo++
		} else {
			hi--
			of[lo], of[hi] = of[hi], of[lo]
		}
	}
	me := int32(len(g.t.nodes))
	g.t.nodes = append(g.t.nodes, node{feature: int32(feature), at: at})
	left := g.split(of[:lo], depth+1)
	right := g.split(of[lo:], depth+1)
	g.t.nodes[me].left, g.t.nodes[me].right = left, right
	return me
}

func (g *grower) leaf(of []int32) int32 {
	vals := g.vals[:0]
	total, mean := 0.0, 0.0
	for _, i := range of {
		vals = append(vals, weighted{g.r.y[i], g.r.w[i]})
		total += float64(g.r.w[i])
		mean += float64(g.r.w[i] * g.r.y[i])
	}
	g.vals = vals
	sort.Slice(vals, func(a, b int) bool { return vals[a].y < vals[b].y })
	var l leaf
	if total > 0 {
		l[quantiles] = float32(mean / total)
		k, sum := 0, 0.0
		for i := range l[:quantiles] {
			want := Levels[i] * total
			for k < len(vals)-1 && sum+float64(vals[k].w) < want {
				sum += float64(vals[k].w)
				k++
			}
			l[i] = vals[k].y
		}
	}
	g.t.leaves = append(g.t.leaves, l)
	return ^int32(len(g.t.leaves) - 1)
}

// predict writes quantiles and mean.
func (f *forest) predict(x []float32, out *[quantiles + 1]float64) {
	clear(out[:])
	for i := range f.trees {
		t := &f.trees[i]
		at := int32(0)
		if len(t.nodes) == 0 {
			at = ^int32(0)
		}
		for at >= 0 {
			n := &t.nodes[at]
			if x[n.feature] < n.at {
				at = n.left
			} else {
				at = n.right
			}
		}
		for q, v := range t.leaves[^at] {
			out[q] += float64(v)
		}
	}
	for q := range out {
		out[q] /= float64(len(f.trees))
	}
}

// clipped bounds what splits are judged by, so that a few outliers do not decide them.
func clipped(y []float32) []float32 {
	s := append([]float32(nil), y...)
	sort.Slice(s, func(a, b int) bool { return s[a] < s[b] })
	out := append([]float32(nil), y...)
	if len(s) == 0 {
		return out
	}
	lo, hi := s[len(s)/50], s[len(s)-1-len(s)/50]
	for i, v := range out {
		out[i] = float32(math.Max(float64(lo), math.Min(float64(hi), float64(v))))
	}
	return out
}
