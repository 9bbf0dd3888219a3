// Package answer is the control of storage: at each plan what is stored is valued anew, by the expected net power, how wrong such forecasts were, and the prices; until
// the next one the stores answer the net power that comes. The backtest over recorded neighbourhoods and the scheduler of live districts both control by it.
//
// All stores behind one boundary are valued as one (see [storage.Pool]); [Share] gives each its part within the limits of its own site.
package answer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"quartier/optimizer/storage"
)

const (
	// outcomes is how many values of the net power a plan counts with in each slot.
	outcomes = 5
	// caution widens the outcomes of a slot around their mean, which is taken to be what is expected: that of the errors of a few weeks is mostly chance, and what came in them is less than what may come.
	caution = 1.25
	// staying is the probability that the net power of an hour later lies in the same fifth of what may come: errors of slots that follow each other go together, a cloudy day is cloudy for hours.
	staying = 0.7
	// lastWorth is the share of the mean import price that what is stored at the horizon saves later, before it is taken to be worth what it is worth a day earlier.
	lastWorth = 0.75
)

// Outlook is what is expected at the boundary behind which the stores are, one value a slot.
type Outlook struct {
	Start time.Time
	Step  time.Duration
	NetKW []float64 // of everything but the stores, positive drawn
	// ImportPrice and ExportPrice are EUR per kWh; what carbon costs is in the first.
	ImportPrice, ExportPrice []float64
	// ImportLimitKW and ExportLimitKW are those of the boundary; nil, 0 and +Inf: none.
	ImportLimitKW, ExportLimitKW []float64
	// NextImportLimitKW and NextExportLimitKW are the limits a day after each slot, for what is stored at the horizon: a limit that is asked for once is none of the next day. Nil: as in the slot.
	NextImportLimitKW, NextExportLimitKW []float64
	// Curtails says that sun beyond the export limit is held back, so that the limit needs no stores.
	Curtails bool
	// Ends says that what is stored after the last slot is worth nothing; else it is worth what it is worth a day before, with the limits of the next day, or, of an outlook of less than a day, a share of the mean import price.
	Ends bool
}

// Errors writes the distribution of measured less expected net power in a slot, slots after the outlook's start, kW, as equally likely values from the smallest to the largest.
type Errors func(slot int, out []float64)

// Values are what is stored is worth, from the start of an outlook on.
type Values struct {
	start  time.Time
	step   time.Duration
	slots  int
	values *storage.Values
}

// New values what is stored in a pool of stores. Its error names every fault.
func New(pool storage.Store, o Outlook, errs Errors) (*Values, error) {
	n := len(o.NetKW)
	if n == 0 || o.Step <= 0 || len(o.ImportPrice) != n || len(o.ExportPrice) != n {
		return nil, fmt.Errorf("answer: an outlook of %d slots of %v with %d import and %d export prices", n, o.Step, len(o.ImportPrice), len(o.ExportPrice))
	}
	slots := make([]storage.Slot, n)
	mean := 0.0
	for k := range slots {
		net := make([]float64, outcomes)
		errs(k, net)
		mid := 0.0
		for _, kw := range net {
			mid += kw / outcomes
		}
		for i := range net {
			net[i] = o.NetKW[k] + caution*(net[i]-mid)
		}
		slots[k] = storage.Slot{Hours: o.Step.Hours(), ImportPrice: o.ImportPrice[k], ExportPrice: o.ExportPrice[k], NetKW: net,
			ImportLimitKW: limit(o.ImportLimitKW, k), ExportLimitKW: limit(o.ExportLimitKW, k), Curtails: o.Curtails,
			Stays: math.Pow(staying, o.Step.Hours())}
		mean += o.ImportPrice[k] / float64(n)
	}
	final := 0.0
	var next []storage.Slot // the day after the horizon
	if !o.Ends {
		final = math.Max(0, lastWorth*mean*pool.DischargeEfficiency-pool.WearCostPerKWh)
		if day := int(24 * time.Hour / o.Step); day <= n {
			next = slices.Clone(slots[n-day:])
		}
		for i := range next {
			k := n - len(next) + i
			if o.NextImportLimitKW != nil {
				next[i].ImportLimitKW = limit(o.NextImportLimitKW, k)
			}
			if o.NextExportLimitKW != nil {
				next[i].ExportLimitKW = limit(o.NextExportLimitKW, k)
			}
		}
	}
	v, err := storage.Recurring(pool, slots, final, next)
	if err != nil {
		return nil, err
	}
	return &Values{o.Start, o.Step, n, v}, nil
}

// limit is a limit as package storage takes it.
func limit(s []float64, k int) float64 {
	if k >= len(s) || math.IsInf(s[k], 1) {
		return 0
	}
	return math.Max(s[k], 1e-6) // nothing at all is a limit too
}

// ErrBeyond is the answer to an instant that the values do not reach.
var ErrBeyond = errors.New("answer: beyond the horizon of the values")

// Now is what is known at an instant at which stores answer.
type Now struct {
	At                       time.Time
	StoredKWh                float64 // in all stores
	NetKW                    float64 // measured, of everything but the stores, positive drawn
	ImportPrice, ExportPrice float64 // EUR per kWh, carbon in the first
}

// Power is what all stores together should do now, kW into them, to the end of the slot under way. The end is taken to be a third of a slot away at least: the net power of a moment is none
// for long.
func (v *Values) Power(n Now) (kw float64, err error) {
	k, hours, ok := v.slot(n.At)
	if !ok {
		return 0, ErrBeyond
	}
	return v.values.At(k, hours, n.StoredKWh, n.NetKW, n.ImportPrice, n.ExportPrice), nil
}

// Worth is what one more stored kWh will save from the end of the slot under way on, EUR.
func (v *Values) Worth(at time.Time, storedKWh float64) float64 {
	k, _, ok := v.slot(at)
	if !ok {
		return 0
	}
	return v.values.Worth(k+1, storedKWh)
}

// Hours is for how long an answer at an instant is meant.
func (v *Values) Hours(at time.Time) float64 {
	_, h, _ := v.slot(at)
	return h
}

func (v *Values) slot(at time.Time) (k int, hours float64, ok bool) {
	since := at.Sub(v.start)
	k = int(since / v.step)
	if since < 0 || k >= v.slots {
		return 0, v.step.Hours(), false
	}
	return k, max(time.Duration(k+1)*v.step-since, v.step/3).Hours(), true
}
