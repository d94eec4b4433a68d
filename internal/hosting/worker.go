package hosting

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// A worker is what the controller remembers of one service or pool between turns. A goroutine runs it only while there
// is a turn to take.
type worker struct {
	key string

	// Guarded by Controller.mu.
	running  bool
	pending  bool  // look again after the turn under way
	waiting  bool  // the last turn waits for the fabric: small news matter too
	stale    bool  // the fabric may have forgotten what it was told
	seen     int64 // Seq of the newest form of the document that a turn has read or written
	timer    *time.Timer
	alarm    func()   // stops what the clock is to wake the worker for; nil when it is not
	failures int      // turns in a row
	listed   []string // what own noted

	// Used by turns only, which run one at a time. There are thousands of services that need none of these maps: they are
	// made when something is put in, by keep.
	told      map[string]*platform.State     // what the fabric was told, as far as known, by location
	attached  map[string]platform.Attachment // by ID
	endpoints map[string][]string            // sets that private endpoints were pointed at, by name
	named     pointing                       // as far as known
}

// keep puts something into a map of a worker.
func keep[V any](to *map[string]V, key string, v V) {
	if *to == nil {
		*to = map[string]V{}
	}
	(*to)[key] = v
}

// outcome is how a turn ended.
type outcome struct {
	waiting bool      // something is expected of the fabric
	at      time.Time // look again at this time of day; zero for never
	due     time.Time // and at this platform time
	forget  bool      // the document is gone and so is everything that it listed
}

// worker returns the worker of a key. c.mu is held.
func (c *Controller) worker(key string) *worker {
	w := c.workers[key]
	if w == nil {
		w = &worker{key: key}
		c.workers[key] = w
	}
	return w
}

// wake has a turn taken for a service or pool, at once or after the one under way.
func (c *Controller) wake(ctx context.Context, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start(ctx, c.worker(key))
}

// changed wakes whatever a change is about, unless its worker made the change or has seen it.
func (c *Controller) changed(ctx context.Context, ch store.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.worker(store.Key(ch.ID)); ch.Deleted || ch.Seq > w.seen {
		c.start(ctx, w)
	}
}

// start runs a worker. c.mu is held.
func (c *Controller) start(ctx context.Context, w *worker) {
	w.pending = true
	if w.running || c.stopped || ctx.Err() != nil {
		return
	}
	w.running = true
	w.sleepNoMore()
	c.running.Go(func() { c.work(ctx, w) })
}

// work takes turns until there is nothing to do before something happens.
func (c *Controller) work(ctx context.Context, w *worker) {
	for {
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			c.mu.Lock()
			w.running = false
			c.mu.Unlock()
			return
		}
		c.begin(w)
		out, err := c.guarded(ctx, w)
		<-c.slots
		if !c.rest(ctx, w, out, err) {
			return
		}
	}
}

// begin notes that a turn looks at everything that happened so far.
func (c *Controller) begin(w *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.pending = false
	if w.stale {
		w.stale, w.told, w.attached, w.endpoints, w.named = false, nil, nil, nil, nil
	}
}

// guarded takes a turn and survives its bugs.
func (c *Controller) guarded(ctx context.Context, w *worker) (out outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.log.ErrorContext(ctx, "turn panicked", slog.String("key", w.key), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = errors.New("the turn panicked")
		}
	}()
	return c.turn(ctx, w)
}

// rest ends a turn, and says whether the next one is due at once.
func (c *Controller) rest(ctx context.Context, w *worker, out outcome, err error) (again bool) {
	if errors.Is(err, fabric.ErrStaleLease) {
		c.fail(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		next := failpoint.Now().Add(c.pause(w.failures))
		if out.at.IsZero() || next.Before(out.at) {
			out.at = next
		}
		out.waiting, out.forget = true, false
		w.failures++
		c.log.WarnContext(ctx, "turn failed, trying again", slog.String("key", w.key), slog.Int("failures", w.failures), slog.Any("error", err))
	} else {
		w.failures = 0
	}
	w.waiting = out.waiting
	c.expect(w.key, out.waiting)
	if w.pending && err == nil {
		return true
	}
	w.running = false
	switch {
	case c.stopped || ctx.Err() != nil:
	case out.forget:
		delete(c.workers, w.key)
		c.enrol(w.key, "")
		delete(c.injected, w.key)
	default:
		c.sleep(ctx, w, out)
	}
	return false
}

// sleep has a worker woken when a turn asked for it. c.mu is held.
func (c *Controller) sleep(ctx context.Context, w *worker, out outcome) {
	wake := func() { c.wake(ctx, w.key) }
	if !out.at.IsZero() {
		w.timer = time.AfterFunc(out.at.Sub(failpoint.Now()), wake)
	}
	if !out.due.IsZero() {
		w.alarm = c.opt.Clock.AfterFunc(out.due, wake)
	}
}

// sleepNoMore stops what would wake a worker. Controller.mu is held.
func (w *worker) sleepNoMore() {
	if w.timer != nil {
		w.timer.Stop()
	}
	if w.alarm != nil {
		w.alarm()
	}
	w.timer, w.alarm = nil, nil
}

// pause is how long to wait after so many failures before: a hundredth of Retry, then twice as long each time.
func (c *Controller) pause(failures int) time.Duration {
	d := max(c.opt.Retry/100, time.Millisecond)
	for range failures {
		if d *= 2; d >= c.opt.Retry {
			return c.opt.Retry
		}
	}
	return d
}

// own notes what a record lists, so that news of it wake its worker, and the Seq at which that was read.
func (c *Controller) own(w *worker, st platform.ServiceStatus, seen int64) {
	listed := ids(st)
	c.mu.Lock()
	defer c.mu.Unlock()
	w.seen = max(w.seen, seen)
	for _, id := range w.listed {
		delete(c.owners, id)
		delete(c.sites, id)
	}
	for _, id := range listed {
		c.owners[id] = w.key
	}
	for _, l := range st.Locations() {
		for _, set := range l.Hosting.Sets {
			for _, m := range set.Machines {
				c.sites[m.ID] = l.Name
			}
		}
	}
	w.listed = listed
}

// ids lists the sets, machines and VIPs of a record.
func ids(st platform.ServiceStatus) []string {
	var out []string
	for _, l := range st.Locations() {
		for _, set := range l.Hosting.Sets {
			out = append(out, set.ID)
			for _, m := range set.Machines {
				out = append(out, m.ID)
			}
		}
		for _, v := range l.Hosting.VIPs {
			out = append(out, v.ID)
		}
	}
	return out
}
