package platform_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/platform"
)

const (
	serviceID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/contoso"
	groupID   = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/nsg"
	networkID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/vnet"
	addressID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/publicIPAddresses/"
)

func subnetID(name string) string { return networkID + "/subnets/" + name }

// allow is a rule that lets TCP through to some ports.
func allow(priority int, inbound bool, from, to string, ports ...uint16) platform.SecurityRule {
	r := platform.SecurityRule{
		Name: fmt.Sprint("rule", priority), Priority: priority, Inbound: inbound, Allow: true, Protocol: "Tcp",
		Sources: []string{from}, Destinations: []string{to}, SourcePorts: []platform.PortRange{{First: 0, Last: 65535}},
	}
	for _, p := range ports {
		r.Ports = append(r.Ports, platform.PortRange{First: p, Last: p})
	}
	return r
}

// good are the rules that the documents ask for.
func good(more ...platform.SecurityRule) []platform.SecurityRule {
	rules := slices.Concat([]platform.SecurityRule{
		allow(200, true, "Internet", "VirtualNetwork", 80, 443),
		allow(210, true, "ApiManagement", "VirtualNetwork", 3443),
		allow(220, true, "AzureLoadBalancer", "VirtualNetwork", 6390),
	}, more, platform.DefaultSecurityRules())
	platform.SortSecurityRules(rules)
	return rules
}

// injected asks for one unit of Premium on stv2 in a subnet that is as it should be.
func injected(change ...func(*platform.Request)) platform.Request {
	r := platform.Request{
		APIVersion: after, Tier: platform.Premium, Units: 1,
		Network: platform.NetworkRequest{
			Service: serviceID, Location: "westeurope", Type: "External", SubnetID: subnetID("apim"), PublicIPID: addressID + "ip1",
			Subnet: &platform.Subnet{
				ID: subnetID("apim"), Network: networkID, Location: "westeurope", Prefix: netip.MustParsePrefix("10.0.1.0/27"),
				Space: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}, Group: groupID, Rules: good(),
			},
			PublicIP: &platform.PublicIP{ID: addressID + "ip1", SKU: "Standard", Location: "westeurope", Address: "198.18.0.9", Label: "contoso"},
		},
	}
	for _, f := range change {
		f(&r)
	}
	return r
}

func TestDecide_PutsAServiceIntoASubnet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   platform.Request
		want platform.Injection
	}{
		{"external", injected(), platform.Injection{Mode: platform.External, Subnet: subnetID("apim"), PublicIP: addressID + "ip1", Address: "198.18.0.9", Addresses: 2}},
		{
			"internal needs one more address",
			injected(func(r *platform.Request) { r.Network.Type, r.Units = "internal", 3 }),
			platform.Injection{Mode: platform.Internal, Subnet: subnetID("apim"), PublicIP: addressID + "ip1", Address: "198.18.0.9", Addresses: 7},
		},
		{
			"stv1 has an address of the platform and needs no group",
			injected(func(r *platform.Request) {
				r.APIVersion, r.Tier = before, platform.Developer
				r.Network.PublicIPID, r.Network.PublicIP = "", nil
				r.Network.Subnet.Group, r.Network.Subnet.Rules = "", nil
			}),
			platform.Injection{Mode: platform.External, Subnet: subnetID("apim"), Addresses: 1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wish, err := platform.Decide(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if wish.Injection == nil || wish.Injection.ID == "" {
				t.Fatalf("the wish has no injection: %+v", wish)
			}
			tt.want.ID = wish.Injection.ID
			if d := cmp.Diff(tt.want, *wish.Injection); d != "" {
				t.Errorf("injection differs (-want +got):\n%s", d)
			}
		})
	}
}

func TestDecide_NetworkRules(t *testing.T) {
	t.Parallel()
	const subnet = "virtualNetworkConfiguration.subnetResourceId"
	small := func(bits int) func(*platform.Request) {
		return func(r *platform.Request) {
			r.Network.Subnet.Prefix = netip.PrefixFrom(netip.MustParseAddr("10.0.1.0"), bits)
		}
	}
	tests := []struct {
		name            string
		change          func(*platform.Request)
		code            string
		target, message string
	}{
		{
			"no subnet", func(r *platform.Request) { r.Network.SubnetID = "" }, platform.CodeInvalidParameters, subnet,
			"'virtualNetworkConfiguration.subnetResourceId' is required when 'virtualNetworkType' is External: name a subnet of a virtual network.",
		},
		{
			"a subnet that does not exist", func(r *platform.Request) { r.Network.Subnet = nil }, platform.CodeInvalidParameters, subnet,
			"The subnet '" + subnetID("apim") + "' of 'virtualNetworkConfiguration.subnetResourceId' does not exist in this subscription.",
		},
		{
			"a subnet elsewhere", func(r *platform.Request) { r.Network.Subnet.Location = "northeurope" }, platform.CodeInvalidParameters, subnet,
			"The virtual network of subnet '" + subnetID("apim") + "' is in 'northeurope'; it must be in the region of the service, which is 'westeurope'.",
		},
		{
			"no address", func(r *platform.Request) { r.Network.PublicIPID, r.Network.PublicIP = "", nil }, platform.CodeInvalidParameters, "publicIpAddressId",
			"'publicIpAddressId' is required when 'virtualNetworkType' is External: name a public IP address of SKU Standard.",
		},
		{
			"an address that does not exist", func(r *platform.Request) { r.Network.PublicIP = nil }, platform.CodeInvalidParameters, "publicIpAddressId",
			"The resource '" + addressID + "ip1' of 'publicIpAddressId' must be an existing public IP address of SKU Standard.",
		},
		{
			"a Basic address", func(r *platform.Request) { r.Network.PublicIP.SKU = "Basic" }, platform.CodeInvalidParameters, "publicIpAddressId",
			"The resource '" + addressID + "ip1' of 'publicIpAddressId' must be an existing public IP address of SKU Standard.",
		},
		{
			"an address elsewhere", func(r *platform.Request) { r.Network.PublicIP.Location = "eastus" }, platform.CodeInvalidParameters, "publicIpAddressId",
			"The public IP address '" + addressID + "ip1' is in 'eastus'; it must be in the region of the service, which is 'westeurope'.",
		},
		{
			"an address without a name", func(r *platform.Request) { r.Network.PublicIP.Label = "" }, platform.CodeInvalidParameters, "publicIpAddressId",
			"The public IP address '" + addressID + "ip1' has no DNS name: set 'dnsSettings.domainNameLabel' to any label.",
		},
		{
			"somebody's address", func(r *platform.Request) { r.Network.PublicIP.User = serviceID + "2" }, platform.CodeInvalidParameters, "publicIpAddressId",
			"The public IP address '" + addressID + "ip1' is in use by " + serviceID + "2.",
		},
		{
			"a delegated subnet", func(r *platform.Request) { r.Network.Subnet.Delegations = []string{"Microsoft.Web/serverFarms"} }, platform.CodeInvalidParameters, subnet,
			"The subnet '" + subnetID("apim") + "' is delegated to Microsoft.Web/serverFarms; its delegation must be None.",
		},
		{
			"stv2 without a group", func(r *platform.Request) { r.Network.Subnet.Group = "" }, platform.CodeInvalidParameters, subnet,
			"The subnet '" + subnetID("apim") + "' needs a network security group on platform version stv2: without rules that allow them no connections reach the service.",
		},
		{
			"stv1 in a subnet that is not dedicated",
			func(r *platform.Request) {
				r.APIVersion, r.Network.Subnet.Endpoints = before, []string{"/pe1"}
			}, platform.CodeInvalidParameters, subnet,
			"The subnet '" + subnetID("apim") + "' must be dedicated to API Management on platform version stv1; it holds /pe1.",
		},
		{
			"an internal second unit in /29", func(r *platform.Request) { small(29)(r); r.Network.Type, r.Units = "Internal", 2 }, platform.CodeInvalidParameters, subnet,
			"The subnet '" + subnetID("apim") + "' (10.0.1.0/29) is too small: 5 addresses are needed and 3 are free. Each subnet has 5 reserved ones; a service needs one for each machine and, when it is internal, one more; a change beside running machines needs room for both.",
		},
		{
			"a subnet with others",
			func(r *platform.Request) {
				small(28)(r)
				r.Units, r.Network.Subnet.Tenants = 3, []platform.Tenant{{Service: "/other", Injection: "n1", Addresses: 6}}
			}, platform.CodeInvalidParameters, subnet,
			"The subnet '" + subnetID("apim") + "' (10.0.1.0/28) is too small: 6 addresses are needed and 5 are free. Each subnet has 5 reserved ones; a service needs one for each machine and, when it is internal, one more; a change beside running machines needs room for both.",
		},
		{
			"a group that lets no clients in",
			func(r *platform.Request) {
				r.Network.Subnet.Rules = slices.DeleteFunc(good(), func(s platform.SecurityRule) bool { return s.Name == "rule200" })
			}, platform.CodeInvalidParameters, subnet,
			"The network security group '" + groupID + "' of subnet '" + subnetID("apim") + "' must allow inbound TCP 443 from Internet to VirtualNetwork.",
		},
		{
			"a group that denies a dependency",
			func(r *platform.Request) {
				deny := allow(100, false, "*", "Sql.WestEurope", 1433)
				deny.Allow = false
				r.Network.Subnet.Rules = good(deny)
			}, platform.CodeInvalidParameters, subnet,
			"The network security group '" + groupID + "' of subnet '" + subnetID("apim") + "' must allow outbound TCP 1433 from VirtualNetwork to Sql.",
		},
		{
			"a group that denies stv2 its key vault",
			func(r *platform.Request) {
				deny := allow(100, false, "*", "AzureKeyVault", 443)
				deny.Allow = false
				r.Network.Subnet.Rules = good(deny)
			}, platform.CodeInvalidParameters, subnet,
			"The network security group '" + groupID + "' of subnet '" + subnetID("apim") + "' must allow outbound TCP 443 from VirtualNetwork to AzureKeyVault.",
		},
		{
			"a host that makes no networks", func(r *platform.Request) { r.Network.Trouble = "run it as root." }, platform.CodeValueNotSupported, "virtualNetworkType",
			"The value 'External' of 'virtualNetworkType' is not supported on this host: run it as root.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wish, err := platform.Decide(injected(tt.change))
			if err == nil {
				t.Fatalf("got the wish %+v, want an error", wish)
			}
			if d := cmp.Diff([4]any{400, tt.code, tt.target, tt.message}, [4]any{err.Status, err.Code, err.Target, err.Message}); d != "" {
				t.Errorf("error differs (-want +got):\n%s", d)
			}
		})
	}
}

// The table of the documents: how many units of an internal Premium service a subnet has room for. The last row is bounded
// by the tier.
func TestDecide_UnitsThatASubnetHolds(t *testing.T) {
	t.Parallel()
	for bits, want := range map[int]int{29: 1, 28: 5, 27: 13, 26: 29, 25: 31} {
		most := 0
		for units := 1; units <= 64; units++ {
			_, err := platform.Decide(injected(func(r *platform.Request) {
				r.Network.Type, r.Units = "Internal", units
				r.Network.Subnet.Prefix = netip.PrefixFrom(netip.MustParseAddr("10.0.1.0"), bits)
			}))
			if err == nil {
				most = units
			}
		}
		if most != want {
			t.Errorf("a /%d holds %d units, want %d", bits, most, want)
		}
	}
}

// A rule for some addresses says nothing about all of them, and a probe needs no way to the one machine of Developer.
func TestDecide_GroupsThatLetThrough(t *testing.T) {
	t.Parallel()
	deny := allow(100, true, "203.0.113.0/24", "VirtualNetwork", 443)
	deny.Allow = false
	for name, change := range map[string]func(*platform.Request){
		"some clients denied": func(r *platform.Request) { r.Network.Subnet.Rules = good(deny) },
		"stv1 without a key vault": func(r *platform.Request) {
			vault := allow(100, false, "*", "AzureKeyVault", 443)
			vault.Allow = false
			r.APIVersion, r.Network.PublicIPID, r.Network.PublicIP, r.Network.Subnet.Rules = before, "", nil, good(vault)
		},
		"Developer without probes": func(r *platform.Request) {
			probe := allow(100, true, "AzureLoadBalancer", "*", 6390)
			probe.Allow = false
			r.Tier, r.Network.Subnet.Rules = platform.Developer, good(probe)
		},
		"internal without clients from the Internet": func(r *platform.Request) {
			r.Network.Type = "Internal"
			r.Network.Subnet.Rules = slices.DeleteFunc(good(), func(s platform.SecurityRule) bool { return s.Name == "rule200" })
		},
	} {
		if _, err := platform.Decide(injected(change)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The rows of "when VIPs change" that networks have.
func TestDecide_ChangesOfTheNetworkGiveANewAddress(t *testing.T) {
	t.Parallel()
	first, err := platform.Decide(injected())
	if err != nil {
		t.Fatal(err)
	}
	other := func(r *platform.Request) {
		r.Network.PublicIPID = addressID + "ip2"
		r.Network.PublicIP = &platform.PublicIP{ID: addressID + "ip2", SKU: "Standard", Location: "westeurope", Address: "198.18.0.10", Label: "contoso2"}
	}
	move := func(r *platform.Request) {
		r.Network.SubnetID, r.Network.Subnet.ID = subnetID("apim2"), subnetID("apim2")
	}
	tests := []struct {
		name   string
		change []func(*platform.Request)
		want   platform.AddressMode // empty: nothing moves
		denied string
	}{
		{"nothing", nil, "", ""},
		{"more units", []func(*platform.Request){func(r *platform.Request) { r.Units = 2 }}, "", ""},
		{"another public IP address", []func(*platform.Request){other}, platform.NewIP, ""},
		{"another subnet", []func(*platform.Request){other, move}, platform.NewIP, ""},
		{"another mode", []func(*platform.Request){other, func(r *platform.Request) { r.Network.Type = "Internal" }}, platform.NewIP, ""},
		{"out of the network", []func(*platform.Request){func(r *platform.Request) { r.Network = platform.NetworkRequest{Type: "None"} }}, platform.NewIP, ""},
		{"zones", []func(*platform.Request){other, func(r *platform.Request) { r.Zones = []string{"1"} }}, platform.NewIP, ""},
		{"another subnet with the same address", []func(*platform.Request){move}, "", "publicIpAddressId"},
		{"zones with the same address", []func(*platform.Request){func(r *platform.Request) { r.Zones = []string{"1"} }}, "", "publicIpAddressId"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := injected(tt.change...)
			in.Old = &first
			if in.Network.PublicIP != nil {
				if in.Network.PublicIP.ID == addressID+"ip1" {
					in.Network.PublicIP.User = serviceID
				}
				in.Network.Subnet.Tenants = []platform.Tenant{{Service: serviceID, Injection: first.Injection.ID, Addresses: 2}}
			}
			wish, err := platform.Decide(in)
			if tt.denied != "" {
				if err == nil || err.Target != tt.denied {
					t.Fatalf("got %+v, %v; want an error about %s", wish, err, tt.denied)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if wish.Address != tt.want {
				t.Errorf("address mode %q, want %q", wish.Address, tt.want)
			}
			if same := platform.SameInjection(first.Injection, wish.Injection); same != (tt.want == "") {
				t.Errorf("the injection stays: %v", same)
			}
		})
	}
}
