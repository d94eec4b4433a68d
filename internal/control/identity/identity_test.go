package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

func TestOpen_MakesPrivateFilesOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Load(dir, Options{}); !errors.Is(err, ErrNotSetUp) {
		t.Fatalf("Load = %v, want ErrNotSetUp", err)
	}
	a := open(t, dir, Options{})
	var raw map[string]string
	data, err := os.ReadFile(filepath.Join(dir, CredentialsFile))
	if err != nil || json.Unmarshal(data, &raw) != nil {
		t.Fatal(err, string(data))
	}
	if d := cmp.Diff([]string{"clientId", "clientSecret", "subscriptionId", "tenantId"}, slices.Sorted(maps.Keys(raw))); d != "" {
		t.Error(d)
	}
	if raw["tenantId"] != a.TenantID() || raw["clientId"] != a.ClientID() || raw["subscriptionId"] != a.SubscriptionID() {
		t.Errorf("file has %v", raw)
	}
	for _, f := range []string{CredentialsFile, identityFile} {
		info, err := os.Stat(filepath.Join(dir, f))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want 0600", f, info.Mode(), err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, identityFile)); err != nil || strings.Contains(string(text), raw["clientSecret"]) {
		t.Errorf("the server's file holds the secret (%v)", err)
	}
	again := open(t, dir, Options{})
	if d := cmp.Diff(a.rec, again.rec); d != "" {
		t.Errorf("the second start differs:\n%s", d)
	}
	if a.ObjectID(a.ClientID()) != again.ObjectID(strings.ToUpper(a.ClientID())) {
		t.Error("the object ID is not stable")
	}
}

func TestOpen_CredentialsFileDecides(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, Options{})
	file := filepath.Join(dir, CredentialsFile)
	cred := credentials(t, dir)

	if err := os.Remove(filepath.Join(dir, identityFile)); err != nil { // as a crash in the first start leaves it
		t.Fatal(err)
	}
	if b := open(t, dir, Options{}); !b.secretIsRight(cred.ClientSecret) || b.TenantID() != a.TenantID() {
		t.Error("credentials that were written were not kept")
	}
	old := cred.ClientSecret
	cred.ClientSecret = strings.Repeat("s", 40)
	if err := writeJSON(file, cred); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if b := open(t, dir, Options{}); !b.secretIsRight(cred.ClientSecret) || b.secretIsRight(old) {
		t.Error("an edited secret does not count")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file stays open to others: %v, %v", info.Mode(), err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if b := open(t, dir, Options{}); !b.secretIsRight(cred.ClientSecret) {
		t.Error("without the file the secret is forgotten")
	}
	for _, text := range []string{"{", `{"tenantId":"x"}`, fmt.Sprintf(`{"tenantId":%q,"clientId":%[1]q,"subscriptionId":%[1]q,"clientSecret":"short"}`, a.TenantID())} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}

func open(t *testing.T, dir string, opt Options) *Authority {
	t.Helper()
	a, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func credentials(t *testing.T, dir string) Credentials {
	t.Helper()
	c, err := loadCredentials(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A site is an authority behind a real TLS listener with a certificate of its own CA.
type site struct {
	t      *testing.T
	a      *Authority
	cred   Credentials
	origin string
	client *http.Client
}

func newSite(t *testing.T, opt Options) *site {
	t.Helper()
	dir := t.TempDir()
	ca, err := OpenCA(dir, opt.Hosts, quiet())
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, dir, opt)
	srv := httptest.NewUnstartedServer(a.Handler())
	srv.Listener = tls.NewListener(srv.Listener, &tls.Config{GetCertificate: ca.GetCertificate, MinVersion: tls.VersionTLS12})
	srv.Start()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca.PEM()))
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return &site{t: t, a: a, cred: credentials(t, dir), origin: strings.Replace(srv.URL, "http:", "https:", 1), client: client}
}

func (s *site) do(r *http.Request) (int, map[string]any, http.Header) {
	s.t.Helper()
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var v any
	_ = json.Unmarshal(data, &v)
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	m, _ := v.(map[string]any)
	return resp.StatusCode, m, resp.Header
}

func (s *site) get(path string) (int, map[string]any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.origin+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	status, body, _ := s.do(r)
	return status, body
}

func (s *site) post(path string, form url.Values) (int, map[string]any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, body, _ := s.do(r)
	return status, body
}

func (s *site) form(extra ...string) url.Values {
	v := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.cred.ClientID}, "client_secret": {s.cred.ClientSecret}}
	for i := 0; i < len(extra); i += 2 {
		if extra[i+1] == "" {
			v.Del(extra[i])
		} else {
			v.Set(extra[i], extra[i+1])
		}
	}
	return v
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	tenant := s.a.TenantID()
	for path, want := range map[string][3]string{ // issuer, token endpoint, authorization endpoint
		"/" + tenant + "/v2.0/.well-known/openid-configuration":       {"/" + tenant + "/v2.0", "/" + tenant + "/oauth2/v2.0/token", "/" + tenant + "/oauth2/v2.0/authorize"},
		"//" + tenant + "//v2.0/.well-known/openid-configuration?x=1": {"/" + tenant + "/v2.0", "/" + tenant + "/oauth2/v2.0/token", "/" + tenant + "/oauth2/v2.0/authorize"},
		"/common/v2.0/.well-known/openid-configuration":               {"/" + tenant + "/v2.0", "/common/oauth2/v2.0/token", "/common/oauth2/v2.0/authorize"},
		"/" + tenant + "/.well-known/openid-configuration":            {"/" + tenant + "/", "/" + tenant + "/oauth2/token", "/" + tenant + "/oauth2/authorize"},
		"/adfs/.well-known/openid-configuration":                      {"/adfs", "/adfs/oauth2/token", "/adfs/oauth2/authorize"},
		"/organizations/v2.0/.well-known/openid-configuration":        {"/" + tenant + "/v2.0", "/organizations/oauth2/v2.0/token", "/organizations/oauth2/v2.0/authorize"},
	} {
		status, doc := s.get(path)
		got := [3]string{fmt.Sprint(doc["issuer"]), fmt.Sprint(doc["token_endpoint"]), fmt.Sprint(doc["authorization_endpoint"])}
		for i := range want {
			want[i] = s.origin + want[i]
		}
		if d := cmp.Diff(want, got); status != 200 || d != "" {
			t.Errorf("%s: %d\n%s", path, status, d)
		}
	}
	status, doc := s.get("/7b5c7a3c-0000-0000-0000-000000000000/v2.0/.well-known/openid-configuration")
	if status != 400 || doc["error"] != "invalid_request" || !strings.HasPrefix(fmt.Sprint(doc["error_description"]), "AADSTS90002: Tenant ") {
		t.Errorf("unknown tenant: %d %v", status, doc)
	}
	status, doc = s.get("/common/discovery/instance?api-version=1.1&authorization_endpoint=" + url.QueryEscape(s.origin+"/"+tenant+"/oauth2/v2.0/authorize"))
	if status != 200 || doc["tenant_discovery_endpoint"] != s.origin+"/"+tenant+"/v2.0/.well-known/openid-configuration" {
		t.Errorf("instance discovery: %d %v", status, doc)
	}
	if status, doc = s.get("/common/discovery/instance?authorization_endpoint=https://evil.example/x"); status != 400 || doc["error"] != "invalid_instance" {
		t.Errorf("foreign instance: %d %v", status, doc)
	}
}

// An issuer is never built from a host that is not ours.
func TestDiscovery_ForeignHost(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{Hosts: []string{"Portal.Example"}})
	for host, want := range map[string]string{
		"evil.example":        "",
		"portal.example:8443": "https://portal.example:8443/" + s.a.TenantID() + "/v2.0",
		"localhost":           "https://localhost/" + s.a.TenantID() + "/v2.0",
		"[::1]:9":             "https://[::1]:9/" + s.a.TenantID() + "/v2.0",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.origin+"/common/v2.0/.well-known/openid-configuration", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		status, doc, _ := s.do(r)
		if want == "" && status == 400 && doc["error"] == "invalid_request" {
			continue
		}
		if status != 200 || doc["issuer"] != want {
			t.Errorf("%s: %d, issuer %v, want %s", host, status, doc["issuer"], want)
		}
	}
}

func TestToken_IsGoodForManagement(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	tenant := s.a.TenantID()
	for _, c := range []struct{ path, key, value, audience string }{
		{"/" + tenant + "/oauth2/v2.0/token", "scope", s.origin + "/.default", s.origin},
		{"/" + tenant + "/oauth2/v2.0/token", "scope", s.origin + "//.default openid", s.origin + "/"},
		{"/common/oauth2/v2.0/token", "scope", "https://management.azure.com//.default", "https://management.azure.com/"},
		{"/" + tenant + "/oauth2/token", "resource", "https://management.core.windows.net/", "https://management.core.windows.net/"},
		{"/adfs/oauth2/token", "scope", s.origin + "/.default", s.origin},
		{"/adfs/oauth2/token", "resource", "https://localhost:1", "https://localhost:1"},
	} {
		status, body := s.post(c.path, s.form(c.key, c.value))
		if status != 200 {
			t.Errorf("%s %s: %d %v", c.path, c.value, status, body)
			continue
		}
		if v1 := !strings.Contains(c.path, "v2.0"); v1 {
			if body["expires_in"] != "3599" || body["resource"] != c.audience || body["expires_on"] == nil || body["not_before"] == nil {
				t.Errorf("%s: v1 answer %v", c.path, body)
			}
		} else if body["expires_in"] != 3599.0 || body["ext_expires_in"] != 3599.0 || body["token_type"] != "Bearer" || len(body) != 4 {
			t.Errorf("%s: v2 answer %v", c.path, body)
		}
		token := fmt.Sprint(body["access_token"])
		got := s.claims(token)
		for _, k := range []string{"iat", "nbf", "exp", "uti"} {
			if got[k] == nil {
				t.Errorf("the claim %s is missing", k)
			}
			delete(got, k)
		}
		oid := s.a.ObjectID(s.cred.ClientID)
		want := map[string]any{
			"aud": c.audience, "iss": s.origin + "/" + tenant + "/", "tid": tenant, "oid": oid, "sub": oid,
			"appid": s.cred.ClientID, "appidacr": "1", "idtyp": "app", "ver": "1.0",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("claims (-want +got):\n%s", d)
		}
		r := httptest.NewRequest(http.MethodGet, "/subscriptions/x", nil)
		r.Header.Set("Authorization", "bearer "+token)
		p, aerr := s.a.Authenticate(r)
		if d := cmp.Diff(Principal{ObjectID: oid, AppID: s.cred.ClientID, Kind: "app"}, p); aerr != nil || d != "" {
			t.Errorf("Authenticate: %v %s", aerr, d)
		}
	}
}

// claims checks a token with the published key, as a stranger would, and returns what it says.
func (s *site) claims(token string) map[string]any {
	s.t.Helper()
	_, jwks := s.get("/" + s.a.TenantID() + "/discovery/v2.0/keys")
	key := jwks["keys"].([]any)[0].(map[string]any)
	point := []byte{4}
	for _, name := range []string{"x", "y"} {
		b, err := base64.RawURLEncoding.DecodeString(key[name].(string))
		if err != nil {
			s.t.Fatal(err)
		}
		point = append(point, b...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		s.t.Fatal(err)
	}
	c := jwt.MapClaims{}
	tok, err := jwt.ParseWithClaims(token, c, func(*jwt.Token) (any, error) { return public, nil })
	if err != nil || tok.Header["kid"] != key["kid"] {
		s.t.Fatalf("token does not fit the published key: %v, kid %v", err, tok.Header["kid"])
	}
	return c
}

func TestToken_BasicAuthentication(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	body := url.Values{"grant_type": {"client_credentials"}, "scope": {s.origin + "/.default"}}.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.origin+"/common/oauth2/v2.0/token", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.SetBasicAuth(s.cred.ClientID, url.QueryEscape(s.cred.ClientSecret))
	if status, doc, _ := s.do(r); status != 200 {
		t.Errorf("got %d %v", status, doc)
	}
}

func TestToken_Errors(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{Hosts: []string{""}})
	arm := s.origin + "/.default"
	for name, c := range map[string]struct {
		form   url.Values
		status int
		code   string
		number float64
	}{
		"no grant":          {s.form("grant_type", "", "scope", arm), 400, "invalid_request", 900144},
		"password grant":    {s.form("grant_type", "password", "scope", arm), 400, "unsupported_grant_type", 70003},
		"device code":       {s.form("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), 400, "unsupported_grant_type", 70003},
		"no client":         {s.form("client_id", "", "scope", arm), 400, "invalid_request", 900144},
		"no secret":         {s.form("client_secret", "", "scope", arm), 401, "invalid_client", 7000218},
		"wrong secret":      {s.form("client_secret", "wrong", "scope", arm), 401, "invalid_client", 7000215},
		"unknown app":       {s.form("client_id", "7b5c7a3c-0000-0000-0000-000000000000", "scope", arm), 400, "unauthorized_client", 700016},
		"assertion":         {s.form("client_assertion", "x", "scope", arm), 400, "invalid_request", 700027},
		"no scope":          {s.form(), 400, "invalid_request", 900144},
		"bad scope":         {s.form("scope", "openid"), 400, "invalid_scope", 70011},
		"no host":           {s.form("resource", "https://"), 400, "invalid_resource", 500011},
		"foreign resource":  {s.form("scope", "https://vault.azure.net/.default"), 400, "invalid_resource", 500011},
		"foreign directory": {s.form("resource", "https://evil.example/graph"), 400, "invalid_resource", 500011},
	} {
		status, body := s.post("/"+s.a.TenantID()+"/oauth2/v2.0/token?client-request-id=7b5c7a3c-1111-4111-8111-000000000000", c.form)
		codes, _ := body["error_codes"].([]any)
		if status != c.status || body["error"] != c.code || len(codes) != 1 || codes[0] != c.number {
			t.Errorf("%s: %d %v", name, status, body)
			continue
		}
		text := fmt.Sprint(body["error_description"])
		if !strings.HasPrefix(text, fmt.Sprintf("AADSTS%.0f: ", c.number)) || strings.Contains(text, s.cred.ClientSecret) {
			t.Errorf("%s: description %q", name, text)
		}
		if body["correlation_id"] != "7b5c7a3c-1111-4111-8111-000000000000" || body["trace_id"] == nil || body["timestamp"] == nil {
			t.Errorf("%s: %v", name, body)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.origin+"/common/oauth2/v2.0/token", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	if status, body, _ := s.do(r); status != 400 || body["error"] != "invalid_request" {
		t.Errorf("JSON body: %d %v", status, body)
	}
	if status, body := s.post("/common/oauth2/v2.0/token", url.Values{"x": {strings.Repeat("x", maxForm+1)}}); status != 413 {
		t.Errorf("large body: %d %v", status, body)
	}
	if status, body := s.post("/common/oauth2/v2.0/devicecode", url.Values{}); status != 400 || body["error"] != "unsupported_response_type" {
		t.Errorf("device code: %d %v", status, body)
	}
}

func TestToken_FailuresAreSlowedDown(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{Failures: 3})
	bad := s.form("client_secret", "wrong", "scope", s.origin+"/.default")
	var got []int
	for range 4 {
		status, _ := s.post("/common/oauth2/v2.0/token", bad)
		got = append(got, status)
	}
	// The fourth comes within a second of the first three.
	if d := cmp.Diff([]int{401, 401, 401, 429}, got); d != "" {
		t.Error(d)
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2)
		tries := func(remote string) (n int) {
			for n < 10 && l.allow(remote) {
				l.failed(remote)
				n++
			}
			return n
		}
		if a, b := tries("10.0.0.1:1"), tries("10.0.0.2:1"); a != 2 || b != 2 {
			t.Errorf("%d and %d tries, want 2 and 2", a, b)
		}
		if n := tries("[2001:db8::1]:5"); n != 2 || l.allow("[2001:db8::ffff]:5") || !l.allow("[2001:db8:0:1::1]:5") {
			t.Errorf("a /64 counts as one source; %d tries", n)
		}
		time.Sleep(time.Second)
		if n := tries("10.0.0.1:9"); n != 1 {
			t.Errorf("%d tries after a second, want 1", n)
		}
		for i := range maxSources + 10 {
			l.failed(fmt.Sprintf("10.1.%d.%d:1", i/256, i%256))
		}
		if n := len(l.sources); n > maxSources+1 {
			t.Errorf("%d sources are kept", n)
		}
		time.Sleep(time.Minute)
		l.failed("10.9.9.9:1")
		if n := len(l.sources); n > 2 {
			t.Errorf("%d sources are kept after all were forgiven", n)
		}
	})
}

func TestAuthenticate_Errors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		a := open(t, dir, Options{})
		other := open(t, t.TempDir(), Options{})
		sign := func(a *Authority, audience string) string {
			token, _, err := a.sign("https://localhost", audience, a.ClientID())
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		old := sign(a, publicAudiences[0])
		fresh := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8480/subscriptions/anything", nil)
		fresh.Header.Set("Authorization", "Bearer "+old)
		for range 2 { // the second time its signature is known to be good
			if _, err := a.Authenticate(fresh); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(lifetime + 2*leeway)
		minted, expires, err := a.MintToken(t.Context())
		if err != nil || time.Until(expires) <= 0 {
			t.Fatal(err, expires)
		}
		stolen := *other
		stolen.rec.TenantID = a.rec.TenantID // the right claims under another key
		none, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims{TenantID: a.TenantID(), Audience: publicAudiences[0], ExpiresAt: jwt.NewNumericDate(expires)}).SignedString(jwt.UnsafeAllowNoneSignatureType)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct{ header, code, message string }{
			"none":         {"", "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."},
			"basic":        {"Basic eDp5", "AuthenticationFailed", "Authentication failed. The 'Authorization' header is provided in an invalid format."},
			"empty":        {"Bearer ", "AuthenticationFailed", "Authentication failed. The 'Authorization' header is provided in an invalid format."},
			"garbage":      {"Bearer x.y.z", "InvalidAuthenticationToken", "The access token is invalid."},
			"cut":          {"Bearer " + minted[:len(minted)-2], "InvalidAuthenticationToken", "The access token is invalid."},
			"other key":    {"Bearer " + sign(&stolen, publicAudiences[0]), "InvalidAuthenticationToken", "The access token is invalid."},
			"no algorithm": {"Bearer " + none, "InvalidAuthenticationToken", "The access token is invalid."},
			"expired":      {"Bearer " + old, "ExpiredAuthenticationToken", "The access token expiry UTC time '1/1/2000 1:00:00 AM' is earlier than current UTC time '1/1/2000 1:02:00 AM'."},
			"tenant": {
				"Bearer " + sign(other, publicAudiences[0]), "InvalidAuthenticationTokenTenant",
				"The access token is from the wrong issuer 'https://localhost/" + other.TenantID() + "/'. It must match the tenant 'http://127.0.0.1:8480/" + a.TenantID() +
					"/' associated with this subscription. Please use the authority (URL) 'http://127.0.0.1:8480/" + a.TenantID() + "' to get the token.",
			},
			"audience": {
				"Bearer " + sign(a, "https://localhost/graph"), "InvalidAuthenticationToken",
				"The access token has been obtained for wrong audience or resource 'https://localhost/graph'. It should exactly match with one of the allowed audiences " +
					"'http://127.0.0.1:8480','http://127.0.0.1:8480/','https://management.azure.com/','https://management.azure.com','https://management.core.windows.net/','https://management.core.windows.net'.",
			},
			"good": {"Bearer " + minted, "", ""},
		} {
			r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8480/subscriptions/anything", nil)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			_, err := a.Authenticate(r)
			if c.code == "" {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if err == nil || err.Status != 401 || err.Code != c.code || err.Message != c.message {
				t.Errorf("%s: got %+v\nwant %s %s", name, err, c.code, c.message)
				continue
			}
			want := `Bearer authorization_uri="http://127.0.0.1:8480/` + a.TenantID() + `", error="invalid_token", error_description="` + c.message + `"`
			if d := cmp.Diff(want, a.Challenge(r, err)); d != "" {
				t.Errorf("%s: challenge\n%s", name, d)
			}
		}
	})
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	for _, v := range []string{"2022-09-01", "2019-05-01", "2020-06-01"} {
		status, doc := s.get("/metadata/endpoints?api-version=" + v)
		auth, _ := doc["authentication"].(map[string]any)
		want := map[string]any{"loginEndpoint": s.origin, "audiences": []any{s.origin, s.origin + "/"}, "tenant": "common", "identityProvider": "AAD"}
		if d := cmp.Diff(want, auth); status != 200 || d != "" || doc["resourceManager"] != s.origin || doc["microsoftGraphResourceId"] != s.origin+"/graph" || doc["name"] != "Portico" {
			t.Errorf("%s: %d %v\n%s", v, status, doc, d)
		}
	}
	if status, doc := s.get("/metadata/endpoints?api-version=2015-01-01"); status != 200 || doc["galleryEndpoint"] != s.origin+"/gallery" {
		t.Errorf("2015-01-01: %d %v", status, doc)
	}
	for v, code := range map[string]string{"": "MissingApiVersionParameter", "2000-01-01": "InvalidApiVersionParameter"} {
		status, doc := s.get("/metadata/endpoints?api-version=" + v)
		if e, _ := doc["error"].(map[string]any); status != 400 || e["code"] != code {
			t.Errorf("%q: %d %v", v, status, doc)
		}
	}
}

func TestOwns(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir(), Options{})
	for path, want := range map[string]bool{
		"/metadata/endpoints": true, "/common/discovery/instance": true, "/adfs/oauth2/token": true, "//x/oauth2/v2.0/token": true,
		"/x/v2.0/.well-known/openid-configuration": true, "/x/.well-known/openid-configuration": true,
		"/": false, "/healthz": false, "/metadata/identity/oauth2/token": false, "/subscriptions/oauth2/x": false,
		"/subscriptions/s/resourceGroups/g": false, "/portico/clock": false, "/tenants": false,
	} {
		if got := a.Owns(httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)); got != want {
			t.Errorf("Owns(%s) = %v, want %v", path, got, want)
		}
	}
}

func BenchmarkFirstStart(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		if _, err := Open(dir, Options{}); err != nil {
			b.Fatal(err)
		}
		if _, err := OpenCA(dir, nil, quiet()); err != nil {
			b.Fatal(err)
		}
	}
}

// However many tokens come, as many as may be are remembered, and no other one.
func TestVerified_IsBounded(t *testing.T) {
	t.Parallel()
	var v verified
	for i := range 3*maxVerified + 7 {
		token := strconv.Itoa(i)
		if v.has(token) {
			t.Fatalf("token %d is known before it was seen", i)
		}
		if v.add(token); !v.has(token) || len(v.sums) > maxVerified {
			t.Fatalf("token %d: known %v, of %d", i, v.has(token), len(v.sums))
		}
	}
}
