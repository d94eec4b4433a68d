package statement

import (
	"context"
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// setMethod builds <set-method>.
func setMethod(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	value, err := b.Text(s)
	if err != nil {
		return nil, err
	}
	if text, fixed := value.Fixed(); fixed && !token(strings.TrimSpace(text)) {
		return nil, b.Errorf(s, "'%s' is no request method.", strings.TrimSpace(text))
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		text, _, err := value.String(x)
		if err != nil {
			return pipeline.Next, err
		}
		method := strings.ToUpper(strings.TrimSpace(text))
		if !token(method) {
			return pipeline.Next, fmt.Errorf("%q is no request method", method)
		}
		x.Request.Method = method
		return pipeline.Next, nil
	}, nil
}
