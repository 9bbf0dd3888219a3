// Package evolve keeps the steps by which the schema of a store grows: forward only, numbered, each applied once.
package evolve

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Step is one numbered step of a schema.
type Step struct {
	Version int    // above that of the step before
	Name    string // of its file, such as 0011_figures.sql
	SQL     string
}

// Steps are those of one store in the order of their versions; not empty.
type Steps []Step

// Read returns the steps of folder migrations in order of the four digits that their names begin with, which grow; a number may be left out, and once released none below
// it is added any more. Its error names the file.
func Read(from fs.FS) (Steps, error) {
	names, err := fs.Glob(from, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("migrations: there are none")
	}
	slices.Sort(names)
	var out Steps
	last := 0
	for _, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		v, err := strconv.Atoi(number)
		if err != nil || len(number) != 4 || v <= last {
			return nil, fmt.Errorf("migration %s: its name begins with no number of four digits above %04d", name, last)
		}
		last = v
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		out = append(out, Step{Version: v, Name: path.Base(name), SQL: string(text)})
	}
	return out, nil
}

// Newest is the version that the schema has after all steps.
func (s Steps) Newest() int { return s[len(s)-1].Version }

// From returns the steps that bring a schema of a version up to date. It refuses a version above the newest, which an older Quartier must not touch.
func (s Steps) From(version int) (Steps, error) {
	if version > s.Newest() {
		return nil, fmt.Errorf("its schema has version %d, this Quartier knows up to %d: it was written by a newer one, which must be used", version, s.Newest())
	}
	i, _ := slices.BinarySearchFunc(s, version+1, func(m Step, v int) int { return m.Version - v })
	return s[i:], nil
}
