package exporter_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/exporter"
	"github.com/portico-dev/portico/internal/control/importer"
)

var update = flag.Bool("update", false, "rewrite the expected descriptions in testdata")

// plain gives values the types that stored documents have.
func plain(t *testing.T, v any) any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func imported(t *testing.T, text string) (exporter.API, *importer.Result) {
	t.Helper()
	r, aerr := importer.Import("openapi", text)
	if aerr != nil {
		t.Fatalf("%v %v\n%s", aerr, aerr.Details, text)
	}
	a := exporter.API{
		Title: r.DisplayName, Description: r.Description, Servers: []string{"https://gw.example/base"},
		KeyHeader: "Ocp-Apim-Subscription-Key", KeyQuery: "subscription-key", KeyRequired: true,
	}
	for _, o := range r.Operations {
		a.Operations = append(a.Operations, exporter.Operation{Name: o.Name, Properties: plain(t, o.Properties).(map[string]any)})
	}
	if r.Schema != nil {
		document := plain(t, r.Schema.Document).(map[string]any)
		types, ok := document["definitions"].(map[string]any)
		if !ok {
			types = document["components"].(map[string]any)["schemas"].(map[string]any)
		}
		a.Schemas = []exporter.Schema{{Name: importer.SchemaName, Types: types}}
	}
	return a, r
}

const sample = `openapi: 3.0.3
info: {title: Books, description: All of them., version: '7'}
servers: [{url: 'https://b.example/v1'}]
paths:
  /books/{id}:
    get:
      operationId: get-book
      summary: Get a book
      description: By its id.
      parameters:
      - {name: id, in: path, required: true, description: Of the book., schema: {type: integer}}
      - {name: full, in: query, required: true, schema: {type: boolean, default: true}}
      - {name: lang, in: query, schema: {type: string, enum: [en, de]}}
      - {name: X-Trace, in: header, schema: {type: string}}
      responses:
        '200':
          description: The book.
          headers: {X-Count: {schema: {type: integer}}}
          content: {application/json: {example: {title: T, pages: 12.5}, schema: {$ref: '#/components/schemas/Book'}}}
        '404': {description: ''}
  /books:
    post:
      requestBody:
        description: A book.
        content:
          application/x-www-form-urlencoded:
            schema: {required: [title], properties: {title: {type: string, description: Its title.}, cover: {type: string}}}
          application/json: {examples: {one: {summary: One, value: [1, null, 'x']}}}
      responses: {'201': {description: Made., content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Book'}}}}}}
components:
  schemas:
    Book: {type: object, required: [title], properties: {title: {type: string, maxLength: 80}, pages: {type: number}, next: {$ref: '#/components/schemas/Book'}}}
`

// What is exported reads back, in each format, as the API operations that it was made of.
func TestWrite_ReadsBack(t *testing.T) {
	t.Parallel()
	texts := map[string]string{"sample": sample}
	files, err := filepath.Glob("../importer/testdata/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts[f] = string(data)
	}
	for name, text := range texts {
		a, want := imported(t, text)
		for _, format := range []string{"openapi", "openapi+json"} {
			data, _, ok, err := a.Write(format)
			if err != nil || !ok {
				t.Fatal(err, ok)
			}
			_, got := imported(t, string(data))
			if d := cmp.Diff(plain(t, want.Operations), plain(t, got.Operations)); d != "" {
				t.Errorf("%s in %s (-want +got):\n%s\n%s", name, format, d, data)
			}
			if d := cmp.Diff(plain(t, want.Schema), plain(t, got.Schema)); d != "" && !strings.Contains(name, "swagger") {
				t.Errorf("%s in %s: schemas (-want +got):\n%s\n%s", name, format, d, data)
			}
			if got.DisplayName != want.DisplayName || got.Description != want.Description {
				t.Errorf("%s in %s: %q %q", name, format, got.DisplayName, got.Description)
			}
		}
		data, _, _, err := a.Write("swagger")
		if err != nil {
			t.Fatal(err)
		}
		_, got := imported(t, string(data))
		names := func(r *importer.Result) (out []string) {
			for _, o := range r.Operations {
				out = append(out, o.Name+" "+o.Properties["method"].(string)+" "+o.Properties["urlTemplate"].(string))
			}
			return out
		}
		if d := cmp.Diff(names(want), names(got)); d != "" {
			t.Errorf("%s in swagger (-want +got):\n%s\n%s", name, d, data)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	a, _ := imported(t, sample)
	a.Version, a.KeyRequired = "v7", false
	a.Contact, a.License = map[string]any{"email": "a@b.c", "name": "A"}, map[string]any{"name": "MIT"}
	a.Operations = append(a.Operations, exporter.Operation{Name: "any", Properties: map[string]any{
		"displayName": "Any", "method": "*", "urlTemplate": "/files/{*path}?kind={k}",
		"templateParameters": []any{map[string]any{"name": "path", "type": "guid"}, map[string]any{"name": "k", "type": "string"}},
	}}, exporter.Operation{Name: "odd", Properties: map[string]any{"displayName": "Odd", "method": "PURGE", "urlTemplate": "/odd"}})
	for format, file := range map[string]string{"openapi": "openapi.yaml", "openapi+json": "openapi.json", "swagger": "swagger.json"} {
		data, mediaType, ok, err := a.Write(format)
		if err != nil || !ok || mediaType == "" {
			t.Fatal(err, ok, mediaType)
		}
		path := filepath.Join("testdata", file)
		want, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(data)); d != "" {
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				continue
			}
			t.Errorf("%s (-want +got):\n%s", path, d)
		}
	}
	if _, _, ok, _ := a.Write("wadl"); ok {
		t.Error("wadl is written")
	}
}
