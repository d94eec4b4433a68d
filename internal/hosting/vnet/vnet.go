// Package vnet makes virtual networks of the kernel's parts: network namespaces, bridges, pairs of virtual links, routes
// and nftables rules.
//
//	host ──pt…/pub0── place ──vnet0/p…── bridge of the subnet, in the namespace of the virtual network
//
// A place is where machines of a service live: a namespace with a leg in its subnet and a leg in the host. Its public
// addresses are routed to it, so nothing is translated and what connects is seen by the rules and by the machines as it
// is; the rules of the subnet's security group are those of the place. The namespace of a virtual network holds a bridge
// for each subnet and routes between them. Each virtual network is alone: address spaces may overlap.
//
// A NAT gateway is a leg of the network's namespace in the host: what a place sends outside goes through the network then
// and leaves it by the gateway's address. Routes of a subnet hold in its places and in the network's namespace.
// Networks that are peered have a link between their namespaces.
//
// Names are made from IDs, and making what is there already mends what differs: an agent that starts again carries on
// with what it finds. Start reading at Host.Attach.
package vnet

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// ErrNotHere is wrapped by the errors of a host that makes no virtual networks.
var ErrNotHere = errors.New("this host makes no virtual networks")

// A Host makes the virtual networks of one data folder.
type Host struct {
	dir string
	// folder tells the names of one data folder from those of others.
	folder string
}

// NewHost returns the networks of a data folder.
func NewHost(dir string) *Host { return &Host{dir: dir, folder: short(dir, 4)} }

// short is a name made from a text: so many bytes in hex.
func short(text string, bytes int) string {
	sum := sha256.Sum256([]byte(strings.ToLower(text)))
	return hex.EncodeToString(sum[:bytes])
}

// prefix begins the names of all namespaces of the folder.
func (h *Host) prefix() string { return "portico-" + h.folder + "-" }

// Namespace is the name of the namespace of a place.
func (h *Host) Namespace(place string) string { return h.prefix() + "p-" + short(place, 6) }

// Router is the name of the namespace of a virtual network.
func (h *Host) Router(network string) string { return h.prefix() + "v-" + short(network, 6) }

// Names of links: in the place, in the host, and in the namespace of the network. A name has at most 15 bytes.
const (
	inSubnet = "vnet0"
	inHost   = "pub0"
	natLink  = "nat0"
)

const peerPrefix = "x"

func peerLink(network string) string { return peerPrefix + short(network, 6) }

func (h *Host) hostLink(place string) string  { return "pt" + short(h.folder+place, 6) }
func (h *Host) natLink(network string) string { return "pn" + short(h.folder+network, 6) }
func port(place string) string                { return "p" + short(place, 6) }
func bridge(subnet string) string             { return "s" + short(subnet, 6) }

// hostAddress is the host's end of the way to every place.
var hostAddress = netip.MustParseAddr("169.254.64.1")

// A Place is what Attach makes.
type Place struct {
	ID      string
	Network string         // identifies the virtual network
	Space   []netip.Prefix // of the virtual network
	Subnet  string         // identifies the subnet
	Prefix  netip.Prefix   // of the subnet
	// Address is the one that the machines have in the subnet.
	Address netip.Addr
	// Outward is the address by which the machines reach everything outside the virtual network.
	Outward netip.Addr
	// NAT are the addresses by which they do so instead, those of a NAT gateway; empty for none.
	NAT []netip.Addr
	// Routes lead elsewhere than the network itself would.
	Routes []Route
	Peers  []Peer
	// Lans are the subnets of the network, whether somebody lives there or not.
	Lans []Lan
	// Filter holds Rules; without it everything passes.
	Filter bool
	Rules  []Rule
}

// A Lan is a subnet of a virtual network.
type Lan struct {
	Subnet string // identifies it
	Prefix netip.Prefix
}

// A Peer is a virtual network that reaches this one, and is reached.
type Peer struct {
	Network string // identifies it
	Space   []netip.Prefix
	// Forwarded lets in what comes from there and began elsewhere.
	Forwarded bool
}

// A Hop is where a route leads.
type Hop int

// The hops: the virtual network and its peers, everything else, an address of the network that forwards, and nowhere.
const (
	Inside Hop = iota
	Outside
	Appliance
	Nowhere
)

// A Route is where packets for a prefix go. The most specific one decides.
type Route struct {
	To  netip.Prefix
	Hop Hop
	Via netip.Addr // of an appliance
}

var everything = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// around is the space of the network and of its peers.
func (p Place) around() []netip.Prefix {
	list := slices.Clone(p.Space)
	for _, peer := range p.Peers {
		list = append(list, peer.Space...)
	}
	return list
}

// ways are the routes of a place's packets: those of the network, with the place's own over them.
func (p Place) ways() []Route {
	list := []Route{{To: everything, Hop: Outside}}
	for _, to := range p.around() {
		list = append(list, Route{To: to, Hop: Inside})
	}
	for _, r := range p.Routes {
		list = slices.DeleteFunc(list, func(o Route) bool { return o.To == r.To })
		list = append(list, r)
	}
	return list
}

// A Rule lets through or drops what matches all of it.
type Rule struct {
	Inbound, Allow bool
	Protocol       string // tcp, udp, icmp, esp, ah; empty for all
	// Remote are the addresses at the other end: empty for all. Outside says that they are all but those of the virtual
	// network.
	Remote  []netip.Prefix
	Outside bool
	// RemotePorts and LocalPorts are ranges; empty for all.
	RemotePorts, LocalPorts []Ports
	// Local are addresses at the place's end, beside its own; empty for all.
	Local []netip.Prefix
}

// Ports is a range of ports, both ends included.
type Ports struct{ First, Last uint16 }

// gateway is the address of the network in a subnet: the first of it.
func gateway(p netip.Prefix) netip.Addr { return p.Addr().Next() }
