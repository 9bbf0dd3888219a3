package foresee

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"time"

	"quartier/optimizer/forecast"
	"quartier/schemas/district"
)

// ErrForgotten is matched by the errors of what was kept and cannot be taken up again: it is damaged, or of another district or another kind of forecasts.
var ErrForgotten = errors.New("foresee: not as it was kept")

// published is the first bulletin of each hour, by the hour's begin in Unix seconds, and those of them that the record does not have yet.
type published struct {
	hourly map[int64]bulletin
	unkept map[int64]bool
	newest bulletin
}

// publish keeps what is published of the slots from the end of what came on: before anything is learned as well, since no record tells afterwards. It is called under mu.
func (d *District) publish(end time.Time) {
	b, some := d.listen(end)
	if !some {
		return
	}
	hour := end.Truncate(time.Hour).Unix()
	if first, ok := d.heard.hourly[hour]; !ok {
		d.heard.hourly[hour], d.heard.unkept[hour] = b, true
	} else if first.at.Equal(b.at) {
		b = first // one thing is known at an instant, now and when it is learned from
	}
	d.heard.newest = b
	if d.state != nil {
		d.state.sky.newest = b
		return
	}
	for hour := range d.heard.hourly { // nothing else forgets them
		if hour < end.Unix()-TrainDays*24*3600 {
			delete(d.heard.hourly, hour)
			delete(d.heard.unkept, hour)
		}
	}
}

// listen asks what is published of the slots from an instant on; false: nothing is.
func (d *District) listen(at time.Time) (b bulletin, any bool) {
	if d.set.Published == nil {
		return b, false
	}
	b = bulletin{at: at, slots: make([]forecast.Weather, d.set.lead())}
	for i := range b.slots {
		b.slots[i] = d.set.Published(at.Add(time.Duration(i) * d.set.Step))
		any = any || some(b.slots[i])
	}
	return b, any
}

// Heard returns what was published ahead since it was called last, an outlook an hour, for the record.
func (d *District) Heard() (out []district.Outlook) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for hour := range d.heard.unkept {
		if b, ok := d.heard.hourly[hour]; ok {
			out = append(out, b.pack(d.set.District, d.set.Step))
		}
	}
	clear(d.heard.unkept)
	slices.SortFunc(out, func(a, b district.Outlook) int { return a.At.Compare(b.At) })
	return out
}

// HeardAgain has outlooks that Heard returned returned once more: they could not be written.
func (d *District) HeardAgain(rows []district.Outlook) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range rows {
		d.heard.unkept[r.At.Truncate(time.Hour).Unix()] = true
	}
}

// Remember takes up what was published ahead before a restart. It comes before Train. The error matches [ErrForgotten] and tells how many outlooks were left out, and why the first one was.
func (d *District) Remember(rows []district.Outlook) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var first error
	bad := 0
	for i := range rows {
		b, err := unpack(&rows[i], d.set.District, d.set.Step)
		if err != nil {
			if bad++; first == nil {
				first = err
			}
			continue
		}
		hour := b.at.Truncate(time.Hour).Unix()
		if first := d.heard.hourly[hour]; first.slots == nil || b.at.Before(first.at) { // what was heard since the start may be a later one of the hour
			d.heard.hourly[hour] = b
			delete(d.heard.unkept, hour)
		}
	}
	if bad == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of %d outlooks on the weather are left out; the first: %w", ErrForgotten, bad, len(rows), first)
}

const (
	outlookVersion = 1
	outlookSlots   = 20_000 // that are read at most
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// parts are the values of a slot's weather.
func parts(w *forecast.Weather) [3]*float64 {
	return [3]*float64{&w.OutdoorC, &w.GlobalWm2, &w.DirectWm2}
}

// pack puts a bulletin into a row of the record: the version (1 byte), the step in seconds and the number of slots as variable-length integers, the values, quantity by quantity, each as 8 bytes that are
// combined with those of the slot before by exclusive or, all together deflated, and the CRC-32C of district, instant and all that.
func (b bulletin) pack(districtID string, step time.Duration) district.Outlook {
	var out bytes.Buffer
	out.Write(appendUvarints([]byte{outlookVersion}, uint64(step/time.Second), uint64(len(b.slots))))
	z, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		panic(err) // the level is right
	}
	var word [8]byte
	for q := range 3 {
		was := uint64(0)
		for i := range b.slots {
			v := math.Float64bits(*parts(&b.slots[i])[q])
			binary.LittleEndian.PutUint64(word[:], v^was)
			z.Write(word[:]) // into memory, which takes all
			was = v
		}
	}
	z.Close()
	o := district.Outlook{District: districtID, At: b.at.UTC()}
	o.Body = sealed(&o, out.Bytes())
	return o
}

func appendUvarints(out []byte, list ...uint64) []byte {
	for _, v := range list {
		out = binary.AppendUvarint(out, v)
	}
	return out
}

// sealed is a body with its checksum.
func sealed(o *district.Outlook, body []byte) []byte {
	return binary.LittleEndian.AppendUint32(body, checksum(o, body))
}

func checksum(o *district.Outlook, body []byte) uint32 {
	sum := crc32.Checksum([]byte(o.District+"\x00"), castagnoli)
	sum = crc32.Update(sum, castagnoli, binary.LittleEndian.AppendUint64(nil, uint64(o.At.UnixMicro())))
	return crc32.Update(sum, castagnoli, body)
}

// unpack reads a row of the record.
func unpack(o *district.Outlook, districtID string, step time.Duration) (bulletin, error) {
	fail := func(format string, args ...any) (bulletin, error) {
		return bulletin{}, fmt.Errorf("that of %s at %s: "+format, append([]any{o.District, o.At.UTC().Format(time.RFC3339)}, args...)...)
	}
	n := len(o.Body) - 4
	switch {
	case o.District != districtID:
		return fail("it is of another district than %s", districtID)
	case n < 1 || checksum(o, o.Body[:n]) != binary.LittleEndian.Uint32(o.Body[n:]):
		return fail("its %d bytes are damaged", len(o.Body))
	case o.Body[0] != outlookVersion:
		return fail("version %d, want %d", o.Body[0], outlookVersion)
	}
	in := bytes.NewReader(o.Body[1:n])
	seconds, err := binary.ReadUvarint(in)
	slots, more := binary.ReadUvarint(in)
	if err != nil || more != nil || slots > outlookSlots {
		return fail("its head says %d slots of %d s", slots, seconds)
	}
	if seconds != uint64(step/time.Second) {
		return fail("it is of slots of %d s, and forecasts are of %v", seconds, step)
	}
	b := bulletin{at: o.At.UTC(), slots: make([]forecast.Weather, slots)}
	z := flate.NewReader(in)
	var word [8]byte
	for q := range 3 {
		was := uint64(0)
		for i := range b.slots {
			if _, err := io.ReadFull(z, word[:]); err != nil {
				return fail("its values do not fill %d slots: %w", slots, err)
			}
			was ^= binary.LittleEndian.Uint64(word[:])
			v := math.Float64frombits(was)
			if math.IsInf(v, 0) {
				return fail("value %v in slot %d", v, i)
			}
			*parts(&b.slots[i])[q] = v
		}
	}
	return b, nil
}
