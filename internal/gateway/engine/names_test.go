package engine_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/certtest"
	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/snapshot"
)

// named is a host with a certificate.
func named(t testing.TB, p certtest.Pair, name string) snapshot.Host {
	t.Helper()
	h := snapshot.Host{Name: name}
	h.CertificatePEM, h.KeyPEM = p.PEM(t)
	return h
}

// secure serves what an engine has with TLS.
func secure(t testing.TB, srv *engine.Server) string {
	t.Helper()
	l := gatewaytest.Listen(t)
	done := make(chan error, 1)
	go func() { done <- srv.ServeTLS(l) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return l.Addr().String()
}

func greet(t testing.TB, addr string, conf *tls.Config) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", addr, conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends a request over a connection and gives the status and the body.
func ask(t testing.TB, c *tls.Conn, host string) string {
	t.Helper()
	if _, err := fmt.Fprintf(c, "GET /shop/x HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, body)
}

// A wildcard stands for one label, and a name of its own comes first.
func TestServeTLS_Wildcards(t *testing.T) {
	t.Parallel()
	rec, ca := gatewaytest.Record(t), certtest.Authority(t, "CA")
	snap := gatewaytest.Shop(rec.URL)
	snap.Service.Hosts = []snapshot.Host{
		named(t, ca.Issue(t, "shop.apim.localhost"), "shop.apim.localhost"),
		named(t, ca.IssueRSA(t, "*.contoso.example"), "*.contoso.example"),
		named(t, ca.Issue(t, "api.contoso.example"), "api.contoso.example"),
		{Name: "127.0.0.1"},
	}
	snap.Service.Hosts[1].Default = true
	srv, plain := gatewaytest.Start(t, engine.Options{}, snap)
	addr := secure(t, srv)
	for sent, want := range map[string]string{
		"shop.apim.localhost": "shop.apim.localhost", "api.contoso.example": "api.contoso.example",
		"www.contoso.example": "*.contoso.example", "WWW.Contoso.example": "*.contoso.example",
		"": "*.contoso.example", "a.b.contoso.example": "*.contoso.example", "127.0.0.1": "*.contoso.example",
	} {
		c := greet(t, addr, &tls.Config{ServerName: sent, InsecureSkipVerify: true}) //nolint:gosec // looks at the certificate itself
		if diff := cmp.Diff(want, c.ConnectionState().PeerCertificates[0].Subject.CommonName); diff != "" {
			t.Errorf("%q: %s", sent, diff)
		}
	}
	got := map[string]string{}
	for _, host := range []string{"api.contoso.example", "www.contoso.example", "WWW.contoso.example", "a.b.contoso.example", "contoso.example", "127.0.0.1"} {
		got[host] = get(t, plain, host)
	}
	if diff := cmp.Diff(map[string]string{
		"api.contoso.example": "200", "www.contoso.example": "200", "WWW.contoso.example": "200",
		"a.b.contoso.example": "421", "contoso.example": "421", "127.0.0.1": "200",
	}, got); diff != "" {
		t.Error(diff)
	}
}

// Clients are asked for a certificate under the names that want one, and it is what policies see.
func TestServeTLS_ClientCertificates(t *testing.T) {
	t.Parallel()
	rec, ca, between := gatewaytest.Record(t), certtest.Authority(t, "CA"), certtest.Authority(t, "Clients")
	above := between.Under(t, "Above")
	snap := gatewaytest.Shop(rec.URL)
	snap.Service.Policy.XML = `<policies><inbound><return-response><set-body>@{
		var c = context.Request.Certificate;
		return c == null ? "nobody" : c.Subject + " " + c.Verify();
	}</set-body></return-response></inbound><backend/><outbound/></policies>`
	snap.Service.Hosts = []snapshot.Host{
		named(t, ca.Issue(t, "open.example"), "open.example"), named(t, ca.Issue(t, "asks.example"), "asks.example"), {Name: "127.0.0.1"},
	}
	snap.Service.Hosts[1].AskClient = true
	root, _ := between.PEM(t)
	middle, _ := above.PEM(t)
	snap.Service.Authorities = []snapshot.Authority{{Root: true, CertificatePEM: root}, {CertificatePEM: middle}}
	srv, _ := gatewaytest.Start(t, engine.Options{}, snap)
	addr := secure(t, srv)
	known, stranger := above.Issue(t, "known").TLS(), certtest.Authority(t, "Nowhere").Issue(t, "stranger").TLS()
	known.Certificate = known.Certificate[:1] // the one above is for the service to know
	for _, c := range []struct {
		name, host string
		shown      *tls.Certificate
		want       string
	}{
		{"open.example", "open.example", &known, "200 nobody"},
		{"asks.example", "asks.example", &known, "200 CN=known True"},
		{"asks.example", "asks.example", &stranger, "200 CN=stranger False"},
		{"asks.example", "asks.example", nil, "200 nobody"},
		{"asks.example", "open.example", &known, "200 CN=known True"},
		{"open.example", "asks.example", &known, `421 { "statusCode": 421, "message": "The requested host is not served here." }`},
		{"", "asks.example", &known, `421 { "statusCode": 421, "message": "The requested host is not served here." }`},
	} {
		conf := &tls.Config{ServerName: c.name, InsecureSkipVerify: true} //nolint:gosec // not what is tested
		if c.shown != nil {
			conf.Certificates = []tls.Certificate{*c.shown}
		}
		if diff := cmp.Diff(c.want, ask(t, greet(t, addr, conf), c.host)); diff != "" {
			t.Errorf("%q, %q: %s", c.name, c.host, diff)
		}
	}
}

// A renewed certificate is shown to the next greeting; connections stay, and so do the sessions of clients.
func TestServeTLS_Renewal(t *testing.T) {
	t.Parallel()
	rec, ca := gatewaytest.Record(t), certtest.Authority(t, "CA")
	snap := gatewaytest.Shop(rec.URL)
	snap.Service.Hosts = []snapshot.Host{named(t, ca.Issue(t, "api.example"), "api.example")}
	srv, _ := gatewaytest.Start(t, engine.Options{}, snap)
	addr := secure(t, srv)
	conf := &tls.Config{ServerName: "api.example", RootCAs: ca.Pool(), MaxVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	first := greet(t, addr, conf)
	was := first.ConnectionState().PeerCertificates[0]
	if got := ask(t, first, "api.example"); got != "200 ok" {
		t.Fatal(got)
	}
	next := ca.Issue(t, "api.example")
	snap.Seq, snap.Service.Hosts = 2, []snapshot.Host{named(t, next, "api.example")}
	if refused, err := srv.Apply(snap.Bundle(t)); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	if got := ask(t, first, "api.example"); got != "200 ok" {
		t.Errorf("the connection from before: %s", got)
	}
	resumed := greet(t, addr, conf)
	if s := resumed.ConnectionState(); !s.DidResume || !s.PeerCertificates[0].Equal(was) {
		t.Errorf("resumed: %v", s.DidResume)
	}
	conf.ClientSessionCache = nil
	if got := greet(t, addr, conf).ConnectionState().PeerCertificates[0]; !got.Equal(next.Certificate) {
		t.Errorf("a new greeting got the certificate of serial %x", got.SerialNumber)
	}
}

// Services that share a worker share no connection with TLS: a request belongs on one whose greeting was for its service.
func TestWorker_TLS(t *testing.T) {
	t.Parallel()
	rec, ca := gatewaytest.Record(t), certtest.Authority(t, "CA")
	c := newCatalogue(t, rec.URL, "a", "b")
	for n := range c.bundles {
		s := gatewaytest.Shop(rec.URL)
		s.Service.ID, s.Service.Name, s.Service.Tier = n, strings.TrimSuffix(n, ".apim.localhost"), "Consumption"
		s.Service.Hosts = []snapshot.Host{named(t, ca.Issue(t, n), n)}
		s.Service.Hosts[0].AskClient = n[0] == 'a'
		c.bundles[n] = s.Bundle(t)
	}
	srv, _ := gatewaytest.Start(t, engine.Options{Catalogue: c}, gatewaytest.Snapshot{})
	addr := secure(t, srv)
	asked := 0
	conf := &tls.Config{ServerName: "A.apim.localhost", RootCAs: ca.Pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked++
		return &tls.Certificate{}, nil
	}}
	conn := greet(t, addr, conf)
	got := []string{ask(t, conn, "a.apim.localhost")}
	got = append(got, ask(t, conn, "b.apim.localhost")[:3])
	conf.ServerName = "b.apim.localhost"
	got = append(got, ask(t, greet(t, addr, conf), "b.apim.localhost"))
	if diff := cmp.Diff([]string{"200 ok", "421", "200 ok"}, got); diff != "" || asked != 1 {
		t.Errorf("asked %d times for a certificate; %s", asked, diff)
	}
	for _, name := range []string{"c.apim.localhost", ""} {
		if _, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true}); err == nil { //nolint:gosec // wants to be refused
			t.Errorf("%q was greeted", name)
		}
	}
}

// A greeting costs no parsing of certificates: the compiled one is handed out.
func TestServeTLS_CompiledOnce(t *testing.T) {
	t.Parallel()
	ca := certtest.Authority(t, "CA")
	snap := gatewaytest.Shop("http://127.0.0.1:1")
	snap.Service.Hosts = []snapshot.Host{named(t, ca.Issue(t, "*.example"), "*.example")}
	svc, _, err := gatewaytest.Compiler(t).Compile(nil, snap.Bundle(t))
	if err != nil {
		t.Fatal(err)
	}
	if svc.Certificate("a.example") != svc.Certificate("b.example") || svc.Certificate("a.example").Leaf == nil {
		t.Error("the certificate was made again")
	}
}
