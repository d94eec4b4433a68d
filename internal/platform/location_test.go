package platform_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/platform"
)

// spread is a service at several locations, each with a fabric of its own.
type spread struct {
	st     platform.ServiceStatus
	sims   map[string]*sim
	busy   bool                     // an operation is under way
	began  time.Time                // when it began
	before map[string]platform.Wish // that it replaces, by location; none where there was nothing
	seed   uint64
	faults bool
	down   []string // zones without power, everywhere
	curse  curse
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
	v.operate(t, func() { v.st.Want(primary, others) })
}

// upgrade starts an operation that gives all locations another version of the gateway.
func (v *spread) upgrade(t *rapid.T, version string) {
	v.operate(t, func() {
		v.st.Change(func(w platform.Wish) platform.Wish { w.Gateway = version; return w })
	})
}

// turnBack starts an operation that goes back to where the locations were moved from, if some were.
func (v *spread) turnBack(t *rapid.T) {
	v.giveUp()
	if st := v.st.Clone(); st.TurnBack(v.now()) == nil {
		v.operate(t, func() { v.st = st })
	}
}

// operate starts an operation.
func (v *spread) operate(t *rapid.T, change func()) {
	v.giveUp()
	v.curse = curse{rapid.SampledFrom([]string{"", "", crashes, hangs, refuses, lies}).Draw(t, "curse"), rapid.IntRange(1, 8).Draw(t, "odds")}
	v.before = map[string]platform.Wish{}
	for _, l := range v.st.Locations() {
		if !l.Wish.Gone && l.Wish.Tier != "" {
			v.before[l.Name] = l.Wish
		}
	}
	change()
	v.busy, v.began = true, v.now()
	v.follow()
}

func (v *spread) now() time.Time {
	if s := v.sims[v.st.Name]; s != nil {
		return s.now
	}
	return newSim(0, false).now
}

// follow tells the fabrics what the record says now.
func (v *spread) follow() {
	now := v.now()
	for _, l := range v.st.Locations() {
		if v.sims[l.Name] == nil {
			v.seed++
			v.sims[l.Name] = newSim(v.seed, v.faults)
			v.sims[l.Name].down = v.down
		}
		s := v.sims[l.Name]
		s.now = now // nothing passed here while it was not listed
		s.previous, s.deadline, s.curse, s.began = nil, 0, curse{}, time.Time{}
		if v.busy {
			s.previous, s.deadline, s.curse, s.began = l.Previous, deadline, v.curse, now
		}
		s.want(l.Wish)
	}
}

// power cuts the power of zones everywhere, and turns that of all others on.
func (v *spread) power(down []string) {
	v.down = down
	for _, s := range v.sims {
		s.power(down)
	}
}

// meets lets something happen to the service.
func (v *spread) meets(t *rapid.T, number int) {
	switch rapid.SampledFrom([]event{operates, operates, upgrades, cancels, turns, darkens}).Draw(t, "event") {
	case operates:
		v.want(t)
	case upgrades:
		v.upgrade(t, fmt.Sprint(number+2))
	case cancels:
		v.giveUp()
	case turns:
		v.turnBack(t)
	case darkens:
		v.power(rapid.SampledFrom([][]string{{"2"}, {"1", "3"}, nil}).Draw(t, "down"))
	}
}

// turn lets a second pass everywhere and takes a step at every location.
func (v *spread) turn() error {
	for _, l := range v.st.Locations() {
		v.sims[l.Name].tick()
	}
	_, err := v.control()
	return err
}

// control is one turn of the controller at all locations.
func (v *spread) control() ([]platform.Decision, error) {
	locations := v.st.Locations()
	all := v.st.NextAll(v.busy, func(i int) platform.Decision { return v.sims[locations[i].Name].decide() })
	failed := slices.ContainsFunc(all, func(d platform.Decision) bool { return d.Failed != nil })
	if failed && v.busy {
		v.giveUp()
		return all, v.wentBack()
	}
	if failed {
		return all, errors.New("a wish failed that is no operation")
	}
	if err := v.stay(all); err != nil {
		return all, err
	}
	reached, told := true, true
	for i, l := range locations {
		s, d := v.sims[l.Name], all[i]
		s.take(d)
		told = told && s.acted && d.Step == ""
		if d.Reached && d.Step == "" {
			s.settled()
		}
		if err := s.check(); err != nil {
			return all, fmt.Errorf("%s: %w\n%s", l.Name, err, strings.Join(s.story, "\n"))
		}
		l.Hosting = s.state
		reached = reached && d.Reached && d.Step == ""
	}
	v.conclude(reached, told)
	return all, nil
}

// conclude ends an operation that is reached or takes too long, and forgets what has left and every fabric knows to have.
func (v *spread) conclude(reached, told bool) {
	const longest = 5 * time.Minute
	switch {
	case v.busy && reached:
		v.busy = false
		v.st.Settle()
		v.heal()
	case v.busy && v.now().Sub(v.began) > longest:
		v.giveUp()
	}
	if !v.busy && told {
		v.st.Forget()
	}
}

func (v *spread) heal() {
	for _, s := range v.sims {
		s.end()
	}
}

// stay says whether an operation takes something from a location that leaves while another is not there yet.
func (v *spread) stay(all []platform.Decision) error {
	for i, l := range v.st.Locations() {
		for j, o := range v.st.Locations() {
			if v.busy && v.st.Leaves(l) && all[i].Step != "" && !v.st.Leaves(o) && !all[j].Reached {
				return fmt.Errorf("%s leaves with %q, and %s waits for %q", l.Name, all[i].Step, o.Name, all[j].Wait)
			}
		}
	}
	return nil
}

// giveUp ends the operation badly, if there is one.
func (v *spread) giveUp() {
	if v.busy {
		v.busy = false
		v.st.GoBack()
		v.follow()
		v.heal()
	}
}

// TestNext_ArrivesAtEveryLocation lets operations on a service at several locations end well and badly at any time, while
// zones lose their power and machines die, and checks that each location does what it alone would do, and that the record
// lists what was asked for in the end and nothing else.
func TestNext_ArrivesAtEveryLocation(t *testing.T) {
	property(t, 5, func(t *rapid.T) {
		v := newSpread(t)
		v.want(t)
		for i := range rapid.IntRange(1, 4).Draw(t, "events") {
			if i > 0 {
				v.meets(t, i)
			}
			v.pass(t, rapid.IntRange(0, 150).Draw(t, "seconds"))
		}
		for _, s := range v.sims {
			s.faults = false
		}
		v.faults = false
		v.power(nil)
		for range 3000 {
			v.pass(t, 1)
			if v.arrived() == nil {
				return
			}
		}
		t.Fatal(v.arrived())
	})
}

func newSpread(t *rapid.T) *spread {
	v := &spread{sims: map[string]*sim{}, seed: rapid.Uint64().Draw(t, "seed"), faults: rapid.Bool().Draw(t, "faults")}
	v.st.Name = "westeurope"
	return v
}

// pass lets seconds pass.
func (v *spread) pass(t *rapid.T, seconds int) {
	for range seconds {
		if err := v.turn(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForecast_IsWhatHappensAtEveryLocation foresees an operation at several locations and compares each step at each of
// them with what then happens.
func TestForecast_IsWhatHappensAtEveryLocation(t *testing.T) {
	property(t, 2, func(t *rapid.T) {
		v := newSpread(t)
		v.want(t)
		for i := range rapid.IntRange(0, 3).Draw(t, "events") {
			v.pass(t, rapid.IntRange(0, 100).Draw(t, "seconds"))
			v.meets(t, i)
		}
		v.calm()
		v.giveUp()
		v.want(t)
		v.curse = curse{}
		v.calm()
		want := map[string][]platform.ForecastStep{}
		for _, l := range v.st.Locations() {
			want[l.Name] = platform.Foresee(v.sims[l.Name].input(), l.Previous).Steps
		}
		if d := cmp.Diff(want, v.happens(t)); d != "" {
			t.Fatalf("the forecast differs (-forecast +happened):\n%s", d)
		}
	})
}

// calm gives everything power and lets it work that is recorded.
func (v *spread) calm() {
	v.power(nil)
	v.faults = false
	for _, s := range v.sims {
		s.faults, s.deadline, s.curse = false, 0, curse{}
		s.act()
		s.calmly()
	}
}

// happens lets calm fabrics carry an operation out to its end, and tells the steps of each location like forecasts.
func (v *spread) happens(t *rapid.T) map[string][]platform.ForecastStep {
	stories, at := map[string][]platform.ForecastStep{}, map[string]time.Time{}
	for _, l := range v.st.Locations() {
		stories[l.Name] = []platform.ForecastStep{}
	}
	for range 2000 {
		due, stepped := time.Time{}, false
		var names []string
		for _, l := range v.st.Locations() {
			s := v.sims[l.Name]
			s.works()
			if n := len(stories[l.Name]); n > 0 {
				stories[l.Name][n-1].Reached = platform.Next(s.input()).Reached
			}
			names = append(names, l.Name)
		}
		all, err := v.control()
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range all {
			name := names[i]
			if d.Step != "" {
				stories[name] = append(stories[name], v.sims[name].told(d.Step, at[name]))
				at[name], stepped = time.Time{}, true
			}
			if d.Due.After(v.now()) && (due.IsZero() || d.Due.Before(due)) {
				due = d.Due
			}
		}
		switch {
		case stepped:
		case due.IsZero():
			return stories
		default:
			for i, d := range all {
				v.sims[names[i]].now = due
				if d.Due.Equal(due) {
					at[names[i]] = due
				}
			}
		}
	}
	t.Fatal("no end")
	return nil
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
