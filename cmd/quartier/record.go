package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
)

// openRecord opens the record of a configuration for one command, with its database connected where it names one: until then only the local file is read. A
// database that does not answer is an error when whole is asked for, since the answer could be short, and else a note.
func openRecord(ctx context.Context, c *call, cfg *config.Config, whole bool) (*app.Record, error) {
	if file := filepath.Join(cfg.File.DataDir, "quartier.db"); whole && cfg.File.Database.URLEnv == "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, badInput{fmt.Errorf("quartier %s: there is no record yet: %s does not exist", c.cmd.name, file)}
		}
	}
	st, err := app.OpenStore(ctx, cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil || st.Drain == nil {
		return st, err
	}
	err = st.Drain(ctx)
	switch {
	case err == nil:
		return st, nil
	case whole:
		return nil, errors.Join(fmt.Errorf("the database does not answer, and without it the record is not whole: %w", err), st.Close())
	case ctx.Err() != nil:
		return nil, errors.Join(context.Cause(ctx), st.Close())
	}
	fmt.Fprintf(c.stderr, "note: the database does not answer; what is in %s counts, and reaches it by 'quartier run'\n", cfg.File.DataDir)
	return st, nil
}
