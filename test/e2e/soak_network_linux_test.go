package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/demo/bookshop"
	"github.com/portico-dev/portico/internal/demo/load"
	"github.com/portico-dev/portico/internal/hosting/vnet"
)

// networkScenarios are those of services in virtual networks: 3 to 7 and 10 of docs/migration.md.
var networkScenarios = []scenario{
	{"network", "External, same subnet, PreserveIp", injectedMigration("External", "PreserveIp")},
	{"network", "External, same subnet, NewIP", injectedMigration("External", "NewIP")},
	{"network", "Internal, same subnet, PreserveIp", injectedMigration("Internal", "PreserveIp")},
	{"network", "Internal, same subnet, NewIP", injectedMigration("Internal", "NewIP")},
	{"network", "External, another subnet and back", resubnetting("External", "ip1", "ip3")},
	{"network", "Internal, another subnet and back", resubnetting("Internal", "ip2", "ip4")},
	{"network", "into a network and out of it", func(s *strain) func() { return s.joining() }},
	{"network", "External, scale and rules of its subnet", func(s *strain) func() { return s.injectedScaling() }},
	{"network", "a private endpoint comes and goes", func(s *strain) func() { return s.ending() }},
}

// injectedMigration takes a service in a virtual network from stv1 to stv2, in its subnet.
func injectedMigration(mode, keep string) func(*strain) func() {
	return func(s *strain) func() {
		s.networked(mode)
		return func() {
			s.lane.made++
			name := fmt.Sprint("round-", s.lane.made)
			t, prepared := s.inject(name, mode)
			s.succeed(name, t)
			s.migrate(name, keep)
			if keep == "NewIP" {
				if after := s.moves(name, t); mode == "External" && after.Addr != prepared+":80" {
					s.t.Errorf("%s is at %s, prepared was %s", name, after.Addr, prepared)
				}
				return
			}
			s.stays(name, t)
			s.windowEnds(name)
			s.stays(name, t)
		}
	}
}

// resubnetting takes a service into another subnet, which leads to stv2, and back into the first when that is free.
func resubnetting(mode, there, back string) func(*strain) func() {
	return func(s *strain) func() {
		s.networked(mode)
		name := "mover-" + there
		t, _ := s.inject(name, mode)
		s.under(t)
		return func() {
			s.run(http.MethodPut, s.service(name), latest, s.within(mode, "one", "other", there))
			home := s.within(mode, "one", "apim", back)
			t = s.moves(name, t, func() {
				s.refuses(http.MethodPut, s.service(name), home, http.StatusBadRequest, "still holds the old machines")
			})
			s.run(http.MethodPut, s.service(name), latest, home)
			t = s.moves(name, t)
			if got := s.show(name).Properties.PlatformVersion; got != "stv2" {
				s.t.Errorf("on %s", got)
			}
		}
	}
}

// networked makes virtual networks and a bookshop that they reach, and has the load come from where services of a mode
// are reached.
func (s *strain) networked(mode string) {
	s.t.Helper()
	if why := vnet.Trouble(); why != "" {
		s.t.Skip("virtual networks cannot be tested here: " + why)
	}
	if s.lane.backend == "" {
		s.withNetworks("ip1", "ip2", "ip3", "ip4", "ip5", "ip6")
		s.do(http.MethodPut, s.network("virtualNetworks/one/subnets/other"), networks, object{"properties": object{
			"addressPrefix": "10.213.2.0/27", "networkSecurityGroup": object{"id": s.network("networkSecurityGroups/nsg")},
		}})
		s.lane.backend = onHost(s.lane.t, bookshop.New())
	}
	if mode == "Internal" {
		router := vnet.NewHost(s.dir).Router(s.network("virtualNetworks/one"))
		s.inside = inside(router)
		s.form.load.Dial = func(network, address string, timeout time.Duration) (net.Conn, error) {
			return dialInside(context.Background(), router, network, address, timeout)
		}
	}
}

// inject makes an stv1 service in a virtual network, with the bookshop in it. It returns where it is, and the address that
// is prepared for its migration.
func (s *strain) inject(name, mode string) (t load.Target, prepared string) {
	s.t.Helper()
	s.run(http.MethodPut, s.service(name), old, s.within(mode, "one", "apim", ""))
	v := s.show(name)
	if prepared = v.prepared(); v.Properties.PlatformVersion != "stv1" || (prepared != "") != (mode == "External") {
		s.t.Errorf("%s is created on %s, prepared is %q", name, v.Properties.PlatformVersion, prepared)
	}
	t = s.address(name, s.stock(name, s.lane.backend))
	eventually(s.t, time.Minute, name+" sells", func() bool { return s.answers(t) == http.StatusOK })
	return t, prepared
}

// joining takes a service into a virtual network, and out of it.
func (s *strain) joining() (round func()) {
	const name = "joiner"
	s.networked("External")
	s.inject("stays", "External") // what is in no network reaches the backend while there is one
	s.create(name, "Developer", 1, recent)
	t := s.sell(name, s.lane.backend)
	s.under(s.doors(name, t)...)
	return func() {
		for _, to := range []object{
			s.within("External", "one", "other", "ip5")["properties"].(object),
			{"virtualNetworkType": "None", "virtualNetworkConfiguration": nil, "publicIpAddressId": nil},
		} {
			s.run(http.MethodPatch, s.service(name), latest, object{"properties": to})
			t = s.moves(name, t)
		}
	}
}

// injectedScaling changes what a service in a virtual network is made of, and the rules and ways of its subnet.
func (s *strain) injectedScaling() (round func()) {
	const name = "grows"
	s.networked("External")
	body := s.within("External", "one", "other", "ip6")
	body["sku"] = object{"name": "Premium", "capacity": 1}
	s.run(http.MethodPut, s.service(name), latest, body)
	t := s.sell(name, s.lane.backend)
	s.under(t)
	group := s.network("networkSecurityGroups/nsg")
	return func() {
		for _, units := range []int{2, 1} {
			s.run(http.MethodPatch, s.service(name), latest, object{"sku": object{"name": "Premium", "capacity": units}})
			s.has(name, 2*units)
			rules := securityGroup(false)
			if units == 2 {
				list := rules["properties"].(object)["securityRules"].([]object)
				rules["properties"].(object)["securityRules"] = append(list, object{"name": "more", "properties": object{
					"priority": 3000, "direction": "Outbound", "access": "Deny", "protocol": "Udp", "sourceAddressPrefix": "*", "sourcePortRange": "*",
					"destinationAddressPrefix": "*", "destinationPortRange": "9",
				}})
			}
			s.do(http.MethodPut, group, networks, rules)
			s.run(http.MethodPost, s.service(name)+"/applynetworkconfigurationupdates", latest, object{"location": "westeurope"})
		}
		s.stays(name, t)
	}
}

// ending lets a virtual network into a service, and out again.
func (s *strain) ending() (round func()) {
	const name = "ended"
	s.networked("External")
	t := s.serve(name, "Premium", 1, recent)
	s.under(s.doors(name, t)...)
	router := vnet.NewHost(s.dir).Router(s.network("virtualNetworks/two"))
	id := s.network("privateEndpoints/ended")
	return func() {
		s.run(http.MethodPut, id, networks, object{"location": "westeurope", "properties": object{
			"subnet":                        object{"id": s.network("virtualNetworks/two/subnets/apim")},
			"privateLinkServiceConnections": []object{{"name": "c", "properties": object{"privateLinkServiceId": s.service(name), "groupIds": []string{"Gateway"}}}},
		}})
		eventually(s.t, time.Minute, "the private endpoint answers", func() bool {
			got, err := within(inside(router), "http://10.213.1.4"+statusPath)
			return err == nil && strings.HasPrefix(got, "200")
		})
		s.run(http.MethodDelete, id, networks, nil)
		eventually(s.t, time.Minute, "the private endpoint is gone", func() bool {
			_, err := os.Stat("/run/netns/" + router)
			return errors.Is(err, os.ErrNotExist)
		})
		s.stays(name, t)
	}
}
