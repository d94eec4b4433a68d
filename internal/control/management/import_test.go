package management_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A description of 300 API operations is imported whole, in one transaction, and once more without a change.
func TestImport_Large(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	paths := map[string]any{}
	for i := range 150 {
		ok := map[string]any{"200": map[string]any{"description": "ok"}}
		paths[fmt.Sprintf("/things%d/{id}", i)] = map[string]any{
			"parameters": []any{map[string]any{"name": "id", "in": "path", "required": true, "schema": map[string]any{"type": "string"}}},
			"get":        map[string]any{"operationId": fmt.Sprintf("get%d", i), "responses": ok},
			"delete":     map[string]any{"operationId": fmt.Sprintf("delete%d", i), "responses": ok},
		}
	}
	description, err := json.Marshal(map[string]any{"openapi": "3.0.1", "info": map[string]any{"title": "Large", "version": "1"}, "paths": paths})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"properties": map[string]any{"path": "large", "format": "openapi+json", "value": string(description)}})
	if err != nil {
		t.Fatal(err)
	}
	before := w.seq()
	w.want(201, "PUT", servicePath+"/apis/large", string(body))
	if after := w.seq(); after != before+1 {
		t.Errorf("the import took %d transactions", after-before)
	}
	seen := 0
	for next := servicePath + "/apis/large/operations"; next != ""; {
		page := w.want(200, "GET", next, "")
		if n, _ := page.Body.Number("count"); n != 300 {
			t.Errorf("count %d, want 300", n)
		}
		seen += len(page.Body.List("value"))
		if next = page.text("nextLink"); next != "" {
			next = local(t, next)
		}
	}
	if seen != 300 {
		t.Errorf("%d operations listed, want 300", seen)
	}
	before = w.seq()
	w.want(200, "PUT", servicePath+"/apis/large", string(body))
	if after := w.seq(); after != before {
		t.Errorf("the same import again took %d transactions", after-before)
	}
}

// A description and a policy are read from where a link leads, redirects included. What the description does not say
// of its servers is meant relative to the link.
func TestImport_ByLink(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	serve := func(path, text string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	const paths = `"paths":{"/a":{"get":{"operationId":"get-a","responses":{"200":{"description":"ok"}}}}}`
	serve("/docs/openapi.json", `{"openapi":"3.0.0","info":{"title":"Linked","version":"1"},"servers":[{"url":"../v1"}],`+paths+`}`)
	serve("/bare.json", `{"openapi":"3.0.0","info":{"title":"Bare","version":"1"},`+paths+`}`)
	serve("/swagger.json", `{"swagger":"2.0","info":{"title":"Swagger","version":"1"},"basePath":"/v2",`+paths+`}`)
	serve("/large.json", strings.Repeat(" ", 4<<20+1))
	serve("/policy.xml", `<policies><inbound><base /></inbound></policies>`)
	mux.Handle("/moved", http.RedirectHandler("/docs/openapi.json", http.StatusMovedPermanently))
	w := newWorld(t).withService()
	for name, c := range map[string]struct{ format, path, title, backend string }{
		"relative": {"openapi-link", "/moved", "Linked", srv.URL + "/v1"}, // to the link that the client gave
		"default":  {"openapi+json-link", "/bare.json", "Bare", srv.URL},
		"swagger":  {"swagger-link-json", "/swagger.json", "Swagger", srv.URL + "/v2"},
	} {
		a := w.want(201, "PUT", servicePath+"/apis/"+name, `{"properties":{"path":"`+name+`","format":"`+c.format+`","value":"`+srv.URL+c.path+`"}}`)
		if a.text("properties.displayName") != c.title || a.text("properties.serviceUrl") != c.backend {
			t.Errorf("%s: %s at %s, want %s at %s", name, a.text("properties.displayName"), a.text("properties.serviceUrl"), c.title, c.backend)
		}
		w.want(200, "GET", servicePath+"/apis/"+name+"/operations/get-a", "")
	}
	a := w.want(400, "PUT", servicePath+"/apis/large", `{"properties":{"path":"large","format":"openapi-link","value":"`+srv.URL+`/large.json"}}`)
	if want := "The document at '" + srv.URL + "/large.json' cannot be read: it has more than 4194304 bytes."; !strings.Contains(a.Raw, want) {
		t.Errorf("%s, want %s", a.Raw, want)
	}
	w.want(200, "PUT", servicePath+"/policies/policy", `{"properties":{"format":"rawxml-link","value":"`+srv.URL+`/policy.xml"}}`)
	if got := w.want(200, "GET", servicePath+"/policies/policy?format=rawxml", "").text("properties.value"); got != "<policies><inbound><base /></inbound></policies>" {
		t.Errorf("the policy is %s", got)
	}
}

// What is refused anyway is refused before the link is followed.
func TestImport_ByLinkOnlyWhenAllowed(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the link was followed") }))
	t.Cleanup(srv.Close)
	w := newWorld(t).withGroup()
	w.want(404, "PUT", servicePath+"/apis/a", `{"properties":{"path":"a","format":"openapi-link","value":"`+srv.URL+`"}}`)
}
