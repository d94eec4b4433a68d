package statement

import (
	"context"
	"fmt"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// returnResponse builds <return-response>: a new response, or the one in a variable, changed by the children. It ends
// the pipeline, outbound included.
func returnResponse(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	variable, err := b.Fixed(s, "response-variable-name", "")
	if err != nil {
		return nil, err
	}
	var edits []edit
	for _, c := range s.Children {
		var e edit
		switch c.Name {
		case "set-status":
			e, err = statusEdit(b, c)
		case "set-header":
			e, err = headerEdit(b, c)
		case "set-body":
			e, err = bodyEdit(b, c)
		default:
			err = b.Errorf(c, "The element 'return-response' has invalid child element '%s'. List of possible elements expected: 'set-status, set-header, set-body'.", c.Name)
		}
		if err != nil {
			return nil, err
		}
		edits = append(edits, e)
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		m, err := startResponse(x, variable)
		if err != nil {
			return pipeline.Next, err
		}
		for _, e := range edits {
			if err := e(x, m); err != nil {
				return pipeline.Next, err
			}
		}
		return pipeline.End, x.SetResponse(m)
	}, nil
}

// startResponse is what the children of return-response change: 200 without headers and body, or a stored response.
func startResponse(x *pipeline.Exchange, variable string) (*pipeline.Message, error) {
	if variable == "" {
		return pipeline.NewResponse(200), nil
	}
	v, _ := x.Variables.Get(variable)
	r, ok := v.Ref().(*pipeline.ResponseView)
	if !ok {
		return nil, fmt.Errorf("variable %q holds no response", variable)
	}
	return r.Message(), nil
}
