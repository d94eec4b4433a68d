// Package engine serves clients: it accepts connections, reads requests over net/http, finds the service, and sends
// what its policies answer. It owns what a machine needs to come and go without a failed request: listeners that are
// opened and closed one by one, snapshots that are swapped under load, and Drain.
//
// Start reading at Server.ServeHTTP for a request, at Server.Drain for the end of a machine.
package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/snapshot"
)

// Options of a machine's engine. Zero values mean the defaults.
type Options struct {
	Machine  string // machine ID, as the status answer shows it
	Gateway  string // version of the gateway program
	Platform string // stv1, mtv1, stv2
	// Seq is the store transaction up to which everything is served, for the status answer. Nil: the snapshot's.
	Seq      func() int64
	Log      *slog.Logger
	Compiler *service.Compiler
	// Catalogue makes the engine an mtv1 worker that activates a service on its first request. Nil: the engine serves
	// the one service that Apply gives it.
	Catalogue  Catalogue
	Activation ActivationOptions
	Tenants    TenantLimits
	// Meter counts a request of a service of an mtv1 worker, by its resource ID in lower case; may be nil.
	Meter func(serviceID string)

	HeadBytes        int           // longest request head; default 64 KiB
	HeaderTimeout    time.Duration // for a head to come; default 30 s
	HandshakeTimeout time.Duration // for a TLS greeting; default 10 s
	IdleTimeout      time.Duration // for the next request on a connection; default 4 min
	BodyTimeout      time.Duration // for the next bytes of a request body that is being read; default 1 min
	SendTimeout      time.Duration // for a client to take more of an answer; default 1 min
	DrainIdle        time.Duration // the same while draining; default 2 s
	Linger           time.Duration // for a client to close its side after the last answer; default 1 s
	MaxConns         int           // open client connections, further ones wait in the kernel; default 16,384
	MaxBuffer        int64         // longest body that a policy may hold in memory; default 64 MiB
}

// A Server is the engine of one machine.
type Server struct {
	opt       Options
	log       *slog.Logger
	http      *http.Server
	tls       *tls.Config
	greetings greetings                       // how greetings of services are answered
	current   atomic.Pointer[service.Service] // single-tenant
	tenants   *tenants                        // mtv1
	applyMu   sync.Mutex                      // one compilation at a time

	accepted chan net.Conn
	handed   *handover
	served   chan error    // of http.Serve
	stopped  chan struct{} // closed by Close
	stopOnce sync.Once
	slots    chan struct{} // one for each open connection

	background sync.WaitGroup // greetings and what lingers
	active     atomic.Int64
	total      atomic.Int64
	pages      atomic.Int64 // of them, those of StatusPath
	failed     atomic.Int64 // platform.Answers.Failed
	own        atomic.Int64 // platform.Answers.Own
	draining   atomic.Bool

	mu      sync.Mutex // guards below
	closed  bool       // by Close: nothing more begins in the background
	sources map[net.Listener]*source
	conns   map[*wire]struct{}
	empty   chan struct{} // closed when draining and no connection is left
}

// Stats are counters of a machine.
type Stats struct {
	Active   int              // requests in progress
	Conns    int              // open client connections
	Requests int64            // answered since the start
	Answers  platform.Answers // the same, as callers see it
}

// New makes an engine that accepts nothing yet. Close it when it is no longer needed.
func New(opt Options) *Server {
	opt.defaults()
	s := &Server{
		opt: opt, log: opt.Log,
		accepted: make(chan net.Conn), served: make(chan error, 1), stopped: make(chan struct{}),
		slots:   make(chan struct{}, opt.MaxConns),
		sources: make(map[net.Listener]*source), conns: make(map[*wire]struct{}), empty: make(chan struct{}),
	}
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: s.certificate}
	s.greetings = newGreetings(s.tls)
	s.tls.GetConfigForClient = s.configuration
	if opt.Catalogue != nil {
		s.tenants = newTenants(opt)
	}
	s.http = &http.Server{
		Handler: s, ConnState: s.connState, ConnContext: connContext,
		ReadHeaderTimeout: opt.HeaderTimeout, IdleTimeout: opt.IdleTimeout, MaxHeaderBytes: opt.HeadBytes,
		TLSConfig:                    &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}},
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(opt.Log.Handler(), slog.LevelDebug),
	}
	s.handed = &handover{conns: s.accepted, done: make(chan struct{})}
	go func() { s.served <- s.http.Serve(s.handed) }()
	return s
}

func (o *Options) defaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	number := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	span := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	number(&o.HeadBytes, 64<<10)
	number(&o.MaxConns, 16<<10)
	span(&o.HeaderTimeout, 30*time.Second)
	span(&o.HandshakeTimeout, 10*time.Second)
	span(&o.IdleTimeout, 4*time.Minute)
	span(&o.BodyTimeout, time.Minute)
	span(&o.SendTimeout, time.Minute)
	span(&o.DrainIdle, 2*time.Second)
	span(&o.Linger, time.Second)
	if o.MaxBuffer == 0 {
		o.MaxBuffer = 64 << 20
	}
}

// ErrWrongService is returned for a bundle that is not meant for this machine.
var ErrWrongService = errors.New("the snapshot belongs to another service")

// Apply compiles a snapshot and serves from it. Requests in progress keep the one they began with. What could not be
// compiled is listed and keeps its last good form. An mtv1 worker compiles only what is active at the moment.
func (s *Server) Apply(b service.Bundle) ([]snapshot.Refusal, error) {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	if s.tenants != nil {
		return s.tenants.apply(b)
	}
	prev := s.current.Load()
	if prev != nil && !strings.EqualFold(prev.ID(), b.Manifest.Service) {
		return nil, ErrWrongService
	}
	next, refused, err := s.opt.Compiler.Compile(prev, b)
	if err != nil {
		return refused, err
	}
	s.current.Store(next)
	return refused, nil
}

// Drop forgets a service of an mtv1 worker. Requests in progress end as they began.
func (s *Server) Drop(serviceID string) {
	if s.tenants != nil {
		s.tenants.drop(serviceID)
	}
}

// Current is the snapshot that a single-tenant machine serves; nil before the first.
func (s *Server) Current() *service.Service { return s.current.Load() }

// Stats reads the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	conns := len(s.conns)
	s.mu.Unlock()
	total := s.total.Load()
	return Stats{
		Active: int(s.active.Load()), Conns: conns, Requests: total,
		Answers: platform.Answers{All: max(0, total-s.pages.Load()), Failed: s.failed.Load(), Own: s.own.Load()},
	}
}

// MaxConns is how many client connections can be open at once.
func (s *Server) MaxConns() int { return s.opt.MaxConns }

// find is the service for a host name, given in lower case and without port. A nil service without an error means
// that nobody here answers to the name; a tenant comes with the services of an mtv1 worker.
func (s *Server) find(ctx context.Context, host string) (*service.Service, *tenant, error) {
	if s.tenants != nil {
		return s.tenants.find(ctx, host)
	}
	cur := s.current.Load()
	if cur == nil {
		return nil, nil, errNotReady
	}
	if !cur.AnswersTo(host) {
		return nil, nil, nil
	}
	return cur, nil, nil
}

var errNotReady = errors.New("the gateway has no configuration yet")

var (
	_ http.Handler      = (*Server)(nil)
	_ pipeline.Services = (*service.Service)(nil)
)
