package e2e

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/hosting/vnet"
)

func (h *host) securityGroup(clients string) {
	h.t.Helper()
	h.do(http.MethodPut, h.network("networkSecurityGroups/nsg"), networks, securityGroup(clients == "Deny"))
}

// withNetworks makes two virtual networks of the same addresses, and public IP addresses.
func (h *host) withNetworks(addresses ...string) {
	h.t.Helper()
	h.do(http.MethodPut, h.group(), "2022-09-01", object{"location": "westeurope"})
	h.securityGroup("Allow")
	for _, name := range []string{"one", "two"} {
		h.do(http.MethodPut, h.network("virtualNetworks/"+name), networks, object{"location": "westeurope", "properties": object{
			"addressSpace": object{"addressPrefixes": []string{"10.213.0.0/16"}},
			"subnets":      []object{{"name": "apim", "properties": object{"addressPrefix": "10.213.1.0/27", "networkSecurityGroup": object{"id": h.network("networkSecurityGroups/nsg")}}}},
		}})
	}
	for _, name := range addresses {
		h.do(http.MethodPut, h.network("publicIPAddresses/"+name), networks, object{
			"location": "westeurope", "sku": object{"name": "Standard"}, "properties": object{"dnsSettings": object{"domainNameLabel": name}},
		})
	}
}

// injected is the body of a service in a virtual network.
func (h *host) injected(mode, vnet, address string) object {
	return object{"location": "West Europe", "sku": object{"name": "Developer", "capacity": 1}, "properties": object{
		"publisherName": "E2E", "publisherEmail": "e2e@example.com", "virtualNetworkType": mode,
		"virtualNetworkConfiguration": object{"subnetResourceId": h.network("virtualNetworks/" + vnet + "/subnets/apim")},
		"publicIpAddressId":           h.network("publicIPAddresses/" + address),
	}}
}

// within is the body of a service in a subnet.
func (h *host) within(mode, vnet, subnet, address string) object {
	body := h.injected(mode, vnet, address)
	properties := body["properties"].(object)
	properties["virtualNetworkConfiguration"] = object{"subnetResourceId": h.network("virtualNetworks/" + vnet + "/subnets/" + subnet)}
	if address == "" {
		delete(properties, "publicIpAddressId")
	}
	return body
}

// mocked gives a service an API that answers by itself.
func (h *host) mocked(name string) {
	h.t.Helper()
	api := h.service(name) + "/apis/echo"
	h.do(http.MethodPut, api, recent, object{"properties": object{"displayName": "Echo", "path": "echo", "protocols": []string{"http"}, "subscriptionRequired": false}})
	h.do(http.MethodPut, api+"/operations/get", recent, object{"properties": object{"displayName": "Get", "method": "GET", "urlTemplate": "/"}})
	h.do(http.MethodPut, api+"/policies/policy", recent, object{"properties": object{"format": "rawxml", "value": `<policies><inbound><return-response><set-status code="200" /><set-body>` + name + `</set-body></return-response></inbound></policies>`}})
}

// Two services in networks with the same addresses, one reached from everywhere and one from inside alone; what their
// security group closes is closed; nothing is left.
func TestNetwork_HoldsItsServices(t *testing.T) {
	t.Parallel()
	h := start(t, "--coexistence", "1ms")
	h.withNetworks("ip1", "ip2", "ip3")
	if _, err := h.client.Run(context.Background(), http.MethodPut, h.service("outer"), latest, h.injected("External", "one", "ip1"), nil); err != nil {
		if strings.Contains(err.Error(), "not supported on this host") {
			t.Skip("virtual networks cannot be tested here: " + err.Error())
		}
		t.Fatal(err)
	}
	h.run(http.MethodPut, h.service("inner"), latest, h.injected("Internal", "two", "ip2"))
	h.mocked("outer")
	h.mocked("inner")
	outer, inner := h.show("outer"), h.show("inner")
	client := impatient()
	eventually(t, 20*time.Second, "the external service answers", func() bool {
		got, err := within(client, outer.Properties.GatewayURL+"/echo/")
		return err == nil && got == "200 outer"
	})
	if !strings.HasPrefix(inner.Properties.GatewayURL, "http://10.213.1.") {
		t.Errorf("the internal service is at %s", inner.Properties.GatewayURL)
	}
	if got, err := within(client, inner.Properties.GatewayURL+"/echo/"); err == nil && strings.Contains(got, "inner") {
		t.Errorf("the internal service answers outside: %s", got)
	}
	edge := h.client.Endpoints.Edge
	if got, err := within(client, strings.Replace(edge, "127.0.0.1", "inner.apim.localhost", 1)+"/echo/"); err == nil && strings.Contains(got, "inner") {
		t.Errorf("the internal service answers on the edge: %s", got)
	}
	names := vnet.NewHost(h.dir)
	one, two := names.Router(h.network("virtualNetworks/one")), names.Router(h.network("virtualNetworks/two"))
	eventually(t, 20*time.Second, "the internal service answers inside its network", func() bool {
		got, err := within(inside(two), inner.Properties.GatewayURL+"/echo/")
		return err == nil && got == "200 inner"
	})
	if got, err := within(inside(one), inner.Properties.GatewayURL+"/echo/"); err == nil && strings.Contains(got, "inner") {
		t.Errorf("the internal service answers in the other network: %s", got)
	}

	h.securityGroup("Deny")
	eventually(t, 20*time.Second, "the closed port is closed", func() bool {
		_, err := within(client, outer.Properties.GatewayURL+"/echo/")
		return err != nil
	})
	h.securityGroup("Allow")

	// Into the other network: the address is another, and the old subnet is free.
	h.run(http.MethodPut, h.service("outer"), latest, h.injected("External", "two", "ip3"))
	moved := h.show("outer")
	if moved.Properties.GatewayURL == outer.Properties.GatewayURL {
		t.Errorf("the address stays %s", moved.Properties.GatewayURL)
	}
	eventually(t, 20*time.Second, "the moved service answers", func() bool {
		got, err := within(client, moved.Properties.GatewayURL+"/echo/")
		return err == nil && got == "200 outer"
	})
	eventually(t, 20*time.Second, "the old network can be deleted", func() bool {
		_, err := h.client.Do(context.Background(), http.MethodDelete, h.network("virtualNetworks/one"), networks, nil)
		return err == nil
	})
	h.stopAll()
	for _, name := range []string{one, two} {
		if _, err := os.Stat("/run/netns/" + name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	h.up(nil)
	eventually(t, 20*time.Second, "all is made again", func() bool {
		got, err := within(client, moved.Properties.GatewayURL+"/echo/")
		return err == nil && got == "200 outer"
	})
}

// A private endpoint is a way into a service from a virtual network; without public network access it is the only one,
// and it leads to the service wherever that runs.
func TestNetwork_PrivateEndpoint(t *testing.T) {
	t.Parallel()
	h := start(t, "--coexistence", "1ms")
	h.withNetworks()
	h.create("shop", "Premium", 1, latest)
	h.mocked("shop")
	_, err := h.client.Run(context.Background(), http.MethodPut, h.network("privateEndpoints/pe"), networks, object{"location": "westeurope", "properties": object{
		"subnet":                        object{"id": h.network("virtualNetworks/one/subnets/apim")},
		"privateLinkServiceConnections": []object{{"name": "c", "properties": object{"privateLinkServiceId": h.service("shop"), "groupIds": []string{"Gateway"}}}},
	}}, nil)
	if err != nil {
		if strings.Contains(err.Error(), "not supported on this host") {
			t.Skip("virtual networks cannot be tested here: " + err.Error())
		}
		t.Fatal(err)
	}
	one, public := vnet.NewHost(h.dir).Router(h.network("virtualNetworks/one")), h.show("shop").Properties.GatewayURL
	answers := func(what string, client *http.Client, url, want string) {
		t.Helper()
		eventually(t, 20*time.Second, what, func() bool {
			got, err := within(client, url+"/echo/")
			return err == nil && strings.HasPrefix(got, want)
		})
	}
	private := "http://10.213.1.4"
	answers("the private endpoint answers", inside(one), private, "200 shop")
	answers("the public address answers", impatient(), public, "200 shop")
	h.do(http.MethodPatch, h.service("shop"), latest, object{"properties": object{"publicNetworkAccess": "Disabled"}})
	answers("the public address refuses", impatient(), public, `403 { "statusCode": 403, "message": "Request originated from client public IP address 127.0.0.1`)
	answers("the private endpoint still answers", inside(one), private, "200 shop")
	h.run(http.MethodPatch, h.service("shop"), latest, object{"sku": object{"name": "Premium", "capacity": 3}, "zones": []string{"1", "2", "3"}})
	answers("the private endpoint answers after a move", inside(one), private, "200 shop")
	if got := asJSON(t, h.show("shop").Properties.PublicIPs); strings.Contains(public, strings.Trim(got, `[]"`)) {
		t.Errorf("the service has not moved: %s", got)
	}
	h.do(http.MethodDelete, h.network("privateEndpoints/pe"), networks, nil)
	eventually(t, 20*time.Second, "the private endpoint is gone", func() bool {
		_, err := os.Stat("/run/netns/" + one)
		return errors.Is(err, os.ErrNotExist)
	})
}

// TestNetwork_ByCommand lets a subnet into a service, and then puts the service into a subnet, by commands.
func TestNetwork_ByCommand(t *testing.T) {
	t.Parallel()
	h := start(t, "--coexistence", "1ms")
	h.portico("network", "nsg", "create", "guard", "--for-services")
	h.portico("network", "vnet", "create", "office", "--prefix", "10.214.0.0/16", "--subnet", "apim=10.214.1.0/27", "--nsg", "guard")
	h.portico("service", "create", "shop", "-g", "shops")
	create := []string{"network", "private-endpoint", "create", "door", "-g", "doors", "--subnet", "office/apim", "--service", "shop", "--location", "westeurope"}
	if out, err := exec.Command(program, append(create, "--data", h.dir, "--manual", "--message", "please")...).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "not supported on this host") {
			t.Skip("virtual networks cannot be tested here: " + string(out))
		}
		t.Fatalf("%v: %s", err, out)
	}
	h.says([]string{"door  doors  westeurope  apim  shop  Pending  10.214.1.4"}, "network", "private-endpoint", "list")
	h.says([]string{"door  Pending  please  door\\..*"}, "network", "private-endpoint", "connections", "--service", "shop")
	h.says([]string{"door  Approved  come in  .*"}, "network", "private-endpoint", "approve", "door", "--service", "shop", "--message", "come in")
	h.says([]string{"door  .*  Approved  10.214.1.4"}, "network", "private-endpoint", "show", "door")
	h.says([]string{"door  Rejected  no more  .*"}, "network", "private-endpoint", "reject", "door", "--service", "shop", "--message", "no more")
	h.portico("network", "private-endpoint", "delete", "door")

	h.portico("network", "public-ip", "create", "front", "--dns-label", "front")
	h.says([]string{"shop  Succeeded  stv2  Developer  1  -  198\\.\\S+  http://198.*"}, "service", "network", "shop", "--mode", "External", "--subnet", "office/apim", "--public-ip", "front")
	h.complains("portico: a service that is in no network", "service", "network", "shop", "--mode", "None", "--public-ip", "front")
	h.says([]string{"shop  Succeeded  .*  http://127.*"}, "service", "network", "shop", "--mode", "None")
}

// inside is a client in a namespace.
func inside(namespace string) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialInside(ctx, namespace, network, address, time.Second)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// dialInside connects from a namespace.
func dialInside(ctx context.Context, namespace, network, address string, timeout time.Duration) (c net.Conn, err error) {
	apart(func() {
		var f *os.File
		if f, err = os.Open("/run/netns/" + namespace); err != nil {
			return
		}
		defer f.Close()
		if err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err == nil {
			c, err = (&net.Dialer{Timeout: timeout}).DialContext(ctx, network, address)
		}
	})
	return c, err
}

// apart runs f on a thread that ends with it. The main thread would not: what it is in counts as the process's.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		apart(f)
		runtime.UnlockOSThread()
	}()
	<-done
}
