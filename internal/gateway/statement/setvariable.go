package statement

import (
	"context"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// setVariable builds <set-variable>. A literal gives a string.
func setVariable(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	name, err := b.Fixed(s, "name", "")
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, b.Errorf(s, "The required attribute 'name' is missing.")
	}
	value, err := b.Required(s, "value")
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		v, err := value.Any(x)
		if err != nil {
			return pipeline.Next, err
		}
		x.Variables.Set(name, v)
		return pipeline.Next, nil
	}, nil
}
