// Package hosting decides where the machines of services run, and moves them. It reads what services should become
// from the store, asks the planner for the next safe step, commits that step, makes the fabric true, and looks again.
// What a client may ask for is the control plane's business, how a machine runs the fabric's.
//
// Everything is level-based. A service is looked at when its document changes, when the fabric reports something new
// of it, and when a time that the planner named has come; between turns nothing runs for it. A turn can be cut off
// anywhere: the next one, in this process or another, starts from what is stored and what is there.
//
// Start reading at Controller.turn (turn.go).
package hosting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/network"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Document types and IDs that this package reads and writes.
const (
	typeService  = "microsoft.apimanagement/service"
	typePublicIP = "microsoft.network/publicipaddresses"
	typePool     = "portico/pools"
	typeLease    = "portico/leases"
	poolPrefix   = "/portico/pools"
	leaseID      = "/portico/leases/hosting"
)

// Options of a Controller. The zero value is good for a single host.
type Options struct {
	// Clock tells platform time; nil means the time of day.
	Clock *pace.Clock
	// Coexistence is how long the old set of a migration is kept; 15 minutes by default.
	Coexistence time.Duration
	// OperationDeadline is when a customer operation is given up, counted from its start; 2 hours by default.
	OperationDeadline time.Duration
	// HealthDeadline is how long new machines and addresses may take before a customer operation is given up; 2 minutes
	// by default.
	HealthDeadline time.Duration
	// Grace is how long after machines were added none is given up; 1 minute by default.
	Grace time.Duration
	// Pause is the platform time between two batches of a walk; none by default.
	Pause time.Duration
	// Domain is the suffix of default host names; "apim.localhost" by default.
	Domain string
	// Gateway is the version of the gateway program that services run unless their wish names another.
	Gateway string
	// Zones are those of the fabric; "1", "2", "3" by default.
	Zones []string
	// Zoneless says of a location, normalised, that its machines are in no zone; nil: of none.
	Zoneless func(location string) bool
	// Sleep is after how long without connections the workers of a pool sleep, in platform time; 0: never.
	Sleep time.Duration
	// Parallel is how many services are worked on at a time; 8 by default.
	Parallel int
	// Metrics gets what machines report of their load; nil: nobody asks.
	Metrics *metric.History
	// Retry is the longest pause after a failed turn; 10 seconds by default. The first one is a hundredth of it.
	Retry time.Duration
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = pace.New(pace.Instant())
	}
	if o.Coexistence <= 0 {
		o.Coexistence = 15 * time.Minute
	}
	if o.OperationDeadline <= 0 {
		o.OperationDeadline = 2 * time.Hour
	}
	if o.HealthDeadline <= 0 {
		o.HealthDeadline = 2 * time.Minute
	}
	if o.Grace <= 0 {
		o.Grace = time.Minute
	}
	if o.Domain == "" {
		o.Domain = "apim.localhost"
	}
	if len(o.Zones) == 0 {
		o.Zones = []string{"1", "2", "3"}
	}
	if o.Parallel <= 0 {
		o.Parallel = 8
	}
	if o.Retry <= 0 {
		o.Retry = 10 * time.Second
	}
	return o
}

// A Controller carries services to their wishes. One is active per fabric: a later one takes its lease away.
type Controller struct {
	st    store.Store
	f     fabric.Fabric
	log   *slog.Logger
	opt   Options
	epoch int64                   // of the lease; set once by Run
	vigil vigil                   // since Run began
	fail  context.CancelCauseFunc // ends Run with a reason; set once by Run
	slots chan struct{}           // held during a turn
	held  Holdings

	mu       sync.Mutex // guards below
	workers  map[string]*worker
	owners   map[string]string // set, machine or VIP ID to the key of the record that lists it
	sites    map[string]string // machine ID to its location
	injected map[string]bool   // keys of services in virtual networks
	down     []string          // zones without power
	pooled   map[string]string // key of a service in a pool to the key of the pool's record
	// pools and expectant are the reverse of pooled: all services of a pool, and those that wait for it.
	pools, expectant map[string]map[string]bool
	stopped          bool
	running          sync.WaitGroup
}

// New makes a Controller; Run starts it.
func New(st store.Store, f fabric.Fabric, log *slog.Logger, opt Options) *Controller {
	opt = opt.withDefaults()
	return &Controller{
		st: st, f: f, log: log, opt: opt, slots: make(chan struct{}, opt.Parallel),
		workers: map[string]*worker{}, owners: map[string]string{}, sites: map[string]string{}, pooled: map[string]string{}, injected: map[string]bool{},
		pools: map[string]map[string]bool{}, expectant: map[string]map[string]bool{},
	}
}

// zonesAt are those of a location.
func (c *Controller) zonesAt(location string) []string {
	if c.opt.Zoneless != nil && c.opt.Zoneless(location) {
		return nil
	}
	return c.opt.Zones
}

// Zones are those of the fabric.
func (c *Controller) Zones() []string { return slices.Clone(c.opt.Zones) }

// Run works until ctx ends, and returns nil then. It returns an error wrapping fabric.ErrStaleLease when another
// controller has taken over, and the store's error when the store cannot be read.
func (c *Controller) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	c.fail = cancel
	c.vigil.since(failpoint.Now(), time.Now())
	var watchers sync.WaitGroup
	defer func() {
		cancel(nil)
		watchers.Wait()
		c.stop()
	}()
	seq, err := c.takeLease(ctx)
	if err != nil {
		return c.ended(ctx, fmt.Errorf("take the lease of hosting: %w", err))
	}
	if err := c.sweep(ctx); err != nil {
		return c.ended(ctx, err)
	}
	if err := c.wakeAll(ctx); err != nil {
		return c.ended(ctx, err)
	}
	watchers.Go(func() { c.watchFabric(ctx) })
	watchers.Go(func() { c.watchLoad(ctx) })
	return c.ended(ctx, c.watchStore(ctx, seq))
}

// ended makes Run's result: nil when its caller ended it, the reason otherwise.
func (c *Controller) ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
}

// stop ends the timers and waits for turns under way.
func (c *Controller) stop() {
	c.mu.Lock()
	c.stopped = true
	for _, w := range c.workers {
		w.sleepNoMore()
	}
	c.mu.Unlock()
	c.running.Wait()
}

// lease is the record of who may act.
type lease struct {
	Epoch int64 `json:"epoch"`
}

// takeLease takes the next epoch, so that fabrics refuse whoever acted before. It returns the newest Seq.
func (c *Controller) takeLease(ctx context.Context) (int64, error) {
	return c.update(ctx, "lease", func(tx store.Tx) error {
		var l lease
		d, err := tx.Get(leaseID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			d = store.Document{ID: leaseID, Type: typeLease}
		case err != nil:
			return err
		default:
			if err := json.Unmarshal(d.Status, &l); err != nil {
				return fmt.Errorf("decode lease: %w", err)
			}
		}
		l.Epoch++
		if d.Status, err = json.Marshal(l); err != nil {
			return fmt.Errorf("encode lease: %w", err)
		}
		c.epoch = l.Epoch
		_, err = tx.Put(d)
		return err
	})
}

// watchStore wakes services and pools whose documents change.
func (c *Controller) watchStore(ctx context.Context, seq int64) error {
	for {
		newest, err := c.st.Wait(ctx, seq)
		if err != nil {
			return fmt.Errorf("wait for changes: %w", err)
		}
		if err := c.readChanges(ctx, seq, newest); err != nil {
			return err
		}
		seq = newest
	}
}

// readChanges wakes what changed after a Seq, up to newest at least. What changes meanwhile is read again.
func (c *Controller) readChanges(ctx context.Context, seq, newest int64) error {
	const page = 256
	for seq < newest {
		changes, reset, err := c.st.Changes(ctx, seq, page)
		switch {
		case err != nil:
			return fmt.Errorf("read changes: %w", err)
		case reset:
			return c.wakeAll(ctx)
		case len(changes) == 0: // the last transactions left no trace
			return nil
		}
		for _, ch := range changes {
			seq = max(seq, ch.Seq)
			switch {
			case ch.Type == typeService, ch.Type == typePool:
				c.changed(ctx, ch)
			case network.Concerns(ch.Type):
				c.networksChanged(ctx)
			}
		}
	}
	return nil
}

// wakeAll looks at every service and pool.
func (c *Controller) wakeAll(ctx context.Context) error {
	var keys []string
	err := c.st.View(ctx, func(r store.Reader) error {
		for _, t := range []string{typePool, typeService} {
			docs, err := r.List(store.Query{Type: t})
			if err != nil {
				return err
			}
			for _, d := range docs {
				keys = append(keys, store.Key(d.ID))
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list services: %w", err)
	}
	for _, k := range keys {
		c.wake(ctx, k)
	}
	return nil
}

// poolID is the ID of the record of a location's mtv1 pool.
func poolID(location string) string { return poolPrefix + "/" + location }

// poolWish is what the pool of a location should be while a service lives in it.
func poolWish(gateway string) platform.Wish {
	return platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption, Units: 1, Gateway: gateway}
}
