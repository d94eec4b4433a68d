package hosting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// tell makes the fabric true: what differs from what it was last told, and everything after a start. The order keeps
// connections safe: addresses first, then the sets that routes lead to, then routes and names, then what may be parked
// or drained, then what goes. An address that could not be opened is late: it holds nothing else up. Nor does a place
// where something else went wrong, which is noted there: names lead past it. The error is one that ends the turn.
func (c *Controller) tell(ctx context.Context, w *worker, rec *record, places []*place) error {
	tellings := make([]*telling, len(places))
	for i, p := range places {
		tellings[i] = c.telling(w, rec.lease(c.epoch), p)
		defer tellings[i].remember()
		if p.late, p.err = tellings[i].open(ctx); errors.Is(p.err, errChanged) {
			return p.err
		}
	}
	misnamed := c.names(ctx, w, rec, places)
	for i, p := range places {
		if p.err == nil {
			p.err = misnamed
		}
		if p.err == nil {
			p.err = tellings[i].rest(ctx)
		}
	}
	if troubles(places) != nil {
		return nil //nolint:nilerr // places tell it
	}
	if err := c.endpoints(ctx, w, rec, rec.lease(c.epoch)); err != nil {
		places[0].late = fmt.Errorf("%v", err) //nolint:errorlint // it says nothing about an operation
	}
	return c.detach(ctx, w, rec.lease(c.epoch), places)
}

// telling is one run of tell at one place.
type telling struct {
	*Controller
	*place
	worker *worker
	lease  fabric.Lease
	told   *platform.State // as far as known
}

func (c *Controller) telling(w *worker, l fabric.Lease, p *place) *telling {
	told := w.told[p.Name]
	if told == nil {
		told = &platform.State{}
	}
	return &telling{Controller: c, place: p, worker: w, lease: l, told: told}
}

// remember notes what the fabric was told, if that is anything: of a service that lives in a pool it is nothing.
func (t *telling) remember() {
	if t.told.Empty() {
		delete(t.worker.told, t.Name)
	} else {
		keep(&t.worker.told, t.Name, t.told)
	}
}

// open tells the fabric what must hold before names lead to a place.
func (t *telling) open(ctx context.Context) (late, err error) {
	if err := t.attach(ctx); err != nil {
		return nil, err
	}
	if late, err = t.addresses(ctx); err != nil {
		return nil, err
	}
	for _, s := range t.Hosting.Sets {
		if t.leads(s.ID) || t.told.Set(s.ID) == nil {
			if err := t.apply(ctx, s); err != nil {
				return late, err
			}
		}
	}
	for _, v := range t.Hosting.VIPs {
		if err := t.route(ctx, v); err != nil {
			return late, err
		}
	}
	return late, nil
}

// rest tells the fabric what may be once names lead to where they should.
func (t *telling) rest(ctx context.Context) error {
	for _, s := range t.Hosting.Sets {
		if err := t.apply(ctx, s); err != nil {
			return err
		}
	}
	return t.remove(ctx)
}

// unrouted stands for the route of an address of which it is not known.
const unrouted = "?"

// call makes one call to the fabric, between two failpoints.
func call(doing, id string, f func() error) error {
	failpoint.Hit("hosting." + doing + ".before")
	if err := f(); err != nil {
		return fmt.Errorf("%s %s: %w", doing, id, err)
	}
	failpoint.Hit("hosting." + doing + ".after")
	return nil
}

// leads says whether names or routes lead to a set.
func (t *telling) leads(id string) bool {
	return id == t.Hosting.Active || slices.ContainsFunc(t.Hosting.VIPs, func(v platform.VIP) bool { return slices.Contains(v.Sets, id) })
}

// addresses opens the addresses of all VIPs. Why one could not be opened that leads nowhere yet is late: it holds
// nothing else up.
func (t *telling) addresses(ctx context.Context) (late, err error) {
	for _, v := range t.Hosting.VIPs {
		if told := t.told.VIP(v.ID); told != nil && told.Address == v.Address && v.Address != "" {
			continue
		}
		err := t.reserve(ctx, v)
		switch {
		case err != nil && (errors.Is(err, errChanged) || len(v.Sets) > 0):
			return nil, err
		case err != nil:
			late = errors.Join(late, err)
		default:
			t.told.VIPs = append(t.told.VIPs, platform.VIP{ID: v.ID, Address: v.Address, Sets: []string{unrouted}})
		}
	}
	return late, nil
}

// reserve opens the address of a VIP; a new one it commits, which ends the turn's look at the record.
func (t *telling) reserve(ctx context.Context, v platform.VIP) error {
	var taken []string
	if v.Address == "" {
		var err error
		if taken, err = t.taken(ctx, v); err != nil {
			return err
		}
	}
	address := ""
	err := call("reserve", v.ID, func() (err error) {
		address, err = t.f.Reserve(ctx, t.lease, v, taken)
		return err
	})
	switch {
	case err != nil:
		return err
	case v.Address == "":
		return t.commitAddress(ctx, v, address)
	case v.Address != address:
		return fmt.Errorf("reserve %s: the fabric opened %s instead of %s", v.ID, address, v.Address)
	}
	return nil
}

// commitAddress records the address of a VIP, unless it belongs to somebody else by now. It returns errChanged: what was read is
// no longer what is stored.
func (t *telling) commitAddress(ctx context.Context, v platform.VIP, address string) error {
	id := v.ID
	errTaken := errors.New("the address belongs to somebody else")
	err := t.commit(ctx, t.worker, t.record, func(tx store.Tx, st *platform.ServiceStatus) (bool, error) {
		all, err := t.others(tx, v)
		if err != nil {
			return false, err
		}
		if slices.Contains(all, address) {
			return false, errTaken
		}
		for _, l := range st.Locations() {
			if v := l.Hosting.VIP(id); v != nil {
				v.Address, v.Since = address, tx.Seq()+1
			}
		}
		return true, nil
	})
	if errors.Is(err, errTaken) {
		return errors.Join(err, call("release", id, func() error { return t.f.Release(ctx, t.lease, id) }))
	}
	if err != nil {
		return err
	}
	t.told.VIPs = append(t.told.VIPs, platform.VIP{ID: id, Address: address})
	return errChanged
}

// taken lists the addresses that belong to others than the VIP.
func (t *telling) taken(ctx context.Context, v platform.VIP) (out []string, err error) {
	err = t.st.View(ctx, func(r store.Reader) error {
		out, err = t.others(r, v)
		return err
	})
	return out, err
}

// apply lists the machines of a set to the fabric.
func (t *telling) apply(ctx context.Context, s platform.Set) error {
	told := t.told.Set(s.ID)
	if told != nil && slices.Equal(told.Machines, s.Machines) {
		return nil
	}
	if s.Platform == platform.MTv1 {
		s.Sleep = t.opt.Clock.Pace().Takes(t.opt.Sleep)
	}
	if err := call("apply", s.ID, func() error { return t.f.Apply(ctx, t.lease, s) }); err != nil {
		return err
	}
	s.Machines = slices.Clone(s.Machines)
	if told != nil {
		*told = s
	} else {
		t.told.Sets = append(t.told.Sets, s)
	}
	return nil
}

// route tells the fabric which sets accept on a VIP.
func (t *telling) route(ctx context.Context, v platform.VIP) error {
	told := t.told.VIP(v.ID)
	if told == nil || slices.Equal(told.Sets, v.Sets) {
		return nil
	}
	if err := call("route", v.ID, func() error { return t.f.Route(ctx, t.lease, v) }); err != nil {
		return err
	}
	told.Sets = slices.Clone(v.Sets)
	return nil
}

// remove takes away what the fabric was told of and the record no longer lists.
func (t *telling) remove(ctx context.Context) error {
	for _, s := range slices.Clone(t.told.Sets) {
		if t.Hosting.Set(s.ID) != nil {
			continue
		}
		if err := call("delete", s.ID, func() error { return t.f.Delete(ctx, t.lease, s.ID) }); err != nil {
			return err
		}
		t.told.Sets = slices.DeleteFunc(t.told.Sets, func(o platform.Set) bool { return o.ID == s.ID })
	}
	for _, v := range slices.Clone(t.told.VIPs) {
		if t.Hosting.VIP(v.ID) != nil {
			continue
		}
		if err := call("release", v.ID, func() error { return t.f.Release(ctx, t.lease, v.ID) }); err != nil {
			return err
		}
		t.told.VIPs = slices.DeleteFunc(t.told.VIPs, func(o platform.VIP) bool { return o.ID == v.ID })
	}
	return nil
}

// clear removes what a document that is gone had listed.
func (c *Controller) clear(ctx context.Context, w *worker) error {
	l := fabric.Lease{Service: w.key, Epoch: c.epoch}
	if strings.HasPrefix(w.key, poolPrefix) {
		l.Service = ""
	} else if err := c.unname(ctx, w, l); err != nil {
		return err
	}
	for name := range w.told {
		p := &place{Location: &platform.Location{Name: name}}
		t := c.telling(w, l, p)
		err := t.remove(ctx)
		if t.remember(); err != nil {
			return err
		}
	}
	if err := errors.Join(c.endpoints(ctx, w, &record{}, l), c.detach(ctx, w, l, nil)); err != nil {
		return err
	}
	c.own(w, platform.ServiceStatus{}, 0)
	c.leavePool(ctx, w)
	return nil
}
