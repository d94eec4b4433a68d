package hosting

import (
	"context"
	"fmt"
	"slices"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/network"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// endpoints has the private endpoints of a service lead to the set that serves at its primary location, and takes away
// those that are there no more. The planner knows nothing of them: they follow.
func (c *Controller) endpoints(ctx context.Context, w *worker, rec *record, l fabric.Lease) error {
	n, ok := c.f.(fabric.Networker)
	if !ok {
		return nil
	}
	wanted := map[string]bool{}
	for _, e := range rec.status.Endpoints {
		wanted[e.Name()] = true
		if err := c.endpoint(ctx, w, n, l, e, rec.status.Hosting.Active); err != nil {
			return fmt.Errorf("private endpoint %s: %w", e.ID, err)
		}
	}
	return c.dropEndpoints(ctx, w, n, l, wanted)
}

func (c *Controller) endpoint(ctx context.Context, w *worker, n fabric.Networker, l fabric.Lease, e platform.Endpoint, set string) error {
	v, name := e.VIP(set), e.Name()
	told, ok := w.endpoints[name]
	if !ok {
		a, err := c.endpointAttachment(ctx, e)
		if a == nil || err != nil {
			return err
		}
		if err := call("attach", name, func() error { return n.Attach(ctx, l, *a, nil) }); err != nil {
			return err
		}
		err = call("reserve", name, func() error {
			_, err := c.f.Reserve(ctx, l, v, nil)
			return err
		})
		if err != nil {
			return err
		}
		keep(&w.endpoints, name, nil)
	}
	if ok && slices.Equal(told, v.Sets) {
		return nil
	}
	if err := call("route", name, func() error { return c.f.Route(ctx, l, v) }); err != nil {
		return err
	}
	keep(&w.endpoints, name, slices.Clip(v.Sets))
	return nil
}

func (c *Controller) endpointAttachment(ctx context.Context, e platform.Endpoint) (a *platform.Attachment, err error) {
	err = c.st.View(ctx, func(r store.Reader) error {
		subnet, err := network.Subnet(r, e.Subnet)
		if err == nil && subnet != nil {
			made := subnet.AttachEndpoint(e)
			a = &made
		}
		return err
	})
	return a, err
}

// dropEndpoints takes away the endpoints that are not wanted.
func (c *Controller) dropEndpoints(ctx context.Context, w *worker, n fabric.Networker, l fabric.Lease, wanted map[string]bool) error {
	for name := range w.endpoints {
		if wanted[name] {
			continue
		}
		if err := call("release", name, func() error { return c.f.Release(ctx, l, name) }); err != nil {
			return err
		}
		if err := call("detach", name, func() error { return n.Detach(ctx, l, name) }); err != nil {
			return err
		}
		delete(w.endpoints, name)
	}
	return nil
}
