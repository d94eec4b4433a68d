package csharp_test

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/csharp/check"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// uncoveredRows is how many rows of the member table may be without a golden
// case. It only ever goes down; at zero the table is covered.
const uncoveredRows = 0

// TestMemberRows_HaveCases binds all golden cases that need no context against
// the table and looks up which rows they use. Constants are not folded there,
// since a folded call leaves no trace.
func TestMemberRows_HaveCases(t *testing.T) {
	t.Parallel()
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
	used := map[uintptr]bool{}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, c := range readGolden(t, file) {
			n, errs := syntax.Parse(c.src)
			if errs != nil {
				continue
			}
			if p, errs := check.Check(n, check.Options{Types: u}); errs == nil {
				collect(reflect.ValueOf(p), map[uintptr]bool{}, used)
			}
		}
	}
	total := 0
	var missing []string
	for _, typ := range u.Types() {
		for _, m := range u.All(typ) {
			if m.Call == nil && m.Generic == nil {
				continue
			}
			total++
			if !used[reflect.ValueOf(m).Pointer()] {
				missing = append(missing, typ.FullName()+": "+m.Sig)
			}
		}
	}
	t.Logf("member rows: %d, with a case: %d, without: %d", total, total-len(missing), len(missing))
	if len(missing) > uncoveredRows {
		t.Errorf("%d rows have no case, want at most %d:\n%s", len(missing), uncoveredRows, strings.Join(missing, "\n"))
	}
}

var siteType = reflect.TypeFor[*clr.Site]()

// collect finds the members of all sites in a checked tree.
func collect(v reflect.Value, seen, used map[uintptr]bool) {
	switch v.Kind() {
	case reflect.Interface:
		collect(v.Elem(), seen, used)
	case reflect.Pointer:
		switch {
		case v.IsNil() || seen[v.Pointer()]:
		case v.Type() == siteType:
			used[v.Elem().FieldByName("Member").Pointer()] = true
		case !strings.HasSuffix(v.Type().Elem().PkgPath(), "/clr"):
			seen[v.Pointer()] = true
			collect(v.Elem(), seen, used)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), seen, used)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), seen, used)
		}
	}
}
