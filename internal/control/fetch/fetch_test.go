package fetch_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/control/fetch"
)

func TestRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"8.8.8.8": false, "10.0.0.1": false, "192.168.1.1": false, "172.16.0.1": false, "127.0.0.1": false, "::1": false, "2001:db8::1": false, "fd12::1": false,
		"169.254.169.254": true, "169.254.0.1": true, "168.63.129.16": true, "100.100.100.200": true, "192.0.0.192": true, "0.0.0.0": true, "0.1.2.3": true,
		"255.255.255.255": true, "224.0.0.1": true, "fe80::1": true, "fe80::1%eth0": true, "::": true, "ff02::1": true, "fd00:ec2::254": true, "fd20:ce::254": true,
		"::ffff:169.254.169.254": true, "64:ff9b::a9fe:a9fe": true, "64:ff9b:1::a9fe:a9fe": true, "2002:a9fe:a9fe::1": true, "::a9fe:a9fe": true,
		"64:ff9b::808:808": false, "2002:808:808::1": false,
	} {
		if got := fetch.Refused(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: refused is %v, want %v", text, got, want)
		}
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	mux.HandleFunc("/doc", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "0123456789") })
	mux.HandleFunc("/zip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, strings.Repeat("a", 1<<20))
		_ = z.Close()
	})
	mux.HandleFunc("/missing", http.NotFound)
	mux.HandleFunc("/to/{path}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/"+r.PathValue("path"), http.StatusFound)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/never", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	f, impatient := fetch.New(fetch.Options{}), fetch.New(fetch.Options{Timeout: 50 * time.Millisecond})
	for _, c := range []struct{ link, want string }{
		{srv.URL + "/doc", "0123456789"},
		{" " + srv.URL + "/to/doc\n", "0123456789"},
		{srv.URL + "/zip", "!it has more than 1000 bytes"},
		{srv.URL + "/missing", "!the answer has status 404"},
		{srv.URL + "/loop", "!it redirects more than 5 times"},
		{srv.URL + "/never", "!it takes too long"},
		{srv.URL + "/away?to=ftp://127.0.0.1/x", "!only absolute http and https links are followed"},
		{srv.URL + "/away?to=http://169.254.169.254/latest", "!its address is link-local, of a metadata service, or otherwise not allowed"},
		{srv.URL + "/away?to=http://[::ffff:169.254.169.254]/latest", "!its address is link-local, of a metadata service, or otherwise not allowed"},
		{"http://168.63.129.16/machine", "!its address is link-local, of a metadata service, or otherwise not allowed"},
		{"http://127.0.0.1:1/", "!it cannot be reached"},
		{"file:///etc/passwd", "!only absolute http and https links are followed"},
		{"/relative", "!only absolute http and https links are followed"},
		{"http://%zz", "!the link is malformed"},
	} {
		by := f
		if strings.HasSuffix(c.link, "/never") {
			by = impatient
		}
		data, err := by.Get(t.Context(), c.link, 1000)
		got := string(data)
		if e, ok := errors.AsType[*fetch.Error](err); ok {
			got = "!" + e.Reason
		} else if err != nil {
			t.Fatalf("%s: %v", c.link, err)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.link, got, c.want)
		}
	}
}

// A name is judged by what it stands for at the moment of each connection, not by what it stood for before.
func TestGet_EveryConnectionIsLookedAt(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/again" {
			fmt.Fprint(w, "reached")
			return
		}
		http.Redirect(w, r, "/again", http.StatusFound)
	}))
	t.Cleanup(srv.Close)
	var connections atomic.Int32
	f := fetch.New(fetch.Options{Refuse: func(netip.Addr) bool { return connections.Add(1) > 1 }})
	_, err := f.Get(t.Context(), srv.URL, 1000)
	var e *fetch.Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Reason, "its address") {
		t.Errorf("got %v", err)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections were looked at, want 2", n)
	}
}
