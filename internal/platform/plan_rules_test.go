package platform_test

import (
	"fmt"
	"slices"

	"github.com/portico-dev/portico/internal/platform"
)

// obeys says what a step from one record to the next does that no profile allows. What is deployed anew goes at once.
func obeys(before, after platform.State, need int, redeploys bool) error {
	for _, set := range after.Sets {
		if err := placed(set); err != nil {
			return err
		}
		was := before.Set(set.ID)
		if was == nil {
			continue
		}
		if err := drained(*was, set, set.ID == after.Active && !redeploys, need); err != nil {
			return err
		}
		if grew := len(set.Machines) > len(was.Machines); grew && !alike(set) {
			return fmt.Errorf("a machine starts beside one that was deployed as another role: %+v", set.Machines)
		}
	}
	for _, v := range after.VIPs {
		for _, id := range v.Sets {
			set := after.Set(id)
			if set == nil {
				return fmt.Errorf("VIP %s leads to set %s, which is not there", v.ID, id)
			}
			if !platform.ProfileOf(set.Platform).Address {
				return fmt.Errorf("VIP %s leads to a set of %s", v.ID, set.Platform)
			}
		}
		if len(v.Sets) > 2 {
			return fmt.Errorf("VIP %s leads to %d sets", v.ID, len(v.Sets))
		}
	}
	if len(after.VIPs) > 0 && len(after.VIPs[0].Sets) > 0 && !slices.Contains(after.VIPs[0].Sets, after.Active) {
		return fmt.Errorf("the first VIP leads to %v, names to %s", after.VIPs[0].Sets, after.Active)
	}
	return nil
}

// alike says whether all machines of a set that do not drain are deployed as one role.
func alike(set platform.Set) bool {
	roles := map[platform.Role]bool{}
	for _, m := range set.Machines {
		if m.Mode != platform.Draining {
			roles[m.Role] = true
		}
	}
	return len(roles) < 2
}

// leaves says whether a step drains a set that has no part to play while an address is still seen to lead to it.
func (s *sim) leaves(after platform.State) error {
	for _, set := range after.Sets {
		was := s.state.Set(set.ID)
		if was == nil || set.ID == after.Active || s.wish.Form(set) && !s.wish.Gone {
			continue
		}
		for _, m := range set.Machines {
			served := slices.ContainsFunc(was.Machines, func(o platform.Machine) bool { return o.ID == m.ID && o.Mode != platform.Draining })
			if !served || m.Mode != platform.Draining {
				continue
			}
			for vip, sets := range s.routes {
				if slices.Contains(sets, set.ID) {
					return fmt.Errorf("machine %s of %s drains while VIP %s leads to it", m.ID, set.Platform, vip)
				}
			}
		}
	}
	return nil
}

// placed checks where the machines of a set are: in update and fault domains, or in zones.
func placed(set platform.Set) error {
	p, slots := platform.ProfileOf(set.Platform), map[int]bool{}
	for _, m := range set.Machines {
		switch {
		case slots[m.Slot]:
			return fmt.Errorf("slot %d of %s is taken twice", m.Slot, set.Platform)
		case m.UpdateDomain != m.Slot%p.UpdateDomains || m.FaultDomain != m.Slot%p.FaultDomains:
			return fmt.Errorf("machine %+v of %s", m, set.Platform)
		case !p.Spread && m.Zone != "":
			return fmt.Errorf("a machine of %s is in zone %s", set.Platform, m.Zone)
		}
		slots[m.Slot] = true
	}
	return nil
}

// drained checks which machines a step takes away: a machine that drains never comes back, and without surge those of an
// active set go one update domain after another, unless there are more than needed.
func drained(was, is platform.Set, active bool, need int) error {
	listed, draining, domains := 0, 0, map[int]bool{}
	for _, m := range was.Machines {
		i := slices.IndexFunc(is.Machines, func(n platform.Machine) bool { return n.ID == m.ID })
		switch {
		case m.Mode == platform.Draining:
			draining++
			if i >= 0 && is.Machines[i].Mode != platform.Draining {
				return fmt.Errorf("machine %s came back", m.ID)
			}
			continue
		case i < 0:
			return fmt.Errorf("machine %s was forgotten while %s", m.ID, m.Mode)
		case is.Machines[i].Mode == platform.Draining:
			domains[m.UpdateDomain] = true
		}
		listed++
	}
	if active && !platform.ProfileOf(is.Platform).Surge && listed <= need && (len(domains) > 1 || len(domains) > 0 && draining > 0) {
		return fmt.Errorf("%s takes down update domains %v while %d machines drain", is.Platform, domains, draining)
	}
	return nil
}

// batched says whether a step begins to replace machines that serve before it may: a batch is a fifth at most, the one
// before must be whole, no more than a fifth of all and of the new ones unready, and the pause between them over.
func (s *sim) batched(d platform.Decision) error {
	was, is := s.state.Set(d.State.Active), d.State.Set(d.State.Active)
	if was == nil || is == nil || !platform.ProfileOf(is.Platform).Surge || !s.wish.Form(*is) {
		return nil
	}
	b := s.batch(*was)
	if d.Step == platform.StepServe && b.old > 0 {
		defer func() { s.served, s.servedBy = s.now, s.wanted(s.wish) }()
	}
	added := len(is.Machines) - len(was.Machines)
	if b.old == 0 || added <= max(0, s.wish.Machines()-b.young-b.old, min(1, b.aged-b.old)) {
		return nil
	}
	switch all := b.young + b.aged; {
	case b.parked > 0:
		return fmt.Errorf("a batch begins while %d machines of the one before do not serve", b.parked)
	case b.sickYoung*5 > b.young || (b.sickYoung+b.aged-b.old)*5 > all:
		return fmt.Errorf("a batch begins with %d of %d new machines unready, %d of %d in all", b.sickYoung, b.young, b.sickYoung+b.aged-b.old, all)
	case s.servedBy == s.wanted(s.wish) && s.now.Before(s.served.Add(s.pause)):
		return fmt.Errorf("a batch begins %v after the one before, the pause is %v", s.now.Sub(s.served), s.pause)
	}
	return nil
}

// wanted is what machines of a wish are started as.
func (s *sim) wanted(w platform.Wish) string { return fmt.Sprint(s.version(w), w.Hardware) }

// A batch counts the machines of a set in the middle of a walk: young ones are of the version and on the hardware that is
// wanted, and where they belong; old ones are not and serve, aged ones are not.
type batch struct {
	young, sickYoung, parked, aged, old int
}

func (s *sim) batch(set platform.Set) (b batch) {
	for _, m := range set.Machines {
		serves := s.serves(m.ID) && m.Mode == platform.Serving
		switch {
		case m.Mode == platform.Draining:
		case m.Gateway != s.version(s.wish) || m.Hardware != s.wish.Hardware || m.Faulty || !slices.Contains(s.homes(), m.Zone):
			b.aged++
			if serves {
				b.old++
			}
		default:
			b.young++
			if m.Mode == platform.Parked {
				b.parked++
			}
			if !serves {
				b.sickYoung++
			}
		}
	}
	return b
}

// homes are the zones in which machines of the wish belong: those that it lists, or, where a tier may list some, all
// that have power, or else none.
func (s *sim) homes() []string {
	switch {
	case !platform.ProfileOf(s.wish.Platform).Spread:
		return []string{""}
	case len(s.wish.Zones) > 0:
		return s.wish.Zones
	case !s.wish.Tier.Facts().Zones:
		return []string{""}
	}
	if up := slices.DeleteFunc(slices.Clone(s.zones), func(z string) bool { return slices.Contains(s.down, z) }); len(up) > 0 {
		return up
	}
	return s.zones
}

// skew is by how much the numbers of machines in the zones of the wish differ.
func (s *sim) skew(set platform.Set) int {
	low, high := 1<<30, 0
	for _, z := range s.homes() {
		n := 0
		for _, m := range set.Machines {
			if m.Zone == z && m.Mode != platform.Draining {
				n++
			}
		}
		low, high = min(low, n), max(high, n)
	}
	return high - low
}

// strays lists the machines that are in none of the zones of the wish.
func (s *sim) strays(set platform.Set) (ids []string) {
	for _, m := range set.Machines {
		if !slices.Contains(s.homes(), m.Zone) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// unpowered counts the machines of a set in zones without power.
func (s *sim) unpowered(set platform.Set) (n int) {
	for _, m := range set.Machines {
		if slices.Contains(s.down, m.Zone) {
			n++
		}
	}
	return n
}

// spreads says whether a step makes the zones of a set more uneven than they are, by more than one machine.
func (s *sim) spreads(after platform.State) error {
	for _, set := range after.Sets {
		if !s.wish.Form(set) || s.wish.Gone {
			continue
		}
		before := 0
		if was := s.state.Set(set.ID); was != nil {
			before = s.skew(*was)
		}
		if n := s.skew(set); n > max(1, before) {
			return fmt.Errorf("the zones of %s differ by %d, did by %d", set.Platform, n, before)
		}
	}
	return nil
}

// serves says whether a machine takes connections.
func (s *sim) serves(id string) bool {
	m := s.machines[id]
	return m != nil && (m.phase == platform.Ready || m.phase == platform.Asleep) && m.mode == platform.Serving
}

// standing counts the machines that take connections on the first VIP, or of a pool from the edge, and are to go on
// doing so by a record.
func (s *sim) standing(st platform.State) (n int) {
	for _, set := range st.Sets {
		leads := set.ID == st.Active
		if set.Platform != platform.MTv1 {
			leads = len(st.VIPs) > 0 && slices.Contains(st.VIPs[0].Sets, set.ID) && slices.Contains(s.routes[st.VIPs[0].ID], set.ID)
		}
		for _, m := range set.Machines {
			if leads && m.Mode == platform.Serving && s.serves(m.ID) {
				n++
			}
		}
	}
	return n
}

// spares says whether a step takes machines away that serve and are needed: whatever has failed, it leaves as many as
// wished for, or all that there are. What ends a move that is given up leaves those that served before it; in place one
// update domain may go while all new machines serve.
func (s *sim) spares(d platform.Decision) error {
	had, has := s.standing(s.state), s.standing(d.State)
	floor := s.wish.Machines()
	redeploys := d.Step == platform.StepDrain && s.redeploys && s.wish.Platform == platform.STv1
	if d.Step == platform.StepUnroute || redeploys {
		before := s.state
		before.Sets = slices.DeleteFunc(slices.Clone(before.Sets), func(set platform.Set) bool {
			return set.ID != before.Active || redeploys && s.wish.Form(set)
		})
		had = s.standing(before)
	}
	if has >= min(had, floor) {
		return nil
	}
	inPlace := d.Step == platform.StepDrain && s.wish.Platform == platform.STv1
	for _, set := range d.State.Sets {
		for _, m := range set.Machines {
			if inPlace && s.wish.Form(set) && m.Mode != platform.Draining && m.Gateway == s.version(s.wish) && !s.serves(m.ID) {
				return fmt.Errorf("an update domain is taken down while new machine %s does not serve", m.ID)
			}
		}
	}
	if inPlace {
		return nil
	}
	return fmt.Errorf("%q leaves %d machines of %d that serve, %d are promised", d.Step, has, had, floor)
}

// repairs says whether a step gives up machines that it should not: before their time, in the grace after others were
// added, too many of them, those of a zone without power, or those that decide about an operation.
func (s *sim) repairs(d platform.Decision) error {
	if d.Step != platform.StepRepair {
		return nil
	}
	for _, set := range d.State.Sets {
		was, all, more := s.state.Set(set.ID), 0, false
		limit := platform.ProfileOf(set.Platform).Repair
		for _, m := range set.Machines {
			o := s.machines[m.ID]
			if m.Faulty && m.Mode != platform.Draining && o.phase != platform.Ready {
				all++
			}
			switch {
			case !m.Faulty || was.Machines[slices.IndexFunc(was.Machines, func(w platform.Machine) bool { return w.ID == m.ID })].Faulty:
				continue
			case limit == 0:
				return fmt.Errorf("%s gives machine %s up", set.Platform, m.ID)
			case s.dark(o):
				return fmt.Errorf("machine %s is given up and has no power", m.ID)
			case o.phase != platform.Exited && o.phase != platform.Starting:
				return fmt.Errorf("machine %s is given up and %s", m.ID, o.phase)
			case s.now.Sub(o.since) < limit || o.phase == platform.Starting && s.now.Sub(o.since) < 4*limit:
				return fmt.Errorf("machine %s is given up after it was %s for %v", m.ID, o.phase, s.now.Sub(o.since))
			case s.now.Sub(set.Since) < grace:
				return fmt.Errorf("machine %s is given up %v after machines were added", m.ID, s.now.Sub(set.Since))
			case s.deadline > 0 && m.Mode == platform.Parked:
				return fmt.Errorf("machine %s is given up and decides about an operation", m.ID)
			}
			more = true
		}
		if more && all > max(1, s.wish.Machines()/5) {
			return fmt.Errorf("%d machines are given up, %d are needed", all, s.wish.Machines())
		}
	}
	return nil
}

// releases says whether a step takes off the record what is still there: an address that leads somewhere, a set that an
// address leads to, or a machine that runs.
func (s *sim) releases(after platform.State) error {
	for _, v := range s.state.VIPs {
		if after.VIP(v.ID) == nil && len(s.routes[v.ID]) > 0 {
			return fmt.Errorf("VIP %s is released and leads to %v", v.ID, s.routes[v.ID])
		}
	}
	for _, set := range s.state.Sets {
		is := after.Set(set.ID)
		for vip, sets := range s.routes {
			if is == nil && slices.Contains(sets, set.ID) {
				return fmt.Errorf("set %s is released and VIP %s leads to it", set.ID, vip)
			}
		}
		for _, m := range set.Machines {
			o := s.machines[m.ID]
			listed := is != nil && slices.ContainsFunc(is.Machines, func(n platform.Machine) bool { return n.ID == m.ID })
			if !listed && o != nil && o.phase != platform.Exited {
				return fmt.Errorf("machine %s is released and %s", m.ID, o.phase)
			}
		}
	}
	return nil
}
