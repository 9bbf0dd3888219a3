// Package ped computes the balance of a positive-energy district by a named and versioned calculation profile.
//
// No European factor set binds, so every choice that moves the result is data of a profile: the boundary and what lies in it, the carriers, the kind of factor, the factors with their
// source, year and dates, the weight of export, and the step at which delivery and export are netted. A result says by which profile it was computed, and the same
// energies may be positive by one and not by another.
//
// The formula is that of MAKING-CITY (Sustainability 13(2) 710) and EN ISO 52000-1: with the energies delivered and exported through the boundary, netted per step and carrier,
//
//	PEI = sum of delivered × f_del      PEE = k_exp × sum of exported × f_exp      B = PEE − PEI      R = PEE / PEI
//
// The district is positive when B is above zero over twelve full months that were measured.
package ped

import (
	"fmt"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/why"
	"quartier/schemas/timegrid"
)

// Kind is which part of primary energy the factors of a profile count. Kinds are never mixed in one balance.
type Kind string

// The kinds of factors.
const (
	NonRenewable Kind = "nren"
	Renewable    Kind = "ren"
	Total        Kind = "tot"   // nren + ren
	Final        Kind = "final" // no primary energy: energies as they were metered, each factor 1
)

// Netting is the step at which what was delivered and exported is netted.
type Netting string

// The netting steps; the coarser, the more a winter night's delivery is offset by a summer noon's export.
const (
	NetStep  Netting = "step" // the metering step: what the meters at the boundary see
	NetHour  Netting = "hour"
	NetDay   Netting = "day"
	NetMonth Netting = "month"
	NetYear  Netting = "year" // the whole period of the balance
)

// Factor is the primary energy of one unit of a carrier from one day to another.
type Factor struct {
	From, Until time.Time // zero: open; Until is exclusive
	Delivered   float64   // kWh of primary energy per kWh delivered
	Exported    float64   // kWh of primary energy per kWh exported: the same where export displaces what would be delivered
	Year        int       // that the value describes; 0 where its source names none
	Source      string
}

// holds reports whether the factor is valid at an instant.
func (f *Factor) holds(t time.Time) bool {
	return !t.Before(f.From) && (f.Until.IsZero() || t.Before(f.Until))
}

// Carrier is the factors of one carrier, by date.
type Carrier struct {
	Carrier balance.Carrier
	Factors []Factor
}

// Use is what energy is used for.
type Use string

// Mobility is the charging of cars, as their charging points meter it.
const Mobility Use = "mobility"

// Profile is a calculation profile.
type Profile struct {
	ID      string
	Version int
	NameFR  string
	NameEN  string
	Note    string // choices in words, and what they follow

	Boundary string   // "geographical", "functional" or "virtual"
	Sites    []string // of the district, that lie inside the boundary; empty: all
	Excluded []Use    // uses that are left out of the boundary: what is delivered and exported is what it would be without them
	Kind     Kind
	Netting  Netting
	KExp     float64 // weight of export in [0, 1]; 0: export is not counted (EN ISO 52000-1, step A)

	Calorific   string // "gross" or "net": of fuels
	Basis       string // "average" or "marginal": how the factors were made
	MinCoverage float64
	Carriers    []Carrier
	LeftOut     []balance.Carrier // that the profile does not count, by decision
	Builtin     bool
}

// String returns the name by which a result is told: id and version.
func (p *Profile) String() string { return fmt.Sprintf("%s v%d", p.ID, p.Version) }

// Counts reports whether the profile counts a carrier.
func (p *Profile) Counts(c balance.Carrier) bool {
	return slices.ContainsFunc(p.Carriers, func(x Carrier) bool { return x.Carrier == c })
}

// Symmetric reports whether export is weighted as delivery is, in full.
func (p *Profile) Symmetric() bool {
	for _, c := range p.Carriers {
		for _, f := range c.Factors {
			if f.Exported != f.Delivered {
				return false
			}
		}
	}
	return p.KExp == 1
}

// factor returns what holds for a carrier at an instant.
func (p *Profile) factor(c balance.Carrier, at time.Time, zone *time.Location) (*Factor, error) {
	for i := range p.Carriers {
		if p.Carriers[i].Carrier != c {
			continue
		}
		for k := range p.Carriers[i].Factors {
			if f := &p.Carriers[i].Factors[k]; f.holds(at) {
				return f, nil
			}
		}
	}
	return nil, &why.Error{Reason: why.Reason{Code: why.NoFactor, Values: map[string]any{"profile": p.String(), "carrier": why.Carrier(c), "day": why.Day(at.In(zone))}}}
}

// group returns the begin of the netting period of an instant, for netting coarser than a day.
func (n Netting) group(at time.Time, period timegrid.Span, zone *time.Location) time.Time {
	if n == NetYear {
		return period.Start
	}
	if m := timegrid.Month(at, zone).Start; m.After(period.Start) {
		return m
	}
	return period.Start
}
