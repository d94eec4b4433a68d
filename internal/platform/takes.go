package platform

import "time"

// What operations take in the cloud service, where that is documented: the lower figure of a range.
const (
	createTakes = 30 * time.Minute
	joinTakes   = 2 * time.Minute // creation of a Consumption service; for the v2 tiers the documents say "minutes"
	updateTakes = 15 * time.Minute
)

// Takes is how long the change of all locations to their wishes takes in the cloud service.
func (s *ServiceStatus) Takes() (longest time.Duration) {
	for _, l := range s.Locations() {
		takes := Takes(l.Previous, l.Wish)
		if l != &s.Location && s.Previous != nil && l.Previous == nil && !l.Wish.Gone {
			takes = updateTakes // a location more is an update of the service
		}
		longest = max(longest, takes)
	}
	return longest
}

// Takes is how long the change from one wish to the next takes in the cloud service; old is nil for a service that had
// none. No figures are published for deletions, and what changes nothing takes no time.
func Takes(old *Wish, w Wish) time.Duration {
	switch {
	case w.Gone:
		return 0
	case old == nil || old.Gone:
		if w.Platform == MTv1 || w.Platform == V2 {
			return joinTakes
		}
		return createTakes
	}
	if s, ok := ScenarioOf(*old, w); ok {
		return s.Lock
	}
	return updateTakes
}
