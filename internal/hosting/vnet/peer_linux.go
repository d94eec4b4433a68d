package vnet

import (
	"errors"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
)

// peerAddresses are those of the two ends of a link between networks: of the one whose ID is the lesser first.
var peerAddresses = [2]netip.Addr{netip.MustParseAddr("169.254.65.1"), netip.MustParseAddr("169.254.65.2")}

// peer links a network to its peers, as far as they are there, and to none else. The other end is made too: whichever of
// the two comes last makes both.
func (h *Host) peer(network string, router *space, places []Place) error {
	wanted := map[string]bool{}
	for _, p := range places {
		for _, to := range p.Peers {
			if wanted[peerLink(to.Network)] {
				continue
			}
			wanted[peerLink(to.Network)] = true
			if err := h.peerWith(network, router, p.Space, to); err != nil {
				return err
			}
		}
	}
	links, err := router.nl.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		if name := l.Attrs().Name; l.Type() == "veth" && len(name) == len(peerLink("")) && strings.HasPrefix(name, peerPrefix) && !wanted[name] {
			router.remove(name)
		}
	}
	return nil
}

func (h *Host) peerWith(network string, router *space, space []netip.Prefix, to Peer) error {
	other, err := findSpace(h.Router(to.Network))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer other.close()
	mine, theirs := peerLink(to.Network), peerLink(network)
	if !router.has(mine) {
		other.remove(theirs)
		if err := router.pair(mine, theirs, other); err != nil {
			return err
		}
	}
	here, there := peerAddresses[0], peerAddresses[1]
	if strings.ToLower(network) > strings.ToLower(to.Network) {
		here, there = there, here
	}
	return errors.Join(router.end(mine, here, there, to.Space), other.end(theirs, there, here, space))
}

// end makes one end of a link between networks: beyond is the other end's address, by which its space is reached.
func (s *space) end(link string, own, beyond netip.Addr, space []netip.Prefix) error {
	err := errors.Join(s.address(link, netip.PrefixFrom(own, 32)), s.up(link))
	for _, to := range space {
		err = errors.Join(err, s.route(link, netlink.Route{Dst: ipNet(to), Gw: beyond.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}))
	}
	return err
}

// peers drops what comes from a peer and did not begin there, where the peering does not let it in.
func (w *writer) peers(places []Place) {
	for _, p := range places {
		for _, from := range p.Peers {
			if from.Forwarded {
				continue
			}
			m := link(expr.MetaKeyIIFNAME, peerLink(from.Network))
			for _, own := range from.Space {
				m = append(m, address(source, own, expr.CmpOpNeq)...)
			}
			w.add(m, expr.VerdictDrop)
		}
	}
}
