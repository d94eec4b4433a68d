package statement

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// traced is the compiled <trace>.
type traced struct {
	level           slog.Level
	source, message pipeline.Value
	metadata        []metadata
}

type metadata struct {
	name  string
	value pipeline.Value
}

// severities are the levels of the machine's log that messages go to.
var severities = map[string]slog.Level{"": slog.LevelDebug, "verbose": slog.LevelDebug, "information": slog.LevelInfo, "error": slog.LevelError}

// maxTraced bounds each text of a trace, in bytes.
const maxTraced = 8 << 10

// trace builds <trace>: a message for the machine's log.
func trace(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	t := &traced{level: severities[strings.TrimSpace(s.Attr("severity"))]}
	var errs [2]error
	t.source, errs[0] = b.Required(s, "source")
	if m := s.Child("message"); m != nil {
		t.message, errs[1] = b.Text(m)
	} else {
		t.message, errs[1] = b.Text(s) // the old form
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	for _, c := range s.Elements("metadata") {
		v, err := b.Required(c, "value")
		if err != nil {
			return nil, err
		}
		t.metadata = append(t.metadata, metadata{c.Attr("name"), v})
	}
	return t.run, nil
}

func (t *traced) run(ctx context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	attrs := []slog.Attr{slog.String("service", x.Service.Name), slog.String("request", x.RequestID())}
	for _, p := range []struct {
		key   string
		value pipeline.Value
	}{{"source", t.source}, {"message", t.message}} {
		text, _, err := p.value.String(x)
		if err != nil {
			return pipeline.Next, err
		}
		attrs = append(attrs, slog.String(p.key, shortened(text)))
	}
	var more []any
	for _, m := range t.metadata {
		text, _, err := m.value.String(x)
		if err != nil {
			return pipeline.Next, err
		}
		more = append(more, slog.String(m.name, shortened(text)))
	}
	if more != nil {
		attrs = append(attrs, slog.Group("metadata", more...))
	}
	if x.Log != nil {
		x.Log.LogAttrs(ctx, t.level, "trace", attrs...)
	}
	return pipeline.Next, nil
}

// shortened cuts a text at its bound, between characters.
func shortened(s string) string {
	if len(s) <= maxTraced {
		return s
	}
	n := maxTraced
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
