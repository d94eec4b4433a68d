package platform

import "net/netip"

// Next hops of routes, spelt as nextHopType is.
const (
	HopVNet      = "VnetLocal"
	HopInternet  = "Internet"
	HopAppliance = "VirtualAppliance"
	HopGateway   = "VirtualNetworkGateway"
	HopNone      = "None"
)

// A Route is one of a route table. Of those that hold a destination the most specific one decides, a route of a table
// before one that a network has by itself.
type Route struct {
	To  netip.Prefix `json:"to"`
	Hop string       `json:"hop"`
	Via string       `json:"via,omitempty"` // address of a VirtualAppliance
}

// A Peer is a virtual network that is peered with another, by both of them.
type Peer struct {
	Network string         `json:"network"` // resource ID
	Space   []netip.Prefix `json:"space"`
	// Forwarded lets in what comes from there and began elsewhere.
	Forwarded bool `json:"forwarded,omitempty"`
}

// A Lan is a subnet of a virtual network.
type Lan struct {
	Subnet string       `json:"subnet"` // resource ID
	Prefix netip.Prefix `json:"prefix"`
}

// Around is the address space of the network and of its peers: what the tag VirtualNetwork stands for.
func (a *Attachment) Around() []netip.Prefix {
	list := append([]netip.Prefix{}, a.Space...)
	for _, p := range a.Peers {
		list = append(list, p.Space...)
	}
	return list
}
