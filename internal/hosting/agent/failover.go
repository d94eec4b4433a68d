package agent

import (
	"log/slog"
	"slices"
)

// pointHost notes which sets may take the connections of a host. a.mu is held.
func (a *agent) pointHost(host string, sets []string) {
	delete(a.several, host)
	if len(sets) == 0 {
		delete(a.hosts, host)
	} else {
		a.hosts[host] = slices.Clone(sets)
	}
	if len(sets) > 1 {
		a.several[host] = a.leadsTo(host)
	}
	a.edge.markHost(host)
}

// leadsTo is the set that takes the connections of a host now: the first of its sets with a machine that does. Where
// none has one they wait for the first. Empty for a host that is not served. a.mu is held.
func (a *agent) leadsTo(host string) string {
	sets := a.hosts[host]
	if len(sets) > 1 {
		if i := slices.IndexFunc(sets, a.takes); i >= 0 {
			return sets[i]
		}
	}
	if len(sets) == 0 {
		return ""
	}
	return sets[0]
}

// takes says whether a machine of a set takes connections from its intake. a.mu is held.
func (a *agent) takes(id string) bool {
	s := a.sets[id]
	if s == nil {
		return false
	}
	for _, m := range s.machines {
		if m.mayAccept() && m.acked.Intake {
			return true
		}
	}
	return false
}

// failOver has the edge told of the hosts whose connections another set takes now. a.mu is held.
func (a *agent) failOver() {
	for host, was := range a.several {
		if now := a.leadsTo(host); now != was {
			a.several[host] = now
			a.edge.markHost(host)
			a.log.Info("host leads to another set", slog.String("host", host), slog.String("was", was), slog.String("now", now))
		}
	}
}
