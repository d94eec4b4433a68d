package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
)

// A service without public network access serves connections to its private endpoints alone, and tells others so.
func TestServer_ClosedToThePublic(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	for private, want := range map[string][]string{
		"127.0.0.1": {"404 Not Found", `{ "statusCode": 404, "message": "Resource not found" }`},
		"10.0.0.4": {"403 Forbidden", `{ "statusCode": 403, "message": "Request originated from client public IP address 127.0.0.1, public network access on this ` +
			`'Microsoft.ApiManagement/service/shop' is disabled. To connect to 'Microsoft.ApiManagement/service/shop', please use the Private Endpoint from inside your virtual network." }`},
	} {
		s := gatewaytest.Shop(rec.URL)
		s.Service.Closed, s.Service.Private = true, []string{private}
		_, addr := gatewaytest.Start(t, engine.Options{}, s)
		got := exchange(t, addr, "GET /none HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		line, _, _ := strings.Cut(head, "\r\n")
		if diff := cmp.Diff([]string{"HTTP/1.1 " + want[0], want[1]}, []string{line, body}); diff != "" {
			t.Errorf("private endpoint %s (-want +got):\n%s", private, diff)
		}
	}
}
