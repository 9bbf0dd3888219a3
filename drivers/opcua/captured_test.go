package opcua

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers/drivertest"
	"quartier/drivers/opcua/secure"
)

// TestMutatedAnswers: what servers of other authors answered is decoded where it is of a service that we use; with faults in it, it is decoded or an error, alone and as a chunk of a channel, and keeps to its bounds.
func TestMutatedAnswers(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 0))
	sound, decoded := 0, 0
	for _, frame := range drivertest.Frames(t, "opcua-answers.hex") {
		if string(frame[:3]) != "MSG" {
			continue
		}
		if _, err := decodeAnswer(frame[24:]); err == nil { // else of a service that we do not use, or one that failed
			sound++
		}
		for range 300 {
			if resp, err := decodeAnswer(drivertest.Mutate(rng, frame[24:])); err == nil {
				decoded++
				if severity(resp.Header().ServiceResult) == severityBad {
					t.Fatal("a failed service is an answer")
				}
			}
			c := &channel{safety: safety{policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}, limit: 4096, calls: map[uint32]*call{}, in: map[uint32]*secure.Keys{1: nil}, id: 7, token: 1, received: 1, started: true}
			c.ctx, c.kill = context.WithCancelCause(t.Context())
			w := &call{answered: make(chan []byte, 1), failed: make(chan error, 1)}
			c.calls[5] = w
			chunk := drivertest.Mutate(rng, frame)
			if len(chunk) >= 24 && rng.IntN(3) > 0 { // of this channel, in its order, to the request that is open
				for i, v := range []uint32{uint32(len(chunk)), 7, 1, 2, 5} {
					binary.LittleEndian.PutUint32(chunk[4+4*i:], v)
				}
			}
			if len(chunk) >= 12 {
				c.take(chunk)
			}
			if len(w.parts) > c.limit || c.partial() > 4*c.limit {
				t.Fatalf("%d bytes are kept, %d counted", len(w.parts), c.partial())
			}
			c.kill(nil)
		}
	}
	if sound < 20 || decoded < 100 {
		t.Errorf("%d as they were and %d with faults were decoded: too little is tested", sound, decoded)
	}
	t.Logf("%d as they were and %d with faults were decoded", sound, decoded)
}
