package engine_test

import (
	"crypto/tls"
	"testing"

	"github.com/portico-dev/portico/internal/certtest"
	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/snapshot"
)

// A service decides about HTTP/2, older versions of TLS and cipher suites; a change of that is in the next greeting.
func TestServeTLS_AsTheServiceSays(t *testing.T) {
	t.Parallel()
	rec, ca := gatewaytest.Record(t), certtest.Authority(t, "CA")
	snap := gatewaytest.Shop(rec.URL)
	snap.Service.Hosts = []snapshot.Host{named(t, ca.IssueRSA(t, "api.contoso.example"), "api.contoso.example")}
	srv, _ := gatewaytest.Start(t, engine.Options{}, snap)
	addr := secure(t, srv)
	const usual, weak, triple = tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA
	// What a client that wants one thing alone gets: the protocol, or that it is refused.
	clients := map[string]*tls.Config{
		"h2":      {NextProtos: []string{"h2", "http/1.1"}},
		"1.0":     {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		"1.1":     {MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11},
		"1.2":     {MaxVersion: tls.VersionTLS12},
		"usual":   {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{usual}},
		"weak":    {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{weak}},
		"tripled": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{triple}},
	}
	for i, c := range []struct {
		says snapshot.TLS
		good []string
	}{
		{snapshot.TLS{}, []string{"1.2", "usual"}},
		{snapshot.TLS{HTTP2: true}, []string{"h2", "1.2", "usual"}},
		{snapshot.TLS{Oldest: tls.VersionTLS11}, []string{"1.1", "1.2", "usual"}},
		{snapshot.TLS{Oldest: tls.VersionTLS10, HTTP2: true}, []string{"h2", "1.0", "1.1", "1.2", "usual"}},
		{snapshot.TLS{Without: []uint16{usual}}, []string{"1.2"}},
		{snapshot.TLS{With: []uint16{weak, triple}}, []string{"1.2", "usual", "weak", "tripled"}},
	} {
		snap.Seq, snap.Service.TLS = int64(i+2), c.says
		if refused, err := srv.Apply(snap.Bundle(t)); err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
		want := map[string]bool{}
		for _, name := range c.good {
			want[name] = true
		}
		for name, conf := range clients {
			conf.ServerName, conf.RootCAs = "api.contoso.example", ca.Pool()
			conn, err := tls.Dial("tcp", addr, conf)
			got := err == nil
			if err == nil {
				got = name != "h2" || conn.ConnectionState().NegotiatedProtocol == "h2"
				_ = conn.Close()
			}
			if got != want[name] {
				t.Errorf("%+v: a client of %s: %v (%v)", c.says, name, got, err)
			}
		}
	}
}
