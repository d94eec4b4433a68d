package hosting

import (
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Forecast says what it means for a service that its status becomes another one, location by location: the planner is
// asked what it would do, and nobody does it.
func (c *Controller) Forecast(service string, next platform.ServiceStatus) []platform.Outlook {
	rec := &record{doc: store.Document{ID: service}, status: next.Clone()}
	var out []platform.Outlook
	for _, p := range rec.places() {
		out = append(out, platform.Foresee(c.input(p, platform.Observation{}), p.Previous))
	}
	return out
}
