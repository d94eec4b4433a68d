package statement

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/counters"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// scoped is what an element of rate-limit or quota limits: all calls under the policy, those of an API, or those of an
// API operation. Each has a counter of its own, and all must let a call pass.
type scoped struct {
	name           counters.Name
	api, operation *selector
}

// selector picks an API or an API operation by ID or display name; nil picks all.
type selector struct{ id, name string }

func (s *selector) picks(name, displayName string) bool {
	if s == nil {
		return true
	}
	if s.id != "" {
		return strings.EqualFold(s.id, name)
	}
	return strings.EqualFold(s.name, displayName)
}

func (s *scoped) concerns(x *pipeline.Exchange) bool {
	if s.api != nil && (x.API == nil || !s.api.picks(x.API.Name, x.API.DisplayName)) {
		return false
	}
	return s.operation == nil || x.Operation != nil && s.operation.picks(x.Operation.Name, x.Operation.DisplayName)
}

// scopes gives add the statement and the elements for single APIs and API operations below it.
func scopes(b *pipeline.Build, s *policy.Statement, add func(*policy.Statement, scoped) error) error {
	return scopesBelow(b, s, s.Name+"|"+strings.ToLower(b.ID), scoped{}, add)
}

func scopesBelow(b *pipeline.Build, s *policy.Statement, text string, at scoped, add func(*policy.Statement, scoped) error) error {
	at.name = counters.NameOf(text)
	if err := add(s, at); err != nil {
		return err
	}
	for _, c := range s.Children {
		sel, below := &selector{id: strings.TrimSpace(c.Attr("id")), name: strings.TrimSpace(c.Attr("name"))}, at
		switch {
		case c.Name == "api" && at.api == nil && at.operation == nil:
			below.api = sel
		case c.Name == "operation" && at.operation == nil:
			below.operation = sel
		default:
			return b.Errorf(s, "The element '%s' has invalid child element '%s'.", s.Name, c.Name)
		}
		if sel.id == "" && sel.name == "" {
			return b.Errorf(c, "One of the attributes 'id' and 'name' is required.")
		}
		text := text + "|" + c.Name + "|" + strings.ToLower(sel.id) + "|" + strings.ToLower(sel.name)
		if err := scopesBelow(b, c, text, below, add); err != nil {
			return err
		}
	}
	return nil
}

// number reads an attribute that holds a whole number and takes no expression.
func number(b *pipeline.Build, s *policy.Statement, name string, least int) (int, error) {
	if !s.Has(name) {
		return 0, b.Errorf(s, "The required attribute '%s' is missing.", name)
	}
	text, err := b.Fixed(s, name, "")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || int(n) < least {
		least := map[int]string{0: "zero", 1: "one"}[least]
		return 0, b.Errorf(s, "The '%s' attribute is invalid - The value '%s' is no whole number of %s or more.", name, text, least)
	}
	return int(n), nil
}

func positive(b *pipeline.Build, s *policy.Statement, name string) (int, error) {
	return number(b, s, name, 1)
}

// uncounted is the error of a call that could not be counted. It is refused: a limit that lets pass what it cannot count
// is none. Somebody has to know that there is no room, so it is logged, though not for each call.
func uncounted(x *pipeline.Exchange, t *counters.Table, err error) error {
	if errors.Is(err, counters.ErrFull) && x.Log != nil && t.Complain() {
		x.Log.ErrorContext(x, "calls are refused because there is no room to count them", slog.String("service", x.Service.Name))
	}
	return fmt.Errorf("count a call: %w", err)
}
