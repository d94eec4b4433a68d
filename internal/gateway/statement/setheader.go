package statement

import (
	"context"
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// edit is a part of a statement that works on a given message: set-header in its section, or within return-response.
type edit func(x *pipeline.Exchange, m *pipeline.Message) error

// setHeader builds <set-header> for the message of the current section.
func setHeader(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	return onMessage(headerEdit(b, s))
}

// onMessage makes a step of an edit that works on the section's message.
func onMessage(e edit, err error) (pipeline.Step, error) {
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		return pipeline.Next, e(x, x.Message())
	}, nil
}

func headerEdit(b *pipeline.Build, s *policy.Statement) (edit, error) {
	c, err := newChange(b, s)
	if err != nil {
		return nil, err
	}
	if name, fixed := c.name.Fixed(); fixed && !token(name) {
		return nil, b.Errorf(s, "The 'name' attribute is invalid - '%s' is no header name.", name)
	}
	return func(x *pipeline.Exchange, m *pipeline.Message) error {
		r, err := c.resolve(x)
		if err != nil {
			return err
		}
		if !token(r.name) {
			return fmt.Errorf("%q is no header name", r.name)
		}
		for _, v := range r.values {
			if strings.ContainsAny(v, "\r\n\x00") {
				return fmt.Errorf("the value of header %s contains a line break", r.name)
			}
		}
		if m == x.Request && strings.EqualFold(r.name, "Host") {
			x.HostChosen = true
		}
		r.header(&m.Header)
		return nil
	}, nil
}

// header applies a change to a header. Several values become one line, except for headers whose values may hold
// commas themselves.
func (r *resolved) header(h *pipeline.Header) {
	if fixedHeader(r.name) {
		return
	}
	values := r.values
	if len(values) > 1 && !separateLines(r.name) {
		values = []string{strings.Join(values, ",")}
	}
	switch r.action {
	case deleteName:
		if !strings.EqualFold(r.name, "Server") {
			h.Del(r.name)
		}
	case skip:
		if !h.Has(r.name) {
			h.Set(r.name, values...)
		}
	case appendTo:
		if have := h.Values(r.name); len(have) > 0 && len(values) > 0 && !separateLines(r.name) {
			h.Set(r.name, strings.Join(append(have, values...), ","))
			return
		}
		for _, v := range values {
			h.Add(r.name, v)
		}
	case override:
		h.Set(r.name, values...)
	}
}

// fixedHeader lists headers that belong to the gateway's own connections; policies cannot change them.
func fixedHeader(name string) bool {
	switch strings.ToLower(name) {
	case "connection", "content-length", "keep-alive", "transfer-encoding":
		return true
	}
	return false
}

// separateLines lists headers whose values are sent each in a line of its own.
func separateLines(name string) bool {
	switch strings.ToLower(name) {
	case "user-agent", "www-authenticate", "proxy-authenticate", "cookie", "set-cookie", "warning", "date", "expires",
		"if-modified-since", "if-unmodified-since", "last-modified", "retry-after":
		return true
	}
	return false
}

// token reports whether s can be a header name or a method.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
