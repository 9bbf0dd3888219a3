package foresee

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"quartier/optimizer/forecast"
)

// What was learned is kept as gzip of pieces, each with its length and checksum before it: a head that says of what, the series one by one, what they have in common, and what was heard of others, one by one after their number. It is bound to the build of the program that wrote it, since another
// one may learn otherwise: it is a way to be ready at once, and the record remains what is learned from.
const (
	keptMagic = "quartier forecasts 3\n"
	keptEvery = 24 * time.Hour // of the district's time
	keptPiece = 64 << 20       // bytes of the longest piece
	keptSlots = 1 << 20
	keptOld   = 14 * 24 * time.Hour // from which on forests would be grown anew at once
)

// keptHead says of what was learned. Two are alike where all is the same but where the slots begin and how many there are.
type keptHead struct {
	Build    string
	District string
	Step     time.Duration
	Ahead    time.Duration
	Zone     string
	PeakKW   map[string]float64
	Feed     bool
	Order    []Key
	Start    time.Time `json:",omitzero"`
	Slots    int
}

func (d *District) head(order []Key, start time.Time, slots int) keptHead {
	return keptHead{Build: d.set.Build, District: d.set.District, Step: d.set.Step, Ahead: d.set.Ahead, Zone: d.set.Zone.String(), PeakKW: d.set.PeakKW, Feed: d.set.Published != nil, Order: order, Start: start.UTC(), Slots: slots}
}

// Due reports whether what was learned is worth keeping: forests were grown, or a day has passed since it was kept.
func (d *District) Due() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state != nil && (d.grown || d.state.end().Sub(d.keptAt) >= keptEvery)
}

// ErrOtherBuild is matched by the error of Resume where another build of the program learned what was kept, as after an update.
var ErrOtherBuild = errors.New("another build of the program learned it")

// ErrMoved is matched by the error of Keep where slots came meanwhile: what was written is no whole, and it is worth another try after the next ones.
var ErrMoved = errors.New("foresee: slots came while what was learned was written")

// Keep writes what was learned, for Resume: series by series at the settings' share of a processor, while forecasts are given. It returns the end of what is known, for Kept.
func (d *District) Keep(ctx context.Context, w io.Writer) (end time.Time, err error) {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return end, err
	}
	if _, err := io.WriteString(z, keptMagic); err != nil {
		return end, err
	}
	d.mu.Lock()
	st := d.state
	if st == nil {
		d.mu.Unlock()
		return end, errors.New("foresee: nothing was learned yet")
	}
	end = st.end()
	order := slices.Clone(st.order)
	head, err := json.Marshal(d.head(order, st.start, st.n))
	d.mu.Unlock()
	if err == nil {
		err = putPiece(z, head)
	}
	pieces := []func(out []byte) []byte{}
	for _, k := range order {
		pieces = append(pieces, func(out []byte) []byte { return st.series[k].append(out) })
	}
	var piece []byte
	pace := newPace(ctx, d.set.Share)
	defer pace.end()
	for _, pack := range append(pieces, st.append) {
		if err != nil {
			return end, err
		}
		d.mu.Lock()
		same := d.state == st && st.end().Equal(end) && len(st.order) == len(order)
		if same {
			piece = pack(piece[:0])
		}
		d.mu.Unlock()
		if !same {
			return end, ErrMoved
		}
		err = putPiece(z, piece)
		pace.rest()
		if err == nil {
			err = ctx.Err()
		}
	}
	if err == nil {
		err = d.keepSignals(ctx, z, end, pace)
	}
	if err == nil {
		err = z.Close()
	}
	return end, err
}

// Kept tells that what Keep wrote is in its place.
func (d *District) Kept(end time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keptAt, d.grown = end, false
}

func putPiece(w io.Writer, body []byte) error {
	if len(body) > keptPiece {
		return fmt.Errorf("a piece of %d bytes is longer than the %d bytes that are taken up again", len(body), keptPiece)
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(body, castagnoli))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

func takePiece(r io.Reader) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > keptPiece {
		return nil, fmt.Errorf("a piece of %d bytes", n)
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(n)); err != nil {
		return nil, err
	}
	if sum := crc32.Checksum(body.Bytes(), castagnoli); sum != binary.LittleEndian.Uint32(head[4:]) {
		return nil, fmt.Errorf("a piece of %d bytes is damaged", n)
	}
	return body.Bytes(), nil
}

// Resume takes up what Keep wrote, and learns from the record what came since, as Train does. The error matches [ErrForgotten] where that is not possible: what was kept is damaged, of another build or other settings, or not of this
// record. Then nothing is changed, and Train learns everything from the record.
func (d *District) Resume(ctx context.Context, in io.Reader, r Record) error {
	st, heard, err := d.restore(in, r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForgotten, err)
	}
	kept := st.end()
	if err := d.study(ctx, st, r, 0); err != nil {
		return err
	}
	d.restoreSignals(heard)
	d.Kept(kept)
	return nil
}

func (d *District) restore(in io.Reader, r Record) (*state, []keptSignal, error) {
	z, err := gzip.NewReader(bufio.NewReader(in))
	if err != nil {
		return nil, nil, err
	}
	magic := make([]byte, len(keptMagic))
	if _, err := io.ReadFull(z, magic); err != nil {
		return nil, nil, err
	}
	if string(magic) != keptMagic {
		return nil, nil, fmt.Errorf("it begins with %q", magic)
	}
	body, err := takePiece(z)
	if err != nil {
		return nil, nil, err
	}
	var has keptHead
	if err := json.Unmarshal(body, &has); err != nil {
		return nil, nil, err
	}
	if err := d.alike(&has, r); err != nil {
		return nil, nil, err
	}
	st := newState(d.set, has.Start)
	for _, k := range has.Order {
		if body, err = takePiece(z); err == nil {
			err = st.of(k).restore(body, st, has.Slots)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s of %s: %w", k.Quantity, k.Site, err)
		}
	}
	if body, err = takePiece(z); err == nil {
		err = st.restore(body, has.Slots)
	}
	var heard []keptSignal
	if err == nil {
		heard, err = takeSignals(z)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, z) // the checksum of gzip comes last
	}
	if err == nil {
		err = st.agrees(r)
	}
	return st, heard, err
}

// alike says what is other than what was kept.
func (d *District) alike(has *keptHead, r Record) error {
	want := d.head(slices.SortedFunc(maps.Keys(r.Series), compareKeys), has.Start, has.Slots)
	a, errA := json.Marshal(has)
	b, errB := json.Marshal(want)
	switch {
	case errA != nil || errB != nil || !bytes.Equal(a, b):
		if has.Build != want.Build {
			return ErrOtherBuild
		}
		return fmt.Errorf("it is of\n%s, and the district is\n%s", a, b)
	case has.Slots < 1 || has.Slots > keptSlots:
		return fmt.Errorf("it is of %d slots", has.Slots)
	}
	n := r.Slots
	end := has.Start.Add(time.Duration(has.Slots) * has.Step)
	for _, v := range r.Series {
		n = max(n, len(v))
	}
	if last := r.Start.Add(time.Duration(n) * d.set.Step); end.Before(r.Start) || end.After(last) || end.Before(last.Add(-keptOld)) {
		return fmt.Errorf("it ends at %s, and the record at %s", end.Format(time.RFC3339), last.Format(time.RFC3339))
	}
	return nil
}

// agrees says where more than a twentieth of the slots is another than in the record.
func (s *state) agrees(r Record) error {
	offset := int(r.Start.Sub(s.start) / s.set.Step)
	for _, k := range s.order {
		off, both := 0, 0
		for i, v := range r.Series[k] {
			if at := i + offset; at >= 0 && at < s.n && !math.IsNaN(v) && !math.IsNaN(s.series[k].values[at]) {
				if both++; math.Abs(v-s.series[k].values[at]) > 1e-6 {
					off++
				}
			}
		}
		if 20*off > both {
			return fmt.Errorf("%s of %s is another in %d of %d slots of the record", k.Quantity, k.Site, off, both)
		}
	}
	return nil
}

func floats(out []byte, list []float64) []byte {
	for _, v := range list {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
	}
	return out
}

// reader reads what floats and putGuesses wrote.
type reader struct {
	in  []byte
	bad bool
}

func (r *reader) word() (v uint64) {
	if len(r.in) < 8 {
		r.bad, r.in = true, nil
		return 0
	}
	v, r.in = binary.LittleEndian.Uint64(r.in), r.in[8:]
	return v
}

func (r *reader) float() float64 { return math.Float64frombits(r.word()) }

// count is a number of elements of so many bytes.
func (r *reader) count(least int) int {
	n := r.word()
	if n > uint64(len(r.in)/least) {
		r.bad, r.in = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) floats(n int) []float64 {
	if n > len(r.in)/8 {
		r.bad, r.in = true, nil
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = r.float()
	}
	return out
}

// guessWords is how many words a guess has.
const guessWords = 4 + outcomes

func putGuesses(out []byte, all map[int64][]guess) []byte {
	n := 0
	for _, list := range all {
		n += len(list)
	}
	out = binary.LittleEndian.AppendUint64(out, uint64(n))
	for _, slot := range slices.Sorted(maps.Keys(all)) {
		for _, g := range all[slot] {
			flags := uint64(0)
			if g.banded {
				flags |= 1
			}
			if g.replayed {
				flags |= 2
			}
			for _, v := range []uint64{uint64(slot), uint64(g.lead), flags} {
				out = binary.LittleEndian.AppendUint64(out, v)
			}
			out = floats(floats(out, []float64{g.kw, g.plain}), g.band[:])
		}
	}
	return out
}

func (r *reader) guesses() map[int64][]guess {
	out := map[int64][]guess{}
	for range r.count(8 * (guessWords + 1)) {
		slot := int64(r.word())
		g := guess{lead: time.Duration(r.word())}
		flags := r.word()
		g.banded, g.replayed = flags&1 != 0, flags&2 != 0
		g.kw, g.plain = r.float(), r.float()
		for q := range g.band {
			g.band[q] = r.float()
		}
		out[slot] = append(out[slot], g)
	}
	return out
}

func (x *series) append(out []byte) []byte {
	return x.model.AppendState(putGuesses(floats(out, x.values), x.guesses))
}

func (x *series) restore(in []byte, s *state, slots int) error {
	r := reader{in: in}
	x.values, x.guesses = r.floats(slots), r.guesses()
	if r.bad {
		return fmt.Errorf("%d bytes are too few", len(in))
	}
	x.known = 0
	for _, v := range x.values {
		if !math.IsNaN(v) {
			x.known++
		}
	}
	rest, err := x.model.RestoreState(r.in, s.past(x))
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes are too many", len(rest))
	}
	return err
}

// append writes what series have in common: the net power and the weather as it was.
func (s *state) append(out []byte) []byte {
	out = binary.LittleEndian.AppendUint64(out, uint64(s.net.known))
	out = putGuesses(out, s.net.guesses)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(s.sky.was)))
	for i := range s.sky.was {
		for _, v := range parts(&s.sky.was[i]) {
			out = floats(out, []float64{*v})
		}
	}
	return s.net.spread.AppendState(out)
}

func (s *state) restore(in []byte, slots int) error {
	r := reader{in: in}
	s.n, s.net.known = slots, int(r.word())
	s.waited = s.end()
	s.net.guesses = r.guesses()
	s.sky.was = make([]forecast.Weather, r.count(24))
	for i := range s.sky.was {
		for _, v := range parts(&s.sky.was[i]) {
			*v = r.float()
		}
	}
	if want := slots; r.bad || s.set.Published == nil && len(s.sky.was) != 0 || s.set.Published != nil && len(s.sky.was) != want {
		return fmt.Errorf("%d bytes with %d slots of the weather, want %d", len(in), len(s.sky.was), want)
	}
	rest, err := s.net.spread.RestoreState(r.in)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes are too many", len(rest))
	}
	return err
}
