package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/platform"
)

// noon is a Monday on which no window of Europe is open.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// A sim plays the store and the platform: operations end when it says so.
type sim struct {
	r        Rollout
	services []service
	now      time.Time
	reasons  map[string]string
	ill      *Illness
	ops      int
	story    []string
}

func newSim(groups []Group, parallel int, services ...service) *sim {
	s := &sim{now: noon, services: services, reasons: map[string]string{}}
	s.r = Rollout{Number: 1, Version: "2.0", State: Running, Groups: groups, Parallel: parallel, Started: noon, Before: map[platform.Channel]string{
		platform.PreviewChannel: "1.0", platform.DefaultChannel: "1.0", platform.StableChannel: "1.0",
	}}
	return s
}

func of(name string, tier platform.Tier, channel platform.Channel) service {
	return service{id: "/s/" + name, location: "westeurope", tier: tier, channel: channel, gateway: "1.0", created: noon.Add(-time.Hour)}
}

// turn decides and does what is decided, as Runner.commit does.
func (s *sim) turn() decision {
	d := decide(world{rollout: s.r, services: s.services, now: s.now, ill: s.ill, reason: func(op string) string { return s.reasons[op] }})
	s.r = d.next
	for _, m := range d.members {
		s.find(m.Service).member = &m
		s.story = append(s.story, fmt.Sprintf("%s %s", m.Service[3:], m.Place))
	}
	for _, st := range d.start {
		to := s.find(st.member.Service)
		s.ops++
		m := st.member
		m.Operation = fmt.Sprint("op", s.ops)
		to.member, to.operation, to.gateway = &m, m.Operation, st.to
		s.story = append(s.story, fmt.Sprintf("%s %s %s", m.Service[3:], m.Place, st.to))
	}
	return d
}

func (s *sim) find(id string) *service {
	return &s.services[slices.IndexFunc(s.services, func(x service) bool { return x.id == id })]
}

// end ends the operation of a service; a reason makes it fail, which puts the version back that it had.
func (s *sim) end(id, reason string) {
	x := s.find(id)
	if reason != "" {
		s.reasons[x.operation] = reason
		if x.gateway = x.member.From; x.member.Place == GoingBack {
			x.gateway = x.member.To
		}
	}
	x.operation = ""
}

func (s *sim) tell(t *testing.T, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, s.story); d != "" {
		t.Errorf("what was done (-want +got):\n%s", d)
	}
	s.story = nil
}

var whole = []Group{{100, 24 * time.Hour}}

func TestDecide_GoesByChannelAndBakesAfterEach(t *testing.T) {
	t.Parallel()
	s := newSim(whole, 4, of("late", platform.Basic, platform.StableChannel), of("dev", platform.Developer, platform.PreviewChannel),
		of("big", platform.Premium, platform.DefaultChannel), of("std", platform.Standard, platform.DefaultChannel), of("none", platform.Basic, platform.DefaultChannel))
	s.find("/s/none").gone = true
	s.r.AnyTime = true
	s.turn()
	s.tell(t, "dev Upgrading 2.0")
	s.end("/s/dev", "")
	if d := s.turn(); !d.until.Equal(noon.Add(24*time.Hour)) || !s.r.BakeUntil.Equal(d.until) || s.r.Stage != 0 {
		t.Errorf("after the first group: until %v, %+v", d.until, s.r)
	}
	s.tell(t, "dev Upgraded")
	s.now = s.now.Add(24*time.Hour - 1)
	s.turn()
	s.tell(t)
	if got := s.r.gateways(); got[platform.PreviewChannel] != "1.0" {
		t.Errorf("while it bakes, new services get %v", got)
	}
	s.now = s.now.Add(1)
	s.turn()
	s.tell(t, "std Upgrading 2.0", "big Upgrading 2.0") // Premium comes last
	want := map[platform.Channel]string{platform.PreviewChannel: "2.0", platform.DefaultChannel: "1.0", platform.StableChannel: "1.0"}
	if d := cmp.Diff(want, s.r.gateways()); d != "" {
		t.Errorf("what new services get (-want +got):\n%s", d)
	}
	s.end("/s/std", "")
	s.end("/s/big", "")
	s.turn()
	s.now = s.now.Add(24 * time.Hour)
	s.turn()
	s.tell(t, "std Upgraded", "big Upgraded", "late Upgrading 2.0")
	s.end("/s/late", "")
	s.turn()
	s.now = s.now.Add(24 * time.Hour)
	if s.turn(); s.r.State != Succeeded || !s.r.Ended.Equal(s.now) {
		t.Errorf("in the end %+v", s.r)
	}
	s.tell(t, "late Upgraded")
}

func TestDecide_WaitsForWindowsAndSlots(t *testing.T) {
	t.Parallel()
	s := newSim(whole, 2, of("a", platform.Basic, platform.DefaultChannel), of("b", platform.Basic, platform.DefaultChannel),
		of("c", platform.Basic, platform.DefaultChannel), of("busy", platform.Basic, platform.DefaultChannel))
	s.find("/s/a").window = platform.Maintenance{Start: "11:00"} // open at noon, which is one o'clock there
	s.find("/s/busy").window = platform.Maintenance{Start: "11:00"}
	s.find("/s/busy").operation = "somebody's"
	evening := time.Date(2026, 3, 2, 21, 0, 0, 0, time.UTC)
	if d := s.turn(); !d.until.Equal(evening) {
		t.Errorf("until %v, want %v", d.until, evening)
	}
	s.tell(t, "b Planned", "c Planned", "a Upgrading 2.0")
	s.turn()
	s.tell(t) // told once
	s.find("/s/busy").operation = ""
	s.turn()
	s.tell(t, "busy Upgrading 2.0")
	s.now = evening
	s.turn()
	s.tell(t) // two at a time
	s.end("/s/busy", "")
	s.turn()
	s.tell(t, "busy Upgraded", "b Upgrading 2.0")
	s.r.State = Paused
	s.end("/s/a", "")
	s.turn()
	s.tell(t, "a Upgraded")
	s.r.State = Running
	s.turn()
	s.tell(t, "c Upgrading 2.0")
}

// The first service of a pool moves the machines of all: it goes alone, and the others together.
func TestDecide_APoolTakesOneSlot(t *testing.T) {
	t.Parallel()
	s := newSim(whole, 2)
	for i := range 100 {
		s.services = append(s.services, of(fmt.Sprintf("c%03d", i), platform.Consumption, platform.DefaultChannel))
	}
	for _, name := range []string{"d", "e"} {
		s.services = append(s.services, of(name, platform.Basic, platform.DefaultChannel))
	}
	s.r.AnyTime, s.r.Groups = true, []Group{{100, 0}}
	s.turn()
	s.tell(t, "c000 Upgrading 2.0", "d Upgrading 2.0")
	s.turn()
	s.tell(t)
	s.end("/s/c000", "")
	s.turn()
	if n := len(s.story); n != 1+fellows || s.story[0] != "c000 Upgraded" || s.story[n-1] != fmt.Sprintf("c%03d Upgrading 2.0", fellows) {
		t.Errorf("the others of the pool: %d, %v", n, s.story)
	}
	s.story = nil
	s.end("/s/c001", "")
	s.turn()
	s.tell(t, "c001 Upgraded", fmt.Sprintf("c%03d Upgrading 2.0", fellows+1)) // d has the other slot
	s.end("/s/d", "")
	s.turn()
	s.tell(t, "d Upgraded", "e Upgrading 2.0")

	s.ill = &Illness{Service: "/s/c000", Reason: "bad"}
	for _, x := range s.services {
		s.end(x.id, "")
	}
	s.turn()
	s.story = nil
	s.turn()
	if n := len(s.story); n != 0 {
		t.Errorf("two of a pool that goes back: %v", s.story)
	}
	for s.r.State != RolledBack {
		for _, x := range s.services {
			s.end(x.id, "")
		}
		s.turn()
	}
	if n := len(s.story); n < 100 {
		t.Errorf("%d steps back: %v", n, s.story)
	}
}

func TestDecide_AFailureBringsBackWhatWasUpgraded(t *testing.T) {
	t.Parallel()
	setUp := func(keep bool) *sim {
		s := newSim(whole, 4, of("dev", platform.Developer, platform.PreviewChannel), of("std", platform.Standard, platform.DefaultChannel),
			of("wide", platform.Standard, platform.DefaultChannel), of("late", platform.Basic, platform.StableChannel))
		s.r.AnyTime, s.r.Keep, s.r.Groups = true, keep, []Group{{100, 0}}
		s.turn()
		s.end("/s/dev", "")
		s.turn()
		s.end("/s/std", "Machine g1 ends again and again.")
		s.story = nil
		s.turn()
		return s
	}
	s := setUp(false)
	if got := [3]string{string(s.r.State), s.r.Service, s.r.Reason}; got != [3]string{"RollingBack", "/s/std", "The upgrade failed: Machine g1 ends again and again."} {
		t.Errorf("halted as %q", got)
	}
	s.tell(t, "std Failed", "dev GoingBack 1.0") // wide is being upgraded: its operation has to end
	s.end("/s/wide", "")
	s.services = append(s.services, func() service {
		n := of("new", platform.Developer, platform.PreviewChannel)
		n.gateway, n.created = "2.0", noon
		return n
	}())
	s.turn()
	s.tell(t, "wide Upgraded", "wide GoingBack 1.0", "new GoingBack 1.0") // the last ones first
	s.end("/s/dev", "no memory")
	s.turn()
	s.tell(t, "dev Upgraded", "dev GoingBack 1.0") // once more
	for _, id := range []string{"/s/dev", "/s/wide", "/s/new"} {
		s.end(id, "")
	}
	s.turn()
	slices.Sort(s.story)
	s.tell(t, "dev Back", "new Back", "wide Back")
	if s.r.State != RolledBack || s.r.Reason == "" || s.r.gateways()[platform.PreviewChannel] != "1.0" {
		t.Errorf("in the end %+v, new services get %v", s.r, s.r.gateways())
	}

	s = setUp(true)
	s.tell(t, "std Failed")
	if s.r.State != Halted {
		t.Errorf("with keep: %s", s.r.State)
	}
}

func TestDecide_WhatCannotGoBackIsNamed(t *testing.T) {
	t.Parallel()
	s := newSim(whole, 4, of("dev", platform.Developer, platform.PreviewChannel))
	s.r.AnyTime = true
	s.turn()
	s.end("/s/dev", "")
	s.turn()
	s.ill = &Illness{Service: "/s/dev", Reason: "Machine g1 of gateway 2.0 ends again and again."}
	for range triesBack {
		s.turn()
		s.end("/s/dev", "gateway 1.0 is not installed")
	}
	s.turn()
	if want := "Machine g1 of gateway 2.0 ends again and again. 1 of the services could not go back."; s.r.State != Halted || s.r.Reason != want {
		t.Errorf("%s: %s, want %s", s.r.State, s.r.Reason, want)
	}
}

func TestGroupOf_IsStableAndHasItsShare(t *testing.T) {
	t.Parallel()
	groups := []Group{{10, 0}, {40, 0}, {50, 0}}
	count := make([]int, len(groups))
	const n = 20_000
	for i := range n {
		name := fmt.Sprintf("/subscriptions/s/resourcegroups/rg/providers/microsoft.apimanagement/service/shop%d", i)
		g := groupOf(groups, name)
		if g != groupOf(groups, name) {
			t.Fatalf("%s moves", name)
		}
		count[g]++
	}
	for i, g := range groups {
		if share := 100 * float64(count[i]) / n; share < float64(g.Share)-2 || share > float64(g.Share)+2 {
			t.Errorf("group %d has %.1f %%, want %d", i, share, g.Share)
		}
	}
	a, b := of("a", platform.Consumption, platform.DefaultChannel), of("b", platform.Consumption, platform.DefaultChannel)
	if r := newSim(groups, 1).r; r.stage(a) != r.stage(b) {
		t.Error("services that share their machines are in two groups")
	}
}

// In whatever order operations end, fail, and clocks go: no service is upgraded before its turn or outside of its window,
// never more than so many at a time, and the rollout ends with all on one version.
func TestDecide_Properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSim(t)
		failing := map[string]bool{}
		for _, x := range s.services {
			failing[x.id] = rapid.IntRange(0, 20).Draw(t, "fails") == 0
		}
		for range 2000 {
			if s.r.State.ended() {
				break
			}
			d := s.turn()
			checkStarts(t, s, d)
			running := slices.DeleteFunc(slices.Clone(s.services), func(x service) bool { return x.operation == "" })
			if len(running) > 0 && rapid.Bool().Draw(t, "ends") {
				x := rapid.SampledFrom(running).Draw(t, "which")
				reason := ""
				if failing[x.id] && x.place() == Upgrading {
					reason = "bad"
				}
				s.end(x.id, reason)
				continue
			}
			s.now = s.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "hours")) * time.Hour)
		}
		versions := map[string]bool{}
		for _, x := range s.services {
			if !x.gone {
				versions[x.gateway] = true
			}
		}
		if !s.r.State.ended() || len(versions) > 1 {
			t.Fatalf("%s with versions %v: %v", s.r.State, versions, strings.Join(s.story, ", "))
		}
		if want := map[State]string{Succeeded: "2.0", RolledBack: "1.0"}[s.r.State]; len(versions) == 1 && !versions[want] {
			t.Fatalf("%s, on %v", s.r.State, versions)
		}
	})
}

func drawSim(t *rapid.T) *sim {
	n := rapid.IntRange(0, 12).Draw(t, "services")
	s := newSim([]Group{{30, 5 * time.Hour}, {70, 0}}, rapid.IntRange(1, 3).Draw(t, "parallel"))
	s.r.AnyTime = rapid.Bool().Draw(t, "any time")
	for i := range n {
		x := of(fmt.Sprint(i), rapid.SampledFrom([]platform.Tier{platform.Developer, platform.Basic, platform.Premium, platform.Consumption}).Draw(t, "tier"), "")
		x.channel = platform.ChannelOf(x.tier, rapid.SampledFrom([]string{"Preview", "Default", "Stable"}).Draw(t, "channel"))
		x.gone = rapid.IntRange(0, 9).Draw(t, "gone") == 0
		x.window.Start = rapid.SampledFrom([]string{"", "08:00", "16:30"}).Draw(t, "window")
		s.services = append(s.services, x)
	}
	return s
}

// checkStarts checks what a decision has started.
func checkStarts(t *rapid.T, s *sim, d decision) {
	moving := map[string]bool{}
	for _, x := range s.services {
		if p := x.place(); (p == Upgrading || p == GoingBack) && x.operation != "" {
			moving[x.division()] = true
		}
	}
	if len(moving) > s.r.Parallel && s.r.State == Running {
		t.Fatalf("%d at a time, want at most %d", len(moving), s.r.Parallel)
	}
	for _, st := range d.start {
		x := *s.find(st.member.Service)
		if st.member.Place != Upgrading {
			continue
		}
		if at := s.r.stage(x); at > s.r.Stage {
			t.Fatalf("%s of stage %d is upgraded in stage %d", x.id, at, s.r.Stage)
		}
		from, to := x.window.Window(platform.Zone(x.location), s.now)
		if !s.r.AnyTime && (from.After(s.now) || !to.After(s.now)) {
			t.Fatalf("%s is upgraded at %v, its window is from %v to %v", x.id, s.now, from, to)
		}
		for _, other := range s.services {
			if !other.gone && s.r.stage(other) < s.r.stage(x) && other.gateway != s.r.Version {
				t.Fatalf("%s is upgraded while %s of an earlier group is not", x.id, other.id)
			}
		}
	}
}
