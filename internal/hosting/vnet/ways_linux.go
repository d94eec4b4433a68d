package vnet

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/failpoint"
)

const (
	// ours marks routes of this package: those that are not wanted any more are removed.
	ours netlink.RouteProtocol = 80
	// answerTable is the table of what a place sends from its public addresses.
	answerTable = 100
	// subnetPriority is that of the rules by which a network routes what comes from a subnet, before its own table.
	subnetPriority = 100
	answerPriority = 1000
)

// lead gives a place its routes. What has a public address as its source answers somebody, and leaves by the host; what
// the place begins goes through the network where that has a NAT gateway.
func (s *space) lead(p Place) error {
	for _, table := range []int{unix.RT_TABLE_MAIN, answerTable} {
		if err := s.leadBy(p, table); err != nil {
			return err
		}
	}
	return nil
}

func (s *space) leadBy(p Place, table int) error {
	var routes []legRoute
	inward := netlink.Route{Gw: gateway(p.Prefix).AsSlice()}
	outward := netlink.Route{Gw: hostAddress.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}
	if table == unix.RT_TABLE_MAIN {
		inward.Src, outward.Src = p.Address.AsSlice(), p.Outward.AsSlice()
	}
	for _, w := range p.ways() {
		switch {
		case w.Hop == Nowhere:
			routes = append(routes, legRoute{to: w.To, Route: netlink.Route{Type: unix.RTN_BLACKHOLE}})
		case w.Hop == Inside && w.To == p.Prefix: // its own leg leads there
		case w.Hop != Outside, table == unix.RT_TABLE_MAIN && len(p.NAT) > 0:
			routes = append(routes, legRoute{inSubnet, w.To, inward})
		case p.Outward.IsValid():
			routes = append(routes, legRoute{inHost, w.To, outward})
		}
	}
	return s.setRoutes(table, routes)
}

// legRoute is a route by a link, if it is by one.
type legRoute struct {
	link string
	to   netip.Prefix
	netlink.Route
}

// setRoutes makes routes those of a table, beside what the kernel and others have there.
func (s *space) setRoutes(table int, routes []legRoute) error {
	have, err := s.nl.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: table, Protocol: ours}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return err
	}
	for _, r := range have {
		if !slices.ContainsFunc(routes, func(l legRoute) bool { return sameNet(l.to, r) }) {
			if err := s.nl.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	for _, r := range routes {
		r.Dst, r.Table, r.Protocol = ipNet(r.to), table, ours
		if err := s.route(r.link, r.Route); err != nil {
			return err
		}
	}
	return nil
}

// sameNet says whether a route is to a prefix. The one to everything may have no destination.
func sameNet(to netip.Prefix, r netlink.Route) bool {
	if r.Dst == nil {
		return to == everything
	}
	return r.Dst.String() == to.String()
}

// answers is the rule for what has a public address as its source.
func answers(from netip.Prefix) *netlink.Rule {
	r := netlink.NewRule()
	r.Family, r.Src, r.Table, r.Priority = netlink.FAMILY_V4, ipNet(from), answerTable, answerPriority
	return r
}

func (s *space) ensureRule(r *netlink.Rule) error {
	if err := s.nl.RuleAdd(r); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("rule %v: %w", r, err)
	}
	return nil
}

// mend makes a virtual network route and translate for all its places, and reach its peers.
func (h *Host) mend(network string, router *space, places []Place) error {
	if err := errors.Join(h.natLeg(network, router, places), h.peer(network, router, places)); err != nil {
		return err
	}
	failpoint.Hit("agent.mend.linked")
	subnets := map[string]int{} // bridges, with their tables
	for _, p := range places {
		name := bridge(p.Subnet)
		if subnets[name] = tableOf(p.Subnet); router.has(name) {
			if err := router.leadSubnet(p, places); err != nil {
				return err
			}
		}
	}
	failpoint.Hit("agent.mend.led")
	if err := router.dropRules(subnets); err != nil {
		return err
	}
	failpoint.Hit("agent.mend.dropped")
	return router.translate(places)
}

// tableOf is the number of the table of a subnet.
func tableOf(subnet string) int {
	raw, _ := hex.DecodeString(short(subnet, 4))
	return int(binary.BigEndian.Uint32(raw)>>4) + 1<<10 // above those that have names
}

// leadSubnet gives a network the routes for what comes from a subnet.
func (s *space) leadSubnet(p Place, places []Place) error {
	nat := slices.ContainsFunc(places, func(o Place) bool { return o.Subnet == p.Subnet && len(o.NAT) > 0 })
	var routes []legRoute
	for _, w := range p.ways() {
		switch {
		case w.Hop == Inside:
			routes = append(routes, legRoute{to: w.To, Route: netlink.Route{Type: unix.RTN_THROW}})
		case w.Hop == Appliance && slices.ContainsFunc(p.around(), func(space netip.Prefix) bool { return space.Contains(w.Via) }):
			routes = append(routes, legRoute{to: w.To, Route: netlink.Route{Gw: w.Via.AsSlice()}})
		case w.Hop == Outside && nat:
			routes = append(routes, legRoute{natLink, w.To, netlink.Route{Gw: hostAddress.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}})
		default: // an appliance elsewhere, or what a place does not send here
			routes = append(routes, legRoute{to: w.To, Route: netlink.Route{Type: unix.RTN_BLACKHOLE}})
		}
	}
	if err := s.setRoutes(tableOf(p.Subnet), routes); err != nil {
		return err
	}
	r := netlink.NewRule()
	r.Family, r.IifName, r.Table, r.Priority = netlink.FAMILY_V4, bridge(p.Subnet), tableOf(p.Subnet), subnetPriority
	return s.ensureRule(r)
}

// dropRules removes the rules of subnets in which nobody lives any more, with their tables.
func (s *space) dropRules(subnets map[string]int) error {
	rules, err := s.nl.RuleList(netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if _, ok := subnets[r.IifName]; ok || r.Priority != subnetPriority {
			continue
		}
		r.Family = netlink.FAMILY_V4
		if err := errors.Join(s.setRoutes(r.Table, nil), s.nl.RuleDel(&r)); err != nil {
			return err
		}
	}
	return nil
}

// natLeg gives a network with NAT gateways its leg in the host, with their addresses.
func (h *Host) natLeg(network string, router *space, places []Place) error {
	here, err := openHere()
	if err != nil {
		return err
	}
	defer here.close()
	link := h.natLink(network)
	var addresses []netip.Addr
	for _, p := range places {
		addresses = append(addresses, p.NAT...)
	}
	if len(addresses) == 0 {
		here.remove(link)
		router.remove(natLink)
		return nil
	}
	if !router.has(natLink) {
		here.remove(link)
		if err := here.pair(link, natLink, router); err != nil {
			return err
		}
	}
	if err := errors.Join(here.address(link, netip.PrefixFrom(hostAddress, 32)), here.up(link), router.up(natLink)); err != nil {
		return err
	}
	if err := dropAddresses(here, link, router, addresses); err != nil {
		return err
	}
	for _, a := range addresses {
		whole := netip.PrefixFrom(a, 32)
		if err := errors.Join(router.address(natLink, whole), here.route(link, netlink.Route{Dst: ipNet(whole), Src: hostAddress.AsSlice()})); err != nil {
			return err
		}
	}
	return nil
}

// dropAddresses takes those addresses off a leg that are not wanted there.
func dropAddresses(here *space, link string, router *space, wanted []netip.Addr) error {
	l, err := router.nl.LinkByName(natLink)
	if err != nil {
		return err
	}
	list, err := router.nl.AddrList(l, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, have := range list {
		a, _ := netip.AddrFromSlice(have.IP.To4())
		if slices.Contains(wanted, a) {
			continue
		}
		here.unroute(link, a)
		if err := router.nl.AddrDel(l, &have); err != nil {
			return err
		}
	}
	return nil
}
