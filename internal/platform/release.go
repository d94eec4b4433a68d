package platform

import (
	"fmt"
	"slices"
)

// stop lets a service that should be gone serve no longer.
func (p *plan) stop() string {
	if !p.Wish.Gone || p.state.Active == "" && p.state.Coexistence == nil {
		return ""
	}
	p.state.Active, p.state.Coexistence = "", nil
	for i := range p.state.VIPs {
		p.state.VIPs[i].Sets = nil
	}
	return StepStop
}

// endCoexistence gives the old set of a migration free once its window is over, unless it is wanted again.
func (p *plan) endCoexistence() string {
	c := p.state.Coexistence
	if c == nil || p.target != nil && p.target.ID == c.Set {
		return ""
	}
	if p.Clock.Before(c.Until) {
		p.dueBy(c.Until)
		return ""
	}
	p.state.Coexistence = nil
	return StepRelease
}

// unroute takes sets off addresses that should not lead to them: those of a move that was given up, and of a
// coexistence that is over.
func (p *plan) unroute() string {
	step := ""
	for i := range p.state.VIPs {
		v := &p.state.VIPs[i]
		n := len(v.Sets)
		v.Sets = slices.DeleteFunc(v.Sets, func(set string) bool { return !p.mayLead(i, set) })
		if len(v.Sets) != n {
			step = StepUnroute
		}
	}
	return step
}

// mayLead says whether the i-th VIP may lead to a set.
func (p *plan) mayLead(i int, set string) bool {
	v, isTarget := p.state.VIPs[i], p.target != nil && p.target.ID == set
	switch {
	case i == 0:
		return set == p.state.Active || isTarget && p.moveKind() == sameVIP
	case v.ID == p.oldVIP():
		return set == p.state.Coexistence.Set
	}
	return isTarget && v.ID == p.pending()
}

// keeps says whether a set has a part to play.
func (p *plan) keeps(id string) bool {
	c := p.state.Coexistence
	return id == p.state.Active && id != "" || p.target != nil && p.target.ID == id || c != nil && c.Set == id
}

// keepsVIP says whether the i-th VIP has a part to play.
func (p *plan) keepsVIP(i int) bool {
	id := p.state.VIPs[i].ID
	first := i == 0 && !p.Wish.Gone && (p.active != nil || p.leads(p.state.VIPs[i]))
	return first || id == p.oldVIP() || id == p.pending()
}

// routed says whether a VIP leads to the set, or is still seen to.
func (p *plan) routed(id string) bool {
	return slices.ContainsFunc(p.state.VIPs, func(v VIP) bool {
		return slices.Contains(v.Sets, id) || p.accepts(v.ID, id)
	})
}

// park lets the old set of a migration that kept its VIP wait, ready to take it back.
func (p *plan) park() string {
	c := p.state.Coexistence
	if c == nil || c.VIP != "" || p.target != nil && p.target.ID == c.Set || p.routed(c.Set) {
		return ""
	}
	if s := p.state.Set(c.Set); s != nil && p.setModes(s, Parked) {
		return StepPark
	}
	return ""
}

// drainLeft drains the sets that have no part to play any more.
func (p *plan) drainLeft() string {
	step := ""
	for i := range p.state.Sets {
		s := &p.state.Sets[i]
		if !p.keeps(s.ID) && !p.routed(s.ID) && p.setModes(s, Draining) {
			step = StepDrain
		}
	}
	return step
}

// forget takes what is gone off the record: drained machines, sets without machines and addresses without a route that
// have no part to play.
func (p *plan) forget() string {
	step := ""
	for i := range p.state.Sets {
		s := &p.state.Sets[i]
		n := len(s.Machines)
		s.Machines = slices.DeleteFunc(s.Machines, func(m Machine) bool { return m.Mode == Draining && p.gone(m) })
		if len(s.Machines) != n {
			step = StepForget
		}
	}
	var vips []VIP
	for i, v := range p.state.VIPs {
		if p.keepsVIP(i) || len(v.Sets) > 0 || len(p.Observation.VIPs[v.ID]) > 0 {
			vips = append(vips, v)
		}
	}
	sets := slices.DeleteFunc(slices.Clone(p.state.Sets), func(s Set) bool {
		return !p.keeps(s.ID) && len(s.Machines) == 0 && !p.routed(s.ID)
	})
	if len(vips) != len(p.state.VIPs) || len(sets) != len(p.state.Sets) {
		step = StepForget
	}
	p.state.VIPs, p.state.Sets = vips, sets
	if step == "" { // the rules that follow look at the sets where they are now
		p.active = p.state.Set(p.state.Active)
		p.target = p.findTarget()
	}
	return step
}

// awaitLeft notes what is still being released.
func (p *plan) awaitLeft() string {
	for _, s := range p.state.Sets {
		if !p.keeps(s.ID) {
			p.waits(fmt.Sprintf("%d machines of an old set are draining", len(s.Machines)))
		}
	}
	for i, v := range p.state.VIPs {
		if !p.keepsVIP(i) {
			p.waits("address " + v.Address + " is being released")
		}
	}
	return ""
}
