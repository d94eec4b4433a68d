package management

import (
	"cmp"

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
			Zones: o.Texts("zones"), Zoneless: w.zoneless(o.Text("location")), Disabled: o.Flag("disableGateway"),
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
		if e.NAT, err = w.nat(o.Text("natGatewayState"), e.Location, e.Old); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// zoneless says whether a location has no availability zones.
func (q *request) zoneless(location string) bool {
	l, ok := q.env.Location(location)
	return ok && len(l.Zones) == 0
}

// migrateAll makes the wish of every location one for stv2. It is refused if one of those on stv1 cannot be migrated, or
// none is there: a service counts as migrated when all of them are.
func (q *request) migrateAll(tx store.Tx, doc store.Document, st *platform.ServiceStatus, r platform.Request) error {
	o, err := q.engine.Open(doc)
	if err != nil {
		return err
	}
	w := &serviceWrite{request: q, tx: tx, place: &place{id: doc.ID}}
	w.change.New = o
	var first *arm.Error
	r.Newest = q.opt.Newest
	wishes, moves := []platform.LocationWish{}, false
	for i, l := range st.Locations() {
		if i > 0 && l.Wish.Gone { // what is listed no longer goes
			continue
		}
		r.APIVersion, r.Old, r.Tier, r.Units, r.Zones = string(q.version), &l.Wish, l.Wish.Tier, l.Wish.Units, l.Wish.Zones
		subnet, publicIP := "", ""
		if p := l.Wish.Injection; p != nil {
			subnet, publicIP = p.Subnet, p.PublicIP
		}
		if r.Network, err = w.networkAt(l.Name, subnet, publicIP); err != nil {
			return err
		}
		to, refused := q.opt.Decide(r)
		switch {
		case refused == nil:
			moves = true
		case l.Wish.Platform == platform.STv1:
			return refused
		default:
			to, first = l.Wish, cmp.Or(first, refused)
		}
		wishes = append(wishes, platform.LocationWish{Location: l.Name, Wish: to})
	}
	if !moves {
		return first
	}
	st.Want(wishes[0].Wish, wishes[1:])
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
