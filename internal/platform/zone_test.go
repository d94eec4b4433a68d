package platform_test

import (
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/platform"
)

// byZone counts the machines of the active set, by zone.
func (s *sim) byZone() map[string]int {
	zones := map[string]int{}
	for _, m := range s.state.Set(s.state.Active).Machines {
		zones[m.Zone]++
	}
	return zones
}

// rest lets time pass in which everything works that has power, for as long as the planner finds something to do, and two
// minutes more: whatever is replaced after a time is replaced then.
func (s *sim) rest(t *testing.T) {
	t.Helper()
	for idle := 0; idle < 120; idle++ {
		s.calmly()
		if d := s.control(); d.Step != "" {
			idle = 0
		}
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNext_MovesOutOfAZoneThatIsDown(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	calm(t, s, platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 3})
	if diff := cmp.Diff(map[string]int{"1": 2, "2": 2, "3": 2}, s.byZone()); diff != "" {
		t.Fatal(diff)
	}
	s.down, s.crashes = []string{"2"}, 2
	s.rest(t)
	if diff := cmp.Diff(map[string]int{"1": 3, "3": 3}, s.byZone()); diff != "" {
		t.Error(diff)
	}
	if n := s.accepting(); n != 6 {
		t.Errorf("%d machines accept", n)
	}
	s.down, s.crashes = nil, 0
	s.rest(t)
	if diff := cmp.Diff(map[string]int{"1": 2, "2": 2, "3": 2}, s.byZone()); diff != "" {
		t.Error(diff)
	}
}

func TestNext_WaitsForAZoneThatTheClientListed(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	calm(t, s, platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 3, Zones: []string{"1", "2", "3"}})
	before := slices.Sorted(maps.Keys(s.machines))
	s.down, s.crashes = []string{"2"}, 2
	s.rest(t)
	if diff := cmp.Diff(before, slices.Sorted(maps.Keys(s.machines))); diff != "" {
		t.Errorf("machines were replaced: %s", diff)
	}
	if n := s.accepting(); n != 4 {
		t.Errorf("%d machines accept", n)
	}
	s.down = nil
	s.rest(t)
	if n := s.accepting(); n != 6 {
		t.Errorf("%d machines accept with power", n)
	}
	if diff := cmp.Diff(before, slices.Sorted(maps.Keys(s.machines))); diff != "" {
		t.Errorf("machines were replaced: %s", diff)
	}
}

func TestNext_StaysWhenAllZonesAreDown(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	calm(t, s, platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 1})
	before := slices.Sorted(maps.Keys(s.machines))
	s.down, s.crashes = []string{"1", "2", "3"}, 2
	s.rest(t)
	if diff := cmp.Diff(before, slices.Sorted(maps.Keys(s.machines))); diff != "" {
		t.Errorf("machines were replaced: %s", diff)
	}
}

// TestNext_ReplacesWhatIsDeadBesideWhatTheZonesHold has a new set with two machines that will not start: the zones hold
// the one that is given up, and the other may not be given up before it is gone.
func TestNext_ReplacesWhatIsDeadBesideWhatTheZonesHold(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	s.want(platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 2, Zones: []string{"1", "3"}})
	set := platform.Set{ID: "s", Platform: platform.STv2, Zones: []string{"1", "3"}}
	for i, zone := range []string{"1", "1", "3", "3", "3"} {
		id := strconv.Itoa(i)
		set.Machines = append(set.Machines, platform.Machine{ID: id, Slot: i, Zone: zone, Gateway: "1", Mode: platform.Parked, Faulty: i == 0})
		s.machines[id] = &simMachine{set: "s", phase: platform.Ready, mode: platform.Parked, seq: s.seq}
	}
	s.machines["0"].phase, s.machines["4"].phase = platform.Exited, platform.Exited
	s.state = platform.State{Sets: []platform.Set{set}, VIPs: []platform.VIP{{ID: "v", Address: "10.0.0.1"}}}
	if d := platform.Next(s.input()); d.Step != platform.StepStart {
		t.Errorf("step %q, waits for %q", d.Step, d.Wait)
	}
}

// TestNext_GoesRoundWhatTheZonesHold has more machines than a walk may add, all of which serve: the zones hold the two that
// are to go, and only one more lets them.
func TestNext_GoesRoundWhatTheZonesHold(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	wish := platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 3, Zones: []string{"1", "2", "3"}}
	s.want(wish)
	set := platform.Set{ID: "s", Platform: platform.STv2, Zones: wish.Zones}
	for i, zone := range []string{"1", "1", "1", "2", "2", "3", "3", "3"} {
		m := platform.Machine{ID: strconv.Itoa(i), Slot: i, Zone: zone, Gateway: "1", Mode: platform.Serving}
		if zone == "2" {
			m.Gateway = "0"
		}
		set.Machines = append(set.Machines, m)
		s.machines[m.ID] = &simMachine{spec: m, set: "s", phase: platform.Ready, mode: platform.Serving, seq: s.seq}
	}
	s.state = platform.State{Sets: []platform.Set{set}, VIPs: []platform.VIP{{ID: "v", Address: "10.0.0.1", Sets: []string{"s"}}}, Active: "s"}
	calm(t, s, wish)
}

// TestNext_WaitsForTheMachineThatBalances has two machines in the zone that kept its power. One more starts in a zone that
// is back: it is the one that is not ready, and not the one too many.
func TestNext_WaitsForTheMachineThatBalances(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	s.want(platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 1})
	set := platform.Set{ID: "s", Platform: platform.STv2}
	for i := range 2 {
		id := strconv.Itoa(i)
		set.Machines = append(set.Machines, platform.Machine{ID: id, Slot: i, Zone: "2", Gateway: "1", Mode: platform.Serving})
		s.machines[id] = &simMachine{set: "s", phase: platform.Ready, mode: platform.Serving, seq: s.seq}
	}
	s.state = platform.State{Active: "s", Sets: []platform.Set{set}, VIPs: []platform.VIP{{ID: "v", Address: "10.0.0.1", Sets: []string{"s"}}}}
	s.routes["v"] = []string{"s"}
	in := s.input()
	d := platform.Next(in)
	if d.Step != platform.StepStart {
		t.Fatalf("step %q, waits for %q", d.Step, d.Wait)
	}
	in.State = d.State
	if d = platform.Next(in); d.Step != "" {
		t.Errorf("while the machine starts: step %q", d.Step)
	}
}
