package certify_test

import (
	"testing"

	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// BenchmarkBound: a bound of a mixed district of 1,000 sites from its prices alone.
func BenchmarkBound(b *testing.B) {
	p := problemtest.District(1000, 96, 15, 7, true)
	for b.Loop() {
		certify.Bound(p, certify.Duals{District: p.Grid.ImportPrice})
	}
}

// BenchmarkEvaluate: the check of a plan of a mixed district of 1,000 sites.
func BenchmarkEvaluate(b *testing.B) {
	p := problemtest.District(1000, 96, 15, 7, true)
	s := &problem.Solution{}
	certify.Complete(p, s)
	for b.Loop() {
		certify.Evaluate(p, s)
	}
}

// BenchmarkParse: the document of a mixed district of 1,000 sites.
func BenchmarkParse(b *testing.B) {
	data, err := problemtest.District(1000, 96, 15, 7, true).Marshal()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := problem.Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
