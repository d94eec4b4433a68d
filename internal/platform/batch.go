package platform

import "fmt"

// replacing counts the machines that serve, or could, and are to be replaced.
func (p *plan) replacing(s *Set, t tally) int { return len(t.bad) - p.unready(s, t.bad) }

// mayReplace says whether a walk by surge may begin to replace machines that serve: the batch before is whole, those that
// are unready are within the budgets, and the pause between two batches is over. What replaces nothing that serves, such
// as a machine in the place of a dead one, asks for none of this.
func (p *plan) mayReplace(s *Set, t tally) bool {
	if !p.open(s) {
		return true
	}
	for _, i := range t.good {
		if s.Machines[i].Mode == Parked {
			return false
		}
	}
	ofNew := p.unready(s, t.good)
	ofAll := ofNew + p.unready(s, t.bad)
	if share(len(t.good), p.profile.UnhealthyNew) < ofNew || share(len(t.good)+len(t.bad), p.profile.Unhealthy) < ofAll {
		p.waits(fmt.Sprintf("no further machines are replaced: %d of %d are not ready", ofAll, len(t.good)+len(t.bad)))
		return false
	}
	// A walk that turns round does not wait: the pause is for finding out about the version before.
	if until := s.Batch.Served.Add(p.Pause); s.Batch.Gateway == p.gateway && s.Batch.Hardware == p.Wish.Hardware && p.Pause > 0 && p.Clock.Before(until) {
		p.dueBy(until)
		p.waits("the pause between two batches")
		return false
	}
	return true
}

// share is so many percent of a number, rounded down.
func share(n, percent int) int { return n * percent / 100 }
