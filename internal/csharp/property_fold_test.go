package csharp_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// operand is a value as a literal and as a variable of the context.
type operand struct {
	typ     string
	literal string
	v       clr.Value
}

var foldTypes = []string{"sbyte", "byte", "short", "ushort", "int", "uint", "long", "ulong", "char", "float", "double", "decimal", "bool", "string", "DayOfWeek"}

// drawOperand invents a value of a type, or a small one so that operators rarely
// overflow.
func drawOperand(t *rapid.T, typ string) operand {
	for _, i := range integersAndChar {
		if i.name != typ {
			continue
		}
		n := i.draw(t, "value")
		if rapid.Bool().Draw(t, "small") {
			n = i.wrap(big.NewInt(int64(rapid.IntRange(0, 12).Draw(t, "small value"))))
		}
		literal := fmt.Sprintf("((%s)(%s))", typ, n)
		if i == typeLong && n.Cmp(i.min) == 0 {
			literal = "long.MinValue"
		}
		return operand{typ, literal, i.value(n)}
	}
	switch typ {
	case "float":
		x := float32(rapid.SampledFrom([]float64{0, 1, -1.5, 0.1, 3e10, 1e-7, 16777217}).Draw(t, "float"))
		return operand{typ, fmt.Sprintf("(%gf)", x), clr.Float32(x)}
	case "double":
		x := rapid.SampledFrom([]float64{0, 1, -1.5, 0.1, 3e10, 1e300, 1e-7, 123456789.125}).Draw(t, "double")
		return operand{typ, fmt.Sprintf("(%gd)", x), clr.Float(x)}
	case "decimal":
		s := rapid.SampledFrom([]string{"0", "1", "-1.50", "0.1", "30000000000", "79228162514264337593543950335", "0.0000001", "2.5"}).Draw(t, "decimal")
		d, _ := clr.ParseDecimal(s)
		return operand{typ, "(" + s + "m)", clr.Dec(d)}
	case "bool":
		b := rapid.Bool().Draw(t, "bool")
		return operand{typ, fmt.Sprint(b), clr.Bool(b)}
	case "DayOfWeek":
		n := rapid.IntRange(0, 6).Draw(t, "day")
		day := apim.Universe().Lookup("System.DayOfWeek", 0)
		return operand{typ, "DayOfWeek." + day.Consts[n].Name, clr.Scalar(day, int64(n))}
	}
	s := rapid.SampledFrom([]string{"", "a", "Ab c", " x ", "12", "-3.5", "true", "é😀", "a,b,,c", "{0}", "2024-01-02", "0x1F"}).Draw(t, "string")
	return operand{"string", `"` + s + `"`, clr.String(s)}
}

// folded is one expression that is written with literals and with variables.
type folded struct {
	vars  in
	decls []string
	types []string // of operands and casts
}

// families are types that one expression may have. Beside uint or ulong a
// constant int is unsigned too, where a variable makes the operator a long one.
var families = [][]string{
	{"sbyte", "byte", "short", "ushort", "int", "long", "char", "float", "double", "decimal", "bool", "string", "DayOfWeek"}, {"uint", "bool"}, {"ulong", "bool"},
}

func (f *folded) add(o operand) string {
	name := fmt.Sprint("p", len(f.decls))
	f.decls = append(f.decls, o.typ+" "+name)
	f.vars[name] = o.v
	return name
}

// expression makes operators on operands of any types; not all of them compile.
func (f *folded) expression(t *rapid.T, depth int) (literal, variable string) {
	if depth == 0 || rapid.IntRange(0, 5).Draw(t, "leaf") == 0 {
		o := drawOperand(t, rapid.SampledFrom(f.types).Draw(t, "type"))
		return o.literal, f.add(o)
	}
	l, v := f.expression(t, depth-1)
	switch rapid.IntRange(0, 9).Draw(t, "shape") {
	case 0:
		op := rapid.SampledFrom([]string{"-", "+", "~", "!"}).Draw(t, "unary")
		return "(" + op + l + ")", "(" + op + v + ")"
	case 1:
		typ := rapid.SampledFrom(f.types).Draw(t, "cast")
		return "((" + typ + ")" + l + ")", "((" + typ + ")" + v + ")"
	case 2:
		word := contextWord(rapid.Bool().Draw(t, "checked"))
		return word + "(" + l + ")", word + "(" + v + ")"
	}
	r, w := f.expression(t, depth-1)
	if rapid.IntRange(0, 7).Draw(t, "conditional") == 0 {
		s, x := f.expression(t, depth-1)
		return "(" + l + " ? " + r + " : " + s + ")", "(" + v + " ? " + w + " : " + x + ")"
	}
	op := rapid.SampledFrom([]string{"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "<", "<=", ">", ">=", "==", "!=", "&&", "||", "+", "+", "-", "*"}).Draw(t, "operator")
	return "(" + l + " " + op + " " + r + ")", "(" + v + " " + op + " " + w + ")"
}

// What constants fold to is what the expression gives at run time. Constants may
// not overflow or divide by zero where that is checked, and small ones convert
// where variables do not.
func TestProperty_ConstantsFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := &folded{vars: in{}, types: families[max(0, rapid.IntRange(-3, 2).Draw(t, "family"))]}
		word := contextWord(rapid.Bool().Draw(t, "checked"))
		l, v := f.expression(t, 3)
		literal, variable := word+"("+l+")", "{ "+take(f.decls...)+"return "+word+"("+v+"); }"
		p, errs := csharp.Compile(variable, options())
		k, constErrs := csharp.Compile(literal, options())
		switch {
		case errs != nil && constErrs != nil:
			return
		case errs != nil: // literals convert further
			return
		case constErrs != nil:
			codes := []string{"CS0220", "CS0020", "CS0221", "CS0031", "CS0463"}
			if !slices.Contains(codes, constErrs[0].Code) {
				t.Fatalf("%s does not compile: %v\nbut %s does", literal, constErrs, variable)
			}
			return
		}
		if want, got := outcome(p, f.vars), outcome(k, nil); got != want || k.Type().String() != p.Type().String() {
			t.Fatalf("%s is %s %q\n%s with %s is %s %q", literal, k.Type(), got, variable, f.vars, p.Type(), want)
		}
	})
}

// Members that are declared pure fold when all that they get is constant. The
// result, or the exception, must be that of the call at run time.
func TestProperty_PureMembersFold(t *testing.T) {
	t.Parallel()
	u := apim.Universe()
	var members []*clr.Member
	for _, typ := range u.Types() {
		for _, m := range u.All(typ) {
			if m.Pure && literals(m) {
				members = append(members, m)
			}
		}
	}
	if len(members) < 100 {
		t.Fatalf("found %d pure members that take literals", len(members))
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 10 {
			checkPure(t, rapid.Custom(func(t *rapid.T) *clr.Member { return members[rapid.IntRange(0, len(members)-1).Draw(t, "member")] }).Draw(t, "member"))
		}
	})
}

// literals reports whether a member is a method or property whose receiver and
// parameters can be written as literals.
func literals(m *clr.Member) bool {
	named := func(t *clr.Type) bool {
		return slices.Contains(foldTypes, t.String()) || t.FullName() == "System.StringComparison"
	}
	if m.Kind != clr.Method && m.Kind != clr.Property && m.Kind != clr.Indexer || m.Refused || len(m.TypeParams) > 0 || !m.Static && !named(m.Owner) {
		return false
	}
	for _, p := range m.Params {
		if !named(p.Type) || p.Mod != clr.ByValue {
			return false
		}
	}
	return true
}

func checkPure(t *rapid.T, m *clr.Member) {
	f := &folded{vars: in{}}
	var ls, vs []string
	arg := func(typ *clr.Type) {
		if typ.FullName() == "System.StringComparison" {
			c := "StringComparison." + typ.Consts[rapid.IntRange(0, len(typ.Consts)-1).Draw(t, "comparison")].Name
			ls, vs = append(ls, c), append(vs, c)
			return
		}
		o := drawOperand(t, typ.String())
		ls, vs = append(ls, o.literal), append(vs, f.add(o))
	}
	if !m.Static {
		arg(m.Owner)
	}
	for _, p := range m.Params {
		arg(p.Type)
	}
	call := func(args []string) string {
		on := m.Owner.FullName()
		if !m.Static {
			on, args = args[0], args[1:]
		}
		switch m.Kind {
		case clr.Property:
			return on + "." + m.Name
		case clr.Indexer:
			return on + "[" + strings.Join(args, ", ") + "]"
		}
		return on + "." + m.Name + "(" + strings.Join(args, ", ") + ")"
	}
	literal, variable := call(ls), "{ "+take(f.decls...)+"return "+call(vs)+"; }"
	p, errs := csharp.Compile(variable, options())
	k, constErrs := csharp.Compile(literal, options())
	if errs != nil || constErrs != nil {
		if (errs == nil) != (constErrs == nil) {
			t.Fatalf("%s: %v\n%s: %v", literal, constErrs, variable, errs)
		}
		return
	}
	if want, got := outcome(p, f.vars), outcome(k, nil); got != want {
		t.Fatalf("%s gives %q\n%s with %s gives %q", literal, got, variable, f.vars, want)
	}
}
