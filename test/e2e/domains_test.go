package e2e

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/certtest"
)

const pfxPassword = "a password of the file"

// custom is a host name with its certificate, as a PFX file.
func custom(t testing.TB, name string, p certtest.Pair, more ...object) object {
	t.Helper()
	h := object{"type": "Proxy", "hostName": name, "encodedCertificate": p.PFX(t, pfxPassword), "certificatePassword": pfxPassword}
	for _, m := range more {
		maps.Copy(h, m)
	}
	return h
}

// whoIs gives a service an API that says who calls: /names/who.
func (h *host) whoIs(name string) {
	h.t.Helper()
	api := h.service(name) + "/apis/names"
	h.do(http.MethodPut, api, recent, object{"properties": object{
		"displayName": "Names", "path": "names", "protocols": []string{"http", "https"}, "subscriptionRequired": false, "serviceUrl": "http://127.0.0.1:1",
	}})
	h.do(http.MethodPut, api+"/operations/who", recent, object{"properties": object{"displayName": "Who", "method": "GET", "urlTemplate": "/who"}})
	h.do(http.MethodPut, api+"/policies/policy", recent, object{"properties": object{"format": "rawxml", "value": `<policies><inbound><return-response><set-body>@{
		var c = context.Request.Certificate;
		return context.Deployment.ServiceName + " " + (c == null ? "nobody" : c.Subject + " " + c.Verify());
	}</set-body></return-response></inbound><backend/><outbound/></policies>`}})
}

// A visitor is a client that asks for a host name at an address.
type visitor struct {
	addr, name string
	conf       *tls.Config
	dials      atomic.Int64
	client     *http.Client
}

func newVisitor(addr, name string, ca certtest.Pair, shown *certtest.Pair) *visitor {
	v := &visitor{addr: addr, name: name, conf: &tls.Config{ServerName: name, RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}}
	if shown != nil {
		v.conf.Certificates = []tls.Certificate{shown.TLS()}
	}
	v.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: v.conf,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			v.dials.Add(1)
			var d net.Dialer
			return d.DialContext(ctx, network, v.addr)
		},
	}}
	return v
}

// ask sends one request and gives status and body.
func (v *visitor) ask(path string) string {
	res, err := v.client.Get("https://" + v.name + path)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", res.StatusCode, body)
}

// shown is the certificate that the next greeting gets.
func (v *visitor) shown(t testing.TB) string {
	t.Helper()
	c, err := tls.Dial("tcp", v.addr, v.conf)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// renewals is how often a certificate is replaced under load.
const renewals = 3

// TestDomains serves custom names of a service with machines of its own and of one in the pool, at its address and at
// the edge, while their certificates are renewed.
func TestDomains(t *testing.T) {
	t.Parallel()
	h := start(t)
	ca := certtest.Authority(t, "Contoso")
	vip := h.create("own", "Developer", 1, recent).Properties.PublicIPs[0] + ":9443"
	h.create("shared", "Consumption", 0, recent, object{"properties": object{
		"publisherName": "E2E", "publisherEmail": "e2e@example.com",
		"hostnameConfigurations": []object{custom(t, "shared.contoso.example", ca.Issue(t, "shared.contoso.example"))},
	}})
	edge := strings.TrimPrefix(h.client.Endpoints.EdgeTLS, "https://")
	h.whoIs("own")
	h.whoIs("shared")
	rename := func(name string, list ...object) {
		h.run(http.MethodPatch, h.service(name), latest, object{"properties": object{"hostnameConfigurations": list}})
	}
	rename("own", custom(t, "api.contoso.example", ca.Issue(t, "api.contoso.example")), custom(t, "*.wild.example", ca.IssueRSA(t, "*.wild.example")))
	visitors := map[*visitor]string{
		newVisitor(vip, "api.contoso.example", ca, nil):     "200 own nobody",
		newVisitor(vip, "one.wild.example", ca, nil):        "200 own nobody",
		newVisitor(edge, "api.contoso.example", ca, nil):    "200 own nobody",
		newVisitor(edge, "two.wild.example", ca, nil):       "200 own nobody",
		newVisitor(edge, "shared.contoso.example", ca, nil): "200 shared nobody",
	}
	for v, want := range visitors {
		if got := v.ask("/names/who"); got != want {
			t.Errorf("%s at %s: %s", v.name, v.addr, got)
		}
	}
	elsewhere := newVisitor(vip, "api.contoso.example", ca, nil)
	elsewhere.conf.InsecureSkipVerify, elsewhere.name = true, "shared.contoso.example"
	if got := elsewhere.ask("/names/who"); got[:3] != "421" {
		t.Errorf("a name of another service at the address: %s", got)
	}
	h.refuses(http.MethodPatch, h.service("own"), object{"properties": object{"hostnameConfigurations": []object{
		custom(t, "shared.contoso.example", ca.Issue(t, "shared.contoso.example")),
	}}}, http.StatusConflict, "HostnameAlreadyInUse")

	failed := h.visits(visitors, func() {
		for range renewals {
			api, shared := ca.IssueRSA(t, "api.contoso.example"), ca.Issue(t, "shared.contoso.example")
			rename("own", custom(t, "api.contoso.example", api), object{"type": "Proxy", "hostName": "*.wild.example"})
			rename("shared", custom(t, "shared.contoso.example", shared))
			for v := range visitors {
				want := map[string]string{"api.contoso.example": api.Certificate.SerialNumber.String(), "shared.contoso.example": shared.Certificate.SerialNumber.String()}[v.name]
				if got := v.shown(t); want != "" && got != want {
					t.Errorf("%s at %s is greeted with the certificate %s, not %s", v.name, v.addr, got, want)
				}
			}
		}
	})
	if len(failed) > 0 {
		t.Errorf("%d requests failed: %v", len(failed), failed[:min(5, len(failed))])
	}
	for v := range visitors {
		if n := v.dials.Load(); n != 1 && v.name != "shared.contoso.example" { // a worker of the pool may come and go
			t.Errorf("%s at %s needed %d connections", v.name, v.addr, n)
		}
	}
	h.keepsSecret(pfxPassword)
}

// refuses sends a request that must be refused.
func (h *host) refuses(method, path string, body any, status int, code string) {
	h.t.Helper()
	_, err := h.client.Do(h.t.Context(), method, path, latest, body)
	if armclient.Status(err) != status || !strings.Contains(fmt.Sprint(err), code) {
		h.t.Errorf("%s %s: %v", method, path, err)
	}
}

// visits keeps asking, over a connection that stays and over new ones, while change runs. It gives the answers that are
// not the wanted ones.
func (h *host) visits(visitors map[*visitor]string, change func()) (failed []string) {
	h.t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var good atomic.Int64
	stop := make(chan struct{})
	ask := func(visit func() string, want string) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := visit(); got == want {
					good.Add(1)
				} else {
					mu.Lock()
					failed = append(failed, got)
					mu.Unlock()
				}
			}
		})
	}
	for v, want := range visitors {
		ask(func() string { return v.ask("/names/who") }, want)
		ask(func() string {
			fresh := &visitor{addr: v.addr, name: v.name, conf: v.conf}
			fresh.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
				TLSClientConfig: v.conf, DisableKeepAlives: true,
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					var d net.Dialer
					return d.DialContext(ctx, network, v.addr)
				},
			}}
			return fresh.ask("/names/who")
		}, want)
	}
	change()
	enough := good.Load() + 1000
	eventually(h.t, time.Minute, "load after the change", func() bool { return good.Load() > enough })
	close(stop)
	wg.Wait()
	h.t.Logf("%d requests answered", good.Load())
	return failed
}

// keepsSecret looks for words, and for private keys, in all files of the folder.
func (h *host) keepsSecret(words ...string) {
	h.t.Helper()
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Base(path) == "portico" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, w := range words {
			if strings.Contains(string(data), w) {
				h.t.Errorf("%s has %q in the clear", path, w)
			}
		}
		own := strings.HasSuffix(path, "-key.pem") // of the local authority, which is nobody else's to read
		if strings.Contains(string(data), "BEGIN PRIVATE KEY") && !own {
			h.t.Errorf("%s has a private key in the clear", path)
		}
		return nil
	})
	if err != nil {
		h.t.Error(err)
	}
}

// TestDomains_ClientCertificates: names ask clients for a certificate, a Consumption service insists on one.
func TestDomains_ClientCertificates(t *testing.T) {
	t.Parallel()
	h := start(t)
	ca, clients := certtest.Authority(t, "Contoso"), certtest.Authority(t, "Clients")
	known := clients.Issue(t, "known")
	vip := h.create("own", "Developer", 1, recent).Properties.PublicIPs[0] + ":9443"
	h.create("shared", "Consumption", 0, recent)
	edge := strings.TrimPrefix(h.client.Endpoints.EdgeTLS, "https://")
	h.whoIs("own")
	h.whoIs("shared")
	asks := object{"negotiateClientCertificate": true}
	h.run(http.MethodPatch, h.service("own"), latest, object{"properties": object{
		"hostnameConfigurations": []object{
			custom(t, "asks.contoso.example", ca.Issue(t, "asks.contoso.example"), asks), custom(t, "open.contoso.example", ca.Issue(t, "open.contoso.example")),
		},
		"certificates": []object{{"storeName": "Root", "encodedCertificate": base64.StdEncoding.EncodeToString(clients.Certificate.Raw)}},
	}})
	h.run(http.MethodPatch, h.service("shared"), latest, object{"properties": object{
		"hostnameConfigurations":  []object{custom(t, "shared.contoso.example", ca.Issue(t, "shared.contoso.example"))},
		"enableClientCertificate": true,
	}})
	got := map[string]string{}
	for _, c := range []struct {
		addr, name string
		shown      *certtest.Pair
	}{
		{vip, "asks.contoso.example", &known},
		{edge, "asks.contoso.example", &known},
		{vip, "asks.contoso.example", nil},
		{vip, "open.contoso.example", &known},
		{edge, "shared.contoso.example", &known},
		{edge, "shared.contoso.example", nil},
	} {
		where := map[string]string{vip: "address", edge: "edge"}[c.addr]
		got[fmt.Sprintf("%s %s %v", where, c.name, c.shown != nil)] = newVisitor(c.addr, c.name, ca, c.shown).ask("/names/who")
	}
	want := map[string]string{
		"address asks.contoso.example true": "200 own CN=known True", "edge asks.contoso.example true": "200 own CN=known True",
		"address asks.contoso.example false": "200 own nobody", "address open.contoso.example true": "200 own nobody",
		"edge shared.contoso.example true":  "200 shared CN=known False",
		"edge shared.contoso.example false": `403 { "statusCode": 403, "message": "A client certificate is required." }`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestDomains_Authorities: backends are verified with the CA certificates of the service.
func TestDomains_Authorities(t *testing.T) {
	t.Parallel()
	h := start(t)
	root := certtest.Authority(t, "Backends")
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a backend") }))
	backend.TLS = &tls.Config{Certificates: []tls.Certificate{root.Under(t, "Between").Issue(t, "127.0.0.1").TLS()}, MinVersion: tls.VersionTLS12}
	backend.StartTLS()
	t.Cleanup(backend.Close)
	v := h.create("own", "Developer", 1, recent)
	api := h.service("own") + "/apis/private"
	h.do(http.MethodPut, api, recent, object{"properties": object{
		"displayName": "Private", "path": "private", "protocols": []string{"http"}, "subscriptionRequired": false, "serviceUrl": backend.URL,
	}})
	h.do(http.MethodPut, api+"/operations/get", recent, object{"properties": object{"displayName": "Get", "method": "GET", "urlTemplate": "/"}})
	ask := func() int {
		res, err := http.Get(v.Properties.GatewayURL + "/private/")
		if err != nil {
			return 0
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	eventually(t, 20*time.Second, "a backend that is not trusted", func() bool { return ask() == 500 })
	authorities := []object{{"storeName": "Root", "encodedCertificate": base64.StdEncoding.EncodeToString(root.Certificate.Raw)}}
	h.run(http.MethodPatch, h.service("own"), latest, object{"properties": object{"certificates": authorities}})
	if got := ask(); got != 200 {
		t.Errorf("with its root the backend answers %d", got)
	}
	h.run(http.MethodPatch, h.service("own"), latest, object{"properties": object{"certificates": []object{}}})
	if got := ask(); got != 500 {
		t.Errorf("without its root the backend answers %d", got)
	}
}
