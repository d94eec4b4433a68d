package importer

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "rewrite testdata/*/want.json")

func resultJSON(t *testing.T, r *Result) string {
	t.Helper()
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

// The same API in both specifications and both notations gives one and the same result.
func TestImport_SameAPIInEveryNotation(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "bookshop", "want.json")
	for _, c := range [][2]string{
		{"openapi", "openapi.yaml"},
		{"openapi+json", "openapi.json"},
		{"openapi+json", "openapi.yaml"},
		{"swagger-json", "swagger.json"},
		{"swagger-json", "swagger.yaml"},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", "bookshop", c[1]))
		if err != nil {
			t.Fatal(err)
		}
		res, aerr := Import(c[0], string(text))
		if aerr != nil {
			t.Fatalf("%s as %s: %v", c[1], c[0], aerr.Details)
		}
		if res.Schema != nil { // keeps to the words of its specification
			res.Schema = &Schema{Document: neutral(t, res.Schema)}
		}
		got := resultJSON(t, res)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s as %s (-want +got):\n%s", c[1], c[0], d)
		}
	}
}

// neutral are the types of a schema with references of OpenAPI 3, whatever it was written in.
func neutral(t *testing.T, s *Schema) map[string]any {
	t.Helper()
	types := s.Document["definitions"]
	if components, ok := s.Document["components"].(map[string]any); ok {
		types = components["schemas"]
	}
	data, err := json.Marshal(types)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), "#/definitions/", "#/components/schemas/")), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// The named schemas are kept, and those that are written in place get names; what is referred to elsewhere is put in.
func TestImport_Schemas(t *testing.T) {
	t.Parallel()
	const openAPI = head + `{"/pets/{id}":{"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],
		"put":{"operationId":"put","requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Pet"}},
			"application/xml":{"schema":{"type":"object","example":{"x":{"$ref":"no"}},"properties":{"a":{"$ref":"#/components/headers/H/schema"},"default":{"$ref":"#/components/headers/H/schema"}}}},
			"multipart/form-data":{"schema":{"$ref":"#/components/schemas/Pet"}}}},
		"responses":{"200":{"description":"","content":{"text/json":{"schema":{"type":"array","items":{"$ref":"#/components/schemas/Pet"}}},"text/plain":{"schema":{"type":"string"}},"text/none":{},"text/empty":{"schema":{}}}},
			"404":{"description":"","content":{"text/json":{"schema":{"$ref":"#/paths/~1pets~1{id}/put/responses/200/content/text~1plain/schema"}}}}}}}},
		"components":{"headers":{"H":{"schema":{"type":"object","properties":{"again":{"$ref":"#/components/headers/H/schema"}}}}},
			"schemas":{"Pet":{"type":"object","properties":{"next":{"$ref":"#/components/schemas/Pet"}}},"PetsIdPut200Response":{"type":"integer"}}}}`
	res, err := Import("openapi+json", openAPI)
	if err != nil {
		t.Fatal(err.Details)
	}
	want := map[string]any{
		"Pet":                    map[string]any{"type": "object", "properties": map[string]any{"next": map[string]any{"$ref": "#/components/schemas/Pet"}}},
		"PetsIdPut200Response":   map[string]any{"type": "integer"},
		"PetsIdPut200Response-1": map[string]any{"type": "array", "items": map[string]any{"$ref": "#/components/schemas/Pet"}},
		"PetsIdPut200Response-2": map[string]any{"type": "string"},
		"PetsIdPut404Response":   map[string]any{"type": "string"},
		"PetsIdPutRequest": map[string]any{"type": "object", "example": map[string]any{"x": map[string]any{"$ref": "no"}}, "properties": map[string]any{
			"a":       map[string]any{"type": "object", "properties": map[string]any{"again": map[string]any{}}},
			"default": map[string]any{"type": "object", "properties": map[string]any{"again": map[string]any{}}},
		}},
	}
	if d := cmp.Diff(want, neutral(t, res.Schema)); d != "" || res.Schema.ContentType != componentsType {
		t.Errorf("%s (-want +got):\n%s", res.Schema.ContentType, d)
	}
	var got []string
	note := func(holder any) {
		m, _ := holder.(map[string]any)
		for _, r := range m["representations"].([]any) {
			r := r.(map[string]any)
			got = append(got, fmt.Sprint(r["contentType"], " ", r["schemaId"], " ", r["typeName"]))
		}
	}
	note(res.Operations[0].Properties["request"])
	for _, r := range res.Operations[0].Properties["responses"].([]any) {
		note(r)
	}
	if d := cmp.Diff([]string{
		"application/json imported Pet", "application/xml imported PetsIdPutRequest", "multipart/form-data <nil> <nil>",
		"text/json imported PetsIdPut200Response-1", "text/plain imported PetsIdPut200Response-2", "text/none <nil> <nil>", "text/empty <nil> <nil>",
		"text/json imported PetsIdPut404Response",
	}, got); d != "" {
		t.Errorf("representations (-want +got):\n%s", d)
	}
	if res, _ := Import("openapi", head+"{}}"); res.Schema != nil {
		t.Errorf("no types: %v", res.Schema)
	}
}

const head = `{"openapi":"3.0.0","info":{"title":"T","version":"1"},"paths":`

func TestImport_RefusesBrokenDocuments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":               {"", "the document is empty"},
		"scalar":              {"hello", "the document must be an object and is a string (line 1, column 1)"},
		"broken JSON":         {"{\n  \"openapi\": \"3.0.0\",\n  \"info\" {}\n}", "invalid character '{' after object key (line 3, column 10)"},
		"cut JSON":            {`{"openapi":`, "the document ends too early (line 1, column 12)"},
		"text after JSON":     {head + "{}} x", "there is more text after the end of the document (line 1, column 67)"},
		"broken YAML":         {"openapi: 3.0.0\ninfo: [\n", "did not find expected node content (line 2, column 1)"},
		"duplicate key":       {"openapi: 3.0.0\nopenapi: 3.0.0\n", "the key 'openapi' is there twice (line 2, column 1)"},
		"self-alias":          {"openapi: &a [*a]\n", "the alias '*a' refers to a value that contains it (line 1, column 14)"},
		"no specification":    {`{"info":{}}`, "neither 'openapi' nor 'swagger' says which specification the document follows (line 1, column 1)"},
		"other version":       {"openapi: 4.0.0\n", "OpenAPI version '4.0.0' is not supported; 3.0 and 3.1 are (line 1, column 10)"},
		"old Swagger":         {"swagger: '1.2'\n", "Swagger version '1.2' is not supported; 2.0 is (line 1, column 10)"},
		"no title":            {"openapi: 3.0.0\ninfo:\n  version: '1'\npaths: {}\n", "'info.title' is required (line 3, column 3)"},
		"no paths":            {"openapi: 3.0.0\ninfo: {title: T}\n", "'paths' is required (line 1, column 1)"},
		"path without slash":  {head + `{"a":{}}}`, "the path 'a' must begin with a slash (line 1, column 68)"},
		"path is a list":      {head + `{"/a":[]}}`, "the path '/a' must be an object and is a list (line 1, column 69)"},
		"operation a string":  {head + `{"/a":{"get":"x"}}}`, "'get /a' must be an object and is a string (line 1, column 76)"},
		"external reference":  {head + `{"/a":{"$ref":"other.json"}}}`, "the reference 'other.json' leads out of the document, which is not supported (line 1, column 77)"},
		"dangling reference":  {head + `{"/a":{"get":{"parameters":[{"$ref":"#/x"}]}}}}`, "the reference '#/x' leads nowhere (line 1, column 99)"},
		"circle":              {head + `{"/a":{"$ref":"#/paths/~1a"}}}`, "the reference '#/paths/~1a' leads nowhere (line 1, column 77)"},
		"undefined parameter": {head + `{"/a/{x}":{"get":{}}}}`, "GET /a/{x}: the template parameter 'x' is not defined; all template parameters used in the UriTemplate must be defined in the Operation (line 1, column 80)"},
		"unused parameter":    {head + `{"/a":{"get":{"parameters":[{"name":"x","in":"path","required":true}]}}}}`, "GET /a: the path parameter 'x' is not part of the path (line 1, column 91)"},
		"same name twice":     {head + `{"/a/{x}":{"get":{"parameters":[{"name":"x","in":"path"},{"name":"X","in":"query","required":true}]}}}}`, "GET /a/{x}: the parameter 'X' is in the path and in the query; names must be unique in a URL template (line 1, column 120)"},
		"same operationId":    {head + `{"/a":{"get":{"operationId":"Do"},"put":{"operationId":"do"}}}}`, "Cannot have multiple operations with the same operationId: do (line 1, column 118)"},
		"same template": {
			head + `{"/a/{x}":{"get":{"parameters":[{"name":"x","in":"path"}]}},"/a/{y}":{"get":{"parameters":[{"name":"y","in":"path"}]}}}}`,
			"Operation with the same method and URL template already exists: GET, /a/{y} (line 1, column 139)",
		},
		"nameless parameter": {head + `{"/a":{"get":{"parameters":[{"in":"query"}]}}}}`, "GET /a: a parameter has no name (line 1, column 91)"},
		"misplaced":          {head + `{"/a":{"get":{"parameters":[{"name":"x","in":"body"}]}}}}`, "GET /a: the parameter 'x' is in 'body', which is no place for parameters (line 1, column 91)"},
		"deep JSON":          {`{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + "}", "the document is nested too deeply or has too many values (line 1, column 206)"},
		"many values":        {"a: [" + strings.Repeat("1,", maxNodes+1) + "1]", "the document has too many values"},
		"large":              {strings.Repeat(" ", MaxBytes+1), "the document has 4194305 bytes, more than the 4194304 that are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, err := Import("openapi", c.text)
			if err == nil || res != nil {
				t.Fatalf("Import = %v, %v; want only an error", res, err)
			}
			if err.Status != 400 || err.Code != "ValidationError" || len(err.Details) != 1 {
				t.Fatalf("got %d %s with %v", err.Status, err.Code, err.Details)
			}
			if d := cmp.Diff("Parsing error(s): "+c.want, err.Details[0].Message); d != "" {
				t.Errorf("message (-want +got):\n%s", d)
			}
		})
	}
}

func TestImport_ReportsEveryFinding(t *testing.T) {
	t.Parallel()
	_, err := Import("openapi", "openapi: 3.0.0\npaths:\n  a: {}\n  b: {}\n")
	var got []string
	for _, d := range err.Details {
		got = append(got, d.Message)
	}
	want := []string{
		"Parsing error(s): 'info.title' is required (line 1, column 1)",
		"Parsing error(s): the path 'a' must begin with a slash (line 3, column 6)",
		"Parsing error(s): the path 'b' must begin with a slash (line 4, column 6)",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestImport_Formats(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"wsdl":         "Import of the format 'wsdl' is not built yet. Built are OpenAPI and Swagger.",
		"openapi-link": "'openapi-link' is not a format of API descriptions.", // whoever follows the link knows what is there
		"":             "The format of the imported document is required.",
		"raml":         "'raml' is not a format of API descriptions.",
	} {
		_, err := Import(format, "{}")
		if err == nil || err.Code != "ValidationError" || err.Details[0].Message != want {
			t.Errorf("%q: got %v, want %s", format, err, want)
		}
	}
}

func TestImport_AliasBombIsRefused(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	_, err := Import("openapi", b.String())
	if err == nil || !strings.Contains(err.Details[0].Message, "aliases") {
		t.Fatalf("got %v", err)
	}
}

// References that copy a large shared part into thousands of API operations are bounded.
func TestImport_ReferenceBombIsRefused(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteString(head + "{")
	for i := range 2000 {
		fmt.Fprintf(&b, `"/p%d":{"get":{"parameters":[{"$ref":"#/components/parameters/X"}]}},`, i)
	}
	b.WriteString(`"/":{}},"components":{"parameters":{"X":{"name":"x","in":"query","schema":{"enum":[` + strings.Repeat("1,", 2000) + `1]}}}}}`)
	_, err := Import("openapi+json", b.String())
	if err == nil || !strings.Contains(err.Details[0].Message, "describes too much") {
		t.Fatalf("got %v", err)
	}
}

func TestImport_MergeKeysAndAliases(t *testing.T) {
	t.Parallel()
	res, err := Import("openapi", `
openapi: 3.1.0
info: {title: T, version: 1}
x-base: &base {summary: Shared, responses: {"2XX": {description: ok}}}
paths:
  /a: {get: {<<: *base, operationId: a}}
  /b: {get: {<<: *base, summary: Own}}
`)
	if err != nil {
		t.Fatal(err.Details)
	}
	got := map[string]any{}
	for _, op := range res.Operations {
		got[op.Name] = op.Properties["displayName"]
	}
	if d := cmp.Diff(map[string]any{"a": "Shared", "get-b": "Own"}, got); d != "" {
		t.Error(d)
	}
}

func TestImport_RequiredQueryStaysQuery(t *testing.T) {
	t.Parallel()
	text := head + `{"/a":{"get":{"parameters":[{"name":"q","in":"query","required":true}]}}}}`
	res, err := Options{RequiredQueryStaysQuery: true}.Import("openapi", text)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Operations[0].Properties["urlTemplate"]; got != "/a" {
		t.Errorf("urlTemplate = %v, want /a", got)
	}
	query := res.Operations[0].Properties["request"].(map[string]any)["queryParameters"]
	want := []any{map[string]any{"name": "q", "type": "string", "required": true, "values": []any{}}}
	if d := cmp.Diff(any(want), query); d != "" {
		t.Error(d)
	}
}

func TestServers(t *testing.T) {
	t.Parallel()
	for servers, want := range map[string]string{
		`[]`:                            " [https]",
		`[{"url":"/relative"}]`:         " [https]",
		`[{"url":"http://a.example/"}]`: "http://a.example [http]",
		`[{"url":"http://a.example"},{"url":"https://b.example/x"}]`:         "https://b.example/x [http https]",
		`[{"url":"wss://a.example"}]`:                                        " [https]",
		`[{"url":"https://{h}/{h}","variables":{"h":{"default":"{h}{h}"}}}]`: " [https]",
	} {
		res, err := Import("openapi", head+`{},"servers":`+servers+"}")
		if err != nil {
			t.Fatal(err.Details)
		}
		if got := fmt.Sprint(res.ServiceURL, " ", res.Protocols); got != want {
			t.Errorf("%s: got %q, want %q", servers, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	n := names{next: map[string]int{}, used: map[string]bool{}}
	long := strings.Repeat("x", 100)
	for _, c := range [][2]string{
		{"GET-/foo/{bar}?buzz={quix}", "get-foo-bar-buzz-quix"},
		{"getPets", "getpets"},
		{"get_pets", "get-pets"},
		{"get.pets", "get-pets-1"},
		{"--get--pets--", "get-pets-2"},
		{long, long[:76]},
		{long + "y", long[:76] + "-1"},
		{"日本", "operation"},
		{"?", "operation-1"},
	} {
		if got := n.unique(c[0]); got != c[1] {
			t.Errorf("unique(%q) = %q, want %q", c[0], got, c[1])
		}
	}
}

// largeDocument describes n API operations.
func largeDocument(n int, asYAML bool) string {
	type m = map[string]any
	paths := m{}
	for i := range n / 2 {
		param := []any{m{"name": "id", "in": "path", "required": true, "schema": m{"type": "string"}}}
		op := func(verb string) m {
			return m{
				"operationId": fmt.Sprintf("%sThing%d", verb, i), "summary": fmt.Sprintf("%s thing %d", verb, i),
				"parameters": append([]any{m{"$ref": "#/components/parameters/Page"}}, param...),
				"responses":  m{"200": m{"description": "ok", "content": m{"application/json": m{"schema": m{"$ref": "#/components/schemas/Thing"}}}}},
			}
		}
		paths[fmt.Sprintf("/things%03d/{id}", i)] = m{"get": op("get"), "post": op("post")}
	}
	doc := m{
		"openapi": "3.0.1", "info": m{"title": "Large", "version": "1"}, "paths": paths,
		"components": m{
			"parameters": m{"Page": m{"name": "page", "in": "query", "schema": m{"type": "integer"}}},
			"schemas":    m{"Thing": m{"type": "object", "properties": m{"id": m{"type": "string"}}}},
		},
	}
	if !asYAML {
		b, _ := json.Marshal(doc)
		return string(b)
	}
	return toYAML(doc)
}

func TestImport_ThreeHundredOperations(t *testing.T) {
	t.Parallel()
	fromJSON, err := Import("openapi+json", largeDocument(300, false))
	if err != nil {
		t.Fatal(err.Details)
	}
	fromYAML, err := Import("openapi", largeDocument(300, true))
	if err != nil {
		t.Fatal(err.Details)
	}
	if n := len(fromJSON.Operations); n != 300 {
		t.Errorf("got %d API operations, want 300", n)
	}
	if d := cmp.Diff(resultJSON(t, fromJSON), resultJSON(t, fromYAML)); d != "" {
		t.Errorf("JSON and YAML differ:\n%s", d)
	}
}

func BenchmarkImport(b *testing.B) {
	for name, text := range map[string]string{"json": largeDocument(300, false), "yaml": largeDocument(300, true)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Import("openapi", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"openapi.yaml", "openapi.json", "swagger.yaml", "swagger.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", "bookshop", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("a: &a {<<: *a}")
	f.Add(head + `{"/{a}/{A}":{"get":{"responses":{"2XX":null}}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		res, err := Import("openapi", text)
		if (res == nil) == (err == nil) {
			t.Fatalf("Import = %v, %v", res, err)
		}
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, op := range res.Operations {
			if op.Name == "" || len(op.Name) > maxUnique || seen[op.Name] {
				t.Fatalf("bad name %q", op.Name)
			}
			seen[op.Name] = true
		}
		if _, err := json.Marshal(res); err != nil {
			t.Fatal(err)
		}
	})
}

func toYAML(v any) string {
	b, _ := yaml.Marshal(v)
	return string(b)
}

// Servers that a description names relatively, or not at all, are those of the link that it was read from.
func TestImport_Base(t *testing.T) {
	t.Parallel()
	const paths = `"info":{"title":"T","version":"1"},"paths":{}}`
	for _, c := range []struct{ text, base, want string }{
		{`{"openapi":"3.0.0","servers":[{"url":"/v1/"}],` + paths, "https://u:p@h.example:8443/docs/o.json?x=1", "https://h.example:8443/v1"},
		{`{"openapi":"3.0.0","servers":[{"url":"v1"},{"url":"http://other"}],` + paths, "http://h.example/docs/o.json", "http://h.example/docs/v1"},
		{`{"openapi":"3.0.0",` + paths, "https://h.example/docs/o.json", "https://h.example"},
		{`{"openapi":"3.0.0","servers":[{"url":"/v1"}],` + paths, "", ""},
		{`{"swagger":"2.0","basePath":"/v2",` + paths, "http://h.example/docs/o.json", "http://h.example/v2"},
		{`{"swagger":"2.0","host":"other","schemes":["https"],` + paths, "http://h.example/docs/o.json", "https://other"},
		{`{"swagger":"2.0","basePath":"/v2",` + paths, "", ""},
	} {
		res, err := Options{Base: c.base}.Import("openapi", c.text)
		if err != nil {
			t.Fatal(err, err.Details)
		}
		if res.ServiceURL != c.want {
			t.Errorf("%s from %q: service url %q, want %q", c.text, c.base, res.ServiceURL, c.want)
		}
	}
}
