package statement

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/route"
	"github.com/portico-dev/portico/internal/policy"
)

// rewriteURI builds <rewrite-uri>: a new path and query below the backend's base URL. Placeholders stand for
// parameters of the API operation's template.
func rewriteURI(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	template, err := b.Required(s, "template")
	if err != nil {
		return nil, err
	}
	copyRest, err := b.Bool(s, "copy-unmatched-params", true)
	if err != nil {
		return nil, err
	}
	if text, fixed := template.Fixed(); fixed && b.Scope == policy.Operation {
		for _, name := range placeholders(text) {
			if !slices.ContainsFunc(b.Params, func(p string) bool { return strings.EqualFold(p, name) }) {
				return nil, b.Errorf(s, "The 'template' attribute is invalid - The parameter '%s' is not in the URL template of the operation.", name)
			}
		}
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		text, _, err := template.String(x)
		if err != nil {
			return pipeline.Next, err
		}
		return pipeline.Next, rewrite(x, text, copyRest)
	}, nil
}

// rewrite puts the filled template in the place of path and query. Query parameters that the operation's template
// declares are dropped; the others follow when copyRest says so.
func rewrite(x *pipeline.Exchange, template string, copyRest bool) error {
	path, query, _ := strings.Cut(template, "?")
	path, err := fill(x, path, pathText)
	if err != nil {
		return err
	}
	query, err = fill(x, query, queryText)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u := pipeline.URL{Path: path, RawQuery: query}
	if copyRest {
		rest := pipeline.URL{RawQuery: x.Request.URL.RawQuery}
		if x.Operation != nil {
			rest.WithoutQuery(route.QueryKeys(x.Operation.URLTemplate)...)
		}
		u = pipeline.URL{Path: u.Path}.Join("", u.RawQuery).Join("", rest.RawQuery)
	}
	x.Request.URL.Path, x.Request.URL.RawQuery = u.Path, u.RawQuery
	return nil
}

// pathText is a capture as it goes into a path, queryText as it goes into a query: one that stays where it was keeps
// its encoding.
func pathText(p route.Param) string {
	if p.Query {
		if plain, err := url.QueryUnescape(p.Value); err == nil {
			return url.PathEscape(plain)
		}
	}
	return p.Value
}

func queryText(p route.Param) string {
	if !p.Query {
		if plain, err := url.PathUnescape(p.Value); err == nil {
			return url.QueryEscape(plain)
		}
	}
	return p.Value
}

// fill replaces {name} by captures of the request.
func fill(x *pipeline.Exchange, text string, encode func(route.Param) string) (string, error) {
	if !strings.Contains(text, "{") {
		return text, nil
	}
	var b strings.Builder
	for {
		name, before, after, ok := placeholder(text)
		if !ok {
			b.WriteString(text)
			return b.String(), nil
		}
		p, found := x.Param(name)
		if !found {
			return "", fmt.Errorf("the parameter %q is not in the URL template of the operation", name)
		}
		b.WriteString(before)
		b.WriteString(encode(p))
		text = after
	}
}

// placeholder finds the first {name} of a text; {*name} stands for name.
func placeholder(text string) (name, before, after string, ok bool) {
	open := strings.IndexByte(text, '{')
	if open < 0 {
		return "", "", "", false
	}
	end := strings.IndexByte(text[open:], '}')
	if end < 0 {
		return "", "", "", false
	}
	end += open
	return strings.TrimPrefix(text[open+1:end], "*"), text[:open], text[end+1:], true
}

func placeholders(text string) []string {
	var names []string
	for {
		name, _, after, ok := placeholder(text)
		if !ok {
			return names
		}
		names, text = append(names, name), after
	}
}
