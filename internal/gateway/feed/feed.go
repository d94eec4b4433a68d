// Package feed is the machine's side of publishing. A Feed keeps one long poll open to the control plane, takes what
// changed, has it compiled, and keeps it sealed on disk, so that a machine starts and serves with the control plane
// dead. It also is the catalogue of an mtv1 worker: snapshots of all services on disk, none of them in memory.
//
// Start reading at Feed.Run and take.
package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/snapshot"
)

// Options of a feed.
type Options struct {
	Machine  string
	Service  string // resource ID; empty for an mtv1 worker
	Location string
	Socket   string // unix socket on which the control plane publishes
	// Client is used in place of Socket; its requests go to the host "publish".
	Client *http.Client
	// Cache is the folder of the last good snapshots, sealed with Key (16 or 32 bytes). Empty: memory only.
	Cache string
	Key   []byte
	// Apply compiles a snapshot and serves from it. It lists what could not be compiled.
	Apply func(service.Bundle) ([]snapshot.Refusal, error)
	Drop  func(serviceID string) // forgets a service of an mtv1 worker; may be nil
	// Served is told whenever a full snapshot, or a later Seq, is served; may be nil.
	Served func(Status)
	// AskFirst has nothing served from the cache before the control plane was asked for what is new, or could not be, for a
	// moment.
	AskFirst bool
	Log      *slog.Logger
	// Backoff bounds the pause after a failed poll; default 2 s.
	Backoff time.Duration
}

// A Feed follows the control plane.
type Feed struct {
	opt    Options
	log    *slog.Logger
	client *http.Client
	cache  *cache
	ready  chan struct{}
	swept  bool // parts that an earlier process left behind are gone; used by Run alone

	mu       sync.Mutex // guards below
	seq      int64
	session  string            // of the last answer, when all of it was taken
	services map[string]*state // by resource ID, lower case
	hosts    map[string]string // host name to resource ID, lower case
	refusing map[string]bool   // keys of services with parts that were refused
	err      error             // of the last poll
}

// state is what a feed knows of one service.
type state struct {
	id       string
	manifest snapshot.Manifest // zero while it is on disk alone: see warm
	digest   string
	good     map[snapshot.PartKey]snapshot.PartRef // last good parts in the place of those that were refused
	hosts    []string
	refused  []snapshot.Refusal
	lost     bool // the manifest on disk is not readable: it has to come again
	gone     bool // no longer reported; a single-tenant machine serves it until it is stopped
}

// Status is what a machine tells about its configuration.
type Status struct {
	Seq      int64  // the store transaction up to which everything is served
	Digest   string // of the snapshot of a single-tenant machine
	Services int    // known snapshots
	Refused  []snapshot.Refusal
	Err      error // why the last poll failed; nil when it did not
}

// New opens the cache. Nothing is served before Run.
func New(opt Options) (*Feed, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Backoff == 0 {
		opt.Backoff = 2 * time.Second
	}
	c, err := openCache(opt.Cache, opt.Key)
	if err != nil {
		return nil, fmt.Errorf("open snapshot cache: %w", err)
	}
	f := &Feed{
		opt: opt, log: opt.Log, client: opt.Client, cache: c, ready: make(chan struct{}),
		services: make(map[string]*state), hosts: make(map[string]string), refusing: make(map[string]bool),
	}
	if f.client == nil {
		f.client = socketClient(opt.Socket)
	}
	return f, nil
}

// socketClient speaks HTTP over a unix socket.
func socketClient(path string) *http.Client {
	var d net.Dialer
	return &http.Client{
		Timeout: snapshot.PollTimeout + 30*time.Second,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return d.DialContext(ctx, "unix", path)
			},
			MaxIdleConns: 1, IdleConnTimeout: time.Minute, DisableCompression: true,
		},
	}
}

// Ready is closed after the first full snapshot is served, be it from the cache.
func (f *Feed) Ready() <-chan struct{} { return f.ready }

// Status tells what is served.
func (f *Feed) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := Status{Seq: f.seq, Services: len(f.services), Err: f.err, Refused: f.refusals()}
	if s := f.services[key(f.opt.Service)]; s != nil {
		st.Digest = s.digest
	}
	return st
}

// Seq is the store transaction up to which everything is contained.
func (f *Feed) Seq() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seq
}

// refusals is called with mu held.
func (f *Feed) refusals() []snapshot.Refusal {
	var out []snapshot.Refusal
	for key := range f.refusing {
		out = append(out, f.services[key].refused...)
	}
	slices.SortFunc(out, func(a, b snapshot.Refusal) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Run serves from the cache and then follows the control plane until ctx ends. A machine without a control plane
// goes on with what it has.
func (f *Feed) Run(ctx context.Context) error {
	restored := f.recall() || f.restore(ctx)
	if restored && f.opt.AskFirst {
		f.askFirst(ctx)
	}
	if restored {
		f.serving()
	}
	for pause, first := time.Duration(0), true; ctx.Err() == nil; {
		resp, err := f.poll(ctx, first)
		news := false
		if err == nil {
			first = false
			news, err = f.take(ctx, resp)
		}
		f.note(err)
		switch {
		case err != nil && ctx.Err() == nil:
			pause = min(max(2*pause, firstPause), f.opt.Backoff)
			f.log.WarnContext(ctx, "follow control plane", slog.Any("error", err))
			sleep(ctx, pause/2+rand.N(pause)) //nolint:gosec // spreads machines, nothing more
		case !news: // came too early; that must not become a loop
			sleep(ctx, idlePause)
		default:
			pause = 0
		}
	}
	f.client.CloseIdleConnections()
	if err := f.summarize(); err != nil {
		f.log.WarnContext(ctx, "leave a summary", slog.Any("error", err))
	}
	return context.Cause(ctx)
}

// Pauses between polls: the first after a failure, and after an answer without news.
const (
	firstPause = 20 * time.Millisecond
	idlePause  = 50 * time.Millisecond
)

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (f *Feed) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// serving notes that everything up to Seq is served.
func (f *Feed) serving() {
	select {
	case <-f.ready:
	default:
		close(f.ready)
	}
	if f.opt.Served != nil {
		f.opt.Served(f.Status())
	}
}

// askTime is how long a machine that asks first waits for the control plane.
const askTime = 3 * time.Second

// askFirst takes what has changed since the cache was written, unless the control plane is away or takes too long: the
// cache is good enough then.
func (f *Feed) askFirst(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	for whole := false; !whole; {
		resp, err := f.poll(ctx, true)
		if err == nil {
			_, err = f.take(ctx, resp)
		}
		if f.note(err); err != nil {
			f.log.WarnContext(ctx, "serve what was known: the control plane does not answer", slog.Any("error", err))
			return
		}
		whole = resp.Seq > 0
	}
}

// restore serves what the cache holds, if there is anything.
func (f *Feed) restore(ctx context.Context) bool {
	served := 0
	err := f.cache.manifests(func(m saved) {
		if f.opt.Service != "" && !strings.EqualFold(m.Manifest.Service, f.opt.Service) {
			return
		}
		if err := f.accept(ctx, m, nil); err != nil {
			f.log.WarnContext(ctx, "serve cached snapshot", slog.String("service", m.Manifest.Service), slog.Any("error", err))
			return
		}
		f.mu.Lock()
		f.seq = max(f.seq, m.Manifest.Seq)
		f.mu.Unlock()
		served++
	})
	if err != nil {
		f.log.WarnContext(ctx, "read snapshot cache", slog.Any("error", err))
	}
	return served > 0
}

// take brings in an answer and reports whether it had any news. What cannot be served is asked for again.
func (f *Feed) take(ctx context.Context, resp *snapshot.PollResponse) (news bool, err error) {
	if resp.Resync {
		return true, f.forgetSession()
	}
	news = len(resp.Gone) > 0
	manifests, err := f.changed(resp)
	for _, m := range manifests {
		if failed := f.accept(ctx, saved{Manifest: m}, resp.Parts); failed != nil {
			err = errors.Join(err, fmt.Errorf("serve snapshot of %s at seq %d: %w", m.Service, m.Seq, failed))
			continue
		}
		news = true
		f.log.InfoContext(ctx, "snapshot served", slog.String("service", m.Name), slog.Int64("seq", m.Seq), slog.String("digest", m.Digest()))
	}
	for _, id := range resp.Gone {
		f.forget(ctx, id)
	}
	f.mu.Lock()
	f.session = resp.Session
	if err != nil {
		f.session = "" // the control plane has to be told what was taken
	}
	if err == nil && resp.Seq > f.seq {
		f.seq = resp.Seq
		news = true
	}
	complete := err == nil && resp.Seq > 0 && (f.opt.Service == "" || f.services[key(f.opt.Service)] != nil)
	f.mu.Unlock()
	if complete && news {
		f.serving()
	}
	switch {
	case err != nil:
		f.swept = false // it may have left parts of what could not be served
	case !f.swept:
		f.sweep(ctx)
	}
	return news, err
}

// sweep removes parts that no snapshot refers to.
func (f *Feed) sweep(ctx context.Context) {
	f.swept = true
	if err := f.cache.sweep(); err != nil {
		f.log.WarnContext(ctx, "tidy snapshot cache", slog.Any("error", err))
	}
}

// forgetSession makes the next poll tell everything. It fails when the last one did: that must not become a loop.
func (f *Feed) forgetSession() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session == "" {
		return errors.New("the control plane asks again for what it was told")
	}
	f.session = ""
	return nil
}

// changed lists the manifests of an answer, those made by changes included.
func (f *Feed) changed(resp *snapshot.PollResponse) (out []snapshot.Manifest, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out = slices.Clone(resp.Manifests)
	for _, c := range resp.Changes {
		s := f.services[key(c.Service)]
		if s == nil {
			err = errors.Join(err, fmt.Errorf("change of %s: %w", c.Service, snapshot.ErrOtherBase))
			continue
		}
		s, failed := f.warm(s)
		var m snapshot.Manifest
		if failed == nil {
			m, failed = c.Apply(s.manifest)
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("change of %s: %w", c.Service, failed))
			continue
		}
		out = append(out, m)
	}
	return out, err
}

// key makes resource IDs comparable.
func key(serviceID string) string { return strings.ToLower(serviceID) }

var errIncomplete = errors.New("parts of the snapshot are missing")

// accept keeps and applies one snapshot. good are the last good parts of an earlier process, fresh are parts that came
// with the snapshot.
func (f *Feed) accept(ctx context.Context, what saved, fresh map[string][]byte) error {
	m := what.Manifest
	f.mu.Lock()
	old := f.services[key(m.Service)]
	f.mu.Unlock()
	if old == nil {
		old = &state{id: m.Service, good: index(what.Good)}
	}
	old, err := f.warm(old)
	if err != nil { // what it used stays on disk until the next start
		f.log.WarnContext(ctx, "what a service was is not known", slog.String("service", m.Service), slog.Any("error", err))
		old = &state{id: m.Service, hosts: old.hosts}
	}
	differ := snapshot.Differences(old.manifest.Parts, m.Parts)
	load := func(digest string) ([]byte, error) {
		if data, ok := fresh[digest]; ok {
			return data, nil
		}
		return f.cache.part(digest)
	}
	for _, d := range differ {
		if _, ok := fresh[d.To]; !ok && d.To != "" && !f.cache.has(d.To) {
			return fmt.Errorf("%w: %s", errIncomplete, d.ID)
		}
	}
	next := &state{id: m.Service, manifest: m, digest: m.Digest(), hosts: old.hosts, good: old.good}
	if len(what.Hosts) > 0 {
		next.hosts = what.Hosts
	} else if err := next.findHosts(differ, load); err != nil {
		return err
	}
	if f.opt.Service == "" {
		f.announce(ctx, old, next, fresh)
	}
	refused, err := f.opt.Apply(service.Bundle{Manifest: m, Load: load, Good: old.fallbacks()})
	if err != nil {
		f.withdraw(old, next)
		return err
	}
	f.store(ctx, m, fresh)
	f.mu.Lock()
	if len(refused) > 0 { // else an activation may have noted some
		next.refused = refused
	}
	next.settle(old)
	f.replace(old, next)
	f.mu.Unlock()
	for _, r := range next.refused {
		f.log.WarnContext(ctx, "part refused", slog.String("id", r.ID), slog.String("digest", r.Digest), slog.String("reason", r.Reason))
	}
	f.keep(ctx, old, next, differ)
	return nil
}

// announce puts a snapshot into the catalogue of an mtv1 worker before it is applied: Apply compiles it for the services
// that are active or on their way there, and what is activated from now on finds it here. The other way round, a
// service that is activated between the two would stay with the snapshot before.
func (f *Feed) announce(ctx context.Context, old, next *state, fresh map[string][]byte) {
	f.store(ctx, next.manifest, fresh)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replace(old, next)
}

// withdraw takes a snapshot that cannot be applied out of the catalogue again, if it is there.
func (f *Feed) withdraw(old, next *state) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := key(next.id)
	switch {
	case f.services[k] != next:
	case old.digest != "":
		f.replace(next, old)
	default:
		f.drop(k, next)
	}
}

// drop takes a service out of the catalogue. It is called with mu held.
func (f *Feed) drop(k string, s *state) {
	delete(f.services, k)
	delete(f.refusing, k)
	for _, h := range s.hosts {
		delete(f.hosts, h)
	}
}

// store keeps the parts of a snapshot that came with it. A machine that cannot write serves nevertheless. A worker gets
// the parts of very many snapshots together: it goes through the shorter of the two lists.
func (f *Feed) store(ctx context.Context, m snapshot.Manifest, fresh map[string][]byte) {
	put := func(digest string, data []byte) {
		if f.cache.has(digest) {
			return
		}
		if err := f.cache.putPart(digest, data); err != nil {
			f.log.ErrorContext(ctx, "keep snapshot part", slog.String("service", m.Service), slog.String("digest", digest), slog.Any("error", err))
		}
	}
	if len(fresh) <= m.Parts.Len() {
		for digest, data := range fresh {
			put(digest, data)
		}
		return
	}
	for ref := range m.Parts.All() {
		if data, ok := fresh[ref.Digest]; ok {
			put(ref.Digest, data)
		}
	}
}

// keep keeps a manifest and removes parts that were only needed for the one before. These stay when the disk still has
// that one.
func (f *Feed) keep(ctx context.Context, old, next *state, differ []snapshot.Difference) {
	f.cache.retain(next.uses(differ, func(d snapshot.Difference) string { return d.To }))
	what := saved{Manifest: next.manifest, Good: next.fallbacks()}
	if f.opt.Service == "" {
		what.Hosts = next.hosts
	}
	if err := f.cache.putManifest(what); err != nil {
		f.log.ErrorContext(ctx, "keep snapshot", slog.String("service", next.id), slog.Any("error", err))
		return
	}
	defer f.cool(next)
	if old.digest == "" { // there was none
		return
	}
	if err := f.cache.release(old.uses(differ, func(d snapshot.Difference) string { return d.From })); err != nil {
		f.log.WarnContext(ctx, "tidy snapshot cache", slog.Any("error", err))
	}
}

// replace is called with mu held.
func (f *Feed) replace(old, next *state) {
	if old != nil {
		for _, h := range old.hosts {
			delete(f.hosts, h)
		}
	}
	k := key(next.id)
	f.services[k] = next
	f.refuse(next)
	for _, h := range next.hosts {
		f.hosts[h] = k
	}
}

// refuse notes whether parts of a service were refused. It is called with mu held.
func (f *Feed) refuse(s *state) {
	if len(s.refused) > 0 {
		f.refusing[key(s.id)] = true
	} else {
		delete(f.refusing, key(s.id))
	}
}

// forget drops a service of an mtv1 worker. The service of a single-tenant machine is served until the machine is
// stopped; it is only no longer reported.
func (f *Feed) forget(ctx context.Context, id string) {
	f.mu.Lock()
	s := f.services[key(id)]
	if s == nil {
		f.mu.Unlock()
		return
	}
	s.gone = true
	if f.opt.Service != "" {
		f.mu.Unlock()
		return
	}
	f.drop(key(id), s)
	f.mu.Unlock()
	if f.opt.Drop != nil {
		f.opt.Drop(id)
	}
	s, err := f.warm(s)
	f.swept = f.swept && err == nil
	err = errors.Join(err, f.cache.dropManifest(id))
	differ := snapshot.Differences(s.manifest.Parts, snapshot.Parts{})
	err = errors.Join(err, f.cache.release(s.uses(differ, func(d snapshot.Difference) string { return d.From })))
	if err != nil {
		f.log.WarnContext(ctx, "drop snapshot", slog.String("service", id), slog.Any("error", err))
	}
}
