package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"quartier/cmd/internal/config"
	"quartier/schemas/carbon"
	"quartier/schemas/district"
)

// maxGapsNamed is how many gaps of a file are named one by one.
const maxGapsNamed = 10

// carbonDistrict returns the district whose record takes a file of carbon intensity. The source of that district must be one that reads the record.
func carbonDistrict(cfg *config.Config, id string) (*district.District, error) {
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		if d.ID != id {
			continue
		}
		if c, ok := cfg.Carbon[d.Carbon]; ok && c.Scope+c.Basis != carbon.Eco2mixAbout.Scope+carbon.Eco2mixAbout.Basis {
			return nil, badInput{fmt.Errorf("quartier import: the carbon source %s of district %s is %s of %s, and éco2mix is %s of %s: they are not compared", d.Carbon, id, c.Scope, c.Basis,
				carbon.Eco2mixAbout.Scope, carbon.Eco2mixAbout.Basis)}
		}
		return d, nil
	}
	return nil, badInput{fmt.Errorf("quartier import: no district %q", id)}
}

// runCarbon takes a file of carbon intensity into the district's series. Times without a value are named as gaps and stay empty.
func (im *importer) runCarbon(ctx context.Context, in io.Reader, d *district.District, notes io.Writer) error {
	file, err := carbon.Read(in, d.Zone, im.drop)
	if err != nil {
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		return badInput{fmt.Errorf("quartier import: %w", err)}
	}
	series := district.NewSeriesID(d.ID, district.DistrictSite, "carbon", district.CarbonIntensity)
	for _, p := range file.Points {
		im.batch = append(im.batch, district.Sample{Series: series, Time: p.Time, Value: p.GPerKWh, Source: district.FromImport})
		if len(im.batch) == importBatch {
			if err := im.flush(ctx); err != nil {
				return err
			}
		}
	}
	if err := im.flush(ctx); err != nil {
		return err
	}
	for i, g := range file.Gaps {
		if i == maxGapsNamed {
			fmt.Fprintf(notes, "note: and %d gaps more\n", len(file.Gaps)-i)
			break
		}
		fmt.Fprintf(notes, "note: no carbon intensity from %s to %s\n", g.Start.In(d.Zone).Format("2006-01-02T15:04Z07:00"), g.End.In(d.Zone).Format("2006-01-02T15:04Z07:00"))
	}
	return nil
}
