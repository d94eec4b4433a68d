package resource

import (
	"slices"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/network"
)

func natGateways() *Row {
	return networkRow(&Row{
		Path: "natGateways", Entity: "NAT gateway", Proof: "TestGolden/natgateways", Versions: since(networkVersions, "2019-02-01"), NameParam: "natGatewayName",
		Fields: []Field{
			{Path: "zones", Kind: Array},
			{Path: "sku.name", Kind: String, Enum: words("Standard")},
			{Path: "properties.idleTimeoutInMinutes", Kind: Int, Min: new(int64(4)), Max: new(int64(120)), Default: int64(4)},
			{Path: "properties.publicIpAddresses[].id", Kind: String, Flags: Required},
			{Path: "properties.publicIpPrefixes", Kind: Array, Of: Any},
			{Path: "properties.subnets", Kind: Array, Of: Any, Flags: ReadOnly},
		},
		Complete: func(c *Change) {
			completeNetwork(c)
			c.New.SetDefault("sku.name", "Standard")
		},
		Rules: []Rule{natNotBuilt, natAddresses},
		Compute: func(s *Shown) {
			computeNetwork(s)
			if list := subnetsWith(s.Tree, "natGateway", s.Doc.ID); len(list) > 0 {
				s.Object.Set("properties.subnets", list)
			}
		},
		OnDelete: unusedBySubnets("natGateway", "InUseNatGatewayCannotBeDeleted", "NAT gateway"),
	}, newNetworkStatus)
}

func natNotBuilt(c *Change) []arm.ErrorDetail {
	if len(c.New.List("properties.publicIpPrefixes")) > 0 {
		return []arm.ErrorDetail{notBuilt("publicIpPrefixes", "Prefixes of public IP addresses")}
	}
	return nil
}

// natAddresses asks for Standard addresses of the region that nobody else uses.
func natAddresses(c *Change) (found []arm.ErrorDetail) {
	for _, item := range c.New.List("properties.publicIpAddresses") {
		m, _ := item.(map[string]any)
		id := Object(m).Text("id")
		wrong := c.refers(id, typePublicIP, "publicIpAddresses", c.New.Text("location"))
		if len(wrong) == 0 && reference(c.Tree, id, typePublicIP).Text("sku.name") != "Standard" {
			wrong = []arm.ErrorDetail{networkFinding("NatGatewayRequiresStandardPublicIp", "publicIpAddresses", "NAT gateway %s needs public IP addresses of SKU Standard; %s is of another.", c.ID, id)}
		}
		if user, err := network.AddressUser(c.Tree, id); len(wrong) == 0 && (err != nil || user != "" && !arm.SameID(user, c.ID)) {
			wrong = []arm.ErrorDetail{networkFinding("PublicIPAddressInUse", "publicIpAddresses", "Resource %s is referencing public IP address %s that is already allocated to resource %s.", c.ID, id, user)}
		}
		found = append(found, wrong...)
	}
	return slices.Clip(found)
}
