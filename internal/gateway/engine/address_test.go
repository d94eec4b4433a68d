package engine_test

import (
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
)

// A segment of a path has 1,024 characters at most, however it is spelt, and in Consumption a URL 16,384 bytes.
func TestServer_LengthOfURLs(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	_, dedicated := gatewaytest.Start(t, engine.Options{}, gatewaytest.Shop(rec.URL))
	_, shared := gatewaytest.Start(t, engine.Options{Catalogue: newCatalogue(t, rec.URL, "a")}, gatewaytest.Snapshot{})
	for _, tt := range []struct {
		name, addr, host, url, want string
	}{
		{"a long segment", dedicated, "127.0.0.1", "/shop/" + strings.Repeat("x", 1024), "200"},
		{"a longer one", dedicated, "127.0.0.1", "/shop/" + strings.Repeat("x", 1025), "414"},
		{"in the middle", dedicated, "127.0.0.1", "/shop/" + strings.Repeat("x", 1025) + "/y?q=1", "414"},
		{"escaped", dedicated, "127.0.0.1", "/shop/" + strings.Repeat("%D1%8F", 1024), "200"},
		{"several", dedicated, "127.0.0.1", "/shop/" + strings.Repeat("xxxxxxxx/", 1000), "200"},
		{"a long query", dedicated, "127.0.0.1", "/shop/x?q=" + strings.Repeat("x", 20000), "200"},
		{"in Consumption", shared, "a.apim.localhost", "/shop/x?q=" + strings.Repeat("x", 16384-len("/shop/x?q=")), "200"},
		{"longer in Consumption", shared, "a.apim.localhost", "/shop/x?q=" + strings.Repeat("x", 16385-len("/shop/x?q=")), "414"},
	} {
		got := exchange(t, tt.addr, "GET "+tt.url+" HTTP/1.1\r\nHost: "+tt.host+"\r\nConnection: close\r\n\r\n")
		if got[len("HTTP/1.1 "):][:3] != tt.want {
			t.Errorf("%s: %q, want %s", tt.name, got, tt.want)
		}
	}
}
