package statement

import (
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// change is what set-header and set-query-parameter have in common: a name, values, and what to do when the name is
// there already.
type change struct {
	name, action pipeline.Value
	values       []pipeline.Value
}

// action says what to do with a name that is there already.
type action uint8

const (
	override   action = iota
	skip              // only where the name is absent
	appendTo          // besides what is there
	deleteName        // values are ignored
)

func parseAction(s string) (action, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "override", "":
		return override, nil
	case "skip":
		return skip, nil
	case "append":
		return appendTo, nil
	case "delete":
		return deleteName, nil
	}
	return override, fmt.Errorf("exists-action %q is none of override, skip, append, delete", s)
}

func newChange(b *pipeline.Build, s *policy.Statement) (c change, err error) {
	if c.name, err = b.Required(s, "name"); err != nil {
		return c, err
	}
	if c.action, err = b.Attr(s, "exists-action", "override"); err != nil {
		return c, err
	}
	if text, fixed := c.action.Fixed(); fixed {
		if _, err := parseAction(text); err != nil {
			return c, b.Errorf(s, "The 'exists-action' attribute is invalid - The value '%s' is none of override, skip, append, delete.", text)
		}
	}
	c.values, err = b.Texts(s, "value")
	return c, err
}

// resolved is a change with everything evaluated.
type resolved struct {
	name   string
	action action
	values []string // without those that evaluate to null
}

func (c *change) resolve(x *pipeline.Exchange) (r resolved, err error) {
	if r.name, _, err = c.name.String(x); err != nil {
		return r, err
	}
	text, _, err := c.action.String(x)
	if err != nil {
		return r, err
	}
	if r.action, err = parseAction(text); err != nil || r.action == deleteName {
		return r, err
	}
	for _, v := range c.values {
		s, ok, err := v.String(x)
		if err != nil {
			return r, err
		}
		if ok {
			r.values = append(r.values, s)
		}
	}
	return r, nil
}
