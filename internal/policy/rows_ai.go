package policy

// aiRows guard and meter language models.
func aiRows() []Row {
	category := &Element{Name: "category", Attrs: []Attr{
		{Name: "name", Type: String, Required: true, Enum: []string{"Hate", "SelfHarm", "Sexual", "Violence"}},
		{Name: "threshold", Type: Int, Required: true, Range: &Range{0, 7}},
	}}
	categories := list("categories", 1, category)
	categories.Attrs = []Attr{{
		Name: "output-type", Type: String, Default: "FourSeverityLevels",
		Enum: []string{"FourSeverityLevels", "EightSeverityLevels"},
	}}
	return []Row{
		tokenLimit("azure-openai-token-limit"), tokenLimit("llm-token-limit"),
		{
			Element: Element{
				Name: "llm-content-safety",
				Attrs: []Attr{
					{Name: "backend-id", Type: String, Required: true, Expression: true},
					{Name: "shield-prompt", Type: Bool, Default: "false", Expression: true},
					{Name: "enforce-on-completions", Type: Bool, Default: "false", Expression: true},
					{Name: "window-size", Type: Int, Expression: true, Range: positive},
					{Name: "window-overlap-size", Type: Int, Expression: true, Range: natural},
				},
				Children: []Child{one(0, categories), one(0, list("blocklists", 1, leaf("id", text)))},
			},
			Sections: []Section{Inbound, Outbound}, Scopes: anyScope,
		},
	}
}

func tokenLimit(name string) Row {
	attrs := []Attr{
		{Name: "counter-key", Type: String, Required: true, Expression: true},
		{Name: "tokens-per-minute", Type: Int, Expression: true, Range: positive},
		{Name: "token-quota", Type: Long, Expression: true, Range: &Range{1, 1<<63 - 1}},
		{Name: "token-quota-period", Type: String, Enum: []string{"Hourly", "Daily", "Weekly", "Monthly", "Yearly", "Indefinite"}},
		{Name: "estimate-prompt-tokens", Type: Bool, Required: true, Expression: true},
		{Name: "prompt-type", Type: String, Default: "auto", Enum: []string{"auto", "chat-completion", "completion", "embeddings"}},
		{Name: "ignore-prompt", Type: Bool, Default: "false"},
		{Name: "retry-after-header-name", Type: String, Default: "Retry-After"},
		{Name: "retry-after-variable-name", Type: String},
	}
	for _, what := range []string{"remaining-tokens", "remaining-quota-tokens", "tokens-consumed"} {
		attrs = append(attrs, Attr{Name: what + "-header-name", Type: String}, Attr{Name: what + "-variable-name", Type: String})
	}
	return Row{
		Element: Element{
			Name: name, Attrs: attrs,
			Groups: []Group{{Attrs: []string{"tokens-per-minute", "token-quota"}, Min: 1}},
		},
		Sections: []Section{Inbound}, Scopes: anyScope, NotIn: noConsumption,
	}
}
