package policy

// controlRows decide which statements run.
func controlRows() []Row {
	return []Row{
		{
			Element: Element{
				Name:  "return-response",
				Attrs: []Attr{{Name: "response-variable-name", Type: String, NotBuilt: []string{"*"}}},
				Order: Sequence,
				Children: []Child{
					statement("set-status", 0, 1), statement("set-header", 0, 0), statement("set-body", 0, 1),
				},
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestReturnResponse",
		},
	}
}
