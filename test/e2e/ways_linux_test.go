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
		w.Header().Set("Connection", "close") // or what changed meanwhile would not be seen
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

// dnsServer answers every question for an address with the host's side, on the port that DNS servers have.
func dnsServer(t *testing.T) {
	t.Helper()
	c, err := net.ListenPacket("udp4", net.JoinHostPort(hostSide, "53"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		question := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(question)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(dnsAnswer(question[:n]), from)
		}
	}()
}

// dnsAnswer answers one question: with the host's side if it is for an IPv4 address, otherwise with nothing.
func dnsAnswer(question []byte) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5 // the root, type and class
	answer := append([]byte{}, question[:end]...)
	copy(answer[2:12], []byte{0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	if question[end-3] == 1 {
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, net.ParseIP(hostSide).To4()...)
	}
	return answer
}

// A service in a virtual network reaches what is in a peered one, where routes of its subnet lead, and asks names of the
// DNS servers of its network; all of it changes while it runs.
func TestNetwork_PeersRoutesAndNames(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.withNetworks("ip1", "ip2")
	three := object{"location": "westeurope", "properties": object{
		"addressSpace": object{"addressPrefixes": []string{"10.214.0.0/16"}},
		"subnets":      []object{{"name": "apim", "properties": object{"addressPrefix": "10.214.1.0/27", "networkSecurityGroup": object{"id": h.network("networkSecurityGroups/nsg")}}}},
	}}
	h.do(http.MethodPut, h.network("virtualNetworks/three"), networks, three)
	h.orSkip("shop", latest, h.injected("External", "one", "ip1"))
	h.run(http.MethodPut, h.service("hidden"), latest, h.injected("Internal", "three", "ip2"))
	h.mocked("hidden")
	backend := witness(t)
	h.forwards("shop", backend)
	url := h.show("shop").Properties.GatewayURL + "/out/"
	through := func(what, want string) {
		t.Helper()
		got, err := "", error(nil)
		defer func() {
			if t.Failed() {
				t.Logf("%s: %s, %v", what, got, err)
			}
		}()
		eventually(t, 30*time.Second, what+": "+want, func() bool {
			got, err = within(impatient(), url)
			return strings.HasPrefix(got, want)
		})
	}
	through("outside", "200 "+strings.TrimPrefix(h.show("shop").Properties.GatewayURL, "http://"))

	// By the name of the network's DNS server, on which nothing else has it.
	dnsServer(t)
	h.dns("one", hostSide)
	h.forwards("shop", strings.Replace(backend, hostSide, "books.portico.test", 1))
	through("by name", "200 ")
	h.dns("one")
	through("without its DNS server", "500")

	// Into the peered network, and not before both sides are there.
	h.forwards("shop", h.show("hidden").Properties.GatewayURL+"/echo")
	through("no peer", "500")
	h.peering("one", "three")
	h.peering("three", "one")
	through("the peer", "200 hidden")
	h.do(http.MethodDelete, h.network("virtualNetworks/three/virtualNetworkPeerings/p"), networks, nil)
	through("a peer no more", "500")

	// A route that leads nowhere holds the answers to callers too.
	h.do(http.MethodPut, h.network("routeTables/rt"), networks, object{"location": "westeurope", "properties": object{
		"routes": []object{{"name": "out", "properties": object{"addressPrefix": "0.0.0.0/0", "nextHopType": "None"}}},
	}})
	h.subnet("one", object{"routeTable": h.network("routeTables/rt")})
	eventually(t, 30*time.Second, "nothing goes out", func() bool {
		_, err := within(impatient(), url)
		return err != nil
	})
	h.subnet("one", nil)
	through("no route", "500")
}

// dns gives a network its DNS servers.
func (h *host) dns(vnet string, servers ...string) {
	h.t.Helper()
	h.do(http.MethodPut, h.network("virtualNetworks/"+vnet), networks, object{"location": "westeurope", "properties": object{
		"addressSpace": object{"addressPrefixes": []string{"10.213.0.0/16"}}, "dhcpOptions": object{"dnsServers": append([]string{}, servers...)},
	}})
}

// peering is one side of a peering.
func (h *host) peering(vnet, remote string) {
	h.t.Helper()
	h.do(http.MethodPut, h.network("virtualNetworks/"+vnet+"/virtualNetworkPeerings/p"), networks, object{"properties": object{
		"remoteVirtualNetwork": object{"id": h.network("virtualNetworks/" + remote)},
	}})
}
