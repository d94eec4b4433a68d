// Package fixed is a context object with fixed content, written down as JSON: for trying an expression at the shell and
// for tests of policies. What the JSON leaves out is null, or the empty default of its type.
//
// Start reading at Spec, which is the JSON's shape, then at New.
package fixed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// Spec is the shape of the JSON.
type Spec struct {
	RequestID    string                     `json:"requestId"` // a GUID
	Timestamp    time.Time                  `json:"timestamp"` // default: 2024-01-01T00:00:00Z
	Elapsed      string                     `json:"elapsed"`   // as Go writes durations: 1.5s
	Tracing      bool                       `json:"tracing"`
	Variables    map[string]json.RawMessage `json:"variables"` // objects and arrays become JObject and JArray
	Request      RequestSpec                `json:"request"`
	Response     *ResponseSpec              `json:"response"`
	API          *APISpec                   `json:"api"`
	Operation    *OperationSpec             `json:"operation"`
	Product      *ProductSpec               `json:"product"`
	Subscription *SubscriptionSpec          `json:"subscription"`
	User         *UserSpec                  `json:"user"`
	Deployment   *DeploymentSpec            `json:"deployment"`
	LastError    *LastErrorSpec             `json:"lastError"`
	GraphQL      *GraphQLSpec               `json:"graphQL"`
}

// RequestSpec is context.Request.
type RequestSpec struct {
	Method            string            `json:"method"`      // default: GET
	URL               string            `json:"url"`         // default: https://api.example.com/
	OriginalURL       string            `json:"originalUrl"` // default: URL
	IPAddress         string            `json:"ipAddress"`   // default: 127.0.0.1
	Headers           map[string]Values `json:"headers"`
	Body              *string           `json:"body"`
	MatchedParameters map[string]string `json:"matchedParameters"`
	Certificate       string            `json:"certificate"` // PEM
	PrivateEndpoint   *EndpointSpec     `json:"privateEndpointConnection"`
}

// EndpointSpec is context.Request.PrivateEndpointConnection.
type EndpointSpec struct {
	Name       string `json:"name"`
	GroupID    string `json:"groupId"`
	MemberName string `json:"memberName"`
}

// ResponseSpec is context.Response.
type ResponseSpec struct {
	StatusCode   int               `json:"statusCode"` // default: 200
	StatusReason string            `json:"statusReason"`
	Headers      map[string]Values `json:"headers"`
	Body         *string           `json:"body"`
}

// APISpec is context.Api.
type APISpec struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Path       string   `json:"path"`
	Protocols  []string `json:"protocols"`
	ServiceURL string   `json:"serviceUrl"`
	Revision   string   `json:"revision"`
	Version    string   `json:"version"`
	IsCurrent  bool     `json:"isCurrentRevision"`
}

// OperationSpec is context.Operation.
type OperationSpec struct {
	ID          string `json:"id"`
	Method      string `json:"method"`
	Name        string `json:"name"`
	URLTemplate string `json:"urlTemplate"`
}

// ProductSpec is context.Product.
type ProductSpec struct {
	ID                   string    `json:"id"`
	Name                 string    `json:"name"`
	ApprovalRequired     bool      `json:"approvalRequired"`
	SubscriptionRequired bool      `json:"subscriptionRequired"`
	SubscriptionLimit    *int      `json:"subscriptionLimit"`
	Published            bool      `json:"published"`
	APIs                 []APISpec `json:"apis"`
	Groups               []string  `json:"groups"`
}

// SubscriptionSpec is context.Subscription.
type SubscriptionSpec struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	Key          string     `json:"key"`
	PrimaryKey   string     `json:"primaryKey"`
	SecondaryKey string     `json:"secondaryKey"`
	CreatedDate  time.Time  `json:"createdDate"`
	StartDate    *time.Time `json:"startDate"`
	EndDate      *time.Time `json:"endDate"`
}

// UserSpec is context.User.
type UserSpec struct {
	ID               string         `json:"id"`
	Email            string         `json:"email"`
	FirstName        string         `json:"firstName"`
	LastName         string         `json:"lastName"`
	Note             string         `json:"note"`
	RegistrationDate time.Time      `json:"registrationDate"`
	Groups           []string       `json:"groups"`
	Identities       []IdentitySpec `json:"identities"`
}

// IdentitySpec is one of context.User.Identities.
type IdentitySpec struct {
	ID       string `json:"id"`
	Provider string `json:"provider"`
}

// DeploymentSpec is context.Deployment.
type DeploymentSpec struct {
	GatewayID    string   `json:"gatewayId"` // default: managed
	InstanceID   string   `json:"gatewayInstanceId"`
	Region       string   `json:"region"`
	ServiceID    string   `json:"serviceId"`
	ServiceName  string   `json:"serviceName"`
	Certificates []string `json:"certificates"` // PEM, each with or without its private key
}

// LastErrorSpec is context.LastError.
type LastErrorSpec struct {
	Source   string `json:"source"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
	Scope    string `json:"scope"`
	Section  string `json:"section"`
	Path     string `json:"path"`
	PolicyID string `json:"policyId"`
}

// GraphQLSpec is context.GraphQL, which only resolvers have.
type GraphQLSpec struct {
	Arguments json.RawMessage `json:"arguments"`
	Parent    json.RawMessage `json:"parent"`
}

// Values are those of a header: one text, or a list of them.
type Values []string

// UnmarshalJSON reads both forms.
func (v *Values) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*v = Values{one}
		return nil
	}
	var all []string
	if err := json.Unmarshal(data, &all); err != nil {
		return errors.New("a header is a text or a list of texts")
	}
	*v = all
	return nil
}

// Parse reads a Spec. An unknown name is an error that names it.
func Parse(data []byte) (Spec, error) {
	var s Spec
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("read context: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return s, errors.New("read context: there is more after its end")
	}
	return s, nil
}

// New makes the context object.
func New(s Spec) (apim.Context, error) {
	c := &object{spec: s, id: uuid.Nil}
	var err error
	if s.RequestID != "" {
		if c.id, err = uuid.Parse(s.RequestID); err != nil {
			return nil, fmt.Errorf("requestId: %w", err)
		}
	}
	if s.Elapsed != "" {
		if c.elapsed, err = time.ParseDuration(s.Elapsed); err != nil {
			return nil, fmt.Errorf("elapsed: %w", err)
		}
	}
	if s.Timestamp.IsZero() {
		c.spec.Timestamp = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if c.request, err = newRequest(s.Request); err != nil {
		return nil, err
	}
	if s.Response != nil {
		c.response = newResponse(*s.Response)
	}
	if s.API != nil {
		if c.api, err = newAPI(*s.API); err != nil {
			return nil, fmt.Errorf("api.%w", err)
		}
	}
	if s.Product != nil {
		if c.product, err = newProduct(*s.Product); err != nil {
			return nil, err
		}
	}
	if s.Deployment != nil {
		if c.deployment, err = newDeployment(*s.Deployment); err != nil {
			return nil, err
		}
	}
	if c.variables, err = newVariables(s.Variables); err != nil {
		return nil, err
	}
	if s.GraphQL != nil {
		return resolver{c}, nil
	}
	return c, nil
}

// newVariables gives every variable the type that set-variable would have given it.
func newVariables(raw map[string]json.RawMessage) (variables, error) {
	vars := variables{}
	for name, data := range raw {
		v, err := value(data)
		if err != nil {
			return nil, fmt.Errorf("variables.%s: %w", name, err)
		}
		vars[name] = v
	}
	return vars, nil
}

// value turns JSON into a value: true and false, numbers and texts into theirs, objects and arrays into JObject and
// JArray.
func value(data json.RawMessage) (clr.Value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		return clr.Null, err
	}
	switch x := x.(type) {
	case nil:
		return clr.Null, nil
	case bool:
		return clr.Bool(x), nil
	case string:
		return clr.String(x), nil
	case json.Number:
		return number(x)
	}
	return token(string(data))
}

func number(n json.Number) (clr.Value, error) {
	if i, err := n.Int64(); err == nil {
		if i == int64(int32(i)) {
			return clr.Int(int(i)), nil
		}
		return clr.Long(i), nil
	}
	f, err := n.Float64()
	return clr.Float(f), err
}

// token parses JSON the way that expressions do, by an expression.
func token(text string) (clr.Value, error) {
	const source = `JToken.Parse((string)context.Variables["json"])`
	p, errs := csharp.Compile(source, csharp.Options{Types: apim.Universe(), Context: apim.ContextType()})
	if errs != nil {
		return clr.Null, errs
	}
	f := csharp.NewFrame(context.Background(), apim.Context(&object{variables: variables{"json": clr.String(text)}}))
	defer f.Release()
	return p.Run(f)
}
