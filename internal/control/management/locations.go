package management

import (
	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// elsewhere reads what the new object asks for at additional locations.
func (w *serviceWrite) elsewhere() (out []platform.Elsewhere, err error) {
	for _, o := range resource.AdditionalLocations(w.change.New) {
		e := platform.Elsewhere{
			Location: resource.NormalLocation(o.Text("location")), Tier: platform.Tier(o.Text("sku.name")),
			Zones: o.Texts("zones"), Disabled: o.Flag("disableGateway"),
		}
		if tier, ok := w.opt.ParseTier(o.Text("sku.name")); ok {
			e.Tier = tier
			o.Set("sku.name", string(tier))
		}
		units, _ := o.Number("sku.capacity")
		e.Units = int(units)
		if e.Network, err = w.networkAt(e.Location, o.Text("virtualNetworkConfiguration.subnetResourceId"), o.Text("publicIpAddressId")); err != nil {
			return nil, err
		}
		for i := range w.status.Others {
			if l := &w.status.Others[i]; l.Name == e.Location {
				e.Old = &l.Wish
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// migrateAll makes the wish of every location one for stv2. It is refused if none of them can be migrated: a service
// counts as migrated when all of them are.
func (q *request) migrateAll(st *platform.ServiceStatus, r platform.Request) *arm.Error {
	migrate := func(w platform.Wish) (platform.Wish, *arm.Error) {
		r.APIVersion, r.Old, r.Tier, r.Units, r.Zones = string(q.version), &w, w.Tier, w.Units, w.Zones
		return q.opt.Decide(r)
	}
	_, refused := migrate(st.Wish)
	for _, l := range st.Others {
		if _, err := migrate(l.Wish); err == nil {
			refused = nil
		}
	}
	if refused != nil {
		return refused
	}
	st.Change(func(w platform.Wish) platform.Wish {
		if to, err := migrate(w); err == nil {
			return to
		}
		return w
	})
	return nil
}

// regions lists the locations of a service, those that are about to go too.
func regions(q *request, _ store.Reader, p *place) ([]any, error) {
	st := serviceStatus(p.doc)
	var out []any
	for i, l := range st.Locations() {
		name := l.Name
		if loc, ok := q.env.Location(name); ok {
			name = loc.Display
		}
		out = append(out, map[string]any{"name": name, "isMasterRegion": i == 0, "isDeleted": l.Wish.Gone})
	}
	return out, nil
}
