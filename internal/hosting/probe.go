package hosting

import (
	"context"
	"fmt"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Probe asks whether the gateways of a service at a location reach something. It returns store.ErrNotFound for a service
// that does not run there.
func (c *Controller) Probe(ctx context.Context, serviceID, location string, p platform.Probe) (platform.Reach, error) {
	rec, err := c.load(ctx, store.Key(serviceID))
	if err != nil {
		return platform.Reach{}, err
	}
	n, ok := c.f.(fabric.Prober)
	if rec == nil || !ok {
		return platform.Reach{}, fmt.Errorf("probe from %s: %w", serviceID, store.ErrNotFound)
	}
	for _, l := range rec.status.Locations() {
		if l.Name != location || l.Hosting.Active == "" {
			continue
		}
		if set := l.Hosting.Set(l.Hosting.Active); set != nil && set.Injection != nil {
			p.Injection = set.Injection.ID
		}
		return n.Probe(ctx, p)
	}
	return platform.Reach{}, fmt.Errorf("probe from %s in %s: %w", serviceID, location, store.ErrNotFound)
}
