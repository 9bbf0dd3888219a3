package problem

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"time"
)

// Version is the version of the problem and solution documents that this package reads and writes.
const Version = 1

// MaxSteps is the largest number of steps of a problem.
const MaxSteps = 100_000

// LongEnough stands in [HeatPump.InitialSteps] for a machine that has been in its state for longer than any minimum time asks.
const LongEnough = 1_000_000

// Problem is one plan problem. The plan is sought that minimises
//
//	sum_t dt*((import_price + carbon_intensity*carbon_price/1e6)*import - export_price*export)
//	+ sum_i sum_t dt*withdrawal_fee_i*max(0, net_i) + peak_price*max(0, max_t import - peak_so_far) + the devices' costs
//
// in EUR, where net_i is the load of site i plus the power of its devices and sum_i net_i = import - export in every step, never both above 0.
type Problem struct {
	Version     int       // 1
	Start       time.Time // the first instant; its offset is kept
	StepMinutes float64   // length of a step, above 0
	Steps       int       // T, 1 to MaxSteps
	CarbonPrice float64   // EUR per tonne CO2e put on imports, from 0
	Grid        Grid
	Sites       []Site

	hash string // of the bytes that were read; empty for a problem built in Go
}

// Grid is the district's boundary with the public grid.
type Grid struct {
	ImportPrice     []float64 // EUR/kWh, any sign
	ExportPrice     []float64 // EUR/kWh paid for exports, any sign; default 0
	CarbonIntensity []float64 // gCO2e/kWh of imports, from 0; default 0
	ImportLimitKW   []float64 // from 0; +Inf in every step: no limit
	ExportLimitKW   []float64 // from 0; +Inf in every step: no limit
	PeakPrice       float64   // EUR per kW by which the highest import exceeds PeakSoFarKW, from 0
	PeakSoFarKW     float64   // from 0
}

// Site is one connection of the district, with the load that cannot be moved and its devices.
type Site struct {
	ID            string    // unique in the problem, not empty
	LoadKW        []float64 // uncontrolled load, any sign; default 0
	ImportLimitKW []float64 // highest net power, from 0; +Inf in every step: no limit
	ExportLimitKW []float64 // highest net power given, from 0; +Inf in every step: no limit
	WithdrawalFee []float64 // EUR/kWh on each kWh that the site draws, wherever it comes from, from 0; default 0
	Devices       []Device
}

// Hours returns dt, the length of a step in hours.
func (p *Problem) Hours() float64 { return p.StepMinutes / 60 }

// Step returns the length of a step as a duration, to the nanosecond.
func (p *Problem) Step() time.Duration {
	ns := math.Round(p.StepMinutes * float64(time.Minute))
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(ns)
}

// At returns the instant at which step t starts; At(Steps) is the end of the horizon.
func (p *Problem) At(t int) time.Time {
	return p.Start.Add(time.Duration(math.Round(float64(t) * p.StepMinutes * float64(time.Minute))))
}

// ImportCost returns the cost of one imported kWh in step t in EUR: the price and the carbon put on it.
func (p *Problem) ImportCost(t int) float64 {
	return p.Grid.ImportPrice[t] + p.Grid.CarbonIntensity[t]*p.CarbonPrice/1e6
}

// Hash returns the SHA-256, in lower-case hexadecimal, of the document that the problem was read from, byte for byte; for a problem
// built in Go, of the document that [Encode] writes. It is empty when the problem cannot be encoded.
func (p *Problem) Hash() string {
	if p.hash != "" {
		return p.hash
	}
	data, err := p.Marshal()
	if err != nil {
		return ""
	}
	return hashOf(data)
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Site returns the site of that id, or an error that names it.
func (p *Problem) Site(id string) (*Site, error) {
	for i := range p.Sites {
		if p.Sites[i].ID == id {
			return &p.Sites[i], nil
		}
	}
	return nil, fmt.Errorf("problem: no site %q", id)
}

// Fill gives every series that is nil its default: 0, no limit (+Inf), or a COP of 1 for a water heater; the required ones
// (import price, PV availability, heat-pump COP, outdoor and comfort temperatures, draw) are left nil for [Validate] to report. Numbers stay as they are. It also sets
// Version when that is 0. It is for problems built in Go; a parsed problem is complete.
func (p *Problem) Fill() {
	if p.Version == 0 {
		p.Version = Version
	}
	fill := func(fs []field) {
		for _, f := range fs {
			if f.kind == seriesField && *f.series == nil && !f.need && !f.open {
				*f.series = constant(f.def, p.Steps)
			}
		}
	}
	fill(p.Grid.fields())
	for i := range p.Sites {
		fill(p.Sites[i].fields())
		for _, d := range p.Sites[i].Devices {
			if d == nil {
				continue
			}
			fill(d.fields())
			if h, ok := d.(*HeatPump); ok {
				fill(h.Zone.fields())
			}
		}
	}
}

func constant(v float64, n int) []float64 {
	if n < 0 {
		n = 0
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}
