package lro

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/store"
)

// The bounds of the engine.
const (
	maxRunning = 256 // operations that are driven at once; more wait for one of them to end
	maxSteps   = 256 // entries of an operation's story; older ones go

	minBackoff = 100 * time.Millisecond
	maxBackoff = 30 * time.Second
	retryFor   = 15 * time.Minute // errors in a row, from the first to giving up

	keepEnded  = 25 * time.Hour // records are readable for a day, and prune comes by once an hour
	pruneEvery = time.Hour
)

// An Engine carries on the operations of the kinds it has a handler for, each in a goroutine of its own.
type Engine struct {
	st       store.Store
	log      *slog.Logger
	handlers map[string]Handler // by Kind
	clock    *pace.Clock
}

// NewEngine makes an engine. Operations of other kinds than those in handlers are left alone. Its clock tells when they
// began, went on and ended.
func NewEngine(st store.Store, log *slog.Logger, handlers map[string]Handler, clock *pace.Clock) *Engine {
	return &Engine{st: st, log: log, handlers: handlers, clock: clock}
}

// Run takes up all operations that have not ended, and each new one as soon as its transaction is committed. It
// returns nil when ctx ends and all steps have returned, or store.ErrClosed.
func (e *Engine) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { e.pruneHourly(ctx) })
	c := &crew{engine: e, running: make(map[string]context.CancelFunc)}
	err := c.watch(ctx)
	stop()
	c.wait()
	wg.Wait()
	if errors.Is(err, store.ErrClosed) {
		return err
	}
	return nil
}

// watch follows the change log. It ends with ctx or the store.
func (c *crew) watch(ctx context.Context) error {
	e := c.engine
	after, failures := int64(-1), 0 // -1: nothing was read yet
	for {
		next, err := c.look(ctx, after)
		if err == nil {
			after, failures = next, 0
			if next >= 0 {
				_, err = e.st.Wait(ctx, after)
			}
		}
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, store.ErrClosed):
			return err
		}
		failures++
		e.log.ErrorContext(ctx, "operations cannot be read", slog.Any("error", err))
		pause(ctx, backoff(failures))
	}
}

// look reads what changed after a Seq (everything for -1) and returns the Seq to go on from.
func (c *crew) look(ctx context.Context, after int64) (int64, error) {
	const page = 256
	if after < 0 {
		return c.lookAtAll(ctx)
	}
	changes, reset, err := c.engine.st.Changes(ctx, after, page)
	if err != nil {
		return 0, err
	}
	if reset {
		return -1, nil
	}
	for _, ch := range changes {
		after = ch.Seq
		if ch.Type != Type {
			continue
		}
		if err := c.lookAt(ctx, ch.ID[len(IDPrefix):]); err != nil {
			return 0, err
		}
	}
	return after, nil
}

func (c *crew) lookAtAll(ctx context.Context) (seq int64, err error) {
	err = c.engine.st.View(ctx, func(r store.Reader) error {
		seq = r.Seq()
		return each(r, func(d store.Document) error {
			c.consider(ctx, d)
			return nil
		})
	})
	return seq, err
}

func (c *crew) lookAt(ctx context.Context, name string) error {
	return c.engine.st.View(ctx, func(r store.Reader) error {
		d, err := r.Get(IDPrefix + name)
		if errors.Is(err, store.ErrNotFound) {
			c.stop(name)
			return nil
		}
		if err != nil {
			return err
		}
		c.consider(ctx, d)
		return nil
	})
}

// consider starts or stops the driving of an operation. A record that cannot be read must not stop the others.
func (c *crew) consider(ctx context.Context, d store.Document) {
	op, err := decode(d)
	switch {
	case err != nil:
		c.engine.log.ErrorContext(ctx, "operation record is broken", slog.String("id", d.ID), slog.Any("error", err))
	case op.Status != InProgress:
		c.stop(op.Name)
	case c.engine.handlers[op.Kind] != nil:
		c.start(ctx, op.Name)
	}
}

func (e *Engine) pruneHourly(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if err := e.prune(ctx, e.clock.Now()); err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "old operations were not pruned", slog.Any("error", err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (e *Engine) prune(ctx context.Context, now time.Time) error {
	_, err := e.st.Update(ctx, func(tx store.Tx) error {
		_, err := Prune(tx, now.Add(-keepEnded))
		return err
	})
	if err != nil {
		return fmt.Errorf("prune operations: %w", err)
	}
	return nil
}

// backoff is the pause after the n-th failure in a row, from 1.
func backoff(n int) time.Duration {
	return min(minBackoff<<min(n-1, 16), maxBackoff)
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
