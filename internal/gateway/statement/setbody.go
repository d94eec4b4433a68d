package statement

import (
	"fmt"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// setBody builds <set-body> for the message of the current section.
func setBody(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	return onMessage(bodyEdit(b, s))
}

func bodyEdit(b *pipeline.Build, s *policy.Statement) (edit, error) {
	template, err := b.Fixed(s, "template", "none")
	if err != nil {
		return nil, err
	}
	if template != "none" {
		return nil, b.Errorf(s, "The template language '%s' is not built yet.", template)
	}
	value, err := b.Text(s)
	if err != nil {
		return nil, err
	}
	return func(x *pipeline.Exchange, m *pipeline.Message) error {
		if text, fixed := value.Fixed(); fixed {
			return m.Body.Replace([]byte(text))
		}
		v, err := value.Any(x)
		if err != nil {
			return err
		}
		switch v := v.(type) {
		case nil:
			return m.Body.Replace(nil)
		case []byte:
			return m.Body.Replace(v)
		case string:
			return m.Body.Replace([]byte(v))
		default:
			return m.Body.Replace(fmt.Append(nil, v))
		}
	}, nil
}
