// Package publish turns documents into snapshots and hands them to machines. It follows the store's change log, knows
// which documents each part of a service's manifest is made of, and makes again only what changed.
//
// Work is done when somebody asks: a change marks parts as stale, the next poll of a machine of that service makes
// them. So a service without machines costs a few words of memory, and what is answered always contains everything
// that was stored when the poll came. The bytes of parts are kept in a bounded cache and made again when they are
// needed and gone.
//
// Start reading at Publisher.advance for how changes arrive, at Publisher.refresh for how parts are made, and at
// Handler for how machines get them.
package publish

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
)

// An Opener returns what a document's client asked for with its secrets in the clear. It is called only for documents
// that hold sealed values.
type Opener func(d store.Document) (map[string]any, error)

// Options of a Publisher.
type Options struct {
	// Domain is the suffix of the services' default host names; empty means apim.localhost.
	Domain string
	// Certificate gives the chain and key that machines present for a host name. It may use the store. Nil means that
	// hosts have none.
	Certificate func(ctx context.Context, host string) (certPEM, keyPEM string, err error)
	// CacheBytes bounds the encoded parts kept in memory; 0 means 8 MiB.
	CacheBytes int
	// AnswerBytes is the size of parts after which one answer takes no further service; 0 means 16 MiB.
	AnswerBytes int
	// MaxSessions bounds the machines whose sessions are kept; the others tell everything in every poll. 0 means 4096.
	MaxSessions int
	// Awake is how many Consumption services are kept with all that is known of them; 0 means 256. Of the others the next
	// change makes everything again.
	Awake int
	// PollTimeout bounds one long poll; 0 means snapshot.PollTimeout.
	PollTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Domain == "" {
		o.Domain = "apim.localhost"
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 8 << 20
	}
	if o.AnswerBytes == 0 {
		o.AnswerBytes = 16 << 20
	}
	if o.MaxSessions == 0 {
		o.MaxSessions = 4096
	}
	if o.Awake == 0 {
		o.Awake = 256
	}
	if o.PollTimeout == 0 {
		o.PollTimeout = snapshot.PollTimeout
	}
	return o
}

// A Publisher keeps the manifests of all services. It is safe for concurrent use.
type Publisher struct {
	st   store.Store
	open Opener
	log  *slog.Logger
	opt  Options

	following turn          // held by whoever reads the change log
	stopped   chan struct{} // closed when Run ends

	mu       sync.Mutex // guards what follows and the fields of services; never held across I/O
	seq      int64      // everything up to here is known
	loaded   bool       // the services were listed once
	services map[string]*service
	hosts    map[string]*service // by default host name
	pools    map[string]*pool    // by location
	awake    *list.List          // of *service in pools that do not rest, the one made last at the end
	changed  chan struct{}       // closed and replaced whenever seq grows
	cache    *cache
	sessions map[string]*session // by machine
}

// New returns a Publisher of a store. It reads nothing before it is asked.
func New(st store.Store, open Opener, log *slog.Logger, opt Options) *Publisher {
	opt = opt.withDefaults()
	return &Publisher{
		st: st, open: open, log: log, opt: opt,
		following: newTurn(), stopped: make(chan struct{}),
		services: map[string]*service{}, hosts: map[string]*service{}, pools: map[string]*pool{}, awake: list.New(), changed: make(chan struct{}),
		cache: newCache(opt.CacheBytes), sessions: map[string]*session{},
	}
}

// Run follows the change log until ctx ends, and wakes the polls that wait for a change. When it ends, so do they. It
// is called once.
func (p *Publisher) Run(ctx context.Context) error {
	defer close(p.stopped)
	const pause = 200 * time.Millisecond // between attempts while the store fails
	newest := int64(0)
	for ctx.Err() == nil {
		err := p.advance(ctx, newest)
		if err == nil {
			newest, err = p.st.Wait(ctx, p.known())
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		p.log.ErrorContext(ctx, "change log cannot be followed", slog.Any("error", err))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return ctx.Err()
}

func (p *Publisher) known() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seq
}

// page is how many changes are asked for at once.
const page = 1000

// advance reads the change log to its end. Afterwards every change that was stored when it was called is marked.
// newest is a Seq that the store is known to have reached: a transaction that left no trace, because it deleted what
// it had written, is not in the log.
func (p *Publisher) advance(ctx context.Context, newest int64) error {
	if err := p.following.take(ctx); err != nil {
		return err
	}
	defer p.following.give()
	p.mu.Lock()
	after, loaded := p.seq, p.loaded
	p.mu.Unlock()
	if !loaded {
		return p.load(ctx)
	}
	for limit := page; ; {
		changes, reset, err := p.st.Changes(ctx, after, limit)
		switch {
		case err != nil:
			return fmt.Errorf("read change log: %w", err)
		case reset:
			p.log.WarnContext(ctx, "change log does not reach back far enough, reading everything again", slog.Int64("seq", after))
			return p.load(ctx)
		case len(changes) == 0:
			p.mu.Lock()
			defer p.mu.Unlock()
			p.grow(newest)
			return nil
		}
		next := changes[len(changes)-1].Seq
		full := len(changes) >= limit
		if full {
			// The last transaction may be cut off; it is read again, with what is left of it.
			if next--; next <= after {
				limit *= 2
				continue
			}
		}
		if err := p.apply(ctx, changes, next); err != nil {
			return err
		}
		if !full && next >= newest {
			return nil
		}
		after = next
	}
}

// apply marks what changes touch. Service documents are read at once, because they decide which machines a service
// concerns.
func (p *Publisher) apply(ctx context.Context, changes []store.Change, seq int64) error {
	docs, err := p.changedServices(ctx, changes)
	if err != nil {
		return fmt.Errorf("read changed services: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range changes {
		p.mark(ctx, c, docs)
	}
	p.grow(seq)
	return nil
}

func (p *Publisher) changedServices(ctx context.Context, changes []store.Change) (map[string]store.Document, error) {
	isService := func(c store.Change) bool { return c.Type == typeService && !c.Deleted }
	docs := map[string]store.Document{}
	if !slices.ContainsFunc(changes, isService) {
		return docs, nil
	}
	err := p.st.View(ctx, func(r store.Reader) error {
		for _, c := range changes {
			if !isService(c) {
				continue
			}
			d, err := r.Get(c.ID)
			if errors.Is(err, store.ErrNotFound) {
				continue // deleted since; its change is on the way
			}
			if err != nil {
				return err
			}
			docs[store.Key(c.ID)] = d
		}
		return nil
	})
	return docs, err
}

// load lists all services and marks everything as stale. What was made before is kept as the last good form.
func (p *Publisher) load(ctx context.Context) error {
	var docs []store.Document
	var seq int64
	err := p.st.View(ctx, func(r store.Reader) (err error) {
		docs, err = r.List(store.Query{Type: typeService})
		seq = r.Seq()
		return err
	})
	if err != nil {
		return fmt.Errorf("list services: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.services
	p.services, p.hosts, p.pools = make(map[string]*service, len(docs)), make(map[string]*service, len(docs)), map[string]*pool{}
	for _, d := range docs {
		s := before[store.Key(d.ID)]
		if s == nil {
			s = newService(d.ID)
		}
		s.seq = seq
		s.stale.all = true
		p.describe(ctx, s, d)
		s.pool, s.place = nil, nil
		p.insert(s)
		p.enlist(s)
	}
	for key, s := range before {
		if p.services[key] != s {
			p.arouse(s)
		}
	}
	p.loaded = true
	p.grow(seq)
	return nil
}

// grow moves seq forward and wakes waiting polls. The caller holds mu.
func (p *Publisher) grow(seq int64) {
	if seq <= p.seq {
		return
	}
	p.seq = seq
	close(p.changed)
	p.changed = make(chan struct{})
}

// A turn is a lock that can be waited for with a context, for work that does I/O.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }
