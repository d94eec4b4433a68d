package agent_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/hosting/vnet"
	"github.com/portico-dev/portico/internal/platform"
)

// attachment is an injection into a subnet whose group lets clients in from everywhere.
func attachment(id string) platform.Attachment {
	web := platform.SecurityRule{
		Name: "web", Priority: 100, Inbound: true, Allow: true, Protocol: "Tcp", Sources: []string{"Internet"}, Destinations: []string{"VirtualNetwork"},
		SourcePorts: []platform.PortRange{{First: 0, Last: 65535}}, Ports: []platform.PortRange{{First: 1, Last: 65535}},
	}
	return platform.Attachment{
		ID: id, Network: "/vnet", Space: []netip.Prefix{netip.MustParsePrefix("10.213.0.0/16")}, Subnet: "/vnet/subnets/one", Prefix: netip.MustParsePrefix("10.213.1.0/24"),
		Filter: true, Rules: append([]platform.SecurityRule{web}, platform.DefaultSecurityRules()...),
	}
}

// injected lists a set whose machines are in a subnet.
func injected(id, injection string) platform.Set {
	s := setOf(id, platform.Serving, 1)
	s.Injection = &platform.Injection{ID: injection, Mode: platform.External, Subnet: "/vnet/subnets/one"}
	return s
}

// networksOr skips where the agent makes no virtual networks.
func networksOr(t *testing.T, h *agenttest.Host) fabric.Networks {
	t.Helper()
	n, err := h.Networks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n.Trouble != "" {
		t.Skip("virtual networks cannot be tested here: " + n.Trouble)
	}
	return n
}

func attach(t *testing.T, h *agenttest.Host, a platform.Attachment) {
	t.Helper()
	if err := h.Attach(t.Context(), lease, a, nil); err != nil {
		t.Fatal(err)
	}
}

func reserveVIP(t *testing.T, h *agenttest.Host, v platform.VIP) platform.VIP {
	t.Helper()
	address, err := h.Reserve(t.Context(), lease, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	v.Address = address
	return v
}

// inNetwork is where a VIP in a virtual network takes plain connections.
func inNetwork(v platform.VIP) string { return net.JoinHostPort(v.Address, "80") }

// Limits of reaches: what should be reached may be on a busy host, what should not is not waited for.
const (
	patient = 30 * time.Second
	brief   = 300 * time.Millisecond
)

// reaches says whether an address takes connections within a limit.
func reaches(address string, limit time.Duration) bool {
	c, err := net.DialTimeout("tcp4", address, limit)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// whoAnswers is the machine that answers on an address within a moment; empty for none.
func whoAnswers(address string) string {
	client := &http.Client{Timeout: time.Second}
	resp, err := client.Get("http://" + address + "/")
	if err != nil {
		return ""
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var a agenttest.Answer
	_ = json.NewDecoder(resp.Body).Decode(&a) // somebody else's answer is none
	return a.Machine
}

func namespaceOf(t *testing.T, pid int) string {
	t.Helper()
	name, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// The machines of a set in a virtual network live there, its public address leads to them through the rules of the
// subnet, an address inside leads to them from inside alone, and a new agent carries on with all of it.
func TestInjection_MachinesLiveInTheirSubnet(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	pool, err := netip.ParsePrefix(networksOr(t, h).Pool)
	if err != nil {
		t.Fatal(err)
	}
	a := attachment("n1")
	attach(t, h, a)
	s := injected("set", "n1")
	apply(t, h, s)
	public := reserveVIP(t, h, platform.VIP{ID: "public", Injection: "n1"})
	private := reserveVIP(t, h, platform.VIP{ID: "private", Injection: "n1", Inside: true})
	if addr, err := netip.ParseAddr(public.Address); err != nil || !pool.Contains(addr) {
		t.Errorf("the public address %s is not of the pool %s", public.Address, pool)
	}
	if private.Address != "10.213.1.4" {
		t.Errorf("the address inside is %s, want 10.213.1.4", private.Address)
	}
	waitPhase(t, h, s, platform.Ready)
	route(t, h, public, "set")
	route(t, h, private, "set")

	pid := observe(t, h).Machines["set-0"].PID
	if inside, here := namespaceOf(t, pid), namespaceOf(t, os.Getpid()); inside == here {
		t.Errorf("the machine is in the host's namespace %s", here)
	}
	if got := ask(t, inNetwork(public), "shop.example").Machine; got != "set-0" {
		t.Errorf("the public address leads to %q", got)
	}
	if got := whoAnswers(inNetwork(private)); got == "set-0" { // another host may have the same address
		t.Error("the address inside is reached from outside")
	}
	closed := a
	closed.Rules = platform.DefaultSecurityRules()
	attach(t, h, closed)
	if reaches(inNetwork(public), brief) {
		t.Error("the public address is reached though no rule lets through")
	}
	attach(t, h, a)

	killAll(t, pidsOf(t, l), "agent")
	h = startHost(t, l)
	if got := ask(t, inNetwork(public), "shop.example"); got.PID != pid {
		t.Errorf("process %d answers after the agent was killed, want %d", got.PID, pid)
	}
	if again := reserveVIP(t, h, private); again.Address != private.Address {
		t.Errorf("the address inside is %s, was %s", again.Address, private.Address)
	}
	if inv := inventory(t, h); len(inv.Attachments) != 1 || inv.Attachments[0].ID != "n1" {
		t.Errorf("attachments after the agent was killed: %+v", inv.Attachments)
	}

	// Everything goes with the agent.
	if err := agent.StopAll(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	names := vnet.NewHost(l.Dir)
	for _, name := range []string{names.Namespace("n1"), names.Router("/vnet")} {
		if _, err := os.Stat("/run/netns/" + name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("namespace %s is left: %v", name, err)
		}
	}
}

func TestInjection_IsDetached(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	networksOr(t, h)
	attach(t, h, attachment("n1"))
	v := reserveVIP(t, h, platform.VIP{ID: "v", Injection: "n1"})
	if !reaches(inNetwork(v), patient) {
		t.Error("connections do not wait at an address without machines")
	}
	if err := h.Release(t.Context(), lease, "v"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Detach(t.Context(), lease, "n1"); err != nil {
			t.Fatal(err)
		}
	}
	if inv := inventory(t, h); len(inv.Attachments) != 0 {
		t.Errorf("attachments: %+v", inv.Attachments)
	}
	_, err := h.Reserve(t.Context(), lease, platform.VIP{ID: "v", Injection: "n1"}, nil)
	if !errors.Is(err, fabric.ErrImpossible) {
		t.Errorf("an address that leads nowhere: %v", err)
	}
}

// A move within a subnet that gives a new address has two for a while; the old one goes with its VIP.
func TestInjection_TwoAddresses(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	networksOr(t, h)
	a := attachment("n1")
	attach(t, h, a)
	old := reserveVIP(t, h, platform.VIP{ID: "old", Injection: "n1"})
	next := reserveVIP(t, h, platform.VIP{ID: "next", Injection: "n1"})
	if old.Address == next.Address {
		t.Fatalf("both have the address %s", old.Address)
	}
	a.Address = next.Address
	attach(t, h, a)
	for _, v := range []platform.VIP{old, next} {
		if !reaches(inNetwork(v), patient) {
			t.Errorf("%s is not reached", v.ID)
		}
	}
	if err := h.Release(t.Context(), lease, "old"); err != nil {
		t.Fatal(err)
	}
	if !reaches(inNetwork(next), patient) {
		t.Error("the new address is not reached when the old one is released")
	}
	err := vnet.NewHost(h.Layout.Dir).Enter("n1", func() error {
		l, err := net.Listen("tcp4", net.JoinHostPort(old.Address, "9080"))
		if err == nil {
			_ = l.Close()
		}
		return err
	})
	if err == nil {
		t.Error("the old address is still there")
	}
}

// What an agent had begun to make when it died is known to the next, so that it can be detached.
func TestInjection_IsKnownBeforeItIsMade(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	networksOr(t, h)
	inTheWay := "/run/netns/" + vnet.NewHost(l.Dir).Namespace("n1")
	if err := os.MkdirAll(inTheWay+"/full", 0o700); err != nil {
		t.Fatal(err)
	}
	err := h.Attach(t.Context(), lease, attachment("n1"), nil)
	killAll(t, pidsOf(t, l), "agent")
	if gone := os.RemoveAll(inTheWay); gone != nil {
		t.Fatal(gone)
	}
	if err == nil {
		t.Fatal("the place was made")
	}
	h = startHost(t, l)
	if inv := inventory(t, h); len(inv.Attachments) != 1 || inv.Attachments[0].ID != "n1" {
		t.Errorf("attachments after the agent was killed: %+v", inv.Attachments)
	}
}

// An address that an agent gave a place just before it died, and that no VIP came to have, is nobody's.
func TestInjection_AddressesOfNoVIPGo(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	networksOr(t, h)
	attach(t, h, attachment("n1"))
	private := reserveVIP(t, h, platform.VIP{ID: "private", Injection: "n1", Inside: true})
	killAll(t, pidsOf(t, l), "agent")
	const left = "10.213.1.77"
	names := vnet.NewHost(l.Dir)
	if err := names.Settle("n1", netip.MustParseAddr(left)); err != nil {
		t.Fatal(err)
	}
	startHost(t, l)
	has := func(address string) bool {
		return names.Enter("n1", func() error {
			l, err := net.Listen("tcp4", net.JoinHostPort(address, "9080"))
			if err == nil {
				_ = l.Close()
			}
			return err
		}) == nil
	}
	if has(left) {
		t.Error("the address that no VIP has is still there")
	}
	if !has(private.Address) {
		t.Error("the address of a VIP is gone")
	}
}

// A probe connects as the machines of an injection would: by its addresses and through its rules.
func TestProbe_FromAnInjection(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	networksOr(t, h)
	attach(t, h, attachment("n1"))
	v := reserveVIP(t, h, platform.VIP{ID: "v", Injection: "n1"})
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only a test's listener
	_, port, _ := net.SplitHostPort(l.Addr().String())
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	probe := func(p platform.Probe) platform.Reach {
		t.Helper()
		p.Protocol = "TCP"
		r, err := h.Probe(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := probe(platform.Probe{Address: "127.0.0.1", Port: number}); r.Failed != 0 || r.To != "127.0.0.1" {
		t.Errorf("from the host: %+v", r)
	}
	if r := probe(platform.Probe{Injection: "n1", Address: "127.0.0.1", Port: number}); r.Failed != r.Sent {
		t.Errorf("the host's loopback is reached from inside a network: %+v", r)
	}
	if r := probe(platform.Probe{Injection: "n1", Address: v.Address, Port: 80}); r.Failed != 0 || r.From != v.Address {
		t.Errorf("from inside: %+v", r)
	}
}

// A VIP that wants an address gets that one, which nobody else has.
func TestReserve_GivesTheAddressThatIsWanted(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	first, err := h.Reserve(t.Context(), lease, platform.VIP{ID: "first"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := netip.MustParseAddr(first).Next().Next().String()
	if got, err := h.Reserve(t.Context(), lease, platform.VIP{ID: "second", Wanted: want}, []string{want}); err != nil || got != want {
		t.Errorf("the address is %s, %v; want %s", got, err, want)
	}
	if _, err := h.Reserve(t.Context(), lease, platform.VIP{ID: "third", Wanted: first}, nil); !errors.Is(err, fabric.ErrNoAddress) {
		t.Errorf("an address that somebody has: %v, want ErrNoAddress", err)
	}
}

// The public addresses of a folder are its alone: two that picked the same would take them from each other.
func TestInjection_PoolIsClaimed(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	n := networksOr(t, h)
	dir, err := os.Readlink("/run/portico/pools/" + strings.ReplaceAll(n.Pool, "/", "-"))
	if err != nil || dir != h.Layout.Dir {
		t.Errorf("pool %s is claimed by %q, %v; want %s", n.Pool, dir, err, h.Layout.Dir)
	}
}

// An address of a virtual network, whose socket is in a namespace of its own, is refused like any other.
func TestGap_IsBoundedInANetwork(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, func(o *agent.Options) { o.GapTime = 100 * time.Millisecond })
	networksOr(t, h)
	attach(t, h, attachment("n1"))
	s := injected("set", "n1")
	s.Machines[0].Gateway = "crash"
	mended := mender(t, h, s)
	apply(t, h, s)
	v := reserveVIP(t, h, platform.VIP{ID: "public", Injection: "n1"})
	v.Sets = []string{"set"}
	if err := h.Route(t.Context(), lease, v); err != nil {
		t.Fatal(err)
	}
	refused(t, inNetwork(v), request)
	mended(true)
	servesAgain(t, inNetwork(v))
}
