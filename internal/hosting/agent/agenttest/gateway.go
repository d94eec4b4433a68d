package agenttest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/hosting/guest"
	"github.com/portico-dev/portico/internal/platform"
)

// An Answer is what a test machine says to every request.
type Answer struct {
	Machine string `json:"machine"`
	Set     string `json:"set"`
	PID     int    `json:"pid"`
	Host    string `json:"host"`
	TLS     bool   `json:"tls"`
	Body    int64  `json:"body"` // length of the request's body
	Client  string `json:"client"`
	// What it was started with: how many threads run at a time, and what it was told to use.
	Processors int     `json:"processors"`
	Cores      float64 `json:"cores"`
	Memory     int64   `json:"memory"`
}

// gateway is the plainest gateway that keeps the promises of guest.Handler.
type gateway struct {
	guest   *guest.Guest
	handler http.Handler
	config  *tls.Config

	mu       sync.Mutex // guards below
	stopped  map[net.Listener]bool
	conns    map[net.Conn]net.Listener
	idle     map[net.Conn]bool
	draining bool
	empty    chan struct{} // closed when draining and without connections
	active   int
	answered int64
}

func newGateway(g *guest.Guest, h http.Handler) (*gateway, error) {
	cert, err := selfSigned()
	if err != nil {
		return nil, err
	}
	return &gateway{
		guest: g, handler: h, config: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		stopped: map[net.Listener]bool{}, conns: map[net.Conn]net.Listener{}, idle: map[net.Conn]bool{},
		empty: make(chan struct{}),
	}, nil
}

type connKey struct{}

// Serve implements guest.Handler.
func (g *gateway) Serve(l net.Listener) error { return g.server(l).Serve(l) }

// ServeTLS implements guest.Handler.
func (g *gateway) ServeTLS(l net.Listener) error {
	return g.server(l).Serve(tls.NewListener(l, g.config))
}

func (g *gateway) server(l net.Listener) *http.Server {
	return &http.Server{
		Handler:           g,
		ReadHeaderTimeout: time.Minute,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState:         func(c net.Conn, s http.ConnState) { g.note(l, c, s) },
	}
}

// StopListener lets connections that came from l end with their next answer.
func (g *gateway) StopListener(l net.Listener) error {
	g.mu.Lock()
	g.stopped[l] = true
	g.mu.Unlock()
	return l.Close()
}

// Drain implements guest.Handler: idle connections have two seconds to ask once more.
func (g *gateway) Drain(ctx context.Context) error {
	g.mu.Lock()
	g.draining = true
	g.checkEmpty()
	g.mu.Unlock()
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2 * time.Second):
	}
	g.mu.Lock()
	for c := range g.idle {
		_ = c.Close()
	}
	g.mu.Unlock()
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gateway) note(l net.Listener, c net.Conn, s http.ConnState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.idle, c)
	switch s {
	case http.StateNew:
		g.conns[c] = l
	case http.StateIdle:
		g.idle[c] = true
	case http.StateClosed, http.StateHijacked:
		delete(g.conns, c)
		g.checkEmpty()
	case http.StateActive:
	}
	g.guest.Report(guest.Load{Active: g.active, Conns: len(g.conns), Requests: g.answered, Answers: platform.Answers{All: g.answered}})
}

func (g *gateway) checkEmpty() {
	if g.draining && len(g.conns) == 0 {
		select {
		case <-g.empty:
		default:
			close(g.empty)
		}
	}
}

func (g *gateway) count(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active += n
	g.answered += int64(max(-n, 0))
	g.guest.Report(guest.Load{Active: g.active, Conns: len(g.conns), Requests: g.answered, Answers: platform.Answers{All: g.answered}})
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.count(1)
	defer g.count(-1)
	c, _ := r.Context().Value(connKey{}).(net.Conn)
	g.handler.ServeHTTP(&lastWriter{ResponseWriter: w, last: func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.draining || g.stopped[g.conns[c]]
	}}, r)
}

// lastWriter says with the head of an answer that it is the last one, if that is so at this moment.
type lastWriter struct {
	http.ResponseWriter
	last  func() bool
	begun bool
}

// Unwrap is for http.ResponseController.
func (w *lastWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *lastWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

func (w *lastWriter) WriteHeader(status int) {
	if w.begun = true; w.last() {
		w.Header().Set("Connection", "close")
	}
	w.ResponseWriter.WriteHeader(status)
}

// answer answers with an Answer, after the time that the query asks for by "wait".
func answer(g *guest.Guest) http.Handler {
	config := g.Config()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		if d, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil {
			select {
			case <-time.After(d):
			case <-r.Context().Done():
			}
		}
		_ = json.NewEncoder(w).Encode(Answer{
			Machine: config.Machine.ID, Set: config.Set, PID: os.Getpid(), Host: r.Host, TLS: r.TLS != nil, Body: n,
			Client: r.RemoteAddr, Processors: runtime.GOMAXPROCS(0), Cores: config.Cores, Memory: config.Memory,
		})
	})
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"*.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
