package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
	"quartier/cmd/internal/feed"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// published is a feed whose documents a file holds.
type published struct {
	source feed.Source
	feed   config.Feed
	of     *district.District
	dir    string // of the documents that the service takes up
}

// feedOf returns the feed that gives a district its weather or its prices. The options are --weather and --prices, of which one at most has a value.
func feedOf(cfg *config.Config, weather, prices, carbon string) (*published, error) {
	given, id, kind, option := 0, "", "", ""
	for _, o := range []struct{ id, kind, option string }{{weather, config.OpenMeteo, "--weather"}, {prices, config.Entsoe, "--prices"}, {carbon, config.Eco2mix, "--carbon"}} {
		if o.id != "" {
			given, id, kind, option = given+1, o.id, o.kind, o.option
		}
	}
	if given > 1 {
		return nil, badInput{errors.New("quartier import: a file is of the weather, of prices or of carbon intensity: give one of --weather, --prices and --carbon")}
	}
	if given == 0 || kind == config.Eco2mix { // which has a reader of its own, with or without a feed
		return nil, nil
	}
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		if d.ID != id {
			continue
		}
		f, ok := app.FeedOf(cfg, d, kind)
		if !ok {
			return nil, badInput{fmt.Errorf("quartier import: %s %s: the configuration has no feed of that for this district, so nothing would read it", option, id)}
		}
		src, err := app.FeedSource(f, d)
		if err != nil {
			f.KeyFile, f.KeyEnv = "", "" // who brings a file needs no token
			if src, err = app.FeedSource(f, d); err != nil {
				return nil, err
			}
		}
		return &published{src, f, d, filepath.Join(cfg.File.DataDir, app.FeedFolder)}, nil
	}
	return nil, badInput{fmt.Errorf("quartier import: no district %q", id)}
}

// runFeed takes a published document: what it says of the past goes into the record, what it says of the time to come to the service.
func (im *importer) runFeed(ctx context.Context, in io.Reader, p *published, now time.Time, notes io.Writer) error {
	data, err := io.ReadAll(io.LimitReader(in, feed.MaxBrought+1))
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	if len(data) > feed.MaxBrought {
		return badInput{fmt.Errorf("quartier import: the document is longer than the %d MiB that one may have: bring it in parts", feed.MaxBrought>>20)}
	}
	b, err := p.source.Read(data)
	for _, r := range b.Refused {
		im.drop(r.Row, r.Reason)
	}
	if err != nil {
		return badInput{fmt.Errorf("quartier import: %w", err)}
	}
	span := b.Span()
	if now.After(span.Start) {
		im.batch = append(im.batch, app.FeedSamples(&b, p.of.ID, p.feed.ID, timegrid.NewSpan(span.Start, now))...)
		if err := im.flush(ctx); err != nil {
			return err
		}
	}
	if span.End.After(now) {
		if err := feed.Put(p.dir, p.source, data, now); err != nil {
			return err
		}
		fmt.Fprintf(notes, "note: published until %s; 'quartier run' plans with it\n", span.End.In(p.of.Zone).Format("2006-01-02T15:04Z07:00"))
	}
	return nil
}
