package statement

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// headerCheck is the compiled <check-header>.
type headerCheck struct {
	name, status, message, ignoreCase pipeline.Value
	values                            []pipeline.Value
}

// checkHeader builds <check-header>: the header must be there and, where values are given, have one of them.
func checkHeader(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	c := &headerCheck{}
	var errs [5]error
	c.name, errs[0] = b.Required(s, "name")
	c.status, errs[1] = b.Required(s, "failed-check-httpcode")
	c.message, errs[2] = b.Attr(s, "failed-check-error-message", "")
	c.ignoreCase, errs[3] = b.Attr(s, "ignore-case", "false")
	c.values, errs[4] = b.Texts(s, "value")
	return c.run, errors.Join(errs[:]...)
}

func (c *headerCheck) run(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	name, _, err := c.name.String(x)
	if err != nil {
		return pipeline.Next, err
	}
	have := x.Request.Header.Values(name)
	if len(have) == 0 {
		return pipeline.Next, c.refuse(x, pipeline.ReasonHeaderNotFound, fmt.Sprintf("Header %s was not found in the request. Access denied.", name))
	}
	if len(c.values) == 0 {
		return pipeline.Next, nil
	}
	ok, err := c.allowed(x, have)
	if err != nil || ok {
		return pipeline.Next, err
	}
	return pipeline.Next, c.refuse(x, pipeline.ReasonHeaderNotAllowed,
		fmt.Sprintf("Header %s value of %s is not allowed. Access denied.", name, strings.Join(have, ",")))
}

// allowed reports whether the header as a whole, or one of its lines, is a value that is allowed.
func (c *headerCheck) allowed(x *pipeline.Exchange, have []string) (bool, error) {
	fold, err := c.ignoreCase.Bool(x)
	if err != nil {
		return false, err
	}
	have = append(have, strings.Join(have, ","))
	for _, v := range c.values {
		want, _, err := v.String(x)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(have, func(h string) bool { return h == want || fold && strings.EqualFold(h, want) }) {
			return true, nil
		}
	}
	return false, nil
}

func (c *headerCheck) refuse(x *pipeline.Exchange, reason, message string) error {
	status, err := c.status.Int(x)
	if err == nil && !finalStatus(status) {
		err = fmt.Errorf("%d is no status code of a final response", status)
	}
	public, _, err2 := c.message.String(x)
	if err = errors.Join(err, err2); err != nil {
		return err
	}
	return &pipeline.Failure{Reason: reason, Message: message, Status: int(status), Public: public}
}
