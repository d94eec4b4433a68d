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
	r.location = r.doc.ID[len(poolPrefix)+1:]
	n, err := members(from, r.location)
	if err != nil {
		return err
	}
	r.status.Wish = poolWish()
	r.status.Wish.Gone = n == 0
	return nil
}

// members counts the services that live in the pool of a location, or whose names still lead there.
func members(r store.Reader, location string) (n int, err error) {
	docs, err := r.List(store.Query{Type: typeService})
	if err != nil {
		return 0, err
	}
	for _, d := range docs {
		st, err := statusOf(d)
		if err != nil {
			return 0, err
		}
		if st.Wish.Platform != platform.MTv1 || st.Wish.Gone && st.Hosting.Active == "" {
			continue
		}
		at, err := locationOf(d)
		if err != nil {
			return 0, err
		}
		if at == location {
			n++
		}
	}
	return n, nil
}

// joinPool makes sure that the pool of a service's location has a record, and that news of the pool reach the service.
func (c *Controller) joinPool(ctx context.Context, w *worker, rec *record) error {
	if !rec.pooledTier() {
		return nil
	}
	id := poolID(rec.location)
	c.mu.Lock()
	c.pooled[w.key] = store.Key(id)
	c.mu.Unlock()
	if !rec.inPool || rec.pool != nil {
		return nil
	}
	_, err := c.update(ctx, "pool.create", func(tx store.Tx) error {
		_, err := tx.Get(id)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		status, err := encodeStatus(platform.ServiceStatus{Wish: poolWish(), Epoch: c.epoch})
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

// removePool removes the record of a pool that is empty, unless a service has come meanwhile.
func (c *Controller) removePool(ctx context.Context, rec *record) error {
	_, err := c.update(ctx, "pool.remove", func(tx store.Tx) error {
		n, err := members(tx, rec.location)
		if err != nil || n > 0 {
			return err
		}
		return tx.Delete(rec.doc.ID)
	})
	if err != nil {
		return fmt.Errorf("remove %s: %w", rec.doc.ID, err)
	}
	return nil
}

// wakePool tells a pool that one of its services has changed, and the services of a pool that it has.
func (c *Controller) wakePool(ctx context.Context, w *worker, rec *record) {
	if rec.isPool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for key, pool := range c.pooled {
			if pool == w.key {
				c.start(ctx, c.worker(key))
			}
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
