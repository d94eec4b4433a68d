package platform_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/platform"
)

// TestForecast_IsWhatHappens foresees any change from any state that others have led to, and compares each step, and what
// holds after it, with what a fabric then sees on which everything works that has power.
func TestForecast_IsWhatHappens(t *testing.T) {
	property(t, 8, func(t *rapid.T) {
		draw := drawWish
		if rapid.IntRange(0, 9).Draw(t, "pool") == 0 {
			draw = drawPool
		}
		s := newSim(rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "faults"))
		s.pause = time.Duration(rapid.IntRange(0, 8).Draw(t, "pause")) * time.Second
		for i := range rapid.IntRange(0, 4).Draw(t, "events") {
			s.meets(t, draw, i)
			for range rapid.IntRange(0, 80).Draw(t, "seconds") {
				s.turn(t)
			}
		}
		was := s.wish
		s.meets(t, draw, 9)
		s.end()
		s.faults = false
		s.act() // what is recorded is what a forecast takes for granted
		s.calmly()
		steps, end := platform.Forecast(s.input()), platform.Outlook{}
		if s.wish.Platform != platform.MTv1 {
			end = platform.Foresee(s.input(), &was)
			steps = end.Steps
		}
		if d := cmp.Diff(steps, happens(t, s)); d != "" {
			t.Fatalf("from %+v to %+v: the forecast differs (-forecast +happened):\n%s", was, s.wish, d)
		}
		s.foreseen(t, steps, end)
	})
}

// foreseen compares the end of a forecast with what is there.
func (s *sim) foreseen(t *rapid.T, steps []platform.ForecastStep, end platform.Outlook) {
	there := platform.Next(s.input()).Reached
	if reached := slices.ContainsFunc(steps, func(f platform.ForecastStep) bool { return f.Reached }); len(steps) > 0 && reached != there {
		t.Errorf("the forecast of %+v reaches it: %v; reached: %v", s.wish, reached, there)
	}
	if there == slices.ContainsFunc(s.homes(), func(z string) bool { return !s.wish.Gone && slices.Contains(s.down, z) }) {
		t.Errorf("%+v is reached: %v; zones without power: %v", s.wish, there, s.down)
	}
	if s.wish.Platform == platform.MTv1 {
		return
	}
	if waits := end.WaitsFor != ""; waits == there {
		t.Errorf("%+v is reached: %v; waits for %q", s.wish, there, end.WaitsFor)
	}
	if !there {
		return
	}
	if n := len(end.AddressesAfter); s.wish.Gone != (n == 0) || n > 1 {
		t.Errorf("addresses after %+v: %v", s.wish, end.AddressesAfter)
	}
	if !s.wish.Gone && end.After != shown(s.wish) {
		t.Errorf("after %+v the service is on %s", s.wish, end.After)
	}
}

// happens lets a calm fabric carry out the wish of a sim to its end, and tells each step like a forecast.
func happens(t *rapid.T, s *sim) []platform.ForecastStep {
	story := []platform.ForecastStep{}
	var at time.Time
	for range 1000 {
		s.works()
		if n := len(story); n > 0 {
			story[n-1].Reached = platform.Next(s.input()).Reached
		}
		switch d := s.control(); {
		case d.Step != "":
			story = append(story, s.told(d.Step, at))
			at = time.Time{}
		case d.Due.After(s.now):
			s.now, at = d.Due, d.Due
		default:
			return story
		}
	}
	t.Fatalf("no end: %v", s.story)
	return nil
}

// shown is the platform version that the wire has for a wish that holds.
func shown(w platform.Wish) platform.Version {
	if w.Platform == platform.STv2 && w.Hardware.Newer() {
		return "stv2.1"
	}
	return w.Platform
}

// works lets everything happen at once that is recorded, where there is power.
func (s *sim) works() {
	for id, m := range s.machines {
		switch {
		case m.spec.Mode == platform.Draining:
			delete(s.machines, id)
		case s.dark(m):
			m.phase = platform.Exited
		default:
			m.phase, m.mode, m.seq, m.since = platform.Ready, m.spec.Mode, s.seq, s.now
		}
	}
	s.routes = maps.Clone(s.leading)
}

// told is the record of a sim after a step, counted here once more.
func (s *sim) told(step string, at time.Time) platform.ForecastStep {
	f := platform.ForecastStep{Step: step, Platform: platform.Undetermined, VIPs: len(s.state.VIPs), At: at}
	for _, set := range s.state.Sets {
		version := set.Platform
		if len(set.Machines) > 0 && !slices.ContainsFunc(set.Machines, func(m platform.Machine) bool { return m.Hardware != newer }) {
			version = "stv2.1"
		}
		f.Sets = append(f.Sets, string(version))
		if set.ID == s.state.Active {
			f.Platform = version
		}
		for _, m := range set.Machines {
			if m.Mode != platform.Draining {
				f.Machines++
			}
			if m.Mode == platform.Serving {
				f.Serving++
				if len(s.state.VIPs) > 0 && slices.Contains(s.state.VIPs[0].Sets, set.ID) {
					f.Accepting++
				}
			}
		}
	}
	return f
}

func TestForesee_SaysWhatCallersNotice(t *testing.T) {
	t.Parallel()
	wish := func(v platform.Version, tier platform.Tier, units int, zones ...string) platform.Wish {
		return platform.Wish{Platform: v, Tier: tier, Units: units, Zones: zones}
	}
	dev := wish(platform.STv1, platform.Developer, 1)
	preserve, fresh := wish(platform.STv2, platform.Developer, 1), wish(platform.STv2, platform.Developer, 1)
	fresh.Address = platform.NewIP
	renewed := dev
	renewed.Renewal = "2"
	for _, tt := range []struct {
		name     string
		from, to platform.Wish
		upgrade  bool
		downtime platform.Downtime
		scenario int
		before   int // addresses
		after    []string
		kept     bool
	}{
		{"preserve the address", dev, preserve, false, platform.None, 1, 1, []string{"10.0.0.x3"}, false},
		{"a new address", dev, fresh, false, platform.None, 2, 1, []string{""}, true},
		{"other zones", wish(platform.STv2, platform.Premium, 2), wish(platform.STv2, platform.Premium, 2, "1", "2"), false, platform.None, 9, 1, []string{""}, true},
		{"scale out", wish(platform.STv1, platform.Basic, 1), wish(platform.STv1, platform.Basic, 2), false, platform.None, 0, 1, []string{"10.0.0.x4"}, false},
		{"upgrade Developer on stv1", dev, dev, true, platform.Waits, 0, 1, []string{"10.0.0.x3"}, false},
		{"Developer to Basic on stv1", dev, wish(platform.STv1, platform.Basic, 1), false, platform.Waits, 0, 1, []string{"10.0.0.x3"}, false},
		{"Basic to Developer on stv1", wish(platform.STv1, platform.Basic, 1), dev, false, platform.Waits, 0, 1, []string{"10.0.0.x4"}, false},
		{"Developer to Basic on stv2", preserve, wish(platform.STv2, platform.Basic, 1), false, platform.None, 0, 1, []string{"10.0.0.x3"}, false},
		{"another name of Developer on stv1", dev, renewed, false, platform.Waits, 0, 1, []string{"10.0.0.x3"}, false},
		{"upgrade Standard on stv1", wish(platform.STv1, platform.Standard, 1), wish(platform.STv1, platform.Standard, 1), true, platform.Reduced, 0, 1, []string{"10.0.0.x4"}, false},
		{"upgrade on stv2", preserve, preserve, true, platform.None, 0, 1, []string{"10.0.0.x3"}, false},
		{"delete", dev, platform.Wish{Gone: true}, false, platform.Ends, 0, 1, []string{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSim(1, false)
			calm(t, s, tt.from)
			if tt.upgrade {
				s.upgrade("2")
			}
			in := s.input()
			in.Wish = tt.to
			o := platform.Foresee(in, &tt.from)
			got := []any{o.Downtime, o.Scenario, len(o.AddressesBefore), o.AddressesAfter, o.Kept != ""}
			if d := cmp.Diff([]any{tt.downtime, tt.scenario, tt.before, tt.after, tt.kept}, got); d != "" {
				t.Errorf("outlook differs (-want +got):\n%s", d)
			}
		})
	}
	o := platform.Foresee(platform.Input{Wish: platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption}}, nil)
	if o.Before != platform.Undetermined || o.After != platform.MTv1 || o.Downtime != platform.None {
		t.Errorf("a Consumption service: %+v", o)
	}
}
