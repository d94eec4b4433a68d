package management_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/resource"
)

const networkPath = groupPath + "/providers/Microsoft.Network"

// withNetwork makes a resource group with a virtual network as a service needs it, and two public IP addresses.
func (w *world) withNetwork() *world {
	w.t.Helper()
	w.withGroup()
	w.want(201, "PUT", networkPath+"/networkSecurityGroups/nsg?api-version=2024-03-01", `{"location":"westeurope","properties":{"securityRules":[
		{"name":"clients","properties":{"protocol":"Tcp","sourceAddressPrefix":"Internet","sourcePortRange":"*","destinationAddressPrefix":"VirtualNetwork","destinationPortRanges":["80","443"],"access":"Allow","priority":200,"direction":"Inbound"}},
		{"name":"manage","properties":{"protocol":"Tcp","sourceAddressPrefix":"ApiManagement","sourcePortRange":"*","destinationAddressPrefix":"VirtualNetwork","destinationPortRange":"3443","access":"Allow","priority":210,"direction":"Inbound"}},
		{"name":"probe","properties":{"protocol":"Tcp","sourceAddressPrefix":"AzureLoadBalancer","sourcePortRange":"*","destinationAddressPrefix":"VirtualNetwork","destinationPortRange":"6390","access":"Allow","priority":220,"direction":"Inbound"}}]}}`)
	w.want(201, "PUT", networkPath+"/virtualNetworks/vnet?api-version=2024-03-01", fmt.Sprintf(`{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[
		{"name":"apim","properties":{"addressPrefix":"10.0.1.0/27","networkSecurityGroup":{"id":"%[1]s/networkSecurityGroups/nsg"}}},
		{"name":"free","properties":{"addressPrefix":"10.0.2.0/27"}}]}}`, networkPath))
	for _, name := range []string{"ip1", "ip2"} {
		w.want(201, "PUT", networkPath+"/publicIPAddresses/"+name+"?api-version=2024-03-01", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"dnsSettings":{"domainNameLabel":"`+name+`"}}}`)
	}
	return w
}

func injectedBody(mode, subnet, ip string) string {
	return fmt.Sprintf(`{"location":"West Europe","sku":{"name":"Developer","capacity":1},"properties":{"publisherEmail":"a@b.c","publisherName":"Contoso","virtualNetworkType":%q,
		"virtualNetworkConfiguration":{"subnetResourceId":"%[4]s/virtualNetworks/vnet/subnets/%[2]s"},"publicIpAddressId":"%[4]s/publicIPAddresses/%[3]s"}}`, mode, subnet, ip, networkPath)
}

func canNetwork(o *management.Options) { o.Networks = func() string { return "" } }

func TestService_InAVirtualNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	w.want(201, "PUT", servicePath, injectedBody("External", "apim", "ip1"))
	w.settle()
	got := w.want(200, "GET", servicePath, "")
	guid := w.want(200, "GET", networkPath+"/virtualNetworks/vnet?api-version=2024-03-01", "").text("properties.resourceGuid")
	want := map[string]any{"subnetResourceId": networkPath + "/virtualNetworks/vnet/subnets/apim", "subnetname": "apim", "vnetid": guid}
	if d := cmp.Diff(want, got.Body.Get("properties.virtualNetworkConfiguration")); d != "" {
		t.Errorf("network (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"127.9.0.1"}, got.Body.Texts("properties.publicIPAddresses")); d != "" {
		t.Errorf("public addresses (-want +got):\n%s", d)
	}

	w.want(202, "PATCH", servicePath, `{"properties":{"virtualNetworkType":"Internal","publicIpAddressId":"`+networkPath+`/publicIPAddresses/ip2"}}`)
	w.settle()
	got = w.want(200, "GET", servicePath, "")
	addresses := [][]string{got.Body.Texts("properties.publicIPAddresses"), got.Body.Texts("properties.privateIPAddresses")}
	if d := cmp.Diff([][]string{{"127.9.0.2"}, {"10.0.1.4"}}, addresses); d != "" {
		t.Errorf("public and private addresses (-want +got):\n%s", d)
	}
}

// Nothing that a service lives in can go, whatever way leads there.
func TestService_HoldsItsNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	w.want(201, "PUT", servicePath, injectedBody("External", "apim", "ip1"))
	for _, step := range []struct{ method, path, body, code string }{
		{"DELETE", "/virtualNetworks/vnet/subnets/apim", "", "InUseSubnetCannotBeDeleted"},
		{"DELETE", "/virtualNetworks/vnet", "", "InUseSubnetCannotBeDeleted"},
		{"PUT", "/virtualNetworks/vnet", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[]}}`, "InUseSubnetCannotBeDeleted"},
		{"PUT", "/virtualNetworks/vnet/subnets/apim", `{"properties":{"addressPrefix":"10.0.1.0/28"}}`, "InUseSubnetCannotBeUpdated"},
		{"PUT", "/virtualNetworks/vnet/subnets/apim", `{"properties":{"addressPrefix":"10.0.1.0/27","delegations":[{"name":"web","properties":{"serviceName":"Microsoft.Web/serverFarms"}}]}}`, "SubnetDelegationsCannotChangeWhenSubnetUsedByResource"},
		{"DELETE", "/publicIPAddresses/ip1", "", "PublicIPAddressCannotBeDeleted"},
		{"DELETE", "/networkSecurityGroups/nsg", "", "InUseNetworkSecurityGroupCannotBeDeleted"},
	} {
		a := w.want(400, step.method, networkPath+step.path+"?api-version=2024-03-01", step.body)
		if a.code() != step.code {
			t.Errorf("%s %s: %s, want %s", step.method, step.path, a.code(), step.code)
		}
	}
	w.settle()
	w.want(202, "DELETE", servicePath, "")
	w.settle()
}

// A service that stays in its subnet needs there what stv2 needs: a group, and room for a second copy of itself.
func TestMigrate_InASubnet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	body := strings.Replace(injectedBody("External", "free", "ip1"), `,"publicIpAddressId":"`+networkPath+`/publicIPAddresses/ip1"`, "", 1)
	w.want(201, "PUT", servicePath+"?api-version=2020-12-01", body)
	w.settle()
	a := w.want(400, "POST", servicePath+"/migrateToStv2", "")
	if want := "needs a network security group on platform version stv2"; !strings.Contains(a.text("error.message"), want) {
		t.Errorf("without a group: %s", a.Raw)
	}
	w.want(200, "PUT", networkPath+"/virtualNetworks/vnet/subnets/free?api-version=2024-03-01", `{"properties":{"addressPrefix":"10.0.2.0/27","networkSecurityGroup":{"id":"`+networkPath+`/networkSecurityGroups/nsg"}}}`)
	w.want(202, "POST", servicePath+"/migrateToStv2", "")
}

func TestService_NetworksThatTheHostCannotMake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *management.Options) { o.Networks = func() string { return "run it as root." } }).withNetwork()
	a := w.want(400, "PUT", servicePath, injectedBody("External", "apim", "ip1"))
	want := "The value 'External' of 'virtualNetworkType' is not supported on this host: run it as root."
	if a.code() != "ValueNotSupported" || a.text("error.message") != want {
		t.Errorf("answered %s", a.Raw)
	}
	w.want(404, "GET", servicePath, "")
}

const endpointPath = networkPath + "/privateEndpoints/pe1"

func endpointBody(list, message string) string {
	return fmt.Sprintf(`{"location":"westeurope","properties":{"subnet":{"id":"%s/virtualNetworks/vnet/subnets/free"},%q:[{"name":"c","properties":{"privateLinkServiceId":%q,"groupIds":["gateway"],"requestMessage":%q}}]}}`,
		networkPath, list, servicePath, message)
}

func connectionPath(t *testing.T, w *world) string {
	t.Helper()
	list := w.want(200, "GET", servicePath+"/privateEndpointConnections", "").Body
	if len(list.List("value")) != 1 || list.Get("count") != nil {
		t.Fatalf("connections %v", list)
	}
	return resource.Object(list.List("value")[0].(map[string]any)).Text("id")
}

func TestPrivateEndpoint_ApprovedByItsMaker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	w.want(201, "PUT", servicePath, developerBody)
	w.settle()
	a := w.want(201, "PUT", endpointPath+"?api-version=2024-03-01", endpointBody("privateLinkServiceConnections", ""))
	state := a.Body.List("properties.privateLinkServiceConnections")[0].(map[string]any)
	if got := resource.Object(state).Text("properties.privateLinkServiceConnectionState.status"); got != "Approved" {
		t.Errorf("state %q: %s", got, a.Raw)
	}
	dns := resource.Object(a.Body.List("properties.customDnsConfigs")[0].(map[string]any))
	if d := cmp.Diff([]string{"10.0.2.4"}, dns.Texts("ipAddresses")); d != "" || dns.Text("fqdn") != "apimService1.apim.localhost" {
		t.Errorf("name and address %v", dns)
	}
	if got := w.want(200, "GET", servicePath, "").Body.List("properties.privateEndpointConnections"); len(got) != 1 {
		t.Errorf("the service shows %v", got)
	}
	// What lives in a subnet keeps it; the service can be closed now, and opened.
	if a := w.want(400, "DELETE", networkPath+"/virtualNetworks/vnet/subnets/free?api-version=2024-03-01", ""); a.code() != "InUseSubnetCannotBeDeleted" {
		t.Errorf("deletion of the subnet: %s", a.Raw)
	}
	w.want(200, "PATCH", servicePath, `{"properties":{"publicNetworkAccess":"Disabled"}}`)
	if a := w.want(400, "PATCH", servicePath, `{"properties":{"virtualNetworkType":"External"}}`); a.code() != "ValidationError" {
		t.Errorf("a network beside a private endpoint: %s", a.Raw)
	}
	w.want(200, "DELETE", endpointPath+"?api-version=2024-03-01", "")
	if got := w.want(200, "GET", servicePath+"/privateEndpointConnections", "").Body.List("value"); len(got) != 0 {
		t.Errorf("connections are left: %v", got)
	}
}

func TestPrivateEndpoint_ApprovedByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	w.want(201, "PUT", servicePath, developerBody)
	w.settle()
	w.want(400, "PATCH", servicePath, `{"properties":{"publicNetworkAccess":"Disabled"}}`)
	w.want(201, "PUT", endpointPath+"?api-version=2024-03-01", endpointBody("manualPrivateLinkServiceConnections", "please"))
	path := connectionPath(t, w)
	status := func() string {
		return w.want(200, "GET", path, "").text("properties.privateLinkServiceConnectionState.status")
	}
	if got := status(); got != "Pending" {
		t.Errorf("a connection asked for by hand is %s", got)
	}
	w.want(400, "PATCH", servicePath, `{"properties":{"publicNetworkAccess":"Disabled"}}`)
	for _, want := range []string{"Approved", "Rejected"} {
		w.want(200, "PUT", path, fmt.Sprintf(`{"id":%q,"properties":{"privateLinkServiceConnectionState":{"status":%q,"description":"so be it"}}}`, path, want))
		if got := status(); got != want {
			t.Errorf("the connection is %s, want %s", got, want)
		}
		a := w.want(200, "GET", endpointPath+"?api-version=2024-03-01", "")
		state := a.Body.List("properties.manualPrivateLinkServiceConnections")[0].(map[string]any)
		if got := resource.Object(state).Text("properties.privateLinkServiceConnectionState.status"); got != want {
			t.Errorf("its endpoint says %s, want %s", got, want)
		}
	}
	w.want(400, "PUT", servicePath+"/privateEndpointConnections/other", `{"properties":{"privateLinkServiceConnectionState":{"status":"Approved"}}}`)
	w.want(200, "DELETE", path, "")
	a := w.want(200, "GET", endpointPath+"?api-version=2024-03-01", "")
	state := a.Body.List("properties.manualPrivateLinkServiceConnections")[0].(map[string]any)
	if got := resource.Object(state).Text("properties.privateLinkServiceConnectionState.status"); got != "Disconnected" {
		t.Errorf("an endpoint whose connection was removed is %s", got)
	}
}

func TestPrivateEndpoint_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	w.want(201, "PUT", servicePath+"?api-version=2020-12-01", developerBody)
	w.settle()
	for body, code := range map[string]string{
		endpointBody("privateLinkServiceConnections", ""):                                              "PrivateEndpointNotSupported", // on stv1
		strings.Replace(endpointBody("privateLinkServiceConnections", ""), "gateway", "portal", 1):     "PrivateEndpointInvalidGroupId",
		strings.Replace(endpointBody("privateLinkServiceConnections", ""), "apimService1", "other", 1): "PrivateLinkServiceNotFound",
		strings.Replace(endpointBody("privateLinkServiceConnections", ""), "/free", "/none", 1):        "PrivateEndpointNotSupported",
	} {
		if a := w.want(400, "PUT", endpointPath+"?api-version=2024-03-01", body); a.code() != code {
			t.Errorf("%s: %s, want %s", body, a.Raw, code)
		}
	}
}

// Of the v2 tiers all but the smallest take private endpoints; one that has some cannot become that.
func TestPrivateEndpoint_OfV2Tiers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	for _, tier := range []string{"BasicV2", "StandardV2", "PremiumV2"} {
		name := strings.ToLower(tier)
		named := func(s string) string { return strings.ReplaceAll(s, "apimService1", name) }
		w.want(201, "PUT", named(servicePath), strings.Replace(developerBody, "Developer", tier, 1))
		w.settle()
		status := 201
		if tier == "BasicV2" {
			status = 400
		}
		a := w.want(status, "PUT", endpointPath+name+"?api-version=2024-03-01", named(endpointBody("privateLinkServiceConnections", "")))
		if want := "takes no private endpoints: its tier is BasicV2. Tiers that do: Developer, Basic, Standard, Premium, Isolated, StandardV2, PremiumV2."; status == 400 && !strings.HasSuffix(a.text("error.message"), want) {
			t.Errorf("BasicV2: %s", a.Raw)
		}
	}
	a := w.want(400, "PATCH", strings.Replace(servicePath, "apimService1", "standardv2", 1), `{"sku":{"name":"BasicV2","capacity":1}}`)
	if !strings.Contains(a.Raw, "A service with private endpoint connections cannot be of the tier BasicV2.") {
		t.Errorf("answered %s", a.Raw)
	}
}

// The platform's NAT gateway has an address as long as it is asked for; that of the subnet comes before it.
func TestService_NATGateways(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	premium := strings.Replace(injectedBody("External", "apim", "ip1"), "Developer", "Premium", 1)
	for body, want := range map[string]string{
		injectedBody("External", "apim", "ip1"): "The tier 'Developer' does not support 'natGatewayState' Enabled. Tiers that do: Premium.",
		`{"location":"West Europe","sku":{"name":"Premium","capacity":1},"properties":{"publisherEmail":"a@b.c","publisherName":"C"}}`: "NAT gateways of services outside virtual networks: not built in this version of Portico.",
	} {
		a := w.want(400, "PUT", servicePath, strings.Replace(body, `"properties":{`, `"properties":{"natGatewayState":"Enabled",`, 1))
		if a.text("error.message") != want || a.text("error.target") != "natGatewayState" {
			t.Errorf("answered %s, want %s", a.Raw, want)
		}
	}
	w.want(201, "PUT", servicePath, premium)
	w.settle()
	outbound := func() []string {
		return w.want(200, "GET", servicePath, "").Body.Texts("properties.outboundPublicIPAddresses")
	}
	if got := outbound(); len(got) != 0 {
		t.Errorf("outbound addresses without a NAT gateway: %v", got)
	}
	w.want(202, "PATCH", servicePath, `{"properties":{"natGatewayState":"Enabled"}}`)
	w.settle()
	own := outbound()
	if len(own) != 1 || own[0] != w.statusOf(servicePath, nil).Wish.NAT+"/32" {
		t.Errorf("outbound addresses of the platform's NAT gateway: %v", own)
	}
	w.want(202, "PATCH", servicePath, `{"sku":{"name":"Premium","capacity":2}}`)
	w.settle()
	if d := cmp.Diff(own, outbound()); d != "" {
		t.Errorf("outbound addresses after a change of something else (-want +got):\n%s", d)
	}
	w.want(201, "PUT", networkPath+"/natGateways/nat?api-version=2024-03-01", `{"location":"westeurope","properties":{"publicIpAddresses":[{"id":"`+networkPath+`/publicIPAddresses/ip2"}]}}`)
	w.want(200, "PUT", networkPath+"/virtualNetworks/vnet/subnets/apim?api-version=2024-03-01", `{"properties":{"addressPrefix":"10.0.1.0/27",
		"networkSecurityGroup":{"id":"`+networkPath+`/networkSecurityGroups/nsg"},"natGateway":{"id":"`+networkPath+`/natGateways/nat"}}}`)
	if d := cmp.Diff([]string{"127.9.0.2/32"}, outbound()); d != "" {
		t.Errorf("outbound addresses of the subnet's NAT gateway (-want +got):\n%s", d)
	}
}
