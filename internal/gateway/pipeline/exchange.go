package pipeline

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/counters"
	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/lib"
	"github.com/portico-dev/portico/internal/gateway/route"
	"github.com/portico-dev/portico/internal/policy"
	"github.com/portico-dev/portico/internal/snapshot"
)

// A Target is where the backend section forwards to.
type Target struct {
	Base    URL    // scheme, host, path without slash at the end
	Backend string // name of the backend entity; empty for a plain URL
	Proxy   *url.URL
	// SkipChain and SkipName switch off the checks of the backend's certificate chain and name.
	SkipChain, SkipName bool
	Header              []Field // credentials, set over what the client sent
	Query               []Field
	Authorization       string // scheme and parameter
}

// Services is what statements ask of the snapshot that the request is pinned to.
type Services interface {
	// Backend finds a backend entity by its name.
	Backend(name string) (*Target, bool)
	// API finds an API by its resource ID.
	API(id string) (*snapshot.API, bool)
	// Certificates lists the certificates that the service holds.
	Certificates() []Certificate
	// Trust is what certificates of others are verified with; nil for what the system trusts.
	Trust() *Trust
	// OldestTLS is the oldest version of TLS that backends may speak; 0 for TLS 1.2.
	OldestTLS() uint16
	// Counters are what all machines of the service count in.
	Counters() (*counters.Table, error)
}

// A Certificate is one that the service holds with its private key.
type Certificate struct {
	Name       string
	Thumbprint string // upper case
	*lib.Certificate
}

// A Trust is what certificates are verified with. It never changes.
type Trust struct {
	Key     string              // of two that are alike it is the same
	Roots   *x509.CertPool      // those of the system and those of the service
	Between []*x509.Certificate // may stand in a chain, and are not trusted by themselves
}

// Intermediates are the certificates that may stand in a chain that was presented.
func (t *Trust) Intermediates(chain []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range chain[min(1, len(chain)):] {
		pool.AddCert(c)
	}
	if t != nil {
		for _, c := range t.Between {
			pool.AddCert(c)
		}
	}
	return pool
}

// A Lookup says where a response belongs that was not found, for the statement that keeps it.
type Lookup struct {
	Policy string // resource ID
	Key    string
	// Tell sets the headers of a response that tell clients how long they may keep it themselves.
	Tell func(m *Message, left time.Duration)
}

// An Exchange is one request on its way to a response. It is the request's context and belongs to one goroutine.
type Exchange struct {
	context.Context
	Started  time.Time
	ClientIP string
	TLS      *tls.ConnectionState // nil on plain HTTP
	// Original is the request line as received, with scheme and host.
	OriginalURL    URL
	OriginalMethod string

	Request  *Message
	Response *Message // nil until there is one
	Target   *Target  // nil: the API has no service URL and no statement chose a backend

	Services     Services
	Service      *snapshot.Service
	API          *snapshot.API          // nil: none matched
	Operation    *snapshot.Operation    // nil: none matched
	Product      *snapshot.Product      // nil: not in the context of a product
	Subscription *snapshot.Subscription // nil: none was used
	Key          string                 // of Subscription, as it was sent
	Machine      string                 // the machine's own ID
	User         *snapshot.User         // owner of Subscription; nil: it has none
	Params       []route.Param          // captures of the operation's template, percent-encoded

	Section   policy.Section
	LastError *Failure
	// Lookups are what cache-lookup has looked for in vain; KeptBy is the policy whose cache-lookup found a response.
	Lookups   []Lookup
	KeptBy    string
	Preflight bool // asks cors alone
	CORS      bool // a cors statement has decided

	// HostChosen says that a statement set the Host header; otherwise the backend's own name is sent.
	HostChosen bool
	// Early sends an informational answer (103) of the backend on; nil drops it. It may be called from another
	// goroutine while the backend section waits for the response.
	Early func(status int, h Header)
	// Unbuffered passes each piece of the response body on at once.
	Unbuffered bool
	// MaxBuffer bounds every body that is held in memory, in bytes.
	MaxBuffer int64
	// Budget bounds each evaluation of an expression.
	Budget csharp.Budget
	// Share is what the evaluations of all requests of the service take of a machine that is not its own; nil: there is
	// no bound.
	Share *Share
	// Log takes the messages of context.Trace, at level debug; nil drops them.
	Log *slog.Logger
	// Received and Sent are the bytes of content that came from and went to the client. They are known in Release.
	Received, Sent int64
	// Variables are what set-variable and other statements keep for the rest of the request.
	Variables Variables

	id        uuid.UUID
	gate      *sync.Mutex // held by the branch of a wait that runs
	pending   []Field     // put on the response when it is sent
	more      []Field     // likewise, beside what is there
	secondary []error     // of on-error itself
	deferred  []func()    // run by Release
	view      view
}

// RequestID is a GUID that names the request. It is made when first asked for.
func (x *Exchange) RequestID() string { return x.requestID().String() }

// Message is what header and body statements act on in the current section: the request in inbound and backend, the
// response in outbound and on-error.
func (x *Exchange) Message() *Message {
	if x.Section == policy.Inbound || x.Section == policy.Backend {
		return x.Request
	}
	if x.Response == nil {
		x.Response = NewResponse(200)
	}
	return x.Response
}

// SetResponse replaces the response and lets go of the one before.
func (x *Exchange) SetResponse(m *Message) error {
	var err error
	if x.Response != nil && x.Response != m {
		err = x.Response.Body.Close()
	}
	x.Response = m
	return err
}

// Attach adds a header to whatever response is sent in the end.
func (x *Exchange) Attach(name, value string) {
	for i := range x.pending {
		if strings.EqualFold(x.pending[i].Name, name) {
			x.pending[i].Value = value
			return
		}
	}
	x.pending = append(x.pending, Field{name, value})
}

// AttachMore adds a header to whatever response is sent in the end, beside what it has of that name.
func (x *Exchange) AttachMore(name, value string) { x.more = append(x.more, Field{name, value}) }

// AttachedMore lists the headers given to AttachMore.
func (x *Exchange) AttachedMore() []Field { return x.more }

// Parallel runs branches beside each other and returns when all have ended. Only one runs at any moment: the others
// wait, or are inside of Blocking. So they can share the exchange.
func (x *Exchange) Parallel(branches []func()) {
	outer, gate := x.gate, new(sync.Mutex)
	x.gate = gate
	var wg sync.WaitGroup
	panics := make([]any, len(branches))
	for i, run := range branches {
		wg.Go(func() {
			gate.Lock()
			defer gate.Unlock()
			defer func() { panics[i] = recover() }()
			run()
		})
	}
	wg.Wait()
	x.gate = outer
	for _, p := range panics {
		if p != nil {
			panic(p) // it belongs to the request's own goroutine
		}
	}
}

// Blocking runs what waits for something outside, and uses nothing of the exchange meanwhile: other branches run.
func (x *Exchange) Blocking(wait func()) {
	if gate := x.gate; gate != nil {
		gate.Unlock()
		defer gate.Lock()
	}
	wait()
}

// Defer runs release when the response has been sent.
func (x *Exchange) Defer(release func()) { x.deferred = append(x.deferred, release) }

// Release lets go of what statements have kept for the request. Nothing of the exchange is used afterwards.
func (x *Exchange) Release() {
	for _, release := range x.deferred {
		release()
	}
	x.deferred = nil
}

// Attached lists the headers given to Attach.
func (x *Exchange) Attached() []Field { return x.pending }

// Secondary lists errors of the on-error section itself, for the log.
func (x *Exchange) Secondary() []error { return x.secondary }

// BackendURL is where the request goes as things stand.
func (x *Exchange) BackendURL() (URL, bool) {
	if x.Target == nil {
		return URL{}, false
	}
	return x.Target.Base.Join(x.Request.URL.Path, x.Request.URL.RawQuery), true
}

// OldestTLS is the oldest version of TLS that backends may speak; 0 for TLS 1.2.
func (x *Exchange) OldestTLS() uint16 {
	if x.Services == nil {
		return 0
	}
	return x.Services.OldestTLS()
}

// Trust is what certificates of others are verified with; nil for what the system trusts.
func (x *Exchange) Trust() *Trust {
	if x.Services == nil {
		return nil
	}
	return x.Services.Trust()
}

// Param finds a capture of the operation's template, percent-encoded.
func (x *Exchange) Param(name string) (p route.Param, ok bool) {
	for _, p := range x.Params {
		if strings.EqualFold(p.Name, name) {
			return p, true
		}
	}
	return p, false
}
