package modbus

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/profile"
)

// TestCallerStopsWaiting: a caller whose context ends waits no longer; the answer that comes all the same costs neither the connection nor the unit's good name, half of it being there or not, and
// stands for no other request.
func TestCallerStopsWaiting(t *testing.T) {
	for name, behaviour := range map[string]modbustest.Behaviour{"late": modbustest.Late(300 * time.Millisecond), "half of it": modbustest.Torn(8, 300*time.Millisecond)} {
		for _, on := range []string{"TCP", "TLS"} {
			t.Run(name+", "+on, func(t *testing.T) {
				t.Parallel()
				s, files := transports[on].start(t)
				l := newLink(t, s.URL(), Config{Timeout: 20 * time.Second, TLS: files})
				if err := check(t, l, 1, 5); err != nil {
					t.Fatal(err)
				}
				s.Behave(behaviour)
				for i := range uint16(3) {
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
					_, err := l.Read(ctx, 1, profile.Holding, 100*i, 1)
					cancel()
					if !errors.Is(err, drivers.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("a read that was given up: %v", err)
					}
					if err := check(t, l, 1, 100*i+1); err != nil {
						t.Errorf("the one after it: %v", err)
					}
				}
				if st := l.Stats(); st.Connects != 1 || st.Timeouts != 0 || st.Requests != 7 {
					t.Errorf("stats %+v, want 7 requests on one connection, and no time-out", st)
				}
			})
		}
	}
}

// TestCloseEndsWaiting: the end of a link ends a request on its way and those that wait behind it, and nothing is sent any more.
func TestCloseEndsWaiting(t *testing.T) {
	s := modbustest.New(t)
	l := newLink(t, s.URL(), Config{Timeout: time.Hour})
	if err := check(t, l, 1, 5); err != nil {
		t.Fatal(err)
	}
	s.Behave(modbustest.Silence)
	var wg sync.WaitGroup
	for i := range uint16(4) {
		wg.Go(func() {
			if err := check(t, l, 1, i); !errors.Is(err, drivers.ErrClosed) {
				t.Errorf("%v, want ErrClosed", err)
			}
		})
	}
	for len(s.Requests()) < 2 {
		time.Sleep(time.Millisecond)
	}
	l.Close()
	wg.Wait()
	if err := check(t, l, 1, 1); !errors.Is(err, drivers.ErrClosed) {
		t.Errorf("after the end: %v, want ErrClosed", err)
	}
	if n := len(s.Requests()); n != 2 {
		t.Errorf("%d requests were sent, want 2", n)
	}
}
