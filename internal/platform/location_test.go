package platform_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/platform"
)

// spread is a service at several locations, each with a fabric of its own.
type spread struct {
	st     platform.ServiceStatus
	sims   map[string]*sim
	busy   bool                     // an operation is under way
	before map[string]platform.Wish // that it replaces, by location; none where there was nothing
	seed   uint64
}

// locationNames are those that a spread service may be at besides its primary one.
var locationNames = []string{"eastus", "northeurope", "westus"}

// want starts an operation that gives every location a wish.
func (v *spread) want(t *rapid.T) {
	primary, others := drawWish(t), []platform.LocationWish{}
	for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(locationNames), func(s string) string { return s }).Draw(t, "others") {
		if w := drawWish(t); !w.Gone {
			others = append(others, platform.LocationWish{Location: name, Wish: w})
		}
	}
	v.before = map[string]platform.Wish{}
	for _, l := range v.st.Locations() {
		if !l.Wish.Gone && l.Wish.Tier != "" {
			v.before[l.Name] = l.Wish
		}
	}
	v.st.Want(primary, others)
	v.busy = true
	v.follow()
}

// follow tells the fabrics what the record says now.
func (v *spread) follow() {
	for _, l := range v.st.Locations() {
		if v.sims[l.Name] == nil {
			v.seed++
			v.sims[l.Name] = newSim(v.seed, false)
		}
		s := v.sims[l.Name]
		s.previous = l.Previous
		s.want(l.Wish)
	}
}

// turn lets a second pass everywhere and takes a step at every location.
func (v *spread) turn() error {
	reached := true
	for _, l := range v.st.Locations() {
		s := v.sims[l.Name]
		s.tick()
		d := s.control()
		if d.Reached && d.Step == "" {
			s.settled()
		}
		if err := s.check(); err != nil {
			return fmt.Errorf("%s: %w\n%s", l.Name, err, strings.Join(s.story, "\n"))
		}
		l.Hosting = s.state
		reached = reached && d.Reached && d.Step == ""
	}
	if v.busy && reached {
		v.busy = false
		v.st.Settle()
	}
	if !v.busy {
		v.st.Forget()
	}
	return nil
}

// giveUp ends the operation badly.
func (v *spread) giveUp() {
	v.busy = false
	v.st.GoBack()
	v.follow()
}

// TestLocations_Arrive lets operations on a service at several locations end well and badly at any time, and checks that
// each location does what it alone would do, and that the record lists what was asked for in the end and nothing else.
func TestLocations_Arrive(t *testing.T) {
	property(t, 8, func(t *rapid.T) {
		v := &spread{sims: map[string]*sim{}, seed: rapid.Uint64().Draw(t, "seed")}
		v.st.Name = "westeurope"
		for range rapid.IntRange(1, 4).Draw(t, "operations") {
			if v.busy {
				v.giveUp()
				if err := v.wentBack(); err != nil {
					t.Fatal(err)
				}
			}
			v.want(t)
			for range rapid.IntRange(0, 150).Draw(t, "seconds") {
				if err := v.turn(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 3000 {
			if err := v.turn(); err != nil {
				t.Fatal(err)
			}
			if v.arrived() == nil {
				return
			}
		}
		t.Fatal(v.arrived())
	})
}

// wentBack says whether every location wishes what it wished before the operation that failed.
func (v *spread) wentBack() error {
	for _, l := range v.st.Locations() {
		if was, had := v.before[l.Name]; l.Previous != nil || had && !reflect.DeepEqual(was, l.Wish) || !had && !l.Wish.Gone {
			return fmt.Errorf("%s went back to %+v, was %+v", l.Name, l.Wish, was)
		}
	}
	return nil
}

// arrived says whether every location is what the record wishes, and no additional one is gone and still on it.
func (v *spread) arrived() error {
	if v.busy {
		return fmt.Errorf("the operation is still under way")
	}
	listed := map[string]bool{}
	for i, l := range v.st.Locations() {
		listed[l.Name] = true
		if i > 0 && l.Wish.Gone {
			return fmt.Errorf("%s is gone and still listed", l.Name)
		}
		if err := v.sims[l.Name].arrived(); err != nil {
			return fmt.Errorf("%s: %w", l.Name, err)
		}
	}
	for name, s := range v.sims {
		if !listed[name] && (!s.state.Empty() || len(s.machines) > 0) {
			return fmt.Errorf("%s is listed no longer and has %+v", name, s.state)
		}
	}
	return nil
}
