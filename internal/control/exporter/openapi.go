package exporter

import (
	"fmt"
	"slices"
	"strings"
)

// openAPI describes the API in OpenAPI 3.0.
func (a API) openAPI() doc {
	d := doc{{"openapi", "3.0.1"}, {"info", a.info()}}
	var servers []any
	for _, s := range a.Servers {
		servers = append(servers, doc{{"url", s}})
	}
	d.set("servers", servers)
	d = append(d, field{"paths", a.paths(methods, a.openAPIOperation)})
	components := doc{}
	components.set("schemas", a.types(openAPITypes))
	d.set("components", append(components, field{"securitySchemes", a.keys()}))
	d.set("security", a.security())
	return d
}

// openAPITypes is where OpenAPI 3 keeps named schemas.
const openAPITypes = "#/components/schemas/"

func (a API) openAPIOperation(o Operation, id string) doc {
	d := doc{}
	d.set("summary", text(o.Properties, "displayName"))
	d.set("description", text(o.Properties, "description"))
	d.set("operationId", id)
	var params []any
	for _, p := range o.parameters() {
		x := doc{{"name", p.of["name"]}, {"in", p.in}}
		x.set("description", text(p.of, "description"))
		if p.of["required"] == true {
			x.set("required", true)
		}
		x.set("schema", schema(p.of))
		params = append(params, x)
	}
	d.set("parameters", params)
	request := object(o.Properties["request"])
	if content := a.content(request["representations"]); len(content) > 0 {
		body := doc{}
		body.set("description", text(request, "description"))
		d.set("requestBody", append(body, field{"content", content}))
	}
	responses := doc{}
	for _, r := range objects(o.Properties["responses"]) {
		x := doc{{"description", text(r, "description")}} // required, even when it says nothing
		var headers doc
		for _, h := range objects(r["headers"]) {
			y := doc{}
			y.set("description", text(h, "description"))
			if h["required"] == true {
				y.set("required", true)
			}
			y.set("schema", schema(h))
			headers.set(text(h, "name"), y)
		}
		x.set("headers", headers)
		x.set("content", a.content(r["representations"]))
		if code := fmt.Sprint(r["statusCode"]); !responses.has(code) {
			responses = append(responses, field{code, x})
		}
	}
	if len(responses) == 0 {
		responses = doc{{"200", doc{{"description", ""}}}}
	}
	return append(d, field{"responses", responses})
}

// schemaTypes are the words for a type that a schema knows.
var schemaTypes = []string{"string", "number", "integer", "boolean", "array", "object"}

// schema describes the values of a parameter. Enumerations and defaults are kept as text and said as what the type is.
func schema(p map[string]any) doc {
	kind := strings.ToLower(text(p, "type"))
	d := doc{}
	if values, _ := p["values"].([]any); len(values) > 0 {
		typed := make([]any, len(values))
		for i, v := range values {
			typed[i] = value(kind, v)
		}
		d.set("enum", typed)
	}
	switch {
	case slices.Contains(schemaTypes, kind):
		d.set("type", kind)
		if kind == "array" {
			d = append(d, field{"items", doc{}})
		}
	case kind == "file":
		d.set("type", "string")
		d.set("format", "binary")
	default:
		d.set("type", "string")
	}
	if s, ok := p["defaultValue"].(string); ok && s != "" {
		d.set("default", value(kind, s))
	}
	return d
}

// content describes representations by media type.
func (a API) content(representations any) doc {
	d := doc{}
	for _, r := range objects(representations) {
		kind := text(r, "contentType")
		if kind == "" || d.has(kind) {
			continue
		}
		media := doc{}
		if form := objects(r["formParameters"]); len(form) > 0 {
			media.set("schema", formSchema(form))
		} else if name, ok := a.typeOf(r); ok {
			media.set("schema", reference(openAPITypes, name))
		}
		media.set("examples", examples(r))
		d = append(d, field{kind, media})
	}
	return d
}

func formSchema(form []map[string]any) doc {
	var properties doc
	var required []any
	for _, p := range form {
		if p["required"] == true {
			required = append(required, p["name"])
		}
		s := schema(p)
		s.set("description", text(p, "description"))
		properties.set(text(p, "name"), s)
	}
	d := doc{}
	d.set("required", required)
	d.set("type", "object")
	d.set("properties", properties)
	return d
}

// examples are the named examples of a representation; the sample of old api-versions is called default.
func examples(r map[string]any) doc {
	var d doc
	all := object(r["examples"])
	for _, name := range sortedNames(all) {
		if e := ordered(object(all[name]), "summary", "description", "value", "externalValue"); len(e) > 0 {
			d = append(d, field{name, e})
		}
	}
	if s := text(r, "sample"); s != "" && len(d) == 0 {
		d.set("default", doc{{"value", s}})
	}
	return d
}
