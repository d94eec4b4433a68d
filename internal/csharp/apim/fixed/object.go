package fixed

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// object is the context object.
type object struct {
	spec       Spec
	id         uuid.UUID
	elapsed    time.Duration
	variables  variables
	request    *request
	response   *response
	api        *api
	product    *product
	deployment *deployment
}

func (c *object) Elapsed() time.Duration    { return c.elapsed }
func (c *object) Request() apim.Request     { return c.request }
func (c *object) RequestID() [16]byte       { return c.id }
func (c *object) Timestamp() time.Time      { return c.spec.Timestamp }
func (c *object) Tracing() bool             { return c.spec.Tracing }
func (c *object) Variables() apim.Variables { return c.variables }
func (c *object) Trace(_, _ string)         {}

func (c *object) API() apim.API {
	if c.api == nil {
		return nil
	}
	return c.api
}

func (c *object) Deployment() apim.Deployment {
	if c.deployment == nil {
		return nil
	}
	return c.deployment
}

func (c *object) LastError() apim.LastError {
	if c.spec.LastError == nil {
		return nil
	}
	return lastError{*c.spec.LastError}
}

func (c *object) Operation() apim.Operation {
	if c.spec.Operation == nil {
		return nil
	}
	return operation{*c.spec.Operation}
}

func (c *object) Product() apim.Product {
	if c.product == nil {
		return nil
	}
	return c.product
}

func (c *object) Response() apim.Response {
	if c.response == nil {
		return nil
	}
	return c.response
}

func (c *object) Subscription() apim.Subscription {
	if c.spec.Subscription == nil {
		return nil
	}
	return subscription{*c.spec.Subscription}
}

func (c *object) User() apim.User {
	if c.spec.User == nil {
		return nil
	}
	return user{*c.spec.User}
}

// resolver is the context object of a GraphQL resolver.
type resolver struct{ *object }

func (c resolver) GraphQLArguments() string { return string(c.spec.GraphQL.Arguments) }
func (c resolver) GraphQLParent() string    { return string(c.spec.GraphQL.Parent) }

type variables map[string]clr.Value

func (v variables) Get(name string) (clr.Value, bool) { x, ok := v[name]; return x, ok }
func (v variables) Len() int                          { return len(v) }
func (v variables) Each(yield func(string, clr.Value) bool) {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if !yield(name, v[name]) {
			return
		}
	}
}

type lastError struct{ spec LastErrorSpec }

func (e lastError) Source() string   { return e.spec.Source }
func (e lastError) Reason() string   { return e.spec.Reason }
func (e lastError) Message() string  { return e.spec.Message }
func (e lastError) Scope() string    { return e.spec.Scope }
func (e lastError) Section() string  { return e.spec.Section }
func (e lastError) Path() string     { return e.spec.Path }
func (e lastError) PolicyID() string { return e.spec.PolicyID }
