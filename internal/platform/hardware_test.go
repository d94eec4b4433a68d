package platform_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/platform"
)

// newer is hardware of a second generation.
var newer = platform.Hardware{Cores: 2, Memory: 2 << 30}

func TestHardware_Processors(t *testing.T) {
	t.Parallel()
	for cores, want := range map[float64]int{0: 0, 0.01: 1, 1: 1, 1.5: 2, 2: 2, 16.01: 17} {
		if got := (platform.Hardware{Cores: cores}).Processors(); got != want {
			t.Errorf("%v cores are %d processors, want %d", cores, got, want)
		}
	}
}

func TestSet_VersionIsThatOfAllItsMachines(t *testing.T) {
	t.Parallel()
	other := platform.Hardware{Cores: 4, Memory: 2 << 30}
	for _, tt := range []struct {
		name     string
		platform platform.Version
		machines []platform.Hardware
		version  platform.Version
		hardware platform.Hardware
	}{
		{"none", platform.STv2, nil, "stv2", platform.Hardware{}},
		{"first", platform.STv2, []platform.Hardware{{}, {}}, "stv2", platform.Hardware{}},
		{"newer", platform.STv2, []platform.Hardware{newer, newer}, "stv2.1", newer},
		{"between", platform.STv2, []platform.Hardware{newer, {}}, "stv2", platform.Hardware{}},
		{"between, the first first", platform.STv2, []platform.Hardware{{}, newer}, "stv2", platform.Hardware{}},
		{"between two that are newer", platform.STv2, []platform.Hardware{newer, other}, "stv2.1", platform.Hardware{}},
		{"stv1", platform.STv1, []platform.Hardware{{}}, "stv1", platform.Hardware{}},
	} {
		s := platform.Set{Platform: tt.platform}
		for _, h := range tt.machines {
			s.Machines = append(s.Machines, platform.Machine{Hardware: h})
		}
		if s.Version() != tt.version || s.Hardware() != tt.hardware {
			t.Errorf("%s: %s on %+v, want %s on %+v", tt.name, s.Version(), s.Hardware(), tt.version, tt.hardware)
		}
	}
}

// TestDecide_GivesTheNewestHardwareToWhatIsMadeAnew asks a host that has newer hardware for all kinds of changes.
func TestDecide_GivesTheNewestHardwareToWhatIsMadeAnew(t *testing.T) {
	t.Parallel()
	const recent, old = "2022-08-01", "2020-12-01"
	first := platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 1}
	moved := first
	moved.Hardware = platform.Hardware{Cores: 1.5, Memory: 1 << 30} // an earlier newest
	lifted := platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 1}
	for _, tt := range []struct {
		name    string
		request platform.Request
		want    platform.Hardware
	}{
		{"new on stv2", platform.Request{APIVersion: recent, Tier: platform.Basic, Units: 1}, newer},
		{"new on stv1", platform.Request{APIVersion: old, Tier: platform.Basic, Units: 1}, platform.Hardware{}},
		{"new in a pool", platform.Request{APIVersion: recent, Tier: platform.Consumption}, platform.Hardware{}},
		{"new v2 tier", platform.Request{APIVersion: "2024-05-01", Tier: platform.BasicV2, Units: 1}, platform.Hardware{}},
		{"scaled", platform.Request{APIVersion: recent, Tier: platform.Premium, Units: 2, Old: &first}, platform.Hardware{}},
		{"another tier", platform.Request{APIVersion: recent, Tier: platform.Basic, Units: 1, Old: &first}, platform.Hardware{}},
		{"scaled where it was moved to", platform.Request{APIVersion: recent, Tier: platform.Premium, Units: 2, Old: &moved}, moved.Hardware},
		{"zones", platform.Request{APIVersion: recent, Tier: platform.Premium, Units: 2, Zones: []string{"1", "2"}, Old: &first}, newer},
		{"scaled on stv1", platform.Request{APIVersion: old, Tier: platform.Premium, Units: 2, Old: &lifted}, platform.Hardware{}},
		{"migrated by an update", platform.Request{APIVersion: recent, Tier: platform.Premium, Units: 1, Old: &lifted}, newer},
		{"migrated", platform.Request{APIVersion: recent, Migrate: true, Old: &lifted}, newer},
	} {
		tt.request.Newest = newer
		w, err := platform.Decide(tt.request)
		if err != nil || w.Hardware != tt.want {
			t.Errorf("%s: on %+v, %v; want %+v", tt.name, w.Hardware, err, tt.want)
		}
	}
	moved.Hardware = newer
	for _, old := range []platform.Wish{first, moved} {
		_, err := platform.Decide(platform.Request{APIVersion: recent, Migrate: true, Newest: newer, Old: &old})
		if err == nil || err.Status != 400 {
			t.Errorf("migration of what is on stv2 already: %v", err)
		}
	}
}

// TestDecideElsewhere_GrowsOnTheNewestHardware adds a location to a service on the first hardware.
func TestDecideElsewhere_GrowsOnTheNewestHardware(t *testing.T) {
	t.Parallel()
	primary := platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 1}
	there := primary
	r := platform.Request{APIVersion: "2020-12-01", Tier: platform.Premium, Units: 1, Old: &primary, Newest: newer}
	wishes, err := platform.DecideElsewhere(r, primary, []platform.Elsewhere{
		{Location: "eastus", Tier: platform.Premium, Units: 1, Old: &there}, {Location: "westus", Tier: platform.Premium, Units: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]platform.Hardware{}
	for _, w := range wishes {
		got[w.Location] = w.Wish.Hardware
	}
	if d := cmp.Diff(map[string]platform.Hardware{"eastus": {}, "westus": newer}, got); d != "" {
		t.Errorf("hardware by location (-want +got):\n%s", d)
	}
}

// TestNext_WalksToOtherHardware reads the record of a service that was made when there was one generation, which is left
// alone, moves it to newer hardware and back.
func TestNext_WalksToOtherHardware(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	wish := platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 1}
	calm(t, s, wish)
	if d := platform.Next(s.input()); !d.Done {
		t.Fatalf("before: step %q, waits for %q", d.Step, d.Wait)
	}
	was := s.state.Clone()
	for _, to := range []struct {
		hardware platform.Hardware
		version  platform.Version
	}{{newer, "stv2.1"}, {platform.Hardware{}, "stv2"}} {
		story := calm(t, s, wish.On(to.hardware))
		want := []string{
			"start machines stv2:2/3 | stv2",
			"serve on new machines stv2:3/3 | stv2",
			"drain machines stv2:2/2 | stv2",
			"remove drained machines stv2:2/2 | stv2",
			"start machines stv2:2/3 | stv2",
			"serve on new machines stv2:3/3 | stv2",
			"drain machines stv2:2/2 | stv2",
			"remove drained machines stv2:2/2 | stv2",
		}
		if d := cmp.Diff(want, story); d != "" {
			t.Errorf("to %s (-want +got):\n%s", to.version, d)
		}
		set := s.state.Set(s.state.Active)
		if set.ID != was.Active || s.state.VIPs[0].ID != was.VIPs[0].ID || set.Version() != to.version || set.Hardware() != to.hardware {
			t.Errorf("to %s: %+v, was %+v", to.version, s.state, was)
		}
	}
}

// TestNext_TurnsRoundWithoutAPause gives a move to newer hardware up in the pause after its first batch.
func TestNext_TurnsRoundWithoutAPause(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	wish := platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 3}
	calm(t, s, wish)
	s.pause = 10 * time.Minute
	s.want(wish.On(newer))
	for d := (platform.Decision{}); d.Wait != "the pause between two batches"; d = s.control() {
		s.calmly()
	}
	if on := s.hardware(); !cmp.Equal(on, map[platform.Hardware]int{{}: 5, newer: 1}) {
		t.Errorf("in the pause machines are on %v", on)
	}
	begun := s.now
	s.want(wish)
	for d := s.control(); !d.Done; d = s.control() {
		s.calmly()
	}
	if on := s.hardware(); !cmp.Equal(on, map[platform.Hardware]int{{}: 6}) || s.now.Sub(begun) >= s.pause {
		t.Errorf("%v after it was given up machines are on %v", s.now.Sub(begun), on)
	}
}

// hardware counts the machines of the active set by what they are on.
func (s *sim) hardware() map[platform.Hardware]int {
	n := map[platform.Hardware]int{}
	for _, m := range s.state.Set(s.state.Active).Machines {
		n[m.Hardware]++
	}
	return n
}
