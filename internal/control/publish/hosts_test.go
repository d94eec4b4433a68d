package publish

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/snapshot"
)

// Custom names of the gateway come with what was uploaded for them; one of them may be the one for clients that ask for
// none. Those of other endpoints are not the gateway's.
func TestPoll_CustomNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Domain: "example.test"})
	// A service that begins its life with custom names: where it belongs is told by a document with sealed keys.
	worker := w.machine("", "westeurope")
	worker.poll()
	w.put(shop, `{"location":"West Europe","sku":{"name":"Consumption","capacity":0},"properties":{"hostnameConfigurations":[{"type":"Proxy","hostName":"api.contoso.example"}]},
		"hostCertificates":{"$sealed":"nobody opens it here"}}`)
	if resp := worker.poll(); len(resp.Manifests) != 1 || strings.Contains(w.logs.String(), "service document cannot be read") {
		t.Errorf("a worker of the location got %d services; %s", len(resp.Manifests), w.logs)
	}
	m := w.machine(shop, "")
	m.poll()
	w.put(shop, `{"location":"West Europe","sku":{"name":"Premium","capacity":1},"properties":{"hostnameConfigurations":[
		{"type":"Proxy","hostName":"API.contoso.example"},{"type":"Proxy","hostName":"*.contoso.example","defaultSslBinding":true,"negotiateClientCertificate":true},{"type":"Portal","hostName":"portal.contoso.example","defaultSslBinding":true}],
		"certificates":[{"storeName":"Root","certificate":{"thumbprint":"AA"}},{"storeName":"CertificateAuthority","certificate":{"thumbprint":"BB"}}]},
		"hostCertificates":{"api.contoso.example":{"certificate":"one","key":{"$sealed":"sealed:k1"}},"*.contoso.example":{"certificate":"two","key":{"$sealed":"sealed:k2"}},"portal.contoso.example":{"certificate":"three","key":{"$sealed":"sealed:k3"}}},
		"authorityCertificates":{"AA":{"certificate":"root"},"BB":{"certificate":"between"},"CC":{"certificate":"unused"}}}`)
	m.poll()
	got := held[snapshot.Service](m, shop, "service", shop)
	want := []snapshot.Host{
		{Name: "shop.example.test"},
		{Name: "api.contoso.example", CertificatePEM: "one", KeyPEM: "k1"},
		{Name: "*.contoso.example", Default: true, AskClient: true, CertificatePEM: "two", KeyPEM: "k2"},
	}
	if d := cmp.Diff(want, got.Hosts); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]snapshot.Authority{{Root: true, CertificatePEM: "root"}, {CertificatePEM: "between"}}, got.Authorities); d != "" {
		t.Error(d)
	}
	w.put(shop, `{"location":"West Europe","sku":{"name":"Premium","capacity":1},"properties":{"customProperties":{
		"Microsoft.WindowsAzure.ApiManagement.Gateway.Protocols.Server.Http2":"True","microsoft.windowsazure.apimanagement.service.disabled":"true"}}}`)
	m.poll()
	if got := held[snapshot.Service](m, shop, "service", shop); !got.TLS.HTTP2 || !got.Blocked {
		t.Errorf("TLS is %+v, blocked: %v", got.TLS, got.Blocked)
	}
	w.put(shop, `{"location":"West Europe","sku":{"name":"Consumption","capacity":0},"properties":{"enableClientCertificate":true}}`)
	m.poll()
	got = held[snapshot.Service](m, shop, "service", shop)
	if d := cmp.Diff([]snapshot.Host{{Name: "shop.example.test", Default: true, AskClient: true}}, got.Hosts); d != "" || !got.RequireClient {
		t.Errorf("required: %v; %s", got.RequireClient, d)
	}
}
