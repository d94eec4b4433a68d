package importer

import (
	"strconv"
	"strings"
)

// request is a RequestContract. GET, HEAD and OPTIONS have no body, whatever the description says.
func (r *reader) request(path, method string, op *node, params []parameter) map[string]any {
	query, headers := []any{}, []any{}
	for _, p := range params {
		switch {
		case p.in == "query" && !r.inTemplate(p):
			query = append(query, p.contract)
		case p.in == "header" && (r.swagger || !describedElsewhere(p.name)):
			headers = append(headers, p.contract)
		}
	}
	req := map[string]any{"queryParameters": query, "headers": headers, "representations": []any{}}
	if method == "get" || method == "head" || method == "options" {
		return req
	}
	description := ""
	if r.swagger {
		req["representations"], description = r.swaggerBody(path, method, op, params)
	} else if body := r.resolve(op.get("requestBody")); body != nil {
		req["representations"], description = r.content(body.get("content"), path, method, "request"), body.get("description").str()
	}
	if description != "" {
		req["description"] = description
	}
	return req
}

// describedElsewhere lists the headers that OpenAPI 3 takes from content, responses and security instead.
func describedElsewhere(header string) bool {
	return strings.EqualFold(header, "Accept") || strings.EqualFold(header, "Content-Type") || strings.EqualFold(header, "Authorization")
}

// content maps media types to representations. The words name types that have no name in the description.
func (r *reader) content(content *node, words ...string) []any {
	out := []any{}
	for _, c := range content.object() {
		if !r.spend(1) {
			break
		}
		rep := map[string]any{"contentType": c.key}
		if isForm(c.key) {
			rep["formParameters"] = r.formParameters(r.resolve(c.value.get("schema")))
		} else {
			r.typed(rep, c.value.get("schema"), words...)
		}
		if e := r.examples(c.value); len(e) > 0 {
			rep["examples"] = e
		}
		out = append(out, rep)
	}
	return out
}

func isForm(contentType string) bool {
	return contentType == "application/x-www-form-urlencoded" || contentType == "multipart/form-data"
}

func (r *reader) formParameters(schema *node) []any {
	required := map[string]bool{}
	if list := schema.get("required"); list != nil && r.spend(list.size) {
		for _, name := range list.list() {
			required[name.str()] = true
		}
	}
	out := []any{}
	for _, f := range schema.get("properties").object() {
		if s := r.resolve(f.value); s != nil && r.spend(1) {
			out = append(out, r.contract(f.key, required[f.key], s, s))
		}
	}
	return out
}

// examples are the named examples of a media type; a single one is called default.
func (r *reader) examples(media *node) map[string]any {
	out := map[string]any{}
	if e := media.get("example"); e != nil && r.spend(e.size) {
		out["default"] = map[string]any{"value": e.value()}
	}
	for _, f := range media.get("examples").object() {
		e := r.resolve(f.value)
		v := e.get("value")
		if v == nil || !r.spend(v.size) {
			continue
		}
		example := map[string]any{"value": v.value()}
		for _, key := range []string{"summary", "description"} {
			if s := e.get(key).str(); s != "" {
				example[key] = s
			}
		}
		out[f.key] = example
	}
	return out
}

// swaggerBody makes the same of body and formData parameters as content makes of a request body.
func (r *reader) swaggerBody(path, method string, op *node, params []parameter) (reps []any, description string) {
	var body *node
	form, upload := []any{}, false
	for _, p := range params {
		switch p.in {
		case "body":
			body = r.resolve(p.node)
			description = body.get("description").str()
		case "formData":
			form = append(form, p.contract)
			upload = upload || p.contract["type"] == "file"
		}
	}
	reps = []any{}
	switch {
	case body != nil:
		for _, m := range r.mediaTypes(op, "consumes", "application/json") {
			rep := map[string]any{"contentType": m}
			r.typed(rep, body.get("schema"), path, method, "request")
			reps = append(reps, rep)
		}
	case len(form) > 0:
		fallback := "application/x-www-form-urlencoded"
		if upload {
			fallback = "multipart/form-data"
		}
		for _, m := range r.mediaTypes(op, "consumes", fallback) {
			if isForm(m) && r.spend(len(form)) {
				reps = append(reps, map[string]any{"contentType": m, "formParameters": form})
			}
		}
		if len(reps) == 0 { // consumes names no form, so the parameters say more
			reps = append(reps, map[string]any{"contentType": fallback, "formParameters": form})
		}
	}
	return reps, description
}

// mediaTypes are those of an API operation, else of the document, else the fallback.
func (r *reader) mediaTypes(op *node, key, fallback string) []string {
	list := op.get(key)
	if list == nil {
		list = r.root.get(key)
	}
	var out []string
	for _, m := range list.list() {
		if s := m.str(); s != "" && r.spend(1) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return []string{fallback}
	}
	return out
}

// responses are ResponseContracts in the order of the text. A contract has one status code, so a range stands for its
// first code unless that is described itself; "default" is a 200 when nothing else is described and is left out
// otherwise (inferred).
func (r *reader) responses(path, method string, op *node) []any {
	all := op.get("responses")
	out, have := []any{}, map[int]bool{}
	for _, f := range all.object() {
		if code, err := strconv.Atoi(f.key); err == nil {
			have[code] = true
		}
	}
	for _, f := range all.object() {
		code, ok := statusCode(f.key, len(all.object()) == 1)
		if !ok || strings.HasSuffix(f.key, "XX") && have[code] {
			continue
		}
		res := r.resolve(f.value)
		if res != nil && res.kind != objectKind && res.kind != nullKind {
			r.report(f.value, nil, "the response '%s' must be an object and is %v", f.key, res.kind)
			continue
		}
		if res != nil && r.spend(1) {
			out = append(out, r.response(op, code, res, path, method, strconv.Itoa(code)))
		}
	}
	return out
}

func statusCode(key string, alone bool) (int, bool) {
	if key == "default" {
		return 200, alone
	}
	if len(key) == 3 && strings.HasSuffix(strings.ToUpper(key), "XX") {
		key = key[:1] + "00"
	}
	code, err := strconv.Atoi(key)
	return code, err == nil && code >= 100 && code <= 599
}

func (r *reader) response(op *node, code int, res *node, words ...string) map[string]any {
	out := map[string]any{"statusCode": code, "headers": r.responseHeaders(res)}
	if d := res.get("description").str(); d != "" {
		out["description"] = d
	}
	if r.swagger {
		out["representations"] = r.swaggerResponse(op, res, words)
	} else {
		out["representations"] = r.content(res.get("content"), append(words, "response")...)
	}
	return out
}

func (r *reader) responseHeaders(res *node) []any {
	out := []any{}
	for _, f := range res.get("headers").object() {
		if h := r.resolve(f.value); h != nil && r.spend(1) {
			out = append(out, r.contract(f.key, h.get("required").isTrue(), h, r.parameterSchema(h)))
		}
	}
	return out
}

func (r *reader) swaggerResponse(op, res *node, words []string) []any {
	out := []any{}
	examples := res.get("examples")
	if res.get("schema") == nil && examples == nil {
		return out
	}
	for _, m := range r.mediaTypes(op, "produces", "application/json") {
		rep := map[string]any{"contentType": m}
		if e := examples.get(m); e != nil && r.spend(e.size) {
			rep["examples"] = map[string]any{"default": map[string]any{"value": e.value()}}
		}
		r.typed(rep, res.get("schema"), append(words, "response")...)
		out = append(out, rep)
	}
	return out
}
