package policy

// telemetryRows write logs and metrics.
func telemetryRows() []Row {
	return []Row{
		{
			Element: Element{
				Name: "trace",
				Attrs: []Attr{
					{Name: "source", Type: String, Required: true, Expression: true},
					{Name: "severity", Type: String, Default: "verbose", Enum: []string{"verbose", "information", "error"}},
				},
				Children: []Child{
					one(0, leaf("message", text)),
					many(0, &Element{Name: "metadata", Attrs: []Attr{
						{Name: "name", Type: String, Required: true},
						{Name: "value", Type: Any, Required: true, Expression: true},
					}}),
				},
				Text: &Text{Type: String, Expression: true}, // the old form
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/trace",
		},
		{
			Element: Element{
				Name: "emit-metric",
				Attrs: []Attr{
					{Name: "name", Type: String, Required: true},
					{Name: "namespace", Type: String, Default: "API Management"},
					{Name: "value", Type: Double, Default: "1", Expression: true},
					{Name: "default-dimensions", Type: String},
				},
				Children: []Child{{Name: "dimension", Min: 1, Max: 10, Element: dimension()}},
			},
			Sections: everywhere, Scopes: anyScope,
		},
		tokenMetric("azure-openai-emit-token-metric"), tokenMetric("llm-emit-token-metric"),
	}
}

func dimension() *Element {
	return &Element{Name: "dimension", Attrs: []Attr{
		{Name: "name", Type: String, Required: true},
		{Name: "value", Type: String, Expression: true},
	}}
}

func tokenMetric(name string) Row {
	return Row{
		Element: Element{
			Name: name,
			Attrs: []Attr{
				{Name: "namespace", Type: String, Default: "API Management"},
				{Name: "name", Type: String},
				{Name: "value-type", Type: String, Default: "all"},
				{Name: "ignore-prompt", Type: Bool},
			},
			Children: []Child{{Name: "dimension", Max: 10, Element: dimension()}},
		},
		Sections: []Section{Inbound}, Scopes: anyScope,
	}
}
