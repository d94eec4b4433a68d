package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/network"
	"github.com/portico-dev/portico/internal/store"
)

// Full types of networks.
const (
	typeVirtualNetwork = Network + "/virtualNetworks"
	typeSubnet         = Network + "/virtualNetworks/subnets"
	typeSecurityGroup  = Network + "/networkSecurityGroups"
	typeSecurityRule   = Network + "/networkSecurityGroups/securityRules"
	typeNATGateway     = Network + "/natGateways"
	typePublicIP       = Network + "/publicIPAddresses"
	typePeering        = Network + "/virtualNetworks/virtualNetworkPeerings"
	typeRouteTable     = Network + "/routeTables"
	typeRoute          = Network + "/routeTables/routes"
)

// A NetworkStatus is the Status of a resource of a network that has no other.
type NetworkStatus struct {
	GUID string `json:"resourceGuid"`
}

func newNetworkStatus(*Change) (any, error) { return NetworkStatus{GUID: uuid.NewString()}, nil }

// computeNetwork adds what every resource of a network shows.
func computeNetwork(s *Shown) {
	var st NetworkStatus
	if json.Unmarshal(s.Doc.Status, &st) == nil && st.GUID != "" {
		s.Object.Set("properties.resourceGuid", st.GUID)
	}
	s.Object.Set("properties.provisioningState", "Succeeded")
	s.Object["etag"] = networkETag(s.Doc)
}

// networkETag is the form that Microsoft.Network gives an ETag.
func networkETag(d store.Document) string {
	return `W/"` + uuid.NewSHA1(uuid.NameSpaceOID, []byte(d.ID+d.ETag)).String() + `"`
}

// completeNetwork gives a tracked resource of a network what all of them have.
func completeNetwork(c *Change) {
	c.New.Set("location", NormalLocation(c.New.Text("location")))
	if _, ok := c.New["properties"]; !ok {
		c.New["properties"] = map[string]any{}
	}
}

// networkRow is what the tracked types of networks have in common.
func networkRow(r *Row, status func(*Change) (any, error)) *Row {
	r.Namespace, r.Shape, r.NameMax, r.NameLike, r.NoIfMatch = Network, Tracked, 80, networkName, true
	r.Verbs = Get | Head | Put | Patch | Delete | List
	r.Fields = slices.Concat([]Field{{Path: "location", Kind: String}, {Path: "tags", Kind: Map}}, r.Fields,
		readOnly("properties.resourceGuid", "properties.provisioningState"))
	r.Rules = append([]Rule{tagLimits}, r.Rules...)
	r.NewStatus = status
	return r
}

// networkChild is what the types below them have in common.
func networkChild(r *Row) *Row {
	r.Namespace, r.Shape, r.NameMax, r.NameLike, r.NoIfMatch = Network, Entity, 80, networkName, true
	r.Verbs, r.Versions = Get|Head|Put|Delete|List, networkVersions
	r.Fields = append(r.Fields, readOnly("properties.provisioningState")...)
	return r
}

var (
	subnetsOf  = childField{path: "properties.subnets", child: typeSubnet}
	peeringsOf = childField{path: "properties.virtualNetworkPeerings", child: typePeering}
)

func virtualNetworks() *Row {
	return networkRow(&Row{
		Path: "virtualNetworks", Entity: "Virtual network", Proof: "TestGolden/virtualnetworks", Versions: networkVersions, NameParam: "virtualNetworkName",
		Fields: []Field{
			{Path: "properties.addressSpace.addressPrefixes", Kind: Array},
			{Path: "properties.dhcpOptions.dnsServers", Kind: Array},
			{Path: "properties.flowTimeoutInMinutes", Kind: Int, Min: new(int64(4)), Max: new(int64(30))},
			{Path: "properties.subnets", Kind: Array, Of: Any},
			{Path: "properties.virtualNetworkPeerings", Kind: Array, Of: Any},
			{Path: "properties.enableDdosProtection", Kind: Bool, Default: false},
			{Path: "properties.enableVmProtection", Kind: Bool},
			{Path: "properties.ddosProtectionPlan.id", Kind: String},
			{Path: "properties.encryption.enabled", Kind: Bool},
		},
		Complete: func(c *Change) {
			completeNetwork(c)
			subnetsOf.take(c)
			peeringsOf.take(c)
		},
		Rules: []Rule{networkNotBuilt, addressSpaceValid, addressSpaceHolds, addressSpaceApart, subnetsOf.check, peeringsOf.check},
		Stored: func(c *Change, tx store.Tx) error {
			return errors.Join(subnetsOf.store(c, tx), peeringsOf.store(c, tx))
		},
		Compute: func(s *Shown) {
			computeNetwork(s)
			subnetsOf.show(s)
			peeringsOf.show(s)
		},
		OnDelete: func(r *Removal) *arm.Error {
			subnets, err := r.Tree.List(store.Query{Type: strings.ToLower(typeSubnet), Prefix: r.ID})
			if err != nil {
				return unreadable(r.ID)
			}
			for _, d := range subnets {
				if err := subnetUnused(&Removal{ID: d.ID, Tree: r.Tree, Version: r.Version}); err != nil {
					return err
				}
			}
			return nil
		},
	}, newNetworkStatus)
}

func unreadable(id string) *arm.Error {
	return &arm.Error{Status: 500, Code: "InternalServerError", Message: "What uses " + id + " cannot be read."}
}

func networkNotBuilt(c *Change) (found []arm.ErrorDetail) {
	for _, x := range []struct {
		path, what string
		yes        bool
	}{
		{"enableDdosProtection", "DDoS protection", c.New.Flag("properties.enableDdosProtection") || c.New.Get("properties.ddosProtectionPlan") != nil},
		{"encryption", "Encryption of virtual networks", c.New.Flag("properties.encryption.enabled")},
	} {
		if x.yes {
			found = append(found, notBuilt(x.path, x.what))
		}
	}
	return found
}

// networkFinding is a finding with a code of Microsoft.Network.
func networkFinding(code, path, format string, args ...any) arm.ErrorDetail {
	return arm.ErrorDetail{Code: code, Target: path, Message: fmt.Sprintf(format, args...)}
}

func addressSpaceValid(c *Change) (found []arm.ErrorDetail) {
	texts := c.New.Texts("properties.addressSpace.addressPrefixes")
	if len(texts) == 0 {
		return []arm.ErrorDetail{networkFinding("InvalidRequestFormat", "addressSpace", "Virtual network '%s' needs an address space: 'addressSpace.addressPrefixes' must not be empty.", c.Name)}
	}
	var prefixes []netip.Prefix
	for _, s := range texts {
		p, wrong := readPrefix(c, s)
		if wrong != nil {
			found = append(found, *wrong)
			continue
		}
		if slices.ContainsFunc(prefixes, p.Overlaps) {
			found = append(found, networkFinding("NetcfgAddressSpaceOverlaps", "addressSpace.addressPrefixes", "Address prefix '%s' of virtual network '%s' overlaps with another one of it.", s, c.Name))
		}
		prefixes = append(prefixes, p)
	}
	for _, s := range c.New.Texts("properties.dhcpOptions.dnsServers") {
		if a, err := netip.ParseAddr(s); err != nil || !a.Is4() {
			found = append(found, networkFinding("InvalidDnsServerAddress", "dhcpOptions.dnsServers", "'%s' is not the IPv4 address of a DNS server.", s))
		}
	}
	return found
}

// readPrefix reads a prefix of a network or subnet.
func readPrefix(c *Change, s string) (netip.Prefix, *arm.ErrorDetail) {
	p, err := netip.ParsePrefix(s)
	bad := func(code, format string, args ...any) (netip.Prefix, *arm.ErrorDetail) {
		d := networkFinding(code, "addressPrefix", format, args...)
		return p, &d
	}
	switch {
	case err != nil:
		return bad("InvalidAddressPrefixFormat", "Address prefix %s of resource %s is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24.", s, c.ID)
	case !p.Addr().Is4():
		return bad("InvalidAddressPrefixFormat", "Address prefix %s of resource %s: IPv6 is not built in this version of Portico.", s, c.ID)
	case p.Masked() != p:
		return bad("InvalidCIDRNotation", "The address prefix %s in resource %s has an invalid CIDR notation. For the given prefix length, the address prefix should be %s.", s, c.ID, p.Masked())
	case p.Bits() < 8 || p.Bits() > 29:
		return bad("InvalidAddressPrefixLength", "The address prefix %s in resource %s must be between /8 and /29.", s, c.ID)
	case slices.ContainsFunc(reservedPrefixes, p.Overlaps):
		return bad("InvalidAddressPrefix", "The address prefix %s in resource %s is reserved: no network has addresses of 0.0.0.0/8, 127.0.0.0/8, 168.63.129.16/32, 169.254.0.0/16 or 224.0.0.0/3.", s, c.ID)
	}
	return p, nil
}

var reservedPrefixes = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
}

// addressSpaceHolds asks that subnets that are not listed anew stay inside the address space.
func addressSpaceHolds(c *Change) (found []arm.ErrorDetail) {
	if _, all := c.Brings[typeSubnet]; all {
		return nil
	}
	space := parsePrefixes(c.New.Texts("properties.addressSpace.addressPrefixes"))
	docs, objects := c.Siblings(typeSubnet, c.ID)
	for i, o := range objects {
		if p := subnetPrefix(o); p.IsValid() && !inside(space, p) {
			found = append(found, outsideNetwork(lastSegment(docs[i].ID), c.Name))
		}
	}
	return found
}

func outsideNetwork(subnet, network string) arm.ErrorDetail {
	return networkFinding("NetcfgSubnetRangeOutsideVnet", "addressPrefix", "Subnet '%s' is not valid because its IP address range is outside the IP address range of virtual network '%s'.", subnet, network)
}

func parsePrefixes(texts []string) (out []netip.Prefix) {
	for _, s := range texts {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func inside(space []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(space, func(s netip.Prefix) bool { return s.Bits() <= p.Bits() && s.Contains(p.Addr()) })
}

func subnets() *Row {
	onOff := words("Enabled", "Disabled")
	return networkChild(&Row{
		Path: "virtualNetworks/subnets", Entity: "Subnet", Proof: "TestGolden/virtualnetworks", NameParam: "subnetName",
		Fields: []Field{
			{Path: "properties.addressPrefix", Kind: String},
			{Path: "properties.addressPrefixes", Kind: Array},
			{Path: "properties.networkSecurityGroup.id", Kind: String},
			{Path: "properties.routeTable.id", Kind: String},
			{Path: "properties.natGateway.id", Kind: String},
			{Path: "properties.serviceEndpoints", Kind: Array, Of: Any},
			{Path: "properties.delegations[].name", Kind: String},
			{Path: "properties.delegations[].properties.serviceName", Kind: String},
			{Path: "properties.privateEndpointNetworkPolicies", Kind: String, Enum: words("Enabled", "Disabled", "NetworkSecurityGroupEnabled", "RouteTableEnabled"), Default: "Disabled"},
			{Path: "properties.privateLinkServiceNetworkPolicies", Kind: String, Enum: onOff, Default: "Enabled"},
			{Path: "properties.defaultOutboundAccess", Kind: Bool},
			{Path: "properties.privateEndpoints", Kind: Array, Of: Any, Flags: ReadOnly},
		},
		Complete: func(c *Change) {
			if list := c.New.Texts("properties.addressPrefixes"); len(list) == 1 && c.New.Text("properties.addressPrefix") == "" {
				c.New.Set("properties.addressPrefix", list[0])
				c.New.Remove("properties.addressPrefixes")
			}
			c.New.SetDefault("properties.delegations", []any{})
		},
		Rules: []Rule{subnetNotBuilt, subnetFits, subnetReferences, subnetKept},
		Compute: func(s *Shown) {
			computeNetwork(s)
			if s.Tree != nil {
				if ids, _ := network.Endpoints(s.Tree, s.Doc.ID); len(ids) > 0 {
					s.Object.Set("properties.privateEndpoints", references(ids))
				}
			}
		},
		OnDelete: subnetUnused,
	})
}

func subnetNotBuilt(c *Change) (found []arm.ErrorDetail) {
	if len(c.New.Texts("properties.addressPrefixes")) > 0 {
		found = append(found, notBuilt("addressPrefixes", "Subnets with several address prefixes"))
	}
	return found
}

func subnetPrefix(o Object) netip.Prefix {
	p, _ := netip.ParsePrefix(o.Text("properties.addressPrefix"))
	return p
}

// network is the virtual network of a subnet, as it will be.
func (c *Change) network() Object {
	if c.Parent != nil {
		return c.Parent.New
	}
	d, err := c.Tree.Get(parentID(c.ID))
	if err != nil {
		return nil
	}
	o, _ := parseObject(d.Desired)
	return o
}

// parentID cuts a child's type and name off its ID.
func parentID(id string) string {
	id = id[:strings.LastIndexByte(id, '/')]
	return id[:strings.LastIndexByte(id, '/')]
}

// others are the other subnets of the network, as they will be, by their names.
func (c *Change) others(fullType string) map[string]Object {
	out := map[string]Object{}
	if c.Parent != nil {
		for _, kid := range c.Parent.Brings[fullType] {
			out[strings.ToLower(kid.Name)] = kid.New
		}
	} else {
		docs, objects := c.Siblings(fullType, parentID(c.ID))
		for i, d := range docs {
			out[strings.ToLower(lastSegment(d.ID))] = objects[i]
		}
	}
	delete(out, strings.ToLower(c.Name))
	return out
}

func subnetFits(c *Change) []arm.ErrorDetail {
	text, of := c.New.Text("properties.addressPrefix"), lastSegment(parentID(c.ID))
	if text == "" {
		return []arm.ErrorDetail{networkFinding("InvalidRequestFormat", "addressPrefix", "Subnet '%s' needs an 'addressPrefix'.", c.Name)}
	}
	p, wrong := readPrefix(c, text)
	if wrong != nil {
		return []arm.ErrorDetail{*wrong}
	}
	if !inside(parsePrefixes(c.network().Texts("properties.addressSpace.addressPrefixes")), p) {
		return []arm.ErrorDetail{outsideNetwork(c.Name, of)}
	}
	for _, o := range c.others(typeSubnet) {
		if q := subnetPrefix(o); q.IsValid() && q.Overlaps(p) {
			return []arm.ErrorDetail{networkFinding("NetcfgSubnetRangesOverlap", "addressPrefix", "Subnet '%s' is not valid because its IP address range overlaps with that of an existing subnet in virtual network '%s'.", c.Name, of)}
		}
	}
	return nil
}

// subnetReferences asks that what a subnet names exists, in the region of its network.
func subnetReferences(c *Change) (found []arm.ErrorDetail) {
	location := NormalLocation(c.network().Text("location"))
	for path, fullType := range map[string]string{"networkSecurityGroup": typeSecurityGroup, "natGateway": typeNATGateway, "routeTable": typeRouteTable} {
		if id := c.New.Text("properties." + path + ".id"); id != "" {
			found = append(found, c.refers(id, fullType, path, location)...)
		}
	}
	slices.SortFunc(found, func(a, b arm.ErrorDetail) int { return strings.Compare(a.Target, b.Target) })
	return found
}

// refers asks that an ID is that of a resource of a type, in a region.
func (c *Change) refers(id, fullType, path, location string) []arm.ErrorDetail {
	o := reference(c.Tree, id, fullType)
	if o == nil || NormalLocation(o.Text("location")) != location {
		return []arm.ErrorDetail{networkFinding("InvalidResourceReference", path, "Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", id, c.ID)}
	}
	return nil
}

// references shows IDs as ARM shows what refers to something.
func references(ids []string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = map[string]any{"id": id}
	}
	return out
}

// reference reads the resource that an ID names; nil when it is none of the type.
func reference(t store.Reader, id, fullType string) Object {
	parsed, err := arm.ParseID(id)
	if err != nil || !strings.EqualFold(parsed.Type(), fullType) {
		return nil
	}
	d, err := t.Get(id)
	if err != nil {
		return nil
	}
	o, _ := parseObject(d.Desired)
	return o
}

// subnetKept: where something lives in a subnet, its addresses stay, and it is delegated to nobody else.
func subnetKept(c *Change) []arm.ErrorDetail {
	if c.Old == nil {
		return nil
	}
	moved := c.Old.Text("properties.addressPrefix") != c.New.Text("properties.addressPrefix")
	was, now := delegates(c.Old), delegates(c.New)
	if !moved && slices.Equal(was, now) {
		return nil
	}
	user, err := network.SubnetUser(c.Tree, c.ID)
	switch {
	case err == nil && user == "":
		return nil
	case moved:
		return []arm.ErrorDetail{networkFinding("InUseSubnetCannotBeUpdated", "addressPrefix", "Subnet %s is in use by %s and cannot be updated.", c.Name, user)}
	}
	return []arm.ErrorDetail{networkFinding("SubnetDelegationsCannotChangeWhenSubnetUsedByResource", "delegations",
		"Delegations of subnet %s cannot be changed from [%s] to [%s] because it is being used by the resource %s.", c.ID, strings.Join(was, ", "), strings.Join(now, ", "), user)}
}

// delegates are the services that a subnet is delegated to.
func delegates(subnet Object) (names []string) {
	for _, d := range subnet.List("properties.delegations") {
		o, _ := d.(map[string]any)
		names = append(names, Object(o).Text("properties.serviceName"))
	}
	return names
}

func subnetUnused(r *Removal) *arm.Error {
	user, err := network.SubnetUser(r.Tree, r.ID)
	if err != nil {
		return unreadable(r.ID)
	}
	if user != "" {
		return &arm.Error{Status: 400, Code: "InUseSubnetCannotBeDeleted", Message: fmt.Sprintf(
			"Subnet %s is in use by %s and cannot be deleted. In order to delete the subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.", lastSegment(r.ID), user)}
	}
	return nil
}
