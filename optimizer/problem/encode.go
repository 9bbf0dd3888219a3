package problem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
)

// Encode validates p and writes its document, which [Parse] reads back to the same problem. A series of one value is written as that number; a limit of +Inf
// and optional fields at their default are left out. The error of a bad problem is a [Faults].
func Encode(w io.Writer, p *Problem) error {
	data, err := p.Marshal()
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("problem: write the document: %w", err)
	}
	return nil
}

// Marshal returns the document that [Encode] writes.
func (p *Problem) Marshal() ([]byte, error) {
	if err := Validate(p); err != nil {
		return nil, err
	}
	start := p.Start
	if _, offset := start.Zone(); offset%60 != 0 {
		start = start.UTC() // RFC 3339 has no offset of seconds
	}
	e := &encoder{}
	e.open('{')
	e.key("version").raw(strconv.Itoa(Version))
	e.key("start").text(start.Format(time.RFC3339Nano))
	e.key("step_minutes").number(p.StepMinutes)
	e.key("steps").raw(strconv.Itoa(p.Steps))
	if p.CarbonPrice != 0 {
		e.key("carbon_price").number(p.CarbonPrice)
	}
	e.line()
	e.key("grid").open('{')
	e.fields(p.Grid.fields())
	e.close('}')
	e.line()
	e.key("sites").open('[')
	for i := range p.Sites {
		e.item()
		e.line()
		e.site(&p.Sites[i])
	}
	e.close(']')
	e.close('}')
	e.b.WriteByte('\n')
	return e.b.Bytes(), nil
}

// encoder writes JSON; comma says that a value of the open object or list precedes.
type encoder struct {
	b     bytes.Buffer
	comma bool
	buf   []byte
}

func (e *encoder) raw(s string) { e.b.WriteString(s); e.comma = true }

func (e *encoder) line() {
	if e.comma {
		e.b.WriteByte(',')
		e.comma = false
	}
	e.b.WriteByte('\n')
}

func (e *encoder) open(c byte) { e.b.WriteByte(c); e.comma = false }

func (e *encoder) close(c byte) { e.b.WriteByte(c); e.comma = true }

func (e *encoder) item() {
	if e.comma {
		e.b.WriteByte(',')
		e.comma = false
	}
}

func (e *encoder) key(name string) *encoder {
	e.item()
	e.b.WriteByte('"')
	e.b.WriteString(name)
	e.b.WriteString(`":`)
	return e
}

func (e *encoder) text(s string) {
	quoted, _ := json.Marshal(s) // of a string: never fails
	e.b.Write(quoted)
	e.comma = true
}

func (e *encoder) number(v float64) {
	e.buf = strconv.AppendFloat(e.buf[:0], v, 'g', -1, 64)
	e.b.Write(e.buf)
	e.comma = true
}

func (e *encoder) list(s []float64) {
	e.open('[')
	for _, v := range s {
		e.item()
		e.number(v)
	}
	e.close(']')
}

// series writes a series as briefly as it can be.
func (e *encoder) series(s []float64) {
	if v, ok := uniform(s); ok {
		e.number(v)
		return
	}
	e.list(s)
}

func uniform(s []float64) (float64, bool) {
	for _, v := range s {
		if math.Float64bits(v) != math.Float64bits(s[0]) {
			return 0, false
		}
	}
	return s[0], len(s) > 0
}

func (e *encoder) site(s *Site) {
	e.open('{')
	e.key("id").text(s.ID)
	e.fields(s.fields())
	e.key("devices").open('[')
	for _, d := range s.Devices {
		e.item()
		e.line()
		e.open('{')
		e.key("id").text(d.ID())
		e.key("kind").text(string(d.Kind()))
		e.fields(d.fields())
		e.close('}')
	}
	e.close(']')
	e.close('}')
}

func (e *encoder) fields(fs []field) {
	for _, f := range fs {
		switch f.kind {
		case numberField:
			if f.need || math.Float64bits(*f.number) != math.Float64bits(f.def) {
				e.key(f.name).number(*f.number)
			}
		case seriesField:
			if f.open && *f.series == nil {
				continue
			}
			if v, ok := uniform(*f.series); f.need || f.open || !ok || math.Float64bits(v) != math.Float64bits(f.def) {
				e.key(f.name).series(*f.series)
			}
		case stepField:
			if f.need || *f.step != int(f.def) {
				e.key(f.name).raw(strconv.Itoa(*f.step))
			}
		case boolField:
			if *f.on != f.defOn {
				e.key(f.name).raw(strconv.FormatBool(*f.on))
			}
		case listField:
			e.key(f.name).list(*f.series)
		case sessionsField:
			e.key(f.name).open('[')
			for i := range *f.sessions {
				e.item()
				e.open('{')
				e.fields((*f.sessions)[i].fields())
				e.close('}')
			}
			e.close(']')
		case zoneField:
			e.key(f.name).open('{')
			e.fields(f.zone.fields())
			e.close('}')
		}
	}
}
