package agent_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// killAll ends processes of a folder by name, with SIGKILL.
func killAll(t testing.TB, pids map[string]int, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := syscall.Kill(pids[n], syscall.SIGKILL); err != nil {
			t.Fatalf("kill %s (%d): %v", n, pids[n], err)
		}
	}
	for _, n := range names {
		agenttest.Eventually(t, n+" is gone", func() bool { return !running(pids[n]) })
	}
}

// plain is an observation without what differs between two looks at the same.
func plain(o platform.Observation) platform.Observation {
	o.Boot, o.At = "", time.Time{}
	for id, m := range o.Machines {
		m.Since, m.Active, m.Conns, m.Answers = time.Time{}, 0, 0, platform.Answers{}
		o.Machines[id] = m
	}
	return o
}

func inventory(t testing.TB, h *agenttest.Host) fabric.Inventory {
	t.Helper()
	inv, err := h.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// loads are clients of a VIP and of the edge. The host name of every request is shop.example.
type loads []*load

func startLoads(t testing.TB, h *agenttest.Host, v platform.VIP) loads {
	t.Helper()
	l := loads{startLoad(plainAddr(h, v), 4), startLoad(h.Info.Edge.HTTP, 4)}
	l.more(t, 100)
	return l
}

// more waits for as many further good answers of each.
func (l loads) more(t testing.TB, n int64) {
	t.Helper()
	for _, one := range l {
		before := one.good.Load()
		agenttest.Eventually(t, "requests are answered on "+one.addr, func() bool { return one.good.Load() > before+n })
	}
}

// finish stops the clients, of whose requests at most so many may have failed.
func (l loads) finish(t testing.TB, most int64) {
	t.Helper()
	for _, one := range l {
		if good, failed := one.finish(t); failed > most {
			t.Errorf("%s: %d requests good, %d failed, want at most %d failed", one.addr, good, failed, most)
		}
	}
}

// An agent that is killed takes nothing with it, and the next one takes everything over: no process is started again,
// no request fails, and all that the agent was told holds.
func TestAgent_KilledIsSucceeded(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	v := servingVIP(t, h)
	name(t, h, "set", "shop.example")
	idle := reserve(t, h, "idle") // leads nowhere: no machine has it
	apply(t, h, setOf("parked", platform.Parked, 1))
	waitPhase(t, h, setOf("parked", platform.Parked, 1), platform.Ready)
	before, told, pids, edge := observe(t, h), inventory(t, h), pidsOf(t, l), h.Info.Edge
	load := startLoads(t, h, v)
	waiting, err := net.Dial("tcp", plainAddr(h, idle))
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close() //nolint:errcheck // only a test's connection
	for range 3 {
		killAll(t, pidsOf(t, l), "agent")
		load.more(t, 50) // without an agent
		h = startHost(t, l)
	}
	if d := cmp.Diff(edge, h.Info.Edge); d != "" {
		t.Errorf("addresses of the edge (-before +after):\n%s", d)
	}
	after := observe(t, h)
	if after.Boot == before.Boot {
		t.Error("another agent calls itself by the same name")
	}
	if d := cmp.Diff(plain(before), plain(after)); d != "" {
		t.Errorf("observation (-before +after):\n%s", d)
	}
	if d := cmp.Diff(told, inventory(t, h)); d != "" {
		t.Errorf("inventory (-before +after):\n%s", d)
	}
	now := pidsOf(t, l)
	delete(pids, "agent")
	delete(now, "agent")
	if d := cmp.Diff(pids, now); d != "" {
		t.Errorf("processes (-before +after):\n%s", d)
	}
	old := fabric.Lease{Service: service, Epoch: lease.Epoch - 1}
	if err := h.Delete(t.Context(), old, "set"); err == nil {
		t.Error("an old lease is taken by a new agent")
	}
	load.more(t, 50)
	// It is as good as the one before: the set moves, what waited is answered, the old machines go.
	s := setOf("next", platform.Serving, 1)
	apply(t, h, s)
	waitPhase(t, h, s, platform.Ready)
	route(t, h, v, "next")
	name(t, h, "next", "shop.example")
	route(t, h, idle, "next")
	if got := askOn(t, waiting, "x").Set; got != "next" {
		t.Errorf("set %s answers what waited, want next", got)
	}
	if err := h.Delete(t.Context(), lease, "set"); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, "the old machines are gone", func() bool { return len(observe(t, h).Machines) == 2 })
	load.finish(t, 0)
	for _, n := range []string{"set-0", "set-1"} {
		if running(pids[n]) {
			t.Errorf("%s still runs", n)
		}
	}
	if err := h.Release(t.Context(), lease, "idle"); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", plainAddr(h, idle)); err == nil {
		_ = c.Close()
		t.Error("a released address still takes connections")
	}
}

// What died while no agent ran is noticed by the next one, which starts it again: on the same sockets.
func TestAgent_SuccessorStartsWhatDied(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	v := servingVIP(t, h)
	name(t, h, "set", "shop.example")
	pids := pidsOf(t, l)
	killAll(t, pids, "agent", "edge", "set-1")
	// The machine that is left holds the queues of all three addresses.
	var waiting []net.Conn
	for range 4 {
		c, err := net.Dial("tcp", h.Info.Edge.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // only a test's connection
		waiting = append(waiting, c)
	}
	h = startHost(t, l)
	for _, c := range waiting {
		if got := askOn(t, c, "shop.example").Set; got != "set" {
			t.Errorf("set %s answers what waited at the edge, want set", got)
		}
	}
	waitPhase(t, h, setOf("set", platform.Serving, 2), platform.Ready)
	o := observe(t, h)
	if m := o.Machines["set-0"]; m.PID != pids["set-0"] || m.Restarts != 0 {
		t.Errorf("the machine that lived: %+v, want process %d and no restart", m, pids["set-0"])
	}
	if m := o.Machines["set-1"]; m.PID == pids["set-1"] || m.Restarts != 1 {
		t.Errorf("the machine that died: %+v, want another process and one restart", m)
	}
	if got := ask(t, plainAddr(h, v), "x").Set; got != "set" {
		t.Errorf("set %s answers, want set", got)
	}
}

// With agent, edge and all machines gone, the next agent opens the addresses anew and starts everything that it reads.
func TestAgent_SuccessorOfNothing(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	v := servingVIP(t, h)
	pids := pidsOf(t, l)
	killAll(t, pids, "agent", "edge", "set-0", "set-1")
	second := startHost(t, l)
	if d := cmp.Diff(h.Info.Edge, second.Info.Edge); d != "" {
		t.Errorf("addresses of the edge (-before +after):\n%s", d)
	}
	for addr, host := range map[string]string{plainAddr(second, v): "x", second.Info.Edge.HTTP: "a.example"} {
		if got := ask(t, addr, host).Set; got != "set" {
			t.Errorf("set %s answers on %s, want set", got, addr)
		}
	}
}

// An agent of another version has an edge of its own: the new one opens when the old one has stopped.
func TestAgent_SuccessorReplacesAnOldEdge(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	v := servingVIP(t, h)
	name(t, h, "set", "shop.example")
	pids := pidsOf(t, l)
	load := startLoads(t, h, v)
	killAll(t, pids, "agent")
	startHostWith(t, l, "version=test-2")
	agenttest.Eventually(t, "another edge runs", func() bool {
		now := pidsOf(t, l)["edge"]
		return now != 0 && now != pids["edge"]
	})
	load.more(t, 100)
	load.finish(t, 0)
	if running(pids["edge"]) {
		t.Error("the old edge still runs")
	}
}

// A process that runs and does not come back is stopped, and another takes its place.
func TestAgent_SuccessorStopsWhatDoesNotReturn(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	v := servingVIP(t, h)
	pids := pidsOf(t, l)
	if err := syscall.Kill(pids["set-0"], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	killAll(t, pids, "agent")
	h = startHost(t, l)
	waitPhase(t, h, setOf("set", platform.Serving, 2), platform.Ready)
	if running(pids["set-0"]) {
		t.Error("the machine that did not come back still runs")
	}
	if m := observe(t, h).Machines["set-1"]; m.PID != pids["set-1"] {
		t.Errorf("the machine that came back: %+v, want process %d", m, pids["set-1"])
	}
	if got := ask(t, plainAddr(h, v), "x").Set; got != "set" {
		t.Errorf("set %s answers, want set", got)
	}
}

// A machine that was asked to drain drains on, under the next agent, which removes it.
func TestAgent_SuccessorSeesADrainToItsEnd(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
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
	if _, err := fmt.Fprint(c, "GET /?wait=1s HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, "the request is in flight", func() bool { return observe(t, h).Machines["set-0"].Active == 1 })
	if err := h.Delete(t.Context(), lease, "set"); err != nil {
		t.Fatal(err)
	}
	waitPhase(t, h, s, platform.Stopping)
	killAll(t, pidsOf(t, l), "agent")
	h = startHost(t, l)
	if got := observe(t, h).Machines["set-0"]; got.Phase != platform.Stopping || got.Mode != platform.Draining {
		t.Errorf("the machine is %s and %s, want stopping and draining", got.Phase, got.Mode)
	}
	if got := answerOn(t, c).Set; got != "set" {
		t.Errorf("set %s answers what was in flight, want set", got)
	}
	agenttest.Eventually(t, "the machine is gone", func() bool { return len(observe(t, h).Machines) == 0 })
}

// A crash loop is not forgotten when the agent changes.
func TestAgent_SuccessorKnowsOfACrashLoop(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	s := setOf("set", platform.Serving, 1)
	s.Machines[0].Gateway = "crash"
	apply(t, h, s)
	agenttest.Eventually(t, "the machine loops", func() bool { return observe(t, h).Machines["set-0"].CrashLoop() })
	before := observe(t, h).Machines["set-0"]
	killAll(t, pidsOf(t, l), "agent")
	h = startHost(t, l)
	after := observe(t, h).Machines["set-0"]
	if after.Restarts < before.Restarts || !after.CrashLoop() || !strings.Contains(after.Error, "exit status 3") && after.Error == "" {
		t.Errorf("the machine had %+v, and has %+v", before, after)
	}
	mend(t, h)
	waitPhase(t, h, s, platform.Ready)
}

// Somebody else who has the number of a machine is not taken for it, nor signalled.
func TestAgent_SuccessorSparesAnotherProcessOfTheSameNumber(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	servingVIP(t, h)
	pids := pidsOf(t, l)
	killAll(t, pids, "agent", "edge", "set-0", "set-1")
	other := startOther(t, l, pids)
	h = startHost(t, l)
	waitPhase(t, h, setOf("set", platform.Serving, 2), platform.Ready)
	if !running(other) {
		t.Errorf("process %d was ended", other)
	}
	for id, m := range observe(t, h).Machines {
		if m.PID == other {
			t.Errorf("machine %s is process %d, which is another's", id, other)
		}
	}
}

// A process that comes without the secret of the one that it says it were is turned away.
func TestAgent_SuccessorTakesNobodyElse(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	v := servingVIP(t, h)
	pids := pidsOf(t, l)
	killAll(t, pids, "agent")
	data, err := os.ReadFile(l.AgentState())
	if err != nil {
		t.Fatal(err)
	}
	secret := secretOf(t, data, "set-0")
	if err := os.WriteFile(l.AgentState(), []byte(strings.Replace(string(data), secret, "another", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	h = startHost(t, l)
	waitPhase(t, h, setOf("set", platform.Serving, 2), platform.Ready)
	if now := pidsOf(t, l); now["set-0"] == pids["set-0"] || now["set-1"] != pids["set-1"] {
		t.Errorf("processes %v, were %v; want another set-0 alone", now, pids)
	}
	if !slices.Equal(observe(t, h).VIPs[v.ID], []string{"set"}) {
		t.Errorf("the VIP leads to %v", observe(t, h).VIPs[v.ID])
	}
}

// An agent with other settings does not carry on: it starts over where it is told to be.
func TestAgent_SuccessorWithOtherSettingsStartsOver(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHostWith(t, l, "some=setting")
	servingVIP(t, h)
	pids := pidsOf(t, l)
	killAll(t, pids, "agent")
	h = startHostWith(t, l, "some=other")
	if o := observe(t, h); len(o.Machines) > 0 || len(o.VIPs) > 0 {
		t.Errorf("observation %+v, want nothing", o)
	}
	for _, n := range []string{"edge", "set-0", "set-1"} {
		if running(pids[n]) {
			t.Errorf("%s of the killed agent still runs", n)
		}
	}
}

// A sleeping machine goes on sleeping under the next agent, and what came while there was none wakes it.
func TestSleep_OutlastsTheAgent(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	s := sleepy(t, h)
	waitPhase(t, h, s, platform.Asleep)
	agenttest.Eventually(t, "the process has ended", func() bool { return pidsOf(t, l)[s.Machines[0].ID] == 0 })
	killAll(t, pidsOf(t, l), "agent")
	h = startHost(t, l)
	if m := observe(t, h).Machines[s.Machines[0].ID]; m.Phase != platform.Asleep {
		t.Errorf("after the agent: %+v, want asleep", m)
	}
	killAll(t, pidsOf(t, l), "agent")
	answered := make(chan string)
	go func() { answered <- ask(t, h.Info.Edge.HTTP, "shop.example").Set }()
	h = startHost(t, l)
	if got := <-answered; got != s.ID {
		t.Errorf("set %q answers, want %s", got, s.ID)
	}
	waitPhase(t, h, s, platform.Asleep)
}

// A setting that the agent before did not have, because it was of another version, is no other setting.
func TestAgent_SuccessorWithOneMoreSettingCarriesOn(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	servingVIP(t, h)
	pids := pidsOf(t, l)
	killAll(t, pids, "agent")
	h = startHostWith(t, l, "new=setting")
	waitPhase(t, h, setOf("set", platform.Serving, 2), platform.Ready)
	if now := pidsOf(t, l); now["set-0"] != pids["set-0"] || now["set-1"] != pids["set-1"] {
		t.Errorf("processes %v, were %v", now, pids)
	}
}

// What the edge refuses when its agent is killed waits again under the next one: nobody has waited for that one yet.
func TestGap_BeginsAnewWithTheNextAgent(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHostWith(t, l, "gap=100ms")
	_, _, mended, addrs := unserved(t, h)
	for _, addr := range addrs {
		refused(t, addr, request)
	}
	killAll(t, pidsOf(t, l), "agent")
	for _, addr := range addrs {
		refused(t, addr, request)
	}
	h = startHostWith(t, l, "gap=1h")
	name(t, h, "set", "other.example") // returns when the edge knows what the new agent wants
	var waiting []net.Conn
	for _, addr := range addrs {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // only a test's connection
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, c)
	}
	mended(true)
	for i, c := range waiting {
		if got := answerOn(t, c).Set; got != "set" {
			t.Errorf("what waits at %s is answered by %q", addrs[i], got)
		}
	}
}
