package platform

import (
	"slices"
)

// A moveKind says how the target becomes the active set.
type moveKind int

const (
	noMove    moveKind = iota
	firstMove          // nothing serves yet
	sameVIP            // the VIP goes from the active set to the target
	newVIP             // the target gets a VIP of its own
	backVIP            // the target is the old set of a move with a new VIP: its VIP still leads to it
)

func (p *plan) moveKind() moveKind {
	c := p.state.Coexistence
	switch {
	case p.target == nil || p.target == p.active:
		return noMove
	case p.active == nil:
		return firstMove
	case c != nil && c.Set == p.target.ID && c.VIP != "":
		return backVIP
	case p.Wish.Address == NewIP, !slices.Equal(p.active.Zones, p.target.Zones), !SameInjection(p.active.Injection, p.target.Injection):
		return newVIP
	}
	return sameVIP
}

// pending is the VIP that a newVIP move prepares; empty when there is none.
func (p *plan) pending() string {
	if p.moveKind() != newVIP {
		return ""
	}
	for i, v := range p.state.VIPs {
		if i > 0 && v.ID != p.oldVIP() && p.leads(v) {
			return v.ID
		}
	}
	return ""
}

// oldVIP is the VIP of the coexistence window; empty when there is none.
func (p *plan) oldVIP() string {
	if p.state.Coexistence == nil {
		return ""
	}
	return p.state.Coexistence.VIP
}

// prepare lists the target and the addresses that it needs.
func (p *plan) prepare() string {
	if p.Wish.Gone {
		return ""
	}
	step := ""
	if p.target == nil {
		p.addSet()
		step = StepStart
	}
	if p.profile.Address && len(p.state.VIPs) == 0 || p.moveKind() == newVIP && p.pending() == "" {
		p.state.VIPs = append(p.state.VIPs, p.newVIP())
		if step == "" {
			step = StepReserve
		}
	}
	return step
}

// leads says whether an address leads into where the wish asks for: an earlier wish may have left one that does not.
func (p *plan) leads(v VIP) bool {
	in := p.Wish.Injection
	return in == nil && v.Injection == "" || in != nil && v.Injection == in.ID
}

// newVIP is an address of the kind that the wish asks for: in a virtual network the public one that the service brings,
// or one of the subnet; after stv1 the one that was prepared.
func (p *plan) newVIP() VIP {
	v := VIP{ID: p.NewID()}
	if in := p.Wish.Injection; in != nil {
		v.Injection, v.Inside = in.ID, in.Mode == Internal
		if !v.Inside {
			v.Wanted = in.Address
		}
	}
	if v.Wanted == "" && !v.Inside && p.active != nil && p.active.Platform == STv1 && p.Wish.Platform != STv1 {
		v.Wanted = p.Wish.Prepared
	}
	return v
}

// addSet lists a new set of the form that the wish asks for, with all its machines.
func (p *plan) addSet() {
	id := p.NewID()
	p.state.Sets = append(p.state.Sets, Set{
		ID: id, Service: p.Service, Location: p.Location, Platform: p.Wish.Platform,
		Zones: slices.Sorted(slices.Values(p.Wish.Zones)), Injection: p.Wish.Injection,
	})
	p.target, p.active = p.state.Set(id), p.state.Set(p.state.Active)
	if p.profile.Surge {
		p.addBeside(p.target, p.tally(p.target))
	} else {
		p.fill(p.target)
	}
}

// move lets the target take over once all of it is fit.
func (p *plan) move() string {
	kind := p.moveKind()
	if kind == noMove || !p.complete(p.target) {
		return ""
	}
	for _, m := range p.target.Machines {
		if !p.fit(p.target, m) {
			p.waits("the new set does not serve the newest configuration yet")
			return ""
		}
	}
	switch kind {
	case firstMove:
		return p.moveFirst()
	case sameVIP:
		return p.moveVIP()
	case newVIP:
		return p.moveToNew()
	case backVIP:
		return p.moveBack()
	case noMove:
	}
	return ""
}

func (p *plan) moveFirst() string {
	if p.profile.Address {
		v := &p.state.VIPs[0]
		if !p.leads(*v) {
			p.waits("an address of an earlier wish is being released")
			return ""
		}
		if v.Address == "" {
			p.waits("the address is not there yet")
			return ""
		}
		v.Sets = []string{p.target.ID}
	}
	p.setModes(p.target, Serving)
	p.state.Active = p.target.ID
	return StepOpen
}

// moveVIP takes the VIP from the active set to the target: both accept until the target is seen to.
func (p *plan) moveVIP() string {
	v := &p.state.VIPs[0]
	if !slices.Contains(v.Sets, p.target.ID) {
		v.Sets = append(v.Sets, p.target.ID)
		p.setModes(p.target, Serving)
		return StepOpen
	}
	if !p.accepts(v.ID, p.target.ID) {
		p.waits("the new set does not accept yet")
		return ""
	}
	v.Sets = []string{p.target.ID}
	p.takeOver("")
	return StepRoute
}

// moveToNew opens the pending VIP on the target; the old VIP goes on leading to the old set.
func (p *plan) moveToNew() string {
	v := p.state.VIP(p.pending())
	if v.Address == "" {
		p.waits("the new address is not there yet")
		return ""
	}
	for _, m := range p.active.Machines {
		if p.live(m) && p.Observation.Machines[m.ID].Seq < v.Since {
			p.waits("the old set does not know the new address yet")
			return ""
		}
	}
	if !slices.Contains(v.Sets, p.target.ID) {
		v.Sets = []string{p.target.ID}
		p.setModes(p.target, Serving)
		return StepOpen
	}
	if !p.accepts(v.ID, p.target.ID) {
		p.waits("the new set does not accept yet")
		return ""
	}
	p.putFirst(v.ID)
	return StepRoute
}

func (p *plan) moveBack() string {
	if !p.accepts(p.oldVIP(), p.target.ID) {
		p.waits("the old set does not accept")
		return ""
	}
	p.setModes(p.target, Serving)
	p.putFirst(p.oldVIP())
	return StepRoute
}

// putFirst makes a VIP the one that names resolve to, and its set the active one.
func (p *plan) putFirst(id string) {
	old := p.state.VIPs[0].ID
	i := slices.IndexFunc(p.state.VIPs, func(v VIP) bool { return v.ID == id })
	v := p.state.VIPs[i]
	p.state.VIPs = slices.Insert(slices.Delete(p.state.VIPs, i, i+1), 0, v)
	p.takeOver(old)
}

// takeOver makes the target the active set and keeps the one before for the coexistence window.
func (p *plan) takeOver(oldVIP string) {
	p.state.Coexistence = &Coexistence{Set: p.active.ID, VIP: oldVIP, Until: p.Clock.Add(p.Coexistence)}
	p.state.Active = p.target.ID
}

// setModes gives all machines of a set that are not draining a mode, and says whether that changed one.
func (p *plan) setModes(s *Set, mode Mode) (changed bool) {
	for i, m := range s.Machines {
		if m.Mode != Draining && m.Mode != mode {
			s.Machines[i].Mode = mode
			changed = true
		}
	}
	return changed
}
