package identity

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// maxForm bounds a token request.
const maxForm = 64 << 10

// Handler serves discovery, tokens, keys and cloud metadata. None of it asks for a token. It answers 404 to other
// paths; Owns tells which are its.
func (a *Authority) Handler() http.Handler {
	mux := a.mux()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if clean := path.Clean("/" + r.URL.Path); clean != r.URL.Path {
			// Clients build doubled slashes and do not follow the redirect that the mux would answer with.
			u := *r.URL
			u.Path, u.RawPath = clean, ""
			copied := *r
			copied.URL = &u
			r = &copied
		}
		mux.ServeHTTP(w, r)
	})
}

// Owns says whether a request is for Handler rather than for the management API. It goes by the shape of the path.
func (a *Authority) Owns(r *http.Request) bool {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/"), "/")
	switch {
	case first == "metadata":
		return rest == "endpoints"
	case first == "" || strings.EqualFold(first, "subscriptions") || strings.EqualFold(first, "providers") || first == "portico":
		return false
	}
	for _, p := range []string{"v2.0/.well-known/", ".well-known/", "discovery/", "oauth2/"} {
		if strings.HasPrefix(rest, p) {
			return true
		}
	}
	return false
}

func (a *Authority) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", a.discovery(v2))
	mux.HandleFunc("GET /{tenant}/.well-known/openid-configuration", a.discovery(v1))
	mux.HandleFunc("GET /adfs/.well-known/openid-configuration", a.discovery(adfs))
	mux.HandleFunc("GET /common/discovery/instance", a.instance)
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", a.keys)
	mux.HandleFunc("GET /{tenant}/discovery/keys", a.keys)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", a.token(v2))
	mux.HandleFunc("POST /{tenant}/oauth2/token", a.token(v1))
	for _, name := range []string{"authorize", "devicecode"} {
		mux.HandleFunc("/{tenant}/oauth2/v2.0/"+name, a.interactive)
		mux.HandleFunc("/{tenant}/oauth2/"+name, a.interactive)
	}
	mux.HandleFunc("GET /metadata/endpoints", a.metadata)
	return mux
}

// A generation of the protocol.
type generation uint8

const (
	v2 generation = iota
	v1
	adfs
)

// A failure is an error of the token endpoint. Its codes are those of the hosted directory.
type failure struct {
	status  int
	code    string // of OAuth
	number  int    // AADSTS…
	message string
}

// writeFailure answers with the hosted directory's error body.
func writeFailure(w http.ResponseWriter, r *http.Request, f failure) {
	trace, correlation := uuid.NewString(), r.URL.Query().Get("client-request-id")
	if uuid.Validate(correlation) != nil {
		correlation = r.Header.Get("Client-Request-Id")
	}
	if uuid.Validate(correlation) != nil {
		correlation = uuid.NewString()
	}
	at := time.Now().UTC().Format("2006-01-02 15:04:05Z")
	if f.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	writeBody(w, f.status, map[string]any{
		"error": f.code, "error_codes": []int{f.number}, "timestamp": at, "trace_id": trace, "correlation_id": correlation,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", f.number, f.message, trace, correlation, at),
	})
}

func writeBody(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "the answer could not be encoded", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client has gone; there is nobody left to tell
}

// enter checks what all endpoints of a tenant have in common and returns the origin to build URLs from.
func (a *Authority) enter(w http.ResponseWriter, r *http.Request) (origin string, ok bool) {
	origin, ok = a.requestOrigin(r)
	if !ok {
		writeFailure(w, r, failure{400, "invalid_request", 90013, "Invalid input received from the user: the host '" + clean(r.Host) + "' is not one of this server's."})
		return "", false
	}
	switch tenant := strings.ToLower(r.PathValue("tenant")); tenant {
	case "", "common", "organizations", "adfs", strings.ToLower(a.rec.TenantID):
		return origin, true
	default:
		writeFailure(w, r, failure{400, "invalid_request", 90002, "Tenant '" + clean(tenant) + "' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."})
		return "", false
	}
}

// clean makes a client's text fit to be repeated to it.
func clean(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < 0x20 || c == 0x7f {
			return -1
		}
		return c
	}, s)
	return s[:min(len(s), 200)]
}

func (a *Authority) discovery(g generation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		origin, ok := a.enter(w, r)
		if !ok {
			return
		}
		tenant := r.PathValue("tenant")
		if tenant == "" {
			tenant = "adfs"
		}
		host := strings.TrimPrefix(strings.TrimPrefix(origin, "https://"), "http://")
		base, oauth, issuer := origin+"/"+tenant, "/oauth2/v2.0", origin+"/"+a.rec.TenantID+"/v2.0"
		switch g {
		case v1:
			oauth, issuer = "/oauth2", origin+"/"+a.rec.TenantID+"/"
		case adfs:
			oauth, issuer = "/oauth2", origin+"/adfs"
		}
		writeBody(w, http.StatusOK, map[string]any{
			"issuer":                                issuer,
			"authorization_endpoint":                base + oauth + "/authorize",
			"token_endpoint":                        base + oauth + "/token",
			"device_authorization_endpoint":         base + oauth + "/devicecode",
			"jwks_uri":                              base + "/discovery/v2.0/keys",
			"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
			"grant_types_supported":                 []string{"client_credentials"},
			"response_modes_supported":              []string{"query", "fragment", "form_post"},
			"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
			"subject_types_supported":               []string{"pairwise"},
			"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
			"id_token_signing_alg_values_supported": []string{"ES256"},
			"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "nbf", "tid", "oid", "appid"},
			"tenant_region_scope":                   nil,
			"cloud_instance_name":                   host,
			"cloud_graph_host_name":                 host,
			"msgraph_host":                          host,
		})
	}
}

func (a *Authority) instance(w http.ResponseWriter, r *http.Request) {
	origin, ok := a.enter(w, r)
	if !ok {
		return
	}
	u, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	if err != nil || !a.isOurs(u.Hostname()) {
		writeFailure(w, r, failure{400, "invalid_instance", 50049, "Unknown or invalid instance."})
		return
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if tenant == "" {
		tenant = "common"
	}
	host := strings.TrimPrefix(strings.TrimPrefix(origin, "https://"), "http://")
	writeBody(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": origin + "/" + url.PathEscape(tenant) + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []any{map[string]any{"preferred_network": host, "preferred_cache": host, "aliases": []string{host}}},
	})
}

func (a *Authority) keys(w http.ResponseWriter, r *http.Request) {
	if _, ok := a.enter(w, r); !ok {
		return
	}
	point, err := a.key.PublicKey.Bytes() // 4, X, Y
	if err != nil {
		http.Error(w, "the key could not be encoded", http.StatusInternalServerError)
		return
	}
	x, y := point[1:33], point[33:]
	writeBody(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": a.keyID,
		"x": base64.RawURLEncoding.EncodeToString(x), "y": base64.RawURLEncoding.EncodeToString(y),
	}}})
}

// interactive refuses logins of people: this directory has applications only.
func (a *Authority) interactive(w http.ResponseWriter, r *http.Request) {
	if _, ok := a.enter(w, r); ok {
		writeFailure(w, r, failure{400, "unsupported_response_type", 700054, "Interactive and device code logins are not built. Use the client_credentials grant."})
	}
}

// token serves the token endpoint. Both generations take a scope or a resource.
func (a *Authority) token(g generation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		origin, ok := a.enter(w, r)
		if !ok {
			return
		}
		if f := readForm(w, r); f != nil {
			writeFailure(w, r, *f)
			return
		}
		client, audience, f := a.grant(r)
		if f != nil {
			writeFailure(w, r, *f)
			return
		}
		token, expires, err := a.sign(origin, audience, client)
		if err != nil {
			writeFailure(w, r, failure{500, "server_error", 90033, "A token could not be made."})
			return
		}
		seconds := int(lifetime.Seconds()) - 1
		body := map[string]any{"token_type": "Bearer", "access_token": token, "expires_in": seconds, "ext_expires_in": seconds}
		if g == v1 { // numbers are strings there
			text := strconv.Itoa(seconds)
			body["expires_in"], body["ext_expires_in"], body["resource"] = text, text, audience
			body["expires_on"] = strconv.FormatInt(expires.Unix(), 10)
			body["not_before"] = strconv.FormatInt(expires.Add(-lifetime).Unix(), 10)
		}
		writeBody(w, http.StatusOK, body)
	}
}

func readForm(w http.ResponseWriter, r *http.Request) *failure {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return &failure{400, "invalid_request", 900142, "The request body must be of the type 'application/x-www-form-urlencoded'."}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return &failure{413, "invalid_request", 90013, "Invalid input received from the user: the request is too large."}
		}
		return &failure{400, "invalid_request", 90013, "Invalid input received from the user: the request body is malformed."}
	}
	return nil
}

// grant decides a token request: who asks, and for which audience.
func (a *Authority) grant(r *http.Request) (client, audience string, f *failure) {
	form := r.PostForm
	switch grant := form.Get("grant_type"); grant {
	case "client_credentials":
	case "":
		return "", "", missing("grant_type")
	default:
		return "", "", &failure{400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '" + clean(grant) + "'. Only client_credentials is built."}
	}
	if client, f = a.client(r); f != nil {
		return "", "", f
	}
	audience, f = a.audience(form)
	return client, audience, f
}

func missing(parameter string) *failure {
	return &failure{400, "invalid_request", 900144, "The request body must contain the following parameter: '" + parameter + "'."}
}

// client checks the secret of the application that asks.
func (a *Authority) client(r *http.Request) (string, *failure) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok { // both are form-encoded there
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(password)
	}
	switch {
	case id == "":
		return "", missing("client_id")
	case r.PostForm.Get("client_assertion") != "":
		return "", &failure{400, "invalid_request", 700027, "Client assertions are not built. Use a client secret."}
	case secret == "":
		return "", &failure{401, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	case !a.limits.allow(r.RemoteAddr):
		return "", &failure{429, "temporarily_unavailable", 90055, "The request is throttled: there were too many failed logins."}
	case !strings.EqualFold(id, a.rec.ClientID):
		a.limits.failed(r.RemoteAddr)
		return "", &failure{400, "unauthorized_client", 700016, "Application with identifier '" + clean(id) + "' was not found in the directory '" + a.rec.TenantID + "'."}
	case !a.secretIsRight(secret):
		a.limits.failed(r.RemoteAddr)
		return "", &failure{401, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + a.rec.ClientID + "'."}
	}
	return a.rec.ClientID, nil
}

// audience is what the token shall be good for. Of a scope the last "/.default" is cut off, which leaves a slash where
// the resource ends in one.
func (a *Authority) audience(form url.Values) (string, *failure) {
	audience := form.Get("resource")
	if scope := strings.TrimSpace(form.Get("scope")); scope != "" {
		for s := range strings.FieldsSeq(scope) { // clients may add openid, profile, offline_access
			if cut, ok := strings.CutSuffix(s, "/.default"); ok {
				audience = cut
			}
		}
		if audience == "" {
			return "", &failure{400, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid. The scope '" + clean(scope) + "' is not valid: it must end in '/.default'."}
		}
	}
	if audience == "" {
		return "", missing("scope")
	}
	if !a.isManagement(audience) && !a.isDirectory(audience) {
		return "", &failure{400, "invalid_resource", 500011, "The resource principal named '" + clean(audience) + "' was not found in the tenant named '" + a.rec.TenantID + "'."}
	}
	return audience, nil
}
