package inproc

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// Observe implements fabric.Fabric.
func (f *Fabric) Observe(_ context.Context, sets ...string) (platform.Observation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := platform.Observation{Machines: map[string]platform.MachineStatus{}, VIPs: make(map[string][]string, len(f.vips))}
	if len(sets) == 0 {
		sets = slices.Collect(maps.Keys(f.sets))
	}
	for _, id := range sets {
		if s := f.sets[id]; s != nil {
			for mid, m := range s.machines {
				o.Machines[mid] = m.observed()
			}
		}
	}
	for id := range f.vips {
		o.VIPs[id] = []string{}
	}
	for id, s := range f.sets {
		for _, m := range s.machines {
			for v := range m.listeners {
				if !slices.Contains(o.VIPs[v], id) {
					o.VIPs[v] = append(o.VIPs[v], id)
				}
			}
		}
	}
	for _, sets := range o.VIPs {
		slices.Sort(sets)
	}
	return o, nil
}

// Inventory implements fabric.Fabric.
func (f *Fabric) Inventory(context.Context) (fabric.Inventory, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	inv := fabric.Inventory{Sets: []platform.Set{}, VIPs: []platform.VIP{}, Hosts: maps.Clone(f.hosts)}
	for _, id := range slices.Sorted(maps.Keys(f.attached)) {
		inv.Attachments = append(inv.Attachments, f.attached[id])
	}
	for _, s := range f.sets {
		if s.listed {
			spec := s.spec
			spec.Machines = slices.Clone(spec.Machines)
			inv.Sets = append(inv.Sets, spec)
		}
	}
	for _, v := range f.vips {
		inv.VIPs = append(inv.VIPs, platform.VIP{ID: v.id, Address: v.address, Sets: slices.Clone(v.want)})
	}
	slices.SortFunc(inv.Sets, func(a, b platform.Set) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(inv.VIPs, func(a, b platform.VIP) int { return cmp.Compare(a.ID, b.ID) })
	return inv, nil
}

// Wait implements fabric.Fabric.
func (f *Fabric) Wait(ctx context.Context, after int64) (int64, error) {
	for {
		f.mu.Lock()
		n, changed := f.changes, f.changed
		f.mu.Unlock()
		if n > after {
			return n, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
