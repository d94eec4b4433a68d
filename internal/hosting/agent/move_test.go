package agent_test

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/platform"
)

// A route that moves to and fro, drains and restarts of machines: no request fails.
func TestRoute_MovesUnderLoadWithoutAFailure(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	old := setOf("old", platform.Serving, 1)
	apply(t, h, old)
	v := reserve(t, h, "vip")
	waitPhase(t, h, old, platform.Ready)
	route(t, h, v, "old")

	clients := startLoad(plainAddr(h, v), 8)
	young := setOf("new", platform.Serving, 2)
	apply(t, h, young)
	waitPhase(t, h, young, platform.Ready)
	const least = 3000
	for moves := 0; clients.good.Load() < least || moves < 6; moves++ {
		to := [][]string{{"new"}, {"old"}, {"old", "new"}}[moves%3]
		route(t, h, v, to...)
		before := clients.good.Load()
		agenttest.Eventually(t, "requests go on", func() bool { return clients.good.Load() > before+200 })
	}
	route(t, h, v, "new")
	apply(t, h, setOf("old", platform.Draining, 1))
	waitPhase(t, h, old, platform.Exited)
	apply(t, h, setOf("new", platform.Serving, 1)) // one of two goes
	agenttest.Eventually(t, "machine new-1 is gone", func() bool {
		_, there := observe(t, h).Machines["new-1"]
		return !there
	})
	if err := h.Delete(t.Context(), lease, "old"); err != nil {
		t.Fatal(err)
	}
	if good, failed := clients.finish(t); failed != 0 || good < 2000 {
		t.Errorf("%d requests good, %d failed; want at least 2000 and none", good, failed)
	}
}

// The old set goes on accepting while the new one is not ready, and the route shows that.
func TestRoute_WaitsForTheNewSet(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	old, young := setOf("old", platform.Serving, 1), setOf("new", platform.Parked, 1)
	apply(t, h, old)
	apply(t, h, young)
	v := reserve(t, h, "vip")
	waitPhase(t, h, old, platform.Ready)
	waitPhase(t, h, young, platform.Ready)
	route(t, h, v, "old")
	v.Sets = []string{"new"}
	if err := h.Route(t.Context(), lease, v); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, plainAddr(h, v), "x").Set; got != "old" {
		t.Errorf("set %s answered while new is parked, want old", got)
	}
	young.Machines[0].Mode = platform.Serving
	apply(t, h, young)
	route(t, h, v, "new")
	if got := ask(t, plainAddr(h, v), "x").Set; got != "new" {
		t.Errorf("set %s answered after the move, want new", got)
	}
}

// A parked machine gives everything back and answers what it has; it can serve again.
func TestMachine_ParksAndServesAgain(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := setOf("set", platform.Serving, 2)
	apply(t, h, s)
	v := reserve(t, h, "vip")
	waitPhase(t, h, s, platform.Ready)
	route(t, h, v, "set")
	before := observe(t, h).Machines["set-0"].PID
	clients := startLoad(plainAddr(h, v), 4)
	one := setOf("set", platform.Serving, 2)
	for range 4 {
		one.Machines[0].Mode = platform.Parked
		apply(t, h, one)
		waitMode(t, h, platform.Set{ID: "set", Machines: one.Machines[:1]}, platform.Parked)
		for range 20 {
			if got := ask(t, plainAddr(h, v), "x").Machine; got != "set-1" {
				t.Errorf("machine %s answered, want set-1: the other is parked", got)
			}
		}
		one.Machines[0].Mode = platform.Serving
		apply(t, h, one)
		waitMode(t, h, one, platform.Serving)
	}
	if good, failed := clients.finish(t); failed != 0 {
		t.Errorf("%d requests good, %d failed; want none", good, failed)
	}
	if after := observe(t, h).Machines["set-0"].PID; after != before {
		t.Errorf("process %d became %d by parking", before, after)
	}
}

// A machine that does not finish in time is killed.
func TestMachine_DrainIsBounded(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, func(o *agent.Options) { o.DrainTimeout = 300 * time.Millisecond })
	s := setOf("set", platform.Serving, 1)
	apply(t, h, s)
	v := reserve(t, h, "vip")
	waitPhase(t, h, s, platform.Ready)
	route(t, h, v, "set")
	c, err := net.Dial("tcp", plainAddr(h, v))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only a test's connection
	if _, err := io.WriteString(c, "GET /?wait=1h HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, "the request is in flight", func() bool { return observe(t, h).Machines["set-0"].Active == 1 })
	apply(t, h, setOf("set", platform.Draining, 1))
	waitPhase(t, h, s, platform.Exited)
	want := "did not drain in time or in order: signal: killed"
	if got := observe(t, h).Machines["set-0"]; got.Error != want || got.Restarts != 0 {
		t.Errorf("status %+v, want error %q and no restart", got, want)
	}
	apply(t, h, s) // listed to serve again, it does
	waitMode(t, h, s, platform.Serving)
}

// With no machine at all, connections wait in the kernel queue and are answered by the next one.
func TestVIP_ConnectionsWaitWithoutAMachine(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	v := reserve(t, h, "vip")
	c, err := net.Dial("tcp", plainAddr(h, v))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only a test's connection
	route(t, h, v)  // to nobody
	v.Sets = []string{"late"}
	if err := h.Route(t.Context(), lease, v); err != nil {
		t.Fatal(err)
	}
	apply(t, h, setOf("late", platform.Serving, 1))
	if got := askOn(t, c, "x").Set; got != "late" {
		t.Errorf("set %s answered, want late", got)
	}
}

// A killed machine cuts the connections that it held and nothing else, and is restarted.
func TestMachine_KilledCutsItsOwnConnectionsOnly(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := setOf("set", platform.Serving, 2)
	apply(t, h, s)
	v := reserve(t, h, "vip")
	waitPhase(t, h, s, platform.Ready)
	route(t, h, v, "set")
	const clients = 8
	load := startLoad(plainAddr(h, v), clients)
	agenttest.Eventually(t, "requests are answered", func() bool { return load.good.Load() > 300 })

	victim := observe(t, h).Machines["set-0"].PID
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, "the machine is back", func() bool {
		m := observe(t, h).Machines["set-0"]
		return m.Phase == platform.Ready && m.PID != victim && m.Restarts == 1
	})
	before := load.good.Load()
	agenttest.Eventually(t, "requests go on", func() bool { return load.good.Load() > before+300 })
	// Each client has at most one connection, and the victim held at most all of them.
	if good, failed := load.finish(t); failed > clients {
		t.Errorf("%d requests good, %d failed; want at most %d", good, failed, clients)
	}
}

// A machine runs the version that it is listed with, and what it says of itself is told.
func TestMachine_SaysItsVersionAndWhatItRefuses(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := setOf("set", platform.Parked, 3)
	for i, version := range []string{"", "picky", "missing"} {
		s.Machines[i].Gateway = version
	}
	apply(t, h, s)
	agenttest.Eventually(t, "all is told", func() bool {
		m := observe(t, h).Machines
		return m["set-0"].Phase == platform.Ready && m["set-0"].Gateway == agenttest.Version && m["set-0"].Refused == "" &&
			m["set-1"].Phase == platform.Ready && m["set-1"].Gateway == "picky" && m["set-1"].Refused == "/apis/a: too new" &&
			m["set-2"].Phase == platform.Exited && m["set-2"].Restarts > 0 && m["set-2"].Error == "could not start: gateway missing is not installed"
	})
}

// A machine that never was ready has accepted nothing: it gets no time to drain.
func TestMachine_ThatHangsAtStartGoesAtOnce(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, func(o *agent.Options) { o.DrainTimeout = time.Hour })
	s := setOf("set", platform.Serving, 1)
	s.Machines[0].Gateway = "hang"
	apply(t, h, s)
	agenttest.Eventually(t, "it starts", func() bool { return observe(t, h).Machines["set-0"].PID != 0 })
	s.Machines[0].Mode = platform.Draining
	apply(t, h, s)
	waitPhase(t, h, s, platform.Exited)
}

// A machine that cannot start is tried again with growing pauses; why it failed is kept; it comes once it can.
func TestMachine_CrashesAreRetriedAndTold(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := setOf("set", platform.Serving, 1)
	s.Machines[0].Gateway = "crash"
	apply(t, h, s)
	agenttest.Eventually(t, "it waits for the next start after three", func() bool {
		m := observe(t, h).Machines["set-0"]
		return m.Restarts >= 3 && m.CrashLoop() && m.Failures == m.Restarts+1 && m.NextStart.After(m.Since)
	})
	agenttest.Eventually(t, "the reason is told", func() bool {
		return observe(t, h).Machines["set-0"].Error == "exited without being asked: exit status 3"
	})
	mend(t, h)
	waitPhase(t, h, s, platform.Ready)
	if got := observe(t, h).Machines["set-0"]; got.Error != "" || !got.NextStart.IsZero() {
		t.Errorf("a ready machine has the error %q and starts again at %v, want neither", got.Error, got.NextStart)
	}
}
