package exporter

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// swagger describes the API in Swagger 2.0. It has no word for the method TRACE.
func (a API) swagger() doc {
	d := doc{{"swagger", "2.0"}, {"info", a.info()}}
	var schemes []any
	for i, s := range a.Servers {
		u, err := url.Parse(s)
		if err != nil {
			continue
		}
		if i == 0 {
			d.set("host", u.Host)
			d.set("basePath", "/"+strings.Trim(u.EscapedPath(), "/"))
		}
		if !slices.Contains(schemes, any(u.Scheme)) {
			schemes = append(schemes, u.Scheme)
		}
	}
	d.set("schemes", schemes)
	d.set("securityDefinitions", a.keys())
	d.set("security", a.security())
	known := slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return m == "trace" })
	d.set("definitions", a.types(swaggerTypes))
	return append(d, field{"paths", a.paths(known, a.swaggerOperation)})
}

// swaggerTypes is where Swagger 2.0 keeps named schemas.
const swaggerTypes = "#/definitions/"

func (a API) swaggerOperation(o Operation, id string) doc {
	d := doc{}
	d.set("summary", text(o.Properties, "displayName"))
	d.set("description", text(o.Properties, "description"))
	d.set("operationId", id)
	request := object(o.Properties["request"])
	d.set("consumes", mediaTypes(request["representations"]))
	var produces []any
	for _, r := range objects(o.Properties["responses"]) {
		for _, m := range mediaTypes(r["representations"]) {
			if !slices.Contains(produces, m) {
				produces = append(produces, m)
			}
		}
	}
	d.set("produces", produces)
	var params []any
	for _, p := range o.parameters() {
		params = append(params, swaggerParameter(p.in, p.of))
	}
	d.set("parameters", append(params, a.swaggerBody(request)...))
	return append(d, field{"responses", a.swaggerResponses(o)})
}

func swaggerParameter(in string, p map[string]any) doc {
	x := doc{{"name", p["name"]}, {"in", in}}
	x.set("description", text(p, "description"))
	if p["required"] == true {
		x.set("required", true)
	}
	if in == "formData" && strings.EqualFold(text(p, "type"), "file") {
		return append(x, field{"type", "file"})
	}
	s := schema(p)
	for i, f := range s {
		if f.name == "type" && f.value == "object" { // only a body can be one
			s[i].value = "string"
		}
		if f.name == "items" {
			s[i].value = doc{{"type", "string"}}
		}
	}
	return append(x, s...)
}

// swaggerBody describes the body of a request: the fields of a form, or one parameter for everything else.
func (a API) swaggerBody(request map[string]any) []any {
	var form []any
	seen, other, schema := map[string]bool{}, false, doc{}
	for _, r := range objects(request["representations"]) {
		fields := objects(r["formParameters"])
		other = other || len(fields) == 0
		if name, ok := a.typeOf(r); ok && len(schema) == 0 {
			schema = reference(swaggerTypes, name)
		}
		for _, p := range fields {
			if name := text(p, "name"); !seen[name] {
				seen[name] = true
				form = append(form, swaggerParameter("formData", p))
			}
		}
	}
	if len(form) > 0 || !other {
		return form
	}
	body := doc{{"name", "body"}, {"in", "body"}}
	body.set("description", text(request, "description"))
	return []any{append(body, field{"schema", schema})}
}

func (a API) swaggerResponses(o Operation) doc {
	responses := doc{}
	for _, r := range objects(o.Properties["responses"]) {
		x := doc{{"description", text(r, "description")}}
		var headers, samples doc
		schema := doc{}
		for _, h := range objects(r["headers"]) {
			y := swaggerParameter("", h)
			headers.set(text(h, "name"), slices.DeleteFunc(y, func(f field) bool { return f.name == "name" || f.name == "in" || f.name == "required" }))
		}
		for _, rep := range objects(r["representations"]) {
			if name, ok := a.typeOf(rep); ok && len(schema) == 0 {
				schema = reference(swaggerTypes, name)
			}
			if e := examples(rep); len(e) > 0 {
				if one, ok := e[0].value.(doc); ok && one.has("value") {
					samples.set(text(rep, "contentType"), one[slices.IndexFunc(one, func(f field) bool { return f.name == "value" })].value)
				}
			}
		}
		if len(mediaTypes(r["representations"])) > 0 {
			x = append(x, field{"schema", schema})
		}
		x.set("headers", headers)
		x.set("examples", samples)
		if code := fmt.Sprint(r["statusCode"]); !responses.has(code) {
			responses = append(responses, field{code, x})
		}
	}
	if len(responses) == 0 {
		return doc{{"200", doc{{"description", ""}}}}
	}
	return responses
}

func mediaTypes(representations any) []any {
	var out []any
	for _, r := range objects(representations) {
		if m := text(r, "contentType"); m != "" && !slices.Contains(out, any(m)) {
			out = append(out, m)
		}
	}
	return out
}

func sortedNames(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// value is a text as a value of a type; as it is where it cannot be one.
func value(kind string, v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	switch kind {
	case "integer":
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
	case "number":
		if f, err := strconv.ParseFloat(s, 64); err == nil && !strings.ContainsAny(s, "nNxX_p") {
			return f
		}
	case "boolean":
		if b, err := strconv.ParseBool(s); err == nil {
			return b
		}
	}
	return s
}
