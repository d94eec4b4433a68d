package platform

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// walk brings the machines of the target to what the wish needs.
func (p *plan) walk() string {
	s := p.target
	if s == nil {
		return ""
	}
	if step := p.promote(s); step != "" {
		return step
	}
	if p.giveUp(s) {
		return StepRepair
	}
	if p.profile.Surge {
		return p.walkSurge(s)
	}
	return p.walkInPlace(s)
}

// promote lets parked machines of an open set serve once they are fit.
func (p *plan) promote(s *Set) string {
	if !p.open(s) {
		return ""
	}
	step := ""
	for i, m := range s.Machines {
		if m.Mode == Parked && p.fit(s, m) {
			s.Machines[i].Mode = Serving
			step = StepServe
		}
	}
	if step != "" && p.Pause > 0 && p.profile.Surge && p.replacing(s, p.tally(s)) > 0 {
		s.Batch = Batch{p.gateway, p.Wish.Hardware, p.Clock}
	}
	return step
}

// open says whether the machines of a set are meant to serve.
func (p *plan) open(s *Set) bool {
	return s.ID == p.state.Active || slices.ContainsFunc(p.state.VIPs, func(v VIP) bool { return slices.Contains(v.Sets, s.ID) })
}

// tally is a set seen by its machines. Indexes point into Set.Machines.
type tally struct {
	good, bad []int          // listed and not draining; bad ones are of the wrong version or hardware, misplaced or given up
	draining  int            // still there
	live      int            // of good and bad, those that serve, or could
	right     map[string]int // good machines by zone
	all       map[string]int // good and bad machines by zone
}

func (p *plan) tally(s *Set) tally {
	t := tally{right: map[string]int{}, all: map[string]int{}}
	for i, m := range s.Machines {
		if m.Mode == Draining {
			t.draining++
			continue
		}
		if p.ready(s, m) {
			t.live++
		}
		t.all[m.Zone]++
		if p.right(m) {
			t.good = append(t.good, i)
			t.right[m.Zone]++
		} else {
			t.bad = append(t.bad, i)
		}
	}
	return t
}

// ready says whether a machine counts as capacity: in an open set only machines that serve do.
func (p *plan) ready(s *Set, m Machine) bool {
	return p.live(m) && (m.Mode == Serving || !p.open(s))
}

// walkSurge adds new machines beside the old, and drains old ones while enough others are live.
func (p *plan) walkSurge(s *Set) string {
	t := p.tally(s)
	if p.addBeside(s, t) {
		return StepStart
	}
	if p.drainOver(s, &t) {
		return StepDrain
	}
	if p.succeed(s, t) || p.detour(s, t) || p.rebalance(s, t) {
		return StepStart
	}
	p.waitFor(s, t)
	return ""
}

// addBeside adds the machines that are missing, up to the surge ceiling, where they are missing most.
func (p *plan) addBeside(s *Set, t tally) bool {
	missing := p.need - len(t.good)
	if old := p.replacing(s, t); old > 0 && !p.mayReplace(s, t) {
		missing -= old
	}
	room := p.need + p.profile.batch(p.need) - len(t.good) - len(t.bad)
	added := false
	for range min(missing, room) {
		zone, ok := p.emptiest(t)
		if !ok {
			break
		}
		p.add(s, zone)
		t.right[zone]++
		t.all[zone]++
		added = true
	}
	return added
}

// emptiest is the zone with the fewest good machines, of equals the one with the fewest of all, if one more there keeps
// the zones even.
func (p *plan) emptiest(t tally) (string, bool) {
	zone := slices.MinFunc(p.zones, func(a, b string) int {
		return cmp.Or(cmp.Compare(t.right[a], t.right[b]), cmp.Compare(t.all[a], t.all[b]))
	})
	return zone, p.even(t.all, zone, +1)
}

// even says whether the numbers per zone differ by at most one after a change, or at least by no more than before.
func (p *plan) even(n map[string]int, zone string, change int) bool {
	if !slices.Contains(p.zones, zone) {
		return true
	}
	after := maps.Clone(n)
	after[zone] += change
	return p.skew(after) <= max(1, p.skew(n))
}

// skew is by how much the numbers per zone differ.
func (p *plan) skew(n map[string]int) int {
	low, high := 1<<30, 0
	for _, z := range p.zones {
		low, high = min(low, n[z]), max(high, n[z])
	}
	return high - low
}

// drainOver drains bad machines and good ones over the number needed, as long as enough live ones stay.
func (p *plan) drainOver(s *Set, t *tally) bool {
	surplus := len(t.good) - p.need
	candidates := slices.Clone(t.bad)
	if surplus > 0 {
		candidates = append(candidates, p.leastUseful(s, *t)...)
	}
	drained := false
	for _, i := range candidates {
		m := &s.Machines[i]
		good := slices.Contains(t.good, i)
		isLive := p.ready(s, *m)
		if good && (surplus <= 0 || !p.spare(t.all, m.Zone)) || isLive && t.live <= p.need || !p.even(t.all, m.Zone, -1) {
			continue
		}
		if isLive {
			t.live--
		}
		if good {
			surplus--
			t.right[m.Zone]--
		}
		t.all[m.Zone]--
		m.Mode = Draining
		drained = true
	}
	return drained
}

// spare says whether a zone may be the one with a good machine too many: while zones are uneven only the fullest is, however
// far those that make them even have got.
func (p *plan) spare(n map[string]int, zone string) bool {
	return p.skew(n) <= 1 || !slices.ContainsFunc(p.zones, func(z string) bool { return n[z] > n[zone] })
}

// leastUseful orders the good machines by how little draining them costs: those that do not serve first, then those of
// the fullest zones, then the highest slots.
func (p *plan) leastUseful(s *Set, t tally) []int {
	order := slices.Clone(t.good)
	left := map[string]int{}
	rank := map[int]int{} // position of the machine among those of its zone, counted from the highest slot
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.Machines[b].Slot, s.Machines[a].Slot) })
	for _, i := range order {
		z := s.Machines[i].Zone
		rank[i] = t.all[z] - left[z]
		left[z]++
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if la, lb := p.ready(s, s.Machines[a]), p.ready(s, s.Machines[b]); la != lb {
			if lb {
				return -1
			}
			return 1
		}
		return cmp.Compare(rank[b], rank[a])
	})
	return order
}

// succeed puts a machine beside one that is to go, serves nobody, and is held in its place by the zones: it replaces
// nothing that serves, and so waits for no budget. In a set that is only being built, those are machines that are given up.
func (p *plan) succeed(s *Set, t tally) bool {
	open := p.open(s)
	for _, i := range t.bad {
		m := s.Machines[i]
		if (open || m.Faulty) && !p.ready(s, m) && !p.even(t.all, m.Zone, -1) && p.even(t.all, m.Zone, +1) {
			p.add(s, m.Zone)
			return true
		}
	}
	return false
}

// detour adds one machine in whatever zone takes one, so that a bad machine that the zones hold in its place can go. There
// may be more than a batch too many already: nothing else would change that.
func (p *plan) detour(s *Set, t tally) bool {
	if len(t.bad) == 0 || t.draining > 0 || p.unready(s, t.good) > 0 {
		return false
	}
	if p.replacing(s, t) > 0 && !p.mayReplace(s, t) {
		return false
	}
	zones := slices.SortedStableFunc(slices.Values(p.zones), func(a, b string) int { return cmp.Compare(t.right[a], t.right[b]) })
	for _, z := range zones {
		if p.even(t.all, z, +1) {
			p.add(s, z)
			return true
		}
	}
	return false
}

// rebalance adds a machine where zones that are back lack them, once nothing else is to be done: it is one too many, and
// the fullest zone gives one up.
func (p *plan) rebalance(s *Set, t tally) bool {
	if len(t.good) != p.need || len(t.bad) > 0 || t.draining > 0 || p.unready(s, t.good) > 0 || p.skew(t.all) <= 1 {
		return false
	}
	zone, ok := p.emptiest(t)
	if ok {
		p.add(s, zone)
	}
	return ok
}

func (p *plan) unready(s *Set, machines []int) int {
	n := 0
	for _, i := range machines {
		if !p.ready(s, s.Machines[i]) {
			n++
		}
	}
	return n
}

// walkInPlace changes machines where they are: the ones of one update domain at a time go, and new ones take their
// slots. There are never more machines than needed.
func (p *plan) walkInPlace(s *Set) string {
	t := p.tally(s)
	if p.redeploy(s) {
		return StepDrain
	}
	if p.shrink(s, &t) {
		return StepDrain
	}
	if p.fill(s) {
		return StepStart
	}
	if p.nextDomain(s, t) {
		return StepDrain
	}
	p.waitFor(s, t)
	return ""
}

// shrink drains the highest slots of a set that has more machines than needed, while enough others are live.
func (p *plan) shrink(s *Set, t *tally) bool {
	listed := slices.Concat(t.good, t.bad)
	slices.SortFunc(listed, func(a, b int) int { return cmp.Compare(s.Machines[b].Slot, s.Machines[a].Slot) })
	drained := false
	for _, i := range listed[:max(0, len(listed)-p.need)] {
		isLive := p.ready(s, s.Machines[i])
		if isLive && t.live <= p.need {
			continue
		}
		if isLive {
			t.live--
		}
		s.Machines[i].Mode = Draining
		drained = true
	}
	return drained
}

// fill adds machines in the lowest free slots.
func (p *plan) fill(s *Set) bool {
	missing := p.need - len(s.Machines) // draining ones hold their slots until they are gone
	for range missing {
		p.add(s, "")
	}
	return missing > 0
}

// nextDomain drains the wrong machines of one update domain when everything else is live. Domains with machines that do
// not serve anyway come first, of these the one in which the fewest do.
func (p *plan) nextDomain(s *Set, t tally) bool {
	if len(t.bad) == 0 || t.draining > 0 || len(t.good)+len(t.bad) < p.need || p.unready(s, t.good) > 0 {
		return false
	}
	down := slices.DeleteFunc(slices.Clone(t.bad), func(i int) bool { return p.ready(s, s.Machines[i]) })
	first := t.bad[0]
	if len(down) > 0 {
		first = slices.MinFunc(down, func(a, b int) int { return cmp.Compare(p.serving(s, t.bad, a), p.serving(s, t.bad, b)) })
	} else {
		for _, i := range t.bad {
			if s.Machines[i].UpdateDomain < s.Machines[first].UpdateDomain {
				first = i
			}
		}
	}
	domain := s.Machines[first].UpdateDomain
	for _, i := range t.bad {
		if s.Machines[i].UpdateDomain == domain {
			s.Machines[i].Mode = Draining
		}
	}
	return true
}

// serving counts the machines of some that serve and are in the update domain of one.
func (p *plan) serving(s *Set, some []int, one int) (n int) {
	for _, i := range some {
		if s.Machines[i].UpdateDomain == s.Machines[one].UpdateDomain && p.ready(s, s.Machines[i]) {
			n++
		}
	}
	return n
}

// waitFor notes why a set is not yet what it should be.
func (p *plan) waitFor(s *Set, t tally) {
	switch n := p.unready(s, t.good); {
	case n > 0:
		p.waits(fmt.Sprintf("%d of %d machines are not ready", n, p.need))
	case t.draining > 0:
		p.waits(fmt.Sprintf("%d machines are draining", t.draining))
	case len(t.good) != p.need || len(t.bad) > 0:
		p.waits(fmt.Sprintf("%d machines are to be replaced", len(t.bad)))
	}
}

// add lists a new machine in the lowest free slot of the set.
func (p *plan) add(s *Set, zone string) {
	slot := 0
	for slices.ContainsFunc(s.Machines, func(m Machine) bool { return m.Slot == slot }) {
		slot++
	}
	s.Required, s.Since = max(s.Required, p.Seq), p.Now
	s.Machines = append(s.Machines, Machine{
		ID: p.NewID(), Slot: slot, Zone: zone, Gateway: p.gateway, Hardware: p.Wish.Hardware, Mode: Parked, Role: p.role,
		UpdateDomain: slot % p.profile.UpdateDomains, FaultDomain: slot % p.profile.FaultDomains,
	})
}
