package policy

// validationRows compare messages with the API's schema.
func validationRows() []Row {
	parameter := &Element{Name: "parameter", Attrs: []Attr{
		{Name: "name", Type: String, Required: true}, action("action"),
	}}
	parameters := func(name string, unspecified bool) *Element {
		e := &Element{Name: name, Attrs: []Attr{action("specified-parameter-action")}, Children: []Child{many(0, parameter)}}
		if unspecified {
			e.Attrs = append(e.Attrs, action("unspecified-parameter-action"))
		}
		return e
	}
	errors := Attr{Name: "errors-variable-name", Type: String}
	return []Row{
		{
			Element: Element{
				Name: "validate-content",
				Attrs: []Attr{
					action("unspecified-content-type-action"),
					{Name: "max-size", Type: Int, Required: true, Expression: true, Range: positive}, // bytes
					action("size-exceeded-action"), errors,
				},
				Children: []Child{one(0, contentTypeMap()), many(0, content())},
			},
			Sections: []Section{Inbound, Outbound, OnError}, Scopes: anyScope, Once: true,
		},
		{
			Element: Element{
				Name:  "validate-parameters",
				Attrs: []Attr{action("specified-parameter-action"), action("unspecified-parameter-action"), errors},
				Children: []Child{
					one(0, parameters("headers", true)), one(0, parameters("query", true)), one(0, parameters("path", false)),
				},
			},
			Sections: []Section{Inbound}, Scopes: anyScope, Once: true,
		},
		{
			Element: Element{
				Name:  "validate-headers",
				Attrs: []Attr{action("specified-header-action"), action("unspecified-header-action"), errors},
				Children: []Child{many(0, &Element{Name: "header", Attrs: []Attr{
					{Name: "name", Type: String, Required: true}, action("action"),
				}})},
			},
			Sections: []Section{Outbound, OnError}, Scopes: anyScope, Once: true,
		},
		{
			Element: Element{
				Name:  "validate-status-code",
				Attrs: []Attr{action("unspecified-status-code-action"), errors},
				Children: []Child{many(0, &Element{Name: "status-code", Attrs: []Attr{
					{Name: "code", Type: Int, Required: true, Range: &Range{100, 999}}, action("action"),
				}})},
			},
			Sections: []Section{Outbound, OnError}, Scopes: anyScope, Once: true,
		},
		validateGraphQL(),
		{
			Element: Element{
				Name: "validate-odata-request",
				Attrs: []Attr{
					{Name: "error-variable-name", Type: String},
					{Name: "default-odata-version", Type: String, Default: "4.0"},
					{Name: "min-odata-version", Type: String},
					{Name: "max-odata-version", Type: String},
					{Name: "max-size", Type: Int, Range: positive},
				},
			},
			Sections: []Section{Inbound}, Scopes: []Scope{Global, Workspace, Product, API}, Once: true,
		},
	}
}

// action is what to do about a finding: skip, block, or only log.
func action(name string) Attr {
	return Attr{Name: name, Type: String, Required: true, Expression: true, Enum: []string{"ignore", "prevent", "detect"}}
}

func contentTypeMap() *Element {
	return &Element{
		Name: "content-type-map",
		Attrs: []Attr{
			{Name: "any-content-type-value", Type: String},
			{Name: "missing-content-type-value", Type: String},
		},
		Children: []Child{many(0, &Element{
			Name: "type",
			Attrs: []Attr{
				{Name: "from", Type: String},
				{Name: "when", Type: Bool, Expression: true},
				{Name: "to", Type: String, Required: true},
			},
			Groups: []Group{{Attrs: []string{"from", "when"}, Min: 1, Max: 1}},
		})},
	}
}

func content() *Element {
	return &Element{Name: "content", Attrs: []Attr{
		{Name: "type", Type: String},
		{Name: "validate-as", Type: String, Required: true, Enum: []string{"json", "xml", "soap"}},
		action("action"),
		{Name: "schema-id", Type: String},
		{Name: "schema-ref", Type: String},
		{Name: "allow-additional-properties", Type: Bool},
		{Name: "case-insensitive-property-names", Type: Bool},
	}}
}

func validateGraphQL() Row {
	rule := &Element{Name: "rule", Attrs: []Attr{
		{Name: "path", Type: String, Required: true},
		{Name: "action", Type: String, Default: "allow", Expression: true, Enum: []string{"allow", "remove", "reject", "ignore"}},
	}}
	authorize := &Element{Name: "authorize", Children: []Child{{Name: "rule", Min: 1, Max: 100, Element: rule}}}
	return Row{
		Element: Element{
			Name: "validate-graphql-request",
			Attrs: []Attr{
				{Name: "error-variable-name", Type: String},
				{Name: "max-size", Type: Int, Required: true, Range: &Range{1, 102400}}, // bytes
				{Name: "max-depth", Type: Int, Default: "6", Range: positive},
				{Name: "max-total-depth", Type: Int, Range: positive},
				{Name: "max-complexity", Type: Int, Range: positive},
			},
			Children: []Child{one(0, authorize)},
		},
		Sections: []Section{Inbound}, Scopes: []Scope{Global, Workspace, Product, API},
	}
}
