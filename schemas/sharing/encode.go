package sharing

import (
	"bufio"
	"encoding/json"
	"io"
	"runtime"
	"strconv"
	"sync"

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

type encoder struct {
	w     *bufio.Writer
	texts [][]byte // of rows, one for each processor
}

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

// table writes rows as numbers. They are put into text several at once, one for each processor, and written in their order.
func (w *encoder) table(of []Participant, rows [][]units.WattHours) {
	w.text("{")
	workers := runtime.GOMAXPROCS(0)
	for len(w.texts) < workers {
		w.texts = append(w.texts, nil)
	}
	for from := 0; from < len(of); from += workers {
		part := rows[from:min(from+workers, len(of))]
		var wg sync.WaitGroup
		for i := range part {
			wg.Go(func() { w.texts[i] = numbers(w.texts[i][:0], part[i]) })
		}
		wg.Wait()
		for i := range part {
			w.name(from+i, of[from+i].ID)
			_, _ = w.w.Write(w.texts[i])
		}
	}
	w.text("}")
}

// numbers appends an array.
func numbers(b []byte, row []units.WattHours) []byte {
	b = append(b, '[')
	for k, v := range row {
		if k > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(v), 10)
	}
	return append(b, ']')
}
