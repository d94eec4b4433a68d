package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestUp_FirstRunMakesTheFolder(t *testing.T) {
	t.Parallel()
	h := start(t)
	for name, mode := range map[string]os.FileMode{".": 0o700, "credentials.json": 0o600, "endpoints.json": 0o600} {
		info, err := os.Stat(filepath.Join(h.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != mode {
			t.Errorf("%s has mode %o, want %o", name, got, mode)
		}
	}
	want := map[string][]string{
		"endpoints.json":   {"arm", "armTls", "caFile", "edge", "edgeTls", "portal", "subscriptionId", "tenantId"},
		"credentials.json": {"clientId", "clientSecret", "subscriptionId", "tenantId"},
	}
	for name, keys := range want {
		data, err := os.ReadFile(filepath.Join(h.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if got[k] == "" {
				t.Errorf("%s has no %s", name, k)
			}
		}
		if len(got) != len(keys) {
			t.Errorf("%s has %d keys, want %d: %v", name, len(got), len(keys), got)
		}
	}
	if !regexp.MustCompile(`(?m)^portico ready in \d+ ms$`).MatchString(h.log()) {
		t.Errorf("no line says that Portico is ready:\n%s", h.log())
	}
}

func TestUp_WithoutTokenIs401(t *testing.T) {
	t.Parallel()
	h := start(t)
	res, err := http.Get(h.client.Endpoints.ARM + "/subscriptions/" + h.client.Endpoints.SubscriptionID + "?api-version=2022-12-01")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct {
		Error struct{ Code string }
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusUnauthorized || body.Error.Code != "AuthenticationFailed" || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer authorization_uri=") {
		t.Errorf("got %d %s %q", res.StatusCode, body.Error.Code, res.Header.Get("WWW-Authenticate"))
	}
}

func TestUp_PortZeroIsKept(t *testing.T) {
	t.Parallel()
	h := start(t)
	before := h.client.Endpoints
	h.portico("down")
	h.up(nil)
	if after := h.client.Endpoints; after != before {
		t.Errorf("endpoints changed:\n%+v\n%+v", before, after)
	}
	for _, u := range []string{before.ARM, before.ARMTLS, before.Edge, before.EdgeTLS} {
		parsed, err := url.Parse(u)
		if err != nil || parsed.Hostname() != "127.0.0.1" || parsed.Port() == "0" {
			t.Errorf("endpoint %s is not on loopback with a port", u)
		}
	}
}

func TestUp_TLSIsOfTheLocalCA(t *testing.T) {
	t.Parallel()
	h := start(t)
	pem, err := os.ReadFile(h.client.Endpoints.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("caFile holds no certificate")
	}
	u, _ := url.Parse(h.client.Endpoints.ARMTLS)
	conn, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: pool, ServerName: "localhost", MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestUp_VIPSettings(t *testing.T) {
	t.Parallel()
	h := start(t, "--vip-pool", "127.99.7.0/28", "--vip-http", "9180", "--vip-https", "9543")
	v := h.create("vips", "Developer", 1, recent)
	if len(v.Properties.PublicIPs) != 1 {
		t.Fatalf("public addresses %v, want one", v.Properties.PublicIPs)
	}
	ip := netip.MustParseAddr(v.Properties.PublicIPs[0])
	if !netip.MustParsePrefix("127.99.7.0/28").Contains(ip) {
		t.Errorf("VIP %s is outside the pool", ip)
	}
	if want := "http://" + ip.String() + ":9180"; v.Properties.GatewayURL != want {
		t.Errorf("gatewayUrl %s, want %s", v.Properties.GatewayURL, want)
	}
	conn, err := net.Dial("tcp", ip.String()+":9543")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestUp_Domain(t *testing.T) {
	t.Parallel()
	h := start(t, "--domain", "gateways.example")
	v := h.create("named", "Developer", 1, recent)
	if want := "https://named.gateways.example"; v.Properties.GatewayURL != want {
		t.Errorf("gatewayUrl %s, want %s", v.Properties.GatewayURL, want)
	}
	req, err := http.NewRequest(http.MethodGet, h.client.Endpoints.Edge+"/status-0123456789abcdef", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "named.gateways.example"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status through the edge is %d", res.StatusCode)
	}
}

// TestUp_Limits: 17 KiB are too much for a policy of a Consumption service, unless there are no limits.
func TestUp_Limits(t *testing.T) {
	t.Parallel()
	policy := object{"properties": object{"format": "rawxml", "value": "<policies><inbound><!--" + strings.Repeat("x", 17<<10) + "--></inbound></policies>"}}
	h := start(t)
	h.create("small", "Consumption", 0, recent)
	e := h.fails(http.MethodPut, h.service("small")+"/policies/policy", policy)
	if want := "Policy size exceeds allowed limit of 16 KB"; e.Code != "ValidationError" || len(e.Details) != 1 || e.Details[0].Message != want {
		t.Errorf("got %v %v, want a ValidationError: %s", e, e.Details, want)
	}
	h = start(t, "--limits", "none")
	h.create("small", "Consumption", 0, recent)
	h.run(http.MethodPut, h.service("small")+"/policies/policy", recent, policy)
}

func TestUp_UnknownPaceIsRefused(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(program, "up", "--data", t.TempDir(), "--pace", "fast").CombinedOutput()
	if want := `portico: pace (flag): "fast" is none of instant, azure, x1 to x3600, manual`; err == nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("got %v %q, want %q", err, out, want)
	}
}

func TestUp_LogLevel(t *testing.T) {
	t.Parallel()
	if quiet := start(t, "--log-level", "error"); strings.Contains(quiet.log(), "level=INFO") {
		t.Error("info is logged at level error")
	}
	loud := start(t, "--log-level", "info")
	eventually(t, 10*time.Second, "a line at level info", func() bool { return strings.Contains(loud.log(), "level=INFO") })
}

func TestUp_OneControlPlanePerFolder(t *testing.T) {
	t.Parallel()
	h := start(t)
	out, err := exec.Command(program, "up", "--data", h.dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "already runs on") {
		t.Errorf("a second one was not refused: %v %s", err, out)
	}
}

func TestUp_TermDrainsAndStopsEverything(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.create("gone", "Developer", 1, recent)
	if len(processes(t, h.dir)) == 0 {
		t.Fatal("no agent runs")
	}
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := h.exited(30 * time.Second); err != nil {
		t.Errorf("exit: %v", err)
	}
	if left := processes(t, h.dir); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
}

func TestUp_KilledOneIsFoundAgain(t *testing.T) {
	t.Parallel()
	h := start(t)
	v := h.create("stays", "Developer", 1, recent)
	before := processes(t, h.dir)
	h.kill()
	status(t, v.addr()) // serves without a control plane
	h.up(nil)
	if after := h.show("stays"); after.addr() != v.addr() {
		t.Errorf("VIP changed from %s to %s", v.addr(), after.addr())
	}
	status(t, v.addr())
	if after := processes(t, h.dir); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("processes changed:\n%s\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

func TestUp_HealthAndMetrics(t *testing.T) {
	t.Parallel()
	h := start(t)
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ok", "/metrics": "portico_control_requests_total"} {
		res, err := http.Get(h.client.Endpoints.ARM + path)
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, 1<<16)
		n, _ := res.Body.Read(body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.Contains(string(body[:n]), want) {
			t.Errorf("%s: %d, does not say %q", path, res.StatusCode, want)
		}
	}
}

func TestRestart_KeepsTheGatewaysAndTheAddress(t *testing.T) {
	t.Parallel()
	h := start(t)
	v := h.create("again", "Developer", 1, recent)
	before := processes(t, h.dir)
	h.portico("restart")
	if got := h.show("again").addr(); got != v.addr() {
		t.Errorf("VIP changed from %s to %s", v.addr(), got)
	}
	status(t, v.addr())
	if after := processes(t, h.dir); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("processes changed:\n%s\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

func TestToken_IsAccepted(t *testing.T) {
	t.Parallel()
	h := start(t)
	req, err := http.NewRequest(http.MethodGet, h.client.Endpoints.ARM+"/subscriptions?api-version=2022-12-01", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(h.portico("token")))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
}

// A machineStatus is the answer of every machine's status endpoint.
type machineStatus struct {
	Machine        string `json:"machine"`
	Gateway        string `json:"gateway"`
	Platform       string `json:"platform"`
	Seq            int64  `json:"seq"`
	ActiveServices *int   `json:"activeServices"`
}

// status asks the machine behind an address how it is.
func status(t testing.TB, addr string) machineStatus {
	t.Helper()
	return statusOf(t, addr, addr)
}

func statusOf(t testing.TB, addr, host string) machineStatus {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+"/status-0123456789abcdef", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host, req.Close = host, true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var s machineStatus
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("status of %s: %d %v", addr, res.StatusCode, err)
	}
	return s
}
