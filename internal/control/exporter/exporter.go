// Package exporter writes the description of an API as others read it: OpenAPI 3.0 in JSON or YAML, and Swagger 2.0 in
// JSON. What package importer makes of such a document, the document says again.
//
// Start reading at API.Write.
package exporter

import (
	"slices"
	"strings"
)

// An API is what there is to describe.
type API struct {
	Title, Description, Version string
	TermsOfService              string
	Contact, License            map[string]any // as the management API has them
	Servers                     []string       // absolute URLs
	// KeyHeader and KeyQuery carry a subscription key; KeyRequired says that requests need one.
	KeyHeader, KeyQuery string
	KeyRequired         bool
	Operations          []Operation
	Schemas             []Schema
}

// Media types of the formats.
const (
	openAPIYAML = "application/vnd.oai.openapi"
	openAPIJSON = "application/vnd.oai.openapi+json"
	swaggerJSON = "application/vnd.swagger.doc+json"
)

// Write describes the API in a format of the management API: openapi, openapi+json or swagger. ok is false for others.
func (a API) Write(format string) (data []byte, mediaType string, ok bool, err error) {
	switch format {
	case "openapi":
		data, err = a.openAPI().YAML()
		return data, openAPIYAML, true, err
	case "openapi+json":
		data, err = a.openAPI().JSON()
		return data, openAPIJSON, true, err
	case "swagger":
		data, err = a.swagger().JSON()
		return data, swaggerJSON, true, err
	}
	return nil, "", false, nil
}

// An Operation is one API operation. Properties has the shape that the management API gives it.
type Operation struct {
	Name       string
	Properties map[string]any
}

// methods are those that a description can name.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// each calls f for every method that an API operation answers to, with the id that it has then. The method "*" is
// described as every method there is a word for, other words of no description are left out.
func (o Operation) each(known []string, f func(method, id string)) {
	method := strings.ToLower(text(o.Properties, "method"))
	if method == "*" {
		for _, m := range known {
			f(m, o.Name+"-"+m)
		}
		return
	}
	if slices.Contains(known, method) {
		f(method, o.Name)
	}
}

// path is the path of an API operation's template, without its query.
func (o Operation) path() string {
	p, _, _ := strings.Cut(text(o.Properties, "urlTemplate"), "?")
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return p
}

// A parameter is one of an API operation, wherever it stands.
type parameter struct {
	in string
	of map[string]any
}

// parameters are those of the template, the query and the headers, each once by place and name.
func (o Operation) parameters() []parameter {
	path, query, _ := strings.Cut(text(o.Properties, "urlTemplate"), "?")
	var out []parameter
	seen := map[[2]string]bool{}
	add := func(in string, of map[string]any) {
		key := [2]string{in, strings.ToLower(text(of, "name"))}
		if !seen[key] && key[1] != "" {
			seen[key] = true
			out = append(out, parameter{in, of})
		}
	}
	for _, p := range objects(o.Properties["templateParameters"]) {
		name := text(p, "name")
		switch {
		case strings.Contains(path, "{"+name+"}") || strings.Contains(path, "{*"+name+"}"):
			add("path", with(p, "required", true))
		default: // its key in the query may differ from its name
			if key := queryKey(query, name); key != "" {
				add("query", with(with(p, "required", true), "name", key))
			}
		}
	}
	request := object(o.Properties["request"])
	for _, p := range objects(request["queryParameters"]) {
		add("query", p)
	}
	for _, p := range objects(request["headers"]) {
		add("header", p)
	}
	return out
}

func queryKey(query, name string) string {
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(pair, "="); value == "{"+name+"}" {
			return key
		}
	}
	return ""
}

// paths groups API operations by path, in the order of the list.
func (a API) paths(known []string, describe func(o Operation, id string) doc) doc {
	var order []string
	byPath := map[string]doc{}
	for _, o := range a.Operations {
		p := strings.ReplaceAll(o.path(), "{*", "{")
		o.each(known, func(method, id string) {
			if _, ok := byPath[p]; !ok {
				order = append(order, p)
			}
			if !byPath[p].has(method) {
				byPath[p] = append(byPath[p], field{method, describe(o, id)})
			}
		})
	}
	out := doc{}
	for _, p := range order {
		out = append(out, field{p, byPath[p]})
	}
	return out
}

func (a API) info() doc {
	d := doc{{"title", a.Title}}
	d.set("description", a.Description)
	d.set("termsOfService", a.TermsOfService)
	d.set("contact", ordered(a.Contact, "name", "url", "email"))
	if text(a.License, "name") != "" {
		d.set("license", ordered(a.License, "name", "url"))
	}
	version := a.Version
	if version == "" {
		version = "1.0"
	}
	d.set("version", version)
	return d
}

// security lists the ways to send a key; an empty one says that none is needed.
func (a API) security() []any {
	var out []any
	if !a.KeyRequired {
		out = append(out, doc{})
	}
	return append(out, doc{{"apiKeyHeader", []any{}}}, doc{{"apiKeyQuery", []any{}}})
}

func (a API) keys() doc {
	key := func(in, name string) doc { return doc{{"type", "apiKey"}, {"name", name}, {"in", in}} }
	return doc{{"apiKeyHeader", key("header", a.KeyHeader)}, {"apiKeyQuery", key("query", a.KeyQuery)}}
}
