package resource

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

var namedValueName = regexp.MustCompile(`^[A-Za-z0-9-._]+$`)

func namedValues() *Row {
	return &Row{
		Namespace: APIM, Path: "service/namedValues", Lookup: "properties.displayName", Shape: Entity, Entity: "NamedValue", Proof: "TestGolden/namedvalues", Versions: since(apimVersions, v2019dec),
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "namedValueId", NameMax: 256, NameLike: plainName,
		Fields: []Field{
			{Path: "properties.displayName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 256, Pattern: namedValueName},
			{Path: "properties.value", Kind: String, MaxLen: 4096, Flags: Sealed},
			{Path: "properties.tags", Kind: Array, MaxItems: 32},
			{Path: "properties.secret", Kind: Bool, Default: false},
			{Path: "properties.keyVault.secretIdentifier", Kind: String, From: v2020pre},
			{Path: "properties.keyVault.identityClientId", Kind: String, From: v2020pre},
			{Path: "properties.provisioningState", Kind: String, From: v2023may, Flags: ReadOnly},
		},
		Filters: map[string]string{"displayName": "properties.displayName", "tags": "properties.tags"},
		Rules:   []Rule{namedValueFilled, namedValueFree, namedValueRename},
		Compute: func(s *Shown) {
			if s.Object.Flag("properties.secret") {
				s.Object.Remove("properties.value")
			}
		},
		OnDelete: namedValueUnused,
		Actions:  []Action{{"listValue", ""}},
	}
}

func namedValueFilled(c *Change) []arm.ErrorDetail {
	if c.New.Get("properties.keyVault") != nil {
		return []arm.ErrorDetail{notBuilt("keyVault", "Named values from a key vault")}
	}
	value := c.New.Text("properties.value")
	if strings.TrimSpace(value) == "" {
		return []arm.ErrorDetail{Finding("value", "'value' must not be empty.")}
	}
	return nil
}

func namedValueFree(c *Change) []arm.ErrorDetail { return uniqueText(c, "displayName", "NamedValue") }

// namedValueRename: renaming one that policies refer to would rewrite them, which is not built.
func namedValueRename(c *Change) []arm.ErrorDetail {
	was := c.Old.Text("properties.displayName")
	if was == "" || was == c.New.Text("properties.displayName") {
		return nil
	}
	user := loggerUsing(c.Tree, c.Service(), was)
	if user == "" {
		user = userOf(c.Tree, c.Service(), "{{"+was+"}}")
	}
	if user != "" {
		return []arm.ErrorDetail{notBuilt("displayName", "Renaming a named value that is in use (by '"+user+"')")}
	}
	return nil
}

// namedValueUnused refuses to delete a named value that a policy or a logger refers to.
func namedValueUnused(r *Removal) *arm.Error {
	name := r.Object.Text("properties.displayName")
	if user := loggerUsing(r.Tree, ServiceID(r.ID), name); user != "" {
		return arm.Invalid(Finding("namedValueId", "The named value is in use by the logger '%s'.", user))
	}
	return unused(r, "{{"+name+"}}", "namedValueId", "named value")
}

// unused refuses a removal while a policy of the service holds a text.
func unused(r *Removal, text, param, what string) *arm.Error {
	if user := userOf(r.Tree, ServiceID(r.ID), text); user != "" {
		return arm.Invalid(Finding(param, "The %s is in use by the policy '%s'.", what, user))
	}
	return nil
}

// userOf is the ID of a policy of the service that holds a text, empty when there is none.
func userOf(t store.Reader, service, text string) string {
	docs, _ := policyDocuments(t, service)
	for _, d := range docs {
		if o, err := parseObject(d.Desired); err == nil && strings.Contains(o.Text("properties.value"), text) {
			return d.ID
		}
	}
	return ""
}

// policyDocuments are all policies and policy fragments of a service.
func policyDocuments(t store.Reader, service string) ([]store.Document, error) {
	var out []store.Document
	for _, path := range []string{
		"service/policies", "service/apis/policies", "service/apis/operations/policies", "service/products/policies", "service/policyFragments",
	} {
		docs, err := t.List(store.Query{Type: strings.ToLower(APIM + "/" + path), Prefix: service})
		if err != nil {
			return nil, err
		}
		out = append(out, docs...)
	}
	return out, nil
}

func backends() *Row {
	return &Row{
		Namespace: APIM, Path: "service/backends", Shape: Entity, Entity: "Backend", Proof: "TestGolden/backends", Versions: apimVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "backendId", PatchSilentUntil: v2020pre, NameMax: 80,
		Fields: slices.Concat([]Field{
			{Path: "properties.title", Kind: String, MinLen: 1, MaxLen: 300},
			{Path: "properties.description", Kind: String, MinLen: 1, MaxLen: 2000},
			{Path: "properties.resourceId", Kind: String, MinLen: 1, MaxLen: 2000},
			{Path: "properties.url", Kind: String, MinLen: 1, MaxLen: 2000},
			{Path: "properties.protocol", Kind: String, Enum: words("http", "soap")},
			{Path: "properties.type", Kind: String, From: v2023may, Enum: words("Single", "Pool"), Default: "Single"},
			{Path: "properties.properties.serviceFabricCluster", Kind: Any},
			{Path: "properties.credentials.certificate", Kind: Array, MaxItems: 32},
			{Path: "properties.credentials.certificateIds", Kind: Array, MaxItems: 32, From: v2020pre},
			{Path: "properties.credentials.query", Kind: Any, Flags: Sealed},
			{Path: "properties.credentials.header", Kind: Any, Flags: Sealed},
			{Path: "properties.credentials.authorization.scheme", Kind: String, Flags: Required, MinLen: 1, MaxLen: 100},
			{Path: "properties.credentials.authorization.parameter", Kind: String, Flags: Required | Sealed, MinLen: 1, MaxLen: 300},
			{Path: "properties.proxy.url", Kind: String, Flags: Required, MinLen: 1, MaxLen: 2000},
			{Path: "properties.proxy.username", Kind: String},
			{Path: "properties.proxy.password", Kind: String, Flags: Sealed},
			{Path: "properties.tls.validateCertificateChain", Kind: Bool, Default: true},
			{Path: "properties.tls.validateCertificateName", Kind: Bool, Default: true},
			{Path: "properties.circuitBreaker", Kind: Any, From: v2022sep},
			{Path: "properties.pool", Kind: Any, From: v2023may},
		}),
		Filters: map[string]string{"name": "properties.title", "title": "properties.title", "url": "properties.url"},
		Rules:   []Rule{backendFilled, backendNotBuilt, backendCredentials},
		OnDelete: func(r *Removal) *arm.Error {
			return unused(r, `backend-id="`+r.ID[strings.LastIndexByte(r.ID, '/')+1:]+`"`, "backendId", "backend")
		},
	}
}

func backendFilled(c *Change) (found []arm.ErrorDetail) {
	if c.New.Text("properties.type") == "Pool" {
		return nil
	}
	u, protocol := c.New.Text("properties.url"), c.New.Text("properties.protocol")
	switch {
	case u == "":
		found = append(found, Finding("url", "'url' must not be empty."))
	case !absoluteURL(u):
		found = append(found, Finding("url", "'url' must be an absolute http or https URL."))
	}
	if protocol == "" {
		found = append(found, Finding("protocol", "'protocol' must not be empty."))
	}
	if p := c.New.Text("properties.proxy.url"); p != "" && !absoluteURL(p) {
		found = append(found, Finding("proxy.url", "'url' must be an absolute http or https URL."))
	}
	return found
}

func absoluteURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https"))
}

func backendNotBuilt(c *Change) (found []arm.ErrorDetail) {
	for _, x := range []struct{ path, what string }{
		{"properties.serviceFabricCluster", "Service Fabric backends"},
		{"circuitBreaker", "Circuit breakers"},
		{"pool", "Backend pools"},
		{"credentials.certificate", "Client certificates of backends"},
		{"credentials.certificateIds", "Client certificates of backends"},
	} {
		if v := c.New.Get("properties." + x.path); v != nil && len(c.New.List("properties."+x.path)) > 0 || isObject(v) {
			found = append(found, notBuilt(x.path, x.what))
		}
	}
	if c.New.Text("properties.type") == "Pool" {
		found = append(found, notBuilt("type", "Backend pools"))
	}
	return found
}

func isObject(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) > 0
}

// backendCredentials: header and query are maps of lists of strings; they are sealed as a whole, so the engine does
// not look into them.
func backendCredentials(c *Change) (found []arm.ErrorDetail) {
	for _, name := range []string{"header", "query"} {
		v := c.New.Get("properties.credentials." + name)
		if v == nil {
			continue
		}
		m, ok := v.(map[string]any)
		if !ok {
			found = append(found, Finding("credentials."+name, "'%s' must be an object.", name))
			continue
		}
		for key, list := range m {
			if l, ok := list.([]any); !ok || slices.ContainsFunc(l, func(v any) bool { _, ok := v.(string); return !ok }) {
				found = append(found, Finding("credentials."+name+"."+key, "'%s' must be an array of strings.", key))
			}
		}
	}
	slices.SortFunc(found, func(a, b arm.ErrorDetail) int { return strings.Compare(a.Target, b.Target) })
	return found
}
