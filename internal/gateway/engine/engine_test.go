package engine_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/snapshot"
)

// exchange writes bytes as they are and reads everything until the connection ends.
func exchange(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%q: read %q: %v", request, got, err)
	}
	return string(got)
}

func TestServer_AnswersByItself(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	_, addr := gatewaytest.Start(t, engine.Options{Machine: "m1", Gateway: "1.2.3", Platform: "stv2", Seq: func() int64 { return 42 }}, gatewaytest.Shop(rec.URL))
	for name, c := range map[string]struct{ request, status, body string }{
		"status of the machine, whatever the host": {"GET /status-0123456789abcdef HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200 OK", `{"machine":"m1","gateway":"1.2.3","platform":"stv2","seq":42}`},
		"foreign host":      {"GET /shop/x HTTP/1.1\r\nHost: other\r\n\r\n", "421 Misdirected Request", `{ "statusCode": 421, "message": "The requested host is not served here." }`},
		"no host on 1.0":    {"GET /shop/x HTTP/1.0\r\n\r\n", "421 Misdirected Request", `{ "statusCode": 421, "message": "The requested host is not served here." }`},
		"upgrade":           {"GET /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "501 Not Implemented", `{ "statusCode": 501, "message": "Protocol upgrades are not built yet." }`},
		"no API":            {"GET /none HTTP/1.1\r\nHost: 127.0.0.1:99\r\nConnection: close\r\n\r\n", "404 Not Found", `{ "statusCode": 404, "message": "Resource not found" }`},
		"length and coding": {"POST /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400 Bad Request", "400 Bad Request"},
		"two hosts":         {"GET /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: b\r\n\r\n", "400 Bad Request", "400 Bad Request"},
		"bare LF":           {"GET /shop/x HTTP/1.1\nHost: 127.0.0.1\n\n", "400 Bad Request", "400 Bad Request"},
		"bad chunk":         {"POST /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400 Bad Request", `{ "statusCode": 400, "message": "Bad Request" }`},
		"long head":         {"GET /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "431 Request Header Fields Too Large", "431 Request Header Fields Too Large"},
	} {
		got := exchange(t, addr, c.request)
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		line, _, _ := strings.Cut(head, "\r\n")
		if diff := cmp.Diff([]string{"HTTP/1.1 " + c.status, c.body}, []string{strings.Replace(line, "HTTP/1.0", "HTTP/1.1", 1), body}); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if seen := rec.Seen(); len(seen) != 0 {
		t.Errorf("the backend saw %q", seen)
	}
}

// TestServer_IsTransparent: what the backend sends arrives as it is, and nothing is added.
func TestServer_IsTransparent(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	_, addr := gatewaytest.Start(t, engine.Options{}, gatewaytest.Shop(rec.URL))
	rec.Answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = []string{"Mon, 01 Jan 2024 00:00:00 GMT"}
		w.Header()["Content-Type"] = nil
		switch r.URL.Path {
		case "/length":
			w.Header().Set("Content-Length", "12")
			_, _ = io.WriteString(w, "<html>hello!")
		case "/304":
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(http.StatusNotModified)
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/chunks":
			_, _ = io.WriteString(w, strings.Repeat("a", 5000))
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, strings.Repeat("b", 5000))
		case "/trailer":
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "data")
			w.Header().Set("X-Sum", "4")
		case "/hints":
			w.Header().Del("Date")
			w.Header().Set("Link", "</a>")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			w.Header().Set("Date", "Mon, 01 Jan 2024 00:00:00 GMT")
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(http.StatusOK)
		}
	}
	const date = "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
	for request, want := range map[string]string{
		"GET /shop/length":  "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n" + date + "Connection: close\r\n\r\n<html>hello!",
		"HEAD /shop/length": "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n" + date + "Connection: close\r\n\r\n",
		"GET /shop/304":     "HTTP/1.1 304 Not Modified\r\n" + date + "Etag: \"1\"\r\nConnection: close\r\n\r\n",
		"GET /shop/204":     "HTTP/1.1 204 No Content\r\n" + date + "Connection: close\r\n\r\n",
		"GET /shop/hints":   "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + date + "Connection: close\r\n\r\n",
		"GET /shop/trailer": "HTTP/1.1 200 OK\r\n" + date + "Trailer: X-Sum\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\nX-Sum: 4\r\n\r\n",
	} {
		got := exchange(t, addr, request+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", request, diff)
		}
	}
	res, err := http.Get("http://" + addr + "/shop/chunks")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || len(body) != 10000 || len(res.TransferEncoding) != 1 {
		t.Fatalf("%d bytes, %v, %v", len(body), res.TransferEncoding, err)
	}
}

// TestServer_StreamsBothWays: a byte goes through before the next one is sent.
func TestServer_StreamsBothWays(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	rec.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := rc.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(200)
		_ = rc.Flush()
		buf := make([]byte, 10)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(buf[:n])
			_ = rc.Flush()
			if err != nil {
				return
			}
		}
	})
	snap := gatewaytest.Shop(rec.URL)
	_, addr := gatewaytest.Start(t, engine.Options{}, snap)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	buf := make([]byte, 2)
	if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != "ab" {
		t.Fatal(string(buf), err)
	}
	fmt.Fprint(c, "2\r\ncd\r\n0\r\n\r\n")
	rest, err := io.ReadAll(res.Body)
	if err != nil || string(rest) != "cd" {
		t.Fatal(string(rest), err)
	}
}

func TestServer_ClientAbortCancelsTheBackend(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	began, ended := make(chan struct{}), make(chan struct{})
	rec.Answer = func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	}
	_, addr := gatewaytest.Start(t, engine.Options{}, gatewaytest.Shop(rec.URL))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	<-began
	_ = c.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the backend's request goes on")
	}
}

// TestApply_SwapsUnderLoad: a request that comes while the snapshot changes never fails.
func TestApply_SwapsUnderLoad(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	rec.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	snap := gatewaytest.Shop(rec.URL)
	srv, addr := gatewaytest.Start(t, engine.Options{}, snap)
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var finished atomic.Int64
	for i := range 4 {
		clients.Go(func() {
			c := &raw{addr: addr, keep: i%2 == 0}
			for ctx.Err() == nil {
				if status, body, err := c.do("GET", "/shop/orders/1", ""); err != nil || status != 200 || body != "ok" {
					t.Errorf("status %d, body %q, %v", status, body, err)
					break
				}
				finished.Add(1)
			}
			if c.conn != nil {
				_ = c.conn.Close()
			}
		})
	}
	for i := range 100 {
		goal := finished.Load() + 10
		snap.Seq++
		snap.APIs[0].Policy = &snapshot.Policy{ID: "p", XML: fmt.Sprintf(`<policies><inbound><set-header name="X"><value>%d</value></set-header></inbound></policies>`, i)}
		snap.APIs = append(snap.APIs[:1:1], snapshot.API{ID: fmt.Sprintf("/apis/%d", i), Path: fmt.Sprintf("p%d", i), Current: true})
		if refused, err := srv.Apply(snap.Bundle(t)); err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
		waitFor(t, func() bool { return finished.Load() >= goal || t.Failed() })
	}
	stop()
	clients.Wait()
	if got := srv.Current().Seq(); got != 101 {
		t.Fatalf("seq %d, want 101", got)
	}
}

// certificate makes a self-signed one for a name.
func certificate(t testing.TB, name string) (certPEM, keyPEM string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k}))
}

// startTLS serves the shop under two names with TLS.
func startTLS(t testing.TB, backendURL string, opt engine.Options) (*engine.Server, string, *x509.CertPool) {
	t.Helper()
	snap := gatewaytest.Shop(backendURL)
	pool := x509.NewCertPool()
	for i, name := range []string{"shop.apim.localhost", "api.example"} {
		cert, key := certificate(t, name)
		pool.AppendCertsFromPEM([]byte(cert))
		snap.Service.Hosts = append(snap.Service.Hosts[:i:i], snapshot.Host{Name: name, Default: i == 0, CertificatePEM: cert, KeyPEM: key})
	}
	srv, _ := gatewaytest.Start(t, opt, snap)
	l := gatewaytest.Listen(t)
	done := make(chan error, 1)
	go func() { done <- srv.ServeTLS(l) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return srv, l.Addr().String(), pool
}

func TestServeTLS_ChoosesTheCertificateByName(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	_, addr, pool := startTLS(t, rec.URL, engine.Options{})
	for sent, want := range map[string]string{"api.example": "api.example", "API.example": "api.example", "shop.apim.localhost": "shop.apim.localhost", "": "shop.apim.localhost"} {
		c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: sent, InsecureSkipVerify: true}) //nolint:gosec // looks at the certificate itself
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, c.ConnectionState().PeerCertificates[0].Subject.CommonName); diff != "" {
			t.Errorf("%q: %s", sent, diff)
		}
		_ = c.Close()
	}
	if _, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "api.example", RootCAs: pool, MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // wants to be refused
		t.Error("TLS 1.1 is accepted")
	}
}

// TestDrain_TLS drains under load over HTTP/1.1 and HTTP/2; the clients do not try again.
func TestDrain_TLS(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	rec.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	for _, proto := range []string{"http/1.1", "h2"} {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			srv, addr, pool := startTLS(t, rec.URL, engine.Options{})
			var protocols http.Protocols
			protocols.SetHTTP1(proto == "http/1.1")
			protocols.SetHTTP2(proto == "h2")
			var opened atomic.Int64
			idle := &tls.Config{ServerName: "api.example", RootCAs: pool, NextProtos: []string{proto}}
			silent, err := tls.Dial("tcp", addr, idle)
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			var clients sync.WaitGroup
			var finished atomic.Int64
			// Nobody dials once the drain has begun: with the last copy of a listener its queue is lost.
			var dialing sync.RWMutex
			over := false
			for range 4 {
				tr := &http.Transport{
					Protocols: &protocols,
					DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
						dialing.RLock()
						defer dialing.RUnlock()
						if over {
							return nil, errDone
						}
						opened.Add(1)
						return (&tls.Dialer{Config: idle}).DialContext(ctx, network, addr)
					},
				}
				clients.Go(func() {
					defer tr.CloseIdleConnections()
					for {
						// A POST with a body that cannot be sent again: the transport has no second try.
						req, err := http.NewRequest("POST", "https://api.example/shop/x", struct{ io.Reader }{strings.NewReader("x")})
						if err != nil {
							t.Error(err)
							return
						}
						res, err := tr.RoundTrip(req)
						if err != nil {
							if !errors.Is(err, errDone) {
								t.Errorf("request: %v", err)
							}
							return
						}
						body, err := io.ReadAll(res.Body)
						_ = res.Body.Close()
						if err != nil || res.StatusCode != 200 || string(body) != "ok" {
							t.Errorf("status %d, body %q, %v", res.StatusCode, body, err)
							return
						}
						finished.Add(1)
					}
				})
			}
			waitFor(t, func() bool { return finished.Load() > 200 })
			dialing.Lock()
			over = true
			dialing.Unlock()
			if err := srv.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			clients.Wait()
			t.Logf("%s: %d requests on %d connections", proto, finished.Load(), opened.Load())
		})
	}
}

var errDone = errors.New("the machine is gone")
