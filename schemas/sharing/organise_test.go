package sharing

import (
	"encoding/csv"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestOrganisersExample: both algorithms on the worked example.
func TestOrganisersExample(t *testing.T) {
	again, err := flats(Static).Redistribute(Places)
	if err != nil {
		t.Fatal(err)
	}
	first, err := flats(Dynamic).Prioritise([][]string{{"S"}, {"A", "B"}}, Places)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := flats(Dynamic).Prioritise([][]string{{"S"}}, Places)
	if err != nil || !reflect.DeepEqual(rest, first) {
		t.Errorf("those in no group are not the last group: %v (%v)", rest, err)
	}
	for _, tt := range []struct {
		name      string
		op        *Operation
		allocated [][]wh
	}{
		{"redistribution", again, [][]wh{{140, 500, 100, 300, 20, 0}, {210, 250, 150, 700, 30, 0}, {250, 750, 250, 200, 50, 0}}},
		{"school first", first, [][]wh{{187, 500, 0, 300, 0, 0}, {163, 250, 0, 700, 0, 0}, {250, 750, 500, 200, 100, 0}}},
	} {
		a, err := tt.op.Allocate()
		if err != nil || !reflect.DeepEqual(a.Allocated, tt.allocated) {
			t.Errorf("%s gives %v, want %v (%v)", tt.name, a.Allocated, tt.allocated, err)
		}
		surplus := wh(0)
		for _, s := range a.Surplus {
			surplus += total(s)
		}
		if surplus != 800 || a.Wasted(tt.op) != 0 {
			t.Errorf("%s leaves %d Wh, %d Wh of it unused, want 800 Wh and none", tt.name, surplus, a.Wasted(tt.op))
		}
	}
	if _, err := flats(Dynamic).Prioritise([][]string{{"S", "X"}, {"S"}}, Places); err == nil || err.Error() != "group 1: \"X\" is no consumer\ngroup 2: \"S\" has a group already" {
		t.Errorf("wrong groups are refused by %v", err)
	}
	for _, err := range []error{failed(flats(Dynamic).Redistribute(Places)), failed(flats(Static).Redistribute(19)), failed((&Operation{Key: Dynamic}).Prioritise(nil, 0))} {
		if err == nil {
			t.Error("accepted, want an error")
		}
	}
}

func failed(_ *Operation, err error) error { return err }

// TestOrganisersInvariants: the coefficients sum to at most 1 and, by the network operator's key, leave nothing unshared while someone draws; each member gets what the algorithm
// means; and nobody of a later group gets anything while an earlier one still draws. Storage is a member like others: what it stores and the others get is at most what is produced and discharged.
func TestOrganisersInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := operation(t, Static, false)
		for _, list := range [][]Participant{o.Consumers, o.Producers} {
			for i := range list {
				for k := range list[i].Wh {
					list[i].Wh[k] %= 100_000 // what the places still tell apart
				}
			}
		}
		again, err := o.Redistribute(Places)
		if err != nil {
			t.Fatal(err)
		}
		var groups [][]string
		for i, c := range o.Consumers {
			if i%2 == 0 {
				groups = append(groups, []string{c.ID})
			}
		}
		first, err := o.Prioritise(groups, Places)
		if err != nil {
			t.Fatal(err)
		}
		for name, coefficients := range map[string]*Operation{"redistribution": again, "priority": first} {
			a, err := coefficients.Allocate()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for k := range o.Steps() {
				produced, drawn, given := total(column(energiesOf(o.Producers), k)), total(column(energiesOf(o.Consumers), k)), total(column(a.Allocated, k))
				if given != min(produced, drawn) {
					t.Fatalf("%s: step %d gives %d Wh of %d Wh to %d Wh of consumption", name, k, given, produced, drawn)
				}
				for i, c := range o.Consumers {
					if got := a.Allocated[i][k]; name == "redistribution" && got < floorOf(least(c.Wh[k], o.Shares[i], produced))-1 {
						t.Fatalf("step %d: member %d gets %d Wh, less than its share of %d Wh", k, i, got, produced)
					}
				}
			}
			if name != "priority" {
				continue
			}
			for k := range o.Steps() {
				hungry := false
				for i := 0; i < len(o.Consumers); i += 2 {
					if hungry && a.Allocated[i][k] > 1 {
						t.Fatalf("step %d: member %d gets %d Wh before an earlier one has enough: %v of %v", k, i, a.Allocated[i][k], column(a.Allocated, k), column(energiesOf(o.Consumers), k))
					}
					hungry = hungry || a.Allocated[i][k] < o.Consumers[i].Wh[k]
				}
			}
		}
	})
}

func energiesOf(of []Participant) (out [][]wh) {
	for i := range of {
		out = append(out, of[i].Wh)
	}
	return out
}

func least(c wh, share Coefficient, produced wh) *big.Rat {
	x := new(big.Rat).Mul(big.NewRat(int64(share), int64(Whole)), new(big.Rat).SetInt64(int64(produced)))
	if y := new(big.Rat).SetInt64(int64(c)); y.Cmp(x) < 0 {
		return y
	}
	return x
}

// TestCoefficientsCSV: the file has the local time of each step, also where the clock is put back, and what the key gives.
func TestCoefficientsCSV(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	o := &Operation{StepMinutes: 30, Key: Coefficients, Consumers: []Participant{{"a", make([]wh, 4)}, {"b", make([]wh, 4)}}, Producers: []Participant{{"p", make([]wh, 4)}},
		Coefficients: [][]Coefficient{{Whole, 0, Whole / 4, 1}, {0, Whole / 8, 0, 0}}}
	var out strings.Builder
	if err := o.CoefficientsCSV(&out, time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), paris); err != nil {
		t.Fatal(err)
	}
	if want := "start,a,b\n2026-10-25T02:00:00+02:00,1,0\n2026-10-25T02:30:00+02:00,0,0.125\n2026-10-25T02:00:00+01:00,0.25,0\n2026-10-25T02:30:00+01:00,0.000000000000000001,0\n"; out.String() != want {
		t.Errorf("the file is\n%swant\n%s", &out, want)
	}
	out.Reset()
	f := flats(FullDynamic)
	f.Pairs = [][][]Coefficient{parts([]int64{1, 1, 1, 1, 1, 1}, []int64{1, 1, 1, 1, 1, 1}, make([]int64, 6), make([]int64, 6)), parts([]int64{1, 1, 1, 1, 1, 1}, make([]int64, 6), make([]int64, 6), make([]int64, 6))}
	if err := f.CoefficientsCSV(&out, time.Date(2026, 3, 1, 0, 0, 0, 0, paris), paris); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || len(rows) != 1+6*2 || !reflect.DeepEqual(rows[1], []string{"2026-03-01T00:00:00+01:00", "P1", "1", "0", "0"}) || !reflect.DeepEqual(rows[0], []string{"start", "producer", "A", "B", "S"}) {
		t.Errorf("the file is %v (%v)", rows, err)
	}
	if err := flats(Static).CoefficientsCSV(&out, time.Time{}, paris); err == nil {
		t.Error("the static key has coefficients to send")
	}
}
