package config

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/ped"
)

//go:embed ped/*.yaml
var builtinPED embed.FS

// BuiltinPED returns the profiles that are built in, by id, with their dates in the given zone.
func BuiltinPED(zone *time.Location) ([]*ped.Profile, error) {
	names, err := fs.Glob(builtinPED, "ped/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []*ped.Profile
	for _, name := range names {
		text, err := builtinPED.ReadFile(name)
		if err != nil {
			return nil, err
		}
		p, err := ParsePED(path.Base(name), text, zone)
		if err != nil {
			return nil, err
		}
		p.Builtin = true
		out = append(out, p)
	}
	return out, nil
}

// ParsePED checks the content of a profile's own file; dates are days of the given zone. The error is [Faults].
func ParsePED(name string, data []byte, zone *time.Location) (*ped.Profile, error) {
	d := &decoder{file: name}
	var f PEDProfile
	d.decode(data, &f)
	p := (&builder{decoder: d}).profilePED(&f, "", zone)
	if err := d.result(); err != nil {
		return nil, err
	}
	return p, nil
}

// profilesPED gathers the profiles: built in, replaced by those of files, which the file's own replace. Dates are days of the first district's zone.
func (b *builder) profilesPED(f *File) {
	b.cfg.PED = map[string]*ped.Profile{}
	zone := time.UTC
	if len(f.Districts) > 0 {
		if loc, err := time.LoadLocation(f.Districts[0].Zone); err == nil {
			zone = loc
		}
	}
	builtin, err := BuiltinPED(zone)
	if err != nil {
		b.say("ped_profiles", "%v", err) // a file of this package
	}
	for _, p := range builtin {
		b.cfg.PED[p.ID] = p
	}
	own := map[string]string{}
	for i := range f.PEDFiles {
		at := fmt.Sprintf("ped_profile_files[%d].path", i)
		if b.opt.ReadFile == nil || f.PEDFiles[i].Path == "" {
			continue
		}
		text, err := b.opt.ReadFile(f.PEDFiles[i].Path)
		if err != nil {
			b.say(at, "%v", err)
			continue
		}
		p, err := ParsePED(f.PEDFiles[i].Path, text, zone)
		if err != nil {
			for _, fault := range err.(Faults) {
				b.say(at, "%v", fault)
			}
			continue
		}
		b.once(own, "profile", p.ID, at)
		b.cfg.PED[p.ID] = p
	}
	for i := range f.PED {
		at := fmt.Sprintf("ped_profiles[%d]", i)
		b.once(own, "profile", f.PED[i].ID, at+".id")
		b.cfg.PED[f.PED[i].ID] = b.profilePED(&f.PED[i], at, zone)
	}
}

// profilePED checks one profile and builds it.
func (b *builder) profilePED(f *PEDProfile, path string, zone *time.Location) *ped.Profile {
	p := &ped.Profile{ID: f.ID, Version: f.Version, NameFR: cmp.Or(f.NameFR, f.ID), NameEN: cmp.Or(f.NameEN, f.ID), Note: f.Note, Boundary: f.Boundary, Sites: f.Sites,
		Kind: ped.Kind(f.FactorKind), Netting: ped.Netting(f.Netting), KExp: f.KExp, Calorific: f.Calorific, Basis: f.Basis, MinCoverage: f.MinCoverage}
	for i, use := range f.Excluded {
		switch at := join(path, fmt.Sprintf("exclude_uses[%d]", i)); {
		case ped.Use(use) != ped.Mobility:
			b.say(at, "%q is none of the uses that are metered apart: %s", use, ped.Mobility)
		case slices.Contains(p.Excluded, ped.Use(use)):
			b.say(at, "%q is there twice", use)
		default:
			p.Excluded = append(p.Excluded, ped.Use(use))
		}
	}
	seen := map[string]string{}
	for i := range f.Carriers {
		at := join(path, fmt.Sprintf("carriers[%d]", i))
		b.once(seen, "carrier", f.Carriers[i].Carrier, at+".carrier")
		c := ped.Carrier{Carrier: balance.Carrier(f.Carriers[i].Carrier)}
		for k := range f.Carriers[i].Factors {
			x, at := &f.Carriers[i].Factors[k], fmt.Sprintf("%s.factors[%d]", at, k)
			out := ped.Factor{From: day(x.From, zone), Until: day(x.Until, zone), Delivered: x.Delivered, Exported: x.Delivered, Year: x.Year, Source: x.Source}
			if x.Exported != nil {
				out.Exported = *x.Exported
			}
			if !out.Until.IsZero() && !out.Until.After(out.From) {
				b.say(at+".until", "%s is not after from %s", x.Until, x.From)
			}
			if p.Kind == ped.Final && (out.Delivered != 1 || out.Exported != 1) {
				b.say(at+".delivered", "%v: with factor_kind final every factor is 1", x.Delivered)
			}
			for n, other := range c.Factors {
				if (other.Until.IsZero() || out.From.Before(other.Until)) && (out.Until.IsZero() || other.From.Before(out.Until)) {
					b.say(at, "holds on days on which factors[%d] holds too", n)
				}
			}
			c.Factors = append(c.Factors, out)
		}
		p.Carriers = append(p.Carriers, c)
	}
	for i, c := range f.LeaveOut {
		at := join(path, fmt.Sprintf("leave_out[%d]", i))
		if !forms["carrier"].re.MatchString(c) {
			b.say(at, "%q is not %s", c, forms["carrier"].want)
		} else if p.Counts(balance.Carrier(c)) {
			b.say(at, "%q is in carriers too: one of them", c)
		}
		p.LeftOut = append(p.LeftOut, balance.Carrier(c))
	}
	return p
}

// choicesPED checks which profiles a district is balanced by.
func (b *builder) choicesPED(f *District, path string, sites map[string]string) {
	seen := map[string]string{}
	for i := range f.PED {
		at := fmt.Sprintf("%s.ped_balance[%d].id", path, i)
		b.once(seen, "profile", f.PED[i].ID, at)
		p := b.cfg.PED[f.PED[i].ID]
		if p == nil {
			b.say(at, "no profile %q%s", f.PED[i].ID, suggestion(f.PED[i].ID, slices.Sorted(maps.Keys(b.cfg.PED))))
			continue
		}
		for _, s := range p.Sites {
			if _, ok := sites[s]; !ok {
				b.say(at, "profile %s has site %q inside its boundary, which the district has not", p.ID, s)
			}
		}
	}
}

// PEDProfiles returns the profiles by which a district is balanced, the one that is shown before the others first.
func (c *Config) PEDProfiles(districtID string) []*ped.Profile {
	f := c.District(districtID)
	if f == nil {
		return nil
	}
	var out []*ped.Profile
	for _, choice := range f.PED {
		if p := c.PED[choice.ID]; p != nil {
			out = append(out, p)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, id := range slices.Sorted(maps.Keys(c.PED)) {
		if len(c.PED[id].Sites) == 0 {
			out = append(out, c.PED[id])
		}
	}
	return out
}
