package vnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/failpoint"
)

// netnsFolder is where named namespaces are, for `ip netns` too.
const netnsFolder = "/run/netns"

// Trouble says why this process cannot make virtual networks, and what to do about it; empty when it can. It tries, in a
// namespace that nothing keeps.
func Trouble() string { return tried() }

var tried = sync.OnceValue(func() string {
	err := apart(try) // the namespace ends with the thread
	switch {
	case err == nil:
		return ""
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return "virtual networks need the capabilities CAP_NET_ADMIN and CAP_SYS_ADMIN, which the agent does not have. Stop it with `portico down` and start Portico as root: `sudo portico up`."
	}
	return fmt.Sprintf("its kernel does not make virtual networks (%v): they need network namespaces, bridges, veth and nf_tables. Load the modules with `sudo modprobe -a bridge veth nf_tables`, then `portico down` and `sudo portico up`.", err)
})

func try() error {
	if err := os.MkdirAll(netnsFolder, 0o755); err != nil { //nolint:gosec // as `ip netns` makes it
		return err
	}
	if err := unix.Access(netnsFolder, unix.W_OK); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: named("b")}); err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: named("a"), PeerName: "c"}); err != nil {
		return fmt.Errorf("veth: %w", err)
	}
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("nf_tables: %w", err)
	}
	filter(c, Place{Filter: true, Prefix: netip.MustParsePrefix("10.0.0.0/24")})
	if err := c.Flush(); err != nil {
		return fmt.Errorf("nf_tables: %w", err)
	}
	return nil
}

func named(name string) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name = name
	return a
}

// Attach makes a place, or makes it what it should be. beside lists the other places of its virtual network.
func (h *Host) Attach(p Place, beside ...Place) error {
	failpoint.Hit("agent.attach.before")
	router, err := h.openRouter(p)
	if err != nil {
		return err
	}
	defer router.close()
	failpoint.Hit("agent.attach.network")
	place, err := openSpace(h.Namespace(p.ID))
	if err != nil {
		return err
	}
	defer place.close()
	failpoint.Hit("agent.attach.place")
	if err := place.up("lo"); err != nil {
		return err
	}
	if err := h.joinSubnet(p, router, place); err != nil {
		return fmt.Errorf("join %s to its subnet: %w", place.name, err)
	}
	failpoint.Hit("agent.attach.subnet")
	if err := h.joinHost(p, place); err != nil {
		return fmt.Errorf("join %s to the host: %w", place.name, err)
	}
	failpoint.Hit("agent.attach.host")
	if err := h.mend(p.Network, router, append(beside, p)); err != nil {
		return fmt.Errorf("make the ways out of %s: %w", router.name, err)
	}
	failpoint.Hit("agent.attach.mended")
	if err := place.lead(p); err != nil {
		return fmt.Errorf("make the ways of %s: %w", place.name, err)
	}
	failpoint.Hit("agent.attach.led")
	if err := place.filter(p); err != nil {
		return err
	}
	failpoint.Hit("agent.attach.after")
	return nil
}

// openRouter opens the namespace of a virtual network with the bridges of its subnets.
func (h *Host) openRouter(p Place) (*space, error) {
	s, err := openSpace(h.Router(p.Network))
	if err != nil {
		return nil, err
	}
	err = errors.Join(s.up("lo"), s.within(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600) }))
	for _, lan := range append(p.Lans, Lan{p.Subnet, p.Prefix}) {
		name := bridge(lan.Subnet)
		err = errors.Join(err, s.ensure(&netlink.Bridge{LinkAttrs: named(name)}), s.address(name, netip.PrefixFrom(gateway(lan.Prefix), lan.Prefix.Bits())), s.up(name))
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("make virtual network %s: %w", s.name, err)
	}
	return s, nil
}

// joinSubnet gives a place its leg in the subnet.
func (h *Host) joinSubnet(p Place, router, place *space) error {
	if !place.has(inSubnet) {
		router.remove(port(p.ID)) // half of what was begun
		if err := router.pair(port(p.ID), inSubnet, place); err != nil {
			return err
		}
	}
	b, err := router.nl.LinkByName(bridge(p.Subnet))
	if err != nil {
		return err
	}
	l, err := router.nl.LinkByName(port(p.ID))
	if err != nil {
		return err
	}
	if err := errors.Join(router.nl.LinkSetMaster(l, b), router.nl.LinkSetUp(l)); err != nil {
		return err
	}
	if err := errors.Join(place.address(inSubnet, netip.PrefixFrom(p.Address, p.Prefix.Bits())), place.up(inSubnet)); err != nil {
		return err
	}
	return place.announce(p.Address)
}

// joinHost gives a place its leg in the host, and the address by which it goes out.
func (h *Host) joinHost(p Place, place *space) error {
	here, err := openHere()
	if err != nil {
		return err
	}
	defer here.close()
	link := h.hostLink(p.ID)
	if !place.has(inHost) {
		here.remove(link)
		if err := here.pair(link, inHost, place); err != nil {
			return err
		}
	}
	if err := errors.Join(here.address(link, netip.PrefixFrom(hostAddress, 32)), here.up(link), place.up(inHost)); err != nil {
		return err
	}
	if !p.Outward.IsValid() {
		return nil
	}
	return h.publish(p.ID, p.Outward, here, place)
}

// publish routes a public address to a place, and its answers back the way that the questions came.
func (h *Host) publish(id string, a netip.Addr, here, place *space) error {
	whole := netip.PrefixFrom(a, 32)
	failpoint.Hit("agent.publish.before")
	if err := errors.Join(place.address(inHost, whole), place.ensureRule(answers(whole))); err != nil {
		return err
	}
	failpoint.Hit("agent.publish.address")
	if err := here.route(h.hostLink(id), netlink.Route{Dst: ipNet(whole), Src: hostAddress.AsSlice()}); err != nil {
		return err
	}
	failpoint.Hit("agent.publish.after")
	return nil
}

// Publish routes a public address to a place.
func (h *Host) Publish(id string, a netip.Addr) error {
	return h.both(id, func(here, place *space) error { return h.publish(id, a, here, place) })
}

// Settle gives a place one more address of its subnet.
func (h *Host) Settle(id string, a netip.Addr) error {
	return h.both(id, func(_, place *space) error {
		failpoint.Hit("agent.settle.before")
		if err := place.address(inSubnet, netip.PrefixFrom(a, 32)); err != nil {
			return err
		}
		failpoint.Hit("agent.settle.after")
		return place.announce(a)
	})
}

// Withdraw takes an address, public or not, off a place.
func (h *Host) Withdraw(id string, a netip.Addr) error {
	return h.both(id, func(here, place *space) error {
		return h.withdraw(id, netip.PrefixFrom(a, 32), here, place)
	})
}

// Tidy takes all addresses off a place but those that are known.
func (h *Host) Tidy(id string, known ...netip.Addr) error {
	return h.both(id, func(here, place *space) error {
		list, err := place.nl.AddrList(nil, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, have := range list {
			a, _ := netip.AddrFromSlice(have.IP.To4())
			if a.IsLoopback() || slices.Contains(known, a) {
				continue
			}
			bits, _ := have.Mask.Size()
			if err := h.withdraw(id, netip.PrefixFrom(a, bits), here, place); err != nil {
				return err
			}
		}
		return nil
	})
}

func (h *Host) withdraw(id string, a netip.Prefix, here, place *space) error {
	failpoint.Hit("agent.withdraw.before")
	here.unroute(h.hostLink(id), a.Addr())
	failpoint.Hit("agent.withdraw.route")
	_ = place.nl.RuleDel(answers(netip.PrefixFrom(a.Addr(), 32))) // an address of the subnet has none
	for _, link := range []string{inSubnet, inHost} {
		l, err := place.nl.LinkByName(link)
		if err != nil {
			return err
		}
		err = place.nl.AddrDel(l, &netlink.Addr{IPNet: ipNet(a)})
		if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return err
		}
	}
	failpoint.Hit("agent.withdraw.after")
	return nil
}

func (h *Host) both(id string, f func(here, place *space) error) error {
	here, err := openHere()
	if err != nil {
		return err
	}
	defer here.close()
	place, err := findSpace(h.Namespace(id))
	if err != nil {
		return err
	}
	defer place.close()
	return f(here, place)
}

// Detach removes a place, and its virtual network with the last one. rest lists the other places of the network.
func (h *Host) Detach(id, network string, rest ...Place) error {
	failpoint.Hit("agent.detach.before")
	if err := h.leave(id, network, rest); err != nil {
		return err
	}
	failpoint.Hit("agent.detach.after")
	return nil
}

func (h *Host) leave(id, network string, rest []Place) error {
	router, err := findSpace(h.Router(network))
	if err == nil {
		defer router.close()
		router.remove(port(id))
	}
	failpoint.Hit("agent.detach.subnet")
	here, err := openHere()
	if err != nil {
		return err
	}
	defer here.close()
	here.remove(h.hostLink(id))
	failpoint.Hit("agent.detach.host")
	if err := removeSpace(h.Namespace(id)); err != nil {
		return err
	}
	failpoint.Hit("agent.detach.place")
	switch {
	case router == nil:
		return nil
	case router.hasPorts():
		return h.mend(network, router, rest)
	}
	return removeSpace(h.Router(network))
}

// RemoveAll removes everything that the folder has.
func (h *Host) RemoveAll() error {
	entries, err := os.ReadDir(netnsFolder)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), h.prefix()) {
			errs = append(errs, removeSpace(e.Name())) // its links go with it, both ends
		}
	}
	return errors.Join(errs...)
}

// Enter runs f on a thread in the namespace of a place: what it opens and what it starts is there.
func (h *Host) Enter(id string, f func() error) error {
	s, err := findSpace(h.Namespace(id))
	if err != nil {
		return err
	}
	defer s.close()
	return s.within(f)
}

// A space is an open namespace.
type space struct {
	name string
	fd   netns.NsHandle
	nl   *netlink.Handle
}

// openSpace opens a named namespace and makes it if there is none.
func openSpace(name string) (*space, error) {
	s, err := findSpace(name)
	if errors.Is(err, os.ErrNotExist) {
		if err := apart(func() error { return makeSpace(name) }); err != nil {
			return nil, fmt.Errorf("make namespace %s: %w", name, err)
		}
		s, err = findSpace(name)
	}
	if err != nil {
		return nil, err
	}
	// Also of one that is there: who made it may have come no further.
	if err := s.within(loosen); err != nil {
		s.close()
		return nil, fmt.Errorf("loosen namespace %s: %w", name, err)
	}
	return s, nil
}

// makeSpace makes a namespace for this thread, and a name for it, as `ip netns` does.
func makeSpace(name string) error {
	if err := os.MkdirAll(netnsFolder, 0o755); err != nil { //nolint:gosec // as `ip netns` makes it
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	path := filepath.Join(netnsFolder, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o444) //nolint:gosec // as `ip netns` makes it
	if err != nil {
		return err
	}
	failpoint.Hit("agent.space.named")
	if err := errors.Join(f.Close(), unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")); err != nil {
		return err
	}
	failpoint.Hit("agent.space.made")
	return nil
}

// loosen sets what the kernel is to be less strict about in this thread's namespace: what comes in by one leg may be
// answered by another.
func loosen() error {
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0o600) // a kernel without it has none
	var errs []error
	for _, name := range []string{"all", "default"} {
		for _, what := range []string{"rp_filter", "send_redirects"} {
			errs = append(errs, os.WriteFile("/proc/sys/net/ipv4/conf/"+name+"/"+what, []byte("0"), 0o600))
		}
	}
	return errors.Join(errs...)
}

// findSpace opens a namespace that is there. A name without one is left of one that was not wholly made or removed: it
// goes.
func findSpace(name string) (*space, error) {
	path := filepath.Join(netnsFolder, name)
	fd, err := netns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("open namespace %s: %w", name, err)
	}
	var is unix.Statfs_t
	if err = unix.Fstatfs(int(fd), &is); err == nil && is.Type != unix.NSFS_MAGIC {
		if err = os.Remove(path); err == nil {
			err = os.ErrNotExist
		}
	}
	var nl *netlink.Handle
	if err == nil {
		nl, err = netlink.NewHandleAt(fd)
	}
	if err != nil {
		_ = fd.Close()
		return nil, fmt.Errorf("open namespace %s: %w", name, err)
	}
	return &space{name: name, fd: fd, nl: nl}, nil
}

func openHere() (*space, error) {
	fd, err := netns.Get()
	if err != nil {
		return nil, err
	}
	nl, err := netlink.NewHandleAt(fd)
	if err != nil {
		_ = fd.Close()
		return nil, err
	}
	return &space{name: "host", fd: fd, nl: nl}, nil
}

func (s *space) close() {
	s.nl.Close()
	_ = s.fd.Close()
}

func removeSpace(name string) error {
	path := filepath.Join(netnsFolder, name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	failpoint.Hit("agent.space.unmounted")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	return nil
}

// within runs f on a thread in the namespace.
func (s *space) within(f func() error) error {
	return apart(func() error {
		if err := netns.Set(s.fd); err != nil {
			return err
		}
		return f()
	})
}

// apart runs f on a thread that ends with it, whatever namespace f leaves it in. The main thread does not end when its
// goroutine does, and what it is in counts as the process's: it waits meanwhile.
func apart(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			done <- f()
			return
		}
		err := apart(f)
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}

func (s *space) has(link string) bool {
	_, err := s.nl.LinkByName(link)
	return err == nil
}

// ensure adds a link that is not there.
func (s *space) ensure(l netlink.Link) error {
	if err := s.nl.LinkAdd(l); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// pair adds a pair of virtual links, one here and one in another namespace.
func (s *space) pair(link, peer string, other *space) error {
	failpoint.Hit("agent.link.before")
	v := &netlink.Veth{LinkAttrs: named(link), PeerName: peer, PeerNamespace: netlink.NsFd(int(other.fd))}
	if err := s.nl.LinkAdd(v); err != nil {
		return err
	}
	failpoint.Hit("agent.link.after")
	return nil
}

func (s *space) remove(link string) {
	if l, err := s.nl.LinkByName(link); err == nil {
		_ = s.nl.LinkDel(l) // gone with its other end
	}
}

func (s *space) up(link string) error {
	l, err := s.nl.LinkByName(link)
	if err != nil {
		return err
	}
	return s.nl.LinkSetUp(l)
}

func (s *space) address(link string, a netip.Prefix) error {
	l, err := s.nl.LinkByName(link)
	if err != nil {
		return err
	}
	return s.nl.AddrReplace(l, &netlink.Addr{IPNet: ipNet(a)})
}

// route adds a route by a link, or one that leads nowhere by none.
func (s *space) route(link string, r netlink.Route) error {
	if link != "" {
		l, err := s.nl.LinkByName(link)
		if err != nil {
			return err
		}
		r.LinkIndex = l.Attrs().Index
	}
	if err := s.nl.RouteReplace(&r); err != nil {
		return fmt.Errorf("route %v: %w", r.Dst, err)
	}
	return nil
}

// unroute takes the route to an address away, if there is one.
func (s *space) unroute(link string, a netip.Addr) {
	if l, err := s.nl.LinkByName(link); err == nil {
		_ = s.nl.RouteDel(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(netip.PrefixFrom(a, 32))})
	}
}

// hasPorts says whether places are left in a virtual network.
func (s *space) hasPorts() bool {
	links, err := s.nl.LinkList()
	return err != nil || slices.ContainsFunc(links, func(l netlink.Link) bool { return l.Type() == "veth" && l.Attrs().MasterIndex != 0 })
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
