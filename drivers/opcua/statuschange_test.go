package opcua

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/opcua/serve"
	"quartier/schemas/district"
)

// TestSubscriptionEndsAtTheServer: when the server ends the subscription of a session that lives on, by StatusChange BadTimeout or by dropping it without a word, the values come again, and the
// gap is marked.
func TestSubscriptionEndsAtTheServer(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, s *session, id uint32, handle func(*publication))
	}{
		{"StatusChange BadTimeout", func(t *testing.T, _ *session, _ uint32, handle func(*publication)) {
			p := publicationOf(&ua.PublishResponse{NotificationMessage: &ua.NotificationMessage{SequenceNumber: 9, NotificationData: []*ua.ExtensionObject{ua.NewExtensionObject(&ua.StatusChangeNotification{Status: ua.StatusBadTimeout, DiagnosticInfo: &ua.DiagnosticInfo{}})}}})
			handle(&p)
		}},
		{"dropped", func(t *testing.T, s *session, id uint32, _ func(*publication)) {
			if _, err := ask[*ua.DeleteSubscriptionsResponse](t.Context(), s, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{id}}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serve.New(serve.Config{NamespaceURI: "urn:x"})
			if err := server.AddVariable(serve.Variable{Path: []string{"Plant", "P"}, NodeID: "i=1", Type: serve.Double, Unit: "W"}); err != nil {
				t.Fatal(err)
			}
			set := func(watt float64) {
				if err := server.Set("i=1", watt, district.Good, time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			set(1000)
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			wg.Go(func() { server.Run(ctx) })
			addr, err := server.Addr(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			d, err := Open(district.Device{ID: "dev", Address: "opc.tcp://" + addr}, fuzzProfile(t), Access{}, Config{Timeout: 10 * time.Second, Heartbeat: time.Second, MinBackoff: 50 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			var mu sync.Mutex
			var got []drivers.Reading
			wg.Go(func() {
				d.Subscribe(ctx, 100*time.Millisecond, func(rs []drivers.Reading) {
					mu.Lock()
					defer mu.Unlock()
					for _, r := range rs {
						if r.Point == "power_kw" {
							got = append(got, r)
						}
					}
				})
			})
			await := func(what string, ok func(r drivers.Reading) bool) {
				t.Helper()
				for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
					mu.Lock()
					found := slices.ContainsFunc(got, ok)
					mu.Unlock()
					if found {
						return
					}
				}
				t.Fatalf("%s did not come: %+v", what, got)
			}
			is := func(kw float64) func(r drivers.Reading) bool {
				return func(r drivers.Reading) bool { return math.Abs(r.Value-kw) < 1e-9 && r.Quality == district.Good }
			}
			await("the first value", is(-0.1))
			s, err := d.link.current(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.hub.mu.Lock()
			handlers := maps.Clone(s.hub.handlers)
			s.hub.mu.Unlock()
			if len(handlers) != 1 {
				t.Fatalf("%d subscriptions, want 1", len(handlers))
			}
			for id, handle := range handlers {
				tt.end(t, s, id, handle)
			}
			await("the mark of the gap", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
			set(2000)
			await("the value afterwards", is(-0.2))
		})
	}
}
