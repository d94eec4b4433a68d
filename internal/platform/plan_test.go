package platform_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/platform"
)

// calm runs the planner on a fabric where everything works within a second until nothing is left to do, and tells the
// story: each step with the machines that serve, the sets and the addresses after it.
func calm(t *testing.T, s *sim, w platform.Wish) []string {
	t.Helper()
	s.want(w)
	var story []string
	for range 2000 {
		s.calmly()
		d := s.control()
		if d.Step != "" {
			story = append(story, s.line(d.Step))
		}
		if d.Done {
			if err := s.arrived(); err != nil {
				t.Fatal(err)
			}
			return story
		}
	}
	t.Fatalf("no end: %v", story)
	return nil
}

// calmly lets a second pass in which everything works.
func (s *sim) calmly() {
	s.now = s.now.Add(time.Second)
	for id, m := range s.machines {
		if m.spec.Mode == platform.Draining {
			delete(s.machines, id)
			continue
		}
		if slices.Contains(s.down, m.spec.Zone) {
			if m.phase != platform.Exited {
				m.phase, m.since = platform.Exited, s.now
			}
			continue
		}
		m.phase, m.mode, m.seq = platform.Ready, m.spec.Mode, s.seq
	}
	s.routes = maps.Clone(s.leading)
}

// line is a step with what holds after it: serving/listed machines by set, and where each VIP leads.
func (s *sim) line(step string) string {
	sets, vips := "", ""
	for _, set := range s.state.Sets {
		serving, listed := 0, 0
		for _, m := range set.Machines {
			if m.Mode == platform.Serving {
				serving++
			}
			if m.Mode != platform.Draining {
				listed++
			}
		}
		sets += fmt.Sprintf(" %s:%d/%d", set.Platform, serving, listed)
	}
	for _, v := range s.state.VIPs {
		vips += " "
		for i, id := range v.Sets {
			if i > 0 {
				vips += "+"
			}
			vips += string(s.state.Set(id).Platform)
		}
		if len(v.Sets) == 0 {
			vips += "-"
		}
	}
	return step + sets + " |" + vips
}

func TestNext_TellsTheStory(t *testing.T) {
	t.Parallel()
	dev := func(v platform.Version, a platform.AddressMode) platform.Wish {
		return platform.Wish{Platform: v, Tier: platform.Developer, Units: 1, Address: a}
	}
	prem := func(v platform.Version, units int, zones ...string) platform.Wish {
		return platform.Wish{Platform: v, Tier: platform.Premium, Units: units, Zones: zones}
	}
	tests := []struct {
		name    string
		from    []platform.Wish
		upgrade string
		to      platform.Wish
		want    []string
	}{
		{"create", nil, "", dev(platform.STv2, ""), []string{
			"start machines stv2:0/1 | -",
			"open the new set stv2:1/1 | stv2",
		}},
		{"scale out and stay", []platform.Wish{prem(platform.STv2, 1)}, "", prem(platform.STv2, 3), []string{
			"start machines stv2:2/6 | stv2",
			"serve on new machines stv2:6/6 | stv2",
		}},
		{"scale in", []platform.Wish{prem(platform.STv1, 3)}, "", prem(platform.STv1, 1), []string{
			"drain machines stv1:2/2 | stv1",
			"remove drained machines stv1:2/2 | stv1",
		}},
		{"Developer to Basic on stv1 is deployed anew", []platform.Wish{dev(platform.STv1, "")}, "", platform.Wish{Platform: platform.STv1, Tier: platform.Basic, Units: 1}, []string{
			"drain machines stv1:0/0 | stv1",
			"remove drained machines stv1:0/0 | stv1",
			"start machines stv1:0/2 | stv1",
			"serve on new machines stv1:2/2 | stv1",
		}},
		{"Premium to Developer on stv1 is deployed anew", []platform.Wish{prem(platform.STv1, 1)}, "", dev(platform.STv1, ""), []string{
			"drain machines stv1:0/0 | stv1",
			"remove drained machines stv1:0/0 | stv1",
			"start machines stv1:0/1 | stv1",
			"serve on new machines stv1:1/1 | stv1",
		}},
		{"Premium to Basic on stv1 is not", []platform.Wish{prem(platform.STv1, 1)}, "", platform.Wish{Platform: platform.STv1, Tier: platform.Basic, Units: 1}, nil},
		{"Developer on stv1 gets another name", []platform.Wish{dev(platform.STv1, "")}, "", platform.Wish{Platform: platform.STv1, Tier: platform.Developer, Units: 1, Renewal: "2"}, []string{
			"drain machines stv1:0/0 | stv1",
			"remove drained machines stv1:0/0 | stv1",
			"start machines stv1:0/1 | stv1",
			"serve on new machines stv1:1/1 | stv1",
		}},
		{"Developer on stv2 becomes Basic beside itself", []platform.Wish{dev(platform.STv2, "")}, "", platform.Wish{Platform: platform.STv2, Tier: platform.Basic, Units: 1, Renewal: "2"}, []string{
			"start machines stv2:1/2 | stv2",
			"serve on new machines stv2:2/2 | stv2",
		}},
		{"Premium spread over zones to regional Standard", []platform.Wish{prem(platform.STv2, 1)}, "", platform.Wish{Platform: platform.STv2, Tier: platform.Standard, Units: 1}, []string{
			"start machines stv2:2/3 | stv2",
			"serve on new machines stv2:3/3 | stv2",
			"drain machines stv2:2/2 | stv2",
			"remove drained machines stv2:2/2 | stv2",
			"start machines stv2:2/3 | stv2",
			"serve on new machines stv2:3/3 | stv2",
			"drain machines stv2:2/2 | stv2",
			"remove drained machines stv2:2/2 | stv2",
		}},
		{"migration that preserves the IP", []platform.Wish{dev(platform.STv1, "")}, "", dev(platform.STv2, platform.PreserveIP), []string{
			"start machines stv1:1/1 stv2:0/1 | stv1",
			"open the new set stv1:1/1 stv2:1/1 | stv1+stv2",
			"route to the new set stv1:1/1 stv2:1/1 | stv2",
			"park the old set stv1:0/1 stv2:1/1 | stv2",
			"end the coexistence stv1:0/1 stv2:1/1 | stv2",
			"drain machines stv1:0/0 stv2:1/1 | stv2",
			"remove drained machines stv2:1/1 | stv2",
		}},
		{"migration to a new IP", []platform.Wish{dev(platform.STv1, "")}, "", dev(platform.STv2, platform.NewIP), []string{
			"start machines stv1:1/1 stv2:0/1 | stv1 -",
			"open the new set stv1:1/1 stv2:1/1 | stv1 stv2",
			"route to the new set stv1:1/1 stv2:1/1 | stv2 stv1",
			"end the coexistence stv1:1/1 stv2:1/1 | stv2 stv1",
			"take old sets off the addresses stv1:1/1 stv2:1/1 | stv2 -",
			"remove drained machines stv1:1/1 stv2:1/1 | stv2",
			"drain machines stv1:0/0 stv2:1/1 | stv2",
			"remove drained machines stv2:1/1 | stv2",
		}},
		{"zones bring a new IP", []platform.Wish{prem(platform.STv2, 1)}, "", prem(platform.STv2, 3, "1", "2", "3"), []string{
			"start machines stv2:2/2 stv2:0/6 | stv2 -",
			"open the new set stv2:2/2 stv2:6/6 | stv2 stv2",
			"route to the new set stv2:2/2 stv2:6/6 | stv2 stv2",
			"end the coexistence stv2:2/2 stv2:6/6 | stv2 stv2",
			"take old sets off the addresses stv2:2/2 stv2:6/6 | stv2 -",
			"remove drained machines stv2:2/2 stv2:6/6 | stv2",
			"drain machines stv2:0/0 stv2:6/6 | stv2",
			"remove drained machines stv2:6/6 | stv2",
		}},
		{"upgrade on stv1 goes domain by domain", []platform.Wish{prem(platform.STv1, 1)}, "2", prem(platform.STv1, 1), []string{
			"drain machines stv1:1/1 | stv1",
			"remove drained machines stv1:1/1 | stv1",
			"start machines stv1:1/2 | stv1",
			"serve on new machines stv1:2/2 | stv1",
			"drain machines stv1:1/1 | stv1",
			"remove drained machines stv1:1/1 | stv1",
			"start machines stv1:1/2 | stv1",
			"serve on new machines stv1:2/2 | stv1",
		}},
		{"upgrade on stv2 surges", []platform.Wish{dev(platform.STv2, "")}, "2", dev(platform.STv2, ""), []string{
			"start machines stv2:1/2 | stv2",
			"serve on new machines stv2:2/2 | stv2",
			"drain machines stv2:1/1 | stv2",
			"remove drained machines stv2:1/1 | stv2",
		}},
		{"delete", []platform.Wish{dev(platform.STv2, "")}, "", platform.Wish{Gone: true}, []string{
			"stop serving stv2:1/1 | -",
			"remove drained machines stv2:1/1 |",
			"drain machines stv2:0/0 |",
			"remove drained machines |",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSim(1, false)
			for _, w := range tt.from {
				calm(t, s, w)
			}
			if tt.upgrade != "" {
				s.upgrade(tt.upgrade)
			}
			if d := cmp.Diff(tt.want, calm(t, s, tt.to)); d != "" {
				t.Errorf("story differs (-want +got):\n%s", d)
			}
		})
	}
}

// TestNext_GivesUpWhatStaysAway: stv2 replaces a machine that does not come back, stv1 leaves it to the fabric.
func TestNext_GivesUpWhatStaysAway(t *testing.T) {
	t.Parallel()
	for v, want := range map[platform.Version]string{platform.STv1: "", platform.STv2: platform.StepRepair} {
		s := newSim(1, false)
		calm(t, s, platform.Wish{Platform: v, Tier: platform.Premium, Units: 1})
		for _, m := range s.machines {
			m.phase, m.since = platform.Exited, s.now
			break
		}
		d := platform.Next(s.input())
		if wait := v == platform.STv2; d.Step != "" || wait == d.Until.IsZero() {
			t.Errorf("%s: at once: step %q, again at %v", v, d.Step, d.Until)
		}
		s.now = s.now.Add(time.Hour)
		if d := platform.Next(s.input()); d.Step != want {
			t.Errorf("%s: after an hour: step %q, want %q", v, d.Step, want)
		}
	}
}

// TestNext_TakesTheUpdateDomainThatCostsLeast turns an upgrade round while the machines of a domain start and one of
// another is down: the ones that start go, and nobody who serves.
func TestNext_TakesTheUpdateDomainThatCostsLeast(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	calm(t, s, platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 6})
	for _, m := range s.state.Sets[0].Machines {
		if m.Slot == 1 || m.UpdateDomain == 2 {
			s.machines[m.ID].phase = platform.Starting
		}
	}
	s.gateway = "2"
	for _, m := range platform.Next(s.input()).State.Sets[0].Machines {
		if gone := m.Mode == platform.Draining; gone != (m.UpdateDomain == 2) {
			t.Errorf("machine of slot %d and update domain %d drains: %v", m.Slot, m.UpdateDomain, gone)
		}
	}
}
