// Package gatewaytest helps tests of the gateway: snapshots in memory, a backend that records what it saw, engines on
// free ports.
package gatewaytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // thumbprints are SHA-1
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/gateway/backend"
	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/gateway/statement"
	"github.com/portico-dev/portico/internal/snapshot"
)

// ServiceID is the resource ID of the service of a Snapshot.
const ServiceID = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.ApiManagement/service/shop"

// A Snapshot is the content of one service.
type Snapshot struct {
	Seq           int64
	Service       snapshot.Service
	Products      []snapshot.Product
	Subscriptions []snapshot.Subscription
	Users         []snapshot.User
	Backends      []snapshot.Backend
	Certificates  []snapshot.Certificate
	APIs          []snapshot.API
}

// Bundle encodes the snapshot.
func (s Snapshot) Bundle(t testing.TB) service.Bundle {
	t.Helper()
	if s.Service.ID == "" {
		s.Service.ID, s.Service.Name = ServiceID, "shop"
	}
	m := snapshot.Manifest{Format: snapshot.Format, Service: s.Service.ID, Name: s.Service.Name, Seq: s.Seq}
	parts := map[string][]byte{}
	add := func(kind, id string, v any) {
		data, digest, err := snapshot.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		parts[digest] = data
		m.Parts = m.Parts.With(snapshot.PartRef{Kind: kind, ID: id, Digest: digest})
	}
	add(snapshot.KindService, s.Service.ID, s.Service)
	add(snapshot.KindProducts, s.Service.ID, s.Products)
	add(snapshot.KindSubscriptions, s.Service.ID, s.Subscriptions)
	add(snapshot.KindUsers, s.Service.ID, s.Users)
	add(snapshot.KindBackends, s.Service.ID, s.Backends)
	add(snapshot.KindCertificates, s.Service.ID, s.Certificates)
	for _, a := range s.APIs {
		add(snapshot.KindAPI, a.ID, a)
	}
	return service.Bundle{Manifest: m, Load: func(digest string) ([]byte, error) {
		data, ok := parts[digest]
		if !ok {
			return nil, fmt.Errorf("no part %s", digest)
		}
		return data, nil
	}}
}

// Shop is a service with one API at path "shop" without keys that forwards everything to a backend.
func Shop(backendURL string) Snapshot {
	return Snapshot{
		Seq: 1,
		Service: snapshot.Service{
			ID: ServiceID, Name: "shop", Location: "West Europe", Tier: "Developer",
			Hosts:  []snapshot.Host{{Name: "shop.apim.localhost", Default: true}, {Name: "127.0.0.1"}},
			TLS:    snapshot.TLS{HTTP2: true},
			Policy: &snapshot.Policy{ID: ServiceID + "/policies/policy", XML: "<policies><inbound/><backend><forward-request/></backend><outbound/></policies>"},
		},
		APIs: []snapshot.API{{
			ID: ServiceID + "/apis/shop", Name: "shop", DisplayName: "Shop", Path: "shop", Revision: "1", Current: true,
			ServiceURL: backendURL, Protocols: []string{"http", "https"},
			Operations: []snapshot.Operation{
				{Name: "order", DisplayName: "Order", Method: "GET", URLTemplate: "/orders/{id}"},
				{Name: "any", DisplayName: "Any", Method: "*", URLTemplate: "/*"},
			},
		}},
	}
}

// Certificate makes a client certificate whose subject is CN=name.
func Certificate(t testing.TB, name string) snapshot.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2064, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(der) //nolint:gosec // thumbprints are SHA-1
	return snapshot.Certificate{
		ID: ServiceID + "/certificates/" + name, Name: name, Thumbprint: strings.ToUpper(hex.EncodeToString(sum[:])),
		CertificatePEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		KeyPEM:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
	}
}

// Compiler compiles with every statement there is.
func Compiler(t testing.TB) *service.Compiler {
	pool := backend.NewPool(backend.PoolOptions{})
	t.Cleanup(pool.Close)
	return &service.Compiler{Builders: statement.All(statement.Env{Pool: pool})}
}

// Start runs an engine on a free port of loopback and gives its address.
func Start(t testing.TB, opt engine.Options, snap Snapshot) (*engine.Server, string) {
	t.Helper()
	if opt.Compiler == nil {
		opt.Compiler = Compiler(t)
	}
	srv := engine.New(opt)
	if opt.Catalogue == nil {
		refused, err := srv.Apply(snap.Bundle(t))
		if err != nil || len(refused) > 0 {
			t.Fatalf("apply: %v, refused: %v", err, refused)
		}
	}
	l := Listen(t)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		// A server that is closed before it began to serve says so.
		if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return srv, l.Addr().String()
}

// Listen opens a listener on a free port of loopback.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A Recorder is a backend that notes requests and answers 200 "ok", or what Answer says.
type Recorder struct {
	*httptest.Server
	Answer http.HandlerFunc

	mu   sync.Mutex // guards below
	seen []string
}

// Record starts a recorder.
func Record(t testing.TB) *Recorder {
	r := &Recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *Recorder) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.seen = append(r.seen, Dump(req, string(body)))
	r.mu.Unlock()
	if r.Answer != nil {
		r.Answer(w, req)
		return
	}
	w.Header()["Date"] = nil
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprint(w, "ok")
}

// Seen lists the requests so far, in the form of Dump.
func (r *Recorder) Seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.seen...)
}

// Dump writes a request as golden files show it: the request line, the headers sorted, the body.
func Dump(req *http.Request, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", req.Method, req.RequestURI)
	h := req.Header.Clone()
	h.Set("Host", req.Host)
	WriteHeader(&b, h)
	if body != "" {
		fmt.Fprintf(&b, "\n%s\n", body)
	}
	return b.String()
}

// WriteHeader writes headers sorted by name.
func WriteHeader(w io.Writer, h http.Header) {
	names := make([]string, 0, len(h))
	for n := range h {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		for _, v := range h[n] {
			fmt.Fprintf(w, "%s: %s\n", n, v)
		}
	}
}
