package hosting

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/store"
)

// sweep removes what the fabric has and no record mentions: what a controller left that died between a commit and the
// calls that follow it. The inventory is read before the records, so whatever is made meanwhile is on record.
func (c *Controller) sweep(ctx context.Context) error {
	var inv fabric.Inventory
	for failures := 0; ; failures++ {
		var err error
		if inv, err = c.f.Inventory(ctx); err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.log.WarnContext(ctx, "fabric has no inventory yet", slog.Any("error", err))
		sleep(ctx, c.pause(failures))
	}
	known, hosts, err := c.known(ctx)
	if err != nil {
		return fmt.Errorf("read what is recorded: %w", err)
	}
	for host, sets := range inv.Hosts {
		if hosts[host] && slices.ContainsFunc(sets, func(id string) bool { return known[id] }) {
			continue
		}
		c.drop(ctx, "name", host, func() error {
			return c.f.Name(ctx, fabric.Lease{Epoch: c.epoch}, fabric.Names{Hosts: []string{host}})
		})
	}
	for _, s := range inv.Sets {
		if !known[s.ID] {
			c.drop(ctx, "delete", s.ID, func() error {
				return c.f.Delete(ctx, fabric.Lease{Service: s.Service, Epoch: c.epoch}, s.ID)
			})
		}
	}
	for _, v := range inv.VIPs {
		if !known[v.ID] {
			c.drop(ctx, "release", v.ID, func() error {
				return c.f.Release(ctx, fabric.Lease{Epoch: c.epoch}, v.ID)
			})
		}
	}
	if n, ok := c.f.(fabric.Networker); ok {
		for _, a := range inv.Attachments {
			if !known[a.ID] {
				c.drop(ctx, "detach", a.ID, func() error { return n.Detach(ctx, fabric.Lease{Epoch: c.epoch}, a.ID) })
			}
		}
	}
	return nil
}

// drop removes one leftover. What cannot be removed now is found again by the next sweep.
func (c *Controller) drop(ctx context.Context, doing, id string, f func() error) {
	if err := call(doing, id, f); err != nil {
		c.log.WarnContext(ctx, "leftover was not removed", slog.Any("error", err))
		return
	}
	c.log.InfoContext(ctx, "leftover removed", slog.String("kind", doing), slog.String("id", id))
}

// known collects the IDs of all sets, VIPs and injections on record, and the host names of services that serve.
func (c *Controller) known(ctx context.Context) (ids, hosts map[string]bool, err error) {
	ids, hosts = map[string]bool{}, map[string]bool{}
	err = c.st.View(ctx, func(r store.Reader) error {
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
				for _, e := range st.Endpoints {
					ids[e.Name()] = true
				}
				for _, l := range st.Locations() {
					for _, s := range l.Hosting.Sets {
						ids[s.ID] = true
						if s.Injection != nil {
							ids[s.Injection.ID] = true
						}
					}
					for _, v := range l.Hosting.VIPs {
						ids[v.ID], ids[v.Injection] = true, true
					}
					if t == typeService && l.Hosting.Active != "" && !inside(&l.Hosting, l.Hosting.Active) {
						hosts[c.regional(d.ID, l.Name)] = true
						for _, name := range c.general(d) {
							hosts[name] = true
						}
					}
				}
			}
		}
		return nil
	})
	return ids, hosts, err
}
