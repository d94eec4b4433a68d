package hosting

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/network"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// injections lists the injections that the machines and addresses of a place are in, with the newest platform of each.
func (p *place) injections() map[platform.Injection]platform.Version {
	out := map[platform.Injection]platform.Version{}
	for _, s := range p.Hosting.Sets {
		if s.Injection != nil && out[*s.Injection] != platform.STv2 {
			out[*s.Injection] = s.Platform
		}
	}
	return out
}

// attach tells the fabric of the virtual networks that a place is in, and again when their rules have changed. A subnet
// that is gone stays as it was told last.
func (t *telling) attach(ctx context.Context) error {
	for in, v := range t.injections() {
		a, avoid, err := t.attachment(ctx, in, v)
		if err != nil {
			return err
		}
		if told, ok := t.worker.attached[in.ID]; a == nil || ok && reflect.DeepEqual(told, *a) {
			continue
		}
		n, ok := t.f.(fabric.Networker)
		if !ok {
			return fmt.Errorf("attach %s: %w: it makes no virtual networks", in.ID, fabric.ErrImpossible)
		}
		if err := call("attach", in.ID, func() error { return n.Attach(ctx, t.lease, *a, avoid) }); err != nil {
			return err
		}
		keep(&t.worker.attached, in.ID, *a)
		t.network(t.worker.key)
	}
	return nil
}

// attachment reads what the fabric is to make of an injection; nil when its subnet is gone. Where the platform picked the
// public address, it stays the one that is on record.
func (t *telling) attachment(ctx context.Context, in platform.Injection, v platform.Version) (a *platform.Attachment, avoid []string, err error) {
	err = t.st.View(ctx, func(r store.Reader) error {
		subnet, err := network.Subnet(r, in.Subnet)
		if err != nil || subnet == nil {
			return err
		}
		made := subnet.Attach(in, v)
		if to := t.wish(); len(made.NAT) == 0 && to.NAT != "" && platform.SameInjection(to.Injection, &in) {
			made.NAT = []string{to.NAT} // the subnet's own comes before the platform's
		}
		except := ""
		for _, vip := range t.Hosting.VIPs {
			if vip.Injection == in.ID && !vip.Inside && made.Address == "" { // the first is the one that names lead to
				made.Address, except = vip.Address, vip.ID
			}
		}
		a = &made
		avoid, err = t.held.Addresses(r, except)
		return err
	})
	return a, avoid, err
}

// detach takes away what the fabric was told to attach and no place of the service needs any more.
func (c *Controller) detach(ctx context.Context, w *worker, l fabric.Lease, places []*place) error {
	needed := map[string]bool{}
	for _, p := range places {
		for in := range p.injections() {
			needed[in.ID] = true
		}
		for _, v := range p.Hosting.VIPs {
			needed[v.Injection] = true
		}
	}
	for id := range w.attached {
		if needed[id] {
			continue
		}
		n, ok := c.f.(fabric.Networker)
		if !ok {
			return nil
		}
		if err := call("detach", id, func() error { return n.Detach(ctx, l, id) }); err != nil {
			return err
		}
		delete(w.attached, id)
	}
	return nil
}

// network notes that a service is in a virtual network: what happens to networks concerns it.
func (c *Controller) network(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.injected[key] = true
}

// networksChanged wakes the services in virtual networks.
func (c *Controller) networksChanged(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.injected {
		c.start(ctx, c.worker(key))
	}
}

// inside says whether the gateway of a set is reached from inside its virtual network alone.
func inside(s *platform.State, set string) bool {
	have := s.Set(set)
	return have != nil && have.Injection != nil && have.Injection.Mode == platform.Internal
}

// others lists the addresses that a VIP may not have.
func (t *telling) others(r store.Reader, v platform.VIP) ([]string, error) {
	if !v.Inside {
		all, err := t.held.Addresses(r, v.ID)
		return slices.DeleteFunc(all, func(a string) bool { return a == v.Wanted }), err
	}
	for in := range t.injections() {
		if in.ID == v.Injection {
			return network.InsideAddresses(r, in.Subnet, v.ID)
		}
	}
	return nil, nil
}
