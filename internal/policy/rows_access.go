package policy

// accessRows limit who may call and how often.
func accessRows() []Row {
	return []Row{rateLimit()}
}

func rateLimit() Row {
	operation := &Element{Name: "operation", Attrs: limitAttrs(true), Groups: nameOrID()}
	api := &Element{Name: "api", Attrs: limitAttrs(true), Groups: nameOrID(), Children: []Child{many(0, operation)}}
	return Row{
		Element: Element{
			Name: "rate-limit", Attrs: limitAttrs(false),
			Children: []Child{many(0, api), many(0, operation)},
		},
		Sections: []Section{Inbound}, Scopes: []Scope{Workspace, Product, API, Operation},
		Once: true, Built: true, Proof: "TestRateLimit",
	}
}

// limitAttrs are those of rate-limit and, with name and id, of its api and operation elements.
func limitAttrs(nested bool) []Attr {
	attrs := []Attr{
		{Name: "calls", Type: Int, Required: true, Range: positive},
		{Name: "renewal-period", Type: Int, Required: true, Range: &Range{1, 300}},
	}
	attrs = append(attrs, limitNames()...)
	if nested {
		attrs = append([]Attr{{Name: "name", Type: String}, {Name: "id", Type: String}}, attrs...)
	}
	return attrs
}

// limitNames are the headers and variables that tell a caller about a limit.
func limitNames() []Attr {
	return []Attr{
		{Name: "retry-after-header-name", Type: String, Default: "Retry-After"},
		{Name: "retry-after-variable-name", Type: String},
		{Name: "remaining-calls-header-name", Type: String},
		{Name: "remaining-calls-variable-name", Type: String},
		{Name: "total-calls-header-name", Type: String},
	}
}

// nameOrID wants either; when both are given the id wins.
func nameOrID() []Group { return []Group{{Attrs: []string{"name", "id"}, Min: 1}} }
