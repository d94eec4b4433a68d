package hosting

import (
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Forecast says what it means for a service that its status becomes another one, location by location: the planner is
// asked what it would do in the zones that have power, and nobody does it.
func (c *Controller) Forecast(service string, next platform.ServiceStatus) []platform.Outlook {
	rec := &record{doc: store.Document{ID: service}, status: next.Clone()}
	seen := platform.Observation{Down: c.downZones()}
	var out []platform.Outlook
	for _, p := range rec.places() {
		out = append(out, platform.Foresee(c.input(p, seen), p.Previous))
	}
	return out
}

// downZones are the zones that were without power when the fabric was last looked at.
func (c *Controller) downZones() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down
}

func (c *Controller) noteDown(zones []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = zones
}
