//go:build linux

package guest

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// returns opens the socket on which machines come back.
func returns(t *testing.T, path string) *wire.Returns {
	t.Helper()
	r, err := wire.ListenReturns(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// takeBack accepts the next process and reads its offer.
func takeBack(t *testing.T, r *wire.Returns) (*wire.Conn, wire.Offer) {
	t.Helper()
	_ = r.SetDeadline(time.Now().Add(20 * time.Second))
	conn, _, err := r.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close() // one process at a time
	t.Cleanup(func() { _ = conn.Close() })
	o, err := conn.RecvOffer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return conn, o
}

// A machine whose agent is gone offers what it holds to the next one, and takes its orders.
func TestGuest_ReturnsToTheNextAgent(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "r")
	_, edge := listener(t)
	m := startTied(t, t.Context(), &echo{name: "still here"}, wire.Tie{Secret: "s", Socket: socket}, edge, edge)
	send, recv := pair(t)
	vip, vipFile := listener(t)
	addr := vip.Addr().String()
	m.Ready(7, "d")
	m.order(t, wire.Order{Gen: 3, Intake: true, VIPs: []string{"vip"}}, recv, recv, send, send, vipFile, vipFile)
	_, _ = vip.Close(), vipFile.Close() // the machine alone has it
	_ = m.agent.Close()
	for range 2 { // two agents, one after the other
		conn, o := takeBack(t, returns(t, socket))
		want := wire.Return{
			Format: wire.Format, Kind: wire.KindMachine, Name: "m", Secret: "s",
			Machine: &wire.FromMachine{Ready: true, Seq: 7, Digest: "d", Gen: 3},
			Order:   &wire.Order{Gen: 3, Intake: true, VIPs: []string{"vip"}},
		}
		if d := cmp.Diff(want, o.Return, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("what the machine says (-want +got):\n%s", d)
		}
		held := map[wire.Held]int{}
		for _, k := range o.Keeps {
			held[k.Held] = len(k.Files)
		}
		wantHeld := map[wire.Held]int{{Kind: wire.HeldEdge}: 2, {Kind: wire.HeldIntake, ID: "set"}: 4, {Kind: wire.HeldVIP, ID: "vip"}: 2}
		if d := cmp.Diff(wantHeld, held); d != "" {
			t.Errorf("what the machine gives (-want +got):\n%s", d)
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(c); err != nil || string(got) != "still here" {
			t.Errorf("an answer meanwhile: %q, %v", got, err)
		}
		_ = c.Close()
		_ = conn.Close()
	}
	conn, _ := takeBack(t, returns(t, socket))
	if err := conn.Send(wire.ToMachine{Order: &wire.Order{Gen: 4, Drain: true}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := <-m.ended; err != nil {
		t.Error(err)
	}
}

// slow is a handler that drains when it is let.
type slow struct {
	echo
	draining, drained chan struct{}
}

func (s *slow) Drain(context.Context) error {
	close(s.draining)
	<-s.drained
	return nil
}

// A machine that drains when its agent goes says so to the next one, and holds nothing to accept on.
func TestGuest_ReturnsWhileItDrains(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "r")
	h := &slow{draining: make(chan struct{}), drained: make(chan struct{})}
	m := startTied(t, t.Context(), h, wire.Tie{Socket: socket})
	_, vip := listener(t)
	m.order(t, wire.Order{Gen: 1, VIPs: []string{"vip"}}, vip, vip)
	if err := m.agent.Send(wire.ToMachine{Order: &wire.Order{Gen: 2, Drain: true}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	<-h.draining
	_ = m.agent.Close()
	conn, o := takeBack(t, returns(t, socket))
	if d := cmp.Diff(&wire.Order{Gen: 2, Drain: true}, o.Order); d != "" || len(o.Keeps) > 0 {
		t.Errorf("order (-want +got):\n%s\nand %d things held, want none", d, len(o.Keeps))
	}
	close(h.drained)
	for {
		var last wire.FromMachine
		if _, err := conn.Recv(&last); err != nil {
			t.Fatal(err)
		}
		if last.Drained {
			break
		}
	}
	if err := <-m.ended; err != nil {
		t.Error(err)
	}
}
