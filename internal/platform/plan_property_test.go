package platform_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/platform"
)

// rounds is how many times each property runs rapid's number of cases (100 unless told otherwise): 2,400 cases in a
// normal run of the two properties. PORTICO_PROPERTY_ROUNDS asks for more.
func rounds(t *testing.T) int {
	if s := os.Getenv("PORTICO_PROPERTY_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("PORTICO_PROPERTY_ROUNDS=%q: %v", s, err)
		}
		return n
	}
	return 12
}

// drawWish makes any wish that Decide could make.
func drawWish(t *rapid.T) platform.Wish {
	if rapid.IntRange(0, 15).Draw(t, "gone") == 0 {
		return platform.Wish{Gone: true}
	}
	tier := rapid.SampledFrom([]platform.Tier{platform.Developer, platform.Basic, platform.Standard, platform.Premium, platform.Premium, platform.StandardV2, platform.PremiumV2}).Draw(t, "tier")
	w := platform.Wish{
		Tier: tier, Units: rapid.IntRange(1, min(6, tier.Facts().MaxUnits)).Draw(t, "units"),
		Platform: rapid.SampledFrom([]platform.Version{platform.STv1, platform.STv2, platform.STv2}).Draw(t, "platform"),
		Address:  rapid.SampledFrom([]platform.AddressMode{"", platform.PreserveIP, platform.NewIP}).Draw(t, "address"),
	}
	if len(tier.Facts().Platforms) == 1 {
		w.Platform = tier.Facts().Platforms[0]
	}
	if tier.Facts().Zones && w.Platform != platform.STv1 {
		w.Zones = rapid.SampledFrom([][]string{nil, {"1"}, {"1", "3"}, {"1", "2", "3"}}).Draw(t, "zones")
		if n := len(w.Zones); n > 0 {
			w.Units = (w.Units + n - 1) / n * n
		}
	}
	return w
}

// TestNext_Arrives lets wishes come at any time, without and with crashes of machines and of the controller, and checks
// every second that nothing forbidden holds and at the end that the last wish does.
func TestNext_Arrives(t *testing.T) {
	t.Parallel()
	for _, faults := range []bool{false, true} {
		for range rounds(t) {
			t.Run("faults="+strconv.FormatBool(faults), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(t *rapid.T) { arrives(t, faults) })
			})
		}
	}
}

func arrives(t *rapid.T, faults bool) {
	s := newSim(rapid.Uint64().Draw(t, "seed"), faults)
	turn := func() platform.Decision {
		s.tick()
		d := s.control()
		if d.Reached && d.Step == "" {
			s.settled()
		}
		if err := s.check(); err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(s.story, "\n"))
		}
		return d
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "wishes") {
		s.want(drawWish(t))
		if rapid.IntRange(0, 3).Draw(t, "upgrade") == 0 {
			s.upgrade(strconv.Itoa(i + 2))
		}
		for range rapid.IntRange(0, 120).Draw(t, "seconds") {
			turn()
		}
	}
	s.faults = false
	for range 3000 {
		if d := turn(); d.Done && s.acted {
			if err := s.arrived(); err == nil {
				return
			}
		}
	}
	t.Fatalf("did not arrive: %v; waits for %q\n%s", s.arrived(), platform.Next(s.input()).Wait, strings.Join(s.story, "\n"))
}

// TestNext_SettlesWithoutNewObservations asks again and again with the same observation: after a few steps there is
// nothing more to do, and a waiting planner changes nothing.
func TestNext_SettlesWithoutNewObservations(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(rapid.Uint64().Draw(t, "seed"), false)
		for range rapid.IntRange(1, 3).Draw(t, "wishes") {
			s.want(drawWish(t))
			for range rapid.IntRange(0, 60).Draw(t, "seconds") {
				s.tick()
				s.control()
			}
		}
		in := s.input()
		for range 10 {
			d := platform.Next(in)
			if d.Step == "" {
				if diff := cmp.Diff(in.State, d.State); diff != "" {
					t.Fatalf("waiting changed the state:\n%s", diff)
				}
				return
			}
			in.State = d.State
		}
		t.Fatalf("still stepping: %+v", in.State)
	})
}
