package milp

import (
	"fmt"
	"math"
	"strconv"

	"quartier/optimizer/problem"
)

var inf = math.Inf(1)

// Column is one unknown of the program.
type Column struct {
	Name      string // without spaces, unique, such as s0_d1_charge_5: the sixth step of the second device of the first site
	Low, High float64
	Cost      float64 // EUR per unit
	Integer   bool
}

// Term is a coefficient of a row.
type Term struct {
	Column int
	Value  float64
}

// Row is one equation (Low == High) or inequality (one of them infinite).
type Row struct {
	Name      string
	Low, High float64
	Terms     []Term
}

// Model is the program of one problem. It is read-only once built.
type Model struct {
	Columns []Column
	Rows    []Row
	Offset  float64 // EUR: the constant part of the objective

	p     *problem.Problem
	hours float64
	sites [][]part // by site and device
	imp   []int    // columns of the district's import
	exp   []int
}

// part is what the model keeps of one device to read an answer back.
type part struct {
	power     [][]Term // by step: the device's power
	on        []int    // columns of its on state, nil when it has none
	low, high []float64
}

// Build writes p, which must be valid (see [problem.Validate]), as a program.
func Build(p *problem.Problem) *Model {
	m := &Model{p: p, hours: p.Hours()}
	burning := burningMayPay(p)
	total := newRange(p.Steps)
	nets := make([][]int, len(p.Sites))
	for i := range p.Sites {
		s := &p.Sites[i]
		parts := make([]part, len(s.Devices))
		for j, d := range s.Devices {
			name := "s" + strconv.Itoa(i) + "_d" + strconv.Itoa(j) + "_"
			switch d := d.(type) {
			case *problem.PV:
				parts[j] = m.pv(name, d)
			case *problem.Battery:
				parts[j] = m.battery(name, d, burning)
			case *problem.EV:
				parts[j] = m.ev(name, d)
			case *problem.HeatPump:
				parts[j] = m.heatPump(name, d)
			case *problem.WaterHeater:
				parts[j] = m.waterHeater(name, d)
			case *problem.Shiftable:
				parts[j] = m.shiftable(name, d)
			case *problem.Flexible:
				parts[j] = m.flexible(name, d)
			default:
				panic(fmt.Sprintf("milp: device kind %T", d))
			}
		}
		m.sites = append(m.sites, parts)
		nets[i] = m.site(i, s, parts, total)
	}
	m.grid(nets, total)
	return m
}

// column adds an unknown and returns its index.
func (m *Model) column(name string, t int, low, high, cost float64) int {
	if t >= 0 {
		name += strconv.Itoa(t)
	}
	m.Columns = append(m.Columns, Column{Name: name, Low: low, High: high, Cost: cost})
	return len(m.Columns) - 1
}

// binary adds an unknown that is 0 or 1.
func (m *Model) binary(name string, t int) int {
	j := m.column(name, t, 0, 1, 0)
	m.Columns[j].Integer = true
	return j
}

func (m *Model) row(name string, t int, low, high float64, terms ...Term) {
	if t >= 0 {
		name += strconv.Itoa(t)
	}
	m.Rows = append(m.Rows, Row{Name: name, Low: low, High: high, Terms: terms})
}

func (m *Model) equal(name string, t int, rhs float64, terms ...Term) {
	m.row(name, t, rhs, rhs, terms...)
}

func (m *Model) atLeast(name string, t int, rhs float64, terms ...Term) {
	m.row(name, t, rhs, inf, terms...)
}

func (m *Model) atMost(name string, t int, rhs float64, terms ...Term) {
	m.row(name, t, -inf, rhs, terms...)
}

// newPart returns a part of zero power in every step.
func (m *Model) newPart() part {
	return part{power: make([][]Term, m.p.Steps), low: make([]float64, m.p.Steps), high: make([]float64, m.p.Steps)}
}

// powerRange is the lowest and highest net power that loads, devices and limits allow in each step, kW.
type powerRange struct{ low, high []float64 }

func newRange(steps int) *powerRange {
	return &powerRange{low: make([]float64, steps), high: make([]float64, steps)}
}

// site adds the net power of a site and its fee, and returns the columns of the net power. It adds the site's range to the total.
func (m *Model) site(i int, s *problem.Site, parts []part, total *powerRange) []int {
	name := "s" + strconv.Itoa(i) + "_"
	net := make([]int, m.p.Steps)
	for t := range net {
		low, high := s.LoadKW[t], s.LoadKW[t]
		terms := []Term{{Value: 1}}
		for _, d := range parts {
			low, high = low+d.low[t], high+d.high[t]
			for _, x := range d.power[t] {
				terms = append(terms, Term{x.Column, -x.Value})
			}
		}
		total.low[t] += max(low, -s.ExportLimitKW[t])
		total.high[t] += min(high, s.ImportLimitKW[t])
		net[t] = m.column(name+"net_", t, -s.ExportLimitKW[t], s.ImportLimitKW[t], 0)
		terms[0].Column = net[t]
		m.equal(name+"balance_", t, s.LoadKW[t], terms...)
		if s.WithdrawalFee[t] > 0 && high > 0 {
			drawn := m.column(name+"drawn_", t, 0, inf, m.hours*s.WithdrawalFee[t])
			m.atLeast(name+"fee_", t, 0, Term{drawn, 1}, Term{net[t], -1})
		}
	}
	return net
}

// grid adds the district's boundary. A plan never imports and exports at once, so neither exceeds what the district can draw or give.
func (m *Model) grid(nets [][]int, total *powerRange) {
	p, g := m.p, &m.p.Grid
	peak := -1
	if g.PeakPrice > 0 {
		peak = m.column("grid_peak", -1, 0, inf, g.PeakPrice)
	}
	for t := range p.Steps {
		buy, sell := p.ImportCost(t), g.ExportPrice[t]
		in, out := min(g.ImportLimitKW[t], max(0, total.high[t])), min(g.ExportLimitKW[t], max(0, -total.low[t]))
		imp := m.column("grid_import_", t, 0, in, m.hours*buy)
		exp := m.column("grid_export_", t, 0, out, -m.hours*sell)
		m.imp, m.exp = append(m.imp, imp), append(m.exp, exp)
		terms := []Term{{imp, 1}, {exp, -1}}
		for _, net := range nets {
			terms = append(terms, Term{net[t], -1})
		}
		m.equal("grid_balance_", t, 0, terms...)
		if buy < sell && in > 0 && out > 0 {
			b := m.binary("grid_importing_", t)
			m.atMost("grid_import_only_", t, 0, Term{imp, 1}, Term{b, -in})
			m.atMost("grid_export_only_", t, out, Term{exp, 1}, Term{b, out})
		}
		if peak >= 0 && in > g.PeakSoFarKW {
			m.atMost("grid_peak_", t, g.PeakSoFarKW, Term{imp, 1}, Term{peak, -1})
		}
	}
}

// Integers returns how many columns are whole numbers.
func (m *Model) Integers() int {
	n := 0
	for i := range m.Columns {
		if m.Columns[i].Integer {
			n++
		}
	}
	return n
}

// Objective returns the cost in EUR of the columns' values x.
func (m *Model) Objective(x []float64) float64 {
	sum := m.Offset
	for j := range m.Columns {
		sum += m.Columns[j].Cost * x[j]
	}
	return sum
}
