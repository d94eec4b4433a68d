package policy

// integrationRows talk to other services beside the backend.
func integrationRows() []Row {
	timeout := Attr{Name: "timeout", Type: Int, Default: "60", Expression: true, Range: natural} // seconds
	timeoutMS := Attr{Name: "timeout-ms", Type: Int, Expression: true, Range: natural}
	mode := Attr{Name: "mode", Type: String, Default: "new", Expression: true, Enum: []string{"new", "copy"}}
	oneTimeout := []Group{{Attrs: []string{"timeout", "timeout-ms"}, Max: 1}}
	rows := []Row{
		{
			Element: Element{
				Name: "send-request",
				Attrs: []Attr{
					mode, timeout, timeoutMS,
					{Name: "response-variable-name", Type: String, Required: true},
					{Name: "ignore-error", Type: Bool, Default: "false"},
					{Name: "buffer-response", Type: Bool, Default: "true"},
					{Name: "fail-on-error-status-code", Type: Bool, Default: "false"},
				},
				Groups: oneTimeout, Children: sentRequest(), Order: Sequence, rule: newNeedsURL,
			},
			Sections: everywhere, Scopes: anyScope, Built: true, Proof: "TestStatements/send-request",
		},
		{
			Element: Element{
				Name: "send-one-way-request", Attrs: []Attr{mode, timeout, timeoutMS},
				Groups: oneTimeout, Children: sentRequest(), Order: Sequence, rule: newNeedsURL,
			},
			Sections: everywhere, Scopes: anyScope,
		},
		{
			Element: Element{
				Name: "log-to-eventhub",
				Attrs: []Attr{
					{Name: "logger-id", Type: String, Required: true},
					{Name: "partition-id", Type: String},
					{Name: "partition-key", Type: String, Expression: true},
				},
				Groups: []Group{{Attrs: []string{"partition-id", "partition-key"}, Max: 1}},
				Text:   &Text{Type: Any, Expression: true},
			},
			Sections: everywhere, Scopes: noWorkspace,
		},
	}
	return append(rows, serviceBus(), publishToDapr(), invokeDapr())
}

// newNeedsURL demands the address of a request that copies none.
func newNeedsURL(c *checker, s *Statement) {
	mode := s.find("mode")
	if s.Child("set-url") == nil && (mode == nil || mode.Expr == nil && mode.Value != "copy") {
		c.at(s, s.Position, incomplete(s.Name, []string{"set-url"}))
	}
}

// sentRequest are the children that make up a request of our own.
func sentRequest() []Child {
	return []Child{
		one(0, leaf("set-url", text)),
		statement("set-method", 1),
		statement("set-header", 0),
		statement("set-body", 1),
		statement("authentication-certificate", 1),
		statement("authentication-managed-identity", 1),
		statement("authentication-basic", 1),
		statement("authentication-token", 1),
		statement("authentication-token-store", 1),
		statement("proxy", 1),
	}
}

func serviceBus() Row {
	property := leaf("message-property", text, Attr{Name: "name", Type: String, Required: true, Expression: true})
	return Row{
		Element: Element{
			Name: "send-service-bus-message",
			Attrs: []Attr{
				{Name: "queue-name", Type: String, Expression: true},
				{Name: "topic-name", Type: String, Expression: true},
				{Name: "namespace", Type: String, Expression: true},
				{Name: "client-id", Type: String, Expression: true},
			},
			Groups:   []Group{{Attrs: []string{"queue-name", "topic-name"}, Min: 1, Max: 1}},
			Children: []Child{one(0, list("message-properties", 0, property)), one(1, leaf("payload", text))},
		},
		Sections: []Section{Inbound, Outbound, OnError}, Scopes: noWorkspace,
	}
}

func publishToDapr() Row {
	return Row{
		Element: Element{
			Name: "publish-to-dapr",
			Attrs: append([]Attr{
				{Name: "topic", Type: String, Required: true, Expression: true},
				{Name: "pubsub-name", Type: String, Expression: true},
			}, daprAttrs()...),
			Text: &Text{Type: Any, Expression: true},
		},
		Sections: []Section{Inbound, Outbound, OnError}, Scopes: anyScope,
	}
}

func invokeDapr() Row {
	item := leaf("item", text, Attr{Name: "key", Type: String, Required: true})
	return Row{
		Element: Element{
			Name: "invoke-dapr-binding",
			Attrs: append([]Attr{
				{Name: "name", Type: String, Required: true, Expression: true},
				{Name: "operation", Type: String, Default: "create"},
			}, daprAttrs()...),
			Children: []Child{one(0, list("metadata", 0, item)), one(0, leaf("data", &Text{Type: Any, Expression: true}))},
		},
		Sections: []Section{Inbound, Outbound, OnError}, Scopes: noWorkspace,
	}
}

func daprAttrs() []Attr {
	return []Attr{
		{Name: "ignore-error", Type: Bool, Default: "false"},
		{Name: "response-variable-name", Type: String},
		{Name: "timeout", Type: Int, Default: "5", Expression: true, Range: &Range{1, 240}}, // seconds
		{Name: "template", Type: String},
		{Name: "content-type", Type: String},
	}
}
