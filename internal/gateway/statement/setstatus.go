package statement

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// setStatus builds <set-status>, which needs a response to change.
func setStatus(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	e, err := statusEdit(b, s)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		if x.Response == nil {
			return pipeline.Next, fmt.Errorf("there is no response yet whose status could be set")
		}
		return pipeline.Next, e(x, x.Response)
	}, nil
}

func statusEdit(b *pipeline.Build, s *policy.Statement) (edit, error) {
	code, err := b.Required(s, "code")
	if err != nil {
		return nil, err
	}
	reason, err := b.Attr(s, "reason", "")
	if err != nil {
		return nil, err
	}
	if text, fixed := code.Fixed(); fixed {
		if n, err := strconv.Atoi(strings.TrimSpace(text)); err != nil || !finalStatus(int64(n)) {
			return nil, b.Errorf(s, "The 'code' attribute is invalid - The value '%s' is no status code.", text)
		}
	}
	return func(x *pipeline.Exchange, m *pipeline.Message) error {
		n, err := code.Int(x)
		if err != nil {
			return fmt.Errorf("status code: %w", err)
		}
		if !finalStatus(n) {
			return fmt.Errorf("%d is no status code of a final response", n)
		}
		phrase, _, err := reason.String(x)
		if err != nil {
			return err
		}
		m.Status, m.Reason = int(n), phrase
		return nil
	}, nil
}

// finalStatus excludes informational answers, which end nothing.
func finalStatus(n int64) bool { return n >= 200 && n <= 999 }
