package check

import (
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// display is what an expression is called in messages: its type, or what it is
// when it has none.
func display(x Expr) string { return displayed(x, (*clr.Type).String) }

// displayQualified is display with the namespaces of types, as messages about
// conversions have them.
func displayQualified(x Expr) string { return displayed(x, (*clr.Type).Qualified) }

func displayed(x Expr, name func(*clr.Type) string) string {
	switch x := x.(type) {
	case *lambda:
		return lambdaWord(x)
	case *group, *funcGroup:
		return "method group"
	case *Throw:
		return "<throw expression>"
	case *defaultLit:
		return "default"
	}
	return name(x.T())
}

// lambdaWord is what an anonymous function is called.
func lambdaWord(l *lambda) string {
	switch {
	case l.syn.Anonymous:
		return "anonymous method"
	case l.syn.Query:
		return "query expression"
	}
	return "lambda expression"
}

// title is a member as messages show it: Dictionary<string, int>.Add(string, int).
func title(m *clr.Member, class *clr.Type) string {
	if class == nil || class.Definition() != m.Owner {
		class = m.Owner
	}
	s := class.String() + "." + m.Name
	switch {
	case m.Kind == clr.Constructor:
		s = class.String() + "." + m.Owner.Name
	case class.Name == "":
		s = m.Name // a local function
	}
	if len(m.TypeParams) > 0 {
		names := make([]string, len(m.TypeParams))
		for i, p := range m.TypeParams {
			names[i] = p.Name
		}
		s += "<" + strings.Join(names, ", ") + ">"
	}
	params := make([]string, len(m.Params))
	for i, p := range m.Params {
		params[i] = modWord(p.Mod) + p.Type.Subst(class, nil).String()
	}
	return s + "(" + strings.Join(params, ", ") + ")"
}

// title is a local function as messages show it: F(int).
func (f *LocalFunc) title() string { return title(f.member(), nil) }

// member is a local function as overload resolution wants it: the method of a
// type without a name.
func (f *LocalFunc) member() *clr.Member {
	return &clr.Member{Name: f.Name, Owner: &clr.Type{}, Params: f.Params, TypeParams: f.TypeParams, Ret: f.Ret}
}

// name is where a function's name stands, or the function.
func (f *Func) name() syntax.Node {
	if n, ok := f.At.(*syntax.LocalFunc); ok {
		return n.NameAt
	}
	return f.At
}

func modWord(m clr.Mod) string {
	return map[clr.Mod]string{clr.Out: "out ", clr.Ref: "ref ", clr.Params: "params "}[m]
}
