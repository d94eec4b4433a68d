package platform

import "time"

// What operations take in the cloud service, where that is documented: the lower figure of a range.
const (
	createTakes  = 30 * time.Minute
	joinTakes    = 2 * time.Minute // creation of a Consumption service
	updateTakes  = 15 * time.Minute
	newIPTakes   = 30 * time.Minute // migration to stv2; the old set is kept for the rest of the 45 minutes
	sameVIPTakes = 45 * time.Minute
)

// Takes is how long the change from one wish to the next takes in the cloud service; old is nil for a service that had
// none. No figures are published for deletions, and what changes nothing takes no time.
func Takes(old *Wish, w Wish) time.Duration {
	switch {
	case w.Gone:
		return 0
	case old == nil || old.Gone:
		if w.Platform == MTv1 {
			return joinTakes
		}
		return createTakes
	case old.Platform == STv1 && w.Platform == STv2 && w.Address != NewIP:
		return sameVIPTakes
	case old.Platform == STv1 && w.Platform == STv2:
		return newIPTakes
	}
	return updateTakes
}
