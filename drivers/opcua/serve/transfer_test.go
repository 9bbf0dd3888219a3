package serve

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/pki"
	"quartier/schemas/district"
)

// send sends one request of the library's client and returns the answer to it.
func send[T ua.Response](t *testing.T, c *opcua.Client, req ua.Request) (out T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := c.Send(ctx, req, func(r ua.Response) error {
		out, _ = r.(T)
		return nil
	})
	if err != nil {
		t.Fatalf("%T: %v", req, err)
	}
	return out
}

// told asks until a message tells something.
func told(t *testing.T, c *opcua.Client) *ua.PublishResponse {
	t.Helper()
	for range 50 {
		p := send[*ua.PublishResponse](t, c, &ua.PublishRequest{SubscriptionAcknowledgements: []*ua.SubscriptionAcknowledgement{}})
		if len(p.NotificationMessage.NotificationData) > 0 {
			return p
		}
	}
	t.Fatal("nothing was told")
	return nil
}

func values(t *testing.T, p *ua.PublishResponse) (out []float64) {
	t.Helper()
	n, ok := p.NotificationMessage.NotificationData[0].Value.(*ua.DataChangeNotification)
	if !ok {
		t.Fatalf("%T, want values", p.NotificationMessage.NotificationData[0].Value)
	}
	for _, m := range n.MonitoredItems {
		out = append(out, m.Value.Value.Float())
	}
	return out
}

// TestTransfer: the subscription of a session that ended, or that still lives, goes to a new one of the same user with what was not acknowledged, and to nobody else.
func TestTransfer(t *testing.T) {
	t.Parallel()
	client := newParty(t, pki.Application{Name: "foreign", URI: clientURI, Hosts: []string{"127.0.0.1"}}, time.Now())
	other := newParty(t, pki.Application{Name: "other", URI: clientURI, Hosts: []string{"127.0.0.1"}}, time.Now())
	p := startPlant(t, []party{client, other}, nil, func(c *Config) { c.Anonymous = true })
	in := func(by party, who, password string) *opcua.Client {
		t.Helper()
		c, err := p.connect(t, by, ua.SecurityPolicyURIBasic256Sha256, ua.MessageSecurityModeSignAndEncrypt, who, password, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	subscribe := func(c *opcua.Client) uint32 {
		t.Helper()
		sub := send[*ua.CreateSubscriptionResponse](t, c, &ua.CreateSubscriptionRequest{RequestedPublishingInterval: 50, RequestedLifetimeCount: 10_000, RequestedMaxKeepAliveCount: 5, PublishingEnabled: true}).SubscriptionID
		r := send[*ua.CreateMonitoredItemsResponse](t, c, &ua.CreateMonitoredItemsRequest{SubscriptionID: sub, TimestampsToReturn: ua.TimestampsToReturnBoth, ItemsToCreate: []*ua.MonitoredItemCreateRequest{
			opcua.NewMonitoredItemCreateRequestWithDefaults(ua.MustParseNodeID("ns=2;s=A"), ua.AttributeIDValue, 7)}})
		if r.Results[0].StatusCode != ua.StatusOK {
			t.Fatal(r.Results[0].StatusCode)
		}
		return sub
	}
	take := func(c *opcua.Client, initial bool, ids ...uint32) []*ua.TransferResult {
		t.Helper()
		return send[*ua.TransferSubscriptionsResponse](t, c, &ua.TransferSubscriptionsRequest{SubscriptionIDs: ids, SendInitialValues: initial}).Results
	}
	first := in(client, "olga", "correct horse")
	sub := subscribe(first)
	number := told(t, first).NotificationMessage.SequenceNumber // and is not acknowledged
	send[*ua.CloseSessionResponse](t, first, &ua.CloseSessionRequest{})
	p.server.Set("s=A", 41.0, district.Good, time.Now())

	victor := in(client, "victor", "long enough")
	if r := take(victor, false, sub); r[0].StatusCode != ua.StatusBadUserAccessDenied {
		t.Errorf("another user's subscription: %v", r[0].StatusCode)
	}
	second := in(other, "olga", "correct horse") // from another workplace
	r := take(second, false, sub, 4242)
	if r[0].StatusCode != ua.StatusOK || !slices.Equal(r[0].AvailableSequenceNumbers, []uint32{number}) || r[1].StatusCode != ua.StatusBadSubscriptionIDInvalid {
		t.Fatalf("transfer: %+v %+v", r[0], r[1])
	}
	if again := send[*ua.RepublishResponse](t, second, &ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: number}); again == nil || again.NotificationMessage.SequenceNumber != number {
		t.Errorf("republished %+v", again)
	}
	if got := values(t, told(t, second)); !slices.Equal(got, []float64{41}) {
		t.Errorf("told %v, want what changed between the sessions", got)
	}
	third := in(client, "olga", "correct horse") // while the second lives
	if r := take(third, true, sub); r[0].StatusCode != ua.StatusOK {
		t.Fatalf("transfer from a session that lives: %v", r[0].StatusCode)
	}
	word := told(t, second)
	if n, ok := word.NotificationMessage.NotificationData[0].Value.(*ua.StatusChangeNotification); !ok || n.Status != ua.StatusGoodSubscriptionTransferred || word.SubscriptionID != sub {
		t.Errorf("the session that lost it was told %+v", word.NotificationMessage.NotificationData[0].Value)
	}
	if got := values(t, told(t, third)); !slices.Equal(got, []float64{41}) {
		t.Errorf("told %v, want the present value, which was asked for", got)
	}
	if gone := send[*ua.DeleteSubscriptionsResponse](t, third, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{sub}}); gone.Results[0] != ua.StatusOK || p.server.items.Load() != 0 {
		t.Errorf("deleted: %v, %d items left", gone.Results[0], p.server.items.Load())
	}

	nobody := in(client, "", "")
	sub = subscribe(nobody)
	if r := take(in(other, "", ""), false, sub); r[0].StatusCode != ua.StatusBadUserAccessDenied {
		t.Errorf("an anonymous user's subscription to another application: %v", r[0].StatusCode)
	}
	if r := take(in(client, "", ""), false, sub); r[0].StatusCode != ua.StatusOK {
		t.Errorf("an anonymous user's subscription to the same application: %v", r[0].StatusCode)
	}
}

// TestEstates: an application that leaves subscriptions behind again and again does not fill the server, and they end with their lifetime.
func TestEstates(t *testing.T) {
	t.Parallel()
	client := newParty(t, pki.Application{Name: "foreign", URI: clientURI, Hosts: []string{"127.0.0.1"}}, time.Now())
	p := startPlant(t, []party{client}, nil, func(c *Config) { c.Anonymous = true })
	for range maxEstates + 3 {
		c, err := p.connect(t, client, ua.SecurityPolicyURIBasic256Sha256, ua.MessageSecurityModeSign, "", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		send[*ua.CreateSubscriptionResponse](t, c, &ua.CreateSubscriptionRequest{RequestedPublishingInterval: 100, RequestedLifetimeCount: 3, RequestedMaxKeepAliveCount: 1, PublishingEnabled: true})
		send[*ua.CloseSessionResponse](t, c, &ua.CloseSessionRequest{})
		p.server.mu.Lock()
		if n := len(p.server.estates); n > maxEstates {
			t.Errorf("%d ended sessions are kept", n)
		}
		p.server.mu.Unlock()
		c.Close(context.Background())
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		p.server.mu.Lock()
		n := len(p.server.estates)
		p.server.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d ended sessions are kept after the lifetime of their subscriptions", n)
		}
	}
}

// switchboard passes connections on to an address while it is on.
type switchboard struct {
	l     net.Listener
	to    string
	mu    sync.Mutex
	off   bool
	conns []net.Conn
}

func newSwitchboard(t *testing.T, to string) *switchboard {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &switchboard{l: l, to: to}
	t.Cleanup(func() { l.Close(); w.turn(true) })
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			b, err := net.Dial("tcp", to)
			if w.off || err != nil {
				a.Close()
				if b != nil {
					b.Close()
				}
			} else {
				w.conns = append(w.conns, a, b)
				go func() { io.Copy(a, b); a.Close() }()
				go func() { io.Copy(b, a); b.Close() }()
			}
			w.mu.Unlock()
		}
	}()
	return w
}

// turn cuts the connections, and new ones as long as it is off.
func (w *switchboard) turn(off bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.off = off
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// TestForeignTransfer: node-opcua, whose session timed out while its connection was gone, comes by itself with a new session, takes its subscription over, and misses no value.
func TestForeignTransfer(t *testing.T) {
	t.Parallel()
	client := newParty(t, pki.Application{Name: "foreign", URI: clientURI, Hosts: []string{"127.0.0.1", "localhost"}}, time.Now())
	p := startPlant(t, []party{client}, nil, nil)
	w := newSwitchboard(t, p.addr)
	c := startSecureAt(t, w.l.Addr().String(), client)
	var before []string
	o := c.do(map[string]any{"policy": "Basic256Sha256", "mode": "SignAndEncrypt", "application": clientURI, "user": "olga", "password": "correct horse", "retry": true, "timeout": 5000,
		"do": []map[string]any{{"outage": "A", "queue": 100, "interval": 100, "until": 9, "wait": 60_000}}}, func() {
		p.server.mu.Lock()
		for token := range p.server.sessions {
			before = append(before, token)
		}
		p.server.mu.Unlock()
		w.turn(true)
		for i := range 5 {
			p.server.Set("s=A", float64(2+i), district.Good, time.Now())
		}
		for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) { // until the session has timed out
			p.server.mu.Lock()
			n := len(p.server.sessions)
			p.server.mu.Unlock()
			if n == 0 {
				break
			}
			if time.Now().After(end) {
				t.Error("the session does not time out")
				break
			}
		}
		p.server.Set("s=A", 7.0, district.Good, time.Now())
		w.turn(false)
		go func() {
			time.Sleep(2 * time.Second)
			p.server.Set("s=A", 8.0, district.Good, time.Now())
			p.server.Set("s=A", 9.0, district.Good, time.Now())
		}()
	})
	if o.Status != "Good" || len(o.Results) != 1 || o.Results[0].Status != "Good" || !slices.Equal(o.Results[0].Values, []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}) {
		t.Errorf("%+v", o)
	}
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	if len(before) != 1 || p.server.sessions[before[0]] != nil {
		t.Errorf("the session is the one from before the outage")
	}
}
