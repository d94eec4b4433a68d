package management_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/management"
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
