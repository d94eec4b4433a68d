package main

import (
	"context"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/platform"
)

// dependencies are what the gateways of a service at a location need: the configuration that the control plane publishes.
func (c *controlPlane) dependencies(ctx context.Context, service, location string) []management.Dependency {
	units, err := c.controller.Units(ctx, service)
	if err != nil {
		return nil
	}
	d := management.Dependency{Name: "Configuration", Type: "Configuration"}
	for _, l := range units.Locations {
		if l.Location != location {
			continue
		}
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				if m.Since.After(d.Since) {
					d.Since = m.Since
				}
				if s.Active && m.Phase != platform.Ready && m.Phase != platform.Asleep {
					d.Trouble = "machine " + m.ID + " has no configuration: it is " + string(m.Phase)
				}
			}
		}
	}
	return []management.Dependency{d}
}
