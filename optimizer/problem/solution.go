package problem

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Status says what a solution is.
type Status string

// The statuses of a solution.
const (
	Optimal    Status = "optimal"    // the gap is at most the one asked for
	Feasible   Status = "feasible"   // the time ran out first; the gap says how good the plan is
	Infeasible Status = "infeasible" // no plan keeps every limit; Conflict says why, and Elastic tells that the nearest plan is given
	Unknown    Status = "unknown"    // the time ran out before any plan
)

// Solution is the solution document. A field that does not apply to its status is absent.
type Solution struct {
	Version       int       `json:"version"`
	Start         time.Time `json:"start"`
	StepMinutes   float64   `json:"step_minutes"`
	Steps         int       `json:"steps"`
	ProblemSHA256 string    `json:"problem_sha256"` // Problem.Hash

	Status       Status   `json:"status"`
	Objective    *float64 `json:"objective,omitempty"` // EUR
	Bound        *float64 `json:"bound,omitempty"`     // EUR; no plan can cost less
	Gap          *float64 `json:"gap,omitempty"`       // (objective - bound)/max(1, abs(bound))
	SolveSeconds float64  `json:"solve_seconds"`
	Rounds       int      `json:"rounds"` // rounds of the mixed search that were completed

	Cost     *Cost          `json:"cost,omitempty"`
	Grid     *GridSolution  `json:"grid,omitempty"`
	Sites    []SiteSolution `json:"sites,omitempty"`
	Binding  []Binding      `json:"binding,omitempty"`
	Worth    []Worth        `json:"worth,omitempty"`
	Conflict []Conflict     `json:"conflict,omitempty"`
	Elastic  bool           `json:"elastic,omitempty"` // Grid and Sites hold the nearest plan to an infeasible problem
}

// Cost is what a plan costs in EUR, by part. Preference is already inside the other parts.
type Cost struct {
	Energy     float64 `json:"energy"`     // imports with their carbon, less exports
	Fees       float64 `json:"fees"`       // withdrawal fees
	Peak       float64 `json:"peak"`       // the peak beyond peak_so_far
	Wear       float64 `json:"wear"`       // batteries and cars
	Discomfort float64 `json:"discomfort"` // zones outside their band
	Shortfall  float64 `json:"shortfall"`  // cars, tanks and flexible loads that got too little
	Starts     float64 `json:"starts"`     // starts of heat pumps
	Stored     float64 `json:"stored"`     // less the value of energy left in batteries
	Preference float64 `json:"preference"` // what the choice among near-equal plans cost
}

// Total returns the objective: the sum of the parts other than Preference.
func (c Cost) Total() float64 {
	return c.Energy + c.Fees + c.Peak + c.Wear + c.Discomfort + c.Shortfall + c.Starts + c.Stored
}

// Plus returns the sums of the parts.
func (c Cost) Plus(o Cost) Cost {
	return Cost{c.Energy + o.Energy, c.Fees + o.Fees, c.Peak + o.Peak, c.Wear + o.Wear, c.Discomfort + o.Discomfort, c.Shortfall + o.Shortfall, c.Starts + o.Starts,
		c.Stored + o.Stored, c.Preference + o.Preference}
}

// GridSolution is the plan at the district's boundary, T values each.
type GridSolution struct {
	ImportKW []float64 `json:"import_kw"`
	ExportKW []float64 `json:"export_kw"`
	Price    []float64 `json:"price,omitempty"` // EUR/kWh: the worth of one more kWh, with the returned decisions fixed
}

// SiteSolution is the plan of one site.
type SiteSolution struct {
	ID      string           `json:"id"`
	NetKW   []float64        `json:"net_kw"`          // T values
	Price   []float64        `json:"price,omitempty"` // EUR/kWh: the worth of one more kWh at the site
	Devices []DeviceSolution `json:"devices"`
}

// DeviceSolution is the plan of one device.
type DeviceSolution struct {
	ID           string    `json:"id"`
	PowerKW      []float64 `json:"power_kw"`                // T values, positive into the device
	EnergyKWh    []float64 `json:"energy_kwh,omitempty"`    // batteries, cars and tanks: T+1 values, the first at the start
	TemperatureC []float64 `json:"temperature_c,omitempty"` // heat pumps: T+1 values of the zone, the first at the start
	On           []bool    `json:"on,omitempty"`            // heat pumps: T values
}

// Binding is a limit that binds.
type Binding struct {
	Limit  string  `json:"limit"`
	Site   string  `json:"site,omitempty"`
	Device string  `json:"device,omitempty"`
	Step   int     `json:"step"`
	Value  float64 `json:"value"` // EUR per kW or kWh of relief
}

// Worth is what one more kW or kWh of a limit would save if it were given in all steps: the sum of the limit's binding values, those too small to be listed
// included. It is a derivative, with the on/off decisions as they are: a large relief saves at most that much per unit.
type Worth struct {
	Limit  string  `json:"limit"` // as in Binding
	Site   string  `json:"site,omitempty"`
	Device string  `json:"device,omitempty"`
	Value  float64 `json:"value"` // EUR per unit
	Unit   string  `json:"unit"`  // kW or kWh
}

// Conflict is a limit that would have to give way for a plan to exist.
type Conflict struct {
	Limit    string  `json:"limit"`
	Site     string  `json:"site,omitempty"`
	Device   string  `json:"device,omitempty"`
	FromStep int     `json:"from_step"`
	ToStep   int     `json:"to_step"` // exclusive
	Amount   float64 `json:"amount"`
	Unit     string  `json:"unit"`
}

// NewSolution returns a solution with the problem's header and the given status, and nothing else.
func NewSolution(p *Problem, status Status) *Solution {
	return &Solution{Version: Version, Start: p.Start, StepMinutes: p.StepMinutes, Steps: p.Steps, ProblemSHA256: p.Hash(), Status: status}
}

// Device returns the plan of one device, or nil.
func (s *Solution) Device(site, device string) *DeviceSolution {
	for i := range s.Sites {
		if s.Sites[i].ID != site {
			continue
		}
		for j := range s.Sites[i].Devices {
			if s.Sites[i].Devices[j].ID == device {
				return &s.Sites[i].Devices[j]
			}
		}
	}
	return nil
}

// EncodeSolution writes the solution document on one line, site by site, so that the text of a large one is never in memory as a whole. A series of a wrong length is a
// [Faults] and nothing is written.
func EncodeSolution(w io.Writer, s *Solution) error {
	if err := s.check(); err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	var failed error
	put := func(v any, strip bool) {
		data, err := json.Marshal(v)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("problem: encode the solution: %w", err))
			return
		}
		if strip {
			data = data[1 : len(data)-1]
		}
		out.Write(data) // bufio keeps the first error for Flush
	}
	head := *s
	head.Sites, head.Binding, head.Worth, head.Conflict, head.Elastic = nil, nil, nil, nil, false
	out.WriteByte('{')
	put(head, true)
	for i := range s.Sites {
		if i == 0 {
			out.WriteString(`,"sites":[`)
		} else {
			out.WriteByte(',')
		}
		put(&s.Sites[i], false)
		if i == len(s.Sites)-1 {
			out.WriteByte(']')
		}
	}
	if len(s.Binding) > 0 || len(s.Worth) > 0 || len(s.Conflict) > 0 || s.Elastic {
		out.WriteByte(',')
		put(struct {
			Binding  []Binding  `json:"binding,omitempty"`
			Worth    []Worth    `json:"worth,omitempty"`
			Conflict []Conflict `json:"conflict,omitempty"`
			Elastic  bool       `json:"elastic,omitempty"`
		}{s.Binding, s.Worth, s.Conflict, s.Elastic}, true)
	}
	out.WriteString("}\n")
	if failed != nil {
		return failed
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("problem: write the solution: %w", err)
	}
	return nil
}

// ParseSolution reads a solution document, such as the previous plan. Fields that it does not know are ignored; series of a length other
// than the document's own number of steps are faults.
func ParseSolution(data []byte) (*Solution, error) {
	s := &Solution{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("problem: read the solution document: %w", err)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// check returns the [Faults] of a solution's shape, or nil.
func (s *Solution) check() error {
	c := &checker{}
	at := root()
	if s.Version != Version {
		c.fault(at.field("version"), "must be %d, not %d", Version, s.Version)
	}
	length := func(at *path, got int, absent bool, want int) {
		if got != want && !(absent && got == 0) {
			c.fault(at, "%d values, want %d for %d steps", got, want, s.Steps)
		}
	}
	if s.Grid != nil {
		g := at.field("grid")
		length(g.field("import_kw"), len(s.Grid.ImportKW), false, s.Steps)
		length(g.field("export_kw"), len(s.Grid.ExportKW), false, s.Steps)
		length(g.field("price"), len(s.Grid.Price), true, s.Steps)
	}
	for i, site := range s.Sites {
		here := at.field("sites").at(i)
		length(here.field("net_kw"), len(site.NetKW), false, s.Steps)
		length(here.field("price"), len(site.Price), true, s.Steps)
		for j, d := range site.Devices {
			there := here.field("devices").at(j)
			length(there.field("power_kw"), len(d.PowerKW), false, s.Steps)
			length(there.field("energy_kwh"), len(d.EnergyKWh), true, s.Steps+1)
			length(there.field("temperature_c"), len(d.TemperatureC), true, s.Steps+1)
			length(there.field("on"), len(d.On), true, s.Steps)
		}
	}
	return c.result()
}
