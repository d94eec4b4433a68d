package platform

import "time"

// giveUp marks machines that have not been ready for longer than restarts should take: the walk puts others in their
// place. There are never more of them than a batch, and none is marked for a while after machines were added, the ones
// that take their places included. A machine that comes back after all stays marked, and is not counted any more.
func (p *plan) giveUp(s *Set) (marked bool) {
	if p.profile.Repair == 0 {
		return false
	}
	room := p.profile.batch(p.need)
	for _, m := range s.Machines {
		if m.Faulty && m.Mode != Draining && !p.live(m) {
			room--
		}
	}
	for i, m := range s.Machines {
		at := p.brokenAt(m)
		if at.IsZero() || m.Mode == Draining || !p.right(m) {
			continue
		}
		if graced := s.Since.Add(p.Grace); graced.After(at) {
			at = graced
		}
		if p.Now.Before(at) {
			p.askAgain(at)
			continue
		}
		if room > 0 {
			s.Machines[i].Faulty, marked = true, true
			room--
		}
	}
	return marked
}

// brokenAt is when an unready machine counts as broken; zero for never. While a wish can fail, machines that it brought
// are not replaced: they decide about it.
func (p *plan) brokenAt(m Machine) time.Time {
	o, ok := p.Observation.Machines[m.ID]
	if !ok || o.Since.IsZero() || p.down(m.Zone) || p.Deadline > 0 && p.target != nil && p.fresh(m) {
		return time.Time{}
	}
	switch o.Phase {
	case Exited:
		return o.Since.Add(p.profile.Repair)
	case Starting:
		return o.Since.Add(startsWithin * p.profile.Repair)
	case Ready, Stopping, Asleep:
	}
	return time.Time{}
}
