package policy

import "slices"

// accessRows limit who may call and how often.
func accessRows() []Row {
	return []Row{
		rateLimit(),
		{
			Element: Element{
				Name: "rate-limit-by-key",
				Attrs: append([]Attr{
					{Name: "calls", Type: Int, Required: true, Expression: true, Range: positive},
					{Name: "renewal-period", Type: Int, Required: true, Expression: true, Range: &Range{1, 300}},
					{Name: "counter-key", Type: String, Required: true, Expression: true},
					{Name: "increment-condition", Type: Bool, Expression: true},
					{Name: "increment-count", Type: Int, Default: "1", Expression: true, Range: natural},
					{Name: "increment-after-response", Type: Bool},
					{Name: "flexible-retry-window", Type: Bool},
				}, limitNames()...),
			},
			Sections: []Section{Inbound}, Scopes: anyScope, NotIn: noConsumption,
		},
		quota(),
		{
			Element: Element{
				Name: "quota-by-key",
				Attrs: []Attr{
					{Name: "calls", Type: Int, Range: positive},
					{Name: "bandwidth", Type: Int, Range: positive}, // kilobytes
					{Name: "renewal-period", Type: Duration, Required: true},
					{Name: "counter-key", Type: String, Required: true, Expression: true},
					{Name: "increment-condition", Type: Bool, Expression: true},
					{Name: "increment-count", Type: Int, Default: "1", Expression: true, Range: natural},
					{Name: "first-period-start", Type: DateTime, Default: "0001-01-01T00:00:00Z"},
				},
				Groups: []Group{{Attrs: []string{"calls", "bandwidth"}, Min: 1}},
			},
			Sections: []Section{Inbound}, Scopes: anyScope, NotIn: slices.Concat(noConsumption, notOnV2),
		},
		{
			Element: Element{
				Name: "limit-concurrency",
				Attrs: []Attr{
					{Name: "key", Type: String, Required: true, Expression: true},
					{Name: "max-count", Type: Int, Required: true, Range: positive},
				},
				Body: true,
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/limit-concurrency",
		},
		{
			Element: Element{
				Name: "check-header",
				Attrs: []Attr{
					{Name: "name", Type: String, Required: true, Expression: true},
					{Name: "failed-check-httpcode", Type: Int, Required: true, Expression: true, Range: &Range{100, 999}},
					{Name: "failed-check-error-message", Type: String, Expression: true},
					{Name: "ignore-case", Type: Bool, Expression: true},
				},
				Children: []Child{many(0, leaf("value", text))},
			},
			Sections: []Section{Inbound}, Scopes: anyScope, Built: true, Proof: "TestStatements/check-header",
		},
		{
			Element: Element{
				Name: "get-authorization-context",
				Attrs: []Attr{
					{Name: "provider-id", Type: String, Required: true, Expression: true},
					{Name: "authorization-id", Type: String, Required: true, Expression: true},
					{Name: "context-variable-name", Type: String, Required: true, Expression: true},
					{Name: "identity-type", Type: String, Default: "managed", Enum: []string{"managed", "jwt"}, Expression: true},
					{Name: "identity", Type: String, Expression: true},
					{Name: "ignore-error", Type: Bool, Default: "false", Expression: true},
				},
			},
			Sections: []Section{Inbound}, Scopes: noWorkspace,
		},
		ipFilter(), validateJWT(), validateEntraToken(), validateClientCertificate(),
		{
			Element: Element{
				Name: "authentication-basic",
				Attrs: []Attr{
					{Name: "username", Type: String, Required: true, Expression: true},
					{Name: "password", Type: String, Required: true, Expression: true},
				},
			},
			Sections: []Section{Inbound}, Scopes: anyScope,
		},
		{
			Element: Element{
				Name: "authentication-certificate",
				Attrs: []Attr{
					{Name: "thumbprint", Type: String, Expression: true},
					{Name: "certificate-id", Type: String, Expression: true},
					{Name: "body", Type: Bytes, Expression: true},
					{Name: "password", Type: String, Expression: true},
				},
				Groups: []Group{{Attrs: []string{"thumbprint", "certificate-id", "body"}, Min: 1, Max: 1}},
			},
			Sections: []Section{Inbound}, Scopes: anyScope,
		},
		{
			Element: Element{
				Name: "authentication-managed-identity",
				Attrs: []Attr{
					{Name: "resource", Type: String, Required: true, Expression: true},
					{Name: "client-id", Type: String, Expression: true},
					{Name: "output-token-variable-name", Type: String},
					{Name: "ignore-error", Type: Bool, Default: "false"},
				},
			},
			Sections: []Section{Inbound}, Scopes: anyScope,
		},
	}
}

func rateLimit() Row {
	operation := &Element{Name: "operation", Attrs: limitAttrs(true), Groups: nameOrID()}
	api := &Element{Name: "api", Attrs: limitAttrs(true), Groups: nameOrID(), Children: []Child{many(0, operation)}}
	return Row{
		Element: Element{
			Name: "rate-limit", Attrs: limitAttrs(false),
			Children: []Child{many(0, api), many(0, operation)},
		},
		Sections: []Section{Inbound}, Scopes: []Scope{Workspace, Product, API, Operation},
		Once: true, Built: true, Proof: "TestStatements/rate-limit",
	}
}

// limitAttrs are those of rate-limit and, with name and id, of its api and operation elements.
func limitAttrs(nested bool) []Attr {
	attrs := []Attr{
		{Name: "calls", Type: Int, Required: true, Range: positive},
		{Name: "renewal-period", Type: Int, Required: true, Range: &Range{1, 300}},
	}
	attrs = append(attrs, limitNames()...)
	if nested {
		attrs = append([]Attr{{Name: "name", Type: String}, {Name: "id", Type: String}}, attrs...)
	}
	return attrs
}

// limitNames are the headers and variables that tell a caller about a limit.
func limitNames() []Attr {
	return []Attr{
		{Name: "retry-after-header-name", Type: String, Default: "Retry-After", Token: true},
		{Name: "retry-after-variable-name", Type: String},
		{Name: "remaining-calls-header-name", Type: String, Token: true},
		{Name: "remaining-calls-variable-name", Type: String},
		{Name: "total-calls-header-name", Type: String, Token: true},
	}
}

// nameOrID wants either; when both are given the id wins.
func nameOrID() []Group { return []Group{{Attrs: []string{"name", "id"}, Min: 1}} }

func quota() Row {
	attrs := []Attr{
		{Name: "calls", Type: Int, Range: positive},
		{Name: "bandwidth", Type: Int, Range: positive}, // kilobytes
		{Name: "renewal-period", Type: Int, Required: true, Range: natural},
	}
	nested := append([]Attr{{Name: "name", Type: String}, {Name: "id", Type: String}}, attrs...)
	nested[len(nested)-1].Required = false // real documents leave it out below the top
	callsOrBandwidth := Group{Attrs: []string{"calls", "bandwidth"}, Min: 1}
	groups := append(nameOrID(), callsOrBandwidth)
	operation := &Element{Name: "operation", Attrs: nested, Groups: groups}
	api := &Element{Name: "api", Attrs: nested, Groups: groups, Children: []Child{many(0, operation)}}
	return Row{
		Element: Element{
			Name: "quota", Attrs: attrs, Groups: []Group{callsOrBandwidth}, Children: []Child{many(0, api)},
		},
		Sections: []Section{Inbound}, Scopes: []Scope{Product}, Once: true, Built: true, Proof: "TestStatements/quota",
	}
}

func ipFilter() Row {
	addressRange := &Element{Name: "address-range", Attrs: []Attr{
		{Name: "from", Type: String, Required: true, Expression: true},
		{Name: "to", Type: String, Required: true, Expression: true},
	}}
	return Row{
		Element: Element{
			Name: "ip-filter",
			Attrs: []Attr{
				{Name: "action", Type: String, Required: true, Enum: []string{"allow", "forbid"}, Expression: true},
			},
			Children: []Child{many(0, leaf("address", text)), many(0, addressRange)},
			MinItems: 1,
		},
		Sections: []Section{Inbound}, Scopes: anyScope, Built: true, Proof: "TestStatements/ip-filter",
	}
}

// tokenAttrs are those that the token validations share.
func tokenAttrs() []Attr {
	return []Attr{
		{Name: "header-name", Type: String, Expression: true},
		{Name: "query-parameter-name", Type: String, Expression: true},
		{Name: "token-value", Type: String, Expression: true},
		{Name: "failed-validation-httpcode", Type: Int, Default: "401", Expression: true, Range: &Range{100, 999}},
		{Name: "failed-validation-error-message", Type: String, Expression: true},
		{Name: "require-scheme", Type: String, Expression: true},
		{Name: "output-token-variable-name", Type: String},
	}
}

// requiredClaims is <required-claims><claim name match separator><value/>…</claim>…</required-claims>.
func requiredClaims() *Element {
	return list("required-claims", 1, &Element{
		Name: "claim",
		Attrs: []Attr{
			{Name: "name", Type: String, Required: true},
			{Name: "match", Type: String, Default: "all", Enum: []string{"all", "any"}, Expression: true},
			{Name: "separator", Type: String, Expression: true},
		},
		Children: []Child{many(0, leaf("value", text))},
	})
}

func validateJWT() Row {
	key := []Attr{
		{Name: "id", Type: String},
		{Name: "certificate-id", Type: String},
		{Name: "n", Type: String, Expression: true},
		{Name: "e", Type: String, Expression: true},
	}
	optional := &Text{Type: String, Expression: true}
	openID := &Element{Name: "openid-config", Attrs: []Attr{{Name: "url", Type: String, Required: true, Expression: true}}}
	signing := &Element{Name: "issuer-signing-keys", Children: []Child{
		many(0, leaf("key", optional, key...)), one(0, leaf("zumo-master-key", text)),
	}}
	return Row{
		Element: Element{
			Name: "validate-jwt",
			Attrs: append(tokenAttrs(),
				Attr{Name: "require-expiration-time", Type: Bool, Default: "true", Expression: true},
				Attr{Name: "require-signed-tokens", Type: Bool, Default: "true", Expression: true},
				Attr{Name: "clock-skew", Type: Int, Default: "0", Expression: true, Range: natural}, // seconds
			),
			Groups: []Group{{Attrs: []string{"header-name", "query-parameter-name", "token-value"}, Min: 1, Max: 1}},
			Order:  Sequence,
			Children: []Child{
				many(0, openID),
				one(0, list("issuer-signing-tokens", 1, leaf("token", text))),
				one(0, signing),
				one(0, list("decryption-keys", 1, leaf("key", optional, key...))),
				one(0, list("audiences", 1, leaf("audience", text))),
				one(0, list("issuers", 1, leaf("issuer", text))),
				one(0, requiredClaims()),
			},
		},
		Sections: []Section{Inbound}, Scopes: anyScope,
	}
}

func validateEntraToken() Row {
	key := &Element{Name: "key", Attrs: []Attr{{Name: "certificate-id", Type: String, Required: true}}}
	attrs := append(tokenAttrs(),
		Attr{Name: "tenant-id", Type: String, Required: true, Expression: true},
		Attr{Name: "authentication-endpoint", Type: String, Expression: true},
		Attr{Name: "allow-protected-forwarded-tokens", Type: Bool},
		Attr{Name: "allow-proof-of-possession-tokens", Type: Bool},
	)
	return Row{
		Element: Element{
			Name:   "validate-azure-ad-token",
			Attrs:  attrs,
			Groups: []Group{{Attrs: []string{"header-name", "query-parameter-name", "token-value"}, Max: 1}},
			// Observed: the text of these elements takes literals and named values only.
			Children: []Child{
				one(0, list("backend-application-ids", 1, leaf("application-id", literalText))),
				one(0, list("client-application-ids", 1, leaf("application-id", literalText))),
				one(0, list("audiences", 1, leaf("audience", literalText))),
				one(0, requiredClaims()),
				one(0, list("decryption-keys", 1, key)),
			},
		},
		Sections: []Section{Inbound}, Scopes: anyScope,
	}
}

func validateClientCertificate() Row {
	identity := &Element{Name: "identity", Attrs: []Attr{
		{Name: "thumbprint", Type: String},
		{Name: "serial-number", Type: String},
		{Name: "common-name", Type: String},
		{Name: "subject", Type: String},
		{Name: "dns-name", Type: String},
		{Name: "issuer-subject", Type: String},
		{Name: "issuer-thumbprint", Type: String},
		{Name: "issuer-certificate-id", Type: String},
	}}
	identities := &Element{Name: "identities", Children: []Child{{Name: "identity", Min: 1, Max: 10, Element: identity}}}
	return Row{
		Element: Element{
			Name: "validate-client-certificate",
			Attrs: []Attr{
				{Name: "validate-revocation", Type: Bool, Default: "true"},
				{Name: "validate-trust", Type: Bool, Default: "true"},
				{Name: "validate-not-before", Type: Bool, Default: "true"},
				{Name: "validate-not-after", Type: Bool, Default: "true"},
				{Name: "ignore-error", Type: Bool, Default: "false"},
			},
			Children: []Child{one(0, identities)},
		},
		Sections: []Section{Inbound}, Scopes: anyScope,
	}
}
