package statement

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// findAndReplace builds <find-and-replace>: every occurrence of a text in the body of the section's message becomes
// another. The texts are those of the message's charset.
func findAndReplace(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	from, err1 := b.Required(s, "from")
	to, err2 := b.Required(s, "to")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		m := x.Message()
		if m.Body.Empty() {
			return pipeline.Next, nil
		}
		find, _, err1 := from.String(x)
		put, _, err2 := to.String(x)
		if err := errors.Join(err1, err2); err != nil || find == "" {
			return pipeline.Next, err
		}
		data, err := m.Body.Buffer(x.MaxBuffer)
		if err != nil {
			return pipeline.Next, fmt.Errorf("read the body: %w", err)
		}
		if data, err = replaced(data, find, put, m.Header.Get("Content-Type")); err != nil {
			return pipeline.Next, err
		}
		return pipeline.Next, m.Body.Replace(data)
	}, nil
}

func replaced(data []byte, find, put, contentType string) ([]byte, error) {
	code := charset(contentType)
	a, err := code.NewEncoder().Bytes([]byte(find))
	if err != nil {
		return data, nil //nolint:nilerr // a text that the charset cannot hold is not in the body
	}
	b, err := code.NewEncoder().Bytes([]byte(put))
	if err != nil {
		return nil, fmt.Errorf("the charset of the message cannot hold the text to put in: %w", err)
	}
	return bytes.ReplaceAll(data, a, b), nil
}

// charset is the one that a Content-Type names; UTF-8 when it names none that is known.
func charset(contentType string) encoding.Encoding {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return encoding.Nop
	}
	e, err := htmlindex.Get(params["charset"])
	if err != nil {
		return encoding.Nop
	}
	return e
}
