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
	if was == nil || is == nil || !platform.ProfileOf(is.Platform).Surge || !s.wish.Form(*is) || len(s.down) > 0 {
		return nil
	}
	b := s.batch(*was)
	if d.Step == platform.StepServe && b.old > 0 {
		defer func() { s.served, s.servedBy = s.now, s.gateway }()
	}
	added := len(is.Machines) - len(was.Machines)
	if b.misplaced || b.old == 0 || added <= max(0, s.wish.Machines()-b.young-b.old, min(1, b.aged-b.old)) {
		return nil
	}
	switch all := b.young + b.aged; {
	case b.parked > 0:
		return fmt.Errorf("a batch begins while %d machines of the one before do not serve", b.parked)
	case b.sickYoung*5 > b.young || (b.sickYoung+b.aged-b.old)*5 > all:
		return fmt.Errorf("a batch begins with %d of %d new machines unready, %d of %d in all", b.sickYoung, b.young, b.sickYoung+b.aged-b.old, all)
	case s.servedBy == s.gateway && s.now.Before(s.served.Add(s.pause)):
		return fmt.Errorf("a batch begins %v after the one before, the pause is %v", s.now.Sub(s.served), s.pause)
	}
	return nil
}

// A batch counts the machines of a set in the middle of a walk: young ones are of the version that is wanted, old ones
// are not and serve, aged ones are not.
type batch struct {
	young, sickYoung, parked, aged, old int
	misplaced                           bool // some are where the wish does not want them
}

func (s *sim) batch(set platform.Set) (b batch) {
	for _, m := range set.Machines {
		o := s.machines[m.ID]
		serves := o != nil && (o.phase == platform.Ready || o.phase == platform.Asleep) && o.mode == platform.Serving && m.Mode == platform.Serving
		zoned := s.wish.Tier.Facts().Zones && set.Platform != platform.MTv1
		b.misplaced = b.misplaced || zoned != (m.Zone != "")
		switch {
		case m.Mode == platform.Draining:
		case m.Gateway != s.gateway || m.Faulty:
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
