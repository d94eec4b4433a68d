package policy

// cachingRows keep and find responses and values.
func cachingRows() []Row {
	key := Attr{Name: "key", Type: String, Required: true, Expression: true}
	seconds := func(name string, required bool) Attr {
		return Attr{Name: name, Type: Int, Required: required, Expression: true, Range: natural}
	}
	return []Row{
		{
			Element: Element{
				Name: "cache-lookup",
				Attrs: []Attr{
					{Name: "vary-by-developer", Type: Bool, Required: true, Expression: true},
					{Name: "vary-by-developer-groups", Type: Bool, Required: true, Expression: true},
					{Name: "downstream-caching-type", Type: String, Default: "none", Expression: true, Enum: []string{"none", "private", "public"}},
					{Name: "must-revalidate", Type: Bool, Default: "true", Expression: true},
					{Name: "allow-private-response-caching", Type: Bool, Default: "false", Expression: true},
					cachingType(),
				},
				Children: []Child{many(0, leaf("vary-by-header", text)), many(0, leaf("vary-by-query-parameter", text))},
			},
			Sections: []Section{Inbound}, Scopes: anyScope, Once: true, Built: true, Proof: "TestStatements/cache-lookup",
		},
		{
			Element: Element{
				Name: "cache-store",
				Attrs: []Attr{
					seconds("duration", true),
					{Name: "cache-response", Type: Bool, Expression: true},
					{Name: "caching-mode", Type: String, NotBuilt: []string{"*"}},
				},
			},
			Sections: []Section{Outbound}, Scopes: anyScope, Once: true, Built: true, Proof: "TestStatements/cache-store",
		},
		{
			Element: Element{
				Name: "cache-lookup-value",
				Attrs: []Attr{
					key,
					{Name: "variable-name", Type: String, Required: true},
					{Name: "default-value", Type: Any, Expression: true},
					cachingType(),
				},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/cache-value",
		},
		{
			Element: Element{
				Name: "cache-store-value",
				Attrs: []Attr{
					key,
					{Name: "value", Type: Any, Required: true, Expression: true},
					seconds("duration", true),
					cachingType(),
				},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/cache-value",
		},
		{
			Element:  Element{Name: "cache-remove-value", Attrs: []Attr{key, cachingType()}},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/cache-value",
		},
		{
			// Known from the public toolkit only.
			Element: Element{
				Name: "cache-value",
				Attrs: []Attr{
					key,
					{Name: "variable-name", Type: String, Required: true},
					seconds("expires-after", false),
					seconds("refresh-after", false),
					{Name: "default-value", Type: Any, Expression: true},
					cachingType(),
				},
				Children: []Child{one(1, &Element{Name: "value", Body: true})},
			},
			Sections: everywhere, Scopes: anyScope,
		},
		semanticLookup("azure-openai-semantic-cache-lookup"), semanticStore("azure-openai-semantic-cache-store"),
		semanticLookup("llm-semantic-cache-lookup"), semanticStore("llm-semantic-cache-store"),
	}
}

func cachingType() Attr {
	return Attr{Name: "caching-type", Type: String, Default: "prefer-external", Enum: []string{"prefer-external", "external", "internal"}, NotBuilt: []string{"external"}}
}

func semanticLookup(name string) Row {
	return Row{
		Element: Element{
			Name: name,
			Attrs: []Attr{
				{Name: "score-threshold", Type: Double, Required: true, Range: &Range{0, 1}},
				{Name: "embeddings-backend-id", Type: String, Required: true},
				{Name: "embeddings-backend-auth", Type: String, Default: "system-assigned", Enum: []string{"system-assigned", "header"}},
				{Name: "ignore-system-messages", Type: Bool, Default: "false"},
				{Name: "max-message-count", Type: Int, Range: natural},
				{Name: "cache-id", Type: String},
			},
			Children: []Child{many(0, leaf("vary-by", text))},
		},
		Sections: []Section{Inbound}, Scopes: noWorkspace, Once: true,
	}
}

func semanticStore(name string) Row {
	return Row{
		Element: Element{
			Name:  name,
			Attrs: []Attr{{Name: "duration", Type: Int, Required: true, Expression: true, Range: natural}},
		},
		Sections: []Section{Outbound}, Scopes: noWorkspace, Once: true,
	}
}
