package resource

import (
	"fmt"
	"net/netip"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/network"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

var routesOf = childField{path: "properties.routes", child: typeRoute}

func routeTables() *Row {
	return networkRow(&Row{
		Path: "routeTables", Entity: "Route table", Proof: "TestGolden/routetables", Versions: networkVersions, NameParam: "routeTableName",
		Fields: []Field{
			{Path: "properties.disableBgpRoutePropagation", Kind: Bool, Default: false},
			{Path: "properties.routes", Kind: Array, Of: Any},
			{Path: "properties.subnets", Kind: Array, Of: Any, Flags: ReadOnly},
		},
		Complete: func(c *Change) {
			completeNetwork(c)
			routesOf.take(c)
		},
		Rules:  []Rule{routesOf.check},
		Stored: func(c *Change, tx store.Tx) error { return routesOf.store(c, tx) },
		Compute: func(s *Shown) {
			computeNetwork(s)
			routesOf.show(s)
			if list := subnetsWith(s.Tree, "routeTable", s.Doc.ID); len(list) > 0 {
				s.Object.Set("properties.subnets", list)
			}
		},
		OnDelete: unusedBySubnets("routeTable", "InUseRouteTableCannotBeDeleted", "Route table"),
	}, newNetworkStatus)
}

func routes() *Row {
	return networkChild(&Row{
		Path: "routeTables/routes", Entity: "Route", Proof: "TestGolden/routetables", NameParam: "routeName",
		Fields: []Field{
			{Path: "properties.addressPrefix", Kind: String, Flags: Required},
			{Path: "properties.nextHopType", Kind: String, Flags: Required, Enum: words(platform.HopGateway, platform.HopVNet, platform.HopInternet, platform.HopAppliance, platform.HopNone)},
			{Path: "properties.nextHopIpAddress", Kind: String},
			{Path: "properties.hasBgpOverride", Kind: Bool, Flags: ReadOnly},
		},
		Rules: []Rule{routeValid, routeAlone},
		Compute: func(s *Shown) {
			computeNetwork(s)
			s.Object.Set("properties.hasBgpOverride", false)
		},
	})
}

// routeValid: the codes are inferred.
func routeValid(c *Change) (found []arm.ErrorDetail) {
	text := c.New.Text("properties.addressPrefix")
	_, isPrefix := platform.ParsePrefix(text)
	if _, isTag := platform.ParseTag(text); !isPrefix && !isTag {
		found = append(found, networkFinding("RouteAddressPrefixInvalid", "addressPrefix", "Route %s has the address prefix '%s', which is neither a prefix in CIDR notation nor a service tag.", c.Name, text))
	}
	hop, via := c.New.Text("properties.nextHopType"), c.New.Text("properties.nextHopIpAddress")
	a, err := netip.ParseAddr(via)
	switch {
	case hop == platform.HopAppliance && (err != nil || !a.Is4()):
		found = append(found, networkFinding("NextHopIpAddressInvalid", "nextHopIpAddress", "Route %s needs the IPv4 address of the appliance in 'nextHopIpAddress'; '%s' is none.", c.Name, via))
	case hop != platform.HopAppliance && via != "":
		found = append(found, networkFinding("NextHopIpAddressInvalid", "nextHopIpAddress", "Route %s cannot have a 'nextHopIpAddress' with the next hop %s.", c.Name, hop))
	}
	return found
}

// routeAlone: a table has one route to a prefix.
func routeAlone(c *Change) []arm.ErrorDetail {
	for name, o := range c.others(typeRoute) {
		if o.Text("properties.addressPrefix") == c.New.Text("properties.addressPrefix") {
			return []arm.ErrorDetail{networkFinding("RouteConflict", "addressPrefix", "Route %s has the same address prefix %s as the route %s of its table.", c.Name, c.New.Text("properties.addressPrefix"), name)}
		}
	}
	return nil
}

func peerings() *Row {
	return networkChild(&Row{
		Path: "virtualNetworks/virtualNetworkPeerings", Entity: "Virtual network peering", Proof: "TestGolden/peerings", NameParam: "virtualNetworkPeeringName",
		Fields: []Field{
			{Path: "properties.remoteVirtualNetwork.id", Kind: String, Flags: Required},
			{Path: "properties.allowVirtualNetworkAccess", Kind: Bool, Default: true},
			{Path: "properties.allowForwardedTraffic", Kind: Bool, Default: false},
			{Path: "properties.allowGatewayTransit", Kind: Bool, Default: false},
			{Path: "properties.useRemoteGateways", Kind: Bool, Default: false},
			{Path: "properties.peeringState", Kind: String, Flags: ReadOnly},
			{Path: "properties.peeringSyncLevel", Kind: String, Flags: ReadOnly},
			{Path: "properties.remoteAddressSpace", Kind: Any, Flags: ReadOnly},
			{Path: "properties.remoteVirtualNetworkAddressSpace", Kind: Any, Flags: ReadOnly},
		},
		Rules:   []Rule{peeringValid},
		Compute: computePeering,
	})
}

func peeringValid(c *Change) []arm.ErrorDetail {
	one := func(code, format string, args ...any) []arm.ErrorDetail {
		return []arm.ErrorDetail{networkFinding(code, "remoteVirtualNetwork", format, args...)}
	}
	remote, own := c.New.Text("properties.remoteVirtualNetwork.id"), parentID(c.ID)
	other := reference(c.Tree, remote, typeVirtualNetwork)
	switch {
	case other == nil:
		return one("InvalidResourceReference", "Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists.", remote, c.ID)
	case arm.SameID(remote, own):
		return one("VnetPeeringToItself", "Peering %s cannot reference its own virtual network.", c.Name)
	case c.New.Flag("properties.useRemoteGateways"):
		return one("RemoteVnetHasNoGateways", "Peering %s cannot have UseRemoteGateways flag set to true because the remote virtual network %s referenced by the peering does not have any gateways.", c.Name, remote)
	}
	for name, o := range c.others(typePeering) {
		if arm.SameID(o.Text("properties.remoteVirtualNetwork.id"), remote) {
			return one("AnotherPeeringAlreadyReferencesRemoteVnet", "Peering %s cannot reference remote virtual network %s because it is already referenced by the peering %s.", c.Name, remote, name)
		}
	}
	if overlap := overlaps(c.network(), other); overlap != "" {
		return one("VnetAddressSpacesOverlap", "Cannot create or update peering %s. Virtual networks %s and %s cannot be peered because their address spaces overlap. Overlapping address prefixes: %s.", c.ID, own, remote, overlap)
	}
	return nil
}

// overlaps names two prefixes of two networks that overlap; empty when none do.
func overlaps(a, b Object) string {
	const space = "properties.addressSpace.addressPrefixes"
	for _, p := range parsePrefixes(a.Texts(space)) {
		for _, q := range parsePrefixes(b.Texts(space)) {
			if p.Overlaps(q) {
				return fmt.Sprintf("%s, %s", p, q)
			}
		}
	}
	return ""
}

// addressSpaceApart keeps the address space of a network apart from those of its peers.
func addressSpaceApart(c *Change) (found []arm.ErrorDetail) {
	if _, all := c.Brings[typePeering]; all || c.Old == nil {
		return nil // each of them is checked by itself
	}
	_, list := c.Siblings(typePeering, c.ID)
	for _, o := range list {
		remote := o.Text("properties.remoteVirtualNetwork.id")
		if overlap := overlaps(c.New, reference(c.Tree, remote, typeVirtualNetwork)); overlap != "" {
			found = append(found, networkFinding("VnetAddressSpacesOverlap", "addressSpace", "Virtual networks %s and %s are peered and their address spaces would overlap: %s.", c.ID, remote, overlap))
		}
	}
	return found
}

// computePeering adds what the other side has to do with.
func computePeering(s *Shown) {
	computeNetwork(s)
	state, level := "Initiated", "LocalNotInSync"
	remote := s.Object.Text("properties.remoteVirtualNetwork.id")
	if s.Tree != nil {
		if back, err := (network.Peering{Network: parentID(s.Doc.ID), Remote: remote}).Back(s.Tree); err == nil && back != nil {
			state, level = "Connected", "FullyInSync"
		}
		if other := reference(s.Tree, remote, typeVirtualNetwork); other != nil {
			space := map[string]any{"addressPrefixes": other.List("properties.addressSpace.addressPrefixes")}
			s.Object.Set("properties.remoteAddressSpace", space)
			s.Object.Set("properties.remoteVirtualNetworkAddressSpace", space)
		}
	}
	s.Object.Set("properties.peeringState", state)
	s.Object.Set("properties.peeringSyncLevel", level)
}
