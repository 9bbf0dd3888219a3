package foresee

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/optimizer/forecast"
	"quartier/schemas/district"
)

// resident is a district that lives through a record under a weather that is published with an error, or without a feed.
type resident struct {
	*District
	r   Record
	now int // slot
}

func settings(r Record, now *int, feed bool) Settings {
	set := Settings{District: "d", Step: step, Ahead: 24 * time.Hour, Zone: time.UTC, PeakKW: map[string]float64{"s": 6}}
	if feed {
		set.Published = func(at time.Time) forecast.Weather {
			slot := int(at.Sub(monday) / step)
			if slot < *now || slot >= len(r.Weather) {
				return nothing
			}
			w := r.Weather[slot]
			rng := rand.New(rand.NewPCG(uint64(*now), uint64(slot)))
			w.GlobalWm2 *= math.Max(0, 1+0.2*rng.NormFloat64())
			return w
		}
	}
	return set
}

func moveIn(r Record, now int, feed bool) *resident {
	x := &resident{r: r, now: now}
	x.District = New(settings(r, &x.now, feed))
	return x
}

// live goes on to a slot and returns what was foreseen.
func (x *resident) live(t *testing.T, to int) (said [][]float64) {
	t.Helper()
	for x.now < to {
		x.now++
		x.Observe(upTo(x.r, max(0, x.now-20*perDay), x.now))
		if x.now%perDay == 0 {
			if err := x.Grow(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		said = append(said, forecastOf(t, x.District, sunKey, x.now))
	}
	return said
}

func (x *resident) learn(t *testing.T) {
	t.Helper()
	if err := x.Train(t.Context(), upTo(x.r, 0, x.now)); err != nil {
		t.Fatal(err)
	}
}

// apart is how far forecasts are from others, as a share of these.
func apart(a, b [][]float64) float64 {
	off, sum := 0.0, 0.0
	for i := range b {
		for k := range b[i] {
			off, sum = off+math.Abs(a[i][k]-b[i][k]), sum+math.Abs(b[i][k])
		}
	}
	return off / sum
}

// TestRecordTeachesTheSame: who learns anew from the record, with what was published ahead in it, foresees what it would have foreseen without a restart: without a feed to the digit, with one nearly so, since forests that grow beside
// control are listened to a slot later; and without those rows otherwise.
func TestRecordTeachesTheSame(t *testing.T) {
	const first, stop, end = 15 * perDay, 20*perDay + 7, 21 * perDay
	r := cloudy(24)
	delete(r.Series, loadKey)
	for name, feed := range map[string]bool{"with a feed": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := moveIn(r, first, feed)
			on.learn(t)
			on.live(t, stop)
			rows := on.Heard()
			if feed != (len(rows) > 0) {
				t.Fatalf("%d outlooks", len(rows))
			}
			if more := on.Heard(); len(more) != 0 {
				t.Errorf("%d outlooks are given twice", len(more))
			}
			want := on.live(t, end)
			for _, keeps := range []bool{true, false} {
				if !keeps && !feed {
					continue // nothing was published
				}
				anew := moveIn(r, stop, feed)
				if keeps {
					if err := anew.Remember(rows); err != nil {
						t.Fatal(err)
					}
				}
				anew.learn(t)
				off := apart(anew.live(t, end), want)
				t.Logf("what was published is kept: %v; it is foreseen otherwise by %.5f of what is foreseen", keeps, off)
				if !feed && off != 0 || keeps && off > 0.005 || !keeps && off < 0.01 {
					t.Errorf("what was published is kept: %v; it is foreseen otherwise by %.5f of what is foreseen", keeps, off)
				}
			}
		})
	}
}

// TestOutlooks: a bulletin comes back from the record as it was, those that cannot be written are given again, and a row that is damaged, or of another district, step or instant, is left out and named.
func TestOutlooks(t *testing.T) {
	r := cloudy(4)
	x := moveIn(r, perDay, true)
	x.Observe(upTo(r, 0, x.now)) // nothing is learned yet
	x.now += 3
	x.Observe(upTo(r, 0, x.now))
	rows := x.Heard()
	x.HeardAgain(rows[1:])
	if again := x.Heard(); len(rows) != 2 || !reflect.DeepEqual(again, rows[1:]) {
		t.Fatalf("%d outlooks, of which %d again", len(rows), len(again))
	}
	b, err := unpack(&rows[0], "d", step)
	if err != nil || !b.at.Equal(monday.Add(perDay*step)) {
		t.Fatalf("an outlook of %v, %v", b.at, err)
	}
	for i, w := range b.slots {
		v := x.heard.hourly[b.at.Unix()].slots[i]
		for q := range 3 {
			if math.Float64bits(*parts(&w)[q]) != math.Float64bits(*parts(&v)[q]) {
				t.Fatalf("slot %d is %v, want %v", i, w, v)
			}
		}
	}
	// who starts again within an hour hears it anew first, and then what the record has of its begin
	later := b
	later.at = b.at.Add(time.Minute)
	late := moveIn(r, perDay, true)
	late.heard.hourly[b.at.Unix()], late.heard.unkept[b.at.Unix()] = later, true
	if err := late.Remember(rows[:1]); err != nil || !late.heard.hourly[b.at.Unix()].at.Equal(b.at) || len(late.Heard()) != 0 {
		t.Errorf("an outlook of %v of the hour from %v holds, %v", late.heard.hourly[b.at.Unix()].at, b.at, err)
	}
	spoil := func(do func(o *district.Outlook)) district.Outlook {
		o := rows[0]
		o.Body = slices.Clone(o.Body)
		do(&o)
		return o
	}
	for want, bad := range map[string]district.Outlook{
		"bytes are damaged":           spoil(func(o *district.Outlook) { o.Body[9] ^= 4 }),
		"its 3 bytes are damaged":     spoil(func(o *district.Outlook) { o.Body = o.Body[:3] }),
		"of another district than d":  spoil(func(o *district.Outlook) { o.District = "e" }),
		"02:00:00Z: its":              spoil(func(o *district.Outlook) { o.At = o.At.Add(2 * time.Hour) }),
		"slots of 900 s, and":         b.pack("d", 15*time.Minute),
		"do not fill 20000 slots":     short(20_000),
		"head says 18446744073709551": short(math.MaxUint64),
		"value +Inf in slot 0":        bulletin{b.at, []forecast.Weather{{OutdoorC: math.Inf(1)}}}.pack("d", step),
	} {
		anew := moveIn(r, perDay, true)
		err := anew.Remember([]district.Outlook{bad, rows[1]})
		if !errors.Is(err, ErrForgotten) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "1 of 2 outlooks") {
			t.Errorf("want %q, got %v", want, err)
		}
		if len(anew.heard.hourly) != 1 {
			t.Errorf("%q: %d outlooks are taken up, want the sound one", want, len(anew.heard.hourly))
		}
	}
}

// short is an outlook whose head says so many slots and which has none.
func short(slots uint64) district.Outlook {
	o := bulletin{at: monday}.pack("d", step)
	head := []byte{outlookVersion}
	head = appendUvarints(head, uint64(step/time.Second), slots)
	o.Body = sealed(&o, append(head, o.Body[4:len(o.Body)-4]...))
	return o
}

func FuzzUnpack(f *testing.F) {
	o := bulletin{monday, []forecast.Weather{{OutdoorC: 3, GlobalWm2: 100, DirectWm2: math.NaN()}, nothing}}.pack("d", step)
	f.Add(o.Body[:len(o.Body)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		o := district.Outlook{District: "d", At: monday}
		o.Body = sealed(&o, slices.Clone(body))
		b, err := unpack(&o, "d", step)
		if err != nil {
			return
		}
		if again := b.pack("d", step); len(b.slots) > 0 {
			same, err := unpack(&again, "d", step)
			if err != nil || len(same.slots) != len(b.slots) {
				t.Fatalf("packed again it is %d slots, %v", len(same.slots), err)
			}
		}
	})
}

// kept returns what a district keeps.
func kept(t *testing.T, d *District) []byte {
	t.Helper()
	var out bytes.Buffer
	end, err := d.Keep(t.Context(), &out)
	if err != nil {
		t.Fatal(err)
	}
	d.Kept(end)
	return out.Bytes()
}

// TestResume: what was learned, kept some hours before a stop, with the record since, is taken up so that all is foreseen as without a restart, to the digit, and errors are counted once; what is kept is due again after a day
// and when forests were grown, and what is damaged, of another build, district or record is refused and changes nothing.
func TestResume(t *testing.T) {
	const first, keep, stop, end = 15 * perDay, 19*perDay + 5, 19*perDay + 14, 20 * perDay
	r := cloudy(22)
	for name, feed := range map[string]bool{"with a feed": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := moveIn(r, first, feed)
			if on.Due() {
				t.Error("due before anything is learned")
			}
			on.learn(t)
			on.live(t, keep)
			if !on.Due() {
				t.Error("not due after forests were grown")
			}
			state := kept(t, on.District)
			if on.Due() {
				t.Error("due when it was kept")
			}
			on.live(t, stop)
			rows, errs := on.Heard(), on.Errors()
			anew := moveIn(r, stop, feed)
			anew.Recall(errs)
			if err := anew.Remember(rows); err != nil {
				t.Fatal(err)
			}
			if err := anew.Resume(t.Context(), bytes.NewReader(state), upTo(r, perDay, stop)); err != nil {
				t.Fatal(err)
			}
			if got, want := forecastOf(t, anew.District, sunKey, stop), forecastOf(t, on.District, sunKey, stop); !reflect.DeepEqual(got, want) {
				t.Errorf("at once it is foreseen as %v, want %v", got, want)
			}
			if got, want := anew.live(t, end), on.live(t, end); !reflect.DeepEqual(got, want) {
				t.Errorf("it is foreseen otherwise by %.5f", apart(got, want))
			}
			if got, want := count(anew.Errors()), count(on.Errors()); got > want || got < want*9/10 {
				t.Errorf("%d errors are counted, without a restart %d", got, want)
			}
			if anew.Due() {
				t.Errorf("due %d h after it was kept", end-keep)
			}
			if anew.live(t, keep+perDay); !anew.Due() {
				t.Error("not due after a day")
			}

			silent := upTo(r, 0, keep-3) // nothing was metered for three hours, over the time at which it was kept
			silent.Slots = keep + 1
			if err := moveIn(r, keep+1, feed).Resume(t.Context(), bytes.NewReader(state), silent); err != nil {
				t.Errorf("after an outage over the end of what was kept: %v", err)
			}

			for want, do := range map[string]func() (*resident, []byte, Record){
				"another build": func() (*resident, []byte, Record) {
					x := moveIn(r, stop, feed)
					x.set.Build = "2"
					return x, state, upTo(r, 0, stop)
				},
				"and the district is": func() (*resident, []byte, Record) {
					x := moveIn(r, stop, feed)
					x.set.District = "e"
					return x, state, upTo(r, 0, stop)
				},
				"checksum": func() (*resident, []byte, Record) {
					bad := slices.Clone(state)
					bad[len(bad)-5] ^= 1
					return moveIn(r, stop, feed), bad, upTo(r, 0, stop)
				},
				"EOF": func() (*resident, []byte, Record) {
					return moveIn(r, stop, feed), state[:len(state)/2], upTo(r, 0, stop)
				},
				"slots of the record": func() (*resident, []byte, Record) {
					other := upTo(r, 0, stop)
					other.Series = map[Key][]float64{loadKey: other.Series[loadKey], sunKey: slices.Clone(other.Series[sunKey])}
					for i := range other.Series[sunKey] {
						other.Series[sunKey][i] += 0.1
					}
					return moveIn(r, stop, feed), state, other
				},
				"and the record at": func() (*resident, []byte, Record) { return moveIn(r, stop, feed), state, upTo(r, 0, keep-1) },
			} {
				x, in, record := do()
				if err := x.Resume(t.Context(), bytes.NewReader(in), record); !errors.Is(err, ErrForgotten) || !strings.Contains(err.Error(), want) {
					t.Errorf("want %q, got %v", want, err)
				}
				if _, ok := x.Forecast("s", district.ForecastSun, monday.Add(stop*step), 1); ok {
					t.Errorf("%q: something was taken up", want)
				}
			}
		})
	}
}

func count(rows []district.ForecastError) (n int64) {
	for _, e := range rows {
		if !e.Replayed {
			n += e.Count
		}
	}
	return n
}
