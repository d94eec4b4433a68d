package service_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/snapshot"
)

const (
	id         = gatewaytest.ServiceID
	missingKey = `{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }`
	invalidKey = `{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }`
	notFound   = `{ "statusCode": 404, "message": "Resource not found" }`
)

// policyXML returns a marker header, so that the layers that ran can be seen.
func mark(name, inner string) *snapshot.Policy {
	return &snapshot.Policy{ID: "/" + name, XML: fmt.Sprintf(`<policies><inbound><set-header name="X-Ran" exists-action="append"><value>%[1]s</value></set-header>%[2]s<set-header name="X-Ran" exists-action="append"><value>/%[1]s</value></set-header></inbound>
<on-error><set-header name="X-Error" exists-action="append"><value>%[1]s</value></set-header><base/></on-error></policies>`, name, inner)}
}

// guarded has products in all states and APIs with and without keys.
func guarded() gatewaytest.Snapshot {
	day := 24 * time.Hour
	past, future := time.Now().Add(-day), time.Now().Add(day)
	s := gatewaytest.Shop("http://127.0.0.1:1")
	s.Service.Policy = &snapshot.Policy{ID: "/global", XML: `<policies><inbound><set-header name="X-Ran" exists-action="append"><value>global</value></set-header></inbound><backend/><outbound/><on-error><set-header name="X-Error" exists-action="append"><value>global</value></set-header></on-error></policies>`}
	api := func(name string, required bool) snapshot.API {
		return snapshot.API{
			ID: id + "/apis/" + name, Name: name, Path: name, Revision: "1", Current: true, SubscriptionRequired: required,
			Policy:     mark("api", "<base/>"),
			Operations: []snapshot.Operation{{Name: "get", Method: "GET", URLTemplate: "/", Policy: mark("operation", "<base/>")}},
		}
	}
	s.APIs = []snapshot.API{api("closed", true), api("free", false), api("opened", true), api("other", true)}
	s.APIs[3].KeyHeader, s.APIs[3].KeyQuery = "X-Key", "k"
	product := func(name string, published, required bool, apis ...string) snapshot.Product {
		p := snapshot.Product{ID: id + "/products/" + name, Name: name, Published: published, SubscriptionRequired: required, Policy: mark(name, "<base/>")}
		for _, a := range apis {
			p.APIs = append(p.APIs, id+"/apis/"+a)
		}
		return p
	}
	s.Products = []snapshot.Product{
		product("gold", true, true, "closed"), product("hidden", false, true, "closed"), product("hidden-open", false, false, "closed"),
		product("open", true, false, "opened"),
	}
	sub := func(key, scope string) snapshot.Subscription {
		return snapshot.Subscription{ID: id + "/subscriptions/" + key, Name: key, Scope: id + scope, State: "active", PrimaryKey: key, SecondaryKey: key + "-2"}
	}
	s.Subscriptions = []snapshot.Subscription{
		sub("gold", "/products/GOLD"), sub("hidden", "/products/hidden"), sub("closed", "/apis/closed"), sub("all", "/apis"), sub("master", ""),
		sub("suspended", "/apis"), sub("submitted", "/apis"), sub("rejected", "/apis"), sub("dated", "/apis/"),
		sub("owned", "/apis"), sub("blocked", "/apis"),
	}
	s.Subscriptions[5].State = "suspended"
	s.Subscriptions[6].State, s.Subscriptions[7].State = "submitted", "rejected"
	s.Subscriptions[8].Starts, s.Subscriptions[8].Ends = &future, &past
	for _, state := range []string{"cancelled", "expired"} {
		ended := sub(state, "/apis")
		ended.State = state
		s.Subscriptions = append(s.Subscriptions, ended)
	}
	s.Subscriptions[9].OwnerID, s.Subscriptions[10].OwnerID = id+"/users/ADA", id+"/users/bob"
	s.Users = []snapshot.User{{ID: id + "/users/ada", Name: "ada", State: "active"}, {ID: id + "/users/bob", Name: "bob", State: "blocked"}}
	return s
}

func compile(t testing.TB, s gatewaytest.Snapshot) *service.Service {
	t.Helper()
	svc, refused, err := gatewaytest.Compiler(t).Compile(nil, s.Bundle(t))
	if err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	return svc
}

func request(ctx context.Context, path, query string, header ...pipeline.Field) *pipeline.Exchange {
	return &pipeline.Exchange{
		Context: ctx, Started: time.Now(), OriginalURL: pipeline.URL{Scheme: "https", Host: "shop.example:8443"},
		Request: &pipeline.Message{Method: "GET", URL: pipeline.URL{Path: path, RawQuery: query}, Header: pipeline.NewHeader(header...)},
	}
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	svc := compile(t, guarded())
	type result struct {
		Status       int
		Body         string
		Ran          string // markers of inbound, or of on-error
		Subscription string
		Product      string
		User         string
	}
	ok := func(subscription, product string) result {
		layers := "operation,api,global,/api,/operation"
		if product != "" {
			layers = fmt.Sprintf("operation,api,%[1]s,global,/%[1]s,/api,/operation", product)
		}
		return result{200, "", layers, subscription, product, ""}
	}
	denied := func(body string) result { return result{Status: 401, Body: body, Ran: "operation,api,global"} }
	for _, c := range []struct {
		name, path, header, query string
		want                      result
	}{
		{"no key", "/closed", "", "", denied(missingKey)},
		{"unknown key", "/closed", "nothing", "", denied(invalidKey)},
		{"product key", "/closed", "gold", "", ok("gold", "gold")},
		{"secondary key", "/closed", "gold-2", "", ok("gold", "gold")},
		{"key in the query", "/closed", "", "Subscription-Key=gold", ok("gold", "gold")},
		{"the query counts only without the header", "/closed", "nothing", "subscription-key=gold", denied(invalidKey)},
		{"key of a product without the API", "/opened", "gold", "", denied(invalidKey)},
		{"key of an unpublished product", "/closed", "hidden", "", denied(invalidKey)},
		{"API key", "/closed", "closed", "", ok("closed", "")},
		{"API key of another API", "/opened", "closed", "", denied(invalidKey)},
		{"key of all APIs", "/closed", "all", "", ok("all", "")},
		{"key of the service", "/opened", "master", "", ok("master", "")},
		{"suspended", "/closed", "suspended", "", denied(invalidKey)},
		{"submitted", "/closed", "submitted", "", denied(invalidKey)},
		{"rejected", "/closed", "rejected", "", denied(invalidKey)},
		{"cancelled", "/closed", "cancelled", "", denied(invalidKey)},
		{"expired", "/closed", "expired", "", denied(invalidKey)},
		{"dates are for the record", "/closed", "dated", "", ok("dated", "")},
		{"of a user", "/closed", "owned", "", result{200, "", "operation,api,global,/api,/operation", "owned", "", "ada"}},
		{"of a blocked user", "/closed", "blocked", "", denied(invalidKey)},
		{"an API that needs none", "/free", "", "", ok("", "")},
		{"a bad key where none is needed", "/free", "nothing", "", denied(invalidKey)},
		{"a good key where none is needed", "/free", "all", "", ok("all", "")},
		{"an open product", "/opened", "", "", ok("", "open")},
		{"the revision's own path", "/closed;rev=1", "all", "", ok("all", "")},
		{"no operation", "/closed/none", "all", "", result{Status: 404, Body: notFound, Ran: "api,global"}},
		{"no API", "/none", "all", "", result{Status: 404, Body: notFound, Ran: "global"}},
	} {
		var h []pipeline.Field
		if c.header != "" {
			h = append(h, pipeline.Field{Name: "ocp-apim-subscription-key", Value: c.header})
		}
		x := request(t.Context(), c.path, c.query, h...)
		svc.Handle(x)
		body, _ := x.Response.Body.Held()
		got := result{Status: x.Response.Status, Body: string(body), Ran: x.Request.Header.Get("X-Ran")}
		if got.Status != 200 {
			got.Ran = x.Response.Header.Get("X-Error")
		}
		if x.Subscription != nil {
			got.Subscription = x.Subscription.Name
		}
		if x.Product != nil {
			got.Product = x.Product.Name
		}
		if x.User != nil {
			got.User = x.User.Name
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func TestAuthorization_Challenge(t *testing.T) {
	t.Parallel()
	svc := compile(t, guarded())
	x := request(t.Context(), "/other", "")
	svc.Handle(x)
	want := []pipeline.Field{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "WWW-Authenticate", Value: `AzureApiManagementKey realm="https://shop.example/other",name="X-Key",type="header"`},
		{Name: "X-Error", Value: "operation,api,global"},
	}
	if diff := cmp.Diff(want, x.Response.Header.Fields()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"authorization", "SubscriptionKeyNotFound"}, []string{x.LastError.Source, x.LastError.Reason}); diff != "" {
		t.Error(diff)
	}
	body, _ := x.Response.Body.Held()
	if len(body) != 152 {
		t.Errorf("the body has %d bytes, want 152", len(body))
	}
}

// TestChain_BaseCutsOff: a section without base cuts off broader ones; an absent section does not.
func TestChain_BaseCutsOff(t *testing.T) {
	t.Parallel()
	s := guarded()
	s.APIs[1].Policy = mark("api", "")
	s.APIs[1].Operations[0].Policy = &snapshot.Policy{ID: "/o", XML: "<policies><outbound/></policies>"}
	svc := compile(t, s)
	x := request(t.Context(), "/free", "")
	svc.Handle(x)
	if diff := cmp.Diff("api,/api", x.Request.Header.Get("X-Ran")); diff != "" {
		t.Error(diff)
	}
}

func TestCompile_KeepsTheLastGoodForm(t *testing.T) {
	t.Parallel()
	c := gatewaytest.Compiler(t)
	s := guarded()
	first, refused, err := c.Compile(nil, s.Bundle(t))
	if err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	s.APIs[1].Path = "moved"
	s.APIs[1].Policy = &snapshot.Policy{ID: id + "/apis/free/policies/policy", XML: "<policies>\n<inbound>\n  <no-such /></inbound></policies>"}
	s.APIs[2].Path = "moved-too"
	second, refused, err := c.Compile(first, s.Bundle(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(refused) != 1 || refused[0].ID != s.APIs[1].ID ||
		refused[0].Reason != "policy "+id+"/apis/free/policies/policy: Error in element 'no-such' on line 3, column 4: The policy is not built yet." {
		t.Fatalf("refused %+v", refused)
	}
	for path, want := range map[string]int{"/free": 200, "/moved": 404, "/moved-too": 200, "/opened": 404} {
		x := request(t.Context(), path, "")
		second.Handle(x)
		if x.Response.Status != want {
			t.Errorf("%s: status %d, want %d", path, x.Response.Status, want)
		}
	}

	// A new API that does not compile is absent; nothing else suffers.
	s.APIs = append(s.APIs, snapshot.API{ID: id + "/apis/new", Path: "new", Current: true, Operations: []snapshot.Operation{{Method: "GET", URLTemplate: "/{"}}})
	_, refused, err = c.Compile(second, s.Bundle(t))
	if err != nil || len(refused) != 2 {
		t.Fatal(refused, err)
	}
	if _, _, err := c.Compile(nil, service.Bundle{Manifest: snapshot.Manifest{Format: snapshot.Format + 1}}); err == nil {
		t.Error("a newer format is accepted")
	}
}

func TestHandle_Disabled(t *testing.T) {
	t.Parallel()
	s := guarded()
	s.Service.Disabled = true
	x := request(t.Context(), "/free", "")
	compile(t, s).Handle(x)
	if x.Response.Status != 503 {
		t.Fatalf("status %d", x.Response.Status)
	}
}

func TestHandle_Blocked(t *testing.T) {
	t.Parallel()
	s := guarded()
	s.Service.Blocked = true
	x := request(t.Context(), "/free", "")
	compile(t, s).Handle(x)
	if body, err := x.Response.Body.Buffer(1 << 10); err != nil || x.Response.Status != 403 || string(body) != `{ "statusCode": 403, "message": "We have blocked access to all endpoints for your service." }` {
		t.Fatalf("status %d, %q, %v", x.Response.Status, body, err)
	}
}

// A machine is what the service is at its location: its region, its own names, and whether it is in rotation.
func TestCompile_IsWhatItIsAtItsLocation(t *testing.T) {
	t.Parallel()
	s := guarded()
	s.Service.Hosts = []snapshot.Host{
		{Name: "shop.example", Default: true}, {Name: "shop-a.example", Location: "a"}, {Name: "127.0.0.2", Location: "a"}, {Name: "shop-b.example", Location: "b"},
	}
	type seen struct {
		Region, Hosts      string
		Leaves             bool
		Default, Own, Only int // statuses by the name of all, the regional name, and the address
	}
	look := func(location string, a, b, all bool) seen {
		s.Service.Locations = []snapshot.Location{{Name: "a", Display: "A Land", Disabled: a}, {Name: "b", Display: "B Land", Disabled: b}}
		s.Service.Disabled = all
		c := gatewaytest.Compiler(t)
		c.Location = location
		svc, _, err := c.Compile(nil, s.Bundle(t))
		if err != nil {
			t.Fatal(err)
		}
		var got seen
		for host, status := range map[string]*int{"shop.example:80": &got.Default, "shop-a.example": &got.Own, "127.0.0.2:9080": &got.Only} {
			x := request(t.Context(), "/free", "")
			x.OriginalURL.Host = host
			svc.Handle(x)
			*status, got.Region = x.Response.Status, x.Service.Location
		}
		for _, h := range s.Service.Hosts {
			if svc.AnswersTo(h.Name) {
				got.Hosts += h.Name + " "
			}
		}
		got.Leaves = svc.Leaves()
		return got
	}
	const atA = "shop.example shop-a.example 127.0.0.2 "
	for name, d := range map[string]string{
		"in rotation":     cmp.Diff(seen{"A Land", atA, false, 200, 200, 200}, look("a", false, false, false)),
		"out of rotation": cmp.Diff(seen{"A Land", atA, true, 200, 503, 503}, look("a", true, false, false)),
		"all disabled":    cmp.Diff(seen{"A Land", atA, false, 503, 503, 503}, look("a", true, true, true)),
		"the other":       cmp.Diff(seen{"B Land", "shop.example shop-b.example ", false, 200, 200, 200}, look("b", true, false, false)),
	} {
		if d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestHandle_StrictProtocols(t *testing.T) {
	t.Parallel()
	s := guarded()
	s.APIs[1].Protocols = []string{"https"}
	c := gatewaytest.Compiler(t)
	c.StrictProtocols = true
	svc, _, err := c.Compile(nil, s.Bundle(t))
	if err != nil {
		t.Fatal(err)
	}
	for scheme, want := range map[string]int{"https": 200, "http": 404} {
		x := request(t.Context(), "/free", "")
		x.OriginalURL.Scheme = scheme
		svc.Handle(x)
		if x.Response.Status != want {
			t.Errorf("%s: %d, want %d", scheme, x.Response.Status, want)
		}
	}
}

func BenchmarkHandle_Key(b *testing.B) {
	s := guarded()
	for i := range 10000 {
		s.Subscriptions = append(s.Subscriptions, snapshot.Subscription{ID: fmt.Sprint(i), Scope: id + "/apis", State: "active", PrimaryKey: fmt.Sprintf("key-%d", i)})
	}
	s.APIs[0].Policy, s.APIs[0].Operations[0].Policy, s.Service.Policy = nil, nil, nil
	svc := compile(b, s)
	x := request(b.Context(), "/closed", "", pipeline.Field{Name: "Ocp-Apim-Subscription-Key", Value: "key-7777"})
	x.Params = x.Params[:0]
	b.ReportAllocs()
	for b.Loop() {
		x.Response, x.Request.URL.Path = nil, "/closed"
		svc.Handle(x)
		if x.Response.Status != 200 {
			b.Fatal(x.Response.Status)
		}
	}
}

// A request gets the version that it names where the version set of the API says, current or by revision.
func TestHandle_Versions(t *testing.T) {
	t.Parallel()
	s := gatewaytest.Shop("http://127.0.0.1:1")
	answers := func(text string) *snapshot.Policy {
		return &snapshot.Policy{XML: `<policies><inbound><return-response><set-body>` + text + `</set-body></return-response></inbound></policies>`}
	}
	api := func(name, path, version, revision, scheme, in string, current bool) {
		s.APIs = append(s.APIs, snapshot.API{
			ID: id + "/apis/" + name, Name: name, Path: path, Version: version, VersionScheme: scheme, VersionName: in, Revision: revision, Current: current,
			Policy: answers(name), Operations: []snapshot.Operation{{Name: "get", Method: "GET", URLTemplate: "/x"}},
		})
	}
	s.APIs = nil
	api("seg-v1", "seg", "v1", "1", snapshot.VersionSegment, "", true)
	api("seg-v1;rev=2", "seg", "v1", "2", snapshot.VersionSegment, "", false)
	api("seg-none", "seg", "", "1", snapshot.VersionSegment, "", true)
	api("head-v1", "head", "v1", "1", snapshot.VersionHeader, "Api-Version", true)
	api("head-v2", "head", "v2", "1", snapshot.VersionHeader, "Api-Version", true)
	api("head-v2;rev=5", "head", "v2", "5", snapshot.VersionHeader, "Api-Version", false)
	api("query-v1", "query", "v1", "1", snapshot.VersionQuery, "v", true)
	svc := compile(t, s)
	for _, c := range []struct{ path, query, header, want string }{
		{"/seg/v1/x", "", "", "seg-v1"},
		{"/seg/V1;rev=1/x", "", "", "seg-v1"},
		{"/seg/v1;rev=2/x", "", "", "seg-v1;rev=2"},
		{"/seg/v1;rev=3/x", "", "", "404"},
		{"/seg/x", "", "", "seg-none"},
		{"/seg/v2/x", "", "", "404"},
		{"/head/x", "", "V1", "head-v1"},
		{"/head/x", "", "v2", "head-v2"},
		{"/head;rev=5/x", "", "v2", "head-v2;rev=5"},
		{"/head;rev=5/x", "", "v1", "404"},
		{"/head/x", "", "", "404"},
		{"/query/x", "v=v1", "", "query-v1"},
		{"/query/x", "", "", "404"},
	} {
		var h []pipeline.Field
		if c.header != "" {
			h = append(h, pipeline.Field{Name: "api-version", Value: c.header})
		}
		x := request(t.Context(), c.path, c.query, h...)
		svc.Handle(x)
		body, _ := x.Response.Body.Held()
		got := string(body)
		if x.Response.Status != 200 {
			got = strconv.Itoa(x.Response.Status)
		}
		if got != c.want {
			t.Errorf("%s?%s with %q: got %s, want %s", c.path, c.query, c.header, got, c.want)
		}
	}
}
