package profile_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// sunspecImage is the chain of a device as the official definitions lay it out, and what its points are worth: see testdata/sunspec/README.md.
type sunspecImage struct {
	registers []uint16
	points    []sunspecValue
}

type sunspecValue struct {
	model, occurrence, index int
	name                     string
	value                    float64 // NaN: not implemented
}

func (v sunspecValue) yaml(name string) string {
	index := ""
	if v.index > 0 {
		index = fmt.Sprintf(", index: %d", v.index)
	}
	return fmt.Sprintf("  - {name: %s, sunspec: {models: [%d], occurrence: %d, point: %s%s}, unit: \"1\"}\n", name, v.model, v.occurrence, v.name, index)
}

func loadImage(t *testing.T, file string) sunspecImage {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	b, err := hex.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	var image sunspecImage
	for ; len(b) > 0; b = b[2:] {
		image.registers = append(image.registers, binary.BigEndian.Uint16(b))
	}
	for line := range strings.Lines(rest) {
		var v sunspecValue
		var value string
		if _, err := fmt.Sscanf(line, "%d %d %s %d %s", &v.model, &v.occurrence, &v.name, &v.index, &value); err != nil {
			t.Fatalf("%s: %q: %v", file, line, err)
		}
		if v.value = math.NaN(); value != "none" {
			if v.value, err = strconv.ParseFloat(value, 64); err != nil {
				t.Fatalf("%s: %q: %v", file, line, err)
			}
		}
		image.points = append(image.points, v)
	}
	return image
}

// TestSunSpecImages: every point of every model of these devices, also of models that occur several times, comes through the driver as the SunSpec Alliance's library computes it. A chain may end with
// its mark, or with the device's registers: then a read behind it is exception 2.
func TestSunSpecImages(t *testing.T) {
	files, err := filepath.Glob("testdata/sunspec/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d images, %v", len(files), err)
	}
	seen := map[int]bool{}
	for i, file := range files {
		image := loadImage(t, file)
		doc := "points:\n"
		for k, v := range image.points {
			doc += v.yaml(fmt.Sprint("p_", k))
			seen[v.model] = true
		}
		p := parse(t, doc)
		for _, marked := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, end marked %v", strings.TrimSuffix(filepath.Base(file), ".txt"), marked), func(t *testing.T) {
				registers := image.registers
				if !marked {
					registers = registers[:len(registers)-2]
				}
				bank := &serve.Table{}
				bank.Set(profile.Holding, []uint16{40000, 50000, 0}[i%3], registers...)
				_, open := serveTable(t, bank)
				readings, err := open(p).Read(t.Context())
				if err != nil || len(readings) != len(image.points) {
					t.Fatalf("%d of %d points, %v", len(readings), len(image.points), err)
				}
				for k, v := range image.points {
					r := readings[k]
					if math.IsNaN(v.value) != (r.Quality != district.Good) || !math.IsNaN(v.value) && math.Abs(r.Value-v.value) > 1e-12*math.Abs(v.value) {
						t.Errorf("model %d (%d) %s %d is %v (%s), want %v", v.model, v.occurrence, v.name, v.index, r.Value, r.Quality, v.value)
					}
				}
			})
		}
	}
	for _, id := range []int{101, 102, 103, 111, 112, 113, 120, 121, 122, 123, 124, 160, 201, 202, 203, 204, 211, 212, 213, 214, 701, 702, 703, 704, 705, 706, 707, 708, 709, 710, 711, 712, 713, 714, 802, 803} {
		if !seen[id] {
			t.Errorf("no image has model %d", id)
		}
	}
}
