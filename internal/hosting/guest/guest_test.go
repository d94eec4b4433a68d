package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

var quiet = slog.New(slog.DiscardHandler)

// echo is a handler that writes back its name and what it reads.
type echo struct {
	name  string
	conns sync.WaitGroup
}

func (e *echo) Serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		e.conns.Go(func() {
			defer c.Close() //nolint:errcheck // only a test's connection
			_, _ = io.WriteString(c, e.name)
			_, _ = io.Copy(c, c)
		})
	}
}

func (e *echo) ServeTLS(l net.Listener) error     { return e.Serve(l) }
func (e *echo) StopListener(l net.Listener) error { return l.Close() }
func (e *echo) Drain(context.Context) error       { e.conns.Wait(); return nil }

// machine is a guest and the agent's end of its channel.
type machine struct {
	*Guest
	agent *wire.Conn
	ended chan error
	seen  chan wire.FromMachine
}

func startMachine(t *testing.T, ctx context.Context, h Handler) *machine { //nolint:revive // the test comes first
	t.Helper()
	return startTied(t, ctx, h, wire.Tie{})
}

// startTied is startMachine with a tie and the listeners of an edge.
func startTied(t *testing.T, ctx context.Context, h Handler, tie wire.Tie, edge ...*wire.Handle) *machine { //nolint:revive // the test comes first
	t.Helper()
	ours, theirs, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := wire.NewConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	config := fabric.MachineConfig{Machine: platform.Machine{ID: "m"}, Set: "set", Key: []byte("k")}
	if err := conn.Send(wire.ToMachine{Config: &config, Tie: tie}, time.Minute, edge...); err != nil {
		t.Fatal(err)
	}
	g, err := AttachTo(theirs, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config, g.Config()); diff != "" {
		t.Errorf("config (-told +got):\n%s", diff)
	}
	m := &machine{Guest: g, agent: conn, ended: make(chan error, 1), seen: make(chan wire.FromMachine, 100)}
	go func() { m.ended <- g.Run(ctx, h) }()
	go func() {
		defer close(m.seen)
		for {
			var r wire.FromMachine
			if _, err := conn.Recv(&r); err != nil {
				return
			}
			m.seen <- r
		}
	}()
	return m
}

// order sends an order and waits until the machine says that it holds.
func (m *machine) order(t *testing.T, o wire.Order, files ...*wire.Handle) {
	t.Helper()
	if err := m.agent.Send(wire.ToMachine{Order: &o}, time.Minute, files...); err != nil {
		t.Fatal(err)
	}
	for r := range m.seen {
		if r.Gen == o.Gen {
			return
		}
	}
	t.Fatalf("order %d was not acknowledged", o.Gen)
}

func pair(t *testing.T) (send, recv *wire.Handle) {
	t.Helper()
	send, recv, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = send.Close(); _ = recv.Close() })
	return send, recv
}

func listener(t *testing.T) (*net.TCPListener, *wire.Handle) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	f, err := wire.Take(l.(*net.TCPListener))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return l.(*net.TCPListener), f
}

// put hands a connection over as the edge does.
func put(t *testing.T, send *wire.Handle, c *net.TCPConn, head string) {
	t.Helper()
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a duplicate
	packet, rights := append([]byte{wire.HandOver}, head...), unix.UnixRights(int(f.Fd()))
	if err := send.Use(func(fd int) error { return unix.Sendmsg(fd, packet, rights, nil, 0) }); err != nil {
		t.Fatal(err)
	}
}

// client returns both ends of a connection.
func client(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, _ := listener(t)
	near, err := net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	_ = near.SetDeadline(time.Now().Add(20 * time.Second))
	return near, far
}

func TestGuest_ServesWhatItIsToldAndGivesItBack(t *testing.T) {
	t.Parallel()
	m := startMachine(t, t.Context(), &echo{name: "one:"})
	send, recv := pair(t)
	sendTLS, recvTLS := pair(t)
	vip, vipFile := listener(t)
	_, vipTLS := listener(t)
	files := []*wire.Handle{recv, recvTLS, send, sendTLS, vipFile, vipTLS}
	m.order(t, wire.Order{Gen: 1, Intake: true, VIPs: []string{"vip"}}, files...)
	m.order(t, wire.Order{Gen: 2, Intake: true, VIPs: []string{"vip"}}, files...) // changes nothing

	near, far := client(t)
	put(t, send, far, "GET ")
	_ = far.Close()
	if _, err := io.WriteString(near, "/"); err != nil {
		t.Fatal(err)
	}
	_ = near.CloseWrite()
	if got, err := io.ReadAll(near); err != nil || string(got) != "one:GET /" {
		t.Errorf("handed over: %q, %v, want what was read and what came after", got, err)
	}

	m.order(t, wire.Order{Gen: 3})
	c, err := net.Dial("tcp", vip.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only a test's connection
	_ = vip.SetDeadline(time.Now().Add(20 * time.Second))
	if got, err := vip.Accept(); err != nil {
		t.Errorf("a connection after the machine gave the VIP back: %v", err)
	} else if _ = got.Close(); got.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("accepted %s, want %s", got.RemoteAddr(), c.LocalAddr())
	}
}

func TestGuest_OrderWithWrongDescriptorsIsRefused(t *testing.T) {
	t.Parallel()
	m := startMachine(t, t.Context(), &echo{})
	_, recv := pair(t)
	if err := m.agent.Send(wire.ToMachine{Order: &wire.Order{Gen: 1, Intake: true}}, time.Minute, recv); err != nil {
		t.Fatal(err)
	}
	want := wire.FromMachine{Failed: "order 1 has 1 descriptors instead of 4"}
	if diff := cmp.Diff(want, <-m.seen); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	m.order(t, wire.Order{Gen: 2})
}

func TestGuest_ReportsTogether(t *testing.T) {
	t.Parallel()
	m := startMachine(t, t.Context(), &echo{})
	const most = 5000
	for i := range most {
		m.Report(Load{Active: i, Conns: 2 * i})
	}
	m.Ready(9, "d")
	m.Refused("policy of api x")
	want := wire.FromMachine{Ready: true, Seq: 9, Digest: "d", Active: most - 1, Conns: 2*most - 2, Refused: "policy of api x"}
	n := 0
	for got := range m.seen {
		if n++; got == want {
			break
		}
	}
	if n > 50 {
		t.Errorf("%d reports for %d changes", n, most)
	}
}

func TestGuest_DrainsWhenAsked(t *testing.T) {
	t.Parallel()
	m := startMachine(t, t.Context(), &echo{})
	if err := m.agent.Send(wire.ToMachine{Order: &wire.Order{Gen: 1, Drain: true}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := <-m.ended; err != nil {
		t.Errorf("run: %v", err)
	}
	want := []wire.FromMachine{{Gen: 1, Draining: true}, {Gen: 1, Draining: true, Drained: true}}
	if diff := cmp.Diff(want, slices.Collect(drained(m.seen))); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

func drained(c <-chan wire.FromMachine) func(func(wire.FromMachine) bool) {
	return func(yield func(wire.FromMachine) bool) {
		for r := range c {
			if !yield(r) {
				return
			}
		}
	}
}

// The loss of the channel changes nothing, until the process itself is asked to end.
func TestGuest_ServesOnWithoutAnAgent(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	m := startMachine(t, ctx, &echo{name: "still here"})
	vip, vipFile := listener(t)
	_, vipTLS := listener(t)
	m.order(t, wire.Order{Gen: 1, VIPs: []string{"vip"}}, vipFile, vipTLS)
	_ = m.agent.Close()
	for i := range 10 {
		m.Report(Load{Active: i, Conns: i})
		c, err := net.Dial("tcp", vip.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(c); err != nil || string(got) != "still here" {
			t.Errorf("connection %d: %q, %v", i, got, err)
		}
		_ = c.Close()
	}
	stop()
	if err := <-m.ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestAttach_WithoutAnAgent(t *testing.T) {
	t.Parallel()
	ours, theirs, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	_ = ours.Close() // an agent that died before it noted the machine
	if _, err := AttachTo(theirs, quiet); !errors.Is(err, io.EOF) {
		t.Errorf("attach: %v, want io.EOF", err)
	}
}

// However the listeners of two machines come and go, no connection in the queue is lost or served twice.
func TestIntake_ClosingLosesNothing(t *testing.T) {
	t.Parallel()
	send, recv := pair(t)
	const conns = 300
	got := make(chan string, conns)
	stop := make(chan struct{})
	var takers sync.WaitGroup
	for range 2 {
		takers.Go(func() { takeInTurns(t, recv, got, stop) })
	}
	want := map[string]int{}
	for i := range conns {
		near, far := client(t)
		head := fmt.Sprintf("connection %d", i)
		put(t, send, far, head)
		_ = far.Close()
		_ = near.Close()
		want[head] = 1
	}
	seen := map[string]int{}
	for range conns {
		seen[<-got]++
	}
	close(stop)
	takers.Wait()
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
}

// takeInTurns opens a listener, closes it while it accepts, and starts over.
func takeInTurns(t *testing.T, recv *wire.Handle, got chan<- string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		own, err := recv.Dup()
		if err != nil {
			t.Error(err)
			return
		}
		l, err := newIntake(own)
		if err != nil {
			t.Error(err)
			return
		}
		accepted := make(chan struct{}, 1)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				head, _ := io.ReadAll(c)
				_ = c.Close()
				got <- string(bytes.TrimSpace(head))
				signal(accepted)
			}
		}()
		select {
		case <-accepted:
		case <-stop:
		}
		_ = l.Close()
		<-ended
	}
}
