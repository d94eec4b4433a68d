package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/demo/bookshop"
	"github.com/portico-dev/portico/internal/demo/load"
	"github.com/portico-dev/portico/internal/hosting/vnet"
)

// A migrant is a service in a virtual network that moves to stv2 by one of the documented scenarios.
type migrant struct {
	scenario int
	mode     string
	keeps    bool                                          // its address
	begin    func(h *host, m *migrant) *armclient.Response // the migration

	name          string
	prepared      string
	before, after load.Target
	load          *load.Client
}

// migration asks for migrateToStv2.
func migration(mode string) func(*host, *migrant) *armclient.Response {
	return func(h *host, m *migrant) *armclient.Response {
		return h.do(http.MethodPost, h.service(m.name)+"/migrateToStv2", latest, object{"mode": mode})
	}
}

// to updates the network of a service.
func to(subnet, address string) func(*host, *migrant) *armclient.Response {
	return func(h *host, m *migrant) *armclient.Response {
		return h.do(http.MethodPut, h.service(m.name), latest, h.within(m.mode, "one", subnet, address))
	}
}

func migrants() []*migrant {
	all := []*migrant{
		{scenario: 3, mode: "External", keeps: true, begin: migration("PreserveIp")},
		{scenario: 4, mode: "External", begin: migration("NewIP")},
		{scenario: 5, mode: "Internal", keeps: true, begin: migration("PreserveIp")},
		{scenario: 6, mode: "Internal", begin: migration("NewIP")},
		{scenario: 7, mode: "External", begin: to("other", "ip1")},
		{scenario: 7, mode: "Internal", begin: to("other", "ip2")},
	}
	for _, m := range all {
		m.name = fmt.Sprintf("%s%d", strings.ToLower(m.mode), m.scenario)
	}
	return all
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

// afterwards moves the clock of the platform on and waits for the operations that are due.
func (h *host) afterwards(by string, names ...string) {
	h.t.Helper()
	h.advance(by)
	for _, name := range names {
		eventually(h.t, 2*time.Minute, "the operation of "+name, func() bool { return h.show(name).Properties.ProvisioningState == "Succeeded" })
	}
}

// Services in virtual networks go to stv2 by each scenario that leads there, under load from outside or from inside, and
// the clock stands while somebody looks. All requests are answered, addresses stay or change as documented, and old ones
// answer until the coexistence window ends.
func TestNetwork_MigratesUnderLoad(t *testing.T) {
	t.Parallel()
	h := start(t, "--pace", "manual")
	h.withNetworks("ip1", "ip2", "ip3")
	h.do(http.MethodPut, h.network("virtualNetworks/one/subnets/other"), networks, object{"properties": object{
		"addressPrefix": "10.213.2.0/27", "networkSecurityGroup": object{"id": h.network("networkSecurityGroups/nsg")},
	}})
	all := migrants()
	var names []string
	for _, m := range all {
		_, err := h.client.Do(context.Background(), http.MethodPut, h.service(m.name), old, h.within(m.mode, "one", "apim", ""))
		if err != nil && strings.Contains(err.Error(), "not supported on this host") {
			t.Skip("virtual networks cannot be tested here: " + err.Error())
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, m.name)
	}
	h.afterwards("PT30M", names...)
	shop := onHost(t, bookshop.New())
	router := vnet.NewHost(h.dir).Router(h.network("virtualNetworks/one"))
	fromInside := func(network, address string, timeout time.Duration) (net.Conn, error) {
		return dialInside(context.Background(), router, network, address, timeout)
	}
	clients := map[string]*http.Client{"External": impatient(), "Internal": inside(router)}
	answers := func(m *migrant, at load.Target) bool {
		got, err := buy(clients[m.mode], at)
		return err == nil && got == http.StatusOK
	}
	for _, m := range all {
		v := h.show(m.name)
		if m.prepared = v.prepared(); v.Properties.PlatformVersion != "stv1" || (m.prepared != "") != (m.mode == "External") {
			t.Errorf("%s is created on %s, prepared is %q", m.name, v.Properties.PlatformVersion, m.prepared)
		}
		key := h.stock(m.name, shop)
		m.before = h.address(m.name, key)
		eventually(t, time.Minute, m.name+" sells", func() bool { return answers(m, m.before) })
		opt := load.Options{Workers: 4, Rate: 100, Slow: 1}
		if m.mode == "Internal" {
			opt.Dial = fromInside
		}
		m.load = load.Start(opt, m.before)
		t.Cleanup(func() { m.load.Stop() })
	}
	served := func(what string) {
		t.Helper()
		for _, m := range all {
			done := m.load.Counts().Done
			eventually(t, time.Minute, what+" of "+m.name, func() bool { return m.load.Counts().Done > done+20 })
		}
	}
	served("load before the migration")

	for _, m := range all {
		m.begin(h, m)
	}
	h.afterwards("PT45M", names...)
	for _, m := range all {
		m.after = h.address(m.name, m.before.Key)
		if got := h.show(m.name).Properties.PlatformVersion; got != "stv2" || (m.after.Addr == m.before.Addr) != m.keeps {
			t.Errorf("%s: on %s at %s, was at %s; the address stays: %t", m.name, got, m.after.Addr, m.before.Addr, m.keeps)
		}
		if m.scenario == 4 && m.after.Addr != m.prepared+":80" {
			t.Errorf("%s: it is at %s, prepared was %s", m.name, m.after.Addr, m.prepared)
		}
		if !answers(m, m.before) || !answers(m, m.after) {
			t.Errorf("%s: the old and the new address, %s and %s, do not both answer during the window", m.name, m.before.Addr, m.after.Addr)
		}
		m.load.Aim(m.before, m.after)
	}
	served("load on both addresses")
	for _, m := range all {
		m.load.Aim(m.after)
	}
	moved := all[4]
	back := h.within("External", "one", "apim", "ip3")
	_, err := h.client.Do(context.Background(), http.MethodPut, h.service(moved.name), latest, back)
	if armclient.Status(err) != http.StatusBadRequest || !strings.Contains(err.Error(), "still holds the old machines") {
		t.Errorf("back to the first subnet during the window: %v", err)
	}
	h.advance("PT15M")
	for _, m := range all {
		h.settled(m.name)
		if !m.keeps && answers(m, m.before) {
			t.Errorf("%s: the old address answers after the window", m.name)
		}
	}

	// Scenario 10: back, which is another address again.
	h.do(http.MethodPut, h.service(moved.name), latest, back)
	h.afterwards("PT45M", moved.name)
	last := h.address(moved.name, moved.before.Key)
	if last.Addr == moved.after.Addr || last.Addr == moved.before.Addr || !answers(moved, last) || !answers(moved, moved.after) {
		t.Errorf("back in the first subnet it is at %s, was at %s", last.Addr, moved.after.Addr)
	}
	moved.load.Aim(last)
	h.advance("PT15M")
	h.settled(moved.name)
	for _, m := range all {
		total := m.load.Stop()
		t.Logf("%s: %+v", m.name, total)
		if total.Failed+total.Cut > 0 || total.Done < 200 || total.Fresh == 0 || total.Posts == 0 || total.Slow == 0 {
			t.Errorf("%s: %+v\n%s", m.name, total, strings.Join(m.load.Failures(), "\n"))
		}
	}
}

// buy asks for a book on a connection of its own.
func buy(client *http.Client, at load.Target) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.Addr+at.Path+"/books/1", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Ocp-Apim-Subscription-Key", at.Key)
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
