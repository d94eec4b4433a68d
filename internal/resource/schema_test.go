package resource

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/arm"
)

const schemaFolder = "../../../shared/specs/specification/apimanagement/resource-manager/Microsoft.ApiManagement"

// schemaOperations name the operation whose body and answer a row describes.
var schemaOperations = map[string]string{
	"service": "ApiManagementService_CreateOrUpdate", "service/apis": "Api_CreateOrUpdate", "service/apis/operations": "ApiOperation_CreateOrUpdate",
	"service/policies": "Policy_CreateOrUpdate", "service/products": "Product_CreateOrUpdate", "service/subscriptions": "Subscription_CreateOrUpdate",
	"service/namedValues": "NamedValue_CreateOrUpdate", "service/backends": "Backend_CreateOrUpdate",
	"service/products/apiLinks": "ProductApiLink_CreateOrUpdate", "service/products/groupLinks": "ProductGroupLink_CreateOrUpdate",
	"service/tags/apiLinks": "TagApiLink_CreateOrUpdate", "service/tags/operationLinks": "TagOperationLink_CreateOrUpdate", "service/tags/productLinks": "TagProductLink_CreateOrUpdate",
	"service/loggers": "Logger_CreateOrUpdate", "service/diagnostics": "Diagnostic_CreateOrUpdate", "service/apis/diagnostics": "ApiDiagnostic_CreateOrUpdate",
	"service/apis/releases": "ApiRelease_CreateOrUpdate|ApiRelease_Create", "service/apiVersionSets": "ApiVersionSet_CreateOrUpdate", "service/tags": "Tag_CreateOrUpdate",
	"service/policyFragments": "PolicyFragment_CreateOrUpdate", "service/certificates": "Certificate_CreateOrUpdate",
	"service/apis/schemas": "ApiSchema_CreateOrUpdate",
	"service/users":        "User_CreateOrUpdate", "service/groups": "Group_CreateOrUpdate",
}

// schemaDiffers lists, by row, beginnings of paths that the row has on purpose otherwise, and why.
var schemaDiffers = map[string][]string{
	"service": {
		"properties.privateEndpointConnections",                                                    // refused as a whole
		"properties.hostnameConfigurations[].certificate", "properties.certificates[].certificate", // shown, never read
		"systemData",           // read-only as a whole
		"sku.name", "location", // checked with errors of their own
		"identity.userAssignedIdentities", "etag",
		"zones", "properties.hostnameConfigurations[].hostName", // bounded here
		"properties.additionalLocations[].sku.name", "properties.additionalLocations[].zones", // as those of the service itself
		"properties.additionalLocations[].virtualNetworkConfiguration.vnetid", "properties.additionalLocations[].virtualNetworkConfiguration.subnetname",
	},
	"service/backends": {
		"properties.circuitBreaker", "properties.pool", "properties.properties", // refused as a whole
		"properties.credentials.query", "properties.credentials.header", // sealed as a whole
		"properties.url", "properties.protocol", // required by a rule: not of a pool
	},
	"service/namedValues":     {"properties.keyVault.lastStatus", "properties.value"},                                                         // value: required by a rule
	"service/apis":            {"properties.provisioningState", "properties.isCurrent"},                                                       // one version calls isCurrent read-only
	"service/apis/operations": {"properties.method"},                                                                                          // bounded here
	"service/products":        {"properties.groups"},                                                                                          // shown when a list is asked for it
	"service/certificates":    {"properties.subject", "properties.thumbprint", "properties.expirationDate", "properties.keyVault.lastStatus"}, // shown, never read
	"service/apis/schemas":    {"properties.document"},                                                                                        // two versions say no more than that it is an object
	"service/users":           {"properties.groups", "properties.registrationDate"},                                                           // shown, never read
}

// TestRowsAgreeWithSchema compares each row with the published schema of each api-version: the same properties, of
// the same kind, required, with the same words, limits and patterns.
func TestRowsAgreeWithSchema(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob(filepath.Join(schemaFolder, "*", "20*"))
	if err != nil || len(folders) == 0 {
		t.Skip("the published schema is not here: ../shared/specs/specification")
	}
	compared := 0
	for _, folder := range folders {
		v := arm.Version(filepath.Base(folder))
		s := &schema{files: map[string]map[string]any{}}
		for _, row := range All() {
			op := schemaOperations[row.Path]
			if op == "" || !row.Has(v) {
				continue
			}
			want := s.fields(t, folder, op)
			if len(want) == 0 {
				t.Errorf("%s %s: no operation %s", v, row.Path, op)
				continue
			}
			got := map[string]string{}
			describe(compile(row.Fields, v), "", got)
			for _, d := range differences(row.Path, want, got) {
				t.Errorf("%s %s: %s", v, row.Path, d)
			}
			compared += len(want)
		}
	}
	t.Logf("%d properties compared in %d api-versions", compared, len(folders))
}

func differences(row string, want, got map[string]string) (out []string) {
	known := func(path string) bool {
		return slices.ContainsFunc(schemaDiffers[row], func(p string) bool { return strings.HasPrefix(path, p) })
	}
	for path, w := range want {
		if g, ok := got[path]; !known(path) && (!ok || g != w) {
			out = append(out, fmt.Sprintf("%s is %q, the schema says %q", path, g, w))
		}
	}
	for path, g := range got {
		if _, ok := want[path]; !ok && !known(path) {
			out = append(out, fmt.Sprintf("%s is %q, the schema does not have it", path, g))
		}
	}
	sort.Strings(out)
	return out
}

// describe writes down what a compiled row says of its leaves.
func describe(n *node, path string, out map[string]string) {
	for _, kid := range n.kids {
		at := join(path, kid.name)
		if kid.field.Path != "" {
			out[at] = facts(kindName(kid.kind), kid.field.Flags&Required != 0, kid.field.Flags&ReadOnly != 0, names(kid.field.Enum), limits(kid.field.MinLen, kid.field.MaxLen, kid.field.MaxItems))
		}
		if kid.elem != nil {
			describe(kid.elem, at+"[]", out)
		}
		describe(kid, at, out)
	}
}

func names(vs []Value) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = v.Name
	}
	return out
}

// limits are lengths of texts and arrays; a minimum of one says no more than that there must be something.
func limits(least, most, items int) string {
	if least <= 1 && most == 0 && items == 0 {
		return ""
	}
	return fmt.Sprintf("%d..%d", max(least, 1), max(most, items))
}

func facts(kind string, required, readOnly bool, words []string, limits string) string {
	slices.Sort(words)
	s := kind
	if required && !readOnly {
		s += " required"
	}
	if readOnly {
		s += " read-only"
	}
	return strings.Join(strings.Fields(s+" "+strings.Join(words, ",")+" "+limits), " ")
}

func kindName(k Kind) string {
	return map[Kind]string{String: "string", Time: "string", Int: "integer", Number: "number", Bool: "boolean", Array: "array", Map: "object", Any: "object"}[k]
}

// schema reads swagger documents.
type schema struct{ files map[string]map[string]any }

func (s *schema) load(file string) map[string]any {
	if d, ok := s.files[file]; ok {
		return d
	}
	var d map[string]any
	if data, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(data, &d) // an unreadable file has no properties, which the test reports
	}
	s.files[file] = d
	return d
}

// resolve follows references.
func (s *schema) resolve(n map[string]any, file string) (map[string]any, string) {
	for {
		ref, ok := n["$ref"].(string)
		if !ok {
			return n, file
		}
		name, fragment, _ := strings.Cut(ref, "#")
		if name != "" {
			file = filepath.Join(filepath.Dir(file), name)
		}
		at := any(s.load(file))
		for part := range strings.SplitSeq(strings.Trim(fragment, "/"), "/") {
			m, _ := at.(map[string]any)
			at = m[part]
		}
		n, _ = at.(map[string]any)
	}
}

// fields are the leaves of an operation's body and answer.
func (s *schema) fields(t *testing.T, folder, operation string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range files {
		paths, _ := s.load(file)["paths"].(map[string]any)
		for _, p := range paths {
			for _, m := range p.(map[string]any) {
				op, _ := m.(map[string]any)
				if op == nil || !slices.Contains(strings.Split(operation, "|"), fmt.Sprint(op["operationId"])) {
					continue
				}
				responses, _ := op["responses"].(map[string]any)
				if r, ok := responses["200"].(map[string]any); ok {
					if sc, ok := r["schema"].(map[string]any); ok {
						s.walk(sc, file, "", out, 0)
					}
				}
				params, _ := op["parameters"].([]any)
				for _, p := range params {
					if n, at := s.resolve(p.(map[string]any), file); n["in"] == "body" {
						s.walk(n["schema"].(map[string]any), at, "", out, 0)
					}
				}
			}
		}
	}
	for _, computed := range []string{"id", "name", "type"} {
		delete(out, computed)
	}
	return out
}

func (s *schema) walk(n map[string]any, file, path string, out map[string]string, depth int) {
	n, file = s.resolve(n, file)
	if depth > 12 {
		return
	}
	if all, ok := n["allOf"].([]any); ok {
		for _, a := range all {
			s.walk(a.(map[string]any), file, path, out, depth+1)
		}
	}
	var required []any
	s.required(n, file, &required)
	props, _ := n["properties"].(map[string]any)
	for name, p := range props {
		at := join(path, name)
		raw := p.(map[string]any)
		leaf, leafFile := s.resolve(raw, file)
		kind, _ := leaf["type"].(string)
		_, nested := leaf["properties"]
		_, mixed := leaf["allOf"]
		if nested || mixed {
			s.walk(leaf, leafFile, at, out, depth+1)
			continue
		}
		if kind == "" {
			kind = "object"
		}
		words, _ := leaf["enum"].([]any)
		if items, ok := leaf["items"].(map[string]any); ok {
			item, itemFile := s.resolve(items, leafFile)
			if _, ok := item["properties"]; ok || item["allOf"] != nil {
				s.walk(item, itemFile, at+"[]", out, depth+1)
				continue
			}
			words, _ = item["enum"].([]any)
		}
		list := make([]string, len(words))
		for i, w := range words {
			list[i] = fmt.Sprint(w)
		}
		readOnly := raw["readOnly"] == true || leaf["readOnly"] == true
		out[at] = facts(kind, slices.Contains(required, any(name)), readOnly, list, limits(number(leaf["minLength"]), number(leaf["maxLength"]), number(leaf["maxItems"])))
	}
}

func (s *schema) required(n map[string]any, file string, out *[]any) {
	if r, ok := n["required"].([]any); ok {
		*out = append(*out, r...)
	}
	all, _ := n["allOf"].([]any)
	for _, a := range all {
		m, at := s.resolve(a.(map[string]any), file)
		s.required(m, at, out)
	}
}

func number(v any) int {
	f, _ := v.(float64)
	return int(f)
}
