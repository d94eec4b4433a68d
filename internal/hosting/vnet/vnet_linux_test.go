package vnet

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// capable skips where the kernel or the user does not allow virtual networks.
func capable(t *testing.T) *Host {
	t.Helper()
	if why := Trouble(); why != "" {
		t.Skip("virtual networks cannot be tested here: " + why)
	}
	h := NewHost(t.TempDir())
	t.Cleanup(func() {
		if err := h.RemoveAll(); err != nil {
			t.Error(err)
		}
		entries, _ := os.ReadDir(netnsFolder)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), h.prefix()) {
				t.Errorf("%s is left", e.Name())
			}
		}
	})
	return h
}

// pools are those of the tests under way.
var pools sync.Map

// public is an address outside every network, which this test alone has.
func public(t *testing.T, n int) netip.Addr {
	t.Helper()
	pool, ok := pools.Load(t)
	if !ok {
		claimed, err := NewHost(t.TempDir()).Claim(netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.19.252.0/22"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			pools.Delete(t)
			_ = os.Remove(claim(claimed))
		})
		pools.Store(t, claimed)
		pool = claimed
	}
	raw := pool.(netip.Prefix).Addr().As4()
	raw[3] = byte(n)
	return netip.AddrFrom4(raw)
}

func place(t *testing.T, id, network string, n int) Place {
	return Place{
		ID: id, Network: network, Subnet: network + "/a", Space: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")},
		Prefix: netip.MustParsePrefix("10.0.1.0/24"), Address: netip.AddrFrom4([4]byte{10, 0, 1, byte(250 - n)}), Outward: public(t, n),
	}
}

// serve answers with a name on an address in a place, until the test ends.
func serve(t *testing.T, h *Host, id, address, name string) {
	t.Helper()
	var l net.Listener
	err := h.Enter(id, func() (err error) {
		l, err = net.Listen("tcp4", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, name)
			_ = c.Close()
		}
	}()
}

// ask connects from somewhere and returns what it reads.
func ask(dial func(func() error) error, address string) (string, error) {
	return askWithin(10*time.Second, dial, address)
}

// knock is ask where no answer is expected: what does not connect within a moment is blocked.
func knock(dial func(func() error) error, address string) (string, error) {
	return askWithin(300*time.Millisecond, dial, address)
}

func askWithin(limit time.Duration, dial func(func() error) error, address string) (string, error) {
	var c net.Conn
	err := dial(func() (err error) {
		c, err = net.DialTimeout("tcp4", address, limit)
		return err
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(limit))
	text, err := io.ReadAll(c)
	return string(text), err
}

func fromHost(f func() error) error { return f() }

func (h *Host) fromRouter(network string) func(func() error) error {
	return func(f func() error) error {
		s, err := findSpace(h.Router(network))
		if err != nil {
			return err
		}
		defer s.close()
		return s.within(f)
	}
}

func want(t *testing.T, what, text string, err error, name string) {
	t.Helper()
	if err != nil || text != name {
		t.Errorf("%s: %q, %v; want %q", what, text, err, name)
	}
}

func wantBlocked(t *testing.T, what, text string, err error) {
	t.Helper()
	if !os.IsTimeout(err) && err == nil {
		t.Errorf("%s: reached %q, want nothing", what, text)
	}
}

func TestPlaces_WithOverlappingAddresses(t *testing.T) {
	t.Parallel()
	h := capable(t)
	for i, network := range []string{"one", "two"} {
		p := place(t, "place-"+network, network, 1)
		p.Outward = public(t, i+1)
		for range 2 { // twice is once
			if err := h.Attach(p); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Settle(p.ID, netip.MustParseAddr("10.0.1.4")); err != nil {
			t.Fatal(err)
		}
		serve(t, h, p.ID, p.Outward.String()+":9080", network)
		serve(t, h, p.ID, "10.0.1.4:9080", network+" inside")
	}
	for i, network := range []string{"one", "two"} {
		text, err := ask(fromHost, public(t, i+1).String()+":9080")
		want(t, "public address of "+network, text, err, network)
		text, err = ask(h.fromRouter(network), "10.0.1.4:9080")
		want(t, "private address of "+network, text, err, network+" inside")
	}
	if text, _ := knock(fromHost, "10.0.1.4:9080"); text != "" {
		t.Errorf("a private address is reached from outside: %q", text)
	}
}

func TestPlaces_RulesHold(t *testing.T) {
	t.Parallel()
	h := capable(t)
	p := place(t, "p", "n", 1)
	p.Filter = true
	p.Rules = []Rule{
		{Inbound: true, Allow: true, Protocol: "tcp", Outside: true, LocalPorts: []Ports{{9080, 9081}}},
		{Inbound: true, Protocol: "tcp", Remote: p.Space, LocalPorts: []Ports{{9082, 9082}}},
		{Inbound: true, Allow: true, Remote: p.Space},
		{Allow: true, Remote: p.Space},
		{Allow: true, Protocol: "tcp", Outside: true, RemotePorts: []Ports{{9090, 9090}}},
	}
	if err := h.Attach(p); err != nil {
		t.Fatal(err)
	}
	out := p.Outward.String()
	for _, port := range []string{"9080", "9082"} {
		serve(t, h, p.ID, out+":"+port, port)
		serve(t, h, p.ID, p.Address.String()+":"+port, port)
	}
	text, err := ask(fromHost, out+":9080")
	want(t, "an open port from outside", text, err, "9080")
	text, err = knock(fromHost, out+":9082")
	wantBlocked(t, "a closed port from outside", text, err)
	text, err = ask(h.fromRouter("n"), p.Address.String()+":9080")
	want(t, "from inside", text, err, "9080")
	text, err = knock(h.fromRouter("n"), p.Address.String()+":9082")
	wantBlocked(t, "a denied port from inside", text, err)

	outward := func(f func() error) error { return h.Enter(p.ID, f) }
	for _, port := range []string{"9090", "9091"} {
		l, err := net.Listen("tcp4", hostAddress.String()+":"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, c.RemoteAddr().(*net.TCPAddr).IP.String())
				_ = c.Close()
			}
		}()
	}
	text, err = ask(outward, hostAddress.String()+":9090")
	want(t, "outbound, by the public address", text, err, out)
	text, err = knock(outward, hostAddress.String()+":9091")
	wantBlocked(t, "outbound to a port that no rule allows", text, err)

	p.Rules = p.Rules[1:] // the rule for clients goes
	if err := h.Attach(p); err != nil {
		t.Fatal(err)
	}
	text, err = knock(fromHost, out+":9080")
	wantBlocked(t, "a port whose rule went", text, err)
	p.Filter = false
	if err := h.Attach(p); err != nil {
		t.Fatal(err)
	}
	text, err = ask(fromHost, out+":9082")
	want(t, "without a group", text, err, "9082")
}

// Two places in one virtual network reach each other, in one subnet and in two.
func TestPlaces_ReachEachOther(t *testing.T) {
	t.Parallel()
	h := capable(t)
	a, b, c := place(t, "a", "n", 1), place(t, "b", "n", 2), place(t, "c", "n", 3)
	c.Subnet, c.Prefix, c.Address = "n/c", netip.MustParsePrefix("10.0.2.0/24"), netip.MustParseAddr("10.0.2.250")
	for _, p := range []Place{a, b, c} {
		if err := h.Attach(p); err != nil {
			t.Fatal(err)
		}
		serve(t, h, p.ID, p.Address.String()+":9080", p.ID)
	}
	for _, p := range []Place{b, c} {
		text, err := ask(func(f func() error) error { return h.Enter("a", f) }, p.Address.String()+":9080")
		want(t, "from a to "+p.ID, text, err, p.ID)
	}
	if err := errors.Join(h.Detach("a", "n"), h.Detach("b", "n"), h.Detach("b", "n")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(netnsFolder + "/" + h.Router("n")); err != nil {
		t.Errorf("the network went before its last place: %v", err)
	}
	if err := h.Detach("c", "n"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(netnsFolder + "/" + h.Router("n")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the network is left: %v", err)
	}
}

// An agent that dies while it makes or removes a namespace leaves its name, as an ordinary file: that is in nobody's way.
func TestPlaces_NamesThatWereNotFinished(t *testing.T) {
	t.Parallel()
	h := capable(t)
	p := place(t, "one", "/net", 1)
	names := []string{h.Router(p.Network), h.Namespace(p.ID)}
	leave := func(name string) {
		if err := os.WriteFile(netnsFolder+"/"+name, nil, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		leave(name)
	}
	if err := h.Attach(p); err != nil {
		t.Fatal(err)
	}
	serve(t, h, "one", ":80", "one")
	got, err := ask(fromHost, p.Outward.String()+":80")
	want(t, "from outside", got, err, "one")
	if err := h.Detach(p.ID, p.Network); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		leave(name)
	}
	if err := h.Detach(p.ID, p.Network); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := os.Stat(netnsFolder + "/" + name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

func TestWithdraw_TakesAnAddressAway(t *testing.T) {
	t.Parallel()
	h := capable(t)
	p := place(t, "p", "n", 1)
	if err := h.Attach(p); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Settle("p", netip.MustParseAddr("10.0.1.4")), h.Withdraw("p", netip.MustParseAddr("10.0.1.4")), h.Withdraw("p", netip.MustParseAddr("10.0.1.4"))); err != nil {
		t.Fatal(err)
	}
	err := h.Enter("p", func() error {
		l, err := net.Listen("tcp4", "10.0.1.4:9080")
		if err == nil {
			_ = l.Close()
		}
		return err
	})
	if err == nil {
		t.Error("an address that was withdrawn is still there")
	}
}

// sees listens on an address of the host and answers everybody with the address that it is asked from.
func sees(t *testing.T, port string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp4", hostAddress.String()+":"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, c.RemoteAddr().(*net.TCPAddr).IP.String())
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

func (h *Host) from(place string) func(func() error) error {
	return func(f func() error) error { return h.Enter(place, f) }
}

// What a place sends out by a NAT gateway has that gateway's address, what it answers to has its own, and nothing comes
// in by the gateway. Another place of the network goes out by itself.
func TestNAT_GivesItsAddress(t *testing.T) {
	t.Parallel()
	h := capable(t)
	a, b := place(t, "a", "n", 1), place(t, "b", "n", 2)
	a.NAT = []netip.Addr{public(t, 3)}
	if err := errors.Join(h.Attach(b), h.Attach(a, b), h.Attach(a, b)); err != nil {
		t.Fatal(err)
	}
	serve(t, h, "a", a.Outward.String()+":9080", "a")
	serve(t, h, "a", a.Address.String()+":9080", "a inside")
	host := sees(t, "9191")
	text, err := ask(h.from("a"), host)
	want(t, "by the NAT gateway", text, err, a.NAT[0].String())
	text, err = ask(h.from("b"), host)
	want(t, "by itself", text, err, b.Outward.String())
	text, err = ask(fromHost, a.Outward.String()+":9080")
	want(t, "an answer", text, err, "a")
	text, err = ask(h.from("b"), a.Address.String()+":9080")
	want(t, "inside the network", text, err, "a inside")
	text, err = knock(fromHost, a.NAT[0].String()+":9080")
	wantBlocked(t, "in by the NAT gateway", text, err)

	was := a.NAT[0]
	a.NAT = []netip.Addr{public(t, 4), public(t, 5)}
	if err := h.Attach(a, b); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 32 {
		text, err = ask(h.from("a"), host)
		if err != nil {
			t.Fatal(err)
		}
		seen[text] = true
	}
	if len(seen) != 2 || seen[was.String()] || seen[a.Outward.String()] {
		t.Errorf("by two addresses: %v", seen)
	}
	a.NAT = nil
	if err := h.Attach(a, b); err != nil {
		t.Fatal(err)
	}
	text, err = ask(h.from("a"), host)
	want(t, "without the NAT gateway", text, err, a.Outward.String())

	a.NAT = []netip.Addr{was}
	if err := errors.Join(h.Attach(a, b), h.Detach("a", "n", b)); err != nil {
		t.Fatal(err)
	}
	text, err = ask(h.from("b"), host)
	want(t, "the other place", text, err, b.Outward.String())
	if here, _ := openHere(); here.has(h.natLink("n")) {
		t.Error("the leg of the NAT gateway is left")
	}
}

// What was reached at an address before is forgotten when a place gets it: the network hears of it.
func TestHost_AnnouncesAddresses(t *testing.T) {
	t.Parallel()
	h := capable(t)
	const network = "net"
	a, b := place(t, "a", network, 1), place(t, "b", network, 2)
	attach := func(p Place, beside ...Place) {
		t.Helper()
		if err := h.Attach(p, beside...); err != nil {
			t.Fatal(err)
		}
	}
	attach(a)
	attach(b, a)
	moving := netip.MustParseAddr("10.0.1.9")
	at := netip.AddrPortFrom(moving, 80).String()
	reached := func(id string) {
		t.Helper()
		if err := h.Settle(id, moving); err != nil {
			t.Fatal(err)
		}
		serve(t, h, id, at, id)
		if got, err := ask(h.fromRouter(network), at); err != nil || got != id {
			t.Errorf("%s: %q, %v; want %s", at, got, err, id)
		}
		if want, got := h.hardware(t, id), h.neighbor(t, network, moving); got != want {
			t.Errorf("%s is sought at %s, want %s of %s", at, got, want, id)
		}
	}
	reached("a")
	if err := h.Withdraw("a", moving); err != nil {
		t.Fatal(err)
	}
	reached("b")
	if err := h.Detach("b", network, a); err != nil {
		t.Fatal(err)
	}
	c := place(t, "c", network, 3)
	c.Address = b.Address
	attach(c, a)
	reached("c")
}

// hardware is the hardware address of a place in its subnet.
func (h *Host) hardware(t *testing.T, id string) string {
	t.Helper()
	s, err := findSpace(h.Namespace(id))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	l, err := s.nl.LinkByName(inSubnet)
	if err != nil {
		t.Fatal(err)
	}
	return l.Attrs().HardwareAddr.String()
}

// neighbor is the hardware address at which the router of a network seeks an address.
func (h *Host) neighbor(t *testing.T, network string, a netip.Addr) string {
	t.Helper()
	s, err := findSpace(h.Router(network))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	list, err := s.nl.NeighList(0, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		if n.IP.Equal(a.AsSlice()) {
			return n.HardwareAddr.String()
		}
	}
	return "nowhere"
}

// far is a place of another network with other addresses.
func far(t *testing.T, id, network string, n int) Place {
	p := place(t, id, network, n)
	p.Space, p.Prefix, p.Address = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, netip.MustParsePrefix("10.1.1.0/24"), netip.MustParseAddr("10.1.1.250")
	return p
}

// Networks that are peered reach each other, whichever of them is there first, until they are peered no more.
func TestPeers_ReachEachOther(t *testing.T) {
	t.Parallel()
	h := capable(t)
	a, b := place(t, "a", "one", 1), far(t, "b", "two", 2)
	for _, p := range []Place{a, b} {
		if err := h.Attach(p); err != nil {
			t.Fatal(err)
		}
		serve(t, h, p.ID, p.Address.String()+":9080", p.ID)
	}
	text, err := knock(h.from("a"), b.Address.String()+":9080")
	wantBlocked(t, "a network that is no peer", text, err)
	peered, other := a, b
	peered.Peers, other.Peers = []Peer{{Network: "two", Space: b.Space}}, []Peer{{Network: "one", Space: a.Space}}
	if err := errors.Join(h.Attach(peered), h.Attach(other), h.Attach(peered)); err != nil {
		t.Fatal(err)
	}
	text, err = ask(h.from("a"), b.Address.String()+":9080")
	want(t, "the peer", text, err, "b")
	text, err = ask(h.from("b"), a.Address.String()+":9080")
	want(t, "the other way", text, err, "a")

	// It goes with one of the networks, and comes back.
	if err := h.Detach("b", "two"); err != nil {
		t.Fatal(err)
	}
	if err := h.Attach(other); err != nil {
		t.Fatal(err)
	}
	serve(t, h, "b", b.Address.String()+":9081", "b again")
	text, err = ask(h.from("a"), b.Address.String()+":9081")
	want(t, "the peer that is back", text, err, "b again")
	if err := errors.Join(h.Attach(a), h.Attach(b)); err != nil {
		t.Fatal(err)
	}
	text, err = knock(h.from("a"), b.Address.String()+":9081")
	wantBlocked(t, "a peer no more", text, err)
}

// Routes of a subnet lead nowhere or to an appliance, and the most specific one decides.
func TestRoutes_LeadElsewhere(t *testing.T) {
	t.Parallel()
	h := capable(t)
	a, fw := place(t, "a", "n", 1), place(t, "fw", "n", 2)
	fw.Subnet, fw.Prefix, fw.Address = "n/fw", netip.MustParsePrefix("10.0.2.0/24"), netip.MustParseAddr("10.0.2.250")
	if err := errors.Join(h.Attach(fw), h.Attach(a, fw)); err != nil {
		t.Fatal(err)
	}
	serve(t, h, "fw", fw.Address.String()+":9080", "fw")
	serve(t, h, "a", a.Outward.String()+":9080", "a")
	host := sees(t, "9292")
	text, err := ask(h.from("a"), host)
	want(t, "without a route", text, err, a.Outward.String())

	a.Routes = []Route{{To: everything, Hop: Nowhere}}
	if err := h.Attach(a, fw); err != nil {
		t.Fatal(err)
	}
	text, err = knock(h.from("a"), host)
	wantBlocked(t, "a route that leads nowhere", text, err)
	text, err = knock(fromHost, a.Outward.String()+":9080")
	wantBlocked(t, "the answer to a caller", text, err)
	text, err = ask(h.from("a"), fw.Address.String()+":9080")
	want(t, "inside the network", text, err, "fw")
	a.Routes = append(a.Routes, Route{To: netip.PrefixFrom(hostAddress, 32), Hop: Outside})
	if err := h.Attach(a, fw); err != nil {
		t.Fatal(err)
	}
	text, err = ask(h.from("a"), host)
	want(t, "a more specific route", text, err, a.Outward.String())

	// The appliance answers for an address that is nowhere else.
	const beyond = "192.0.2.7"
	err = h.Enter("fw", func() error {
		l, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix(beyond + "/32"))})
	})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, h, "fw", beyond+":9080", "beyond")
	text, err = knock(h.from("a"), beyond+":9080")
	wantBlocked(t, "without an appliance", text, err)
	a.Routes = []Route{{To: netip.MustParsePrefix("192.0.2.0/24"), Hop: Appliance, Via: fw.Address}}
	if err := h.Attach(a, fw); err != nil {
		t.Fatal(err)
	}
	text, err = ask(h.from("a"), beyond+":9080")
	want(t, "by the appliance", text, err, "beyond")
}
