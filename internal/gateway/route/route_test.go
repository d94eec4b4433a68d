package route_test

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/gateway/route"
)

// api is an entry of a table whose operations are not compiled yet.
type api struct {
	Path       string
	Version    route.Version
	Operations []route.Operation
}

// newTable ranks APIs in their order.
func newTable(apis []api) (t route.Table[int], err error) {
	for i, a := range apis {
		ops, err := route.Compile(func() []route.Operation { return a.Operations })
		if err != nil {
			return t, err
		}
		t = t.With(route.Entry[int]{Path: a.Path, Version: a.Version, Operations: ops, Rank: fmt.Sprintf("%03d", i), API: i})
	}
	return t, nil
}

func TestMatch(t *testing.T) {
	t.Parallel()
	table, err := newTable([]api{
		{Path: "", Operations: ops("GET /root", "* /*")},
		{Path: "shop", Operations: ops(
			"GET /", "GET /orders", "GET /orders/{id}", "GET /orders/new", "POST /orders/{id}", "GET /orders/{id}?page={page}",
			"GET /files/*", "GET /Products({id})", "GET /a/{x}.{ext}", "DELETE /docs/{*rest}", "GET /q?kind=a", "GET /q?kind={k}", "* /q")},
		{Path: "shop/v2", Operations: ops("GET /orders")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ request, want string }{
		{"GET /root", "0.0"},
		{"PUT /anything/else", "0.1"},
		{"GET /shop", "1.0"},
		{"GET /shop/", "1.0 /"},
		{"GET /SHOP/Orders", "1.1 /Orders"},
		{"GET /shop/orders/", "1.1 /orders/"},
		{"GET /shop/orders/7", "1.2 /orders/7 id=7"},
		{"GET /shop/orders/a%2Fb", "1.2 /orders/a%2Fb id=a%2Fb"},
		{"GET /shop/orders/n%65w", "1.3 /orders/n%65w"},
		{"POST /shop/orders/new", "1.4 /orders/new id=new"},
		{"GET /shop/orders/7?x=1&Page=2", "1.5 /orders/7 id=7 page=2?"},
		{"GET /shop/files", "1.6 /files"},
		{"GET /shop/files/a/b", "1.6 /files/a/b"},
		{"GET /shop/products(7)", "1.7 /products(7) id=7"},
		{"GET /shop/a/b.c.d", "1.8 /a/b.c.d x=b ext=c.d"},
		{"DELETE /shop/docs/a/b", "1.9 /docs/a/b rest=a/b"},
		{"GET /shop/q?kind=a", "1.10 /q"},
		{"GET /shop/q?kind=b", "1.11 /q k=b?"},
		{"PUT /shop/q", "1.12 /q"},
		{"GET /shop/none/at/all", "1.-1 /none/at/all"},
		{"HEAD /shop/orders", "1.-1 /orders"},
		{"GET /shop/v2/orders", "2.0 /orders"},
		{"GET /shop/v2/other", "2.-1 /other"},
		{"GET /shop/v22/other", "1.-1 /v22/other"},
		{"GET /shopping", "0.1 /shopping"},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		path, query, _ := strings.Cut(target, "?")
		m, ok := table.Match(route.Request{Method: method, Path: path, Query: query}, nil)
		got := fmt.Sprintf("%d.%d %s", m.API, m.Operation, m.Rest)
		for _, p := range m.Params {
			got += " " + p.Name + "=" + p.Value
			if p.Query {
				got += "?"
			}
		}
		if want := c.want; !ok || got != want && strings.TrimSpace(strings.TrimSuffix(got, path)) != want {
			t.Errorf("%s: got %q, want %q", c.request, got, want)
		}
	}
}

type headers map[string]string

func (h headers) Has(name string) bool   { _, ok := h[strings.ToLower(name)]; return ok }
func (h headers) Get(name string) string { return h[strings.ToLower(name)] }

// Of several APIs with one path the request's header or query parameter chooses; where none fits, the path counts as
// taken by nobody.
func TestMatch_Versions(t *testing.T) {
	t.Parallel()
	in := func(place route.Place, name, value string) route.Version {
		return route.Version{In: place, Name: name, Value: value}
	}
	table, err := newTable([]api{
		{Path: "a", Operations: ops("GET /*")},
		{Path: "a/h", Version: in(route.Header, "Api-Version", "v1"), Operations: ops("GET /x")},
		{Path: "a/h", Version: in(route.Header, "Api-Version", "v2"), Operations: ops("GET /x", "GET /y")},
		{Path: "a/h", Version: in(route.Header, "Api-Version", "v2"), Operations: ops("GET /never")},
		{Path: "q", Version: in(route.Query, "api-version", ""), Operations: ops("GET /x")},
		{Path: "q", Version: in(route.Query, "api-version", "2024-01-01 a"), Operations: ops("GET /x")},
		{Path: "q/v1", Operations: ops("GET /x")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, version string // the header, "-" for none
		want            string
	}{
		{"/a/h/x", "v1", "1.0"},
		{"/a/h/x", "V2", "2.0"},
		{"/a/h/y", "v2", "2.1"},
		{"/a/h/y", "v1", "1.-1"},
		{"/a/h/x", "v3", "0.0"}, // nobody's: the shorter path has it
		{"/a/h/x", "-", "0.0"},
		{"/q/x", "-", "4.0"},
		{"/q/x?Api-Version=2024-01-01%20A", "-", "5.0"},
		{"/q/x?api-version=2024-01-01+a&x=1", "-", "5.0"},
		{"/q/x?api-version=v9", "-", "none"},
		{"/q/x?api-version=", "-", "none"},
		{"/q/v1/x", "-", "6.0"},
		{"/q/v1/x?api-version=v9", "-", "6.0"},
	} {
		path, query, _ := strings.Cut(c.target, "?")
		r := route.Request{Method: "GET", Path: path, Query: query}
		if c.version != "-" {
			r.Header = headers{"api-version": c.version}
		}
		got := "none"
		if m, ok := table.Match(r, nil); ok {
			got = fmt.Sprintf("%d.%d", m.API, m.Operation)
		}
		if got != c.want {
			t.Errorf("%s with %s: got %s, want %s", c.target, c.version, got, c.want)
		}
	}
}

func TestMatch_NothingFits(t *testing.T) {
	t.Parallel()
	table, err := newTable([]api{{Path: "shop", Operations: ops("* /*")}})
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := table.Match(route.Request{Method: "GET", Path: "/other", Query: ""}, nil); ok {
		t.Fatalf("got %+v", m)
	}
}

func TestNew_RefusesTemplates(t *testing.T) {
	t.Parallel()
	for _, template := range []string{"/a/*/b", "/{a}{b}", "/x{}", "/x{a", "/x}a{b}"} {
		if _, err := newTable([]api{{Operations: ops("GET " + template)}}); err == nil {
			t.Errorf("%s: no error", template)
		}
	}
}

func TestMatch_AllocatesNothing(t *testing.T) {
	table, err := newTable([]api{{Path: "shop", Operations: ops("GET /orders/{id}/items", "GET /orders/new/items")}})
	if err != nil {
		t.Fatal(err)
	}
	params := make([]route.Param, 0, 4)
	n := testing.AllocsPerRun(100, func() {
		if m, _ := table.Match(route.Request{Method: "GET", Path: "/Shop/orders/7/items", Query: "a=b"}, params); m.Operation != 0 {
			t.Fatal("no match")
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations, want 0", n)
	}
}

func ops(lines ...string) []route.Operation {
	var out []route.Operation
	for _, l := range lines {
		method, template, _ := strings.Cut(l, " ")
		out = append(out, route.Operation{Method: method, Template: template})
	}
	return out
}

// TestMatch_AgreesWithTheObvious compares the trie with a reference that tries every template of every API.
func TestMatch_AgreesWithTheObvious(t *testing.T) {
	t.Parallel()
	word := rapid.SampledFrom([]string{"a", "b", "A", "ab", "a.b", "{p}", "{q}", "{p}.{q}", "a{p}", "x({p})"})
	rapid.Check(t, func(t *rapid.T) {
		var apis []api
		paths := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"", "a", "a/b", "b", "ab"}), 1, 4, rapid.ID).Draw(t, "paths")
		for _, p := range paths {
			a := api{Path: p}
			for range rapid.IntRange(0, 6).Draw(t, "operations") {
				template := "/" + strings.Join(rapid.SliceOfN(word, 0, 3).Draw(t, "template"), "/")
				template += rapid.SampledFrom([]string{"", "", "", "/*", "/{*w}"}).Draw(t, "tail")
				template += rapid.SampledFrom([]string{"", "", "", "?k={k}", "?k=1", "?k={k}&l={l}"}).Draw(t, "query")
				template = strings.ReplaceAll(template, "//", "/")
				a.Operations = append(a.Operations, route.Operation{Method: rapid.SampledFrom([]string{"GET", "PUT", "*"}).Draw(t, "method"), Template: template})
			}
			apis = append(apis, a)
		}
		table, err := newTable(apis)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			part := rapid.SampledFrom([]string{"a", "b", "B", "ab", "a.b", "a.b.c", "x(7)", "c", "%61"})
			path := "/" + strings.Join(rapid.SliceOfN(part, 0, 5).Draw(t, "path"), "/")
			query := rapid.SampledFrom([]string{"", "k=1", "k=2", "K=1&l=3", "l=3"}).Draw(t, "request query")
			method := rapid.SampledFrom([]string{"GET", "PUT", "DELETE"}).Draw(t, "request method")
			got, gotOK := table.Match(route.Request{Method: method, Path: path, Query: query}, nil)
			want, wantOK := obvious(apis, method, path, query)
			if diff := cmp.Diff(want, got); diff != "" || wantOK != gotOK {
				t.Fatalf("%s %s?%s in %+v: %v, %v\n%s", method, path, query, apis, wantOK, gotOK, diff)
			}
		}
	})
}

// TestTable_EditsLeadToTheSameAsAFreshTable: whatever entries came and went, what is found is what a table finds that
// never had others; the tables on the way stay what they were.
func TestTable_EditsLeadToTheSameAsAFreshTable(t *testing.T) {
	t.Parallel()
	type entry = route.Entry[int]
	everything, err := route.Compile(func() []route.Operation { return ops("* /*") })
	if err != nil {
		t.Fatal(err)
	}
	find := func(table route.Table[int]) (found []string) {
		for _, path := range []string{"/", "/a", "/A/b/c", "/a/b", "/a/c", "/%61/b", "/b"} {
			for _, header := range []headers{nil, {"v": "1"}, {"v": "2"}} {
				m, ok := table.Match(route.Request{Method: "GET", Path: path, Header: header}, nil)
				found = append(found, fmt.Sprint(path, header, m.API, m.Rest, ok))
			}
		}
		return found
	}
	rapid.Check(t, func(t *rapid.T) {
		var table route.Table[int]
		have := map[string]entry{}
		type state struct {
			table route.Table[int]
			want  []string
		}
		var states []state
		for i := range rapid.IntRange(1, 30).Draw(t, "edits") {
			path := rapid.SampledFrom([]string{"", "a", "A", "a/b", "a//b", "b", "a/b/c"}).Draw(t, "path")
			rank := rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(t, "rank")
			key := strings.ToLower(strings.ReplaceAll(path, "//", "/")) + " " + rank
			if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				table = table.Without(path, rank)
				delete(have, key)
			} else {
				e := entry{Path: path, Rank: rank, Operations: everything, API: i}
				if value := rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "version"); value != "" {
					e.Version = route.Version{In: route.Header, Name: "v", Value: value}
				}
				table = table.With(e)
				have[key] = e
			}
			var fresh route.Table[int]
			for _, key := range slices.Sorted(maps.Keys(have)) {
				fresh = fresh.With(have[key])
			}
			states = append(states, state{table, find(fresh)})
		}
		for i, s := range states {
			if diff := cmp.Diff(s.want, find(s.table)); diff != "" {
				t.Fatalf("after edit %d (-fresh +edited):\n%s", i, diff)
			}
		}
		if len(have) == 0 && table != (route.Table[int]{}) {
			t.Fatal("an empty table keeps something")
		}
	})
}

// obvious is Match by trying everything.
func obvious(apis []api, method, path, query string) (route.Match[int], bool) {
	best, rest := -1, ""
	for i, a := range apis {
		prefix := segments(a.Path)
		have := segments(path)
		if len(have) < len(prefix) || best >= 0 && len(prefix) <= len(segments(apis[best].Path)) {
			continue
		}
		fits := true
		for j := range prefix {
			fits = fits && strings.EqualFold(prefix[j], decode(have[j]))
		}
		if fits {
			best, rest = i, tail(path, len(prefix))
		}
	}
	if best < 0 {
		return route.Match[int]{}, false
	}
	out := route.Match[int]{API: best, Operation: -1, Rest: rest}
	bestRank := ""
	for i, o := range apis[best].Operations {
		template, want, _ := strings.Cut(o.Template, "?")
		params, rank, ok := match(apis[best].Operations, segments(template), segments(rest), rest)
		if !ok || o.Method != "*" && o.Method != method {
			continue
		}
		values, _ := url.ParseQuery(strings.ToLower(query))
		n := 0
		for pair := range strings.SplitSeq(want, "&") {
			k, v, found := strings.Cut(pair, "=")
			if !found {
				continue
			}
			n++
			name := strings.Trim(v, "{}")
			switch {
			case !values.Has(k), name == v && values.Get(k) != v:
				ok = false
			case name != v:
				params = append(params, route.Param{Name: name, Value: values.Get(k), Query: true})
			}
		}
		rank += fmt.Sprintf("~%d%v%03d", 9-n, o.Method == "*", i)
		if ok && (bestRank == "" || rank < bestRank) {
			bestRank, out.Operation, out.Params = rank, i, params
		}
	}
	return out, true
}

// match compares a template with a path and ranks it: one letter a segment, better ones first.
func match(ops []route.Operation, template, have []string, path string) (params []route.Param, rank string, ok bool) {
	for i, s := range template {
		if s == "*" || strings.HasPrefix(s, "{*") {
			if s != "*" {
				params = append(params, route.Param{Name: strings.Trim(s, "{*}"), Value: strings.TrimPrefix(tail(path, i), "/")})
			}
			return params, rank + "w", true
		}
		if i >= len(have) {
			return nil, "", false
		}
		if !strings.Contains(s, "{") {
			if !strings.EqualFold(s, decode(have[i])) {
				return nil, "", false
			}
			rank += "a"
			continue
		}
		names := regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(s, -1)
		pattern := regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(s), "(.+?)")
		m := regexp.MustCompile("(?i)^" + pattern + "$").FindStringSubmatch(have[i])
		if m == nil {
			return nil, "", false
		}
		for j, n := range names {
			params = append(params, route.Param{Name: n[1], Value: m[j+1]})
		}
		if names[0][0] == s {
			rank += "c"
		} else {
			rank += "b" + firstUse(ops, template, i+1)
		}
	}
	return params, rank + "A", len(template) == len(have)
}

// firstUse is the number of the first operation whose template begins with the same shapes as template[:n]: mixed
// segments are tried in the order in which a table met them.
func firstUse(ops []route.Operation, template []string, n int) string {
	for i, o := range ops {
		path, _, _ := strings.Cut(o.Template, "?")
		other := segments(path)
		if len(other) >= n && slices.EqualFunc(other[:n], template[:n], func(a, b string) bool { return shape(a) == shape(b) }) {
			return fmt.Sprintf("%03d", i)
		}
	}
	return ""
}

var names = regexp.MustCompile(`\{[^}]*\}`)

func shape(segment string) string { return strings.ToLower(names.ReplaceAllString(segment, "{}")) }

func segments(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" })
}

func tail(path string, n int) string {
	for range n {
		i := strings.IndexByte(path[1:], '/')
		if i < 0 {
			return ""
		}
		path = path[1+i:]
	}
	return path
}

func decode(s string) string {
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}

func FuzzMatch(f *testing.F) {
	f.Add("/shop/{id}?a={b}", "/shop/7", "a=1")
	f.Add("/x({id}).{f}/*", "/x(1).2/3", "")
	f.Fuzz(func(t *testing.T, template, path, query string) {
		table, err := newTable([]api{{Path: "p", Operations: []route.Operation{{Method: "*", Template: template}}}})
		if err != nil {
			return
		}
		table.Match(route.Request{Method: "GET", Path: path, Query: query}, nil)
		table.Match(route.Request{Method: "GET", Path: "/p" + path, Query: query}, nil)
	})
}

func BenchmarkMatch(b *testing.B) {
	var apis []api
	for a := range 20 {
		var list []route.Operation
		for o := range 300 {
			list = append(list, route.Operation{Method: "GET", Template: fmt.Sprintf("/things%d/{id}/parts", o)})
		}
		apis = append(apis, api{Path: fmt.Sprintf("api%d", a), Operations: list})
	}
	table, err := newTable(apis)
	if err != nil {
		b.Fatal(err)
	}
	params := make([]route.Param, 0, 4)
	b.ReportAllocs()
	for b.Loop() {
		if m, _ := table.Match(route.Request{Method: "GET", Path: "/api7/things151/42/parts", Query: ""}, params); m.Operation != 151 {
			b.Fatal("no match")
		}
	}
}
