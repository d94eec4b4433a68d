package importer

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of the API operation contract.
const (
	maxDisplayName = 300
	maxTemplate    = 1000
)

// methods are the fields of a path item that are API operations.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

var templateToken = regexp.MustCompile(`\{([^{}]*)\}`)

func (r *reader) paths() []Operation {
	paths := r.root.get("paths")
	if paths == nil || paths.kind != objectKind {
		if r.swagger || strings.HasPrefix(r.root.get("openapi").str(), "3.0") {
			r.report(paths, r.root, "'paths' is required")
		}
		return nil
	}
	var out []Operation
	for _, p := range paths.fields {
		if strings.HasPrefix(p.key, "x-") {
			continue
		}
		item := r.resolve(p.value)
		switch {
		case !strings.HasPrefix(p.key, "/"):
			r.report(p.value, nil, "the path '%s' must begin with a slash", p.key)
		case item != nil && item.kind != objectKind && item.kind != nullKind:
			r.report(p.value, nil, "the path '%s' must be an object and is %v", p.key, item.kind)
		}
		for _, f := range item.object() { // in the order of the text
			if !isMethod(f.key) || r.exhausted {
				continue
			}
			if f.value.kind != objectKind {
				r.report(f.value, nil, "'%s %s' must be an object and is %v", f.key, p.key, f.value.kind)
				continue
			}
			if op, ok := r.operation(p.key, f.key, item, f.value); ok {
				out = append(out, op)
			}
		}
	}
	return out
}

func isMethod(key string) bool {
	return slices.Contains(methods, key)
}

func (r *reader) operation(path, method string, item, op *node) (Operation, bool) {
	if !r.spend(1) {
		return Operation{}, false
	}
	where := strings.ToUpper(method) + " " + path
	params := r.parameters(where, item, op)
	template, templateParams := r.template(where, path, params, op)
	if r.templates[foldTemplate(method, template)] {
		r.report(op, nil, "Operation with the same method and URL template already exists: %s, %s", strings.ToUpper(method), template)
	}
	r.templates[foldTemplate(method, template)] = true

	id := op.get("operationId").str()
	props := map[string]any{
		"displayName":        displayName(op, id, method, path),
		"method":             strings.ToUpper(method),
		"urlTemplate":        template,
		"templateParameters": templateParams,
		"request":            r.request(path, method, op, params),
		"responses":          r.responses(path, method, op),
	}
	if d := op.get("description").str(); d != "" {
		props["description"] = d
	}
	return Operation{Name: r.name(op, id, method, path), Properties: props}, true
}

// name is the API operation's resource name: its operationId or, without one, its method and path.
func (r *reader) name(op *node, id, method, path string) string {
	if id == "" {
		return r.names.unique(method + "-" + path)
	}
	folded := strings.ToLower(id)
	if r.ids[folded] {
		r.report(op.get("operationId"), op, "Cannot have multiple operations with the same operationId: %s", id)
	}
	r.ids[folded] = true
	return r.names.unique(id)
}

func displayName(op *node, id, method, path string) string {
	name := strings.TrimSpace(op.get("summary").str())
	if name == "" {
		name = id
	}
	if name == "" {
		name = strings.ToUpper(method[:1]) + method[1:] + " - " + path
	}
	return truncate(name, maxDisplayName)
}

// truncate cuts s to at most n characters.
func truncate(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

// foldTemplate is the form of a method and template in which two API operations must differ: names of parameters in
// the path do not tell requests apart.
func foldTemplate(method, template string) string {
	path, query, _ := strings.Cut(template, "?")
	return method + " " + templateToken.ReplaceAllString(strings.ToLower(path), "{}") + "?" + strings.ToLower(query)
}

// template makes the URL template and its parameters: those of the path in the order of the path, then the required
// ones of the query. Their names must differ over the whole template, whatever their case.
func (r *reader) template(where, path string, params []parameter, op *node) (string, []any) {
	declared := map[string]parameter{}
	for _, p := range params {
		if p.in == "path" {
			declared[strings.ToLower(p.name)] = p
		}
	}
	out, used := []any{}, map[string]bool{}
	for _, m := range templateToken.FindAllStringSubmatch(path, -1) {
		key := strings.ToLower(m[1])
		p, ok := declared[key]
		switch {
		case !ok:
			r.report(op, nil, "%s: the template parameter '%s' is not defined; all template parameters used in the UriTemplate must be defined in the Operation", where, m[1])
		case used[key]:
			r.report(op, nil, "%s: the template parameter '%s' is used twice", where, m[1])
		default:
			p.contract["name"], p.contract["required"] = m[1], true
			out = append(out, p.contract)
		}
		used[key] = true
	}
	for _, p := range params {
		if p.in == "path" && !used[strings.ToLower(p.name)] {
			r.report(p.node, nil, "%s: the path parameter '%s' is not part of the path", where, p.name)
		}
	}
	template := path
	for _, p := range params {
		if !r.inTemplate(p) {
			continue
		}
		if key := strings.ToLower(p.name); used[key] {
			r.report(p.node, nil, "%s: the parameter '%s' is in the path and in the query; names must be unique in a URL template", where, p.name)
		} else {
			used[key] = true
		}
		sep := "?"
		if strings.Contains(template, "?") {
			sep = "&"
		}
		template += sep + p.name + "={" + p.name + "}"
		out = append(out, p.contract)
	}
	if len(template) > maxTemplate {
		r.report(op, nil, "%s: the URL template has more than %d characters", where, maxTemplate)
	}
	return template, out
}

// inTemplate says whether a query parameter belongs to the URL template.
func (r *reader) inTemplate(p parameter) bool {
	return p.in == "query" && p.required && !r.opt.RequiredQueryStaysQuery
}
