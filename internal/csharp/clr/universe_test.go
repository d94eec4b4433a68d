package clr_test

import (
	"testing"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// TestBuild_NamesTheFaultyRow builds tables with a mistake each.
func TestBuild_NamesTheFaultyRow(t *testing.T) {
	t.Parallel()
	none := func(*clr.Frame, []clr.Value) clr.Value { return clr.Null }
	for name, c := range map[string]struct {
		decl clr.Decl
		want string
	}{
		"kind":               {clr.D("record A.B"), `declare record A.B: unknown kind "record"`},
		"base":               {clr.D("class A.B : A.C"), `declare class A.B : A.C: unknown type "A.C"`},
		"enum":               {clr.D("enum A.B"), `declare enum A.B: want "{", have ""`},
		"enum value":         {clr.D("enum A.B { C = x }"), `declare enum A.B { C = x }: strconv.ParseInt: parsing "x": invalid syntax`},
		"type":               {clr.D("class A.B", clr.R("Nope C", none)), `member Nope C of A.B: unknown type "Nope"`},
		"argument":           {clr.D("class A.B", clr.R("List<Nope> C", none)), `member List<Nope> C of A.B: unknown type "Nope"`},
		"arity":              {clr.D("class A.B", clr.R("List<int,int> C", none)), "member List<int,int> C of A.B: unknown type \"List`2\""},
		"bracket":            {clr.D("class A.B", clr.R("List<int C", none)), `member List<int C of A.B: want ">", have "C"`},
		"parameter":          {clr.D("class A.B", clr.R("int C(Nope d)", none)), `member int C(Nope d) of A.B: unknown type "Nope"`},
		"conversion":         {clr.D("class A.B", clr.R("implicit operator Nope(int a)", none)), `member implicit operator Nope(int a) of A.B: unknown type "Nope"`},
		"constraint":         {clr.D("class A.B", clr.R("T C<T>() where U : class", none)), `member T C<T>() where U : class of A.B: constraint on "U", which is no type parameter`},
		"delegate":           {clr.D("delegate Nope A.B()"), `declare delegate Nope A.B(): unknown type "Nope"`},
		"delegate parameter": {clr.D("delegate int A.B(Nope c)"), `declare delegate int A.B(Nope c): unknown type "Nope"`},
		"function":           {clr.D("class A.B", clr.R("int C()", 5)), `member int C() of A.B: function has the wrong shape: int`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := clr.Build(nil, nil, c.decl)
			if err == nil || err.Error() != c.want {
				t.Errorf("%s\n got %v\nwant %s", c.decl.Sig, err, c.want)
			}
		})
	}
}
