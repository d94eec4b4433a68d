package statement

import (
	"context"
	"fmt"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// setBackendService builds <set-backend-service>. The last one wins, except that a base URL does not replace a
// backend entity that was chosen before. Entities are looked up per request in the snapshot that the request is
// pinned to, so that a change of a backend compiles no policy again.
func setBackendService(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	for _, a := range s.Attrs {
		switch a.Name {
		case "base-url", "backend-id", "id":
		default:
			return nil, b.Errorf(s, "The attribute '%s' of set-backend-service is not built yet.", a.Name)
		}
	}
	switch {
	case s.Has("backend-id") && s.Has("base-url"):
		return nil, b.Errorf(s, "Only one of the attributes 'base-url' and 'backend-id' can be given.")
	case s.Has("backend-id"):
		return chooseBackend(b, s)
	}
	base, err := b.Required(s, "base-url")
	if err != nil {
		return nil, err
	}
	var fixedURL *pipeline.URL
	if text, fixed := base.Fixed(); fixed {
		u, err := pipeline.ParseURL(text)
		if err != nil {
			return nil, b.Errorf(s, "The 'base-url' attribute is invalid - '%s' is no absolute http or https URL.", text)
		}
		fixedURL = &u
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		if x.Target != nil && x.Target.Backend != "" {
			return pipeline.Next, nil
		}
		if fixedURL != nil {
			x.Target = &pipeline.Target{Base: *fixedURL}
			return pipeline.Next, nil
		}
		text, _, err := base.String(x)
		if err != nil {
			return pipeline.Next, err
		}
		u, err := pipeline.ParseURL(text)
		if err != nil {
			return pipeline.Next, err
		}
		x.Target = &pipeline.Target{Base: u}
		return pipeline.Next, nil
	}, nil
}

func chooseBackend(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	id, err := b.Required(s, "backend-id")
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		name, _, err := id.String(x)
		if err != nil {
			return pipeline.Next, err
		}
		t, ok := x.Services.Backend(name)
		if !ok {
			return pipeline.Next, fmt.Errorf("backend %q does not exist", name)
		}
		x.Target = t
		return pipeline.Next, nil
	}, nil
}
