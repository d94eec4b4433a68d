package check

import (
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// cases are the labels of a switch that stand before the one at hand.
type cases struct {
	sections map[caseKey]int // of the constants
	types    []*clr.Type     // type patterns without a condition
	all      bool            // a var pattern without a condition
}

// caseKey is a constant that a label compares with.
type caseKey struct {
	text string    // of a string
	v    clr.Value // of anything else, and an empty string for strings
}

func keyOf(v clr.Value) caseKey {
	if v.IsString() {
		return caseKey{v.Str(), clr.String("")}
	}
	return caseKey{v: v}
}

// switchStmt binds a switch. Its sections share one space of declarations, in
// which each has a scope for the variables of its patterns.
func (b *binder) switchStmt(n *syntax.Switch) Stmt {
	x := b.switchValue(n.X)
	b.push()
	defer b.pop()
	s := &Switch{X: x, V: b.temp(x.T()), Default: -1}
	out := &Block{Stmts: []Stmt{s}}
	var list []syntax.Stmt
	for _, sec := range n.Sections {
		list = append(list, sec.Body...)
	}
	b.begin(out, list)
	var jumps []*Jump
	c := cases{sections: map[caseKey]int{}}
	b.within(region{kind: switchRegion, jumps: &jumps}, func() {
		for i := range n.Sections {
			s.Sections = append(s.Sections, b.section(s, &c, &n.Sections[i], i))
		}
	})
	s.covered = c.all
	for _, j := range jumps {
		b.resolveJump(j, s, &c)
	}
	b.end(out)
	return out
}

func (b *binder) switchValue(n syntax.Expr) Expr {
	x := b.value(n)
	switch x.T().Kind {
	case clr.NullKind, clr.FuncKind, clr.Void:
		b.err(n, "CS8119", "The switch expression must be a value; found '"+display(x)+"'.")
		return bad()
	}
	return x
}

func (b *binder) section(s *Switch, c *cases, n *syntax.Section, i int) Section {
	block := b.scope
	b.push()
	defer b.pop()
	out := Section{}
	for j := range n.Labels {
		l := &n.Labels[j]
		out.at = l
		if l.Default {
			if s.Default >= 0 {
				b.err(l, "CS0152", "The switch statement contains multiple cases with the label value 'default'")
			}
			s.Default = i
			continue
		}
		if isBad(s.X) {
			continue
		}
		test := b.caseTest(&Local{typed{s.X.T()}, s.V}, l)
		out.Tests = append(out.Tests, test)
		out.Consts = append(out.Consts, caseConst(test, l))
		b.noteCase(c, s.X.T(), test, l, i)
	}
	b.scope.sink = block
	out.Body = b.statements(n.Body)
	return out
}

// noteCase refuses a case that an earlier one covers.
func (b *binder) noteCase(c *cases, subject *clr.Type, test Expr, l *syntax.Label, section int) {
	if isBad(test) {
		return
	}
	if l.When != nil {
		test = test.(*Logic).X
	}
	k, t := constOf(test), typeOf(test)
	handled := c.all
	b.spend(len(c.types))
	for _, p := range c.types {
		handled = handled || t != nil && t.Inherits(p) || k != nil && !k.V.IsNull() && k.Type.Inherits(p)
	}
	_, object := test.(*Logic)
	if k != nil && !object && c.find(k.V) >= 0 {
		b.err(l, "CS0152", "The switch statement contains multiple cases with the label value '"+caseText(k.V, subject)+"'")
	} else if handled || k != nil && c.find(k.V) >= 0 {
		var at syntax.Node = l.Pattern
		if k != nil {
			at = l
		}
		b.err(at, "CS8120", "The switch case has already been handled by a previous case.")
	}
	switch {
	case l.When != nil:
	case k != nil:
		c.sections[keyOf(k.V)] = section
	case t != nil:
		c.types = append(c.types, t)
	default:
		c.all = c.all || l.Pattern.IsVar
	}
}

// find is the section that has a constant, or -1.
func (c *cases) find(v clr.Value) int {
	if i, ok := c.sections[keyOf(v)]; ok {
		return i
	}
	return -1
}

func sameConst(a, c clr.Value) bool {
	if a.IsString() || c.IsString() || a.IsNull() || c.IsNull() {
		return a.IsString() == c.IsString() && a.IsNull() == c.IsNull() && a.Str() == c.Str()
	}
	return a == c
}

// caseText is a constant as the compiler shows it.
func caseText(v clr.Value, t *clr.Type) string {
	switch {
	case t.Underlying() == clr.Char && !v.IsNull():
		return string(rune(v.Int()))
	case v.IsNull():
		return "null"
	case v.IsString():
		return `"` + v.Str() + `"`
	}
	return constText(v)
}

// caseTest is the condition of one label.
func (b *binder) caseTest(x Expr, l *syntax.Label) Expr {
	p := l.Pattern
	if p.Type != nil && p.Name == "" && !p.IsVar && len(p.Type.Parts) > 0 {
		if p.Type.Keyword {
			b.err(p, "CS1525", "Invalid expression term '"+p.Type.Parts[0].Name+"'")
			return bad()
		}
		p = &syntax.Pattern{Range: p.Range, Const: partsExpr(p.Type)}
	}
	test := b.patternTest(x, p, l)
	if l.When != nil {
		w := b.condition(l.When)
		if isBad(test, w) {
			return bad()
		}
		test = &Logic{typed{clr.Boolean}, true, test, w}
	}
	return test
}

// constOf is the constant that the condition of a label compares with.
func constOf(test Expr) *Const {
	var y Expr
	switch t := test.(type) {
	case *StrEq:
		y = t.Y
	case *Binary:
		y = t.Y
	case *RefEq:
		y = t.Y
	case *Logic: // the type, then the value
		return constOf(t.Y)
	}
	k, _ := y.(*Const)
	return k
}

// caseConst is the constant whose equality is all of a label's condition.
func caseConst(test Expr, l *syntax.Label) *Const {
	if l.When != nil {
		return nil
	}
	return constOf(test)
}

// typeOf is the type that the condition of a label tests for alone.
func typeOf(test Expr) *clr.Type {
	if is, ok := test.(*Is); ok {
		return is.Of
	}
	return nil
}

func (b *binder) resolveJump(j *Jump, s *Switch, c *cases) {
	what := "default:"
	switch {
	case j.Kind == "goto default":
		j.Target = s.Default
	case isBad(j.value) || isBad(s.X):
		return
	default:
		x := b.convert(j.value, s.V.Type, j.at)
		k, ok := x.(*Const)
		if !ok {
			if isBad(x) {
				return
			}
			b.err(j.at, "CS0150", "A constant value is expected")
			return
		}
		j.Target = c.find(k.V)
		what = "case " + constText(k.V) + ":"
	}
	if j.Target < 0 {
		b.err(j.at, "CS0159", "No such label '"+what+"' within the scope of the goto statement")
	}
}
