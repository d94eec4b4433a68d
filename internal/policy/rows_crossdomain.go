package policy

// crossDomainRows let pages of other origins call.
func crossDomainRows() []Row {
	methods := list("allowed-methods", 1, leaf("method", text))
	methods.Attrs = []Attr{{Name: "preflight-result-max-age", Type: Int, Expression: true, Range: &Range{-1, maxInt}}} // seconds
	return []Row{
		{
			Element: Element{
				Name: "cors",
				Attrs: []Attr{
					{Name: "allow-credentials", Type: Bool, Default: "false", Expression: true},
					// The attribute table of the documentation says false; its prose and the behaviour say true.
					{Name: "terminate-unmatched-request", Type: Bool, Default: "true", Expression: true},
				},
				Children: []Child{
					one(1, list("allowed-origins", 1, leaf("origin", text))),
					one(0, methods),
					one(0, list("allowed-headers", 1, leaf("header", text))),
					one(0, list("expose-headers", 1, leaf("header", text))),
				},
			},
			Sections: []Section{Inbound}, Scopes: anyScope, Once: true, Built: true, Proof: "TestStatements/cors",
		},
		{
			Element:  Element{Name: "cross-domain", Open: true},
			Sections: []Section{Inbound}, Scopes: []Scope{Global},
		},
		{
			Element: Element{
				Name:  "jsonp",
				Attrs: []Attr{{Name: "callback-parameter-name", Type: String, Required: true, Expression: true}},
			},
			Sections: []Section{Outbound}, Scopes: anyScope, Once: true,
		},
	}
}
