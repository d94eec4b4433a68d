package engine

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/snapshot"
)

// A Catalogue is what an mtv1 worker knows of services that it has not activated.
type Catalogue interface {
	// Find is the resource ID, in lower case, of the service that answers to a host name, given in lower case.
	Find(host string) (serviceID string, ok bool)
	// Load gives a service's snapshot.
	Load(serviceID string) (service.Bundle, error)
	// Refuse takes note of parts that could not be compiled when their service was activated.
	Refuse(serviceID string, refused []snapshot.Refusal)
	// Seq is the store transaction up to which the catalogue is complete.
	Seq() int64
}

// ActivationOptions bound what an mtv1 worker does at a time. Zero values mean the defaults.
type ActivationOptions struct {
	Parallel int           // services that are activated at the same moment; default 4
	Waiting  int           // requests that wait for an activation; default 1,024
	Timeout  time.Duration // of one request's wait; default 10 s
	Idle     time.Duration // without a request, after which a service is unloaded; default 10 min
	Active   int           // services kept active; default 256, then the one unused for longest goes
}

// Reasons for which a request gets 503 with Retry-After.
var (
	errTooManyWaiting = errors.New("too many requests wait for their services to be activated")
	errActivation     = errors.New("the service was not activated in time")
)

// tenants are the services of an mtv1 worker.
type tenants struct {
	catalogue Catalogue
	compiler  *service.Compiler
	opt       ActivationOptions
	limits    TenantLimits
	log       *slog.Logger
	gate      chan struct{} // one for each activation in progress
	waiting   atomic.Int64
	work      sync.WaitGroup
	stop      chan struct{}

	mu     sync.Mutex // guards below
	all    map[string]*tenant
	closed bool // nothing is activated any more
}

// tenant is a service that is active or on its way there.
type tenant struct {
	id      string
	ready   chan struct{} // closed when current or err is set for the first time
	err     error
	current atomic.Pointer[service.Service]
	used    atomic.Int64 // unix nano of the last request
	running atomic.Int64 // requests in flight
	share   *pipeline.Share
}

func newTenants(opt Options) *tenants {
	a := opt.Activation
	if a.Parallel == 0 {
		a.Parallel = 4
	}
	if a.Waiting == 0 {
		a.Waiting = 1024
	}
	if a.Timeout == 0 {
		a.Timeout = 10 * time.Second
	}
	if a.Idle == 0 {
		a.Idle = 10 * time.Minute
	}
	if a.Active == 0 {
		a.Active = 256
	}
	t := &tenants{
		catalogue: opt.Catalogue, compiler: opt.Compiler, opt: a, limits: opt.Tenants.withDefaults(), log: opt.Log,
		gate: make(chan struct{}, a.Parallel), stop: make(chan struct{}), all: make(map[string]*tenant),
	}
	t.work.Go(t.unloadIdle)
	return t
}

// find gives the service for a host, activating it when needed. Requests that come meanwhile share one activation.
func (t *tenants) find(ctx context.Context, host string) (*service.Service, *tenant, error) {
	id, ok := t.catalogue.Find(host)
	if !ok {
		return nil, nil, nil
	}
	e := t.entry(id)
	e.used.Store(time.Now().UnixNano())
	if cur := e.current.Load(); cur != nil {
		return cur, e, nil
	}
	if t.waiting.Add(1) > int64(t.opt.Waiting) {
		t.waiting.Add(-1)
		return nil, nil, errTooManyWaiting
	}
	defer t.waiting.Add(-1)
	timer := time.NewTimer(t.opt.Timeout)
	defer timer.Stop()
	select {
	case <-e.ready:
		return e.current.Load(), e, e.err
	case <-timer.C:
		return nil, nil, errActivation
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// entry finds a tenant or begins its activation.
func (t *tenants) entry(id string) *tenant {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.all[id]
	if e != nil {
		return e
	}
	if len(t.all) >= t.opt.Active {
		t.evict()
	}
	e = &tenant{id: id, ready: make(chan struct{}), share: pipeline.NewShare(t.limits.Burst)}
	if t.closed {
		e.err = errActivation
		close(e.ready)
		return e
	}
	t.all[id] = e
	t.work.Go(func() { t.activate(e) })
	return e
}

// close ends what goes on in the background and waits for it.
func (t *tenants) close() {
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		close(t.stop)
	}
	t.mu.Unlock()
	t.work.Wait()
}

// count is how many services are active or on their way there.
func (t *tenants) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// evict makes room by dropping the active service unused for longest. Called with mu held.
func (t *tenants) evict() {
	var oldest *tenant
	for _, e := range t.all {
		if e.current.Load() != nil && (oldest == nil || e.used.Load() < oldest.used.Load()) {
			oldest = e
		}
	}
	if oldest != nil {
		delete(t.all, oldest.id)
	}
}

// activate compiles a service. A failure is told to those who wait and tried again by the next request.
func (t *tenants) activate(e *tenant) {
	defer close(e.ready)
	select {
	case t.gate <- struct{}{}:
		defer func() { <-t.gate }()
	case <-t.stop:
		e.err = errActivation
		return
	}
	began := time.Now()
	b, err := t.catalogue.Load(e.id)
	if err == nil {
		var next *service.Service
		var refused []snapshot.Refusal
		if next, refused, err = t.compiler.Compile(nil, b); err == nil {
			t.catalogue.Refuse(e.id, refused)
			e.current.CompareAndSwap(nil, next)
			t.log.Info("service activated", slog.String("service", e.id), slog.Duration("took", time.Since(began)))
			return
		}
	}
	e.err = err
	t.log.Warn("activate service", slog.String("service", e.id), slog.Any("error", err))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[e.id] == e {
		delete(t.all, e.id)
	}
}

// apply compiles a changed snapshot if its service is active. One that is being activated is compiled again
// afterwards, since the activation may have read the snapshot before.
func (t *tenants) apply(b service.Bundle) ([]snapshot.Refusal, error) {
	t.mu.Lock()
	e := t.all[strings.ToLower(b.Manifest.Service)]
	t.mu.Unlock()
	if e == nil {
		return nil, nil
	}
	<-e.ready
	prev := e.current.Load()
	if prev == nil || prev.Seq() > b.Manifest.Seq {
		return nil, nil
	}
	next, refused, err := t.compiler.Compile(prev, b)
	if err == nil {
		e.current.Store(next)
	}
	return refused, err
}

func (t *tenants) drop(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, strings.ToLower(id))
}

func (t *tenants) unloadIdle() {
	ticker := time.NewTicker(max(t.opt.Idle/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-t.stop:
			return
		case now := <-ticker.C:
			t.unload(now.Add(-t.opt.Idle).UnixNano())
		}
	}
}

// unload drops services without a request since a moment.
func (t *tenants) unload(since int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, e := range t.all {
		if e.current.Load() != nil && e.used.Load() < since {
			delete(t.all, id)
			t.log.Info("service unloaded", slog.String("service", id))
		}
	}
}
