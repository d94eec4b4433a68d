package statement

import (
	"context"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// setQueryParameter builds <set-query-parameter>, which changes the query of the backend's URL.
func setQueryParameter(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	c, err := newChange(b, s)
	if err != nil {
		return nil, err
	}
	if len(s.Elements("value")) == 0 {
		if text, fixed := c.action.Fixed(); fixed {
			if a, err := parseAction(text); err != nil || a != deleteName {
				return nil, b.Errorf(s, "The element 'set-query-parameter' has incomplete content. List of possible elements expected: 'value'.")
			}
		}
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		r, err := c.resolve(x)
		if err != nil {
			return pipeline.Next, err
		}
		u := &x.Request.URL
		switch r.action {
		case deleteName:
			u.WithoutQuery(r.name)
		case skip:
			if !u.HasQuery(r.name) {
				u.AddQuery(r.name, r.values...)
			}
		case appendTo:
			u.AddQuery(r.name, r.values...)
		case override:
			u.SetQuery(r.name, r.values...)
		}
		return pipeline.Next, nil
	}, nil
}
