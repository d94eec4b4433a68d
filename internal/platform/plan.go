package platform

import (
	"cmp"
	"slices"
	"time"
)

// Input is everything that the planner knows. It is not changed.
type Input struct {
	Wish        Wish
	State       State
	Observation Observation
	Now         time.Time // time of day, as that of Observation
	// Clock is the platform time, by which the coexistence window is told; zero means Now.
	Clock time.Time

	Service  string // resource ID; empty for the mtv1 pool
	Location string // normalised
	// Seq is the newest transaction that concerns the service's configuration: machines added now must serve it
	// before they take connections.
	Seq int64
	// Coexistence is how long the old set of a migration is kept.
	Coexistence time.Duration
	// Grace is how long after machines were added none is given up, Pause the platform time between two batches.
	Grace, Pause time.Duration
	// Gateway is the version that a Wish without one means.
	Gateway string
	// Zones are those that the fabric has, for services that are spread over whatever there is.
	Zones []string
	// Deadline is how long new machines and addresses may take before the wish is given up; 0 means that it never is.
	Deadline time.Duration
	// Since is when the caller began to look: nothing is overdue for the time before.
	Since time.Time
	// Previous is the wish that this one replaced; nil when the service had nothing before.
	Previous *Wish
	// Trouble says why an address could not be opened.
	Trouble string
	// NewID makes an ID for a set, a machine or a VIP; none is ever made twice.
	NewID func() string
}

// A Decision is one safe step, or the reason to wait for the next observation.
type Decision struct {
	// Step names what changed between Input.State and State; empty when nothing did.
	Step string
	// State is the record to commit before a fabric is called.
	State State
	// Wait says what is missing before the next step; empty when there is a Step or nothing is left to do.
	Wait string
	// Until is the time of day to ask again even if nothing was observed, Due the platform time; zero for never.
	Until, Due time.Time
	// Failed says why the wish cannot be reached; nil while it may be. Nothing is changed then: restoring the wish
	// before is the caller's decision, and leads back like any other wish.
	Failed *Failure
	// Reached says that the wish holds, also for requests: a customer operation may end. Releasing old compute may
	// still be under way.
	Reached bool
	// Done says that nothing is left to do, now or later.
	Done bool
}

// Steps that Next takes. They are what an operation's story shows.
const (
	StepStart   = "start machines"
	StepRepair  = "give up machines"
	StepReserve = "reserve an address"
	StepServe   = "serve on new machines"
	StepDrain   = "drain machines"
	StepForget  = "remove drained machines"
	StepOpen    = "open the new set"
	StepRoute   = "route to the new set"
	StepPark    = "park the old set"
	StepUnroute = "take old sets off the addresses"
	StepStop    = "stop serving"
	StepRelease = "end the coexistence"
)

// Next says what to do next to come nearer to the wish: at most one step, safe whatever happens between it and the
// next question. The caller commits the returned State, makes the fabric true, observes and asks again.
//
// Two sets can be in play: the active one, which serves, and the target, which has the form that the wish asks for.
// While they are the same set it is walked in place or by surge, as its profile says; otherwise the target is built
// beside the active one and the route moves once all of it is ready. Whatever is neither of these, nor kept for the
// coexistence window, is drained and removed. So a new wish in the middle of anything, the old one included, needs no
// special case: it only changes which set is the target.
func Next(in Input) Decision {
	p := newPlan(in)
	if f := p.failed(); f != nil {
		return Decision{State: in.State, Wait: f.Message, Failed: f}
	}
	for _, rule := range []func(*plan) string{
		(*plan).forget, (*plan).stop, (*plan).endCoexistence, (*plan).unroute, (*plan).drainLeft, (*plan).park,
		(*plan).prepare, (*plan).walk, (*plan).move, (*plan).awaitLeft,
	} {
		if step := rule(p); step != "" {
			return Decision{Step: step, State: p.state, Reached: p.reached}
		}
	}
	d := Decision{State: in.State, Wait: p.wait, Failed: p.overdue(), Reached: p.reached}
	d.Until, d.Due = p.until, p.due
	d.Done = p.reached && p.wait == "" && p.until.IsZero() && p.due.IsZero()
	return d
}

// plan is one question being answered. Rules change state and return the step's name, or note in wait and until what
// they are waiting for.
type plan struct {
	Input
	state   State
	profile Profile
	need    int
	gateway string
	role    Role
	zones   []string // in which machines of the target belong
	target  *Set     // in state; nil when there is none (yet)
	active  *Set     // in state; nil when nothing serves
	reached bool
	wait    string
	until   time.Time
	due     time.Time // platform time
}

func newPlan(in Input) *plan {
	p := &plan{Input: in, state: in.State.Clone(), profile: ProfileOf(in.Wish.Platform), need: in.Wish.Machines()}
	if p.Clock.IsZero() {
		p.Clock = p.Now
	}
	p.gateway, p.role = p.version(in.Wish), in.Wish.role()
	p.zones = p.profile.zones(in.Wish, p.upZones())
	p.active = p.state.Set(p.state.Active)
	p.target = p.findTarget()
	p.reached = p.isReached()
	return p
}

// upZones are the zones of the fabric that are not down, or all of them when none is left.
func (p *plan) upZones() []string {
	up := slices.DeleteFunc(slices.Clone(p.Zones), p.down)
	if len(up) == 0 {
		return p.Zones
	}
	return up
}

// down says whether a zone is switched off. What was placed there because the client said so waits for it; all else
// goes elsewhere.
func (p *plan) down(zone string) bool { return slices.Contains(p.Observation.Down, zone) }

// version is the version of the gateway program that a wish asks for.
func (p *plan) version(w Wish) string { return cmp.Or(w.Gateway, p.Gateway) }

// findTarget picks the set that the wish asks for out of those that exist: the active one before the one kept for
// coexistence before any other.
func (p *plan) findTarget() *Set {
	if p.Wish.Gone {
		return nil
	}
	ids := []string{p.state.Active}
	if p.state.Coexistence != nil {
		ids = append(ids, p.state.Coexistence.Set)
	}
	for _, s := range p.state.Sets {
		ids = append(ids, s.ID)
	}
	for _, id := range ids {
		if s := p.state.Set(id); s != nil && p.Wish.Form(*s) {
			return s
		}
	}
	return nil
}

// isReached says whether the wish holds as far as can be seen.
func (p *plan) isReached() bool {
	if p.Wish.Gone {
		return p.state.Empty()
	}
	if p.target == nil || p.target != p.active || !p.complete(p.target) {
		return false
	}
	for _, m := range p.target.Machines {
		if m.Mode != Serving || !p.live(m) {
			return false
		}
	}
	return !p.profile.Address || len(p.state.VIPs) > 0 && p.accepts(p.state.VIPs[0].ID, p.active.ID)
}

// complete says whether a set lists exactly the machines that the wish needs, whatever they are doing.
func (p *plan) complete(s *Set) bool {
	if len(s.Machines) != p.need {
		return false
	}
	for _, m := range s.Machines {
		if m.Mode == Draining || !p.right(m) {
			return false
		}
	}
	return true
}

// current says whether a machine is of the version and on the hardware that the wish names.
func (p *plan) current(m Machine) bool {
	return m.Gateway == p.gateway && m.Hardware == p.Wish.Hardware
}

// right says whether a machine is one that the wish wants: current, in its place, not given up.
func (p *plan) right(m Machine) bool {
	return p.current(m) && slices.Contains(p.zones, m.Zone) && !m.Faulty && p.role.holds(m)
}

// live says whether a machine can serve now: it is ready, or asleep, and has taken the mode that it should have.
func (p *plan) live(m Machine) bool {
	o, ok := p.Observation.Machines[m.ID]
	return ok && (o.Phase == Ready || o.Phase == Asleep) && (o.Mode == "" || o.Mode == m.Mode)
}

// fit says whether a machine of the set may take connections: it is live and its snapshot is new enough for the set
// and for every address that leads to it.
func (p *plan) fit(s *Set, m Machine) bool {
	o := p.Observation.Machines[m.ID]
	return p.live(m) && (o.Phase == Asleep || o.Seq >= p.required(s))
}

func (p *plan) required(s *Set) int64 {
	seq := s.Required
	for _, v := range p.state.VIPs {
		if v.ID == p.state.VIPs[0].ID || v.ID == p.pending() || slices.Contains(v.Sets, s.ID) {
			seq = max(seq, v.Since)
		}
	}
	return seq
}

// gone says whether a draining machine has finished.
func (p *plan) gone(m Machine) bool {
	o, ok := p.Observation.Machines[m.ID]
	return !ok || o.Phase == Exited
}

// accepts says whether machines of a set are seen to accept on a VIP.
func (p *plan) accepts(vip, set string) bool {
	return slices.Contains(p.Observation.VIPs[vip], set)
}

// waits notes the first reason to wait, and when to ask again at the latest.
func (p *plan) waits(reason string) {
	if p.wait == "" {
		p.wait = reason
	}
}

// dueBy notes the platform time at which to ask again at the latest.
func (p *plan) dueBy(at time.Time) {
	if p.due.IsZero() || at.Before(p.due) {
		p.due = at
	}
}

func (p *plan) askAgain(at time.Time) {
	if at.After(p.Now) && (p.until.IsZero() || at.Before(p.until)) {
		p.until = at
	}
}
