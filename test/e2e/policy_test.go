package e2e

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/demo/load"
)

// TestPolicy_Expressions puts policies with expressions, named values and a fragment by ARM, on a service of its own
// machines and on one in the pool, and looks at what their gateways make of them. A policy that does not compile is
// refused with the place and leaves the old one in force.
func TestPolicy_Expressions(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"who":"`+r.Header.Get("X-Who")+`","at":"`+r.URL.Path+`"}`)
	}))
	defer backend.Close()
	h := start(t)
	for _, tier := range []string{"Developer", "Consumption"} {
		name := "expr-" + strings.ToLower(tier)
		units := 1
		if tier == "Consumption" {
			units = 0
		}
		addr := h.create(name, tier, units, recent).addr()
		target := load.Target{Addr: addr, Host: addr}
		if tier == "Consumption" { // names below localhost are not resolved everywhere
			target.Addr = strings.TrimPrefix(h.client.Endpoints.Edge, "http://")
		}
		svc := h.service(name)
		put := func(path, format, value string) {
			h.do(http.MethodPut, svc+path+"/policies/policy", recent, object{"properties": object{"format": format, "value": value}})
		}
		h.run(http.MethodPut, svc+"/apis/echo", recent, object{"properties": object{
			"displayName": "Echo", "path": "echo", "protocols": []string{"http", "https"}, "serviceUrl": backend.URL, "subscriptionRequired": false,
		}})
		h.do(http.MethodPut, svc+"/apis/echo/operations/get", recent, object{"properties": object{
			"displayName": "Get", "method": "GET", "urlTemplate": "/things/{id}", "templateParameters": []object{{"name": "id", "type": "string", "required": true}},
		}})
		h.run(http.MethodPut, svc+"/namedValues/greeting", recent, object{"properties": object{"displayName": "greeting", "value": "Hello, ", "secret": true}})
		h.run(http.MethodPut, svc+"/policyFragments/who", latest, object{"properties": object{
			"format": "rawxml", "value": `<fragment><set-header name="X-Who"><value>@("{{greeting}}" + context.Request.MatchedParameters["id"])</value></set-header></fragment>`,
		}})
		put("/apis/echo", "rawxml", `<policies><inbound><base /><include-fragment fragment-id="who" />
			<choose><when condition="@(context.Request.Url.Query.GetValueOrDefault("stop") == "yes")"><return-response><set-status code="418" /></return-response></when></choose>
			</inbound><outbound><base /><set-variable name="body" value="@(context.Response.Body.As<JObject>(preserveContent: true))" />
			<set-body>@(((string)((JObject)context.Variables["body"])["who"]).ToUpper() + " from " + context.Deployment.ServiceName)</set-body></outbound></policies>`)

		want := "HELLO, ADA from " + name
		eventually(t, 20*time.Second, tier+" answers by its policy", func() bool { return fetch(target, "/echo/things/Ada") == "200 "+want })
		if got := fetch(target, "/echo/things/Ada?stop=yes"); got != "418 " {
			t.Errorf("%s: %q", tier, got)
		}

		_, err := h.client.Do(t.Context(), http.MethodPut, svc+"/apis/echo/policies/policy", recent, object{"properties": object{
			"format": "xml", "value": "<policies>\n<inbound>\n  <set-method>@(context.Reqest.Method)</set-method></inbound></policies>",
		}})
		var refused *arm.Error
		if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest || len(refused.Details) != 1 {
			t.Fatalf("%s: a policy that does not compile: %v", tier, err)
		}
		const message = "Error in element 'set-method' on line 3, column 25: 'IContext' does not contain a definition for 'Reqest'"
		if d := cmp.Diff(message, refused.Details[0].Message[:min(len(message), len(refused.Details[0].Message))]); d != "" {
			t.Error(d)
		}
		if got := fetch(target, "/echo/things/Ada"); got != "200 "+want {
			t.Errorf("%s after a refused policy: %q", tier, got)
		}
	}
}

// fetch gives status and body of a GET.
func fetch(t load.Target, path string) string {
	req, err := http.NewRequest(http.MethodGet, "http://"+t.Addr+path, nil) //nolint:noctx // it is one short request
	if err != nil {
		return err.Error()
	}
	req.Host = t.Host
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return strconv.Itoa(res.StatusCode) + " " + string(body)
}
