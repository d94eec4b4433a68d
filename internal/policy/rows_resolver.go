package policy

// resolverRows are the roots and parts of GraphQL resolver documents. No section of a policy document holds them, so
// their content is not described here.
func resolverRows() []Row {
	names := []string{"http-data-source", "sql-data-source", "cosmosdb-data-source", "graphql-data-source", "publish-event"}
	rows := make([]Row, 0, len(names))
	for _, name := range names {
		rows = append(rows, Row{Element: Element{Name: name, Open: true}})
	}
	return rows
}

// internalRows are known from the published schemas only; the service uses them itself.
func internalRows() []Row {
	names := []string{
		"invoke-request", "authentication-token", "authentication-token-store", "block", "set-request-metric-dimension-value",
	}
	rows := make([]Row, 0, len(names))
	for _, name := range names {
		rows = append(rows, Row{Element: Element{Name: name, Open: true}, Sections: everywhere, Scopes: anyScope})
	}
	return rows
}
