package statement

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// cors is the compiled <cors>.
type cors struct {
	credentials, terminate             pipeline.Value
	maxAge                             pipeline.Value // seconds
	hasMaxAge                          bool
	origins, methods, headers, exposed []pipeline.Value
}

// newCORS builds <cors>. The first one that matches, or that ends the request, decides; the others do nothing.
func newCORS(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	c := &cors{}
	var errs [7]error
	c.credentials, errs[0] = b.Attr(s, "allow-credentials", "false")
	c.terminate, errs[1] = b.Attr(s, "terminate-unmatched-request", "true")
	for i, list := range []struct {
		name, item string
		to         *[]pipeline.Value
	}{{"allowed-origins", "origin", &c.origins}, {"allowed-methods", "method", &c.methods}, {"allowed-headers", "header", &c.headers}, {"expose-headers", "header", &c.exposed}} {
		if child := s.Child(list.name); child != nil {
			*list.to, errs[2+i] = b.Texts(child, list.item) //nolint:gosec // four lists
		}
	}
	if m := s.Child("allowed-methods"); m != nil && m.Has("preflight-result-max-age") {
		c.hasMaxAge = true
		c.maxAge, errs[6] = b.Attr(m, "preflight-result-max-age", "")
	}
	if s.Child("allowed-methods") == nil {
		c.methods = []pipeline.Value{pipeline.Literal("GET"), pipeline.Literal("POST")}
	}
	return c.run, errors.Join(errs[:]...)
}

func (c *cors) run(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	origin := x.Request.Header.Get("Origin")
	if origin == "" || x.CORS {
		return pipeline.Next, nil
	}
	grant, err := c.grant(x, origin)
	if err != nil {
		return pipeline.Next, err
	}
	x.CORS = grant != nil
	switch {
	case x.Preflight && grant != nil:
		return pipeline.End, c.answer(x, grant)
	case grant != nil:
		for _, f := range grant {
			if f.Name == "Vary" {
				x.AttachMore(f.Name, f.Value)
				continue
			}
			x.Attach(f.Name, f.Value)
		}
		return pipeline.Next, nil
	}
	return c.unmatched(x)
}

// unmatched ends a request of a stranger with an empty answer, where it should, and where the browser would otherwise
// have caused something at the backend that its page may not see.
func (c *cors) unmatched(x *pipeline.Exchange) (pipeline.Flow, error) {
	terminate, err := c.terminate.Bool(x)
	simple := x.Request.Method == "GET" || x.Request.Method == "HEAD"
	if err != nil || !terminate || !x.Preflight && !simple {
		return pipeline.Next, err
	}
	x.CORS = true
	return pipeline.End, x.SetResponse(pipeline.NewResponse(200))
}

// grant is the headers that let pages of an origin see the answer; nil when the request does not match.
func (c *cors) grant(x *pipeline.Exchange, origin string) ([]pipeline.Field, error) {
	origins, err := texts(x, c.origins)
	if err != nil {
		return nil, err
	}
	every := slices.Contains(origins, "*")
	if !every && !slices.ContainsFunc(origins, func(o string) bool { return sameOrigin(o, origin) }) {
		return nil, nil
	}
	if x.Preflight {
		if ok, err := c.allows(x); err != nil || !ok {
			return nil, err
		}
	}
	credentials, err := c.credentials.Bool(x)
	if err != nil {
		return nil, err
	}
	var out []pipeline.Field
	if every && !credentials {
		out = append(out, pipeline.Field{Name: "Access-Control-Allow-Origin", Value: "*"})
	} else {
		out = append(out, pipeline.Field{Name: "Access-Control-Allow-Origin", Value: origin}, pipeline.Field{Name: "Vary", Value: "Origin"})
	}
	if credentials {
		out = append(out, pipeline.Field{Name: "Access-Control-Allow-Credentials", Value: "true"})
	}
	if exposed, err := texts(x, c.exposed); err != nil {
		return nil, err
	} else if len(exposed) > 0 && !x.Preflight {
		out = append(out, pipeline.Field{Name: "Access-Control-Expose-Headers", Value: strings.Join(exposed, ",")})
	}
	return out, nil
}

// simpleHeaders need no permission.
var simpleHeaders = []string{"accept", "accept-language", "content-language", "content-type", "origin"}

// allows says whether a preflight request asks for a method and headers that are allowed.
func (c *cors) allows(x *pipeline.Exchange) (bool, error) {
	methods, err1 := texts(x, c.methods)
	headers, err2 := texts(x, c.headers)
	if err := errors.Join(err1, err2); err != nil {
		return false, err
	}
	if !contains(methods, x.Request.Header.Get("Access-Control-Request-Method")) {
		return false, nil
	}
	for _, h := range requestedHeaders(x) {
		if !contains(headers, h) && !contains(simpleHeaders, h) {
			return false, nil
		}
	}
	return true, nil
}

func requestedHeaders(x *pipeline.Exchange) []string {
	var out []string
	for _, line := range x.Request.Header.Values("Access-Control-Request-Headers") {
		for h := range strings.SplitSeq(line, ",") {
			if h = strings.TrimSpace(h); h != "" {
				out = append(out, h)
			}
		}
	}
	return out
}

// contains looks for a name without case; a star in the list stands for every name.
func contains(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return s == "*" || strings.EqualFold(s, name) })
}

// answer is the response to a preflight request that matches.
func (c *cors) answer(x *pipeline.Exchange, grant []pipeline.Field) error {
	methods, err1 := texts(x, c.methods)
	headers, err2 := texts(x, c.headers)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	m := pipeline.NewResponse(200)
	for _, f := range grant {
		m.Header.Add(f.Name, f.Value)
	}
	m.Header.Add("Access-Control-Allow-Methods", listed(methods, x.Request.Header.Values("Access-Control-Request-Method")))
	if asked := requestedHeaders(x); len(asked) > 0 {
		m.Header.Add("Access-Control-Allow-Headers", listed(headers, asked))
	}
	if c.hasMaxAge {
		n, err := c.maxAge.Int(x)
		if err != nil {
			return err
		}
		m.Header.Add("Access-Control-Max-Age", strconv.FormatInt(n, 10))
	}
	return x.SetResponse(m)
}

// listed is what is allowed; where that is everything, what was asked for: browsers take no star with credentials.
func listed(allowed, asked []string) string {
	if len(allowed) == 0 || slices.Contains(allowed, "*") {
		allowed = asked
	}
	return strings.Join(allowed, ",")
}

func texts(x *pipeline.Exchange, values []pipeline.Value) ([]string, error) {
	var out []string
	for _, v := range values {
		s, ok, err := v.String(x)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, strings.TrimSpace(s))
		}
	}
	return out, nil
}

// sameOrigin compares scheme, host and port, of which the usual one may be left out.
func sameOrigin(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	x, err1 := url.Parse(strings.TrimSuffix(a, "/"))
	y, err2 := url.Parse(strings.TrimSuffix(b, "/"))
	return err1 == nil && err2 == nil && x.Host != "" && strings.EqualFold(x.Scheme, y.Scheme) &&
		strings.EqualFold(x.Hostname(), y.Hostname()) && port(x) == port(y)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case strings.EqualFold(u.Scheme, "https"):
		return "443"
	case strings.EqualFold(u.Scheme, "http"):
		return "80"
	}
	return ""
}
