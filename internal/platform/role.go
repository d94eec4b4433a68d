package platform

// A Role is what a machine of stv1 was deployed as. A cloud service deploys a role anew when its size changes, and the one
// machine of the tier Developer, which is smaller than others, also for what machines of other tiers take in one after
// another. Nothing serves meanwhile: callers wait.
type Role struct {
	// Size is Developer, or Standard for all other tiers; empty where it does not matter.
	Size Tier `json:"size,omitempty"`
	// Renewal is that of the wish that the machine was started for.
	Renewal string `json:"renewal,omitempty"`
}

// role is what machines of a wish are deployed as.
func (w Wish) role() Role {
	switch {
	case w.Platform != STv1 || w.Gone:
		return Role{}
	case w.Tier == Developer:
		return Role{Developer, w.Renewal}
	}
	return Role{Size: Standard}
}

// holds says whether a machine is deployed as the role asks.
func (r Role) holds(m Machine) bool { return m.Role == r }

// redeploy takes down the machines of an open set that are of another role, all at once and before others start.
func (p *plan) redeploy(s *Set) (drained bool) {
	for i, m := range s.Machines {
		if m.Mode != Draining && !p.role.holds(m) {
			s.Machines[i].Mode, drained = Draining, true
		}
	}
	return drained
}

// Renews says whether a change of what gateways answer to takes another machine: what the tier Developer has on stv1 is
// one machine, which is deployed anew.
func (w Wish) Renews() bool { return w.role().Size == Developer }
