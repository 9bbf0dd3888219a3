// Package ledger keeps published figures traceable: each says by which method and version, from which inputs and when it was computed, and a correction is a
// new version beside the old one. [Audit] holds stored figures against recomputed ones and names what changed. The package does no I/O and reads no clock.
package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"time"

	"quartier/schemas/timegrid"
)

// Figure is one published number.
type Figure struct {
	District string        `json:"district"`
	Subject  string        `json:"subject"` // "_": the district; a site's id; "member/" and a member's id
	Kind     string        `json:"kind"`    // what it is, ending in its unit: import_wh, carbon_location_based_kg
	Period   timegrid.Span `json:"period"`
	Value    float64       `json:"value"`
	Unit     string        `json:"unit"`

	Method        string  `json:"method"`
	MethodVersion string  `json:"method_version"`
	Inputs        []Input `json:"inputs"`

	CreatedAt  time.Time `json:"created_at"`
	Version    int       `json:"version"`          // from 1
	Supersedes int       `json:"supersedes"`       // the version that it corrects; 0: none
	Reason     string    `json:"reason,omitempty"` // of a correction
	Seal       string    `json:"seal"`             // SHA-256 of all of the above, hexadecimal
}

// Input is something that a figure was computed from.
type Input struct {
	Name   string `json:"name"`   // "samples fontaine/ecole/grid/import_kwh", "tariff bleu", "carbon rte", "configuration ecole"
	Count  int64  `json:"count"`  // how many values it had
	SHA256 string `json:"sha256"` // of the values, hexadecimal
}

// Key is what a figure is found by, apart from its version.
type Key struct{ District, Subject, Kind, Start, End string }

// Key returns what the figure is found by.
func (f *Figure) Key() Key {
	return Key{f.District, f.Subject, f.Kind, f.Period.Start.UTC().Format(time.RFC3339Nano), f.Period.End.UTC().Format(time.RFC3339Nano)}
}

// String names the figure for messages.
func (f *Figure) String() string {
	return fmt.Sprintf("%s/%s %s of %s, version %d", f.District, f.Subject, f.Kind, f.Period.Start.UTC().Format(time.RFC3339), f.Version)
}

// Sealed returns the figure with its inputs in order, times to the microsecond as stores keep them, and its seal.
func (f Figure) Sealed() Figure {
	f.Period = timegrid.Span{Start: micro(f.Period.Start), End: micro(f.Period.End)}
	f.CreatedAt = micro(f.CreatedAt)
	f.Inputs = append([]Input{}, f.Inputs...)
	sort.Slice(f.Inputs, func(i, j int) bool { return f.Inputs[i].Name < f.Inputs[j].Name })
	f.Seal = f.seal()
	return f
}

// Intact reports whether the figure is as it was sealed.
func (f *Figure) Intact() bool { return f.Seal == f.seal() }

func (f *Figure) seal() string {
	g := *f
	g.Seal, g.Value = "", 0
	text, err := json.Marshal(struct {
		Figure
		Bits uint64 `json:"bits"` // of the value: no rounding of a text stands between
	}{g, math.Float64bits(f.Value)})
	if err != nil {
		return "" // of no figure: times beyond year 9999
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func micro(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

// Hasher makes an [Input] of values as they come.
type Hasher struct {
	name  string
	count int64
	state interface {
		Write([]byte) (int, error)
		Sum([]byte) []byte
	}
	buf [24]byte
}

// NewHasher returns the hasher of an input.
func NewHasher(name string) *Hasher { return &Hasher{name: name, state: sha256.New()} }

// Sample adds a value at an instant with a mark such as a quality.
func (h *Hasher) Sample(at time.Time, value float64, mark uint8) {
	binary.LittleEndian.PutUint64(h.buf[:], uint64(at.UnixMicro()))
	binary.LittleEndian.PutUint64(h.buf[8:], math.Float64bits(value))
	h.buf[16] = mark
	_, _ = h.state.Write(h.buf[:17]) // a hash takes everything
	h.count++
}

// Values adds numbers in order.
func (h *Hasher) Values(values ...float64) {
	for _, v := range values {
		binary.LittleEndian.PutUint64(h.buf[:], math.Float64bits(v))
		_, _ = h.state.Write(h.buf[:8])
		h.count++
	}
}

// Text adds a text as one value.
func (h *Hasher) Text(s string) {
	binary.LittleEndian.PutUint64(h.buf[:], uint64(len(s)))
	_, _ = h.state.Write(h.buf[:8])
	_, _ = h.state.Write([]byte(s))
	h.count++
}

// Input returns the input of what was added.
func (h *Hasher) Input() Input {
	return Input{Name: h.name, Count: h.count, SHA256: hex.EncodeToString(h.state.Sum(nil))}
}

// Together makes one input of several, in the order of their names.
func Together(name string, inputs []Input) Input {
	in := append([]Input{}, inputs...)
	sort.Slice(in, func(i, j int) bool { return in[i].Name < in[j].Name })
	h := NewHasher(name)
	var count int64
	for _, x := range in {
		h.Text(x.Name)
		h.Text(x.SHA256)
		count += x.Count
	}
	out := h.Input()
	out.Count = count
	return out
}
