package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/policy"
	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
)

// A draft is a part that was read but is not encoded yet.
type draft struct {
	id    string
	value any
	// data and digest are the encoded value, which is nil then.
	data   []byte
	digest string
	uses   map[string]bool
	// errs are the documents that could not be read; without them the value is incomplete.
	errs  []error
	hosts []string // of the service part: names that need a certificate
	mocks bool     // a policy of the part has a mock-response
	again bool     // what failed may go well next time, though no document changes
}

// encode replaces the value, if there is one, by its encoded form.
func (d *draft) encode() (err error) {
	if d == nil || d.value == nil {
		return nil
	}
	if d.data, d.digest, err = snapshot.Encode(d.value); err != nil {
		return fmt.Errorf("encode %s: %w", d.id, err)
	}
	d.value = nil
	return nil
}

// use notes what the draft is made of.
func (d *draft) use(what string) {
	if d.uses == nil {
		d.uses = map[string]bool{}
	}
	d.uses[what] = true
}

// An edit is what becomes of the stale parts of a service.
type edit struct {
	parts map[partKey]*part // nil: gone
	named map[string]string // all of them; nil when they are as before
	made  map[string][]byte // bytes of parts by digest
	again map[partKey]bool  // parts that are worth another attempt
}

// refresh makes the stale parts of a service again and returns the bytes of those, by digest. Nothing is lost when it
// fails: what was stale stays so.
func (p *Publisher) refresh(ctx context.Context, s *service) (made map[string][]byte, err error) {
	if err := s.making.take(ctx); err != nil {
		return nil, err
	}
	defer s.making.give()
	p.mu.Lock()
	todo := s.stale
	s.stale = staleness{}
	p.mu.Unlock()
	if todo.none() {
		return nil, nil
	}
	todo.all = todo.all || s.resting
	e, err := p.remake(ctx, s, todo)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		s.stale.add(todo)
		return nil, fmt.Errorf("make snapshot of %s: %w", s.id, err)
	}
	s.take(e)
	p.wake(s)
	for key := range e.again {
		s.stale.part(key)
	}
	s.tryAgain(len(e.again) > 0)
	for digest, data := range e.made {
		p.cache.put(digest, data)
	}
	return e.made, nil
}

// take brings parts and manifest up to date. The caller holds mu.
func (s *service) take(e *edit) {
	if e.named != nil {
		s.named = e.named
	}
	if s.parts == nil {
		s.parts = make(map[partKey]part, len(e.parts))
	}
	for key, pt := range e.parts {
		old, had := s.parts[key]
		if had && (pt == nil || pt.ref.Key() != old.ref.Key()) {
			s.manifest.Parts = s.manifest.Parts.Without(old.ref.Key())
		}
		if pt == nil {
			delete(s.parts, key)
			continue
		}
		s.manifest.Parts = s.manifest.Parts.With(pt.ref)
		s.parts[key] = *pt
	}
	s.digest = s.manifest.Digest()
}

// remake makes what is to be done.
func (p *Publisher) remake(ctx context.Context, s *service, todo staleness) (*edit, error) {
	e := &edit{parts: map[partKey]*part{}, made: map[string][]byte{}, again: map[partKey]bool{}}
	if todo.all || len(todo.named) > 0 {
		if e.named = maps.Clone(s.named); e.named == nil {
			e.named = map[string]string{}
		}
	}
	var drafts map[partKey]*draft
	err := p.st.View(ctx, func(r store.Reader) (err error) {
		b := &builder{p: p, r: r, service: s.id}
		drafts, err = b.drafts(todo, s.parts, e.named)
		return err
	})
	if err != nil {
		return nil, err
	}
	for key, d := range drafts {
		old, had := s.parts[key]
		if e.parts[key], err = p.finish(ctx, key, d, old, had, e.made); err != nil {
			return nil, err
		}
		e.again[key] = d != nil && d.again
	}
	maps.DeleteFunc(e.again, func(_ partKey, again bool) bool { return !again })
	return e, nil
}

// drafts reads the parts that must be made, and brings named up to date. A draft is nil when the part is gone.
func (b *builder) drafts(todo staleness, parts map[partKey]part, named map[string]string) (map[partKey]*draft, error) {
	keys, err := b.keys(todo, parts, named)
	if err != nil {
		return nil, err
	}
	drafts := map[partKey]*draft{}
	if err := b.broad(keys, parts, drafts); err != nil {
		return nil, err
	}
	for key := range keys {
		if _, done := drafts[key]; done {
			continue
		}
		if drafts[key], err = b.draft(key); err != nil {
			return nil, err
		}
		if key.kind != snapshot.KindAPI {
			continue
		}
		if err := drafts[key].encode(); err != nil { // there may be very many APIs, and encoded they are small
			return nil, err
		}
	}
	if _, done := drafts[productsPart]; !done && otherAPIs(drafts, parts) {
		drafts[productsPart], err = b.draft(productsPart)
	}
	return drafts, err
}

// otherAPIs says whether an API came, went or got another spelling: products list the IDs of those that exist.
func otherAPIs(drafts map[partKey]*draft, parts map[partKey]part) bool {
	for key, d := range drafts {
		if key.kind != snapshot.KindAPI {
			continue
		}
		if old, had := parts[key]; had != (d != nil) || had && old.ref.ID != d.id {
			return true
		}
	}
	return false
}

// broad drafts the parts whose policies concern every API, and adds all APIs to the keys where the answers that a
// mock-response of theirs might give begin to matter, or no longer do.
func (b *builder) broad(keys map[partKey]bool, parts map[partKey]part, drafts map[partKey]*draft) error {
	before := false
	for _, key := range []partKey{servicePart, productsPart} {
		before = before || parts[key].mocks
		if !keys[key] {
			b.mocks = b.mocks || parts[key].mocks
			continue
		}
		d, err := b.draft(key)
		if err != nil {
			return err
		}
		drafts[key] = d
		b.mocks = b.mocks || d != nil && d.mocks
	}
	if b.mocks != before {
		for key := range parts {
			keys[key] = keys[key] || key.kind == snapshot.KindAPI
		}
	}
	return nil
}

// finish encodes a draft. Where documents were unreadable, the last good form stays, if there still is one; else what
// could be read is better than nothing. It returns nil for a part that is gone.
func (p *Publisher) finish(ctx context.Context, key partKey, d *draft, old part, had bool, made map[string][]byte) (*part, error) {
	if d == nil {
		return nil, nil
	}
	p.addCertificates(ctx, d)
	if err := ctx.Err(); err != nil {
		return nil, err // whoever asked has gone: what is missing is not missing
	}
	for _, err := range d.errs {
		p.log.ErrorContext(ctx, "document cannot be published, keeping the last good form",
			slog.String("part", key.kind), slog.String("id", d.id), slog.Bool("last_good", had), slog.Any("error", err))
	}
	if len(d.errs) > 0 && had {
		if data, ok := p.data(old); ok {
			old.kept, old.uses = data, d.uses
			return &old, nil
		}
	}
	if err := d.encode(); err != nil || d.data == nil {
		return nil, err
	}
	made[d.digest] = d.data
	return &part{ref: snapshot.PartRef{Kind: key.kind, ID: d.id, Digest: d.digest}, uses: d.uses, mocks: d.mocks}, nil
}

// addCertificates asks for the certificates of hosts. It does so outside any transaction, because a certificate that
// does not exist yet is made and stored.
func (p *Publisher) addCertificates(ctx context.Context, d *draft) {
	if p.opt.Certificate == nil || len(d.hosts) == 0 {
		return
	}
	svc := d.value.(snapshot.Service)
	for i, h := range svc.Hosts {
		if !slices.Contains(d.hosts, h.Name) {
			continue
		}
		cert, key, err := p.opt.Certificate(ctx, h.Name)
		if err != nil {
			d.again = true
			d.errs = append(d.errs, fmt.Errorf("certificate of %s: %w", h.Name, err))
			continue
		}
		svc.Hosts[i].CertificatePEM, svc.Hosts[i].KeyPEM = cert, key
	}
	d.value = svc
}

// data returns the bytes of a part while they are in memory.
func (p *Publisher) data(pt part) ([]byte, bool) {
	if pt.kept != nil {
		return pt.kept, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cache.get(pt.ref.Digest)
}

// A builder reads the documents of one service in one consistent state.
type builder struct {
	p       *Publisher
	r       store.Reader
	service string            // resource ID
	values  map[string]string // of named values by lower-case display name; nil until one is needed
	broken  []error           // named values that could not be read
	mocks   bool              // a policy of the service or of a product has a mock-response
}

// keys says which parts must be made, and brings named up to date.
func (b *builder) keys(todo staleness, parts map[partKey]part, named map[string]string) (map[partKey]bool, error) {
	keys := maps.Clone(todo.parts)
	if keys == nil {
		keys = map[partKey]bool{}
	}
	if todo.all {
		return keys, b.allKeys(keys, parts, named)
	}
	touched := map[string]bool{}
	maps.Copy(touched, todo.used)
	for key := range todo.named {
		if old, ok := named[key]; ok {
			touched[old] = true
		}
		d, err := b.r.Get(key)
		if errors.Is(err, store.ErrNotFound) {
			delete(named, key)
			continue
		}
		if err != nil {
			return nil, err
		}
		named[key] = b.displayName(d)
		touched[named[key]] = true
	}
	if len(touched) == 0 {
		return keys, nil
	}
	for key, pt := range parts {
		for name := range pt.uses {
			if touched[name] {
				keys[key] = true
			}
		}
	}
	return keys, nil
}

func (b *builder) allKeys(keys map[partKey]bool, parts map[partKey]part, named map[string]string) error {
	for key := range parts { // those that are gone will be found to be
		keys[key] = true
	}
	for _, key := range []partKey{servicePart, productsPart, subscriptionsPart, usersPart, backendsPart, certificatesPart} {
		keys[key] = true
	}
	apis, err := b.list(typeAPI, b.service)
	if err != nil {
		return err
	}
	for _, d := range apis {
		keys[partKey{snapshot.KindAPI, strings.ToLower(lastSegment(d.ID))}] = true
	}
	values, err := b.list(typeNamedValue, b.service)
	if err != nil {
		return err
	}
	clear(named)
	for _, d := range values {
		named[store.Key(d.ID)] = b.displayName(d)
	}
	return nil
}

func (b *builder) list(typ, below string) ([]store.Document, error) {
	return b.r.List(store.Query{Type: typ, Prefix: below})
}

// displayName is the name by which texts refer to a named value. A document that cannot be read has none; the part
// that needs it says so.
func (b *builder) displayName(d store.Document) string {
	var doc namedValueDocument
	if err := b.p.decode(d, &doc); err != nil {
		return ""
	}
	return strings.ToLower(doc.Properties.DisplayName)
}

// lookup returns the value of a named value. Names are compared without case.
func (b *builder) lookup(name string) (value string, ok bool, err error) {
	if b.values == nil {
		if err := b.loadValues(); err != nil {
			return "", false, err
		}
	}
	value, ok = b.values[strings.ToLower(name)]
	return value, ok, nil
}

func (b *builder) loadValues() error {
	docs, err := b.list(typeNamedValue, b.service)
	if err != nil {
		return err
	}
	b.values = map[string]string{}
	for _, d := range docs {
		var doc namedValueDocument
		if err := b.p.decode(d, &doc); err != nil {
			b.broken = append(b.broken, err)
		} else if doc.Properties.Value != nil {
			b.values[strings.ToLower(doc.Properties.DisplayName)] = *doc.Properties.Value
		}
	}
	return nil
}

// substitute puts named values into a text and notes in d which ones it mentions. A name without a value stays as it
// is, unless it could be that of a named value which cannot be read: then d is incomplete.
func (b *builder) substitute(d *draft, text string) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	var failed error
	out, missing := policy.Substitute(text, func(name string) (string, bool) {
		d.use(strings.ToLower(name))
		value, ok, err := b.lookup(name)
		if err != nil {
			failed = err
		}
		return value, ok
	})
	if len(missing) > 0 {
		d.errs = append(d.errs, b.broken...)
	}
	return out, failed
}
