package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// hostSide is the host's address for what is in virtual networks.
const hostSide = "169.254.64.1"

// witness is a backend of the host that answers with the address that it is asked from.
func witness(t *testing.T) (url string) {
	t.Helper()
	return onHost(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprint(w, from)
	}))
}

// onHost is a backend of the host, with its URL for what is in virtual networks.
func onHost(t *testing.T, handler http.Handler) (url string) {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0") // the host's side is there once a network is
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: handler}
	go server.Serve(l) //nolint:errcheck // until the test ends
	t.Cleanup(func() { _ = server.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "http://" + net.JoinHostPort(hostSide, port)
}

// forwards gives a service an API that hands everything to a backend.
func (h *host) forwards(name, backend string) {
	h.t.Helper()
	api := h.service(name) + "/apis/out"
	h.do(http.MethodPut, api, recent, object{"properties": object{"displayName": "Out", "path": "out", "protocols": []string{"http"}, "subscriptionRequired": false, "serviceUrl": backend}})
	h.do(http.MethodPut, api+"/operations/get", recent, object{"properties": object{"displayName": "Get", "method": "GET", "urlTemplate": "/"}})
	h.do(http.MethodPut, api+"/policies/policy", recent, object{"properties": object{"format": "rawxml", "value": `<policies><backend><forward-request timeout="2" /></backend></policies>`}})
}

// orSkip makes a service in a virtual network, and skips where the host makes none.
func (h *host) orSkip(name, version string, body object) {
	h.t.Helper()
	if _, err := h.client.Run(context.Background(), http.MethodPut, h.service(name), version, body, nil); err != nil {
		if strings.Contains(err.Error(), "not supported on this host") {
			h.t.Skip("virtual networks cannot be tested here: " + err.Error())
		}
		h.t.Fatal(err)
	}
}

// subnet writes the subnet apim of a network, with what it names beside its security group.
func (h *host) subnet(vnet string, names object) {
	h.t.Helper()
	properties := object{"addressPrefix": "10.213.1.0/27", "networkSecurityGroup": object{"id": h.network("networkSecurityGroups/nsg")}}
	for what, id := range names {
		properties[what] = object{"id": id}
	}
	h.do(http.MethodPut, h.network("virtualNetworks/"+vnet+"/subnets/apim"), networks, object{"properties": properties})
}

// What a service sends out has the address of its NAT gateway: the platform's, that of its subnet, or none.
func TestNetwork_NATGateways(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.withNetworks("ip1", "ip2")
	body := h.injected("External", "one", "ip1")
	body["sku"] = object{"name": "Premium", "capacity": 1}
	body["properties"].(object)["natGatewayState"] = "Enabled"
	h.orSkip("shop", latest, body)
	h.forwards("shop", witness(t))
	own := h.show("shop")
	if len(own.Properties.OutboundIPs) != 1 || len(own.Properties.PublicIPs) != 1 {
		t.Fatalf("outbound %v, public %v", own.Properties.OutboundIPs, own.Properties.PublicIPs)
	}
	url := own.Properties.GatewayURL + "/out/"
	seen := func(what, want string) {
		t.Helper()
		got := ""
		eventually(t, 30*time.Second, what+" is seen by the backend: "+want, func() bool {
			got, _ = within(impatient(), url)
			return got == "200 "+strings.TrimSuffix(want, "/32")
		})
	}
	seen("the platform's NAT gateway", own.Properties.OutboundIPs[0])
	h.do(http.MethodPut, h.network("natGateways/nat"), networks, object{"location": "westeurope", "properties": object{"publicIpAddresses": []object{{"id": h.network("publicIPAddresses/ip2")}}}})
	h.subnet("one", object{"natGateway": h.network("natGateways/nat")})
	subnets := h.show("shop").Properties.OutboundIPs
	if len(subnets) != 1 || subnets[0] == own.Properties.OutboundIPs[0] {
		t.Errorf("outbound %v with a NAT gateway of the subnet", subnets)
	}
	seen("the subnet's NAT gateway", subnets[0])
	h.subnet("one", nil)
	h.run(http.MethodPatch, h.service("shop"), latest, object{"properties": object{"natGatewayState": "Disabled"}})
	seen("no NAT gateway", own.Properties.PublicIPs[0])
}
