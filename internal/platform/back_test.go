package platform_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
)

// TestWayBack_TellsTheStory migrates, goes back within the window, and on again.
func TestWayBack_TellsTheStory(t *testing.T) {
	t.Parallel()
	v1 := platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 1}
	for _, tt := range []struct {
		name string
		to   platform.Wish
		want []string
	}{
		{"the address stays", platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 1}, []string{
			"open the new set stv1:2/2 stv2:2/2 | stv2+stv1",
			"route to the new set stv1:2/2 stv2:2/2 | stv1",
			"park the old set stv1:2/2 stv2:0/2 | stv1",
			"end the coexistence stv1:2/2 stv2:0/2 | stv1",
			"drain machines stv1:2/2 stv2:0/0 | stv1",
			"remove drained machines stv1:2/2 | stv1",
		}},
		{"a new address", platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 1, Address: platform.NewIP, Hardware: newer}, []string{
			"route to the new set stv1:2/2 stv2:2/2 | stv1 stv2",
			"end the coexistence stv1:2/2 stv2:2/2 | stv1 stv2",
			"take old sets off the addresses stv1:2/2 stv2:2/2 | stv1 -",
			"remove drained machines stv1:2/2 stv2:2/2 | stv1",
			"drain machines stv1:2/2 stv2:0/0 | stv1",
			"remove drained machines stv1:2/2 | stv1",
		}},
		{"other zones", platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 1, Zones: []string{"1", "2"}, Address: platform.NewIP}, []string{
			"route to the new set stv1:2/2 stv2:2/2 | stv1 stv2",
			"end the coexistence stv1:2/2 stv2:2/2 | stv1 stv2",
			"take old sets off the addresses stv1:2/2 stv2:2/2 | stv1 -",
			"remove drained machines stv1:2/2 stv2:2/2 | stv1",
			"drain machines stv1:2/2 stv2:0/0 | stv1",
			"remove drained machines stv1:2/2 | stv1",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSim(1, false)
			calm(t, s, v1)
			vip := s.state.VIPs[0].ID
			if _, err := s.wayBack(); err == nil || err.Code != platform.CodeNoWayBack {
				t.Errorf("before anything moved: %v", err)
			}
			reach(t, s, tt.to)
			back, err := s.wayBack()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, calm(t, s, back)); d != "" {
				t.Errorf("story differs (-want +got):\n%s", d)
			}
			if s.state.VIPs[0].ID != vip {
				t.Errorf("the address is another one: %+v", s.state.VIPs)
			}
			if _, err := s.wayBack(); err == nil {
				t.Error("there is a way back after the window")
			}
		})
	}
}

// wayBack is the wish that leads back now.
func (s *sim) wayBack() (platform.Wish, *arm.Error) {
	st := platform.ServiceStatus{Location: platform.Location{Wish: s.wish, Hosting: s.state}}
	err := st.TurnBack(s.now)
	return st.Wish, err
}

// reach runs the planner until the wish holds, and the old set is kept.
func reach(t *testing.T, s *sim, w platform.Wish) {
	t.Helper()
	s.want(w)
	for range 100 {
		s.calmly()
		if d := s.control(); d.Reached && d.Step == "" {
			return
		}
	}
	t.Fatal("the wish is not reached")
}

func TestScenario_IsTheOneOfTheDocuments(t *testing.T) {
	t.Parallel()
	v1 := platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 2}
	wish := func(v platform.Version, a platform.AddressMode, zones ...string) platform.Wish {
		return platform.Wish{Platform: v, Tier: platform.Premium, Units: 2, Address: a, Zones: zones}
	}
	in := func(w platform.Wish, m platform.NetworkMode) platform.Wish {
		w.Injection = &platform.Injection{ID: string(m), Mode: m}
		return w
	}
	at := func(w platform.Wish, subnet string) platform.Wish {
		w.Injection.ID, w.Injection.Subnet = subnet, subnet
		return w
	}
	for _, tt := range []struct {
		old, wish platform.Wish
		want      int
		keeps     bool
	}{
		{v1, wish(platform.STv2, platform.PreserveIP), 1, true},
		{v1, wish(platform.STv2, ""), 1, true},
		{v1, wish(platform.STv2, platform.NewIP), 2, false},
		{v1, wish(platform.STv2, platform.NewIP, "1", "2"), 9, false},
		{wish(platform.STv2, "", "1", "2"), wish(platform.STv2, platform.NewIP), 9, false},
		{in(v1, platform.External), in(wish(platform.STv2, ""), platform.External), 3, true},
		{in(v1, platform.External), in(wish(platform.STv2, platform.NewIP), platform.External), 4, false},
		{in(v1, platform.Internal), in(wish(platform.STv2, ""), platform.Internal), 5, true},
		{in(v1, platform.Internal), in(wish(platform.STv2, platform.NewIP), platform.Internal), 6, false},
		{in(v1, platform.Internal), in(wish(platform.STv2, platform.NewIP), platform.External), 7, false},
		{in(wish(platform.STv2, ""), platform.External), in(wish(platform.STv2, platform.NewIP), platform.Internal), 0, false},
		{at(in(wish(platform.STv2, ""), platform.External), "a"), at(in(wish(platform.STv2, platform.NewIP), platform.External), "b"), 10, false},
		{at(in(v1, platform.External), "a"), at(in(wish(platform.STv2, platform.NewIP), platform.External), "b"), 7, false},
	} {
		if s, ok := platform.ScenarioOf(tt.old, tt.wish); !ok || s.Number != tt.want || s.KeepsIP != tt.keeps {
			t.Errorf("from %+v to %+v: scenario %d (%s), address kept %v", tt.old, tt.wish, s.Number, s.Name, s.KeepsIP)
		}
	}
	if s, ok := platform.ScenarioOf(v1, platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 3}); ok {
		t.Errorf("scaling is scenario %d", s.Number)
	}
}
