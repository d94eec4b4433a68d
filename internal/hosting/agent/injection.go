package agent

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/hosting/vnet"
	"github.com/portico-dev/portico/internal/platform"
)

// networkRange is where folders have their public addresses of virtual networks: the range for tests of networks, which
// no network has.
var networkRange = netip.MustParsePrefix("198.18.0.0/15")

// claimNetworkPool settles the pool of the folder's public addresses: 1,024 of them, which its path picks where no other
// folder of this host has them. The agent picks from the lower half; the upper half is for public IP address resources.
func (a *agent) claimNetworkPool() {
	if a.noNetworks = vnet.Trouble(); a.noNetworks != "" {
		return
	}
	var err error
	if a.networkPool, err = a.nets.Claim(networkRange, poolIn(networkRange, a.opt.Layout.Dir)); err != nil {
		a.noNetworks = fmt.Sprintf("virtual networks have no public addresses: %v.", err)
	}
}

// networkPorts are those of VIPs in virtual networks: their addresses are nobody else's, and the rules of security groups
// are about the ports that clients of gateways use.
var networkPorts = ports{vipHTTP: 80, vipHTTPS: 443}

// injection is a place in a virtual network, with the addresses that were picked for it.
type injection struct {
	platform.Attachment
	Inner   netip.Addr `json:"inner"`   // of the machines, in the subnet
	Outward netip.Addr `json:"outward"` // by which they reach what is outside the network
}

// networks says what virtual networks there can be.
func (a *agent) networks() fabric.Networks {
	if a.noNetworks != "" {
		return fabric.Networks{Trouble: a.noNetworks}
	}
	return fabric.Networks{Pool: a.networkPool.String()}
}

// attach makes an injection, or makes it what it should be.
func (a *agent) attach(l fabric.Lease, want platform.Attachment, avoid []string) error {
	if a.noNetworks != "" {
		return invalid("%s", a.noNetworks)
	}
	if want.ID == "" || !want.Prefix.IsValid() || !want.Prefix.Addr().Is4() {
		return invalid("an injection needs an ID and a subnet")
	}
	a.netMu.Lock() // the kernel is told one thing after another, and nobody waits who does not tell it something
	defer a.netMu.Unlock()
	a.mu.Lock()
	was := a.injections[want.ID]
	in, err := a.injectionFor(l, want, avoid)
	beside := a.beside(want.ID, want.Network)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	if was == nil || was.Inner != in.Inner || was.Outward != in.Outward {
		a.tryKeep(true) // if this agent dies now, the next one knows what is begun, and picks nothing else
	}
	if err := a.nets.Attach(in.place(), beside...); err != nil {
		return fmt.Errorf("attach %s: %w", want.ID, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.look() // its machines may have to ask other DNS servers
	if was != nil && was.Outward != in.Outward && !a.taken(was.Outward) {
		a.withdraw(&vip{id: want.ID, injection: want.ID, address: was.Outward.String()})
	}
	return nil
}

// beside lists the other places of a network. a.mu is held.
func (a *agent) beside(id, network string) (list []vnet.Place) {
	for _, other := range a.injections {
		if other.ID != id && strings.EqualFold(other.Network, network) {
			list = append(list, other.place())
		}
	}
	return list
}

// azureDNS is the address that stands for the DNS servers of the platform, which are those of the host.
const azureDNS = "168.63.129.16"

// dns lists the servers of which the machines of a set ask names; none: those of the host. a.mu is held.
func (a *agent) dns(s *set) []string {
	in := a.injections[s.injection()]
	if in == nil || slices.Contains(in.DNS, azureDNS) {
		return nil
	}
	return in.DNS
}

// taken says whether a VIP has an address. a.mu is held.
func (a *agent) taken(addr netip.Addr) bool {
	for _, v := range a.vips {
		if v.address == addr.String() {
			return true
		}
	}
	return false
}

// injectionFor notes an injection and picks its addresses. a.mu is held.
func (a *agent) injectionFor(l fabric.Lease, want platform.Attachment, avoid []string) (*injection, error) {
	if err := a.admit(l); err != nil {
		return nil, err
	}
	have := a.injections[want.ID]
	made := &injection{Attachment: want}
	if have != nil {
		made.Inner, made.Outward = have.Inner, have.Outward
	}
	if inside, err := netip.ParseAddr(want.Inside); err == nil {
		made.Inner = inside
	} else if have == nil || !want.Prefix.Contains(made.Inner) {
		inner, ok := a.pickInside(want, nil, true)
		if !ok {
			return nil, &wire.Error{Code: wire.CodeNoAddress, Message: fmt.Sprintf("subnet %s has no address left", want.Subnet)}
		}
		made.Inner = inner
	}
	switch out, err := netip.ParseAddr(want.Address); {
	case want.Endpoint: // nothing goes out
	case err == nil:
		made.Outward = out
	case !made.Outward.IsValid():
		if made.Outward = a.pickOutward(avoid); !made.Outward.IsValid() {
			return nil, &wire.Error{Code: wire.CodeNoAddress, Message: fmt.Sprintf("pool %s: %v", a.networkPool, errExhausted)}
		}
	}
	a.injections[want.ID] = made
	return made, nil
}

// pickInside picks a free address of a subnet: for machines from its end, for VIPs from its beginning, behind those that
// a network keeps for itself. a.mu is held.
func (a *agent) pickInside(in platform.Attachment, avoid []string, fromEnd bool) (netip.Addr, bool) {
	used := map[netip.Addr]bool{}
	for _, other := range a.injections {
		if strings.EqualFold(other.Network, in.Network) && other.ID != in.ID {
			used[other.Inner] = true
		}
	}
	if have := a.injections[in.ID]; have != nil && !fromEnd {
		used[have.Inner] = true
	}
	for _, v := range a.vips {
		if o := a.injections[v.injection]; v.inside && o != nil && strings.EqualFold(o.Network, in.Network) {
			used[netip.MustParseAddr(v.address)] = true
		}
	}
	for _, s := range avoid {
		if addr, err := netip.ParseAddr(s); err == nil {
			used[addr] = true
		}
	}
	const kept = 4 // the first addresses of a subnet, before those of machines
	size := uint32(1) << (32 - in.Prefix.Bits())
	base := in.Prefix.Addr().As4()
	for i := uint32(kept); i < size-1; i++ {
		n := i
		if fromEnd {
			n = size - 2 - (i - kept)
		}
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], binary.BigEndian.Uint32(base[:])+n)
		if addr := netip.AddrFrom4(raw); !used[addr] {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// pickOutward picks a free address of the lower half of the pool. a.mu is held.
func (a *agent) pickOutward(avoid []string) netip.Addr {
	used := map[netip.Addr]bool{}
	for _, in := range a.injections {
		used[in.Outward] = true
	}
	for _, v := range a.vips {
		if addr, err := netip.ParseAddr(v.address); err == nil {
			used[addr] = true
		}
	}
	for _, s := range avoid {
		if addr, err := netip.ParseAddr(s); err == nil {
			used[addr] = true
		}
	}
	lower := netip.PrefixFrom(a.networkPool.Addr(), a.networkPool.Bits()+1)
	for addr := lower.Addr().Next(); lower.Contains(addr); addr = addr.Next() {
		if last := addr.As4()[3]; last != 0 && last != 255 && !used[addr] {
			return addr
		}
	}
	return netip.Addr{}
}

// place is the injection as the kernel's networks know it.
func (in *injection) place() vnet.Place {
	p := vnet.Place{
		ID: in.ID, Network: in.Network, Space: in.Space, Subnet: in.Subnet, Prefix: in.Prefix,
		Address: in.Inner, Outward: in.Outward, Filter: in.Filter,
	}
	p.Routes, p.Peers, p.Lans = in.ways()
	for _, s := range in.NAT {
		if addr, err := netip.ParseAddr(s); err == nil {
			p.NAT = append(p.NAT, addr)
		}
	}
	for _, r := range in.Rules {
		if rule, ok := in.rule(r); ok {
			p.Rules = append(p.Rules, rule)
		}
	}
	return p
}

var hops = map[string]vnet.Hop{
	platform.HopVNet: vnet.Inside, platform.HopInternet: vnet.Outside, platform.HopAppliance: vnet.Appliance,
	platform.HopNone: vnet.Nowhere, platform.HopGateway: vnet.Nowhere, // there is no gateway
}

// ways translates what the network around the injection is.
func (in *injection) ways() (routes []vnet.Route, peers []vnet.Peer, lans []vnet.Lan) {
	for _, r := range in.Routes {
		via, _ := netip.ParseAddr(r.Via)
		routes = append(routes, vnet.Route{To: r.To, Hop: hops[r.Hop], Via: via})
	}
	for _, p := range in.Peers {
		peers = append(peers, vnet.Peer{Network: p.Network, Space: p.Space, Forwarded: p.Forwarded})
	}
	for _, l := range in.Lans {
		lans = append(lans, vnet.Lan{Subnet: l.Subnet, Prefix: l.Prefix})
	}
	return routes, peers, lans
}

// rule translates a rule of a security group; ok is false for one that matches nothing that there is.
func (in *injection) rule(r platform.SecurityRule) (rule vnet.Rule, ok bool) {
	remote, local, remotePorts, localPorts := r.Destinations, r.Sources, r.Ports, r.SourcePorts
	if r.Inbound {
		remote, local, remotePorts, localPorts = local, remote, localPorts, remotePorts
	}
	rule = vnet.Rule{Inbound: r.Inbound, Allow: r.Allow, RemotePorts: portRanges(remotePorts), LocalPorts: portRanges(localPorts)}
	if r.Protocol != "*" {
		rule.Protocol = strings.ToLower(r.Protocol)
	}
	far, isAll := in.ends(remote, &rule.Outside)
	if !isAll && len(far) == 0 && !rule.Outside {
		return rule, false
	}
	if rule.Remote = far; isAll {
		rule.Remote, rule.Outside = nil, false
	}
	return rule, in.isAbout(local)
}

// ends are the addresses that a list of a rule holds. Tags of services of the cloud hold none that there is.
func (in *injection) ends(list []string, outside *bool) (prefixes []netip.Prefix, all bool) {
	for _, s := range list {
		tag, _ := platform.ParseTag(s)
		p, isPrefix := platform.ParsePrefix(s)
		switch {
		case s == "*", isPrefix && p.Bits() == 0:
			all = true
		case tag == platform.TagVirtualNetwork:
			prefixes = append(prefixes, in.Around()...)
		case tag == platform.TagInternet:
			*outside = true
		case isPrefix:
			prefixes = append(prefixes, p)
		}
	}
	return prefixes, all
}

// isAbout says whether a list of a rule holds the place itself, whose machines have one address.
func (in *injection) isAbout(list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool {
		tag, _ := platform.ParseTag(s)
		p, isPrefix := platform.ParsePrefix(s)
		return s == "*" || tag == platform.TagVirtualNetwork || isPrefix && (p.Contains(in.Inner) || p.Bits() < 32 && p.Overlaps(in.Prefix))
	})
}

func portRanges(list []platform.PortRange) (out []vnet.Ports) {
	for _, r := range list {
		if r.All() {
			return nil
		}
		out = append(out, vnet.Ports{First: r.First, Last: r.Last})
	}
	return out
}

// detach removes an injection.
func (a *agent) detach(l fabric.Lease, id string) error {
	a.netMu.Lock()
	defer a.netMu.Unlock()
	a.mu.Lock()
	if err := a.admit(l); err != nil {
		a.mu.Unlock()
		return err
	}
	in := a.injections[id]
	if in == nil {
		a.mu.Unlock()
		return nil
	}
	rest := a.beside(id, in.Network)
	a.mu.Unlock()
	if err := a.nets.Detach(id, in.Network, rest...); err != nil {
		return fmt.Errorf("detach %s: %w", id, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.injections, id)
	return nil
}

// openInside opens a VIP that leads into a virtual network. a.mu is held.
func (a *agent) openInside(v *vip, wanted string, avoid []string) error {
	in := a.injections[v.injection]
	if in == nil {
		return invalid("VIP %s leads into %s, which is not attached", v.id, v.injection)
	}
	if v.address == "" {
		v.address = wanted
	}
	switch {
	case v.address != "":
	case v.inside:
		addr, ok := a.pickInside(in.Attachment, avoid, false)
		if !ok {
			return fmt.Errorf("subnet %s: %w", in.Subnet, errExhausted)
		}
		v.address = addr.String()
	case !a.taken(in.Outward):
		v.address = in.Outward.String()
	default: // the second of a move that gives a new address
		addr := a.pickOutward(avoid)
		if !addr.IsValid() {
			return fmt.Errorf("pool %s: %w", a.networkPool, errExhausted)
		}
		v.address = addr.String()
	}
	addr, err := netip.ParseAddr(v.address)
	if err != nil {
		return err
	}
	switch {
	case addr == in.Inner:
	case v.inside:
		err = a.nets.Settle(in.ID, addr)
	case addr != in.Outward:
		err = a.nets.Publish(in.ID, addr)
	}
	if err != nil {
		return err
	}
	return a.nets.Enter(in.ID, func() error {
		v.files, err = networkPorts.openVIP(v.address)
		return err
	})
}

// withdraw takes the address of a closed VIP off its place, if it is not the one that machines go out by. a.mu is held.
func (a *agent) withdraw(v *vip) {
	in := a.injections[v.injection]
	addr, err := netip.ParseAddr(v.address)
	if in == nil || err != nil || addr == in.Outward || addr == in.Inner {
		return
	}
	if err := a.nets.Withdraw(in.ID, addr); err != nil {
		a.log.Warn("address not withdrawn", slog.String("vip", v.id), slog.Any("error", err))
	}
}

// listInjections is what there is, in the order of IDs. a.mu is held.
func (a *agent) listInjections() []injection {
	list := make([]injection, 0, len(a.injections))
	for _, id := range slices.Sorted(maps.Keys(a.injections)) {
		list = append(list, *a.injections[id])
	}
	return list
}

// restoreInjections makes what an earlier agent had, or what is missing of it: where the host was not started meanwhile
// all of it is there. a.mu is held.
func (a *agent) restoreInjections(list []injection) {
	for _, in := range list {
		a.injections[in.ID] = &in
	}
	for _, in := range list {
		if err := a.nets.Attach(in.place(), a.beside(in.ID, in.Network)...); err != nil {
			// The control plane attaches it again, and is told.
			a.log.Error("injection not restored", slog.String("injection", in.ID), slog.Any("error", err))
		}
	}
}

// tidyPlaces takes addresses off places that the agent before gave them, and that it died before it noted a VIP for.
// a.mu is held.
func (a *agent) tidyPlaces() {
	known := map[string][]netip.Addr{}
	for id, in := range a.injections {
		known[id] = []netip.Addr{in.Inner, in.Outward}
	}
	for _, v := range a.vips {
		if addr, err := netip.ParseAddr(v.address); err == nil && v.injection != "" {
			known[v.injection] = append(known[v.injection], addr)
		}
	}
	for id := range a.injections {
		if err := a.nets.Tidy(id, known[id]...); err != nil {
			a.log.Error("injection not tidied", slog.String("injection", id), slog.Any("error", err))
		}
	}
}

// closeNetworks removes all virtual networks of the folder.
func (a *agent) closeNetworks(ctx context.Context) {
	if err := a.nets.RemoveAll(); err != nil {
		a.log.ErrorContext(ctx, "virtual networks are left", slog.Any("error", err))
	}
}
