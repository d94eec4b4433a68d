package platform

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// NetworkMode says from where the gateway of an injected service is reached, spelt as virtualNetworkType is.
type NetworkMode string

// The modes: from everywhere by a public address, or from inside the virtual network alone.
const (
	External NetworkMode = "External"
	Internal NetworkMode = "Internal"
)

// An Injection is where a location of a service is in a virtual network. Another subnet, mode or public IP address is
// another injection, and has a VIP of its own.
type Injection struct {
	ID       string      `json:"id"`
	Mode     NetworkMode `json:"mode"`
	Subnet   string      `json:"subnet"`             // resource ID
	PublicIP string      `json:"publicIp,omitempty"` // resource ID; empty: an address of the platform
	// Address is the literal of PublicIP.
	Address string `json:"address,omitempty"`
	// Addresses is how many addresses of the subnet the machines need.
	Addresses int `json:"addresses"`
}

// injectionID names an injection by what makes it one.
func injectionID(service, location string, mode NetworkMode, subnet, publicIP string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join([]string{service, location, string(mode), subnet, publicIP}, "\n"))))
	return "n" + hex.EncodeToString(sum[:6])
}

// SameInjection compares injections; nil is no virtual network.
func SameInjection(a, b *Injection) bool {
	return a == nil && b == nil || a != nil && b != nil && a.ID == b.ID
}

// Injections lists where a service is, is to be, or may go back to. One that holds machines of two forms beside each other,
// as in a migration, has the addresses of both.
func (s *ServiceStatus) Injections() (out []Injection) {
	forms := map[string]bool{}
	add := func(in *Injection, v Version, zones []string) {
		if in == nil {
			return
		}
		form := fmt.Sprint(in.ID, v, slices.Sorted(slices.Values(zones)))
		i := slices.IndexFunc(out, func(o Injection) bool { return o.ID == in.ID })
		switch {
		case i < 0:
			out = append(out, *in)
		case !forms[form]:
			out[i].Addresses += in.Addresses
		}
		forms[form] = true
	}
	for _, l := range s.Locations() {
		if !l.Wish.Gone {
			add(l.Wish.Injection, l.Wish.Platform, l.Wish.Zones)
		}
		if l.Previous != nil && !l.Previous.Gone {
			add(l.Previous.Injection, l.Previous.Platform, l.Previous.Zones)
		}
		for _, set := range l.Hosting.Sets {
			add(set.Injection, set.Platform, set.Zones)
		}
	}
	return out
}

// A Subnet is what there is to know of a subnet and what is around it.
type Subnet struct {
	ID       string // resource ID
	Network  string // resource ID of the virtual network
	Location string // normalised
	Prefix   netip.Prefix
	Space    []netip.Prefix // of the virtual network
	DNS      []string       // servers of the virtual network; empty: those of the host
	NAT      []string       // public addresses of the NAT gateway of the subnet
	Routes   []Route        // of its route table
	Peers    []Peer         // of the virtual network
	Lans     []Lan          // all subnets of the virtual network
	// Group is the resource ID of the network security group, empty for none; Rules are its rules in the order in which
	// they decide.
	Group       string
	Rules       []SecurityRule
	Delegations []string // names of services
	Tenants     []Tenant
	Endpoints   []string // resource IDs of private endpoints
}

// A Tenant is a service that lives in a subnet.
type Tenant struct {
	Service   string // resource ID
	Injection string
	Addresses int
}

// A PublicIP is a public IP address resource.
type PublicIP struct {
	ID       string // resource ID
	SKU      string
	Location string // normalised
	Address  string // literal
	Label    string // of its DNS name
	User     string // resource ID of who uses it; empty for nobody
}

// A NetworkRequest is what a request says of networks, with what that is.
type NetworkRequest struct {
	Service  string // resource ID of the service
	Location string // normalised
	// Type is None (or empty), External or Internal, in any case.
	Type       string
	SubnetID   string  // virtualNetworkConfiguration.subnetResourceId
	Subnet     *Subnet // nil: it does not exist
	PublicIPID string  // publicIpAddressId
	PublicIP   *PublicIP
	// SeveralRegions says that the service has additional locations.
	SeveralRegions bool
	// Trouble says why this host makes no virtual networks, and how it would; empty when it does.
	Trouble string
}

// mode is the mode asked for; empty for none and for what is none.
func (n NetworkRequest) mode() NetworkMode {
	m, _ := networkMode(n.Type)
	if m == "None" {
		return ""
	}
	return NetworkMode(m)
}

// injection is where the request puts the service; nil for no network. The request has been checked.
func (r Request) injection() *Injection {
	n := r.Network
	if n.mode() == "" {
		return nil
	}
	p := &Injection{Mode: n.mode(), Subnet: n.SubnetID, Addresses: r.addresses()}
	if n.Subnet != nil {
		p.Subnet = n.Subnet.ID
	}
	if n.PublicIP != nil {
		p.PublicIP, p.Address = n.PublicIP.ID, n.PublicIP.Address
	}
	p.ID = injectionID(n.Service, n.Location, p.Mode, p.Subnet, p.PublicIP)
	return p
}

// addresses is how many addresses of the subnet a request needs: one for each machine, and one for the load balancer of
// an internal gateway.
func (r Request) addresses() int {
	n := r.Units * r.Tier.Facts().Machines
	if r.Network.mode() == Internal {
		n++
	}
	return n
}

// networkMode spells a virtualNetworkType as the wire does.
func networkMode(s string) (string, bool) {
	if s == "" {
		return "None", true
	}
	for _, m := range []string{"None", string(External), string(Internal)} {
		if strings.EqualFold(m, s) {
			return m, true
		}
	}
	return "", false
}

// checkNetwork says what is wrong with the network of a request. What a service has already is not checked again: rules
// of a group may have changed since, and that is no reason to refuse a change of something else.
func checkNetwork(r Request) (f findings) {
	mode, ok := networkMode(r.Network.Type)
	switch {
	case !ok:
		f.add(CodeValueNotSupported, "virtualNetworkType", "The value '%s' of 'virtualNetworkType' is not supported. Allowed values: None, External, Internal.", r.Network.Type)
	case mode == "None":
		if r.Network.PublicIPID != "" {
			f.add(CodeInvalidParameters, "publicIpAddressId", "'publicIpAddressId' needs 'virtualNetworkType' External or Internal.")
		}
	case !r.Tier.Facts().VNet:
		f.add(CodeInvalidParameters, "virtualNetworkType", "The tier '%s' does not support 'virtualNetworkType' %s. Tiers that do: %s.", r.Tier, mode, tierNames(func(f Facts) bool { return f.VNet }))
	case r.Network.Subnet != nil && r.stays():
	default:
		f = slices.Concat(r.checkPublicIP(), r.checkSubnet())
		if len(f) == 0 && r.Network.Trouble != "" {
			f.add(CodeValueNotSupported, "virtualNetworkType", "The value '%s' of 'virtualNetworkType' is not supported on this host: %s", mode, r.Network.Trouble)
		}
	}
	return f
}

// stays says whether nothing changes that the network has to do with.
func (r Request) stays() bool {
	if r.Old == nil {
		return false
	}
	w := r.wish()
	return w.Form(Set{Platform: r.Old.Platform, Zones: r.Old.Zones, Injection: r.Old.Injection}) && r.addresses() <= r.Old.Injection.Addresses
}

// checkPublicIP holds the rules of 2021: a service on stv2 brings the address of each of its injections.
func (r Request) checkPublicIP() (f findings) {
	const target = "publicIpAddressId"
	n, ip := r.Network, r.Network.PublicIP
	switch {
	case r.platform() != STv2:
	case n.PublicIPID == "":
		f.add(CodeInvalidParameters, target, "'publicIpAddressId' is required when 'virtualNetworkType' is %s: name a public IP address of SKU Standard.", n.mode())
	case ip == nil || !strings.EqualFold(ip.SKU, "Standard"):
		f.add(CodeInvalidParameters, target, "The resource '%s' of 'publicIpAddressId' must be an existing public IP address of SKU Standard.", n.PublicIPID)
	case ip.Location != n.Location:
		f.add(CodeInvalidParameters, target, "The public IP address '%s' is in '%s'; it must be in the region of the service, which is '%s'.", ip.ID, ip.Location, n.Location)
	case ip.Label == "":
		f.add(CodeInvalidParameters, target, "The public IP address '%s' has no DNS name: set 'dnsSettings.domainNameLabel' to any label.", ip.ID)
	case ip.User != "" && !strings.EqualFold(ip.User, n.Service):
		f.add(CodeInvalidParameters, target, "The public IP address '%s' is in use by %s.", ip.ID, ip.User)
	case r.needsOtherAddress():
		f.add(CodeInvalidParameters, target, "A change of subnet, 'virtualNetworkType' or 'zones' needs another public IP address than the current one, '%s'.", ip.ID)
	}
	return f
}

// checkNAT says whether there can be a NAT gateway of the platform.
func checkNAT(r Request) (f findings) {
	const target = "natGatewayState"
	switch {
	case r.NAT == "":
	case r.Tier != Premium:
		f.add(CodeInvalidParameters, target, "The tier '%s' does not support 'natGatewayState' Enabled. Tiers that do: %s.", r.Tier, Premium)
	case r.platform() != STv2:
		f.add(CodeInvalidParameters, target, "'natGatewayState' Enabled needs platform version stv2.")
	case r.Network.mode() == "":
		f.add(CodeInvalidParameters, target, "NAT gateways of services outside virtual networks: not built in this version of Portico.")
	}
	return f
}

// needsOtherAddress says whether a new VIP would have the address that the present one has.
func (r Request) needsOtherAddress() bool {
	if r.Old == nil || r.Old.Injection == nil || r.Network.Subnet == nil || !strings.EqualFold(r.Old.Injection.PublicIP, r.Network.PublicIP.ID) {
		return false
	}
	old := r.Old.Injection
	return !strings.EqualFold(old.Subnet, r.Network.Subnet.ID) || old.Mode != r.Network.mode() ||
		!sameZones(r.Zones, r.Old.Zones)
}

// reserved is how many addresses of a subnet nobody gets: the network's own, the gateway, two for DNS, and the last one.
const reserved = 5

func (r Request) checkSubnet() (f findings) {
	const target = "virtualNetworkConfiguration.subnetResourceId"
	s := r.Network.Subnet
	switch {
	case r.Network.SubnetID == "":
		f.add(CodeInvalidParameters, target, "'%s' is required when 'virtualNetworkType' is %s: name a subnet of a virtual network.", target, r.Network.mode())
		return f
	case s == nil:
		f.add(CodeInvalidParameters, target, "The subnet '%s' of '%s' does not exist in this subscription.", r.Network.SubnetID, target)
		return f
	}
	if s.Location != r.Network.Location {
		f.add(CodeInvalidParameters, target, "The virtual network of subnet '%s' is in '%s'; it must be in the region of the service, which is '%s'.", s.ID, s.Location, r.Network.Location)
	}
	if len(s.Delegations) > 0 {
		f.add(CodeInvalidParameters, target, "The subnet '%s' is delegated to %s; its delegation must be None.", s.ID, strings.Join(s.Delegations, ", "))
	}
	if r.platform() == STv1 && len(s.Endpoints) > 0 {
		f.add(CodeInvalidParameters, target, "The subnet '%s' must be dedicated to API Management on platform version stv1; it holds %s.", s.ID, strings.Join(s.Endpoints, ", "))
	}
	if r.platform() == STv2 && s.Group == "" {
		f.add(CodeInvalidParameters, target, "The subnet '%s' needs a network security group on platform version stv2: without rules that allow them no connections reach the service.", s.ID)
	}
	if r.leftBehind() {
		f.add(CodeInvalidParameters, target, "The subnet '%s' still holds the old machines of the service: it can go back there when they are gone, after the coexistence window, or by a rollback before.", s.ID)
	}
	if need, free := r.addresses(), r.free(); need > free {
		f.add(CodeInvalidParameters, target, "The subnet '%s' (%s) is too small: %d addresses are needed and %d are free. Each subnet has %d reserved ones; a service needs one for each machine and, when it is internal, one more; a change beside running machines needs room for both.", s.ID, s.Prefix, need, max(free, 0), reserved)
	}
	if s.Group != "" {
		for _, b := range blocked(s.Rules, r) {
			f.add(CodeInvalidParameters, target, "The network security group '%s' of subnet '%s' must allow %s.", s.Group, s.ID, b)
		}
	}
	return f
}

// leftBehind says whether the service has left the subnet and its old machines are still there.
func (r Request) leftBehind() bool {
	n := r.Network
	if r.Old == nil || r.Old.Injection != nil && strings.EqualFold(r.Old.Injection.Subnet, n.Subnet.ID) {
		return false
	}
	return slices.ContainsFunc(n.Subnet.Tenants, func(t Tenant) bool {
		return strings.EqualFold(t.Service, n.Service) && (r.Old.Injection == nil || t.Injection != r.Old.Injection.ID)
	})
}

// free is how many addresses of the subnet are left for the request: those that others have are gone, and the machines
// that the service has there now stay beside new ones while it moves.
func (r Request) free() int {
	s := r.Network.Subnet
	free := 1<<(32-s.Prefix.Bits()) - reserved - len(s.Endpoints)
	replaces := "" // the injection whose machines become the ones asked for
	if r.Old != nil && r.Old.Injection != nil && r.wish().Form(Set{Platform: r.Old.Platform, Zones: r.Old.Zones, Injection: r.Old.Injection}) {
		replaces = r.Old.Injection.ID
	}
	for _, t := range s.Tenants {
		if free -= t.Addresses; t.Injection == replaces {
			free += r.Old.Injection.Addresses
		}
	}
	return free
}

// An Attachment is an injection with all that a fabric makes of it.
type Attachment struct {
	ID      string         `json:"id"`      // of the injection
	Network string         `json:"network"` // resource ID of the virtual network
	Space   []netip.Prefix `json:"space"`   // of the network
	Subnet  string         `json:"subnet"`  // resource ID
	Prefix  netip.Prefix   `json:"prefix"`  // of the subnet
	// Address is the public address by which the machines reach what is outside the network; empty: the fabric picks one.
	Address string `json:"address,omitempty"`
	// NAT are the addresses by which they do so instead, those of a NAT gateway; empty for none.
	NAT []string `json:"nat,omitempty"`
	// Routes, Peers, Lans and DNS are those of the subnet and its network.
	Routes []Route  `json:"routes,omitempty"`
	Peers  []Peer   `json:"peers,omitempty"`
	Lans   []Lan    `json:"lans,omitempty"`
	DNS    []string `json:"dns,omitempty"`
	// Inside is the address of the place in the subnet; empty: the fabric picks one. Endpoint says that it is no more than
	// a way in: nothing goes out from there.
	Inside   string `json:"inside,omitempty"`
	Endpoint bool   `json:"endpoint,omitempty"`
	// Filter says that Rules hold, in their order, and that what none of them is about is dropped; without it everything
	// passes.
	Filter bool           `json:"filter,omitempty"`
	Rules  []SecurityRule `json:"rules,omitempty"`
}

// Attach is what a fabric makes of an injection into a subnet. Without a group everything passes on stv1, and on stv2
// nothing that comes from outside the network: a load balancer of SKU Standard is closed.
func (s *Subnet) Attach(in Injection, v Version) Attachment {
	a := Attachment{
		ID: in.ID, Network: s.Network, Space: s.Space, Subnet: s.ID, Prefix: s.Prefix, Address: in.Address,
		NAT: s.NAT, Routes: s.Routes, Peers: s.Peers, Lans: s.Lans, DNS: s.DNS,
	}
	switch {
	case s.Group != "":
		a.Filter, a.Rules = true, s.Rules
	case v != STv1:
		a.Filter, a.Rules = true, DefaultSecurityRules()
	}
	return a
}

// An Endpoint is a private endpoint: an address of a subnet that leads to the gateway of a service.
type Endpoint struct {
	ID      string `json:"id"`     // resource ID
	Subnet  string `json:"subnet"` // resource ID
	Address string `json:"address"`
}

// Name is the ID of the attachment and of the VIP of the endpoint.
func (e Endpoint) Name() string {
	sum := sha256.Sum256([]byte(strings.ToLower(e.ID + "\n" + e.Address)))
	return "e" + hex.EncodeToString(sum[:6])
}

// AttachEndpoint is what a fabric makes of a private endpoint in a subnet. Security groups are not about private endpoints
// unless their subnet's policies say so, which are not built.
func (s *Subnet) AttachEndpoint(e Endpoint) Attachment {
	return Attachment{
		ID: e.Name(), Network: s.Network, Space: s.Space, Subnet: s.ID, Prefix: s.Prefix, Inside: e.Address, Endpoint: true,
		Peers: s.Peers, Lans: s.Lans,
	}
}

// VIP is the address of the endpoint, with the set that it leads to.
func (e Endpoint) VIP(set string) VIP {
	v := VIP{ID: e.Name(), Address: e.Address, Injection: e.Name(), Inside: true}
	if set != "" {
		v.Sets = []string{set}
	}
	return v
}
