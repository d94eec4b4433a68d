package hosting

import (
	"context"
	"fmt"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// A VersionUse counts what uses a version of the gateway program.
type VersionUse struct {
	Services int // that should run it; those in a pool do what the pool does
	Machines int // that are listed with it
}

// Versions says which versions of the gateway program are in use, or are gone back to when an operation fails.
func (c *Controller) Versions(ctx context.Context) (map[string]VersionUse, error) {
	use := map[string]VersionUse{}
	err := c.st.View(ctx, func(r store.Reader) error {
		for _, t := range []string{typeService, typePool} {
			docs, err := r.List(store.Query{Type: t})
			if err != nil {
				return err
			}
			for _, d := range docs {
				st, err := statusOf(d)
				if err != nil {
					return err
				}
				c.countVersions(use, st, t == typeService)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read versions in use: %w", err)
	}
	return use, nil
}

func (c *Controller) countVersions(use map[string]VersionUse, st platform.ServiceStatus, isService bool) {
	count := func(version string, services, machines int) {
		if version == "" {
			version = c.opt.Gateway
		}
		u := use[version]
		use[version] = VersionUse{u.Services + services, u.Machines + machines}
	}
	for i, l := range st.Locations() {
		switch {
		case l.Wish.Gone:
		case isService && i == 0:
			count(l.Wish.Gateway, 1, 0)
		default:
			count(l.Wish.Gateway, 0, 0)
		}
		if l.Previous != nil {
			count(l.Previous.Gateway, 0, 0)
		}
		for _, s := range l.Hosting.Sets {
			for _, m := range s.Machines {
				count(m.Gateway, 0, 1)
			}
		}
	}
}
