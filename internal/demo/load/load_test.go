package load

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/demo/bookshop"
)

func start(t *testing.T, h http.Handler, opt Options) (*Client, *httptest.Server) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c := Start(opt, Target{Addr: srv.Listener.Addr().String(), Host: "shop"})
	t.Cleanup(func() { c.Stop() })
	return c, srv
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never saw %s", what)
		}
		time.Sleep(time.Millisecond) // polling a condition with a deadline, not waiting for time to pass
	}
}

func TestClient_CountsEveryKind(t *testing.T) {
	t.Parallel()
	c, _ := start(t, bookshop.New(), Options{Workers: 4, Rate: 2000, Slow: 1})
	waitFor(t, "all kinds", func() bool { n := c.Counts(); return n.Done >= 400 && n.Slow >= 1 && n.Posts >= 4 })
	n := c.Stop()
	if n.Failed+n.Cut != 0 {
		t.Fatalf("failures against a healthy shop: %+v %v", n, c.Failures())
	}
	if n.Fresh < n.Done*4/10 || n.Fresh > n.Done*7/10 {
		t.Errorf("%d of %d on new connections, want about half", n.Fresh, n.Done)
	}
}

func TestClient_CountsWrongAnswersAndCutsApart(t *testing.T) {
	t.Parallel()
	shop := bookshop.New()
	var n atomic.Int64
	c, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) % 10 {
		case 3:
			http.Error(w, "no", http.StatusBadGateway)
		case 7:
			panic(http.ErrAbortHandler)
		default:
			shop.ServeHTTP(w, r)
		}
	}), Options{Workers: 2, Rate: 2000})
	waitFor(t, "both kinds", func() bool { n := c.Counts(); return n.Failed >= 5 && n.Cut >= 5 })
	if len(c.Failures()) == 0 {
		t.Error("no failure was kept")
	}
}

func TestClient_RetriesOnceWhenAsked(t *testing.T) {
	t.Parallel()
	shop := bookshop.New()
	var n atomic.Int64
	c, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%10 == 7 {
			panic(http.ErrAbortHandler)
		}
		shop.ServeHTTP(w, r)
	}), Options{Workers: 1, Rate: 2000, Retry: true})
	waitFor(t, "200 requests", func() bool { return c.Counts().Done >= 200 })
	if n := c.Stop(); n.Failed+n.Cut != 0 {
		t.Fatalf("one retry was not enough: %+v %v", n, c.Failures())
	}
}

func TestClient_NobodyListensIsAFailure(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := Start(Options{Workers: 1, Rate: 100}, Target{Addr: addr, Host: "shop"})
	defer c.Stop()
	waitFor(t, "a failure", func() bool { return c.Counts().Failed > 0 })
	if c.Counts().Cut != 0 {
		t.Error("a refused connection was counted as cut")
	}
}

// What is left by an aim may be closed when Aim returns: nothing more goes there.
func TestClient_AimLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	c, srv := start(t, bookshop.New(), Options{Workers: 4, Rate: 2000, Slow: 1})
	for range 5 {
		next := httptest.NewServer(bookshop.New())
		waitFor(t, "requests", func() bool { n := c.Counts(); return n.Done > 0 && c.TakeWaits().Longest > 0 })
		c.Aim(Target{Addr: next.Listener.Addr().String(), Host: "shop"})
		srv.Close()
		srv = next
	}
	if n := c.Stop(); n.Failed+n.Cut != 0 || n.Done == 0 {
		t.Errorf("%+v %v", n, c.Failures())
	}
	srv.Close()
}
