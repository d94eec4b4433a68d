package management_test

import (
	"errors"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/control/publish"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
)

// A gateway is what a machine makes of what the management API has stored.
type gateway struct {
	w        *world
	pub      *publish.Publisher
	compiler *service.Compiler
	parts    map[string][]byte
	svc      *service.Service
}

func newGateway(w *world) *gateway {
	engine := resource.NewEngine(textSealer{})
	open := func(d store.Document) (map[string]any, error) { return engine.Open(d) }
	return &gateway{
		w: w, pub: publish.New(w.store, open, slog.New(slog.DiscardHandler), publish.Options{}),
		compiler: gatewaytest.Compiler(w.t), parts: map[string][]byte{},
	}
}

// call brings the gateway up to date and sends it a request for a path. It gives the body of a 200, else the status.
func (g *gateway) call(path string, header ...string) string {
	t := g.w.t
	t.Helper()
	req := snapshot.PollRequest{Machine: "m", Service: servicePath}
	if g.svc != nil {
		req.Have = map[string]string{servicePath: g.svc.Digest()}
	}
	resp, err := g.pub.Poll(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(g.parts, resp.Parts)
	for _, m := range resp.Manifests {
		svc, refused, err := g.compiler.Compile(g.svc, service.Bundle{Manifest: m, Load: func(digest string) ([]byte, error) {
			if data, ok := g.parts[digest]; ok {
				return data, nil
			}
			return nil, errors.New("no part " + digest)
		}})
		if err != nil || len(refused) > 0 {
			t.Fatal(err, refused)
		}
		g.svc = svc
	}
	path, query, _ := strings.Cut(path, "?")
	x := &pipeline.Exchange{
		Context: t.Context(), Started: time.Now(), OriginalURL: pipeline.URL{Scheme: "http", Host: "h"},
		Request: &pipeline.Message{Method: "GET", URL: pipeline.URL{Path: path, RawQuery: query}},
	}
	for i := 0; i+1 < len(header); i += 2 {
		x.Request.Header.Add(header[i], header[i+1])
	}
	g.svc.Handle(x)
	body, _ := x.Response.Body.Held()
	if x.Response.Status != 200 {
		return strconv.Itoa(x.Response.Status)
	}
	return string(body)
}

// answering is a policy that answers with the value of an expression.
func answering(expression string) string {
	xml := `<policies><inbound><base /><return-response><set-body>@(` + expression + `)</set-body></return-response></inbound></policies>`
	return `{"properties":{"format":"rawxml","value":` + quoted(xml) + `}}`
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// What clients store of the wider resource types is what gateways do.
func TestEffects(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	put := func(path, body string) {
		t.Helper()
		if a := w.do("PUT", servicePath+path, body); a.Status > 201 {
			t.Fatalf("PUT %s: %d %s", path, a.Status, a.Raw)
		}
	}
	patch := func(path, body string) {
		t.Helper()
		w.want(200, "PATCH", servicePath+path, body, "If-Match", "*")
	}
	g := newGateway(w)
	check := func(want, path string, header ...string) {
		t.Helper()
		if got := g.call(path, header...); got != want {
			t.Errorf("GET %s with %q: got %s, want %s", path, header, got, want)
		}
	}
	api := func(name, rest, expression string) {
		t.Helper()
		put("/apis/"+name, `{"properties":{"displayName":"`+name+`","subscriptionRequired":false,`+rest+`}}`)
		put("/apis/"+name+"/operations/get", `{"properties":{"displayName":"Get","method":"GET","urlTemplate":"/x"}}`)
		put("/apis/"+name+"/policies/policy", answering(expression))
	}

	// Versions.
	put("/apiVersionSets/head", `{"properties":{"displayName":"H","versioningScheme":"Header","versionHeaderName":"Api-Version"}}`)
	api("h1", `"path":"h","apiVersion":"v1","apiVersionSetId":"/apiVersionSets/head"`, `"h1"`)
	api("h2", `"path":"h","apiVersion":"v2","apiVersionSetId":"/apiVersionSets/head"`, `context.Api.Version`)
	check("h1", "/h/x", "api-version", "v1")
	check("v2", "/h/x", "Api-Version", "v2")
	check("404", "/h/x")
	patch("/apiVersionSets/head", `{"properties":{"versioningScheme":"Query","versionQueryName":"v"}}`)
	check("v2", "/h/x?v=v2")
	patch("/apiVersionSets/head", `{"properties":{"versioningScheme":"Segment"}}`)
	check("h1", "/h/v1/x")
	check("404", "/h/x", "Api-Version", "v1")

	// Revisions and releases.
	api("shop", `"path":"shop"`, `"first"`)
	put("/apis/shop;rev=2", `{"properties":{"path":"shop","sourceApiId":"/apis/shop"}}`)
	put("/apis/shop;rev=2/policies/policy", answering(`context.Api.Id + " " + context.Api.Revision + " " + context.Api.IsCurrentRevision`))
	check("first", "/shop/x")
	check("first", "/shop;rev=1/x")
	check("shop 2 False", "/shop;rev=2/x")
	put("/apis/shop/releases/r", `{"properties":{"apiId":"/apis/shop;rev=2"}}`)
	check("shop 2 True", "/shop/x")
	check("first", "/shop;rev=1/x")

	// Fragments.
	put("/policyFragments/stamp", `{"properties":{"format":"rawxml","value":"<fragment><set-header name=\"X-Stamp\"><value>one</value></set-header></fragment>"}}`)
	api("frag", `"path":"frag"`, `"x"`)
	put("/apis/frag/policies/policy", `{"properties":{"format":"rawxml","value":`+quoted(`<policies><inbound><include-fragment fragment-id="stamp" /><return-response><set-body>@(context.Request.Headers.GetValueOrDefault("X-Stamp"))</set-body></return-response></inbound></policies>`)+`}}`)
	check("one", "/frag/x")
	put("/policyFragments/stamp", `{"properties":{"value":"<fragment><set-header name=\"X-Stamp\"><value>two</value></set-header></fragment>"}}`)
	check("two", "/frag/x")

	// Certificates.
	put("/certificates/client", seedBody("certificates"))
	api("cert", `"path":"cert"`, `context.Deployment.Certificates.Values.First().Subject`)
	check(`CN=client.contoso.com, O="Contoso, Ltd", C=US`, "/cert/x")

	// Users, groups, and the states of subscriptions.
	put("/users/ada", `{"properties":{"firstName":"Ada","lastName":"L","email":"ada@b.c"}}`)
	put("/groups/staff", `{"properties":{"displayName":"Our staff"}}`)
	put("/groups/staff/users/ada", ``)
	api("who", `"path":"who"`, `context.User.FirstName + ": " + string.Join(", ", context.User.Groups.Select(g => g.Name))`)
	patch("/apis/who", `{"properties":{"subscriptionRequired":true}}`)
	put("/subscriptions/adas", `{"properties":{"displayName":"A","scope":"/apis/who","ownerId":"/users/ada","primaryKey":"k1","secondaryKey":"k2"}}`)
	key := []string{"Ocp-Apim-Subscription-Key", "k1"}
	check("401", "/who/x", key...)
	patch("/subscriptions/adas", `{"properties":{"state":"active"}}`)
	check("Ada: Developers, Our staff", "/who/x", key...)
	w.want(200, "DELETE", servicePath+"/groups/staff/users/ada", "")
	check("Ada: Developers", "/who/x", "Ocp-Apim-Subscription-Key", "k2")
	for _, state := range []string{"suspended", "cancelled", "expired", "rejected", "submitted"} {
		patch("/subscriptions/adas", `{"properties":{"state":"`+state+`"}}`)
		check("401", "/who/x", key...)
	}
	patch("/subscriptions/adas", `{"properties":{"state":"active"}}`)
	check("Ada: Developers", "/who/x", key...)
	patch("/users/ada", `{"properties":{"state":"blocked"}}`)
	check("401", "/who/x", key...)
}
