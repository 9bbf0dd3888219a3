package foresee

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"quartier/optimizer/forecast"
)

// signalOld is how long what was learned of a series that nobody hears of any more is kept: no error is remembered for longer.
const signalOld = 28 * 24 * time.Hour

// keptSignal is what was learned of a series that is heard of.
type keptSignal struct {
	Key     Key
	End     time.Time // of what came of it
	Counted []counted // around its end
	state   []byte
}

// counted is how many forecasts were counted of a day at a lead.
type counted struct {
	Day   int64 // begin, Unix seconds
	Lead  int   // minutes
	Count int64
}

// heardOf are the series that something was learned of, those that were not heard of since the start among them.
func (d *District) heardOf() []Key {
	d.ears.Lock()
	defer d.ears.Unlock()
	all := map[Key]bool{}
	for k := range d.signals {
		all[k] = true
	}
	for k := range d.former {
		all[k] = true
	}
	return slices.SortedFunc(maps.Keys(all), compareKeys)
}

// appendSignal writes what was learned of one of them until an end; nothing where nobody hears of it any more.
func (d *District) appendSignal(out []byte, k Key, end time.Time) ([]byte, error) {
	d.ears.Lock()
	defer d.ears.Unlock()
	kept, ok := d.former[k]
	if j := d.signals[k]; j != nil && !ok { // what was learned before is not taken up before something came of it
		kept = keptSignal{Key: k, End: j.End().UTC(), state: j.AppendState(nil)}
		d.mu.Lock()
		for day := kept.End.Truncate(24 * time.Hour).Add(-24 * time.Hour); !day.After(kept.End); day = day.Add(24 * time.Hour) {
			for _, lead := range forecast.CountedLeads {
				c := counted{Day: day.Unix(), Lead: int(lead / time.Minute)}
				if e := d.tally[tallyKey{k, c.Day, c.Lead, false}]; e != nil {
					c.Count = e.Count
					kept.Counted = append(kept.Counted, c)
				}
			}
		}
		d.mu.Unlock()
	}
	if end.Sub(kept.End) > signalOld {
		return out, nil
	}
	head, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	return append(append(binary.AppendUvarint(out, uint64(len(head))), head...), kept.state...), nil
}

// readSignal reads what appendSignal wrote.
func readSignal(body []byte) (kept keptSignal, err error) {
	n, size := binary.Uvarint(body)
	if size <= 0 || n > uint64(len(body)-size) {
		return kept, fmt.Errorf("%d bytes of what was heard are too few", len(body))
	}
	head := body[size:]
	if err := json.Unmarshal(head[:n], &kept); err != nil {
		return kept, fmt.Errorf("what was heard: %w", err)
	}
	kept.state = head[n:]
	return kept, nil
}

// keepSignals writes what was heard of others.
func (d *District) keepSignals(ctx context.Context, w io.Writer, end time.Time, pace *pace) error {
	keys := d.heardOf()
	if err := putPiece(w, binary.LittleEndian.AppendUint64(nil, uint64(len(keys)))); err != nil {
		return err
	}
	var piece []byte
	for _, k := range keys {
		var err error
		if piece, err = d.appendSignal(piece[:0], k, end); err == nil {
			err = putPiece(w, piece)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%s of %s %s: %w", k.Quantity, k.Site, k.Device, err)
		}
		pace.rest()
	}
	return nil
}

// takeSignals reads what keepSignals wrote.
func takeSignals(r io.Reader) (heard []keptSignal, err error) {
	body, err := takePiece(r)
	if err != nil {
		return nil, err
	}
	n := reader{in: body}
	for range n.word() {
		if body, err = takePiece(r); err != nil {
			return nil, err
		}
		if len(body) == 0 {
			continue
		}
		one, err := readSignal(body)
		if err != nil {
			return nil, err
		}
		heard = append(heard, one)
	}
	return heard, nil
}

// restoreSignals takes up what was learned of series: at once of those that were heard of since the start.
func (d *District) restoreSignals(kept []keptSignal) {
	for _, s := range kept {
		d.ears.Lock()
		if j := d.signals[s.Key]; j != nil && len(j.Past().Values) > 0 {
			d.restoreSignal(j, s)
		} else {
			d.former[s.Key] = s
		}
		d.ears.Unlock()
	}
}

// restoreSignal takes up what was learned of a series. What does not fit is learned anew. It is called under ears.
func (d *District) restoreSignal(j *forecast.Judged, kept keptSignal) {
	r := &recount{kept: map[tallyKey]int64{}, left: map[tallyKey]int64{}}
	for _, c := range kept.Counted {
		r.kept[tallyKey{kept.Key, c.Day, c.Lead, false}] = c.Count
	}
	d.mu.Lock()
	d.recount = r
	d.mu.Unlock()
	_, _ = j.RestoreState(kept.state)
	d.mu.Lock()
	d.recount = nil
	d.mu.Unlock()
}

// recount holds the forecasts that were kept, and whose slots have come since, against those that the record counted meanwhile: they are the first of these.
type recount struct {
	kept map[tallyKey]int64 // counted when they were kept
	left map[tallyKey]int64 // counted since
}

// counted reports whether the record counted the next outcome of a day at a lead. It is called under the lock of what was counted.
func (r *recount) counted(d *District, k tallyKey) bool {
	n, ok := r.left[k]
	if e := d.tally[k]; !ok && e != nil {
		n = e.Count - r.kept[k]
	}
	r.left[k] = n - 1
	return n > 0
}
