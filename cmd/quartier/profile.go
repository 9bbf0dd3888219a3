package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
)

// listProfiles lists the embedded profiles, or prints the document of one as the beginning of an own.
func listProfiles(c *call) error {
	if len(c.args) > 1 {
		text, err := profile.Document(c.args[1])
		if err != nil {
			return badInput{fmt.Errorf("quartier device: %w", err)}
		}
		_, err = c.stdout.Write(text)
		return err
	}
	w := tabwriter.NewWriter(c.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "Profile\tProtocol\tDevice\tCommand\tState\tSource")
	for _, name := range profile.Names() {
		p, err := profile.Load(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", name, p.Protocol, p.Title, commandOf(p), p.State, sourceOf(p.Source))
	}
	return w.Flush()
}

// commandOf tells how a device type is commanded.
func commandOf(p *profile.Profile) string {
	if p.Control == nil {
		return "none"
	}
	return string(p.Control.Quantity)
}

// sourceOf tells where the numbers of a profile come from, with revision or commit.
func sourceOf(s profile.Source) string {
	out := s.Document
	if s.Revision != "" {
		out += " " + s.Revision
	}
	if s.Project != "" {
		out += fmt.Sprintf("; %s %s@%s", s.Project, s.File, s.Commit)
	}
	return strings.TrimPrefix(out, "; ")
}

// checkProfiles reads the user's own profiles, files or all of a folder, and tells every fault of every one.
func checkProfiles(c *call, names []string) error {
	if len(names) == 0 {
		return badInput{errors.New("quartier device check: name the profile files to check, or a folder of them")}
	}
	var files []string
	for _, name := range names {
		found, err := profileFiles(name)
		if err != nil {
			return badInput{fmt.Errorf("quartier device check: %w", err)}
		}
		files = append(files, found...)
	}
	var faults []error
	for _, file := range files {
		p, err := profile.LoadFile(file)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		faulty, hints := p.Check()
		if want := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)); p.Name != want {
			faulty = append(faulty, fmt.Errorf("profile: name %q, want that of the file, %q", p.Name, want))
		}
		if p.Protocol == profile.Modbus {
			if _, err := serve.NewDevice(p, nil); err != nil {
				faulty = append(faulty, err)
			}
		}
		for _, err := range faulty {
			faults = append(faults, fmt.Errorf("%s: %w", file, err))
		}
		if len(faulty) > 0 {
			continue
		}
		fmt.Fprintf(c.stdout, "%s: %s, %d points, command %s, %s\n", file, p.Title, len(p.Points), commandOf(p), p.State)
		for _, h := range hints {
			fmt.Fprintf(c.stdout, "  hint: %s\n", h)
		}
	}
	if len(faults) > 0 {
		return badInput{errors.Join(faults...)}
	}
	return nil
}

// profileFiles returns a file, or the profiles of a folder.
func profileFiles(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var out []string
	err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && profile.IsFile(path) {
			out = append(out, path)
		}
		return err
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s holds no .yaml file", name)
	}
	return out, err
}
