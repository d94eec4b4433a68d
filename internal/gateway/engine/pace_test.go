package engine_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/snapshot"
)

const soon = 50 * time.Millisecond

const late = `{ "statusCode": 408, "message": "The request body did not come in time." }`

// TestPace_StalledRequestBody: who announces a body and does not send it is answered and let go.
func TestPace_StalledRequestBody(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	_, addr := gatewaytest.Start(t, engine.Options{BodyTimeout: soon}, gatewaytest.Shop(rec.URL))
	for name, body := range map[string]string{
		"length": "Content-Length: 10\r\n\r\nabc",
		"chunks": "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"chunk":  "Transfer-Encoding: chunked\r\n\r\n3\r\na",
	} {
		got := exchange(t, addr, "POST /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\n"+body)
		head, content, _ := strings.Cut(got, "\r\n\r\n")
		line, _, _ := strings.Cut(head, "\r\n")
		if diff := cmp.Diff([]string{"HTTP/1.1 408 Request Timeout", late}, []string{line, content}); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// TestPace_EndsWithTheBody: the time for a body says nothing about the time until the answer, or the next request.
func TestPace_EndsWithTheBody(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	rec.Answer = func(http.ResponseWriter, *http.Request) {
		timer := time.NewTimer(4 * soon)
		defer timer.Stop()
		<-timer.C
	}
	_, addr := gatewaytest.Start(t, engine.Options{BodyTimeout: soon, SendTimeout: soon}, gatewaytest.Shop(rec.URL))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for range 2 {
		for _, piece := range []string{"POST /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\n", "ab", "cd"} {
			if _, err := io.WriteString(c, piece); err != nil {
				t.Fatal(err)
			}
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
			t.Fatal(res.StatusCode, err)
		}
	}
}

// endless answers until nobody takes any more, and then closes ended.
func endless(ended chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		for data := make([]byte, 64<<10); ; {
			if _, err := w.Write(data); err != nil {
				return
			}
		}
	}
}

// TestPace_ClientThatDoesNotRead loses its connection; on HTTP/2 only the stream.
func TestPace_ClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	for _, proto := range []string{"http/1.1", "h2"} {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			rec := gatewaytest.Record(t)
			ended := make(chan struct{})
			rec.Config.Handler = endless(ended)
			_, addr, pool := startTLS(t, rec.URL, engine.Options{SendTimeout: soon})
			tr := transport(proto, addr, &tls.Config{ServerName: "api.example", RootCAs: pool, NextProtos: []string{proto}})
			defer tr.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.example/shop/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			select {
			case <-ended:
			case <-time.After(20 * time.Second):
				t.Fatal("the backend is still sending")
			}
			if _, err := io.Copy(io.Discard, res.Body); err == nil {
				t.Error("the answer looks complete")
			}
		})
	}
}

func transport(proto, addr string, conf *tls.Config) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(proto == "http/1.1")
	protocols.SetHTTP2(proto == "h2")
	return &http.Transport{
		Protocols: &protocols, TLSClientConfig: conf,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}
}

// TestPace_StalledStream: a stream of HTTP/2 whose body does not come is answered, the connection goes on.
func TestPace_StalledStream(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	_, addr, pool := startTLS(t, rec.URL, engine.Options{BodyTimeout: soon})
	tr := transport("h2", addr, &tls.Config{ServerName: "api.example", RootCAs: pool, NextProtos: []string{"h2"}})
	defer tr.CloseIdleConnections()
	body, feed := io.Pipe()
	defer feed.Close()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.example/shop/x", body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 408 || string(got) != late {
		t.Fatalf("status %d, body %q, %v", res.StatusCode, got, err)
	}
	var reused bool
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
	if req, err = http.NewRequestWithContext(trace, "GET", "https://api.example/shop/x", nil); err != nil {
		t.Fatal(err)
	}
	res, err = tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || !reused {
		t.Errorf("status %d, the same connection: %v", res.StatusCode, reused)
	}
}

func TestServer_SendsReasonPhrases(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	rec.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if r.URL.Path == "/hints" {
			_, _ = rw.WriteString("HTTP/1.1 103 Early Hints\r\n\r\n")
		}
		_, _ = rw.WriteString("HTTP/1.1 200 Fine Thanks\r\nContent-Length: 2\r\n\r\nok")
		_ = rw.Flush()
	})
	snap := gatewaytest.Shop(rec.URL)
	snap.APIs[0].Operations[0].Policy = &snapshot.Policy{ID: "p", XML: `<policies><outbound><set-status code="299" reason="Own Words" /></outbound></policies>`}
	_, addr := gatewaytest.Start(t, engine.Options{}, snap)
	for path, want := range map[string]string{
		"/shop/x":        "HTTP/1.1 200 Fine Thanks\r\n",
		"/shop/hints":    "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 Fine Thanks\r\n",
		"/shop/orders/1": "HTTP/1.1 299 Own Words\r\n",
	} {
		got := exchange(t, addr, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\r\n\r\nok") {
			t.Errorf("%s: got %q, want it to begin with %q", path, got, want)
		}
	}
}

// TestServer_StatusCodesThatEndNothing: an answer of the backend that is none does not reach the client.
func TestServer_StatusCodesThatEndNothing(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	rec.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = rw.WriteString("HTTP/1.1 " + strings.TrimPrefix(r.URL.Path, "/") + " Odd\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_ = rw.Flush()
	})
	_, addr := gatewaytest.Start(t, engine.Options{}, gatewaytest.Shop(rec.URL))
	for _, code := range []string{"099", "101"} {
		got := exchange(t, addr, "GET /shop/"+code+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
		if want := "HTTP/1.1 500 Internal Server Error\r\n"; !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want it to begin with %q", code, got, want)
		}
	}
}

// TestServer_IgnoresOffersToUpgrade: some clients offer h2c with every first request.
func TestServer_IgnoresOffersToUpgrade(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	_, addr := gatewaytest.Start(t, engine.Options{}, gatewaytest.Shop(rec.URL))
	got := exchange(t, addr, "GET /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
	if want := "HTTP/1.1 200 OK\r\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	if seen := strings.Join(rec.Seen(), "\n"); strings.Contains(strings.ToLower(seen), "upgrade") || strings.Contains(strings.ToLower(seen), "http2") {
		t.Errorf("the backend saw the offer: %s", seen)
	}
}

// TestServer_ResolvesDotSegments: a path cannot reach around the API or out of the backend's base.
func TestServer_ResolvesDotSegments(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	_, addr := gatewaytest.Start(t, engine.Options{}, gatewaytest.Shop(rec.URL+"/base"))
	for path, want := range map[string]string{
		"/shop/a/../b":         "/base/b",
		"/x/../shop/./b/":      "/base/b/",
		"/shop/a/%2e%2E/c":     "/base/c",
		"/shop/..%2fadmin":     "/base/..%2fadmin",
		"/shop/../../shop/a/.": "/base/a/",
		"/shop/.../b":          "/base/.../b",
	} {
		if got := exchange(t, addr, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Errorf("%s: %q", path, got)
			continue
		}
		seen := rec.Seen()
		if line, _, _ := strings.Cut(seen[len(seen)-1], "\n"); line != "GET "+want && !strings.HasPrefix(line, "GET "+want+" ") {
			t.Errorf("%s: the backend saw %q, want %s", path, line, want)
		}
	}
	for _, path := range []string{"/shop/../admin", "/shop/.."} {
		if got := exchange(t, addr, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 404") {
			t.Errorf("%s: %q", path, got)
		}
	}
}

// TestServer_HeadTellsOfTheNewBody: what a policy sets counts, not what the backend would have sent.
func TestServer_HeadTellsOfTheNewBody(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	rec.Answer = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "39") }
	snap := gatewaytest.Shop(rec.URL)
	snap.APIs[0].Policy = &snapshot.Policy{ID: "p", XML: `<policies><outbound><set-body>changed</set-body></outbound></policies>`}
	_, addr := gatewaytest.Start(t, engine.Options{}, snap)
	got := exchange(t, addr, "HEAD /shop/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
	if want := "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
}
