// Package apim declares the object that expressions know as context: its types
// as rows over small Go interfaces.
//
// The gateway's exchange implements the interfaces; the control plane compiles
// policies against the same rows without any implementation. Interfaces that
// return an interface return a nil one where C# sees null. A Go type must not
// implement both Request and Response, nor several of the others: casts go by
// what a value implements. Start reading at Context.
package apim

import (
	"net/url"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// Context is the context object of one request.
type Context interface {
	API() API // nil when none matched
	Deployment() Deployment
	Elapsed() time.Duration
	LastError() LastError // nil unless an error is being handled
	Operation() Operation // nil when none matched
	Product() Product     // nil outside of a product
	Request() Request
	RequestID() [16]byte
	Response() Response // nil before there is one
	Subscription() Subscription
	Timestamp() time.Time
	Tracing() bool
	User() User
	Variables() Variables
	Trace(source, message string)
}

// GraphQL is implemented by contexts of resolvers: arguments and parent as JSON
// text, "" for null.
type GraphQL interface {
	GraphQLArguments() string
	GraphQLParent() string
}

// Variables are the variables of a request. Set is for policies; expressions
// only read.
type Variables interface {
	Get(name string) (clr.Value, bool)
	Each(yield func(name string, v clr.Value) bool)
	Len() int
}

// Header is a set of names with values: headers and query parameters. Names
// compare without case.
type Header interface {
	Get(name string) (value string, ok bool) // values joined with commas
	Values(name string) []string             // nil when absent
	Each(yield func(name string) bool)
	Len() int
}

// Strings is a map of names to one value each, as matched parameters.
type Strings interface {
	Get(name string) (string, bool)
	Each(yield func(name, value string) bool)
	Len() int
}

// Body is a body that can be read. Read takes the content; with preserve it may
// be read again.
type Body interface {
	Read(preserve bool) ([]byte, error)
}

// URL is an address.
type URL interface {
	Scheme() string
	Host() string
	Port() int
	Path() string
	QueryString() string // with the question mark, or empty
	Query() Header
	String() string
}

// Request is the request as policies see it.
type Request interface {
	Body() Body // nil when there is none
	Certificate() *lib.Certificate
	Headers() Header
	IPAddress() string
	MatchedParameters() Strings
	Method() string
	OriginalURL() URL
	URL() URL
}

// PrivateEndpoint is implemented by requests that may come through a private
// endpoint.
type PrivateEndpoint interface {
	PrivateEndpointConnection() (name, group, member string, ok bool)
}

// Response is a response, of the backend or of send-request.
type Response interface {
	Body() Body
	Headers() Header
	StatusCode() int
	StatusReason() string
}

// API describes an API.
type API interface {
	APIID() string
	Name() string
	Path() string
	Protocols() []string
	ServiceURL() URL // nil when it has none
	SubscriptionKeyHeader() string
	SubscriptionKeyQuery() string
	IsCurrentRevision() bool
	Revision() string
	Version() string
}

// Deployment describes where the request is handled.
type Deployment interface {
	GatewayID() string
	GatewayInstanceID() string
	IsManaged() bool
	Region() string
	ServiceID() string
	ServiceName() string
	Certificate(thumbprint string) *lib.Certificate
	EachCertificate(yield func(thumbprint string, c *lib.Certificate) bool)
}

// LastError is the error that is being handled.
type LastError interface {
	Source() string
	Reason() string
	Message() string
	Scope() string
	Section() string
	Path() string
	PolicyID() string
}

// Operation describes the API operation.
type Operation interface {
	OperationID() string
	Method() string
	Name() string
	URLTemplate() string
}

// Product describes the product of the subscription.
type Product interface {
	ProductID() string
	Name() string
	ApprovalRequired() bool
	SubscriptionRequired() bool
	SubscriptionLimit() (int, bool)
	Published() bool
	APIs() []API
	Groups() []Group
}

// Group is a group of users.
type Group interface {
	GroupID() string
	GroupName() string
}

// Subscription is the product subscription of the request.
type Subscription interface {
	SubscriptionID() string
	Name() string
	Key() string
	PrimaryKey() string
	SecondaryKey() string
	CreatedDate() time.Time
	StartDate() (time.Time, bool)
	EndDate() (time.Time, bool)
}

// User is the user of the subscription.
type User interface {
	UserID() string
	Email() string
	FirstName() string
	LastName() string
	Note() string
	RegistrationDate() time.Time
	Groups() []Group
	Identities() []Identity
}

// Identity is one way in which a user signs in.
type Identity struct{ ID, Provider string }

// typeOf tells the C# type of an object of the host.
func typeOf(t *types) func(any) *clr.Type {
	return func(x any) *clr.Type {
		switch x.(type) {
		case Request:
			return t.request
		case Response:
			return t.response
		case Context:
			return t.context
		case URL:
			return t.url
		case Body:
			return t.body
		case API:
			return t.api
		case Operation:
			return t.operation
		case Product:
			return t.product
		case Subscription:
			return t.subscription
		case User:
			return t.user
		case Group:
			return t.group
		case LastError:
			return t.lastError
		case Deployment:
			return t.deployment
		}
		return nil
	}
}

// escapeQuery writes form fields.
func escapeQuery(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "+") }
