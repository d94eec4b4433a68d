package platform_test

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/platform"
)

// cases is how many cases all properties of the planner run together: a few in a short run, PORTICO_PROPERTY_CASES when
// it says so.
func cases(t *testing.T) int {
	s := os.Getenv("PORTICO_PROPERTY_CASES")
	if s == "" {
		if testing.Short() {
			return 2_500
		}
		return 12_000
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("PORTICO_PROPERTY_CASES=%q: %v", s, err)
	}
	return n
}

// property runs a share of the cases, in percent, in parallel batches of rapid's number of checks.
func property(t *testing.T, share int, f func(*rapid.T)) {
	t.Parallel()
	const batch = 100 // of rapid, unless its flag says otherwise
	for i := range max(1, cases(t)*share/100/batch) {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, f)
		})
	}
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
	if tier == platform.Developer {
		w.Renewal = rapid.SampledFrom([]string{"", "", "2"}).Draw(t, "renewal")
	}
	if len(tier.Facts().Platforms) == 1 {
		w.Platform = tier.Facts().Platforms[0]
	}
	w = w.On(drawHardware(t))
	if tier.Facts().VNet {
		w.Injection = rapid.SampledFrom([]*platform.Injection{nil, nil, {ID: "n1", Mode: platform.External, Address: "198.18.0.1"}, {ID: "n2", Mode: platform.Internal}}).Draw(t, "injection")
	}
	if tier.Facts().Zones && w.Platform != platform.STv1 {
		w.Zones = rapid.SampledFrom([][]string{nil, {"1"}, {"1", "3"}, {"1", "2", "3"}}).Draw(t, "zones")
		if n := len(w.Zones); n > 0 {
			w.Units = (w.Units + n - 1) / n * n
		}
	}
	return w
}

func drawHardware(t *rapid.T) platform.Hardware {
	return rapid.SampledFrom([]platform.Hardware{{}, {}, newer}).Draw(t, "hardware")
}

// drawPool makes any wish for the pool of a location.
func drawPool(t *rapid.T) platform.Wish {
	return platform.Wish{
		Platform: platform.MTv1, Tier: platform.Consumption, Units: rapid.IntRange(1, 5).Draw(t, "units"),
		Gone: rapid.IntRange(0, 7).Draw(t, "gone") == 0,
	}
}

// TestNext_Arrives lets wishes come at any time and checks every second that nothing forbidden holds, and at the end that
// the last wish does.
func TestNext_Arrives(t *testing.T) {
	property(t, 28, func(t *rapid.T) { arrives(t, drawWish, false) })
}

// TestNext_ArrivesInSpiteOfCrashes does so while machines die, some for good, and the controller does.
func TestNext_ArrivesInSpiteOfCrashes(t *testing.T) {
	property(t, 35, func(t *rapid.T) { arrives(t, drawWish, true) })
}

// TestNext_PoolArrives does so with the pool of a location.
func TestNext_PoolArrives(t *testing.T) {
	property(t, 8, func(t *rapid.T) { arrives(t, drawPool, rapid.Bool().Draw(t, "faults")) })
}

func arrives(t *rapid.T, draw func(*rapid.T) platform.Wish, faults bool) {
	s := newSim(rapid.Uint64().Draw(t, "seed"), faults)
	s.pause = time.Duration(rapid.IntRange(0, 8).Draw(t, "pause")) * time.Second
	s.want(draw(t))
	for i := range rapid.IntRange(1, 6).Draw(t, "events") {
		if i > 0 {
			s.meets(t, draw, i)
		}
		for range rapid.IntRange(0, 120).Draw(t, "seconds") {
			s.turn(t)
		}
	}
	s.arrives(t)
}

// turn lets a second pass and checks what must never be.
func (s *sim) turn(t *rapid.T) platform.Decision {
	s.tick()
	d := s.control()
	if d.Reached && d.Step == "" {
		s.settled()
	}
	if err := errors.Join(s.check(), s.conclude(d)); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(s.story, "\n"))
	}
	return d
}

// arrives lets time pass without faults until nothing is left to do, and checks that the last wish holds: in the zones
// that have power, unless it asks for others, and then in all of them.
func (s *sim) arrives(t *rapid.T) {
	s.faults = false
	if len(s.down) > 0 {
		s.rests(t)
		s.power(nil)
	}
	s.rests(t)
}

// rests lets time pass until the wish holds, or waits for power.
func (s *sim) rests(t *rapid.T) {
	for range 3000 {
		d := s.turn(t)
		if s.deadline > 0 {
			continue
		}
		if d.Done && s.acted && s.arrived() == nil || slices.ContainsFunc(s.homes(), func(z string) bool { return slices.Contains(s.down, z) }) {
			return
		}
	}
	t.Fatalf("did not arrive: %v; waits for %q\n%s", s.arrived(), platform.Next(s.input()).Wait, strings.Join(s.story, "\n"))
}

// TestNext_KeepsServicesApart lets several services come, move and go on one host that gives addresses again: no address
// is ever two services', and none leads to machines of another.
func TestNext_KeepsServicesApart(t *testing.T) {
	property(t, 4, func(t *rapid.T) {
		pool := &addressPool{taken: map[string]string{}}
		var all []*sim
		for range 3 {
			s := newSim(rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "faults"))
			s.pool = pool
			all = append(all, s)
		}
		for _, s := range all {
			s.want(drawWish(t))
		}
		for i := range rapid.IntRange(1, 5).Draw(t, "events") {
			all[rapid.IntRange(0, len(all)-1).Draw(t, "service")].meets(t, drawWish, i)
			for range rapid.IntRange(0, 60).Draw(t, "seconds") {
				for _, s := range all {
					s.turn(t)
				}
				apart(t, all)
			}
		}
		for _, s := range all {
			s.arrives(t)
		}
		apart(t, all)
	})
}

func apart(t *rapid.T, all []*sim) {
	owner := map[string]int{}
	for i, s := range all {
		for _, v := range s.state.VIPs {
			if other, ok := owner[v.Address]; ok && v.Address != "" {
				t.Fatalf("services %d and %d have address %s", other, i, v.Address)
			}
			owner[v.Address] = i
		}
		for vip, sets := range s.routes {
			for _, set := range sets {
				if slices.ContainsFunc(all, func(o *sim) bool { return o != s && o.state.Set(set) != nil }) {
					t.Fatalf("VIP %s of service %d leads to machines of another", vip, i)
				}
			}
		}
	}
}

// TestNext_IsTheSameAfterACrash breaks the acts of a step off anywhere and has them done again: the fabric is as if they
// had been done once, and whoever asks then is told what the one who died was.
func TestNext_IsTheSameAfterACrash(t *testing.T) {
	property(t, 8, func(t *rapid.T) {
		s := newSim(rapid.Uint64().Draw(t, "seed"), false)
		s.want(drawWish(t))
		for i := range rapid.IntRange(1, 3).Draw(t, "events") {
			for range rapid.IntRange(0, 40).Draw(t, "seconds") {
				s.turn(t)
			}
			s.meets(t, drawWish, i)
		}
		for range rapid.IntRange(1, 10).Draw(t, "steps") {
			s.tick()
			d := platform.Next(s.input())
			if d.Step == "" {
				continue
			}
			if again := platform.Next(s.clone().input()); !cmp.Equal(d.Step, again.Step) {
				t.Fatalf("asked again: %q, was %q", again.Step, d.Step)
			}
			s.state = d.State
			died := s.clone()
			n := len(died.acts())
			for _, act := range died.acts()[:rapid.IntRange(0, n).Draw(t, "acts")] {
				act()
			}
			s.act()
			died.act()
			if diff := cmp.Diff(s.fabric(), died.fabric()); diff != "" {
				t.Fatalf("after a crash in %q the fabric differs (-without +with):\n%s", d.Step, diff)
			}
			if a, b := platform.Next(s.clone().input()), platform.Next(died.clone().input()); a.Step != b.Step || a.Wait != b.Wait {
				t.Fatalf("after a crash in %q the next step is %q %q, would be %q %q", d.Step, b.Step, b.Wait, a.Step, a.Wait)
			}
		}
	})
}

// clone copies a sim; both have the same future as long as no chance is involved.
func (s *sim) clone() *sim {
	c := *s
	c.state, c.routes, c.listed, c.story = s.state.Clone(), maps.Clone(s.routes), maps.Clone(s.listed), slices.Clone(s.story)
	c.leading = maps.Clone(s.leading)
	c.machines = map[string]*simMachine{}
	for id, m := range s.machines {
		copied := *m
		c.machines[id] = &copied
	}
	return &c
}

// fabric is what a sim's fabric holds, and what it told of addresses.
func (s *sim) fabric() map[string]any {
	out := map[string]any{"state": s.state.Clone(), "routes": s.routes, "leading": s.leading}
	for id, m := range s.machines {
		out[id] = []any{m.spec, m.set, m.phase, m.mode}
	}
	return out
}

// TestNext_SettlesWithoutNewObservations asks again and again with the same observation: after a few steps there is
// nothing more to do, and a waiting planner changes nothing.
func TestNext_SettlesWithoutNewObservations(t *testing.T) {
	property(t, 2, func(t *rapid.T) {
		s := newSim(rapid.Uint64().Draw(t, "seed"), false)
		s.want(drawWish(t))
		for i := range rapid.IntRange(1, 3).Draw(t, "events") {
			for range rapid.IntRange(0, 60).Draw(t, "seconds") {
				s.turn(t)
			}
			s.meets(t, drawWish, i)
		}
		in := s.input()
		for range 60 { // what is dead goes one by one
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
