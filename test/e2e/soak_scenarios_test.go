package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/certtest"
	"github.com/portico-dev/portico/internal/demo/bookshop"
	"github.com/portico-dev/portico/internal/demo/load"
)

// scenarios are all of them, by lane in the order in which they run.
var scenarios = []scenario{
	{"move", "migrate, PreserveIp", func(s *strain) func() {
		return func() {
			name, t := s.renew("Developer", 1, old)
			s.migrate(name, "PreserveIp")
			s.stays(name, t)
			s.windowEnds(name)
			s.stays(name, t)
			s.refuses(http.MethodPost, s.service(name)+"/migrateToStv2", nil, http.StatusBadRequest, "")
		}
	}},
	{"move", "migrate, NewIP", func(s *strain) func() {
		return func() {
			name, t := s.renew("Developer", 1, old)
			s.migrate(name, "NewIP")
			s.moves(name, t)
		}
	}},
	{"move", "migrate and back within the window", func(s *strain) func() {
		t := s.serve("back", "Developer", 1, old)
		s.under(t, s.edge("back", t))
		return func() {
			for _, mode := range []string{"PreserveIp", "NewIP"} {
				s.migrate("back", mode)
				s.run(http.MethodPost, s.service("back")+"/providers/Portico.Hosting/rollback", latest, nil)
				s.stays("back", t)
				if got := s.show("back").Properties.PlatformVersion; got != "stv1" {
					s.t.Errorf("%s and back: on %s", mode, got)
				}
				if s.units("back").Locations[0].Coexistence == nil {
					s.t.Errorf("%s and back: what the service came back from is not kept", mode)
				}
			}
		}
	}},
	{"move", "migrate, two locations", func(s *strain) func() { return s.migrateEverywhere }},
	{"move", "other zones, which lead to stv2", func(s *strain) func() {
		t := s.serve("zoned", "Premium", 2, old)
		s.under(t, s.edge("zoned", t))
		return func() {
			for _, zones := range [][]string{{"1", "2"}, {}} {
				s.run(http.MethodPatch, s.service("zoned"), recent, object{"zones": zones})
				if v := s.show("zoned"); !slices.Equal(v.Zones, zones) || v.Properties.PlatformVersion != "stv2" {
					s.t.Errorf("zones %v on %s, want %v on stv2", v.Zones, v.Properties.PlatformVersion, zones)
				}
				t = s.moves("zoned", t)
			}
		}
	}},
	{"sleep", "the pool sleeps and wakes", func(s *strain) func() {
		t := s.serve("thin", "Consumption", 0, recent)
		calls := s.form.least // between two sleeps
		if !s.form.once {
			calls = 2000
		}
		return func() {
			s.under(t)
			until := s.soFar().Done + calls
			eventually(s.t, 2*time.Minute, "requests to what is awake", func() bool { return s.soFar().Done >= until })
			s.pause()
			s.asleep("thin")
		}
	}},
	{"retire", "the retirement of stv1", func(s *strain) func() { return s.retire }},

	{"change", "scale on stv2", scaling("wide", "Premium", recent)},
	{"change", "scale on stv1", scaling("classic", "Basic", old)},
	{"change", "scale of a v2 tier", scaling("two", "BasicV2", latest)},
	{"change", "scale of units in zones", func(s *strain) func() {
		t := s.serve("zones", "Premium", 2, recent, object{"zones": []string{"1", "2"}})
		s.under(t, s.edge("zones", t))
		return func() {
			for _, units := range []int{4, 2} {
				s.run(http.MethodPatch, s.service("zones"), recent, object{"sku": object{"name": "Premium", "capacity": units}})
				if got, want := fmt.Sprint(s.running("zones")), fmt.Sprintf("map[1:%[1]d 2:%[1]d]", units); got != want {
					s.t.Errorf("machines by zone %s, want %s", got, want)
				}
			}
			s.stays("zones", t)
		}
	}},
	{"change", "tiers on stv2", retiering("tiers", recent, "Standard", "Premium", "Basic")},
	{"change", "tiers on stv1", retiering("old-tiers", old, "Standard", "Premium", "Basic")},
	{"change", "tiers to and from Developer", retiering("tiers", recent, "Developer", "Basic")}, // callers wait
	{"change", "v2 tiers", retiering("two", latest, "StandardV2", "BasicV2")},
	{"change", "configuration", func(s *strain) func() {
		t := s.serve("wide", "Premium", 1, recent)
		s.under(t, s.edge("wide", t))
		n := 0
		return func() {
			n++
			s.configure("wide", t, fmt.Sprint(n))
		}
	}},
	{"change", "certificates are renewed", func(s *strain) func() { return s.renewing() }},
	{"change", "custom names come and go", func(s *strain) func() { return s.naming() }},
	{"change", "gateways are upgraded, and back", func(s *strain) func() {
		s.portico("gateway", "install", next(s.t))
		wide, classic, thin := s.serve("wide", "Premium", 1, recent), s.serve("classic", "Basic", 1, old), s.serve("thin", "Consumption", 0, recent)
		s.under(wide, s.edge("wide", wide), classic, s.edge("classic", classic), thin)
		return func() {
			for _, version := range []string{nextVersion, "e2e"} {
				s.portico("service", "upgrade", "--all", "--to", version)
				for _, name := range []string{"wide", "classic", "thin"} {
					if got := s.machines(name)[0].Gateway; got != version {
						s.t.Errorf("%s runs gateway %s, want %s", name, got, version)
					}
				}
			}
			s.stays("wide", wide)
			s.stays("classic", classic)
		}
	}},
	{"change", "an upgrade that is no good goes back", func(s *strain) func() {
		wide, classic, thin := s.serve("wide", "Premium", 1, recent), s.serve("classic", "Basic", 1, old), s.serve("thin", "Consumption", 0, recent)
		s.portico("gateway", "install", gatewayScript(s.t, "bad-1", "exit 7"))
		s.under(wide, s.edge("wide", wide), classic, s.edge("classic", classic), thin)
		return func() {
			for _, name := range []string{"wide", "classic", "thin"} {
				if got := s.fails(http.MethodPost, s.service(name)+"/providers/Portico.Hosting/upgrade", object{"gateway": "bad-1"}); got.Code != "GatewayCrashed" {
					s.t.Errorf("%s: %v", name, got)
				}
				s.do(http.MethodPatch, s.service(name), old, object{"tags": object{"a": "b"}}) // Succeeded again
			}
			s.stays("wide", wide)
			s.stays("classic", classic)
		}
	}},
	{"change", "a rollout of gateways, and back", func(s *strain) func() { return s.rolling() }},
	{"load", "autoscale, out and in", func(s *strain) func() { return s.autoscaling() }},
	{"sleep", "hardware of the other generation, and back", func(s *strain) func() {
		t := s.serve("solid", "Premium", 1, recent)
		s.under(t, s.edge("solid", t))
		return func() {
			for _, hardware := range []string{"stv2", "stv2.1"} {
				s.portico("service", "upgrade", "solid", "--hardware", hardware)
				if got := s.platformAt("solid", latest); got != hardware {
					s.t.Errorf("on %s, want %s", got, hardware)
				}
			}
			s.stays("solid", t)
		}
	}},
	{"kill", "a zone goes down and comes up", func(s *strain) func() {
		spread := s.serve("spread", "Premium", 3, recent)
		listed := s.serve("listed", "Premium", 3, recent, object{"zones": []string{"1", "2", "3"}})
		s.under(spread, s.edge("spread", spread), listed, s.edge("listed", listed))
		return func() {
			are := func(want string) {
				s.t.Helper()
				eventually(s.t, time.Minute, "machines by zone "+want, func() bool { return fmt.Sprint(s.running("spread"), s.running("listed")) == want })
			}
			s.holdZone("2", "spread", "listed")
			s.do(http.MethodPost, "/portico/zones", "", object{"zone": "2", "state": "down"})
			are("map[1:3 3:3] map[1:2 3:2]") // what lists its zones stays in them
			if out := s.portico("zone", "list"); !strings.Contains(out, "2     down ") || strings.Count(out, " up ") != 2 {
				s.t.Errorf("zones after one was switched off:\n%s", out)
			}
			if out := s.portico("units", "listed"); !strings.Contains(out, "    zone 2          │ × ×  switched off\n") || !strings.Contains(out, "zone 2 is down") {
				s.t.Errorf("units:\n%s", out)
			}
			s.portico("zone", "up", "2")
			are("map[1:2 2:2 3:2] map[1:2 2:2 3:2]")
			s.stays("spread", spread)
			s.stays("listed", listed)
		}
	}},
	{"kill", "locations come, are taken out of rotation, and go", func(s *strain) func() {
		t := s.serve("far", "Premium", 1, recent)
		s.under(t, s.edge("far", t))
		return func() {
			s.locate("far", false, elsewhere("North Europe", 1))
			s.under(s.edge("far", t)) // where there is one location out of rotation its address refuses
			s.locate("far", true, elsewhere("North Europe", 1))
			s.locate("far", false, elsewhere("North Europe", 2))
			s.under(t, s.edge("far", t))
			s.locate("far", false)
			if n := len(s.units("far").Locations); n != 1 {
				s.t.Errorf("%d locations are left", n)
			}
			s.stays("far", t)
		}
	}},
	{"kill", "a location is lost", func(s *strain) func() {
		t := s.serve("far", "Premium", 1, recent)
		edge := s.edge("far", t)
		s.locate("far", false, elsewhere("North Europe", 1))
		s.under(edge)
		return func() {
			for _, set := range s.units("far").Locations[0].Sets {
				for _, m := range set.Machines {
					s.killing(m.PID, t.Addr, edge.Addr)
				}
			}
			eventually(s.t, time.Minute, "the location is back", func() bool {
				for _, m := range s.machines("far") {
					if m.Phase != "ready" {
						return false
					}
				}
				return get(t, "/books/1") == http.StatusOK
			})
		}
	}},
	{"kill", "the control plane is killed in the middle of a change", func(s *strain) func() {
		t := s.serve("wide", "Premium", 1, recent)
		s.under(t, s.edge("wide", t))
		return func() {
			for _, units := range []int{2, 1} {
				s.do(http.MethodPatch, s.service("wide"), recent, object{"sku": object{"name": "Premium", "capacity": units}})
				s.kill()
				s.up(nil, s.args...)
				eventually(s.t, time.Minute, "the end of the change", func() bool { return s.show("wide").Properties.ProvisioningState == "Succeeded" })
				s.has("wide", 2*units)
			}
			s.stays("wide", t)
		}
	}},
	{"kill", "an agent is killed", func(s *strain) func() {
		t := s.serve("wide", "Premium", 1, recent)
		s.under(t, s.edge("wide", t))
		return func() {
			others := func() []int { return slices.Concat(s.pidsOf("edge"), s.pidsOf("machine")) }
			was, before := 0, []int{}
			eventually(s.t, time.Minute, "an agent", func() bool { was, before = s.agentPID(), others(); return was != 0 })
			s.killing(was, t.Addr, s.edge("wide", t).Addr)
			eventually(s.t, time.Minute, "another agent", func() bool { now := s.agentPID(); return now != 0 && now != was })
			eventually(s.t, time.Minute, "its machines", func() bool { return len(s.machines("wide")) == 2 })
			if after := others(); !slices.Equal(before, after) {
				s.t.Errorf("edge and machines were %v, are %v", before, after)
			}
			s.stays("wide", t)
		}
	}},
	{"kill", "the control plane is of another build", func(s *strain) func() {
		t := s.serve("wide", "Premium", 1, recent)
		s.under(t, s.edge("wide", t))
		return func() {
			s.replaced(next(s.t))
			s.portico("restart", "--agent") // the command is of the first build
			s.runs(program)
			s.replaced(program)
			s.stays("wide", t)
		}
	}},
	{"kill", "the control plane is upgraded, and back", func(s *strain) func() { return s.takeovers() }},
	{"kill", "an upgrade of the control plane that is no good goes back", func(s *strain) func() { return s.badTakeover() }},
	{"kill", "the edge is killed", func(s *strain) func() {
		t := s.serve("wide", "Premium", 1, recent)
		edge := s.edge("wide", t)
		s.under(t, edge)
		return func() {
			pids := s.pidsOf("edge")
			s.killing(pids[0], edge.Addr)
			eventually(s.t, time.Minute, "another edge", func() bool { now := s.pidsOf("edge"); return len(now) == 1 && now[0] != pids[0] })
		}
	}},
	{"kill", "a machine is killed", func(s *strain) func() {
		t := s.serve("wide", "Premium", 1, recent)
		edge := s.edge("wide", t)
		s.under(t, edge)
		return func() {
			m := s.machines("wide")[0]
			s.killing(m.PID, t.Addr, edge.Addr)
			eventually(s.t, time.Minute, "the machine started again", func() bool {
				now := s.machines("wide")
				i := slices.IndexFunc(now, func(n machine) bool { return n.ID == m.ID })
				return i >= 0 && now[i].PID != m.PID && now[i].Phase == "ready"
			})
		}
	}},
}

// scaling takes a service from one unit to two and back.
func scaling(name, tier, version string) func(*strain) func() {
	return func(s *strain) func() {
		t := s.serve(name, tier, 1, version)
		s.under(t, s.edge(name, t))
		perUnit := len(s.machines(name))
		return func() {
			for _, units := range []int{2, 1} {
				s.run(http.MethodPatch, s.service(name), version, object{"sku": object{"name": tier, "capacity": units}})
				s.has(name, perUnit*units)
			}
			s.stays(name, t)
		}
	}
}

// retiering takes a service from tier to tier, the last of which is the first.
func retiering(name, version string, tiers ...string) func(*strain) func() {
	return func(s *strain) func() {
		t := s.serve(name, tiers[len(tiers)-1], 1, version)
		s.under(t, s.edge(name, t))
		return func() {
			for _, tier := range tiers {
				s.run(http.MethodPatch, s.service(name), version, object{"sku": object{"name": tier, "capacity": 1}})
			}
			s.stays(name, t)
		}
	}
}

// has checks how many machines a service has.
func (s *strain) has(name string, n int) {
	s.t.Helper()
	if got := len(s.machines(name)); got != n {
		s.t.Errorf("%s has %d machines, want %d", name, got, n)
	}
}

// configure edits a service in many ways, and waits until it answers by them.
func (s *strain) configure(name string, t load.Target, mark string) {
	s.t.Helper()
	id := s.service(name)
	s.do(http.MethodPut, id+"/namedValues/mark", recent, object{"properties": object{"displayName": "mark", "value": mark}})
	s.do(http.MethodPut, id+"/policies/policy", recent, object{"properties": object{"format": "rawxml", "value": `<policies><inbound /><backend><forward-request /></backend><outbound>` +
		`<set-header name="X-Mark" exists-action="override"><value>{{mark}}</value></set-header></outbound><on-error /></policies>`}})
	s.do(http.MethodPut, id+"/products/all", recent, object{"properties": object{"displayName": "All", "state": "published"}})
	s.do(http.MethodPut, id+"/products/all/apis/bookshop", recent, nil)
	s.run(http.MethodPut, id+"/apis/more", recent, object{"properties": object{"format": "openapi", "value": bookshop.OpenAPI(s.lane.shop.URL), "path": "more-" + mark}})
	eventually(s.t, time.Minute, "the policy in effect", func() bool {
		req, err := http.NewRequest(http.MethodGet, "http://"+t.Addr+t.Path+"/books/1", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		req.Close = true
		req.Header.Set("Ocp-Apim-Subscription-Key", t.Key)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			s.t.Fatal(err)
		}
		res.Body.Close()
		return res.Header.Get("X-Mark") == mark
	})
	for _, below := range []string{"/apis/more", "/products/all"} {
		if _, err := s.client.Do(s.t.Context(), http.MethodDelete, id+below, recent, nil, "If-Match", "*"); err != nil {
			s.t.Fatal(err)
		}
	}
}

// renewing asks for custom names by TLS, at the address and at the edge, and replaces their certificates.
func (s *strain) renewing() (round func()) {
	ca := certtest.Authority(s.t, "Contoso")
	t := s.serve("wide", "Premium", 1, recent)
	vip, _, _ := strings.Cut(t.Addr, ":")
	const name = "api.contoso.example"
	rename := func() certtest.Pair {
		p := ca.Issue(s.t, name)
		s.run(http.MethodPatch, s.service("wide"), latest, object{"properties": object{"hostnameConfigurations": []object{custom(s.t, name, p)}}})
		return p
	}
	var targets []load.Target
	var visitors []*visitor
	for _, addr := range []string{vip + ":9443", strings.TrimPrefix(s.client.Endpoints.EdgeTLS, "https://")} {
		v := newVisitor(addr, name, ca, nil)
		targets, visitors = append(targets, load.Target{Addr: addr, Host: name, Path: t.Path, Key: t.Key, TLS: v.conf}), append(visitors, v)
	}
	shows := func(p certtest.Pair) {
		eventually(s.t, time.Minute, "the certificate", func() bool {
			return !slices.ContainsFunc(visitors, func(v *visitor) bool { return v.shown(s.t) != p.Certificate.SerialNumber.String() })
		})
	}
	shows(rename())
	s.under(targets...)
	return func() { shows(rename()) }
}

// replaced starts the control plane as another build, which makes agent and edge run that too.
func (s *strain) replaced(build string) {
	s.t.Helper()
	agent, machines := s.agentPID(), s.pidsOf("machine")
	s.kill()
	s.program = build
	s.up(nil, s.args...)
	s.runs(build)
	if now := s.agentPID(); now != agent {
		s.t.Errorf("the agent is process %d, was %d", now, agent)
	}
	if now := s.pidsOf("machine"); !slices.Equal(machines, now) {
		s.t.Errorf("machines are %v, were %v", now, machines)
	}
}

// runs waits until agent and edge run a program.
func (s *strain) runs(build string) {
	s.t.Helper()
	eventually(s.t, time.Minute, "agent and edge run "+build, func() bool { return s.programOf("host") == build && s.programOf("edge") == build })
}

// holdZone holds the machines of services in a zone still, and counts their connections.
func (s *strain) holdZone(zone string, services ...string) {
	s.t.Helper()
	for _, name := range services {
		t := s.lane.known[name]
		for _, m := range s.machines(name) {
			if m.Zone == zone {
				s.hold(m.PID, t.Addr, s.edge(name, t).Addr)
			}
		}
	}
}

// retire lets the day come from which there is no stv1, on a host of its own.
func (s *strain) retire() {
	t := s.t
	day := time.Now().Add(24 * time.Hour).UTC()
	own := &strain{
		host: start(t, "--pace", "manual", "--retire-stv1", day.Format(time.RFC3339)), form: s.form,
		lane: &soakLane{shop: s.lane.shop, known: map[string]load.Target{}},
	}
	defer own.stopAll()
	target := own.serve("last", "Developer", 1, old)
	s.under(target, own.edge("last", target))
	state := func(want string) {
		t.Helper()
		eventually(t, time.Minute, want, func() bool { return own.show("last").Properties.ProvisioningState == want })
	}
	own.advance("PT24H")
	state("Updating")
	own.advance("PT45M")
	state("Succeeded")
	own.stays("last", target)
	if got := own.show("last").Properties.PlatformVersion; got != "stv2" {
		t.Errorf("on %s after the retirement of stv1", got)
	}
	own.windowEnds("last")
	s.rest()
}
