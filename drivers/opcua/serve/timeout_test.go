package serve

import (
	"math"
	"testing"

	"github.com/gopcua/opcua/ua"
)

// TestSessionTimeouts: whatever time-out a client asks for, the one that it gets is in milliseconds, long enough to live with and bounded.
func TestSessionTimeouts(t *testing.T) {
	_, addr := start(t, Config{}, 1)
	for _, asked := range []float64{0, -1, 1, 60_000, 1e15, math.NaN(), math.Inf(1), math.Inf(-1)} {
		r := dialRaw(t, addr).hello().open()
		resp, ok := r.call(&ua.CreateSessionRequest{RequestHeader: r.hdr(), ClientDescription: &ua.ApplicationDescription{ApplicationName: ua.NewLocalizedText("raw")}, SessionName: "raw", RequestedSessionTimeout: asked}).(*ua.CreateSessionResponse)
		if !ok {
			t.Fatalf("asked for %g ms: no session", asked)
		}
		if got := resp.RevisedSessionTimeout; !(got >= 1000 && got <= milliseconds(maxSession)) || asked == 60_000 && got != asked {
			t.Errorf("asked for %g ms, got %g", asked, got)
		}
	}
}
