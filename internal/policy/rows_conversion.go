package policy

// conversionRows are statements that rewrite a whole body, or make one up.
func conversionRows() []Row {
	return []Row{
		{
			Element: Element{
				Name: "find-and-replace",
				Attrs: []Attr{
					{Name: "from", Type: String, Required: true, Expression: true},
					{Name: "to", Type: Any, Required: true, Expression: true}, // may be empty
				},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/find-and-replace",
		},
		{
			Element: Element{
				Name: "json-to-xml",
				Attrs: []Attr{
					{Name: "apply", Type: String, Required: true, Expression: true, Enum: []string{"always", "content-type-json"}},
					{Name: "consider-accept-header", Type: Bool, Default: "true", Expression: true},
					{Name: "parse-date", Type: Bool, Default: "true"},
					{Name: "namespace-separator", Type: String, Default: "_", Expression: true},
					{Name: "namespace-prefix", Type: String, Expression: true},
					{Name: "attribute-block-name", Type: String, Expression: true},
					{Name: "attribute-prefix", Type: String},
					{Name: "namespace-block-name", Type: String},
					{Name: "invalid-character-replacement", Type: String},
					{Name: "null-values", Type: String},
					{Name: "trim-values", Type: Bool},
					{Name: "empty-values", Type: String, Enum: []string{"preserve", "as-null"}},
				},
			},
			Sections: []Section{Inbound, Outbound, OnError}, Scopes: anyScope,
		},
		{
			Element: Element{
				Name: "xml-to-json",
				Attrs: []Attr{
					{Name: "kind", Type: String, Required: true, Expression: true, Enum: []string{"javascript-friendly", "direct"}},
					{Name: "apply", Type: String, Required: true, Expression: true, Enum: []string{"always", "content-type-xml"}},
					{Name: "consider-accept-header", Type: Bool, Default: "true", Expression: true},
					{Name: "always-array-child-elements", Type: Bool, Default: "false", Expression: true},
					{Name: "preserve-whitespace-nodes", Type: Bool},
					{Name: "empty-values", Type: String},
					{Name: "trim-values", Type: Bool},
				},
			},
			Sections: []Section{Inbound, Outbound, OnError}, Scopes: anyScope,
		},
		{
			Element:  Element{Name: "redirect-content-urls"},
			Sections: []Section{Inbound, Outbound}, Scopes: anyScope, Once: true,
		},
		{
			Element:  Element{Name: "xsl-transform", Open: true},
			Sections: []Section{Inbound, Outbound, OnError}, Scopes: anyScope,
		},
		{
			Element: Element{
				Name: "mock-response",
				Attrs: []Attr{
					{Name: "status-code", Type: Int, Default: "200", Range: &Range{200, 999}}, // below ends no request
					{Name: "content-type", Type: String},
					{Name: "index", Type: Int, Range: natural},
					{Name: "enabled", Type: Bool},
				},
			},
			Sections: []Section{Inbound, Outbound, OnError}, Scopes: anyScope, Built: true, Proof: "TestStatements/mock-response",
		},
	}
}
