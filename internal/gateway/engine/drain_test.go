package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/service"
)

// vip is a listening socket that outlives the machines that accept from it, as the agent holds one.
type vip struct {
	file *os.File
	addr string
}

func newVIP(t testing.TB) *vip {
	t.Helper()
	l := gatewaytest.Listen(t)
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return &vip{file: f, addr: addr}
}

// listen gives a machine its copy of the socket.
func (v *vip) listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.FileListener(v.file)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// raw is a client without any second try: one connection, kept or new for each request.
type raw struct {
	addr string
	keep bool
	conn net.Conn
	br   *bufio.Reader
}

// do sends one request and reads its answer. The connection is given up when the answer says so.
func (c *raw) do(method, path, body string) (status int, content string, err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.addr); err != nil {
			return 0, "", fmt.Errorf("dial: %w", err)
		}
		c.br = bufio.NewReader(c.conn)
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: shop.apim.localhost\r\nContent-Length: %d\r\n\r\n", method, path, len(body))
	if _, err := io.WriteString(c.conn, head+body); err != nil {
		return 0, "", fmt.Errorf("write: %w", err)
	}
	res, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return 0, "", fmt.Errorf("read head: %w", err)
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", fmt.Errorf("read body: %w", err)
	}
	if res.Close || !c.keep {
		err = c.conn.Close()
		c.conn = nil
	}
	return res.StatusCode, string(data), err
}

func startMachine(t testing.TB, compiler *service.Compiler, bundle service.Bundle, l net.Listener, opt engine.Options) (*engine.Server, <-chan error) {
	t.Helper()
	opt.Compiler = compiler
	srv := engine.New(opt)
	if _, err := srv.Apply(bundle); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	return srv, done
}

// TestDrain_FailsNoRequest replaces the machine behind an address again and again under load.
func TestDrain_FailsNoRequest(t *testing.T) {
	t.Parallel()
	drains := 20
	if testing.Short() {
		drains = 4
	}
	backend := gatewaytest.Record(t)
	backend.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d", n)
	})
	v := newVIP(t)
	bundle := gatewaytest.Shop(backend.URL).Bundle(t)
	compiler := gatewaytest.Compiler(t)
	opt := engine.Options{}
	cur, done := startMachine(t, compiler, bundle, v.listen(t), opt)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var finished, fresh atomic.Int64
	failures := make(chan string, 1000)
	var clients sync.WaitGroup
	for i := range 16 {
		clients.Go(func() {
			c := &raw{addr: v.addr, keep: i%2 == 0}
			body := ""
			if i%4 == 1 {
				body = strings.Repeat("x", 20<<10)
			}
			for ctx.Err() == nil {
				if c.conn == nil {
					fresh.Add(1)
				}
				method := "GET"
				if body != "" {
					method = "POST"
				}
				status, got, err := c.do(method, "/shop/x", body)
				if want := fmt.Sprint(len(body)); err != nil || status != 200 || got != want {
					select {
					case failures <- fmt.Sprintf("client %d: status %d, body %q, want %q: %v", i, status, got, want, err):
					default:
					}
					if c.conn != nil {
						_ = c.conn.Close()
						c.conn = nil
					}
				}
				finished.Add(1)
			}
			if c.conn != nil {
				_ = c.conn.Close()
			}
		})
	}
	for range drains {
		goal := finished.Load() + 400
		for finished.Load() < goal {
			time.Sleep(time.Millisecond)
		}
		next, nextDone := startMachine(t, compiler, bundle, v.listen(t), opt)
		limited, cancel := context.WithTimeout(ctx, 30*time.Second)
		if err := cur.Drain(limited); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if st := cur.Stats(); st.Conns != 0 || st.Active != 0 {
			t.Errorf("after the drain: %+v", st)
		}
		if err := cur.Close(); err != nil {
			t.Error(err)
		}
		cur, done = next, nextDone
	}
	stop()
	clients.Wait()
	if err := cur.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	close(failures)
	n := 0
	for f := range failures {
		if n++; n <= 10 {
			t.Error(f)
		}
	}
	t.Logf("%d drains, %d requests, %d connections, %d failures", drains, finished.Load(), fresh.Load(), n)
}

// TestDrain_EndsIdleConnections: kept ones, ones that never sent a byte, and ones in the middle of a head.
func TestDrain_EndsIdleConnections(t *testing.T) {
	t.Parallel()
	backend := gatewaytest.Record(t)
	srv, addr := gatewaytest.Start(t, engine.Options{DrainIdle: 50 * time.Millisecond}, gatewaytest.Shop(backend.URL))
	kept := &raw{addr: addr, keep: true}
	if status, _, err := kept.do("GET", "/shop/x", ""); status != 200 || err != nil {
		t.Fatal(status, err)
	}
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	half, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if _, err := io.WriteString(half, "GET /shop/late HTTP/1.1\r\nHost: shop.apim.localhost\r\n"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return srv.Stats().Conns == 3 })
	drained := make(chan error, 1)
	go func() { drained <- srv.Drain(t.Context()) }()
	for _, c := range []net.Conn{kept.conn, silent} {
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("idle connection: %v, want EOF", err)
		}
		_ = c.Close()
	}
	select {
	case err := <-drained:
		t.Fatalf("drained in the middle of a request: %v", err)
	default:
	}
	if _, err := io.WriteString(half, "\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(half), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || !res.Close {
		t.Fatalf("late request: %d, close %v", res.StatusCode, res.Close)
	}
	_ = half.Close()
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
}

// TestDrain_AnswersOneMoreRequest: a kept connection may send one within the time it is given.
func TestDrain_AnswersOneMoreRequest(t *testing.T) {
	t.Parallel()
	backend := gatewaytest.Record(t)
	srv, addr := gatewaytest.Start(t, engine.Options{DrainIdle: time.Minute}, gatewaytest.Shop(backend.URL))
	c := &raw{addr: addr, keep: true}
	if _, _, err := c.do("GET", "/shop/x", ""); err != nil {
		t.Fatal(err)
	}
	drained := make(chan error, 1)
	go func() { drained <- srv.Drain(t.Context()) }()
	waitFor(t, func() bool {
		probe, err := net.Dial("tcp", addr)
		if err == nil {
			_ = probe.Close()
		}
		return err != nil
	})
	status, _, err := c.do("GET", "/shop/x", "")
	if status != 200 || err != nil || c.conn != nil {
		t.Fatalf("status %d, %v, still open %v", status, err, c.conn != nil)
	}
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
}

func TestDrain_WaitsForRequestsAndGivesUpWithTheContext(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	backend := gatewaytest.Record(t)
	backend.Answer = func(w http.ResponseWriter, _ *http.Request) { <-release; fmt.Fprint(w, "late") }
	srv, addr := gatewaytest.Start(t, engine.Options{}, gatewaytest.Shop(backend.URL))
	answers := make(chan string, 1)
	go func() {
		c := &raw{addr: addr, keep: true}
		status, body, err := c.do("GET", "/shop/x", "")
		answers <- fmt.Sprint(status, body, err)
	}()
	waitFor(t, func() bool { return len(backend.Seen()) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := srv.Drain(ctx); err == nil || !strings.Contains(err.Error(), "1 connections and 1 requests are left") {
		t.Fatalf("drain: %v", err)
	}
	close(release)
	if got := <-answers; got != "200late<nil>" {
		t.Fatal(got)
	}
	if err := srv.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestStopListener: the machine lives on, connections of that listener end with their next answer, others do not.
func TestStopListener(t *testing.T) {
	t.Parallel()
	backend := gatewaytest.Record(t)
	srv, addr := gatewaytest.Start(t, engine.Options{}, gatewaytest.Shop(backend.URL))
	second := gatewaytest.Listen(t)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(second) }()
	a, b := &raw{addr: addr, keep: true}, &raw{addr: second.Addr().String(), keep: true}
	for _, c := range []*raw{a, b} {
		if _, _, err := c.do("GET", "/shop/x", ""); err != nil || c.conn == nil {
			t.Fatal(err)
		}
	}
	if err := srv.StopListener(second); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, c := range []*raw{a, b} {
		if status, _, err := c.do("GET", "/shop/x", ""); err != nil || status != 200 {
			t.Fatal(status, err)
		}
	}
	if a.conn == nil || b.conn != nil {
		t.Fatalf("open: %v, %v; want true, false", a.conn != nil, b.conn != nil)
	}
}

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("it did not happen")
}
