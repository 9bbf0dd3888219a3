package forecast

import (
	"cmp"
	"math"
	"slices"
)

// failure is by how much each voice was off in a slot, NaN where it did not speak.
type failure struct {
	slot int64
	hour uint8 // of the clock
	err  [voices]float32
}

// errorsAt are the failures at one lead, the oldest first, and who is not believed there.
type errorsAt struct {
	list  []failure
	rank  [voices][]ranked // of them, from the smallest to the largest
	hours [voices][24]int  // how many by hour of the clock
	back  [voices]bool     // similar days speak in its place
	since [voices]int64    // slot of the last change
	wide  float64          // by how much bands are wider than the errors spread, so that they hold what they promise
}

// ranked is one error.
type ranked struct {
	err  float32
	hour uint8
}

func compareRanked(a, b ranked) int {
	return cmp.Or(cmp.Compare(a.err, b.err), cmp.Compare(a.hour, b.hour))
}

// add takes a failure, and forgets those of slots before another.
func (e *errorsAt) add(f failure, forget int64) {
	drop := 0
	for ; drop < len(e.list) && e.list[drop].slot < forget; drop++ {
		for v, err := range e.list[drop].err {
			if one := (ranked{err, e.list[drop].hour}); err == err {
				i, _ := slices.BinarySearchFunc(e.rank[v], one, compareRanked)
				e.rank[v] = slices.Delete(e.rank[v], i, i+1)
				e.hours[v][one.hour]--
			}
		}
	}
	e.list = append(e.list[:copy(e.list, e.list[drop:])], f)
	for v, err := range f.err {
		if one := (ranked{err, f.hour}); err == err {
			i, _ := slices.BinarySearchFunc(e.rank[v], one, compareRanked)
			e.rank[v] = slices.Insert(e.rank[v], i, one)
			e.hours[v][one.hour]++
		}
	}
}

// held makes bands wider or narrower by whether the last one held what came: in balance where four of five do.
func (e *errorsAt) held(in bool) {
	if in {
		e.wide *= 1 - wideRate/5
	} else {
		e.wide *= 1 + wideRate*4/5
	}
	e.wide = math.Max(wideLeast, math.Min(wideMost, e.wide))
}

const (
	wideRate  = 0.02
	wideLeast = 0.5
	wideMost  = 3
)

// off is the mean absolute error of a voice and of similar days in the same slots after one, and of how many.
func (e *errorsAt) off(voice int, after int64) (its, plain float64, n int) {
	return e.against(voice, voicePlain, after)
}

// against is the mean absolute error of two voices in the slots after one in which both spoke, and how many these are.
func (e *errorsAt) against(voice, other int, after int64) (its, others float64, n int) {
	for i := len(e.list) - 1; i >= 0 && e.list[i].slot > after; i-- {
		a, b := float64(e.list[i].err[voice]), float64(e.list[i].err[other])
		if math.IsNaN(a) || math.IsNaN(b) {
			continue
		}
		its, others, n = its+math.Abs(a), others+math.Abs(b), n+1
	}
	return its / math.Max(1, float64(n)), others / math.Max(1, float64(n)), n
}

// stepWindows are the stretches over which who speaks is judged, hours: what is grossly wrong is left within hours, and what is a little worse within weeks.
var stepWindows = [...]int{12, 48, 24 * judgeDays}

const (
	leaveLeast  = 6  // errors that must be known before somebody is no more believed,
	returnLeast = 24 // and before they are again
)

// margin is by which share one must have been better over so many hours: little over weeks, and three times as good within half a day.
func margin(n int) float64 { return 0.02 + 24/float64(n) }

// step changes, after a slot, who speaks at a lead: similar days in the place of a voice that was worse over one of the stretches since the last change, and it again once it is better over one of them and worse over none
// that is shorter. Who was worse at a shorter lead than similar days are at this one is not believed here either: what is wrong for the next hour is not right for the next day.
func (j *Judged) step(b int, slot int64) {
	e := &j.errors[b]
	day := int64(j.perDay)
	for voice := range voicePlain {
		_, usual, known := e.off(voicePlain, slot-judgeDays*day)
		worse, better := false, false
		for _, hours := range stepWindows {
			after := max(slot-int64(hours)*day/24, e.since[voice])
			its, plain, n := e.off(voice, after)
			worse = worse || n >= leaveLeast && its > plain*(1+margin(n))
			for a := 0; a < b && known >= returnLeast; a++ {
				near, _, m := j.errors[a].off(voice, after)
				worse = worse || m >= leaveLeast && near > usual*(1+margin(m))
			}
			if better = !worse && n >= returnLeast && its < plain*(1-math.Min(0.5, margin(n))); better {
				break
			}
		}
		if !e.back[voice] && worse || e.back[voice] && better {
			e.back[voice], e.since[voice] = !e.back[voice], slot
		}
	}
}

// besideLeast is how many errors of both must be known before what is foreseen here may stand in the place of what is said.
const besideLeast = 96

// besides reports whether what is foreseen here, or similar days where these are better than that, was nearer to what came at a lead than what was said, over two weeks, and over no shorter stretch farther from it. Where too few
// forecasts of a lead are known, as of prices that are published by then on most hours, it goes by a longer one.
func (j *Judged) besides(b int) bool {
	now := j.slot(j.End())
	for ; b < len(j.errors); b++ {
		e, here := &j.errors[b], voiceOwn
		if e.back[voiceOwn] {
			here = voicePlain
		}
		its, said, n := e.against(here, voiceSaid, now-int64(judgeDays*j.perDay))
		if n < besideLeast {
			continue
		}
		better := its < said*(1-margin(n))
		for _, hours := range stepWindows {
			its, said, n = e.against(here, voiceSaid, now-int64(hours*j.perDay)/24)
			better = better && (n < leaveLeast || its <= said*(1+margin(n)))
		}
		return better
	}
	return false
}

// bands says how errors are distributed, by voice, lead and hour of the clock, each once.
type bands struct {
	j     *Judged
	sigma float64 // of a forecast a day ahead, before errors are known
	known map[[3]int][quantiles]float64
}

const (
	priorWeight = 8    // as how many errors of the same time of day a prior counts before any is known,
	priorFades  = 48   // and half as much after so many errors of any time
	otherHours  = 0.05 // the weight of errors of another time of day
)

// normal are nine equally likely values of a normal distribution.
var normal = func() (out [9]float64) {
	for i := range out {
		out[i] = math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/float64(len(out))-1)
	}
	return out
}()

// at are the errors of a voice in a slot ahead at an hour of the clock, by [Levels]: between those at the leads around it.
func (b *bands) at(slot, voice, hour int) [quantiles]float64 {
	leads := b.j.leads
	next := 0
	for next < len(leads)-1 && leads[next] < slot {
		next++
	}
	out := b.of(voice, next, hour)
	if next == 0 || leads[next] <= slot {
		return out
	}
	before := b.of(voice, next-1, hour)
	share := float64(slot-leads[next-1]) / float64(leads[next]-leads[next-1])
	for q := range out {
		out[q] = before[q] + share*(out[q]-before[q])
	}
	return out
}

// of are those at a lead of the list: the errors of that hour count most, and what they are taken to be before any is known counts less, the more are.
func (b *bands) of(voice, lead, hour int) [quantiles]float64 {
	key := [3]int{voice, lead, hour}
	if q, ok := b.known[key]; ok {
		return q
	}
	e := &b.j.errors[lead]
	list := e.rank[voice]
	sigma := b.sigma * (0.35 + 0.65*math.Sqrt(math.Min(24, float64(judgedHours[lead]))/24))
	prior := priorWeight / float64(len(normal)) * priorFades / float64(priorFades+len(list))
	var weight [24]float64
	total := prior * float64(len(normal))
	for h := range weight {
		switch d := (h - hour + 24) % 24; min(d, 24-d) {
		case 0, 1:
			weight[h] = 1
		case 2:
			weight[h] = 0.5
		default:
			weight[h] = otherHours
		}
		total += weight[h] * float64(e.hours[voice][h])
	}
	var out [quantiles]float64
	q, sum, last, was := 0, 0.0, 0.0, 0.0
	for i, k := 0, 0; q < quantiles && (i < len(list) || k < len(normal)); {
		err, w := 0.0, prior
		if k == len(normal) || i < len(list) && float64(list[i].err) <= sigma*normal[k] {
			err, w = float64(list[i].err), weight[list[i].hour]
			i++
		} else {
			err = sigma * normal[k]
			k++
		}
		mid := sum + w/2
		for ; q < quantiles && Levels[q]*total <= mid; q++ {
			if out[q] = err; i+k > 1 {
				out[q] = was + (Levels[q]*total-last)/(mid-last)*(err-was)
			}
		}
		sum, last, was = sum+w, mid, err
	}
	for ; q < quantiles; q++ {
		out[q] = was
	}
	for k := range out {
		if k != quantiles/2 {
			out[k] = out[quantiles/2] + e.wide*(out[k]-out[quantiles/2])
		}
	}
	b.known[key] = out
	return out
}
