package platform

import (
	"slices"
	"time"
)

// A Profile says how a platform version groups, walks and spreads machines.
type Profile struct {
	Platform Version
	// UpdateDomains is the number of groups that an in-place walk takes down one after another; FaultDomains the
	// number of groups that fail together. Slots go round both.
	UpdateDomains, FaultDomains int
	// Surge replaces a machine by a new one beside it; without it the old one goes first.
	Surge bool
	// Budgets of a walk by surge, as rolling upgrades of scale sets have them, in percent. Batch is the share of machines
	// that are replaced at a time, at least one; Unhealthy and UnhealthyNew are how many of all, and of the new ones, may
	// be unready when the next batch begins.
	Batch, Unhealthy, UnhealthyNew int
	// Spread places machines over zones so that the numbers per zone differ by at most one.
	Spread bool
	// Address gives each service its own VIP.
	Address bool
	// Repair replaces a machine that has not been ready for so long, a batch of them at a time and none for a while after
	// a change; 0 leaves it to the fabric's restarts.
	Repair time.Duration
}

// ProfileOf returns the profile of a version; the zero value for Undetermined.
func ProfileOf(v Version) Profile {
	switch v {
	case STv1:
		return Profile{Platform: STv1, UpdateDomains: 5, FaultDomains: 2, Address: true}
	case STv2:
		return Profile{
			Platform: STv2, UpdateDomains: 1, FaultDomains: 1, Surge: true, Batch: 20, Unhealthy: 20, UnhealthyNew: 20,
			Spread: true, Address: true, Repair: 30 * time.Second,
		}
	case V2: // little is published of it: here it is walked and spread as stv2 is
		return Profile{
			Platform: V2, UpdateDomains: 1, FaultDomains: 1, Surge: true, Batch: 20, Unhealthy: 20, UnhealthyNew: 20,
			Spread: true, Address: true, Repair: 30 * time.Second,
		}
	case MTv1:
		return Profile{
			Platform: MTv1, UpdateDomains: 1, FaultDomains: 1, Surge: true, Batch: 20, Unhealthy: 20, UnhealthyNew: 20,
			Repair: 30 * time.Second,
		}
	default:
		return Profile{}
	}
}

// startsWithin is how many times Repair a machine may take to become ready for the first time.
const startsWithin = 4

// batch is the number of machines that Batch allows of so many.
func (p Profile) batch(need int) int { return max(1, need*p.Batch/100) }

// zones lists where machines of a wish belong. A wish that lists zones is held to them; a tier that may list some
// and lists none is spread over whatever zones the fabric has; every other service is regional, which is the empty zone.
func (p Profile) zones(w Wish, fabric []string) []string {
	switch {
	case !p.Spread:
		return []string{""}
	case len(w.Zones) > 0:
		return slices.Sorted(slices.Values(w.Zones))
	case w.Tier.Facts().Zones && len(fabric) > 0:
		return slices.Sorted(slices.Values(fabric))
	}
	return []string{""}
}

// Machines is the number of machines that a wish needs. Units of the mtv1 pool are its workers.
func (w Wish) Machines() int {
	switch {
	case w.Gone:
		return 0
	case w.Platform == MTv1:
		return w.Units
	}
	return w.Units * w.Tier.Facts().Machines
}

// Form says whether a set is of the kind that the wish asks for: what differs in platform, listed zones or injection takes a
// new set, everything else changes the set that is there.
func (w Wish) Form(s Set) bool {
	return s.Platform == w.Platform && SameInjection(w.Injection, s.Injection) && sameZones(s.Zones, w.Zones)
}
