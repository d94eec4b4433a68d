package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// releaseTime is how long Release waits for machines to give an address back before it returns all the same.
const releaseTime = 5 * time.Second

// vip is an open address. Its sockets listen for as long as it exists: with no machine at all, connections wait in
// the kernel's queue.
type vip struct {
	id      string
	address string
	files   []*wire.Handle // HTTP, HTTPS
	// injection is the ID of the place in a virtual network that it leads into; inside says that the address is the
	// subnet's.
	injection string
	inside    bool
	want      []string // the route: sets that should accept
	// allow is what holds on the way there: while it has more than want, the sets of want do not all accept yet.
	allow []string
	queue
}

func (v *vip) close() { wire.CloseAll(v.files) }

// reserve opens an address for a VIP, or returns the one it has.
func (a *agent) reserve(l fabric.Lease, v platform.VIP, avoid []string) (string, error) {
	if v.ID == "" {
		return "", invalid("a VIP needs an ID")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.admit(l); err != nil {
		return "", err
	}
	have, err := a.vipFor(v, avoid)
	if err != nil {
		return "", err
	}
	return have.address, nil
}

// vipFor returns the VIP of an ID and opens it if there is none. a.mu is held: binding does not wait for anything.
func (a *agent) vipFor(v platform.VIP, avoid []string) (*vip, error) {
	if have := a.vips[v.ID]; have != nil {
		if v.Address != "" && v.Address != have.address {
			return nil, invalid("VIP %s has the address %s, not %s", v.ID, have.address, v.Address)
		}
		return have, nil
	}
	made := &vip{id: v.ID, address: v.Address, injection: v.Injection, inside: v.Inside}
	var err error
	if v.Injection != "" {
		err = a.openInside(made, v.Wanted, avoid)
	} else if made.address = cmp.Or(v.Address, v.Wanted); made.address != "" {
		made.files, err = a.ports.openVIP(made.address)
	} else {
		skip := map[string]bool{}
		for _, s := range avoid {
			skip[s] = true
		}
		for _, other := range a.vips {
			skip[other.address] = true
		}
		made.address, made.files, err = a.ports.openAnyVIP(skip)
	}
	if refused := (*wire.Error)(nil); errors.As(err, &refused) {
		return nil, err
	}
	if err != nil {
		code := wire.CodeNoAddress
		if !inUse(err) && !errors.Is(err, errExhausted) {
			code = wire.CodeInvalid // an address that this host does not have, or a port that it may not use
		}
		return nil, &wire.Error{Code: code, Message: fmt.Sprintf("open VIP %s: %v", v.ID, err)}
	}
	a.vips[v.ID] = made
	a.edge.markVIP(v.ID)
	signal(a.edge.kick)
	a.bump()
	return made, nil
}

// route sets which sets accept on a VIP. A VIP that carries its address is opened if the agent does not have it.
func (a *agent) route(l fabric.Lease, v platform.VIP) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.admit(l); err != nil {
		return err
	}
	if a.vips[v.ID] == nil && v.Address == "" {
		return &wire.Error{Code: wire.CodeNotFound, Message: fmt.Sprintf("VIP %s is not reserved", v.ID)}
	}
	have, err := a.vipFor(v, nil)
	if err != nil {
		return err
	}
	if err := a.checkRoute(have, v.Sets); err != nil {
		return err
	}
	have.want = slices.Clone(v.Sets)
	for _, id := range v.Sets {
		if !slices.Contains(have.allow, id) {
			have.allow = append(have.allow, id)
		}
	}
	a.look()
	return nil
}

// checkRoute refuses a route that would give a set more VIPs than a machine takes. a.mu is held.
func (a *agent) checkRoute(v *vip, sets []string) error {
	for _, id := range sets {
		n := 1
		for _, other := range a.vips {
			if other != v && slices.Contains(other.allow, id) {
				n++
			}
		}
		if n > wire.MaxVIPs {
			return invalid("set %s would have %d VIPs; a machine accepts on %d", id, n, wire.MaxVIPs)
		}
	}
	return nil
}

// advance ends the first half of moves whose new sets all accept: from now on only they may. a.mu is held.
func (a *agent) advance() {
	for _, v := range a.vips {
		ready := true
		for _, id := range v.want {
			ready = ready && a.setAccepts(v, id)
		}
		if ready {
			v.allow = slices.Clone(v.want)
		}
	}
}

// setAccepts reports that every ready machine of a set accepts on v, and that there is one. a.mu is held.
func (a *agent) setAccepts(v *vip, id string) bool {
	s := a.sets[id]
	if s == nil {
		return false
	}
	some := false
	for _, m := range s.machines {
		if !m.mayAccept() {
			continue
		}
		if !slices.Contains(m.acked.VIPs, v.id) {
			return false
		}
		some = true
	}
	return some
}

// acceptingSets lists the sets of which a machine accepts on v right now, in the order of the route. a.mu is held.
func (a *agent) acceptingSets(v *vip) []string {
	found := map[string]bool{}
	for id, s := range a.sets {
		for _, m := range s.machines {
			if slices.Contains(m.acked.VIPs, v.id) {
				found[id] = true
			}
		}
	}
	list := []string{}
	for _, id := range append(slices.Clone(v.want), slices.Sorted(maps.Keys(found))...) {
		if found[id] {
			list = append(list, id)
			delete(found, id)
		}
	}
	return list
}

// release closes an address. Connections that wait in its queue are refused by the kernel when the last machine has
// given it back and the edge keeps it no longer, which release waits for.
func (a *agent) release(ctx context.Context, l fabric.Lease, id string) error {
	a.mu.Lock()
	if err := a.admit(l); err != nil {
		a.mu.Unlock()
		return err
	}
	v := a.vips[id]
	if v == nil {
		a.mu.Unlock()
		return nil
	}
	delete(a.vips, id)
	v.close()
	a.withdraw(v)
	a.edge.markVIP(id)
	rev := a.edge.rev
	a.look()
	a.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	_ = a.until(ctx, func() bool { return !a.held(id) && (!a.edge.up || a.edge.known >= rev) })
	return nil
}

// held reports that a machine may still have descriptors of a VIP. a.mu is held.
func (a *agent) held(id string) bool {
	for _, s := range a.sets {
		for _, m := range s.machines {
			if slices.Contains(m.acked.VIPs, id) || slices.Contains(m.maybe, id) {
				return true
			}
		}
	}
	return false
}

// listen opens a listening socket that this process never accepts on, and so does not poll: machines that get a
// duplicate do. The kernel cuts the backlog to its own limit (somaxconn).
func listen(at netip.AddrPort) (*wire.Handle, netip.AddrPort, error) {
	fd, err := socket(at.Addr())
	if err != nil {
		return nil, at, fmt.Errorf("listen on %s: %w", at, err)
	}
	bound, err := bindAndListen(fd, at)
	if err != nil {
		_ = unix.Close(fd)
		return nil, at, fmt.Errorf("listen on %s: %w", at, err)
	}
	return wire.NewHandle(fd), bound, nil
}

func socket(addr netip.Addr) (int, error) {
	family := unix.AF_INET
	if addr.Is6() {
		family = unix.AF_INET6
	}
	// Not every system can make a socket that is closed on exec from the start.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
}

func bindAndListen(fd int, at netip.AddrPort) (netip.AddrPort, error) {
	// A folder's address can be taken again while old connections are in TIME_WAIT; a second listener still fails.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return at, err
	}
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: int(at.Port()), Addr: addr4(at.Addr())}
	if at.Addr().Is6() {
		sa = &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return at, err
	}
	if err := unix.Listen(fd, 1<<15-1); err != nil {
		return at, err
	}
	got, err := unix.Getsockname(fd)
	if err != nil {
		return at, err
	}
	switch s := got.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(at.Addr(), uint16(s.Port)), nil //nolint:gosec // a port
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(at.Addr(), uint16(s.Port)), nil //nolint:gosec // a port
	}
	return at, errors.New("unknown family of address")
}

func addr4(a netip.Addr) [4]byte {
	if a.Is4() {
		return a.As4()
	}
	return [4]byte{}
}
