package importer

// A parameter is a declared parameter with its contract in the management API's shape.
type parameter struct {
	in, name string
	required bool
	node     *node // where it is declared
	contract map[string]any
}

// parameters are those of an API operation: its own, and those of its path that it does not replace.
func (r *reader) parameters(where string, item, op *node) []parameter {
	own := r.declared(where, op)
	replaced := map[[2]string]bool{}
	for _, p := range own {
		replaced[[2]string{p.in, p.name}] = true
	}
	var out []parameter
	for _, p := range r.declared(where, item) {
		if !replaced[[2]string{p.in, p.name}] {
			out = append(out, p)
		}
	}
	return append(out, own...)
}

func (r *reader) declared(where string, holder *node) []parameter {
	list := holder.get("parameters")
	if list != nil && list.kind != listKind && list.kind != nullKind {
		r.report(list, nil, "%s: 'parameters' must be a list and is %v", where, list.kind)
	}
	var out []parameter
	seen := map[[2]string]bool{}
	for _, ref := range list.list() {
		n := r.resolve(ref)
		if n == nil || !r.spend(1) {
			continue
		}
		p := parameter{in: n.get("in").str(), name: n.get("name").str(), required: n.get("required").isTrue(), node: ref}
		key := [2]string{p.in, p.name}
		switch {
		case p.name == "":
			r.report(ref, nil, "%s: a parameter has no name", where)
			continue
		case !r.knownPlace(p.in):
			r.report(ref, nil, "%s: the parameter '%s' is in '%s', which is no place for parameters", where, p.name, p.in)
			continue
		case seen[key]:
			r.report(ref, nil, "%s: the parameter '%s' is there twice", where, p.name)
			continue
		}
		seen[key] = true
		p.contract = r.contract(p.name, p.required, n, r.parameterSchema(n))
		out = append(out, p)
	}
	return out
}

func (r *reader) knownPlace(in string) bool {
	switch in {
	case "path", "query", "header":
		return true
	case "body", "formData":
		return r.swagger
	case "cookie":
		return !r.swagger
	}
	return false
}

// parameterSchema is where type, default and enum of a parameter stand: in Swagger the parameter itself.
func (r *reader) parameterSchema(n *node) *node {
	if r.swagger {
		return n
	}
	if s := n.get("schema"); s != nil {
		return r.resolve(s)
	}
	for _, c := range n.get("content").object() { // exactly one, says the specification
		return r.resolve(c.value.get("schema"))
	}
	return nil
}

// contract is a ParameterContract. Enumerations and defaults are strings there, whatever they are in the schema.
func (r *reader) contract(name string, required bool, n, schema *node) map[string]any {
	c := map[string]any{"name": name, "type": schemaType(schema), "required": required, "values": []any{}}
	if d := n.get("description").str(); d != "" {
		c["description"] = d
	}
	if schema == nil {
		return c
	}
	if d := schema.get("default"); d != nil && d.kind != nullKind && r.spend(d.size) {
		c["defaultValue"] = d.flat()
	}
	if enum := schema.get("enum"); enum != nil && r.spend(enum.size) {
		values := make([]any, 0, len(enum.list()))
		for _, v := range enum.list() {
			values = append(values, v.flat())
		}
		c["values"] = values
	}
	return c
}

// schemaType is the type of a schema in one word; "string" where the schema does not say, as every value of a
// request is one.
func schemaType(schema *node) string {
	t := schema.get("type")
	if s := t.str(); s != "" {
		return s
	}
	for _, item := range t.list() { // OpenAPI 3.1: ["string", "null"]
		if s := item.str(); s != "" && s != "null" {
			return s
		}
	}
	return "string"
}
