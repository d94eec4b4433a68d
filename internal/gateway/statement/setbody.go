package statement

import (
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
		data, err := value.Bytes(x)
		if err != nil {
			return err
		}
		return m.Body.Replace(data)
	}, nil
}
