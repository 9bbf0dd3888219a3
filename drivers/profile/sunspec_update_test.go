//go:build sunspec

package profile

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The table of models is made from the official definitions: go test -tags sunspec ./drivers/profile -run OfficialModels -sunspec DIR [-update], DIR being the folder json of
// github.com/sunspec/models. Without -update the table that is embedded is compared.
var (
	official = flag.String("sunspec", "", "folder of the official SunSpec model definitions, model_N.json")
	update   = flag.Bool("update", false, "write the table of models anew")
)

// theirModels are those that the table has, models of one layout beside each other.
var theirModels = []int{1, 101, 102, 103, 111, 112, 113, 120, 121, 122, 123, 124, 160, 201, 202, 203, 204, 211, 212, 213, 214,
	701, 702, 703, 704, 705, 706, 707, 708, 709, 710, 711, 712, 713, 714, 802, 803}

type theirGroup struct {
	Name   string
	Type   string
	Count  any
	Points []struct {
		Name, Type, Access string
		Size               int
		SF                 any
	}
	Groups []theirGroup
}

var theirTypes = map[string]string{"uint16": "u16", "enum16": "u16", "bitfield16": "u16", "count": "u16", "int16": "i16", "sunssf": "i16", "uint32": "u32", "bitfield32": "u32",
	"int32": "i32", "uint64": "u64", "acc32": "acc32", "acc64": "acc64", "float32": "f32", "string": "string"}

// lines writes the points of a group from an offset on and returns where it ends.
func (g theirGroup) lines(t *testing.T, from int) (text []string, end int) {
	at := from
	for _, p := range g.Points {
		kind, known := theirTypes[p.Type]
		if !known && p.Type != "pad" {
			t.Fatalf("point %s is of type %q", p.Name, p.Type)
		}
		if p.Type == "string" {
			kind = fmt.Sprintf("string:%d", p.Size)
		}
		line := fmt.Sprintf("%d %s %s", at, p.Name, kind)
		if sf, ok := p.SF.(string); ok {
			line += " *" + strings.TrimSpace(sf)
		}
		if p.Access == "RW" {
			line += " rw"
		}
		if p.Type != "pad" && p.Name != "ID" && p.Name != "L" {
			text = append(text, line)
		}
		at += p.Size
	}
	return text, at
}

func modelLines(t *testing.T, dir string, id int) (body string, length int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("model_%d.json", id)))
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Group theirGroup }
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	points, end := m.Group.lines(t, 0)
	b := &strings.Builder{}
	wrap(b, points)
	for _, g := range m.Group.Groups {
		if len(g.Groups) > 0 {
			break // curves within curves: a management system does not write them
		}
		inside, size := g.lines(t, 0)
		fmt.Fprintf(b, "  group %s at %d every %d\n", g.Name, end, size)
		wrap(b, inside)
		if g.Type == "sync" {
			end += size
		}
	}
	return b.String(), end - 2
}

func wrap(b *strings.Builder, points []string) {
	line := ""
	for i, p := range points {
		if line != "" {
			line += ", "
		}
		if len(line)+len(p) > 150 {
			fmt.Fprintf(b, "    %s\n", strings.TrimSuffix(line, " "))
			line = ""
		}
		line += p
		if i == len(points)-1 {
			fmt.Fprintf(b, "    %s\n", line)
		}
	}
}

// TestOfficialModels compares the embedded table with the official definitions, which the build tag says are at hand, and writes it with -update.
func TestOfficialModels(t *testing.T) {
	if *official == "" {
		t.Fatal("-sunspec names no folder of the official definitions")
	}
	b := &strings.Builder{}
	b.WriteString(`# SunSpec information models: where each point stands, counted from the model's ID register, its type, its scale factor and whether it can be written.
# Facts of the official definitions (github.com/sunspec/models, commit 7abdf89, Copyright SunSpec Alliance, Apache-2.0), condensed by sunspec_update_test.go.
# The length is that without repeated groups. A group repeats from its offset on as often as the model's own length leaves room for.
`)
	type laid struct {
		body   string
		length int
		ids    []string
	}
	var all []*laid
	for _, id := range theirModels {
		body, length := modelLines(t, *official, id)
		i := slices.IndexFunc(all, func(l *laid) bool { return l.body == body && l.length == length })
		if i < 0 {
			i, all = len(all), append(all, &laid{body: body, length: length})
		}
		all[i].ids = append(all[i].ids, fmt.Sprint(id))
	}
	for _, l := range all {
		fmt.Fprintf(b, "%s: length %d\n%s", strings.Join(l.ids, " "), l.length, l.body)
	}
	if *update {
		if err := os.WriteFile("sunspec_models.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if b.String() != sunspecText {
		t.Error("sunspec_models.txt is not what the official definitions say; -update writes it anew")
	}
}
