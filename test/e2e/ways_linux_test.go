package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting/vnet"
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

// north makes in another region what a location of a service needs there.
func (h *host) north() {
	h.t.Helper()
	const at = "northeurope"
	h.do(http.MethodPut, h.network("networkSecurityGroups/north"), networks, object{"location": at, "properties": object{"securityRules": []object{
		rule("clients", "Internet", 200, "80", "443"), rule("manage", "ApiManagement", 210, "3443"), rule("probe", "AzureLoadBalancer", 220, "6390"),
	}}})
	h.do(http.MethodPut, h.network("virtualNetworks/north"), networks, object{"location": at, "properties": object{
		"addressSpace": object{"addressPrefixes": []string{"10.213.0.0/16"}}, // as in the other region
		"subnets":      []object{{"name": "apim", "properties": object{"addressPrefix": "10.213.1.0/27", "networkSecurityGroup": object{"id": h.network("networkSecurityGroups/north")}}}},
	}})
	h.do(http.MethodPut, h.network("publicIPAddresses/north"), networks, object{"location": at, "sku": object{"name": "Standard"}, "properties": object{"dnsSettings": object{"domainNameLabel": "north"}}})
}

// A service at two locations is in a network of each, has an address and a regional name for each, and leaves nothing
// of a location that goes.
func TestNetwork_Regions(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.withNetworks("ip1")
	h.north()
	body := h.injected("External", "one", "ip1")
	body["sku"] = object{"name": "Premium", "capacity": 1}
	body["properties"].(object)["additionalLocations"] = []object{{
		"location": "North Europe", "sku": object{"name": "Premium", "capacity": 1}, "natGatewayState": "Enabled",
		"virtualNetworkConfiguration": object{"subnetResourceId": h.network("virtualNetworks/north/subnets/apim")}, "publicIpAddressId": h.network("publicIPAddresses/north"),
	}}
	h.orSkip("wide", latest, body)
	h.forwards("wide", witness(t))
	h.do(http.MethodPut, h.service("wide")+"/policies/policy", recent, object{"properties": object{"format": "rawxml", "value": sayRegion}})
	var v regional
	if err := h.do(http.MethodGet, h.service("wide"), recent, nil).Decode(&v); err != nil {
		t.Fatal(err)
	}
	west, north := v.Properties, v.Properties.AdditionalLocations[0]
	if len(west.PublicIPs) != 1 || len(north.PublicIPs) != 1 || len(north.OutboundIPs) != 1 || len(west.OutboundIPs) != 0 {
		t.Fatalf("addresses of the locations: %+v", v)
	}
	edge := strings.TrimPrefix(h.client.Endpoints.Edge, "http://")
	_, port, _ := strings.Cut(edge, ":")
	for _, c := range []struct{ addr, host, from, seen string }{
		{west.PublicIPs[0] + ":80", west.PublicIPs[0], "West Europe", west.PublicIPs[0]},
		{north.PublicIPs[0] + ":80", north.PublicIPs[0], "North Europe", strings.TrimSuffix(north.OutboundIPs[0], "/32")},
		{edge, "wide.apim.localhost:" + port, "West Europe", west.PublicIPs[0]},
		{edge, "wide-westeurope-01.regional.apim.localhost:" + port, "West Europe", west.PublicIPs[0]},
		{edge, "wide-northeurope-01.regional.apim.localhost:" + port, "North Europe", strings.TrimSuffix(north.OutboundIPs[0], "/32")},
	} {
		from, seen := "", ""
		eventually(t, 30*time.Second, c.host+" at "+c.addr+" answers from "+c.from+" by "+c.seen, func() bool {
			from, seen = whoSees(c.addr, c.host)
			return from == c.from && seen == c.seen
		})
	}
	router := "/run/netns/" + vnet.NewHost(h.dir).Router(h.network("virtualNetworks/north"))
	if _, err := os.Stat(router); err != nil {
		t.Errorf("the network of North Europe: %v", err)
	}
	h.run(http.MethodPatch, h.service("wide"), latest, object{"properties": object{"additionalLocations": []object{}}})
	eventually(t, 30*time.Second, "nothing is left of North Europe", func() bool { _, err := os.Stat(router); return os.IsNotExist(err) })
	if from, _ := whoSees(west.PublicIPs[0]+":80", west.PublicIPs[0]); from != "West Europe" {
		t.Errorf("the location that stays answers from %q", from)
	}
}

// whoSees asks a service that forwards to a witness: where it answers, and by which address the witness is asked.
func whoSees(addr, host string) (from, seen string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/out/", nil)
	if err != nil {
		return "", ""
	}
	req.Host = host
	res, err := impatient().Do(req)
	if err != nil {
		return "", ""
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.Header.Get("X-Region"), string(body)
}
