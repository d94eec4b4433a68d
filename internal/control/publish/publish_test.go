package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/identity"
	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

const (
	group = "/subscriptions/S/resourceGroups/g/providers/Microsoft.ApiManagement/service/"
	shop  = group + "Shop"
)

// A world is a store with a publisher on it.
type world struct {
	t    *testing.T
	st   store.Store
	pub  *Publisher
	logs *bytes.Buffer // written by one goroutine at a time: the polls of a test follow one another
}

func newWorld(t *testing.T, opt Options) *world { return openWorld(t, opt, sqlite.Options{}) }

func openWorld(t *testing.T, opt Options, so sqlite.Options) *world {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "p.db"), so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	w := &world{t: t, st: st, logs: &bytes.Buffer{}}
	w.pub = New(st, unseal, slog.New(slog.NewTextHandler(w.logs, nil)), opt)
	return w
}

// unseal stands for the resource engine: a sealed value here is its own text after "sealed:".
func unseal(d store.Document) (map[string]any, error) {
	text := regexp.MustCompile(`{"\$sealed":"sealed:(\w+)"}`).ReplaceAllString(string(d.Desired), `"$1"`)
	if strings.Contains(text, "$sealed") {
		return nil, errors.New("unseal " + d.ID)
	}
	var o map[string]any
	return o, json.Unmarshal([]byte(text), &o)
}

// run starts the publisher and stops it with the test.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.pub.Run(ctx)
	}()
	stop = func() { cancel(); <-done }
	w.t.Cleanup(stop)
	return stop
}

// typeOf derives the type from an ID, as ARM does.
func typeOf(id string) string {
	_, rest, ok := strings.Cut(strings.ToLower(id), "/providers/")
	if !ok {
		return "portico/thing"
	}
	segs := strings.Split(rest, "/")
	typ := segs[0]
	for i := 1; i < len(segs); i += 2 {
		typ += "/" + segs[i]
	}
	return typ
}

// put writes documents given as ID and JSON, all in one transaction.
func (w *world) put(pairs ...string) int64 {
	w.t.Helper()
	seq, err := w.st.Update(w.t.Context(), func(tx store.Tx) error {
		for i := 0; i < len(pairs); i += 2 {
			d := store.Document{ID: pairs[i], Type: typeOf(pairs[i]), Desired: json.RawMessage(pairs[i+1])}
			if old, err := tx.Get(d.ID); err == nil {
				d.Status = old.Status
			}
			if _, err := tx.Put(d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return seq
}

func (w *world) remove(ids ...string) int64 {
	w.t.Helper()
	seq, err := w.st.Update(w.t.Context(), func(tx store.Tx) error {
		for _, id := range ids {
			if err := tx.Delete(id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return seq
}

func (w *world) setStatus(id, status string) int64 {
	w.t.Helper()
	seq, err := w.st.Update(w.t.Context(), func(tx store.Tx) error {
		d, err := tx.Get(id)
		if err != nil {
			return err
		}
		d.Status = json.RawMessage(status)
		_, err = tx.Put(d)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return seq
}

// A machine polls and keeps what it was given, as a real one does.
type machine struct {
	w     *world
	req   snapshot.PollRequest
	parts map[string][]byte
	last  map[string]snapshot.Manifest // by service
	sent  []string                     // kinds and last ID segments of the parts of the last answer
}

func (w *world) machine(service, location string) *machine {
	return &machine{
		w: w, parts: map[string][]byte{}, last: map[string]snapshot.Manifest{},
		req: snapshot.PollRequest{Machine: "m1", Service: service, Location: location, Have: map[string]string{}},
	}
}

func (m *machine) poll() *snapshot.PollResponse {
	m.w.t.Helper()
	ctx, cancel := context.WithTimeout(m.w.t.Context(), 20*time.Second)
	defer cancel()
	req := m.req
	if req.Session != "" { // the publisher knows the rest
		req.Have, req.Parts = nil, nil
	}
	resp, err := m.w.pub.Poll(ctx, req)
	if err != nil {
		m.w.t.Fatalf("poll: %v", err)
	}
	if resp.Resync {
		m.req.Session = ""
		return m.poll()
	}
	m.take(resp)
	return resp
}

func (m *machine) take(resp *snapshot.PollResponse) {
	m.w.t.Helper()
	m.sent = nil
	for digest, data := range resp.Parts {
		m.parts[digest] = data
		m.req.Parts = append(m.req.Parts, digest)
	}
	manifests := slices.Clone(resp.Manifests)
	for _, c := range resp.Changes {
		man, err := c.Apply(m.last[c.Service])
		if err != nil {
			m.w.t.Fatal(err)
		}
		manifests = append(manifests, man)
	}
	for _, man := range manifests {
		m.last[man.Service] = man
		m.req.Have[man.Service] = man.Digest()
		for p := range man.Parts.All() {
			if m.parts[p.Digest] == nil {
				m.w.t.Fatalf("part %s of %s is missing", p.Kind, p.ID)
			}
			if _, now := resp.Parts[p.Digest]; now {
				m.sent = append(m.sent, p.Kind+" "+lastSegment(p.ID))
			}
		}
	}
	for _, id := range resp.Gone {
		delete(m.req.Have, id)
		delete(m.last, id)
	}
	slices.Sort(m.sent)
	m.req.Seq, m.req.Session = resp.Seq, resp.Session
}

// held decodes the part of a kind and ID of a service that the machine holds.
func held[T any](m *machine, service, kind, id string) T {
	m.w.t.Helper()
	var v T
	for p := range m.last[service].Parts.All() {
		if p.Kind == kind && p.ID == id {
			if err := json.Unmarshal(m.parts[p.Digest], &v); err != nil {
				m.w.t.Fatal(err)
			}
			return v
		}
	}
	m.w.t.Fatalf("there is no part %s %s in %v", kind, id, m.last[service].Parts.List())
	return v
}

const premium = `{"location":"West Europe","sku":{"name":"Premium","capacity":1},"properties":{}}`

func policyJSON(value string) string {
	b, _ := json.Marshal(map[string]any{"properties": map[string]any{"format": "rawxml", "value": value}})
	return string(b)
}

// shopDocuments are two APIs, one with two API operations.
func shopDocuments() []string {
	return []string{
		shop, premium,
		shop + "/apis/Books", `{"properties":{"displayName":"Books","path":"/books/","protocols":["http","https"],"serviceUrl":"http://b.example","subscriptionRequired":false}}`,
		shop + "/apis/Books/operations/get", `{"properties":{"displayName":"Get","method":"get","urlTemplate":"/{id}"}}`,
		shop + "/apis/Books/operations/add", `{"properties":{"displayName":"Add","method":"POST","urlTemplate":"/"}}`,
		shop + "/apis/Music", `{"properties":{"displayName":"Music","path":"music"}}`,
	}
}

func TestPoll_FirstAnswerHasEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Domain: "example.test", Certificate: func(_ context.Context, host string) (string, string, error) {
		return "cert of " + host, "key of " + host, nil
	}})
	seq := w.put(append(shopDocuments(),
		shop+"/policies/policy", policyJSON("<policies>{{Who}}{{nobody}}</policies>"),
		shop+"/apis/Books/policies/policy", policyJSON("<api/>"),
		shop+"/apis/Books/operations/get/policies/policy", policyJSON("<operation>{{who}}</operation>"),
		shop+"/namedValues/nv", `{"properties":{"displayName":"Who","secret":true,"value":{"$sealed":"sealed:me"}}}`,
		shop+"/products/gold", `{"properties":{"displayName":"Gold","state":"published","approvalRequired":true,"subscriptionsLimit":2}}`,
		shop+"/products/gold/apis/books", `{}`,
		shop+"/products/gold/apis/gone", `{}`,
		shop+"/products/gold/policies/policy", policyJSON("<product/>"),
		shop+"/subscriptions/s1", `{"properties":{"scope":"/products/gold","state":"active","displayName":"One","ownerId":"`+shop+`/users/ada","primaryKey":{"$sealed":"sealed:k1"},"secondaryKey":{"$sealed":"sealed:k2"},"createdDate":"2026-01-02T03:04:05Z","startDate":"2026-01-02T03:04:05Z","endDate":"2026-02-03T04:05:06Z"}}`,
		shop+"/users/Ada", `{"properties":{"email":"ada@b.c","firstName":"Ada","lastName":"L","note":"n","state":"active","registrationDate":"2026-01-02T03:04:05Z","identities":[{"provider":"Basic","id":"ada@b.c"}]},"tokenKeys":{"primary":{"$sealed":"none of the gateway's business"}}}`,
		shop+"/users/bob", `{"properties":{"email":"bob@b.c","firstName":"Owns","lastName":"Nothing"}}`,
		shop+"/groups/staff", `{"properties":{"displayName":"Our staff","type":"custom"}}`,
		shop+"/groups/other", `{"properties":{"displayName":"Others","type":"custom"}}`,
		shop+"/groups/staff/users/ada", `{}`,
		shop+"/products/gold/groups/Other", `{}`,
		shop+"/products/gold/groups/gone", `{}`,
		shop+"/certificates/c1", `{"properties":{"subject":"CN=c","thumbprint":"AB"},"pair":{"certificate":{"$sealed":"sealed:chain"},"key":{"$sealed":"sealed:key"}}}`,
		shop+"/backends/be", `{"properties":{"url":"https://b.example","protocol":"http","tls":{"validateCertificateChain":false},"credentials":{"header":{"X":["{{who}}!"]},"query":{"q":"one"},"authorization":{"scheme":"Basic","parameter":"p"}}}}`,
	)...)
	w.setStatus(shop, `{"hosting":{"vips":[{"id":"v1","address":"127.9.0.1"},{"id":"v2"}]}}`)
	m := w.machine(shop, "")
	resp := m.poll()
	if resp.Seq != seq+1 || len(resp.Manifests) != 1 || resp.Manifests[0].Seq != seq+1 || resp.Manifests[0].Name != "Shop" {
		t.Fatalf("answer has Seq %d and manifests %v", resp.Seq, resp.Manifests)
	}
	var kinds []string
	for _, p := range resp.Manifests[0].Parts.List() {
		kinds = append(kinds, p.Kind)
	}
	if d := cmp.Diff([]string{"api", "api", "backends", "certificates", "products", "service", "subscriptions", "users"}, kinds); d != "" {
		t.Error(d)
	}
	two := 2
	check := func(want, got any) {
		t.Helper()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	check(snapshot.Service{
		ID: shop, Name: "Shop", Location: "West Europe", Tier: "Premium",
		Hosts: []snapshot.Host{
			{Name: "shop.example.test", Default: true, CertificatePEM: "cert of shop.example.test", KeyPEM: "key of shop.example.test"},
			{Name: "127.9.0.1"},
		},
		Policy: &snapshot.Policy{ID: shop + "/policies/policy", XML: "<policies>me{{nobody}}</policies>"},
	}, held[snapshot.Service](m, shop, "service", shop))
	check([]snapshot.Product{{
		ID: shop + "/products/gold", Name: "gold", DisplayName: "Gold", Published: true, SubscriptionRequired: true,
		ApprovalRequired: true, SubscriptionsLimit: &two, APIs: []string{shop + "/apis/Books"},
		Groups: []snapshot.Group{{ID: shop + "/groups/other", Name: "other", DisplayName: "Others"}},
		Policy: &snapshot.Policy{ID: shop + "/products/gold/policies/policy", XML: "<product/>"},
	}}, held[[]snapshot.Product](m, shop, "products", shop))
	check([]snapshot.Subscription{{
		ID: shop + "/subscriptions/s1", Name: "s1", DisplayName: "One", Scope: shop + "/products/gold", State: "active", OwnerID: shop + "/users/ada",
		PrimaryKey: "k1", SecondaryKey: "k2", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Starts: new(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), Ends: new(time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)),
	}}, held[[]snapshot.Subscription](m, shop, "subscriptions", shop))
	check([]snapshot.User{{
		ID: shop + "/users/Ada", Name: "Ada", Email: "ada@b.c", FirstName: "Ada", LastName: "L", Note: "n", State: "active",
		Registered: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Groups:     []snapshot.Group{{ID: shop + "/groups/staff", Name: "staff", DisplayName: "Our staff"}},
		Identities: []snapshot.Identity{{Provider: "Basic", ID: "ada@b.c"}},
	}}, held[[]snapshot.User](m, shop, "users", shop))
	check([]snapshot.Certificate{{ID: shop + "/certificates/c1", Name: "c1", Thumbprint: "AB", CertificatePEM: "chain", KeyPEM: "key"}},
		held[[]snapshot.Certificate](m, shop, "certificates", shop))
	check([]snapshot.Backend{{
		ID: shop + "/backends/be", Name: "be", URL: "https://b.example", Protocol: "http", SkipChain: true,
		Header: map[string][]string{"X": {"me!"}}, Query: map[string][]string{"q": {"one"}}, AuthScheme: "Basic", AuthParameter: "p",
	}}, held[[]snapshot.Backend](m, shop, "backends", shop))
	check(snapshot.API{
		ID: shop + "/apis/Books", Name: "Books", DisplayName: "Books", Path: "books", Revision: "1", Current: true,
		ServiceURL: "http://b.example", Protocols: []string{"http", "https"},
		KeyHeader: "Ocp-Apim-Subscription-Key", KeyQuery: "subscription-key",
		Policy: &snapshot.Policy{ID: shop + "/apis/Books/policies/policy", XML: "<api/>"},
		Operations: []snapshot.Operation{
			{Name: "add", DisplayName: "Add", Method: "POST", URLTemplate: "/"},
			{
				Name: "get", DisplayName: "Get", Method: "GET", URLTemplate: "/{id}",
				Policy: &snapshot.Policy{ID: shop + "/apis/Books/operations/get/policies/policy", XML: "<operation>me</operation>"},
			},
		},
	}, held[snapshot.API](m, shop, "api", shop+"/apis/Books"))
}

// Each change re-makes exactly the parts that it touches.
func TestPoll_OnlyTouchedPartsAreSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.put(shopDocuments()...)
	m := w.machine(shop, "")
	m.poll()
	for _, c := range []struct {
		name, id, doc string
		want          []string
	}{
		{"API operation", shop + "/apis/Books/operations/get", `{"properties":{"method":"GET","urlTemplate":"/x/{id}"}}`, []string{"api Books"}},
		{"new API", shop + "/apis/Films", `{"properties":{"path":"films"}}`, []string{"api Films"}},
		{"policy of an API", shop + "/apis/Music/policies/policy", policyJSON("<a>{{One}}</a>"), []string{"api Music"}},
		{"unused named value", shop + "/namedValues/a", `{"properties":{"displayName":"Two","value":"2"}}`, nil},
		{"named value that was missing", shop + "/namedValues/b", `{"properties":{"displayName":"One","value":"1"}}`, []string{"api Music"}},
		{"used named value", shop + "/namedValues/b", `{"properties":{"displayName":"One","value":"11"}}`, []string{"api Music"}},
		{"renamed named value", shop + "/namedValues/b", `{"properties":{"displayName":"Three","value":"11"}}`, []string{"api Music"}},
		{"fragment that nobody includes", shop + "/policyFragments/f1", policyJSON("<fragment />"), nil},
		{"policy with a fragment", shop + "/apis/Music/policies/policy", policyJSON(`<policies><inbound><include-fragment fragment-id="F1" /><include-fragment fragment-id="f2" /></inbound></policies>`), []string{"api Music"}},
		{"included fragment", shop + "/policyFragments/f1", policyJSON("<fragment>{{Four}}</fragment>"), []string{"api Music"}},
		{"fragment that was missing", shop + "/policyFragments/f2", policyJSON("<fragment><a /></fragment>"), []string{"api Music"}},
		{"named value of a fragment", shop + "/namedValues/d", `{"properties":{"displayName":"Four","value":"4"}}`, []string{"api Music"}},
		{"revision", shop + "/apis/Films;rev=2", `{"properties":{"path":"films","apiRevision":"2"}}`, []string{"api Films;rev=2"}},
		{"API operation of a revision", shop + "/apis/Films;rev=2/operations/get", `{"properties":{"method":"GET","urlTemplate":"/x"}}`, []string{"api Films;rev=2"}},
		{"version set of nobody", shop + "/apiVersionSets/vs", `{"properties":{"versioningScheme":"Query","versionQueryName":"v"}}`, nil},
		{"API of a set", shop + "/apis/Films", `{"properties":{"path":"films","apiVersion":"2","apiVersionSetId":"` + shop + `/apiVersionSets/VS"}}`, []string{"api Films"}},
		{"version set", shop + "/apiVersionSets/vs", `{"properties":{"versioningScheme":"Header","versionHeaderName":"X-Version"}}`, []string{"api Films"}},
		{"service policy", shop + "/policies/policy", policyJSON("<p/>"), []string{"service Shop"}},
		{"product", shop + "/products/p", `{"properties":{"displayName":"P"}}`, []string{"products Shop"}},
		{"link", shop + "/products/p/apis/films", `{}`, []string{"products Shop"}},
		{"same part again", shop + "/products/p/apis/nothing", `{}`, nil},
		{"subscription", shop + "/subscriptions/s", `{"properties":{"scope":"/apis"}}`, []string{"subscriptions Shop"}},
		{"backend", shop + "/backends/b", `{"properties":{"url":"http://x"}}`, []string{"backends Shop"}},
		{"user without subscription", shop + "/users/u", `{"properties":{"firstName":"U"}}`, nil},
		{"user that owns one", shop + "/subscriptions/s", `{"properties":{"scope":"/apis","ownerId":"/users/u"}}`, []string{"subscriptions Shop", "users Shop"}},
		{"group", shop + "/groups/g", `{"properties":{"displayName":"G"}}`, nil},
		{"member", shop + "/groups/g/users/u", `{}`, []string{"users Shop"}},
		{"group of a product", shop + "/products/p/groups/g", `{}`, []string{"products Shop"}},
		{"group that both list", shop + "/groups/g", `{"properties":{"displayName":"H"}}`, []string{"products Shop", "users Shop"}},
		{"certificate", shop + "/certificates/c", `{"properties":{"thumbprint":"AB"}}`, []string{"certificates Shop"}},
		{"something else", shop + "/tags/g", `{"properties":{}}`, nil},
	} {
		seq := w.put(c.id, c.doc)
		resp := m.poll()
		if resp.Seq != seq {
			t.Errorf("%s: Seq %d, want %d", c.name, resp.Seq, seq)
		}
		if d := cmp.Diff(c.want, m.sent); d != "" {
			t.Errorf("%s: parts sent (-want +got):\n%s", c.name, d)
		}
		if got := held[snapshot.API](m, shop, "api", shop+"/apis/Music").Policy; c.name == "renamed named value" && got.XML != "<a>{{One}}</a>" {
			t.Errorf("after the renaming the policy is %s", got.XML)
		}
	}
	want := []snapshot.Fragment{
		{ID: shop + "/policyFragments/f1", Name: "f1", XML: "<fragment>4</fragment>"},
		{ID: shop + "/policyFragments/f2", Name: "f2", XML: "<fragment><a /></fragment>"},
	}
	if d := cmp.Diff(want, held[snapshot.API](m, shop, "api", shop+"/apis/Music").Policy.Fragments); d != "" {
		t.Error(d)
	}
	second := held[snapshot.API](m, shop, "api", shop+"/apis/Films;rev=2")
	if second.Name != "Films" || second.Current || second.Revision != "2" || len(second.Operations) != 1 {
		t.Errorf("the second revision is %+v", second)
	}
	films := held[snapshot.API](m, shop, "api", shop+"/apis/Films")
	if films.Version != "2" || films.VersionScheme != snapshot.VersionHeader || films.VersionName != "X-Version" {
		t.Errorf("version %q in %s %q", films.Version, films.VersionScheme, films.VersionName)
	}
	w.remove(shop+"/apis/Films", shop+"/products/p")
	m.poll()
	for p := range m.last[shop].Parts.All() {
		if p.ID == shop+"/apis/Films" {
			t.Error("the part of a deleted API is still there")
		}
	}
}

func TestPoll_WaitsForAChangeOfItsService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.put(shopDocuments()...)
	w.put(group+"other", premium)
	w.run()
	m := w.machine(shop, "")
	m.poll()
	answer := make(chan *snapshot.PollResponse, 1)
	go func() {
		resp, err := w.pub.Poll(context.Background(), m.req)
		if err != nil {
			t.Error(err)
		}
		answer <- resp
	}()
	w.put(group+"other/apis/x", `{"properties":{}}`)
	seq := w.put(shop+"/apis/Music/policies/policy", policyJSON("<a/>"))
	select {
	case resp := <-answer:
		m.take(resp)
		if resp.Seq != seq || !slices.Equal(m.sent, []string{"api Music"}) {
			t.Errorf("got Seq %d with %v, want %d with api Music", resp.Seq, m.sent, seq)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a change did not end the poll")
	}
}

func TestPoll_TimesOutWithTheNewestSeq(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{PollTimeout: time.Millisecond})
	w.put(shopDocuments()...)
	m := w.machine(shop, "")
	m.poll()
	seq := w.put(group+"other", premium)
	resp := m.poll()
	if d := cmp.Diff(&snapshot.PollResponse{Seq: seq, Session: resp.Session, Parts: map[string][]byte{}}, resp); d != "" {
		t.Error(d)
	}
}

func TestPoll_StatusOfTheService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.put(shopDocuments()...)
	m := w.machine(shop, "")
	m.poll()
	w.setStatus(shop, `{"hosting":{"vips":[{"id":"v","address":"127.9.0.2"}]}}`)
	m.poll()
	want := []snapshot.Host{{Name: "shop.apim.localhost", Default: true}, {Name: "127.9.0.2"}}
	if d := cmp.Diff(want, held[snapshot.Service](m, shop, "service", shop).Hosts); d != "" {
		t.Error(d)
	}
	// A name or an address of one location says which.
	w.setStatus(shop, `{"location":"westeurope","hosting":{"vips":[{"id":"v","address":"127.9.0.2"}]},"others":[{"location":"eastus","hosting":{"vips":[{"id":"w","address":"127.9.0.3"}]}}]}`)
	m.poll()
	want = []snapshot.Host{
		{Name: "shop.apim.localhost", Default: true},
		{Name: "shop-westeurope-01.regional.apim.localhost", Location: "westeurope"},
		{Name: "127.9.0.2", Location: "westeurope"},
		{Name: "shop-eastus-01.regional.apim.localhost", Location: "eastus"},
		{Name: "127.9.0.3", Location: "eastus"},
	}
	if d := cmp.Diff(want, held[snapshot.Service](m, shop, "service", shop).Hosts); d != "" {
		t.Error(d)
	}
	w.setStatus(shop, `{"hosting":{"vips":[{"id":"v","address":"127.9.0.2"}]}}`)
	m.poll()
	seq := w.setStatus(shop, `{"epoch":7,"hosting":{"vips":[{"id":"v","address":"127.9.0.2"}]}}`)
	if resp := m.poll(); resp.Seq != seq || len(resp.Manifests) != 0 {
		t.Errorf("got Seq %d and %d manifests, want %d and none", resp.Seq, len(resp.Manifests), seq)
	}
}

func TestPoll_SharedWorkerGetsItsLocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	const consumption = `{"location":"West Europe","sku":{"name":"Consumption"},"properties":{}}`
	w.put(
		group+"a", consumption, group+"b", consumption, group+"c", premium,
		group+"d", strings.Replace(consumption, "West Europe", "North Europe", 1),
	)
	m := w.machine("", "westeurope")
	m.poll()
	names := func() (out []string) {
		for id := range m.req.Have {
			out = append(out, lastSegment(id))
		}
		slices.Sort(out)
		return out
	}
	if d := cmp.Diff([]string{"a", "b"}, names()); d != "" {
		t.Fatal(d)
	}
	w.remove(group + "a")
	w.put(group+"c", consumption)
	resp := m.poll()
	if d := cmp.Diff([]string{group + "a"}, resp.Gone); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"b", "c"}, names()); d != "" {
		t.Error(d)
	}
	w.put(group+"b", premium)
	if resp := m.poll(); !slices.Equal(resp.Gone, []string{group + "b"}) {
		t.Errorf("gone = %v, want b, which changed its tier", resp.Gone)
	}
}

func TestPoll_DeletedServiceIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.put(shopDocuments()...)
	m := w.machine(shop, "")
	m.poll()
	seq := w.remove(shop)
	resp := m.poll()
	if d := cmp.Diff(&snapshot.PollResponse{Seq: seq, Session: resp.Session, Gone: []string{shop}, Parts: map[string][]byte{}}, resp); d != "" {
		t.Error(d)
	}
}

func TestPoll_UnreadableDocumentKeepsItsLastGoodForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.put(append(shopDocuments(), shop+"/subscriptions/s", `{"properties":{"primaryKey":"k"}}`)...)
	m := w.machine(shop, "")
	m.poll()
	before := held[snapshot.API](m, shop, "api", shop+"/apis/Books")
	w.put(
		shop+"/apis/Books/operations/get", `{"properties":{"urlTemplate":7}}`,
		shop+"/subscriptions/s", `{"properties":{"primaryKey":{"$sealed":"of another key"}}}`,
		shop+"/apis/Music", `{"properties":{"path":"tunes"}}`,
	)
	m.poll()
	if d := cmp.Diff([]string{"api Music"}, m.sent); d != "" {
		t.Errorf("parts sent (-want +got):\n%s", d)
	}
	if d := cmp.Diff(before, held[snapshot.API](m, shop, "api", shop+"/apis/Books")); d != "" {
		t.Error(d)
	}
	if !strings.Contains(w.logs.String(), "operations/get") || !strings.Contains(w.logs.String(), "unseal "+shop) {
		t.Errorf("the log does not name the documents:\n%s", w.logs)
	}
	// A machine that comes later gets the last good form too.
	late := w.machine(shop, "")
	late.poll()
	if d := cmp.Diff(before, held[snapshot.API](late, shop, "api", shop+"/apis/Books")); d != "" {
		t.Error(d)
	}
	w.put(shop+"/apis/Books/operations/get", `{"properties":{"method":"GET","urlTemplate":"/new"}}`)
	m.poll()
	if got := held[snapshot.API](m, shop, "api", shop+"/apis/Books").Operations[1].URLTemplate; got != "/new" {
		t.Errorf("after the repair the template is %s", got)
	}
}

func TestPoll_WithoutALastGoodFormTheRestIsPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.put(append(shopDocuments(), shop+"/apis/Books/operations/get", `[]`, shop+"/apis/Music", `"x"`)...)
	m := w.machine(shop, "")
	m.poll()
	api := held[snapshot.API](m, shop, "api", shop+"/apis/Books")
	if len(api.Operations) != 1 || api.Operations[0].Name != "add" {
		t.Errorf("API operations = %v, want add alone", api.Operations)
	}
	if n := m.last[shop].Parts.Len(); n != 7 {
		t.Errorf("%d parts, want 7: Music cannot be made", n)
	}
}

func TestPoll_NeedsNoCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{CacheBytes: 1})
	w.put(shopDocuments()...)
	for range 2 {
		m := w.machine(shop, "")
		if m.poll(); len(m.sent) != 8 {
			t.Errorf("%d parts were sent, want 8", len(m.sent))
		}
	}
}

func TestPoll_LargeAnswersAreSplitByService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{AnswerBytes: 1})
	for i := range 3 {
		w.put(fmt.Sprintf("%ss%d", group, i), `{"location":"westeurope","sku":{"name":"Consumption"}}`)
	}
	m := w.machine("", "West Europe")
	for i := range 3 {
		if resp := m.poll(); len(resp.Manifests) != 1 || (resp.Seq != 0) != (i == 2) {
			t.Errorf("answer %d: %d manifests, Seq %d", i, len(resp.Manifests), resp.Seq)
		}
	}
}

// A log that no longer reaches back makes the publisher read everything again.
func TestPoll_AfterAResetOfTheLog(t *testing.T) {
	t.Parallel()
	w := openWorld(t, Options{}, sqlite.Options{Tombstones: 1})
	w.put(shopDocuments()...)
	w.put(group+"other", premium)
	m := w.machine(shop, "")
	m.poll()
	for i := range 50 {
		id := fmt.Sprintf("%s/groups/g%d", shop, i)
		w.put(id, `{}`)
		w.remove(id)
	}
	w.remove(shop+"/apis/Music", group+"other")
	if _, reset, err := w.st.Changes(t.Context(), m.req.Seq, 1); err != nil || !reset {
		t.Fatalf("reset = %v, %v; the test needs one", reset, err)
	}
	m.poll()
	if n := m.last[shop].Parts.Len(); n != 7 || len(m.sent) != 0 {
		t.Errorf("%d parts, %v sent; want 7 and none", n, m.sent)
	}
	if n := len(w.pub.services); n != 1 {
		t.Errorf("%d services are known, want 1", n)
	}
}

func TestPoll_CertificateIsRenewed(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	w := newWorld(t, Options{Certificate: func(context.Context, string) (string, string, error) {
		n := calls.Add(1)
		if n == 1 {
			return "", "", errors.New("not yet")
		}
		return fmt.Sprint("cert ", n), "key", nil
	}})
	w.put(shopDocuments()...)
	m := w.machine(shop, "")
	m.poll()
	if got := held[snapshot.Service](m, shop, "service", shop).Hosts[0].CertificatePEM; got != "" {
		t.Fatalf("got %q", got)
	}
	m.poll() // what failed is tried again
	if got := held[snapshot.Service](m, shop, "service", shop).Hosts[0].CertificatePEM; got != "cert 2" {
		t.Errorf("got %q, want cert 2", got)
	}
	w.put(identity.CertificatePrefix+"shop.apim.localhost", `{}`)
	m.poll()
	if got := held[snapshot.Service](m, shop, "service", shop).Hosts[0].CertificatePEM; got != "cert 3" {
		t.Errorf("got %q, want cert 3", got)
	}
}

// TestPoll_GivenUpPublishesNothing: a machine that goes away while its service is read leaves others no half of it.
func TestPoll_GivenUpPublishesNothing(t *testing.T) {
	t.Parallel()
	ctx, giveUp := context.WithCancel(t.Context())
	w := newWorld(t, Options{Certificate: func(ctx context.Context, _ string) (string, string, error) {
		giveUp()
		return "cert", "key", ctx.Err()
	}})
	w.put(shopDocuments()...)
	m := w.machine(shop, "")
	if _, err := w.pub.Poll(ctx, m.req); !errors.Is(err, context.Canceled) {
		t.Errorf("the poll that was given up: %v", err)
	}
	if parts := len(w.pub.services[strings.ToLower(shop)].parts); parts != 0 {
		t.Errorf("%d parts were published", parts)
	}
	m.poll()
	if got := held[snapshot.Service](m, shop, "service", shop).Hosts[0].CertificatePEM; got != "cert" {
		t.Errorf("got %q", got)
	}
}

// TestPoll_WithoutRoomForASession: a machine more than sessions are kept of tells everything each time.
func TestPoll_WithoutRoomForASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{MaxSessions: 1})
	w.put(shopDocuments()...)
	m := w.machine(shop, "")
	m.poll()
	second := w.machine(shop, "")
	second.req.Machine = "m2"
	second.poll()
	for _, m := range []*machine{second, m} {
		w.put(shop+"/apis/Films", `{"properties":{"path":"`+m.req.Machine+`"}}`)
		m.poll()
		if got := held[snapshot.API](m, shop, "api", shop+"/apis/Films").Path; got != m.req.Machine {
			t.Errorf("%s has path %q", m.req.Machine, got)
		}
	}
}

// TestPoll_ExamplesWhereAPolicyAsksForThem: the responses of API operations are published only where a mock-response
// may use them: in the API itself, in a fragment it includes, or at a broader scope.
func TestPoll_ExamplesWhereAPolicyAsksForThem(t *testing.T) {
	t.Parallel()
	const mock = `<policies><inbound><mock-response /></inbound></policies>`
	w := newWorld(t, Options{})
	w.put(append(shopDocuments(), shop+"/apis/Books/operations/get", `{"properties":{"method":"GET","urlTemplate":"/{id}","responses":[{"statusCode":200,"representations":[
		{"contentType":"application/json","examples":{"b":{"value":{"n":2}},"default":{"value":{"n":1}},"a":{"value":"text"}}},{"contentType":"text/plain","sample":"old"}]}]}}`,
		shop+"/products/p", `{"properties":{"displayName":"P"}}`)...)
	want := []snapshot.Response{{Status: 200, Contents: []snapshot.Content{
		{Type: "application/json", Examples: []string{`{"n":1}`, "text", `{"n":2}`}}, {Type: "text/plain", Examples: []string{"old"}},
	}}}
	m := w.machine(shop, "")
	m.poll()
	for _, c := range []struct {
		name, id, doc string
		want          []snapshot.Response
		sent          []string
	}{
		{"of the API", shop + "/apis/Books/policies/policy", policyJSON(mock), want, []string{"api Books"}},
		{"no more", shop + "/apis/Books/policies/policy", policyJSON("<policies />"), nil, []string{"api Books"}},
		{"of the service", shop + "/policies/policy", policyJSON(mock), want, []string{"api Books", "service Shop"}},
		{"of a product too", shop + "/products/p/policies/policy", policyJSON(mock), want, []string{"products Shop"}},
		{"of the product alone", shop + "/policies/policy", policyJSON("<policies />"), want, []string{"service Shop"}},
		{"of a fragment", shop + "/products/p/policies/policy", policyJSON(`<policies><inbound><include-fragment fragment-id="f" /></inbound></policies>`), nil, []string{"api Books", "products Shop"}},
		{"of the fragment", shop + "/policyFragments/f", policyJSON(`<fragment><mock-response /></fragment>`), want, []string{"api Books", "products Shop"}},
	} {
		w.put(c.id, c.doc)
		m.poll()
		if d := cmp.Diff(c.sent, m.sent); d != "" {
			t.Errorf("%s: sent (-want +got):\n%s", c.name, d)
		}
		for _, o := range held[snapshot.API](m, shop, "api", shop+"/apis/Books").Operations {
			if o.Name != "get" {
				continue
			}
			if d := cmp.Diff(c.want, o.Responses); d != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, d)
			}
		}
	}
}

// TestPoll_SamplesOfSchemas: what has no example has a body made of its schema, and a changed schema makes another.
func TestPoll_SamplesOfSchemas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	schema := func(kind string) string {
		return `{"properties":{"contentType":"application/vnd.oai.openapi.components+json","document":{"components":{"schemas":{"N":{"type":"` + kind + `"}}}}}}`
	}
	w.put(append(shopDocuments(), shop+"/apis/Books/operations/get", `{"properties":{"method":"GET","urlTemplate":"/{id}","responses":[{"statusCode":200,"representations":[
		{"contentType":"application/json","schemaId":"s","typeName":"N"},{"contentType":"text/json","schemaId":"old","typeName":"N"},
		{"contentType":"a/json","schemaId":"s","typeName":"N","examples":{"default":{"value":1}}},
		{"contentType":"b/json","schemaId":"s","typeName":"M"},{"contentType":"c/json","schemaId":"none","typeName":"N"}]}]}}`,
		shop+"/apis/Books/schemas/S", schema("integer"),
		shop+"/apis/Books/schemas/old", `{"properties":{"contentType":"application/vnd.ms-azure-apim.swagger.definitions+json","document":{"definitions":{"N":{"type":"boolean"}}}}}`,
		shop+"/apis/Books/policies/policy", policyJSON(`<policies><inbound><mock-response /></inbound></policies>`))...)
	m := w.machine(shop, "")
	for _, c := range []struct{ kind, sample string }{{"integer", "0"}, {"string", `"string"`}} {
		w.put(shop+"/apis/Books/schemas/S", schema(c.kind))
		m.poll()
		want := []snapshot.Response{{Status: 200, Contents: []snapshot.Content{
			{Type: "application/json", Sample: c.sample}, {Type: "text/json", Sample: "true"}, {Type: "a/json", Examples: []string{"1"}}, {Type: "b/json"}, {Type: "c/json"},
		}}}
		for _, o := range held[snapshot.API](m, shop, "api", shop+"/apis/Books").Operations {
			if d := cmp.Diff(want, o.Responses); o.Name == "get" && d != "" {
				t.Errorf("%s (-want +got):\n%s", c.kind, d)
			}
		}
	}
}

// TestPoll_SaysOnlyWhatChanged: of a thousand APIs one changes, and the answer is about that one.
func TestPoll_SaysOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	docs := []string{shop, premium}
	for i := range 1000 {
		id := fmt.Sprintf("%s/apis/api-%04d", shop, i)
		docs = append(docs, id, fmt.Sprintf(`{"properties":{"displayName":"API %d","path":"a/%d"}}`, i, i))
		for j := range 10 {
			docs = append(docs, fmt.Sprintf("%s/operations/op-%d", id, j), fmt.Sprintf(`{"properties":{"displayName":"Operation %d","method":"GET","urlTemplate":"/things/%d/{id}"}}`, j, j))
		}
	}
	w.put(docs...)
	m := w.machine(shop, "")
	m.poll()
	w.put(shop+"/apis/api-0500/operations/op-3", `{"properties":{"displayName":"Changed","method":"PUT","urlTemplate":"/things/{id}"}}`)
	resp := m.poll()
	if d := cmp.Diff([]string{"api api-0500"}, m.sent); d != "" {
		t.Errorf("parts sent (-want +got):\n%s", d)
	}
	size, err := json.Marshal(resp)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("10,000 API operations, one changed: %d bytes sent", len(size))
	if len(size) > 20<<10 {
		t.Errorf("the answer has %d bytes", len(size))
	}
	if req, err := json.Marshal(snapshot.PollRequest{Machine: "m1", Service: shop, Seq: 3, Session: resp.Session}); err != nil || len(req) > 1<<10 {
		t.Errorf("the next request has %d bytes, %v", len(req), err)
	}
}

// TestPoll_Sessions: an answer that a machine did not take is made again; a session that is not known is refused.
func TestPoll_Sessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.put(shopDocuments()...)
	m := w.machine(shop, "")
	m.poll()
	before := m.req
	w.put(shop+"/apis/Films", `{"properties":{"path":"films"}}`)
	lost, err := w.pub.Poll(t.Context(), snapshot.PollRequest{Machine: "m1", Service: shop, Seq: before.Seq, Session: before.Session})
	if err != nil {
		t.Fatal(err)
	}
	again := m.poll() // with the session before the answer that was lost
	if d := cmp.Diff(lost.Changes, again.Changes); d != "" || len(again.Changes) != 1 {
		t.Errorf("the second answer (-lost +again):\n%s", d)
	}
	for _, unknown := range []string{before.Session, lost.Session, "other"} {
		resp, err := w.pub.Poll(t.Context(), snapshot.PollRequest{Machine: "m1", Service: shop, Seq: 1, Session: unknown})
		if err != nil {
			t.Fatal(err)
		}
		if unknown != before.Session && !resp.Resync {
			t.Errorf("session %q: %+v, want a resync", unknown, resp)
		}
	}
	if resp, err := w.pub.Poll(t.Context(), snapshot.PollRequest{Machine: "m2", Service: shop, Seq: 1, Session: before.Session}); err != nil || !resp.Resync {
		t.Errorf("session of another machine: %+v, %v", resp, err)
	}
}

// An answer is written in pieces, and is the JSON that it would be as a whole.
func TestHandler_WritesJSON(t *testing.T) {
	t.Parallel()
	for _, want := range []snapshot.PollResponse{
		{},
		{Seq: 7, Session: "s", Gone: []string{"/a"}},
		{Seq: 7, Parts: map[string][]byte{"ab": []byte("one")}},
		{Seq: 7, Parts: map[string][]byte{"ab": []byte("one"), "cd": {}, "ef": bytes.Repeat([]byte{1, 2, 255}, 5000)}},
	} {
		var text bytes.Buffer
		if err := write(&text, want); err != nil {
			t.Fatal(err)
		}
		var got snapshot.PollResponse
		if err := json.Unmarshal(text.Bytes(), &got); err != nil {
			t.Fatalf("%.200s: %v", text.String(), err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	seq := w.put(shopDocuments()...)
	stop := w.run()
	srv := httptest.NewServer(w.pub.Handler())
	t.Cleanup(srv.Close)
	post := func(body string) (int, snapshot.PollResponse) {
		resp, err := http.Post(srv.URL+snapshot.PollPath, "application/json", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0, snapshot.PollResponse{}
		}
		defer resp.Body.Close()
		var v snapshot.PollResponse
		_ = json.NewDecoder(resp.Body).Decode(&v)
		return resp.StatusCode, v
	}
	for body, want := range map[string]int{"{": 400, "{}": 400, `{"machine":"m"}`: 400, `{"machine":"m","service":"` + shop + `"}`: 200} {
		if got, _ := post(body); got != want {
			t.Errorf("%s: status %d, want %d", body, got, want)
		}
	}
	_, v := post(`{"machine":"m","service":"` + shop + `"}`)
	if v.Seq != seq || len(v.Manifests) != 1 || len(v.Parts) != 4 { // three are empty lists and have one digest
		t.Fatalf("got Seq %d, %d manifests, %d parts", v.Seq, len(v.Manifests), len(v.Parts))
	}
	// A poll that waits ends when the publisher does.
	status := make(chan int, 1)
	go func() {
		b, _ := json.Marshal(snapshot.PollRequest{Machine: "m", Service: shop, Seq: v.Seq, Have: map[string]string{shop: v.Manifests[0].Digest()}})
		got, _ := post(string(b))
		status <- got
	}()
	stop()
	select {
	case got := <-status:
		if got != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the poll did not end")
	}
}
