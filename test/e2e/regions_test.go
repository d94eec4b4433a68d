package e2e

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/demo/load"
)

// sayRegion has every answer say where it comes from, count counts the calls that ask for it.
const (
	sayRegion = `<policies><inbound /><backend><forward-request /></backend><outbound>` +
		`<set-header name="X-Region" exists-action="override"><value>@(context.Deployment.Region)</value></set-header></outbound><on-error /></policies>`
	count = `<policies><inbound><base /><choose><when condition='@(context.Request.Headers.ContainsKey("X-Count"))'>` +
		`<rate-limit calls="2" renewal-period="300" /></when></choose></inbound><outbound><base /></outbound></policies>`
)

// A regional is what a client sees of the locations of a service.
type regional struct {
	Properties struct {
		PublicIPs           []string `json:"publicIPAddresses"`
		OutboundIPs         []string `json:"outboundPublicIPAddresses"`
		GatewayRegionalURL  string   `json:"gatewayRegionalUrl"`
		AdditionalLocations []struct {
			Location           string   `json:"location"`
			PublicIPs          []string `json:"publicIPAddresses"`
			OutboundIPs        []string `json:"outboundPublicIPAddresses"`
			GatewayRegionalURL string   `json:"gatewayRegionalUrl"`
			PlatformVersion    string   `json:"platformVersion"`
		} `json:"additionalLocations"`
	} `json:"properties"`
}

// locate sets what else there is besides the primary location, in an api-version that moves nothing to stv2.
func (h *host) locate(name string, primaryOut bool, others ...object) {
	h.t.Helper()
	h.run(http.MethodPatch, h.service(name), old, object{"properties": object{"disableGateway": primaryOut, "additionalLocations": others}})
}

func elsewhere(location string, units int) object {
	return object{"location": location, "sku": object{"name": "Premium", "capacity": units}}
}

// region is where an answer comes from, and its status.
func region(t load.Target, host string, headers ...string) (status int, from string) {
	req, err := http.NewRequest(http.MethodGet, "http://"+t.Addr+t.Path+"/books", nil)
	if err != nil {
		return 0, ""
	}
	req.Close, req.Host = true, host
	req.Header.Set("Ocp-Apim-Subscription-Key", t.Key)
	for _, name := range headers {
		req.Header.Set(name, "yes")
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header.Get("X-Region")
}

// TestRegions_UnderLoad has a service at two locations answer by its default name while locations come, are taken out of
// rotation, die and go. No request fails but those on connections that killed machines held.
func TestRegions_UnderLoad(t *testing.T) {
	h := start(t)
	h.create("wide", "Premium", 1, old)
	all := h.shop("wide")
	for of, policy := range map[string]string{"": sayRegion, "/apis/bookshop": count} {
		h.do(http.MethodPut, h.service("wide")+of+"/policies/policy", recent, object{"properties": object{"format": "rawxml", "value": policy}})
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(h.client.Endpoints.Edge, "http://"), ":")
	all.Addr, all.Host = "127.0.0.1:"+port, "wide.apim.localhost:"+port
	west, north := "wide-westeurope-01.regional.apim.localhost:"+port, "wide-northeurope-01.regional.apim.localhost:"+port
	answers := func(host string, status int, from string) {
		t.Helper()
		gotStatus, gotFrom := region(all, host)
		if d := cmp.Diff([]any{status, from}, []any{gotStatus, gotFrom}); d != "" {
			t.Errorf("%s (-want +got):\n%s", host, d)
		}
	}
	p := press(t, 400, all)

	h.locate("wide", false, elsewhere("North Europe", 1))
	answers(all.Host, 200, "West Europe")
	answers(west, 200, "West Europe")
	answers(north, 200, "North Europe")
	var v regional
	if err := h.do(http.MethodGet, h.service("wide"), recent, nil).Decode(&v); err != nil {
		t.Fatal(err)
	}
	o := v.Properties.AdditionalLocations[0]
	if v.Properties.GatewayRegionalURL != "http://"+west || o.GatewayRegionalURL != "http://"+north || len(o.PublicIPs) != 1 || o.PublicIPs[0] == v.Properties.PublicIPs[0] {
		t.Errorf("locations %+v", v)
	}
	vips := strings.TrimPrefix(h.show("wide").Properties.GatewayURL, "http://"+v.Properties.PublicIPs[0])
	direct := load.Target{Addr: o.PublicIPs[0] + vips, Path: all.Path, Key: all.Key}
	if status, from := region(direct, direct.Addr); status != 200 || from != "North Europe" {
		t.Errorf("the address of North Europe answers %d from %q", status, from)
	}

	for _, want := range []int{200, 200, 429} { // each location counts by itself
		for _, host := range []string{west, north} {
			if status, _ := region(all, host, "X-Count"); status != want {
				t.Errorf("a call that %s counts: %d, want %d", host, status, want)
			}
		}
	}

	h.locate("wide", true, elsewhere("North Europe", 1))
	answers(all.Host, 200, "North Europe")
	answers(west, 503, "")
	h.locate("wide", false, elsewhere("North Europe", 2))
	answers(all.Host, 200, "West Europe")
	if c := p.since(); c.Failed+c.Cut > 0 || c.Done == 0 {
		t.Errorf("before any trouble: %+v\n%s", c, strings.Join(p.c.Failures(), "\n"))
	}

	over := h.loseRegion(all, 0)
	if c := p.since(); c.Failed > 0 || c.Cut == 0 {
		t.Errorf("while the primary location was dying: %+v\n%s", c, strings.Join(p.c.Failures(), "\n"))
	}
	if over == 0 {
		t.Error("no request was answered by North Europe while West Europe was dying")
	}
	eventually(t, 30*time.Second, "the primary location is back", func() bool { _, from := region(all, all.Host); return from == "West Europe" })
	h.kill() // the control plane
	answers(all.Host, 200, "West Europe")
	answers(north, 200, "North Europe")
	h.up(nil)
	p.since()

	h.run(http.MethodPost, h.service("wide")+"/migrateToStv2", latest, object{"mode": "NewIP"})
	if err := h.do(http.MethodGet, h.service("wide"), recent, nil).Decode(&v); err != nil {
		t.Fatal(err)
	}
	if got := h.show("wide").Properties.PlatformVersion + " " + v.Properties.AdditionalLocations[0].PlatformVersion; got != "stv2 stv2" {
		t.Errorf("after the migration: %s", got)
	}
	h.locate("wide", false)
	answers(all.Host, 200, "West Europe")
	answers(north, 404, "")
	c := p.since()
	if p.c.Stop(); c.Failed+c.Cut > 0 || c.Done == 0 {
		t.Errorf("after the trouble: %+v\n%s", c, strings.Join(p.c.Failures(), "\n"))
	}
	if n := len(h.units("wide").Locations); n != 1 {
		t.Errorf("%d locations are left", n)
	}
	t.Logf("in all %+v", p.c.Counts())
}

// loseRegion kills all machines of a location, several times, and returns how many requests another one answered.
func (h *host) loseRegion(t load.Target, location int) (over int) {
	for range 5 {
		for _, s := range h.units("wide").Locations[location].Sets {
			for _, m := range s.Machines {
				if m.PID > 0 {
					_ = syscall.Kill(m.PID, syscall.SIGKILL)
				}
			}
		}
		for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); {
			if _, from := region(t, t.Host); from == "North Europe" {
				over++
			}
		}
	}
	return over
}
