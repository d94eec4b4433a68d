package e2e

import (
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/certtest"
	"github.com/portico-dev/portico/internal/demo/load"
	"github.com/portico-dev/portico/internal/hosting/rollout"
)

// takeovers have another build take over the control plane, with ARM as busy as the gateways, in the middle of a change;
// and then the first one again.
func (s *strain) takeovers() (round func()) {
	t := s.serve("wide", "Premium", 1, recent)
	s.under(t, s.edge("wide", t))
	return func() {
		l, machines := s.armLoad("wide"), s.machines("wide")
		for i, to := range []struct{ program, version, before string }{{next(s.t), nextVersion, "e2e"}, {program, "e2e", nextVersion}} {
			units := 2 - i
			s.do(http.MethodPatch, s.service("wide"), recent, object{"sku": object{"name": "Premium", "capacity": units}})
			out := s.portico("upgrade", to.program, "--watch", "1s")
			if want := "the control plane runs " + to.version + ", before it ran " + to.before + "\n"; out != want {
				s.t.Errorf("upgrade says %q, want %q", out, want)
			}
			s.runs(s.gatewayFile(to.version))
			eventually(s.t, time.Minute, "the end of the probation", func() bool {
				return s.portico("upgrade", "--status") == "the control plane runs "+to.version+"\n"
			})
			eventually(s.t, time.Minute, "the end of the change", func() bool { return s.show("wide").Properties.ProvisioningState == "Succeeded" })
			s.has("wide", 2*units)
		}
		if now := s.machines("wide"); !slices.ContainsFunc(now, func(m machine) bool { return m.ID == machines[0].ID && m.PID == machines[0].PID }) {
			s.t.Errorf("machines are %+v, were %+v", now, machines)
		}
		l.unharmed(s.t)
		s.stays("wide", t)
	}
}

// badTakeover offers the control plane a program that does not get ready.
func (s *strain) badTakeover() (round func()) {
	t := s.serve("wide", "Premium", 1, recent)
	s.under(t, s.edge("wide", t))
	dies := gatewayScript(s.t, "dies", `case "$*" in *--check) exit 0;; *) echo cannot work >&2; exit 3;; esac`)
	return func() {
		l := s.armLoad("wide")
		out, err := exec.Command(program, "upgrade", dies, "--data", s.dir).CombinedOutput()
		if want := "dies: cannot work (e2e runs on)"; err == nil || !strings.Contains(string(out), want) {
			s.t.Errorf("upgrade: %v, %s; want %q", err, out, want)
		}
		l.unharmed(s.t)
		s.stays("wide", t)
	}
}

// autoscaling has rules of autoscale take a service from one unit to two and back. Each says what holds under every load.
func (s *strain) autoscaling() (round func()) {
	const name, metrics = "fit", "2022-10-01"
	t := s.serve(name, "Basic", 1, recent)
	s.under(t, s.edge(name, t))
	s.portico("autoscale", "set", name, "--max", "2", "--out", "1", "--in", "0", "--window", "5m", "--cool-down-out", "5m", "--cool-down-in", "5m", "--disabled")
	var setting autoscaling
	s.decode(&setting, "autoscale", "show", name, "-o", "json")
	properties := s.properties(setting.Setting)
	properties["enabled"] = true
	profile := properties["profiles"].([]any)[0].(map[string]any)
	rules := profile["rules"].([]any)
	rules[1].(map[string]any)["metricTrigger"].(map[string]any)["threshold"] = 101
	return func() {
		for i, units := range []int{2, 1} {
			profile["rules"] = rules[i : i+1]
			s.do(http.MethodPut, setting.Setting, metrics, object{"location": "westeurope", "properties": properties})
			eventually(s.t, 2*time.Minute, "units by rule", func() bool {
				return len(s.serving(name)) == 2*units && s.show(name).Properties.ProvisioningState == "Succeeded"
			})
		}
		s.stays(name, t)
	}
}

// rolling rolls a version of the gateway out over all services of the host, and brings them back.
func (s *strain) rolling() (round func()) {
	s.portico("gateway", "install", next(s.t))
	names := []string{"wide", "classic", "thin"}
	wide, classic, thin := s.serve("wide", "Premium", 1, recent), s.serve("classic", "Basic", 1, old), s.serve("thin", "Consumption", 0, recent)
	s.under(wide, s.edge("wide", wide), classic, s.edge("classic", classic), thin)
	run := func(want string) {
		for _, name := range names {
			if got := s.machines(name)[0].Gateway; got != want {
				s.t.Errorf("%s runs gateway %s, want %s", name, got, want)
			}
		}
	}
	return func() {
		s.rollout("start", nextVersion, "--ignore-windows", "--group", "100:0s")
		s.rolloutIs(rollout.Succeeded)
		run(nextVersion)
		s.rollout("rollback")
		s.rolloutIs(rollout.RolledBack)
		run("e2e")
		s.stays("wide", wide)
		s.stays("classic", classic)
	}
}

// naming gives a service one more custom name, and takes it away, while another one is called.
func (s *strain) naming() (round func()) {
	ca := certtest.Authority(s.t, "Fabrikam")
	const kept, more = "kept.fabrikam.example", "more.fabrikam.example"
	t := s.serve("named", "Developer", 1, recent)
	vip, _, _ := strings.Cut(t.Addr, ":")
	lasting, other := custom(s.t, kept, ca.Issue(s.t, kept)), custom(s.t, more, ca.Issue(s.t, more))
	set := func(names ...object) {
		s.run(http.MethodPatch, s.service("named"), latest, object{"properties": object{"hostnameConfigurations": names}})
	}
	answers := func(name string) bool {
		return strings.HasPrefix(newVisitor(vip+":9443", name, ca, nil).ask(statusPath), "200")
	}
	set(lasting)
	eventually(s.t, time.Minute, "the custom name", func() bool { return answers(kept) })
	s.under(load.Target{Addr: vip + ":9443", Host: kept, Path: t.Path, Key: t.Key, TLS: newVisitor(vip, kept, ca, nil).conf}, t, s.edge("named", t))
	return func() {
		set(lasting, other)
		eventually(s.t, time.Minute, "one more name", func() bool { return answers(more) })
		set(lasting)
		eventually(s.t, time.Minute, "one name less", func() bool { return !answers(more) })
	}
}

// migrateEverywhere moves a service with two locations to stv2, all of it at once.
func (s *strain) migrateEverywhere() {
	name, t := s.renew("Premium", 1, old)
	s.locate(name, false, elsewhere("North Europe", 1))
	s.migrate(name, "NewIP")
	var v regional
	if err := s.host.do(http.MethodGet, s.service(name), recent, nil).Decode(&v); err != nil {
		s.t.Fatal(err)
	}
	if got := v.Properties.AdditionalLocations[0].PlatformVersion; got != "stv2" {
		s.t.Errorf("the other location is on %s", got)
	}
	s.moves(name, t)
}
