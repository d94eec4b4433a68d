package e2e

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/hosting/vnet"
)

// makeNetworks makes two virtual networks with a subnet for each service, a security group for each, and a public address
// for each service and network, where the host can have virtual networks.
func (c *chaos) makeNetworks() {
	c.t.Helper()
	if why := vnet.Trouble(); why != "" {
		c.t.Log("without virtual networks: " + why)
		return
	}
	c.networks = true
	subnets := []object{{"name": "ends", "properties": object{"addressPrefix": "10.213.9.0/27"}}}
	for i, s := range c.subjects {
		c.do(http.MethodPut, c.nsg(s), networks, securityGroup(false))
		subnets = append(subnets, object{"name": s.name, "properties": object{
			"addressPrefix": "10.213." + string(rune('1'+i)) + ".0/27", "networkSecurityGroup": object{"id": c.nsg(s)},
		}})
	}
	for _, name := range []string{"one", "two"} {
		c.do(http.MethodPut, c.network("virtualNetworks/"+name), networks, object{"location": "westeurope", "properties": object{
			"addressSpace": object{"addressPrefixes": []string{"10.213.0.0/16"}}, "subnets": subnets,
		}})
		for _, s := range c.subjects {
			c.do(http.MethodPut, c.network("publicIPAddresses/"+s.name+"-"+name), networks, object{
				"location": "westeurope", "sku": object{"name": "Standard"}, "properties": object{"dnsSettings": object{"domainNameLabel": s.name + "-" + name}},
			})
		}
	}
}

func (c *chaos) nsg(s *chaosSubject) string {
	return c.network("networkSecurityGroups/" + s.name)
}

func (c *chaos) endpoint(s *chaosSubject) string { return c.network("privateEndpoints/" + s.name) }

// isClosed reads the security group of a service, which is there without it, too.
func (c *chaos) isClosed(s *chaosSubject) bool {
	c.t.Helper()
	var group struct {
		Properties struct {
			Rules []struct {
				Properties struct {
					Access string `json:"access"`
				} `json:"properties"`
			} `json:"securityRules"`
		} `json:"properties"`
	}
	if err := c.do(http.MethodGet, c.nsg(s), networks, nil).Decode(&group); err != nil {
		c.t.Fatal(err)
	}
	return group.Properties.Rules[0].Properties.Access == "Deny"
}

// lookAtNetworks reads what a service has to do with them.
func (c *chaos) lookAtNetworks(s *chaosSubject, f *chaosFacts, subnet string) {
	c.t.Helper()
	for _, name := range []string{"one", "two"} {
		if subnet == c.network("virtualNetworks/"+name+"/subnets/"+s.name) {
			f.Network = name
		}
	}
	_, err := c.client.Do(c.t.Context(), http.MethodGet, c.endpoint(s), networks, nil)
	if f.Endpoint = err == nil; err != nil && armclient.Status(err) != http.StatusNotFound {
		c.t.Fatal(err)
	}
}

// connecting is what a service can have to do with networks.
func (c *chaos) connecting(s *chaosSubject) []chaosChange {
	f := s.want
	if !c.networks {
		return nil
	}
	all := []chaosChange{c.ruling(s)}
	alone := f.Platform == "stv2" && f.Away == ""
	switch {
	case f.Endpoint:
		all = append(all, c.ending(s))
	case alone && s.kept.IsZero() && f.Zones == "" && (f.Tier == "Developer" || f.Tier == "Premium"):
		for _, to := range []string{"", "one", "two"} {
			var moves []chaosChange
			switch {
			case to == f.Network, to == "" && f.NAT: // refused
			case to == "":
				moves = append(moves, c.joining(s, to, ""))
			default:
				moves = append(moves, c.joining(s, to, "Internal"))
				if !f.Closed { // or it is refused
					moves = append(moves, c.joining(s, to, "External"))
				}
			}
			all = append(all, slices.Repeat(moves, 4)...) // few services can move
		}
	}
	if alone && f.Network != "" && f.Tier == "Premium" {
		all = append(all, c.translating(s), c.translating(s))
	}
	if alone && !f.Endpoint && f.Network == "" {
		all = append(all, c.ending(s))
	}
	return all
}

// ruling has the security group of a service let clients through, or not.
func (c *chaos) ruling(s *chaosSubject) chaosChange {
	closed := !s.want.Closed
	return chaosChange{
		name: "rule", serves: s.want.Mode != "External", send: c.sending(http.MethodPut, c.nsg(s), networks, securityGroup(closed)),
		then: func(f *chaosFacts) { f.Closed = closed },
	}
}

// joining moves a service into a virtual network, or out of all.
func (c *chaos) joining(s *chaosSubject, to, mode string) chaosChange {
	properties := object{"virtualNetworkType": "None", "virtualNetworkConfiguration": nil, "publicIpAddressId": nil}
	if to != "" {
		properties = object{
			"virtualNetworkType":          mode,
			"virtualNetworkConfiguration": object{"subnetResourceId": c.network("virtualNetworks/" + to + "/subnets/" + s.name)},
			"publicIpAddressId":           c.network("publicIPAddresses/" + s.name + "-" + to),
		}
	}
	return chaosChange{
		name: "network " + to + mode, moves: true, send: c.patching(s, object{"properties": properties}),
		then: func(f *chaosFacts) { f.Network, f.Mode = to, mode },
	}
}

// translating gives a service a NAT gateway, or takes it away.
func (c *chaos) translating(s *chaosSubject) chaosChange {
	state, there := "Enabled", !s.want.NAT
	if !there {
		state = "Disabled"
	}
	return chaosChange{
		name: "NAT gateway " + state, serves: true, send: c.patching(s, object{"properties": object{"natGatewayState": state}}),
		then: func(f *chaosFacts) { f.NAT = there },
	}
}

// ending makes a private endpoint for a service, or takes it away.
func (c *chaos) ending(s *chaosSubject) chaosChange {
	method, body := http.MethodPut, any(object{"location": "westeurope", "properties": object{
		"subnet":                        object{"id": c.network("virtualNetworks/one/subnets/ends")},
		"privateLinkServiceConnections": []object{{"name": "c", "properties": object{"privateLinkServiceId": c.service(s.name), "groupIds": []string{"Gateway"}}}},
	}})
	if s.want.Endpoint {
		method, body = http.MethodDelete, nil
	}
	return chaosChange{
		name: method + " endpoint", serves: true, send: c.sending(method, c.endpoint(s), networks, body),
		then: func(f *chaosFacts) { f.Endpoint = !f.Endpoint },
	}
}

// reach waits until clients reach a service in a virtual network, or do not, as its security group says.
func (c *chaos) reach(s *chaosSubject) {
	c.t.Helper()
	addr, client := c.show(s.name).addr(), impatient()
	eventually(c.t, time.Minute, s.name+" is open to clients as its mode and its security group say", func() bool {
		got, err := within(client, "http://"+addr+statusPath)
		if s.want.Mode == "Internal" { // something else may answer at an address of the network
			return err != nil || !strings.HasPrefix(got, "200")
		}
		return s.want.Closed == (err != nil)
	})
	if s.want.Mode == "Internal" {
		eventually(c.t, time.Minute, s.name+" answers in its network", func() bool {
			got, err := within(inside(c.router(s)), "http://"+addr+statusPath)
			return err == nil && strings.HasPrefix(got, "200")
		})
	}
}

// router is the namespace of the network of a service.
func (c *chaos) router(s *chaosSubject) string {
	return vnet.NewHost(c.dir).Router(c.network("virtualNetworks/" + s.want.Network))
}

// pollWhereItIs asks a service from where its clients are.
func (c *chaos) pollWhereItIs(s *chaosSubject) *poller {
	addr := c.show(s.name).addr()
	if s.want.Mode == "Internal" {
		return pollBy(inside(c.router(s)), addr, "", statusPath)
	}
	return poll(addr, statusPath)
}
