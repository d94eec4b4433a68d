package policy

import "slices"

// controlRows decide which statements run.
func controlRows() []Row {
	when := &Element{
		Name: "when", Body: true,
		Attrs: []Attr{{Name: "condition", Type: Bool, Required: true, Expression: true}},
	}
	return []Row{
		{
			Element: Element{
				Name: "choose", Order: Sequence,
				Children: []Child{many(1, when), one(0, &Element{Name: "otherwise", Body: true})},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/choose",
		},
		{
			Element: Element{
				Name: "retry", Body: true,
				Attrs: []Attr{
					{Name: "condition", Type: Bool, Required: true, Expression: true},
					{Name: "count", Type: Int, Required: true, Expression: true, Range: &Range{1, 50}},
					{Name: "interval", Type: Int, Required: true, Expression: true, Range: natural}, // seconds
					{Name: "max-interval", Type: Int, Expression: true, Range: natural},
					{Name: "delta", Type: Int, Expression: true, Range: natural},
					{Name: "first-fast-retry", Type: Bool, Default: "false", Expression: true},
				},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/retry",
		},
		{
			Element: Element{
				Name:  "wait",
				Attrs: []Attr{{Name: "for", Type: String, Default: "all", Expression: true, Enum: []string{"all", "any"}}},
				Children: []Child{
					statement("send-request", 0), statement("cache-lookup-value", 0), statement("choose", 0),
					statement("forward-request", 0), statement("cache-store-value", 0),
					statement("authentication-managed-identity", 0), statement("authentication-token", 0),
				},
			},
			Sections: []Section{Inbound, Backend, Outbound}, Scopes: anyScope, Built: true, Proof: "TestStatements/wait",
		},
		{
			Element: Element{
				Name:  "include-fragment",
				Attrs: []Attr{{Name: "fragment-id", Type: String, Required: true}},
				rule:  knownFragment,
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/include-fragment",
		},
		{
			Element: Element{
				Name:  "return-response",
				Attrs: []Attr{{Name: "response-variable-name", Type: String}},
				Order: Sequence,
				Children: []Child{
					statement("set-status", 1), statement("set-header", 0), statement("set-body", 1),
				},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/return-response",
		},
	}
}

// knownFragment refuses a fragment that does not exist.
func knownFragment(c *checker, s *Statement) {
	if a := s.find("fragment-id"); a != nil && c.opt.FragmentExists != nil && !c.opt.FragmentExists(a.Value) {
		c.at(s, s.Position, "Policy fragment '"+c.shown(a)+"' could not be found.")
	}
}

// Fragments lists the ids of the policy fragments that the document includes, each once, in the order of the text.
func (d *Document) Fragments() []string {
	if d == nil || d.Root == nil {
		return nil
	}
	var ids []string
	var walk func(s *Statement)
	walk = func(s *Statement) {
		if a := s.find("fragment-id"); a != nil && s.Name == "include-fragment" && !slices.Contains(ids, a.Value) {
			ids = append(ids, a.Value)
		}
		for _, c := range s.Children {
			walk(c)
		}
	}
	walk(d.Root)
	return ids
}
