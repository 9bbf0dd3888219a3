package sharing

import (
	"bufio"
	"encoding/json"
	"io"
	"strconv"

	"quartier/schemas/units"
)

// Encode writes an allocation of the operation in whole watt-hours: {"allocated":{id:[Wh]}, "by_producer":{producer:{id:[Wh]}}, "surplus":{producer:[Wh]}}.
func (a *Allocation) Encode(out io.Writer, o *Operation) error {
	w := &encoder{w: bufio.NewWriterSize(out, 1<<16)}
	w.text(`{"allocated":`)
	w.table(o.Consumers, a.Allocated)
	w.text(`,"by_producer":{`)
	for p := range o.Producers {
		w.name(p, o.Producers[p].ID)
		w.table(o.Consumers, a.ByProducer[p])
	}
	w.text(`},"surplus":`)
	w.table(o.Producers, a.Surplus)
	w.text("}\n")
	return w.w.Flush() // which has the first error of any write
}

type encoder struct{ w *bufio.Writer }

func (w *encoder) text(s string) { _, _ = w.w.WriteString(s) }

// name writes a member's name, with the comma before it.
func (w *encoder) name(i int, id string) {
	if i > 0 {
		w.text(",")
	}
	quoted, err := json.Marshal(id)
	if err != nil { // a text always has JSON
		quoted = []byte(strconv.Quote(id))
	}
	_, _ = w.w.Write(append(quoted, ':'))
}

func (w *encoder) table(of []Participant, rows [][]units.WattHours) {
	w.text("{")
	for i := range of {
		w.name(i, of[i].ID)
		w.text("[")
		for k, v := range rows[i] {
			if w.w.Available() < 32 {
				_ = w.w.Flush()
			}
			b := w.w.AvailableBuffer()
			if k > 0 {
				b = append(b, ',')
			}
			_, _ = w.w.Write(strconv.AppendInt(b, int64(v), 10))
		}
		w.text("]")
	}
	w.text("}")
}
