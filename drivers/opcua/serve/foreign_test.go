package serve

import (
	"testing"
	"time"

	"quartier/drivers/foreign"
	"quartier/schemas/district"
)

// TestForeignTenThousand: node-opcua browses a folder of 10,000 variables, reads and subscribes all of them, and is told of every change.
func TestForeignTenThousand(t *testing.T) {
	t.Parallel()
	const n = 10_000
	s, addr := start(t, Config{}, n)
	p := foreign.Start(t, "opcua-client.mjs", "opc.tcp://"+addr, testURI, "Plant", "*")
	const patience = time.Minute
	began := time.Now()
	if e := p.Await("browsed", patience, nil); e.Variables != n {
		t.Errorf("browsed %d variables, want %d", e.Variables, n)
	}
	t.Logf("browsed after %v", time.Since(began).Round(time.Millisecond))
	for round := range 4 {
		p.Await("changes", patience, func(e foreign.Event) bool { return e.Count == (round+1)*n })
		t.Logf("round %d told after %v", round, time.Since(began).Round(time.Millisecond))
		for i := range n {
			s.Set("s=V"+itoa(i), float64(i+round+1), district.Good, time.Now())
		}
	}
	p.CloseInput()
	p.Await("closed", patience, nil)
}
