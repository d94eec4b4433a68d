package platform_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/portico-dev/portico/internal/platform"
)

// sim is a fabric and a controller around the planner, driven second by second, with random latencies and faults.
type sim struct {
	rnd   *rand.Rand
	now   time.Time
	seq   int64 // newest transaction
	ids   int
	wish  platform.Wish
	state platform.State // committed

	gateway  string
	deadline time.Duration  // of wishes; 0: none fails
	previous *platform.Wish // of a wish that can fail
	bad      func(platform.Machine, *simMachine)
	zones    []string
	pause    time.Duration   // between two batches
	servedBy string          // version and hardware of the batch
	served   time.Time       // when a batch last began to serve that another was to follow
	down     []string        // zones that are switched off
	began    time.Time       // of the operation
	curse    curse           // what befalls machines that it brings
	trusted  map[string]bool // machines that it must not fail for: they served before as they should now
	unmoved  struct {        // when the operation began
		active       string
		mayReaddress bool
	}
	machines map[string]*simMachine
	routes   map[string][]string // VIP to sets that accept
	leading  map[string][]string // VIP to sets that are to accept: it takes a while until they do
	pool     *addressPool        // that several sims share; nil: every VIP has an address of its own
	acted    bool                // the fabric has been told all of state

	faults bool // machines crash, the controller too
	// What was asked for since the wish last held.
	minNeed, inPlace, crashes int
	mayReaddress, redeploys   bool
	vip                       string
	story                     []string
	listed                    map[string]int // machines by set, at the check before
	broke                     error          // what a step did that its profile forbids
}

// An addressPool gives addresses that were given back again.
type addressPool struct {
	ids   int
	taken map[string]string // address to VIP
}

func (p *addressPool) reserve(vip string) string {
	for i := 1; ; i++ {
		a := fmt.Sprintf("10.0.0.%d", i)
		if p.taken[a] == "" {
			p.taken[a] = vip
		}
		if p.taken[a] == vip {
			return a
		}
	}
}

type simMachine struct {
	spec     platform.Machine
	set      string
	phase    platform.Phase
	mode     platform.Mode
	seq      int64
	since    time.Time
	restarts int
	failures int
	dead     bool   // never starts again
	curse    string // how it fails, if it does
	hangs    int    // seconds until it is found to hang, and killed
	trips    bool   // over its first request
	runs     string // version; empty until it has said so
	refused  string
}

// grace after machines were added in which none is given up.
const grace = 20 * time.Second

func newSim(seed uint64, faults bool) *sim {
	return &sim{
		rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_600_000_000, 0), seq: 100, faults: faults, gateway: "1",
		zones: []string{"1", "2", "3"}, machines: map[string]*simMachine{}, routes: map[string][]string{}, leading: map[string][]string{},
		listed: map[string]int{}, wish: platform.Wish{Gone: true},
	}
}

func (s *sim) input() platform.Input {
	in := platform.Input{
		Wish: s.wish, State: s.state, Now: s.now, Service: "/service", Location: "westeurope", Seq: s.seq,
		Coexistence: 20 * time.Second, Grace: grace, Pause: s.pause, Gateway: s.gateway, Zones: s.zones, Deadline: s.deadline, Since: s.began, Previous: s.previous,
		NewID: s.newID,
		Observation: platform.Observation{
			Machines: map[string]platform.MachineStatus{}, VIPs: map[string][]string{}, Down: s.down,
		},
	}
	for id, m := range s.machines {
		in.Observation.Machines[id] = platform.MachineStatus{ID: id, Phase: m.phase, Seq: m.seq, Since: m.since, Restarts: m.restarts, Mode: m.mode, Failures: m.failures, Gateway: m.runs, Refused: m.refused}
	}
	for v, sets := range s.routes {
		in.Observation.VIPs[v] = slices.Clone(sets)
	}
	return in
}

func (s *sim) newID() string {
	if s.pool != nil {
		s.pool.ids++
		return fmt.Sprintf("x%d", s.pool.ids)
	}
	s.ids++
	return fmt.Sprintf("x%d", s.ids)
}

// want changes the wish, as the control plane or the end of a failed operation does.
func (s *sim) want(w platform.Wish) {
	old := s.wish
	s.wish = w
	if s.version(old) != s.version(w) {
		s.walks()
	}
	s.minNeed = min(s.minNeed, w.Machines())
	s.redeploys = s.redeploys || redeploys(old, w)
	s.mayReaddress = s.mayReaddress || w.Gone || w.Address == platform.NewIP || !slices.Equal(old.Zones, w.Zones) || !platform.SameInjection(old.Injection, w.Injection)
	s.story = append(s.story, fmt.Sprintf("want %+v", w))
}

// redeploys says whether a change takes everything down on stv1 before anything starts.
func redeploys(old, w platform.Wish) bool {
	single := func(w platform.Wish) bool { return w.Tier == platform.Developer }
	return single(old) != single(w) || single(w) && old.Renewal != w.Renewal
}

// upgrade changes the version of the gateway program.
func (s *sim) upgrade(v string) {
	s.gateway = v
	s.walks()
	s.story = append(s.story, "upgrade "+v)
}

// walks notes that machines of another version are wanted: in place those of an update domain go first.
func (s *sim) walks() { s.inPlace = s.minNeed/5 + 1 }

// version is the one of the gateway program that a wish asks for.
func (s *sim) version(w platform.Wish) string { return cmp.Or(w.Gateway, s.gateway) }

// settled forgets what was asked for on the way.
func (s *sim) settled() {
	s.minNeed, s.inPlace, s.crashes, s.mayReaddress, s.redeploys, s.vip = s.wish.Machines(), 0, 0, false, false, ""
	if len(s.state.VIPs) > 0 {
		s.vip = s.state.VIPs[0].ID
	}
	// While the old VIP is kept, going back to its set goes back to it.
	s.mayReaddress = s.state.Coexistence != nil && s.state.Coexistence.VIP != ""
}

// control is one turn of the controller. It may die between any two acts.
func (s *sim) control() platform.Decision {
	d := s.decide()
	s.take(d)
	return d
}

// decide tells the fabric what is recorded, and asks the planner.
func (s *sim) decide() platform.Decision {
	if !s.acted && !s.act() {
		return platform.Decision{Wait: "act"}
	}
	return platform.Next(s.input())
}

// take commits a step, and tells the fabric of it.
func (s *sim) take(d platform.Decision) {
	if d.Step != "" {
		s.story = append(s.story, d.Step)
		if s.broke == nil {
			s.broke = errors.Join(obeys(s.state, d.State, s.wish.Machines(), s.redeploys), s.leaves(d.State), s.batched(d), s.spares(d), s.repairs(d), s.releases(d.State), s.spreads(d.State))
		}
		s.state, s.acted = d.State, false
		s.seq++
		s.act()
	}
}

// act tells the fabric what the record says; false when the controller died on the way.
func (s *sim) act() bool {
	for _, a := range s.acts() {
		if s.faults && s.rnd.IntN(20) == 0 {
			return false
		}
		a()
	}
	s.acted = true
	return true
}

// acts are what the fabric is told, in the controller's order.
func (s *sim) acts() (acts []func()) {
	for i := range s.state.VIPs {
		v := &s.state.VIPs[i]
		if v.Address == "" {
			acts = append(acts, func() { s.seq++; v.Address, v.Since = s.reserve(v.ID), s.seq })
		}
	}
	apply := func(set platform.Set) { acts = append(acts, func() { s.apply(set) }) }
	routed := func(id string) bool {
		return id == s.state.Active || slices.ContainsFunc(s.state.VIPs, func(v platform.VIP) bool { return slices.Contains(v.Sets, id) })
	}
	for _, set := range s.state.Sets {
		if routed(set.ID) {
			apply(set)
		}
	}
	for _, v := range s.state.VIPs {
		acts = append(acts, func() { s.leading[v.ID] = slices.Clone(v.Sets) })
	}
	for _, set := range s.state.Sets {
		if !routed(set.ID) {
			apply(set)
		}
	}
	return append(acts, s.remove)
}

func (s *sim) reserve(vip string) string {
	if s.pool == nil {
		return "10.0.0." + vip
	}
	return s.pool.reserve(vip)
}

func (s *sim) apply(set platform.Set) {
	listed := map[string]bool{}
	for _, m := range set.Machines {
		listed[m.ID] = true
		have := s.machines[m.ID]
		if have == nil {
			if m.Mode == platform.Draining {
				continue
			}
			have = &simMachine{set: set.ID, phase: platform.Starting, since: s.now, mode: platform.Parked, dead: s.faults && repaired(set) && s.rnd.IntN(30) == 0}
			s.machines[m.ID] = have
			s.curse.fall(s, have)
			if s.bad != nil {
				s.bad(m, have)
			}
		}
		have.spec = m
	}
	for id, m := range s.machines {
		if m.set == set.ID && !listed[id] {
			delete(s.machines, id)
		}
	}
}

func (s *sim) remove() {
	for id, m := range s.machines {
		if s.state.Set(m.set) == nil {
			delete(s.machines, id)
		}
	}
	for id := range s.leading {
		if s.state.VIP(id) == nil {
			delete(s.routes, id)
			delete(s.leading, id)
			if s.pool != nil {
				maps.DeleteFunc(s.pool.taken, func(_, vip string) bool { return vip == id })
			}
		}
	}
}

// tick lets one second pass.
func (s *sim) tick() {
	s.now = s.now.Add(time.Second)
	ids := make([]string, 0, len(s.machines))
	for id := range s.machines {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		s.advance(id, s.machines[id])
	}
	for _, id := range slices.Sorted(maps.Keys(s.leading)) {
		if s.rnd.IntN(2) == 0 {
			s.routes[id] = s.leading[id]
		}
	}
}

func (s *sim) advance(id string, m *simMachine) {
	to := func(p platform.Phase) { m.phase, m.since = p, s.now }
	if s.dark(m) {
		if m.phase != platform.Exited {
			to(platform.Exited)
		}
		if m.spec.Mode == platform.Draining {
			delete(s.machines, id)
		}
		return
	}
	switch m.phase {
	case platform.Starting:
		switch {
		case m.spec.Mode == platform.Draining:
			delete(s.machines, id)
		case m.curse == hangs:
		case m.dead:
			m.failures = 5
			to(platform.Exited)
		case s.rnd.IntN(3) == 0:
			to(platform.Ready)
			m.seq = s.seq - int64(s.rnd.IntN(2))
			m.mode = platform.Parked
			m.show()
		}
	case platform.Exited:
		if m.spec.Mode == platform.Draining {
			delete(s.machines, id)
		} else if !m.dead && s.rnd.IntN(4) == 0 {
			m.restarts++
			to(platform.Starting)
		}
	case platform.Asleep: // while it wakes, connections wait
		switch {
		case m.spec.Mode == platform.Draining:
			delete(s.machines, id)
		case s.faults && s.rnd.IntN(20) == 0:
			to(platform.Exited)
			s.crashes++
			s.story = append(s.story, "crash on waking "+id)
		case s.rnd.IntN(10) == 0:
			to(platform.Ready)
		}
	case platform.Ready, platform.Stopping:
		if m.mode == platform.Draining {
			if s.rnd.IntN(4) == 0 {
				delete(s.machines, id)
			}
			return
		}
		if m.hangs > 0 {
			if m.hangs--; m.hangs == 0 {
				to(platform.Exited)
				s.crashes++
			}
			return
		}
		if s.rnd.IntN(2) == 0 {
			m.mode = m.spec.Mode
		}
		if s.rnd.IntN(2) == 0 {
			m.seq = s.seq
		}
		if m.mode == platform.Serving && m.spec.Mode == platform.Serving && s.pooled(m) && s.rnd.IntN(10) == 0 {
			to(platform.Asleep)
			return
		}
		if s.faults && s.rnd.IntN(150) == 0 {
			set := s.state.Set(m.set)
			m.dead = s.rnd.IntN(4) == 0 && set != nil && repaired(*set)
			if s.rnd.IntN(3) == 0 {
				m.hangs = 1 + s.rnd.IntN(8)
				s.story = append(s.story, "hang "+id)
				return
			}
			to(platform.Exited)
			s.crashes++
			s.story = append(s.story, "crash "+id)
		}
	}
}

// pooled says whether a machine is one of a pool.
func (s *sim) pooled(m *simMachine) bool {
	set := s.state.Set(m.set)
	return set != nil && set.Platform == platform.MTv1
}

// accepting counts the machines that take connections right now on the service's first VIP, or, of a pool, from the edge.
func (s *sim) accepting() int {
	leads := func(set string) bool { return set == s.state.Active }
	if s.wish.Platform != platform.MTv1 {
		leads = func(set string) bool {
			return len(s.state.VIPs) > 0 && slices.Contains(s.routes[s.state.VIPs[0].ID], set)
		}
	}
	n := 0
	for _, m := range s.machines {
		if (m.phase == platform.Ready || m.phase == platform.Asleep) && m.mode == platform.Serving && leads(m.set) {
			n++
		}
	}
	return n
}

// check returns what must never be, and is.
func (s *sim) check() error {
	if s.broke != nil {
		return s.broke
	}
	floor := s.minNeed - s.crashes
	if s.state.Active != "" && s.state.Set(s.state.Active).Platform == platform.STv1 {
		if floor -= s.inPlace; s.redeploys {
			floor = 0
		}
	}
	if n := s.accepting(); n < floor {
		return fmt.Errorf("%d machines accept on the first VIP, %d are promised", n, floor)
	}
	if s.vip != "" && !s.mayReaddress && (len(s.state.VIPs) == 0 || s.state.VIPs[0].ID != s.vip) {
		return fmt.Errorf("the VIP changed without being asked to")
	}
	seen := map[string]bool{}
	for _, set := range s.state.Sets {
		zones, listed := map[string]int{}, 0
		for _, m := range set.Machines {
			if seen[m.ID] {
				return fmt.Errorf("machine %s is listed twice", m.ID)
			}
			seen[m.ID] = true
			if m.Mode != platform.Draining {
				listed++
				zones[m.Zone]++
			}
		}
		if grew := listed > s.listed[set.ID]; grew && listed > s.ceiling(set) {
			return fmt.Errorf("%s set grew to %d machines, %d are needed", set.Platform, listed, s.wish.Machines())
		}
		s.listed[set.ID] = listed
		if err := even(set, zones); err != nil {
			return err
		}
	}
	return nil
}

// ceiling is how many machines a growing set may list: what is needed, the surge of a batch, and one for each zone that
// holds machines that are to go. Beside one that does not serve there may be one more than there are, in a set that is
// still to shrink.
func (s *sim) ceiling(set platform.Set) int {
	need := s.wish.Machines()
	if set.Platform == platform.STv1 {
		return need
	}
	b := s.batch(set)
	return max(need+max(1, need/5)+1+min(b.aged, len(s.homes())), s.listed[set.ID]+min(1, b.aged-b.old))
}

// repaired says whether the platform replaces machines of a set that do not come back.
func repaired(set platform.Set) bool { return platform.ProfileOf(set.Platform).Repair > 0 }

func even(set platform.Set, zones map[string]int) error {
	if len(set.Zones) == 0 {
		return nil
	}
	low, high := 1<<30, 0
	for _, z := range set.Zones {
		low, high = min(low, zones[z]), max(high, zones[z])
	}
	if high-low > 1 {
		return fmt.Errorf("machines by zone %v", zones)
	}
	return nil
}

// roleOf is what machines of a wish are deployed as: on stv1 the one of the tier Developer is smaller than others, and
// takes in nothing while it is there.
func roleOf(w platform.Wish) platform.Role {
	switch {
	case w.Platform != platform.STv1:
		return platform.Role{}
	case w.Tier == platform.Developer:
		return platform.Role{Size: platform.Developer, Renewal: w.Renewal}
	}
	return platform.Role{Size: platform.Standard}
}

func injectionOf(w platform.Wish) string {
	if w.Injection == nil {
		return ""
	}
	return w.Injection.ID
}

// arrived says whether the record is what the last wish asks for and nothing else, and whether all machines accept that
// have power.
func (s *sim) arrived() error {
	if s.wish.Gone {
		if !s.state.Empty() || len(s.machines) > 0 || len(s.routes) > 0 {
			return fmt.Errorf("left over: %+v, %d machines, %d routes", s.state, len(s.machines), len(s.routes))
		}
		return nil
	}
	set, vips := s.state.Set(s.state.Active), 1
	if s.wish.Platform == platform.MTv1 {
		vips = 0
	}
	switch {
	case set == nil || len(s.state.Sets) != 1 || len(s.state.VIPs) != vips || s.state.Coexistence != nil:
		return fmt.Errorf("state %+v", s.state)
	case !s.wish.Form(*set) || len(set.Machines) != s.wish.Machines() || s.accepting() != s.wish.Machines()-s.unpowered(*set):
		return fmt.Errorf("%d of %d machines accept, set %+v", s.accepting(), s.wish.Machines(), set)
	case vips > 0 && s.state.VIPs[0].Injection != injectionOf(s.wish):
		return fmt.Errorf("the VIP leads into %q instead of %q", s.state.VIPs[0].Injection, injectionOf(s.wish))
	case set.Hardware() != s.wish.Hardware:
		return fmt.Errorf("machines are on %+v, wanted is %+v", set.Hardware(), s.wish.Hardware)
	case slices.ContainsFunc(set.Machines, func(m platform.Machine) bool { return m.Role != roleOf(s.wish) }):
		return fmt.Errorf("machines %+v are not deployed as %+v", set.Machines, roleOf(s.wish))
	case len(s.machines) != len(set.Machines) || len(s.routes) != vips:
		return fmt.Errorf("orphans: %d machines, %d routes", len(s.machines), len(s.routes))
	case len(s.strays(*set)) > 0 || s.skew(*set) > 1:
		return fmt.Errorf("machines %v are where they should not be, the zones differ by %d", s.strays(*set), s.skew(*set))
	}
	return nil
}
