package hosting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// fillPool makes up what a pool should be: there while a service lives in it.
func (r *record) fillPool(from store.Reader) error {
	location := r.doc.ID[len(poolPrefix)+1:]
	lived, err := livesIn(from, location, r.members)
	if err != nil {
		return err
	}
	r.status, err = poolStatus(r.doc)
	r.status.Name = location
	r.status.Wish.Gone = !lived
	return err
}

// poolStatus decodes the status of a pool, whose wish is made up but for the version of the gateway. Previous is set
// while an upgrade of one of its services is under way.
func poolStatus(d store.Document) (platform.ServiceStatus, error) {
	st, err := statusOf(d)
	st.Wish = poolWish(st.Wish.Gateway)
	return st, err
}

// livesIn says whether any service lives in the pool of a location, or has a name that still leads there. It asks those
// first that are known to have been members: there may be thousands.
func livesIn(r store.Reader, location string, known []string) (bool, error) {
	for _, key := range known {
		d, err := r.Get(key)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if in, err := inPoolOf(d, location); in || err != nil {
			return in, err
		}
	}
	docs, err := r.List(store.Query{Type: typeService})
	if err != nil {
		return false, err
	}
	for _, d := range docs {
		if in, err := inPoolOf(d, location); in || err != nil {
			return in, err
		}
	}
	return false, nil
}

func inPoolOf(d store.Document, location string) (bool, error) {
	st, err := statusOf(d)
	return err == nil && st.Name == location && st.Wish.Platform == platform.MTv1 && (!st.Wish.Gone || st.Hosting.Active != ""), err
}

// maxAsked is how many of its members a pool asks whether they are still there before it reads all services.
const maxAsked = 16

// membersOf lists some services that are known to have lived in a pool.
func (c *Controller) membersOf(pool string) (some []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.pools[pool] {
		if some = append(some, key); len(some) == maxAsked {
			break
		}
	}
	return some
}

// enrol notes that a service lives in a pool, or, with an empty one, in none. c.mu is held.
func (c *Controller) enrol(key, pool string) {
	if was := c.pooled[key]; was != pool && was != "" {
		delete(c.pools[was], key)
		delete(c.expectant[was], key)
	}
	if pool == "" {
		delete(c.pooled, key)
		return
	}
	c.pooled[key] = pool
	insert(c.pools, pool, key)
}

// expect notes whether a service waits for news of its pool. c.mu is held.
func (c *Controller) expect(key string, waits bool) {
	pool := c.pooled[key]
	switch {
	case pool == "":
	case waits:
		insert(c.expectant, pool, key)
	default:
		delete(c.expectant[pool], key)
	}
}

func insert(sets map[string]map[string]bool, set, key string) {
	if sets[set] == nil {
		sets[set] = map[string]bool{}
	}
	sets[set][key] = true
}

// joinPool makes sure that the pool of a service's location has a record, and that news of the pool reach the service.
func (c *Controller) joinPool(ctx context.Context, w *worker, rec *record) error {
	if !rec.pooledTier() {
		return nil
	}
	id := poolID(rec.status.Name)
	c.mu.Lock()
	c.enrol(w.key, store.Key(id))
	c.expect(w.key, true) // until its turn says otherwise
	c.mu.Unlock()
	if !rec.inPool || rec.pool != nil {
		return nil
	}
	_, err := c.update(ctx, "pool.create", func(tx store.Tx) error {
		_, err := tx.Get(id)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		status, err := encodeStatus(platform.ServiceStatus{Location: platform.Location{Name: rec.status.Name, Wish: poolWish(rec.status.Wish.Gateway)}, Epoch: c.epoch})
		if err != nil {
			return err
		}
		_, err = tx.Put(store.Document{ID: id, Type: typePool, Status: status})
		return err
	})
	if err != nil {
		return fmt.Errorf("create %s: %w", id, err)
	}
	c.wake(ctx, store.Key(id))
	return nil
}

// decideInPool says whether the pool is ready for a service. An upgrade of the service is one of the pool, whose plan
// says how it goes: this record alone ends the operation, the pool's only halts.
func (c *Controller) decideInPool(rec *record, obs platform.Observation) platform.Decision {
	have := rec.status.Hosting
	if rec.pool == nil || rec.pool.Hosting.Active == "" {
		return platform.Decision{State: have, Wait: "the pool is not there yet"}
	}
	if rec.upgrades() {
		if rec.pool.Wish.Gateway != rec.status.Wish.Gateway {
			return platform.Decision{State: have, Wait: "another upgrade of the pool is under way"}
		}
		if d := platform.Next(c.poolInput(rec, obs)); !d.Reached {
			return platform.Decision{State: have, Failed: d.Failed, Until: d.Until, Wait: "the pool is being upgraded"}
		}
	}
	active := rec.pool.Hosting.Active
	if have.Active == active {
		return platform.Decision{State: have, Reached: true, Done: true}
	}
	for _, m := range rec.pool.Hosting.Set(active).Machines {
		o := obs.Machines[m.ID]
		if m.Mode == platform.Serving && (o.Phase == platform.Asleep || o.Phase == platform.Ready && o.Seq >= rec.doc.Seq) {
			have.Active = active
			return platform.Decision{State: have, Step: StepJoin}
		}
	}
	return platform.Decision{State: have, Wait: "the pool does not know the service yet"}
}

// poolInput is what the planner is asked about the pool of a service.
func (c *Controller) poolInput(rec *record, obs platform.Observation) platform.Input {
	pool := &record{doc: store.Document{ID: poolID(rec.status.Name)}, status: *rec.pool, isPool: true, seq: rec.seq}
	return c.input(pool.places()[0], obs)
}

// upgrades says whether the operation under way is an upgrade of a service in a pool.
func (r *record) upgrades() bool { return r.inPool && r.op != nil && r.op.Kind == kindUpgrade }

// upgradePool gives the pool of a service that is being upgraded the version that the service should run, once no other
// upgrade is under way.
func (c *Controller) upgradePool(ctx context.Context, rec *record) error {
	if !rec.upgrades() || rec.pool == nil || rec.pool.Previous != nil || rec.pool.Wish.Gateway == rec.status.Wish.Gateway {
		return nil
	}
	_, err := c.update(ctx, "pool.upgrade", func(tx store.Tx) error {
		return changePool(tx, rec, func(st *platform.ServiceStatus) {
			if st.Previous == nil {
				was := st.Wish
				st.Previous, st.Wish.Gateway = &was, rec.status.Wish.Gateway
			}
		})
	})
	if err != nil {
		return fmt.Errorf("upgrade %s: %w", poolID(rec.status.Name), err)
	}
	return errChanged // what was read is no longer what is stored
}

// changePool changes the record of a service's pool.
func changePool(tx store.Tx, rec *record, change func(*platform.ServiceStatus)) error {
	d, err := tx.Get(poolID(rec.status.Name))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	st, err := statusOf(d)
	if err != nil {
		return err
	}
	change(&st)
	if d.Status, err = encodeStatus(st); err != nil {
		return err
	}
	_, err = tx.Put(d)
	return err
}

// leaveUpgrade ends the part of a pool in the upgrade of one of its services: it goes back when that failed.
func leaveUpgrade(tx store.Tx, rec *record, failed bool) error {
	if !rec.upgrades() {
		return nil
	}
	return changePool(tx, rec, func(st *platform.ServiceStatus) {
		if st.Previous == nil || st.Wish.Gateway != rec.status.Wish.Gateway {
			return // somebody else's
		}
		if failed {
			st.Wish.Gateway = st.Previous.Gateway
		}
		st.Previous = nil
	})
}

// removePool removes the record of a pool that is empty, unless a service has come meanwhile.
func (c *Controller) removePool(ctx context.Context, rec *record) error {
	_, err := c.update(ctx, "pool.remove", func(tx store.Tx) error {
		lived, err := livesIn(tx, rec.status.Name, nil)
		if err != nil || lived {
			return err
		}
		return tx.Delete(rec.doc.ID)
	})
	if err != nil {
		return fmt.Errorf("remove %s: %w", rec.doc.ID, err)
	}
	return nil
}

// wakePool tells a pool that one of its services has changed, and the services of a pool that it has: all of them when
// another set serves now, otherwise those that wait for it.
func (c *Controller) wakePool(ctx context.Context, w *worker, rec *record, moved bool) {
	if rec.isPool {
		c.mu.Lock()
		defer c.mu.Unlock()
		wake := c.expectant
		if moved {
			wake = c.pools
		}
		for key := range wake[w.key] {
			c.start(ctx, c.worker(key))
		}
		return
	}
	if rec.status.Wish.Gone {
		c.leavePool(ctx, w)
	}
}

// leavePool tells the pool that a service lived in that it may be needed no longer.
func (c *Controller) leavePool(ctx context.Context, w *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pool := c.pooled[w.key]; pool != "" {
		c.start(ctx, c.worker(pool))
	}
}

func encodeStatus(st platform.ServiceStatus) (json.RawMessage, error) {
	raw, err := json.Marshal(st)
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	return raw, nil
}
