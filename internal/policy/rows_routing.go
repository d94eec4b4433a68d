package policy

// routingRows decide where a request goes.
func routingRows() []Row {
	return []Row{
		{
			Element: Element{
				Name: "forward-request",
				Attrs: []Attr{
					{Name: "timeout", Type: Int, Default: "300", Expression: true, Range: natural},
					{Name: "timeout-ms", Type: Int, Expression: true, Range: natural},
					{Name: "continue-timeout", Type: Int, Expression: true, Range: natural},
					{Name: "http-version", Type: String, Default: "1", Enum: []string{"1", "2or1", "2"}},
					{Name: "follow-redirects", Type: Bool, Default: "false", Expression: true},
					{Name: "buffer-request-body", Type: Bool, Default: "false"},
					{Name: "buffer-response", Type: Bool, Default: "true"},
					{Name: "fail-on-error-status-code", Type: Bool, Default: "false"},
				},
				Groups: []Group{{Attrs: []string{"timeout", "timeout-ms"}, Max: 1}},
			},
			Sections: []Section{Backend}, Scopes: anyScope, Built: true, Proof: "TestStatements/forward-request",
		},
		{
			Element: Element{
				Name: "set-backend-service",
				Attrs: []Attr{
					{Name: "base-url", Type: String, Expression: true},
					{Name: "backend-id", Type: String, Expression: true, NotBuilt: []string{"dapr"}},
					{Name: "sf-resolve-condition", Type: Bool, Expression: true, NotBuilt: []string{"*"}},
					{Name: "sf-service-instance-name", Type: String, Expression: true, NotBuilt: []string{"*"}},
					{Name: "sf-partition-key", Type: String, Expression: true, NotBuilt: []string{"*"}},
					{Name: "sf-listener-name", Type: String, Expression: true, NotBuilt: []string{"*"}},
					{Name: "sf-replica-type", Type: String, Expression: true, Enum: []string{"primary", "secondary"}, NotBuilt: []string{"*"}},
					{Name: "dapr-app-id", Type: String, Expression: true, NotBuilt: []string{"*"}},
					{Name: "dapr-method", Type: String, Expression: true, NotBuilt: []string{"*"}},
					{Name: "dapr-namespace", Type: String, Expression: true, NotBuilt: []string{"*"}},
				},
				Groups: []Group{{Attrs: []string{"base-url", "backend-id"}, Min: 1, Max: 1}},
				rule:   knownBackend,
			},
			Sections: []Section{Inbound, Backend}, Scopes: anyScope, Built: true, Proof: "TestStatements/set-backend-service",
		},
		{
			Element: Element{
				Name: "proxy",
				Attrs: []Attr{
					{Name: "url", Type: String, Required: true, Expression: true},
					{Name: "username", Type: String, Expression: true},
					{Name: "password", Type: String, Expression: true},
				},
			},
			Sections: []Section{Inbound}, Scopes: anyScope,
		},
	}
}

// knownBackend refuses a literal backend-id that does not exist and a literal base-url that is no URL.
func knownBackend(c *checker, s *Statement) {
	if a := s.find("backend-id"); a != nil && a.Expr == nil && c.opt.BackendExists != nil && !c.opt.BackendExists(a.Value) {
		c.at(s, s.Position, "Backend with id '"+c.shown(a)+"' could not be found.")
	}
	if a := s.find("base-url"); a != nil && a.Expr == nil && !isBaseURL(a.Value) {
		c.at(s, a.ValuePos, "The 'base-url' attribute is invalid - The value '"+c.shown(a)+"' is not an absolute http or https URL.")
	}
}
