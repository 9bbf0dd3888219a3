package backtest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/optimizer/storage"
)

// Case is a recorded neighbourhood behind one meter. Series have one value a slot.
type Case struct {
	Name  string
	Start time.Time // clock time of the first slot, as if it were UTC
	Step  time.Duration
	Sites []Site
	// ImportPrice is what a kWh drawn costs, carbon apart; in the currency of the data.
	ImportPrice []float64
	Carbon      []float64  // kg CO2e per kWh drawn
	OutdoorC    []float64  // outdoor temperature; nil where it is not known
	Published   *Published // what is said beforehand; nil: nothing
	Notes       []string   // what the data made necessary, in words
}

// Site is one building.
type Site struct {
	ID     string
	LoadKW []float64 // everything but solar power and the store
	SunKW  []float64 // >= 0
	Store  *storage.Store
	// DiscomfortK is how far the building was outside its comfort band in each slot, K; nil where that is not known.
	DiscomfortK []float64
	// Tank, Room and Chargers are flexible devices, whose electricity is not in LoadKW.
	Tank     *Tank
	Room     *Room
	Chargers []Charger
}

// Steps is the number of slots.
func (c *Case) Steps() int { return len(c.ImportPrice) }

// Hours is the length of a slot.
func (c *Case) Hours() float64 { return c.Step.Hours() }

// at is the instant at which a slot begins.
func (c *Case) at(t int) time.Time { return c.Start.Add(time.Duration(t) * c.Step) }

// Validate names every fault.
func (c *Case) Validate() error {
	var errs []error
	n := c.Steps()
	if c.Step <= 0 || (24*time.Hour)%c.Step != 0 {
		errs = append(errs, fmt.Errorf("a day is no whole number of steps of %v", c.Step))
	}
	if n == 0 {
		errs = append(errs, errors.New("there is no step"))
	}
	if len(c.Sites) == 0 {
		errs = append(errs, errors.New("there is no site"))
	}
	series := func(what string, v []float64, least float64) {
		if len(v) != n {
			errs = append(errs, fmt.Errorf("%s has %d values, the prices have %d", what, len(v), n))
		}
		for t, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) || x < least {
				errs = append(errs, fmt.Errorf("%s is %g in step %d", what, x, t))
				return
			}
		}
	}
	series("the import price", c.ImportPrice, math.Inf(-1))
	series("the carbon intensity", c.Carbon, 0)
	if c.OutdoorC != nil {
		series("the outdoor temperature", c.OutdoorC, -90)
	}
	for _, s := range c.Sites {
		series("the load of "+s.ID, s.LoadKW, 0)
		series("the sun of "+s.ID, s.SunKW, 0)
		if s.DiscomfortK != nil {
			series("the discomfort of "+s.ID, s.DiscomfortK, 0)
		}
		if s.Store != nil {
			if err := s.Store.Validate(); err != nil {
				errs = append(errs, fmt.Errorf("the store of %s: %w", s.ID, err))
			}
		}
		errs = append(errs, s.validate(c, series)...)
	}
	return errors.Join(errs...)
}

// pooled are the series of the whole neighbourhood.
type pooled struct{ load, sun []float64 }

func (c *Case) pool() pooled {
	p := pooled{make([]float64, c.Steps()), make([]float64, c.Steps())}
	for _, s := range c.Sites {
		for t := range p.load {
			p.load[t] += s.LoadKW[t]
			p.sun[t] += s.SunKW[t]
		}
	}
	return p
}

// stores are those of the sites, at a cost of wear per kWh charged or discharged.
func (c *Case) stores(wear float64) (out []storage.Store) {
	for _, s := range c.Sites {
		if s.Store != nil && s.Store.CapacityKWh > 0 {
			one := *s.Store
			one.WearCostPerKWh = wear
			out = append(out, one)
		}
	}
	return out
}
