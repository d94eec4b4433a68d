package platform

import (
	"net/http"
	"time"

	"github.com/portico-dev/portico/internal/arm"
)

// CodeNoWayBack is the code of the error that TurnBack returns.
const CodeNoWayBack = "NothingToRollBack"

// TurnBack gives every location of a service that was moved the wish that brings it back to the set it came from, while
// that is kept: on the platform, in the zones and in the network of then, with the tier and units of now. The planner
// takes it back as it has come, to the address that it had.
func (s *ServiceStatus) TurnBack(clock time.Time) *arm.Error {
	back := false
	for _, l := range s.Locations() {
		w := l.Wish
		if old := l.kept(clock); old != nil {
			if f := checkZones(Request{Tier: w.Tier, Units: w.Units, Zones: old.Zones}); len(f) > 0 {
				return f.err()
			}
			w.Platform, w.Zones, w.Injection, w.Address = old.Platform, old.Zones, old.Injection, PreserveIP
			w.Hardware = old.Hardware()
			back = true
		}
		l.want(w)
	}
	if !back {
		return &arm.Error{Status: http.StatusConflict, Code: CodeNoWayBack, Message: "The service has no old compute to go back to: it was not moved, or the coexistence window is over."}
	}
	return nil
}

// kept is the old set of the location while it is kept; nil when there is none.
func (l *Location) kept(clock time.Time) *Set {
	c := l.Hosting.Coexistence
	if l.Wish.Gone || c == nil || !clock.Before(c.Until) {
		return nil
	}
	return l.Hosting.Set(c.Set)
}
