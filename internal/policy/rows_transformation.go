package policy

// transformationRows are statements that change the message or keep values.
func transformationRows() []Row {
	rows := []Row{
		{
			Element: Element{
				Name: "set-header",
				Attrs: []Attr{
					{Name: "name", Type: String, Required: true, Expression: true, Token: true},
					existsAction(),
				},
				Children: []Child{many(0, leaf("value", &Text{Type: String, Expression: true}))},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/set-header",
		},
		{
			Element: Element{
				Name: "set-query-parameter",
				Attrs: []Attr{
					{Name: "name", Type: String, Required: true, Expression: true},
					existsAction(),
				},
				Children: []Child{many(0, leaf("value", &Text{Type: String, Expression: true}))},
				rule:     valueUnlessDeleted,
			},
			Sections: []Section{Inbound, Backend}, Scopes: anyScope, Built: true, Proof: "TestStatements/set-query-parameter",
		},
		{
			Element: Element{
				Name: "set-body",
				Attrs: []Attr{
					{Name: "template", Type: String, Default: "none", Enum: []string{"none", "liquid"}, NotBuilt: []string{"liquid"}},
					{Name: "xsi-nil", Type: String, Default: "blank", Enum: []string{"blank", "null"}, NotBuilt: []string{"*"}},
					{Name: "parse-date", Type: Bool, Default: "true", NotBuilt: []string{"*"}},
					{Name: "html-decode-expression", Type: Bool, Default: "false", NotBuilt: []string{"*"}},
				},
				Text: &Text{Type: Any, Expression: true},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/set-body",
		},
		{
			Element:  Element{Name: "set-method", Text: &Text{Type: String, Required: true, Expression: true, Token: true}},
			Sections: []Section{Inbound, Backend, OnError}, Scopes: anyScope, Built: true, Proof: "TestStatements/set-method",
		},
		{
			Element: Element{
				Name: "set-status",
				Attrs: []Attr{
					{Name: "code", Type: Int, Required: true, Expression: true, Range: &Range{200, 999}}, // below ends no request
					{Name: "reason", Type: String, Expression: true},
				},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/set-status",
		},
		{
			Element: Element{
				Name: "set-variable",
				Attrs: []Attr{
					{Name: "name", Type: String, Required: true},
					{Name: "value", Type: Any, Required: true, Expression: true},
				},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/set-variable",
		},
		{
			Element: Element{
				Name: "rewrite-uri",
				Attrs: []Attr{
					{Name: "template", Type: String, Required: true, Expression: true},
					// The published schema says false; documentation and behaviour say true.
					{Name: "copy-unmatched-params", Type: Bool, Default: "true"},
				},
				rule: knownPlaceholders,
			},
			Sections: []Section{Inbound}, Scopes: anyScope, Built: true, Proof: "TestStatements/rewrite-uri",
		},
	}
	return append(rows, conversionRows()...)
}

func existsAction() Attr {
	return Attr{
		Name: "exists-action", Type: String, Default: "override", Expression: true,
		Enum: []string{"override", "skip", "append", "delete"},
	}
}

// valueUnlessDeleted demands a value where one is going to be set.
func valueUnlessDeleted(c *checker, s *Statement) {
	action := s.find("exists-action")
	if s.Child("value") != nil || action != nil && (action.Expr != nil || action.Value == "delete") {
		return
	}
	c.at(s, s.Position, incomplete(s.Name, []string{"value"}))
}

// knownPlaceholders compares {name} in a literal template with what the API operation matches.
func knownPlaceholders(c *checker, s *Statement) {
	a := s.find("template")
	if c.opt.Parameter == nil || a == nil || a.Expr != nil {
		return
	}
	for _, name := range placeholders(a.Value) {
		if !c.opt.Parameter(name) {
			c.at(s, a.ValuePos, "The template refers to parameter '"+name+"', which the URL template of the operation does not have.")
		}
	}
}
