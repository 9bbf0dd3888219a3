package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"quartier/cmd/internal/config"
	"quartier/drivers/profile"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/outbox"
	"quartier/schemas/store/spool"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/store/timescale"
)

// Record is an open store: the embedded file, or the file in front of the database.
type Record struct {
	store.Store
	// Relay ships to the database until ctx ends; nil without a database.
	Relay func(ctx context.Context) error
	// Pack packs the samples of days that are over before a time; nil where the file is the whole record, which packs by itself.
	Pack func(ctx context.Context, before time.Time) error
	// Drain ships all that waits; nil without a database.
	Drain func(ctx context.Context) error

	memory  *spool.Store // nil until HoldInMemory
	markets map[string]*market
}

// HoldInMemory makes the record keep samples and set-points in a bounded memory while its disk takes none, for a process that measures and controls on without it. A
// command whose user waits for the result does not want that: there an error is the answer. The caller runs memory.Run.
func (r *Record) HoldInMemory(opts spool.Options) {
	r.memory = spool.New(r.Store, opts)
	r.Store = r.memory
}

// recordFile is the name of the embedded record in its folder.
const recordFile = "quartier.db"

// OpenStore opens the record that a configuration describes: DataDir/quartier.db, in front of TimescaleDB where the configuration names one. now is the clock of
// the samples; nil: time.Now. Close the record when done, and end Relay first.
//
// The tariffs of the configuration that are fed get their published prices from this record.
func OpenStore(ctx context.Context, cfg *config.Config, now func() time.Time, log *slog.Logger) (*Record, error) {
	r, err := openStore(ctx, cfg, now, log)
	if err == nil && len(cfg.Feeds) > 0 {
		r.markets = openMarkets(cfg, r, now, log)
	}
	return r, err
}

func openStore(ctx context.Context, cfg *config.Config, now func() time.Time, log *slog.Logger) (*Record, error) {
	url, err := cfg.DatabaseURL()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.File.DataDir, 0o750); err != nil {
		return nil, fmt.Errorf("app: data_dir: %w", err)
	}
	local, err := sqlite.Open(ctx, filepath.Join(cfg.File.DataDir, recordFile), sqlite.Options{Log: log, Outbox: url != ""})
	if err != nil {
		return nil, err
	}
	if url == "" {
		return &Record{Store: local}, nil
	}
	both := outbox.New(local, func(ctx context.Context) (*timescale.Store, error) {
		return timescale.Open(ctx, url, timescale.Options{Log: log, Fine: fineFor(cfg)})
	}, outbox.Options{Log: log, Now: now})
	return &Record{Store: both, Relay: both.Run, Drain: both.Drain, Pack: both.Pack}, nil
}

// durable returns the record without the memory: who loads much, and reads it again at once, waits for the disk.
func (r *Record) durable() store.Store {
	if r.memory == nil {
		return r.Store
	}
	return r.memory.Store
}

// ConfigOptions are the options by which every command reads a configuration: profiles are those that are embedded and the user's own files, addresses those that their drivers reach. Hosts under the
// domain example, which nobody can own (RFC 2606), stand for the devices of a demonstration, which are on loopback whatever the driver allows.
func ConfigOptions() config.Options {
	return config.Options{
		Profile: func(name string) ([]district.Kind, bool) {
			p, err := profile.Load(name)
			if err != nil {
				return nil, false
			}
			return p.Kinds, true
		},
		ProfileFault: func(name string) error {
			_, err := profile.Load(name)
			return err
		},
		Profiles: profile.Names(),
		Address: func(name, address string) error {
			p, err := profile.Load(name)
			if err != nil {
				return err
			}
			if u, err := url.Parse(address); err == nil && p.Protocol == profile.OPCUA && u.Scheme == "opc.tcp" && strings.HasSuffix(u.Hostname(), ".example") {
				return nil
			}
			return checkAddress(p, address)
		},
	}
}
