package management_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/resource"
)

// FuzzRequest sends any body to any path below a service, beginning with every type of the table: no answer is a 5xx,
// and what is refused changes nothing.
func FuzzRequest(f *testing.F) {
	paths := []string{
		"", "/apis/a", "/apis/echo;rev=1", "/apis/echo/operations/o", "/policies/policy", "/products/p", "/products/starter/apis/echo",
		"/subscriptions/s", "/namedValues/n", "/backends/b", "/migrateToStv2", "/subscriptions/master/regeneratePrimaryKey", "/apis?$filter=a",
		"/operationresults/x", "/providers/Portico.Hosting/units",
	}
	for i, p := range paths {
		f.Add(i, p, `{"properties":{"displayName":"d","path":"p","value":"<policies/>","scope":"/apis","url":"http://x","protocol":"http","method":"GET","urlTemplate":"/"}}`, "2024-05-01")
		f.Add(i+1, p, `{"properties":{"displayName":"d","path":"p","format":"openapi","value":"openapi: 3.0.0"}}`, "2018-01-01")
	}
	for i, row := range resource.All() {
		if path, ok := strings.CutPrefix(row.Path, "service/"); ok {
			id := "/" + strings.ReplaceAll(path, "/", "/x/") + "/x"
			f.Add(i%3, id, `{"properties":{"displayName":"d","value":"v","state":"active"}}`, "2024-05-01")
		}
	}
	methods := []string{"PUT", "PATCH", "GET", "DELETE", "POST", "HEAD"}
	f.Fuzz(func(t *testing.T, method int, path, body, version string) {
		w := &world{t: t, store: newMemory()}
		w.handler = management.New(options(w.store))
		w.withAPI()
		r := httptest.NewRequest(methods[uint(method)%uint(len(methods))], "/", strings.NewReader(body))
		r.URL.Path, r.URL.RawPath = servicePath+strings.SplitN(path, "?", 2)[0], ""
		r.URL.RawQuery = "api-version=" + version
		if _, query, ok := strings.Cut(path, "?"); ok {
			r.URL.RawQuery += "&" + query
		}
		r.Header.Set("Authorization", "Bearer good")
		r.Header.Set("If-Match", "*")
		rec := httptest.NewRecorder()
		before := w.seq()
		w.handler.ServeHTTP(rec, r)
		if after := w.seq(); rec.Code >= http.StatusBadRequest && after != before {
			t.Fatalf("%s %s: %d, and the store went from %d to %d", r.Method, r.URL, rec.Code, before, after)
		}
		if rec.Code >= http.StatusInternalServerError {
			t.Fatalf("%s %s: %d %s", r.Method, r.URL, rec.Code, rec.Body)
		}
	})
}
