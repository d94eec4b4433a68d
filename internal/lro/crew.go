package lro

import (
	"context"
	"slices"
	"sync"
)

// A crew is the goroutines of one Run: one for each operation that is driven, and the names of those that wait
// because there are maxRunning already.
type crew struct {
	engine *Engine

	wg      sync.WaitGroup
	mu      sync.Mutex // guards below
	running map[string]context.CancelFunc
	waiting []string
}

// start drives an operation unless that is being done.
func (c *crew) start(ctx context.Context, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[name] != nil || slices.Contains(c.waiting, name) {
		return
	}
	if len(c.running) >= maxRunning {
		c.waiting = append(c.waiting, name)
		return
	}
	c.launch(ctx, name)
}

// launch starts the goroutine of an operation; c.mu is held.
func (c *crew) launch(ctx context.Context, name string) {
	own, cancel := context.WithCancel(ctx)
	c.running[name] = cancel
	c.wg.Go(func() {
		defer c.ended(ctx, name)
		c.engine.drive(own, name)
	})
}

// ended makes room and lets the next one in.
func (c *crew) ended(ctx context.Context, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[name]()
	delete(c.running, name)
	if len(c.waiting) > 0 && ctx.Err() == nil {
		next := c.waiting[0]
		c.waiting = slices.Delete(c.waiting, 0, 1)
		c.launch(ctx, next)
	}
}

// stop ends the driving of an operation that somebody else has ended.
func (c *crew) stop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.running[name]; cancel != nil {
		cancel()
	}
}

// wait returns when all goroutines have ended.
func (c *crew) wait() { c.wg.Wait() }
