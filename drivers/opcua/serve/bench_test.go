package serve

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/server"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/pki"
	"quartier/schemas/district"
)

// BenchmarkRead reads 1,000 of 10,000 variables in one request with the library's client: from the library's own server, from this one, and from this one signed and encrypted.
func BenchmarkRead(b *testing.B) {
	const n, batch = 10_000, 1000
	read := func(b *testing.B, c *opcua.Client, ns uint16) {
		b.Helper()
		req := &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth}
		for i := range batch {
			req.NodesToRead = append(req.NodesToRead, &ua.ReadValueID{NodeID: ua.NewStringNodeID(ns, fmt.Sprint("V", i)), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}})
		}
		for b.Loop() {
			resp, err := c.Read(b.Context(), req)
			if err != nil || len(resp.Results) != batch || resp.Results[batch-1].Value.Value() != float64(batch-1) {
				b.Fatalf("read: %v", err)
			}
		}
		b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "values/s")
	}
	connect := func(b *testing.B, url string, opts ...opcua.Option) *opcua.Client {
		b.Helper()
		c, err := opcua.NewClient(url, append([]opcua.Option{opcua.AutoReconnect(false), opcua.RequestTimeout(20 * time.Second)}, opts...)...)
		if err == nil {
			err = c.Connect(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close(context.Background()) })
		return c
	}
	b.Run("library", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		s := server.New(server.EndPoint("127.0.0.1", port), server.EnableSecurity("None", ua.MessageSecurityModeNone), server.EnableAuthMode(ua.UserTokenTypeAnonymous))
		space := server.NewNodeNameSpace(s, testURI)
		for i := range n {
			space.AddNewVariableStringNode(fmt.Sprint("V", i), float64(i))
		}
		if err := s.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.Close() })
		read(b, connect(b, fmt.Sprint("opc.tcp://127.0.0.1:", port), opcua.SecurityMode(ua.MessageSecurityModeNone)), space.ID())
	})
	b.Run("quartier", func(b *testing.B) {
		_, addr := start(b, Config{}, n)
		read(b, connect(b, "opc.tcp://"+addr, opcua.SecurityMode(ua.MessageSecurityModeNone)), 2)
	})
	b.Run("quartier, Aes128_Sha256_RsaOaep SignAndEncrypt", func(b *testing.B) {
		client := newParty(b, pki.Application{URI: clientURI}, time.Now())
		p := startPlant(b, []party{client}, nil, func(c *Config) { c.Anonymous = true })
		for i := range n {
			name := fmt.Sprint("V", i)
			if err := p.server.AddVariable(Variable{Path: []string{"Plant", name}, NodeID: "s=" + name}); err != nil {
				b.Fatal(err)
			}
			p.server.Set("s="+name, float64(i), district.Good, time.Now())
		}
		eps, err := opcua.GetEndpoints(b.Context(), "opc.tcp://"+p.addr)
		if err != nil {
			b.Fatal(err)
		}
		ep, err := opcua.SelectEndpoint(eps, "Aes128_Sha256_RsaOaep", ua.MessageSecurityModeSignAndEncrypt)
		if err != nil {
			b.Fatal(err)
		}
		read(b, connect(b, "opc.tcp://"+p.addr, opcua.Certificate(client.Certificate), opcua.PrivateKey(client.Key), opcua.AuthAnonymous(), opcua.SecurityFromEndpoint(ep, ua.UserTokenTypeAnonymous)), 2)
	})
}

// BenchmarkProcessed computes the mean over time of each minute of a day and of an hour with a value each second: what an interval costs must not depend on how many there are.
func BenchmarkProcessed(b *testing.B) {
	begin := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, span := range []time.Duration{time.Hour, 24 * time.Hour} {
		values := make([]HistoryValue, 0, int(span/time.Second))
		for at := begin; at.Before(begin.Add(span)); at = at.Add(time.Second) {
			values = append(values, HistoryValue{at, float64(at.Unix() % 100), district.Good})
		}
		s := New(Config{NamespaceURI: testURI, Now: func() time.Time { return begin.Add(span) }, History: func(context.Context, HistoryQuery) ([]HistoryValue, error) { return values, nil }})
		b.Run(fmt.Sprint("span=", span), func(b *testing.B) {
			for b.Loop() {
				out, _, err := s.compute(b.Context(), historyPoint{computed: &computed{timeAverage, aggregateDefaults, begin, begin.Add(span), time.Minute}}, maxHistory)
				if err != nil || len(out) != int(span/time.Minute) {
					b.Fatal(len(out), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/span.Minutes(), "ns/interval")
		})
	}
}
