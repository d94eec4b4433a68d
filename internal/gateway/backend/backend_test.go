package backend_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/certtest"
	"github.com/portico-dev/portico/internal/gateway/backend"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
)

func exchange(t testing.TB, ctx context.Context, target *pipeline.Target, method, body string) *pipeline.Exchange {
	t.Helper()
	m := &pipeline.Message{Method: method, URL: pipeline.URL{Path: "/x", RawQuery: "q=1"}}
	if body != "" {
		m.Body = pipeline.Stream(io.NopCloser(strings.NewReader(body)), int64(len(body)))
	}
	return &pipeline.Exchange{Context: ctx, Request: m, Target: target, MaxBuffer: 1 << 20}
}

func target(t testing.TB, address string) *pipeline.Target {
	t.Helper()
	u, err := pipeline.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	return &pipeline.Target{Base: u}
}

// forward gives "status body", or the reason of the failure.
func forward(t testing.TB, p *backend.Pool, x *pipeline.Exchange, opt backend.Options) string {
	t.Helper()
	if err := p.Forward(x, x, opt); err != nil {
		var f *pipeline.Failure
		if !errors.As(err, &f) {
			t.Fatalf("%v is no failure", err)
		}
		return f.Reason
	}
	data, err := x.Response.Body.Buffer(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", x.Response.Status, data)
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestForward_Failures(t *testing.T) {
	t.Parallel()
	p := backend.NewPool(backend.PoolOptions{})
	t.Cleanup(p.Close)
	release := make(chan struct{})
	slow := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		target *pipeline.Target
		want   string
	}{
		"nothing listens": {t.Context(), target(t, closed), pipeline.ReasonBackend},
		"no target":       {t.Context(), nil, pipeline.ReasonBackend},
		"too slow":        {t.Context(), target(t, slow.URL), pipeline.ReasonTimeout},
		"client is gone":  {gone, target(t, slow.URL), pipeline.ReasonClient},
	} {
		got := forward(t, p, exchange(t, c.ctx, c.target, "GET", ""), backend.Options{Timeout: 50 * time.Millisecond})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestForward_Redirects(t *testing.T) {
	t.Parallel()
	p := backend.NewPool(backend.PoolOptions{})
	t.Cleanup(p.Close)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if code := r.URL.Query().Get("q"); code != "" && r.URL.Path == "/x" {
			w.Header().Set("Location", "/y?from="+code)
			var n int
			_, _ = fmt.Sscan(r.URL.Query().Get("code"), &n)
			w.WriteHeader(n)
			return
		}
		if r.URL.Path == "/loop" {
			w.Header().Set("Location", "/loop")
			w.WriteHeader(http.StatusFound)
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, body)
	})
	for _, c := range []struct {
		code   int
		follow bool
		method string
		want   string
	}{
		{302, false, "GET", "302 "},
		{302, true, "GET", "200 GET /y?from=1 "},
		{301, true, "POST", "200 GET /y?from=1 "},
		{303, true, "PUT", "200 GET /y?from=1 "},
		{307, true, "POST", "200 POST /y?from=1 data"},
		{308, true, "PUT", "200 PUT /y?from=1 data"},
		{304, true, "GET", "304 "},
	} {
		body := ""
		if c.method != "GET" {
			body = "data"
		}
		x := exchange(t, t.Context(), target(t, s.URL), c.method, body)
		x.Request.URL.AddQuery("code", fmt.Sprint(c.code))
		got := forward(t, p, x, backend.Options{FollowRedirects: c.follow})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%d %s: %s", c.code, c.method, diff)
		}
	}
	x := exchange(t, t.Context(), target(t, s.URL), "GET", "")
	x.Request.URL.Path, x.Request.URL.RawQuery = "/loop", ""
	if got := forward(t, p, x, backend.Options{FollowRedirects: true}); got != "302 " {
		t.Errorf("loop: %s", got)
	}
}

// TestForward_TLS: the checks of chain and name are switched off one by one.
func TestForward_TLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	t.Cleanup(s.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(s.Certificate())
	wrongName := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	for _, c := range []struct {
		address             string
		roots               *x509.CertPool
		skipChain, skipName bool
		want                string
	}{
		{s.URL, trusted, false, false, "200 HTTP/1.1"},
		{s.URL, nil, false, false, pipeline.ReasonBackend},
		{s.URL, nil, true, false, "200 HTTP/1.1"},
		{wrongName, trusted, false, false, pipeline.ReasonBackend},
		{wrongName, trusted, false, true, "200 HTTP/1.1"},
		{wrongName, trusted, true, false, pipeline.ReasonBackend},
		{wrongName, nil, false, true, pipeline.ReasonBackend},
		{wrongName, nil, true, true, "200 HTTP/1.1"},
	} {
		p := backend.NewPool(backend.PoolOptions{RootCAs: c.roots})
		to := target(t, c.address)
		to.SkipChain, to.SkipName = c.skipChain, c.skipName
		if diff := cmp.Diff(c.want, forward(t, p, exchange(t, t.Context(), to, "GET", ""), backend.Options{})); diff != "" {
			t.Errorf("%+v: %s", c, diff)
		}
		p.Close()
	}
}

// trusting is a service that brings certificates to verify backends with.
type trusting struct {
	pipeline.Services
	trust *pipeline.Trust
}

func (s trusting) Trust() *pipeline.Trust { return s.trust }
func (s trusting) OldestTLS() uint16      { return 0 }

// TestForward_Trust: a backend is good when its chain ends at a root of the service; what stands between may be with the
// service or with the backend.
func TestForward_Trust(t *testing.T) {
	t.Parallel()
	root := certtest.Authority(t, "Root")
	between := root.Under(t, "Between")
	leaf := between.Issue(t, "127.0.0.1").TLS()
	short := leaf
	short.Certificate = leaf.Certificate[:1]
	start := func(c tls.Certificate) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	whole, bare := start(leaf), start(short)
	p := backend.NewPool(backend.PoolOptions{})
	t.Cleanup(p.Close)
	roots := &pipeline.Trust{Key: "root", Roots: root.Pool()}
	both := &pipeline.Trust{Key: "both", Roots: root.Pool(), Between: []*x509.Certificate{between.Certificate}}
	alone := &pipeline.Trust{Key: "alone", Roots: x509.NewCertPool(), Between: []*x509.Certificate{between.Certificate}}
	for i, c := range []struct {
		address string
		trust   *pipeline.Trust
		want    string
	}{
		{whole, nil, pipeline.ReasonBackend},
		{whole, roots, "200 ok"},
		{bare, roots, pipeline.ReasonBackend},
		{bare, both, "200 ok"},
		{whole, alone, pipeline.ReasonBackend}, // is not trusted by itself
		{strings.Replace(bare, "127.0.0.1", "localhost", 1), both, pipeline.ReasonBackend},
		{whole, nil, pipeline.ReasonBackend}, // no connection of a service that trusts more
	} {
		x := exchange(t, t.Context(), target(t, c.address), "GET", "")
		x.Services = trusting{trust: c.trust}
		if diff := cmp.Diff(c.want, forward(t, p, x, backend.Options{})); diff != "" {
			t.Errorf("%d: %s", i, diff)
		}
	}
}

func TestForward_HTTP2(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	p := backend.NewPool(backend.PoolOptions{})
	t.Cleanup(p.Close)
	for _, c := range []struct {
		address string
		version backend.Version
		want    string
	}{
		{s.URL, backend.HTTP1, "200 HTTP/1.1"},
		{s.URL, backend.HTTP2or1, "200 HTTP/2.0"},
		{s.URL, backend.HTTP2, "200 HTTP/2.0"},
		{plain.URL, backend.HTTP2or1, "200 HTTP/1.1"},
	} {
		to := target(t, c.address)
		to.SkipChain, to.SkipName = true, true
		if diff := cmp.Diff(c.want, forward(t, p, exchange(t, t.Context(), to, "GET", ""), backend.Options{Version: c.version})); diff != "" {
			t.Errorf("%+v: %s", c, diff)
		}
	}
}

func TestForward_Proxy(t *testing.T) {
	t.Parallel()
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.RequestURI, r.Header.Get("Proxy-Authorization"))
	})
	p := backend.NewPool(backend.PoolOptions{})
	t.Cleanup(p.Close)
	to := target(t, "http://books.example/v1")
	var err error
	if to.Proxy, err = url.Parse(proxy.URL); err != nil {
		t.Fatal(err)
	}
	to.Proxy.User = url.UserPassword("u", "p")
	x := exchange(t, t.Context(), to, "GET", "")
	x.Request.URL.Path = "/a%2Fb"
	if diff := cmp.Diff("200 http://books.example/v1/a%2Fb?q=1 Basic dTpw", forward(t, p, x, backend.Options{})); diff != "" {
		t.Error(diff)
	}
}

// TestForward_StaleConnection: a POST that meets a connection which the backend has closed meanwhile goes over
// another one, with and without TLS.
func TestForward_StaleConnection(t *testing.T) {
	t.Parallel()
	donor := httptest.NewTLSServer(nil) // of a certificate
	t.Cleanup(donor.Close)
	for scheme, version := range map[string]uint16{"http": 0, "https": tls.VersionTLS13, "https 1.2": tls.VersionTLS12} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			served := l
			if version != 0 {
				served = tls.NewListener(l, &tls.Config{Certificates: donor.TLS.Certificates, MinVersion: version, MaxVersion: version})
			}
			closed := make(chan struct{}, 1)
			go func() {
				for {
					c, err := served.Accept()
					if err != nil {
						return
					}
					answerOnce(c)
					closed <- struct{}{}
				}
			}()
			p := backend.NewPool(backend.PoolOptions{})
			t.Cleanup(p.Close)
			to := target(t, strings.Fields(scheme)[0]+"://"+l.Addr().String())
			to.SkipChain, to.SkipName = true, true
			for i := range 50 {
				body := strings.Repeat("x", i%3*5000)
				if got := forward(t, p, exchange(t, t.Context(), to, "POST", body), backend.Options{}); got != fmt.Sprintf("200 %5d", len(body)) {
					t.Fatal(got)
				}
				<-closed
			}
		})
	}
}

// answerOnce answers one request with the length of its body and closes without having said so.
func answerOnce(c net.Conn) {
	defer c.Close()
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	n, _ := io.Copy(io.Discard, req.Body)
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%5d", n)
}

// TestForward_RedirectKeepsCredentials: what a backend entity sends to its host goes to no other.
func TestForward_RedirectKeepsCredentials(t *testing.T) {
	t.Parallel()
	p := backend.NewPool(backend.PoolOptions{})
	t.Cleanup(p.Close)
	show := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "key %q auth %q", r.Header.Get("X-Key"), r.Header.Get("Authorization"))
	}
	other := serve(t, show)
	home := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("to") {
		case "other":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "home":
			http.Redirect(w, r, "/", http.StatusFound)
		default:
			show(w, r)
		}
	})
	for to, want := range map[string]string{"home": `200 key "k" auth "Basic x"`, "other": `200 key "" auth ""`} {
		x := exchange(t, t.Context(), target(t, home.URL), "GET", "")
		x.Target.Header, x.Target.Authorization = []pipeline.Field{{Name: "x-key", Value: "k"}}, "Basic x"
		x.Request.URL.RawQuery = "to=" + to
		if got := forward(t, p, x, backend.Options{FollowRedirects: true}); got != want {
			t.Errorf("%s: got %s, want %s", to, got, want)
		}
	}
}

func TestForward_QueryCredentialsWithSeveralValues(t *testing.T) {
	t.Parallel()
	p := backend.NewPool(backend.PoolOptions{})
	t.Cleanup(p.Close)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.RawQuery) })
	x := exchange(t, t.Context(), target(t, s.URL), "GET", "")
	x.Request.URL.RawQuery = "Code=client&q=1"
	x.Target.Query = []pipeline.Field{{Name: "code", Value: "a"}, {Name: "code", Value: "b"}}
	if diff := cmp.Diff("200 q=1&code=a&code=b", forward(t, p, x, backend.Options{})); diff != "" {
		t.Error(diff)
	}
}

// TestForward_BodyThatStops: a response whose body stands still ends with an error; time that the reader takes for
// itself does not count.
func TestForward_BodyThatStops(t *testing.T) {
	t.Parallel()
	const soon = 50 * time.Millisecond
	p := backend.NewPool(backend.PoolOptions{BodyTimeout: soon})
	t.Cleanup(p.Close)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "begun")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	x := exchange(t, t.Context(), target(t, s.URL), "GET", "")
	if err := p.Forward(x, x, backend.Options{}); err != nil {
		t.Fatal(err)
	}
	timer := time.NewTimer(3 * soon)
	defer timer.Stop()
	<-timer.C
	r := x.Response.Body.Reader()
	defer r.Close()
	got, err := io.ReadAll(r)
	if string(got) != "begun" || err == nil {
		t.Fatalf("%q, %v", got, err)
	}
}
