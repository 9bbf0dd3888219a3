package sharing

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
)

// yearDocument is the document of an operation of 200 members and two producers over the quarter-hours of a year.
func yearDocument(tb testing.TB, key Key) []byte {
	tb.Helper()
	o := random(key, 200, 2, 35_040)
	doc := map[string]any{"step_minutes": 15, "key": key}
	members := func(list []Participant) map[string][]wh {
		out := map[string][]wh{}
		for _, p := range list {
			out[p.ID] = p.Wh
		}
		return out
	}
	numbers := func(list []Coefficient) []json.Number {
		out := make([]json.Number, len(list))
		for k, c := range list {
			out[k] = json.Number((c / 1e12 * 1e12).String()) // six places, as people send them
		}
		return out
	}
	shares, flat, pairs := map[string]json.Number{}, map[string][]json.Number{}, map[string]map[string][]json.Number{}
	for i, c := range o.Shares {
		shares[o.Consumers[i].ID] = json.Number(c.String())
	}
	for i, list := range o.Coefficients {
		flat[o.Consumers[i].ID] = numbers(list)
	}
	for p, of := range o.Pairs {
		pairs[o.Producers[p].ID] = map[string][]json.Number{}
		for i, list := range of {
			pairs[o.Producers[p].ID][o.Consumers[i].ID] = numbers(list)
		}
	}
	doc["consumers"], doc["producers"] = members(o.Consumers), members(o.Producers)
	switch key {
	case Static:
		doc["shares"] = shares
	case Coefficients:
		doc["coefficients"] = flat
	case FullDynamic:
		doc["coefficients"] = pairs
	}
	text, err := json.Marshal(doc)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// BenchmarkYear shares a year of 200 members and two producers, from the document to the answer.
func BenchmarkYear(b *testing.B) {
	for _, key := range Keys() {
		b.Run(string(key), func(b *testing.B) {
			text := yearDocument(b, key)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				o, err := Decode(bytes.NewReader(text))
				if err != nil {
					b.Fatal(err)
				}
				a, err := o.Allocate()
				if err != nil {
					b.Fatal(err)
				}
				if err := a.Encode(io.Discard, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecodeYear reads that document with its arrays beside it, in one, and by encoding/json without a check.
func BenchmarkDecodeYear(b *testing.B) {
	for _, key := range []Key{Dynamic, FullDynamic} {
		text := yearDocument(b, key)
		for _, way := range []string{"apart", "in one", "encoding-json"} {
			b.Run(string(key)+"/"+way, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					var err error
					switch way {
					case "apart":
						_, err = Decode(bytes.NewReader(text))
					case "in one":
						_, err = decode(bytes.NewReader(text), 0)
					default:
						var doc struct {
							Consumers, Producers map[string][]int64
							Coefficients         map[string]map[string][]float64
						}
						err = json.Unmarshal(text, &doc)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
