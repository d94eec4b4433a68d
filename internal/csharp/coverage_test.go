package csharp_test

import (
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/check"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// TestMemberRows_HaveCases binds all golden cases and looks up which rows they
// use: every row of the table and of the context object must have a case. Calls
// with constants fold, which leaves no trace; the cases are therefore bound
// against a table of the library without folding, too. Constants are looked for
// by their names.
func TestMemberRows_HaveCases(t *testing.T) {
	t.Parallel()
	var cases []goldenCase
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		cases = append(cases, readGolden(t, file)...)
	}
	var sources strings.Builder
	for _, c := range cases {
		sources.WriteString(c.src + "\n")
	}
	used := map[string]bool{}
	bind(cases, check.Options{Types: unfolded(t)}, used)
	bind(cases, check.Options{Types: apim.Universe(), Context: apim.ContextType()}, used)
	constants := dotted(sources.String())
	total := 0
	var missing []string
	for _, typ := range apim.Universe().Types() {
		for _, m := range apim.Universe().All(typ) {
			total++
			if !used[rowName(m)] && !(m.Const != nil && namesConstant(constants, m)) {
				missing = append(missing, rowName(m))
			}
		}
	}
	t.Logf("member rows: %d, with a case: %d", total, total-len(missing))
	if len(missing) > 0 {
		t.Errorf("%d rows have no case:\n%s", len(missing), strings.Join(missing, "\n"))
	}
}

// dotted maps each name that follows a dot in sources to the words before it.
func dotted(sources string) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, chain := range regexp.MustCompile(`\w+(?:\.\w+)+`).FindAllString(sources, -1) {
		words := strings.Split(chain, ".")
		for i, name := range words[1:] {
			if out[name] == nil {
				out[name] = map[string]bool{}
			}
			out[name][words[i]] = true
		}
	}
	return out
}

// namesConstant tells whether sources read a constant, of which no tree keeps a
// trace.
func namesConstant(dotted map[string]map[string]bool, m *clr.Member) bool {
	for word := range dotted[m.Name] {
		if word == m.Owner.Name || clr.Keyword(word) == m.Owner {
			return true
		}
	}
	return false
}

// unfolded is the table of the library, whose calls are all kept.
func unfolded(t *testing.T) *clr.Universe {
	t.Helper()
	decls := lib.Decls()
	for i := range decls {
		for j := range decls[i].Rows {
			decls[i].Rows[j].Pure = false
		}
	}
	u, err := clr.Build(nil, nil, decls...)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// rowName names a row: its type, with parameters, and its signature.
func rowName(m *clr.Member) string {
	name := m.Owner.FullName()
	for i, p := range m.Owner.Params {
		name += map[bool]string{true: "<", false: ","}[i == 0] + p.Name
	}
	return name + ": " + m.Sig
}

// bind notes the rows that the cases use.
func bind(cases []goldenCase, opt check.Options, used map[string]bool) {
	for _, c := range cases {
		n, errs := syntax.Parse(c.src)
		if errs != nil {
			continue
		}
		if p, errs := check.Check(n, opt); errs == nil {
			collect(reflect.ValueOf(p), map[uintptr]bool{}, used)
		}
	}
}

var siteType = reflect.TypeFor[*clr.Site]()

// collect finds the members of all sites in a checked tree.
func collect(v reflect.Value, seen map[uintptr]bool, used map[string]bool) {
	switch v.Kind() {
	case reflect.Interface:
		collect(v.Elem(), seen, used)
	case reflect.Pointer:
		switch {
		case v.IsNil() || seen[v.Pointer()]:
		case v.Type() == siteType:
			used[rowName((*clr.Site)(v.UnsafePointer()).Member)] = true
		case !strings.HasSuffix(v.Type().Elem().PkgPath(), "/clr"):
			seen[v.Pointer()] = true
			collect(v.Elem(), seen, used)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			collect(field, seen, used)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), seen, used)
		}
	}
}
