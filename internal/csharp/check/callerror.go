package check

import (
	"slices"
	"strconv"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// noOverload explains why no overload of a method group applies.
func (b *binder) noOverload(g *group, near *picked, args []arg, at syntax.Node) {
	inside := false
	for _, a := range args {
		if l, ok := a.x.(*lambda); ok {
			inside = b.reportLambda(l) || inside
		}
	}
	if inside {
		return
	}
	if c, ok := at.(*syntax.Call); ok && c.Clause != "" && (near == nil || !near.inferred()) {
		b.queryError(c, g, near, args)
		return
	}
	part, _ := g.at.(*syntax.NamePart)
	extends := g.recv != nil && b.extensionOf(g)
	if len(g.members) == 0 && !extends && (near == nil || near.targs == nil) {
		b.noMember(g.recv.T(), part)
		return
	}
	if near != nil && near.m.Extension && g.recv != nil {
		if near.inferred() && !b.receiverFits(near, g.recv) {
			t := near.types[0].String()
			b.err(receiver(at), "CS1929", "'"+g.recv.T().String()+"' does not contain a definition for '"+g.name+"' and the best extension method overload '"+title(near.m, near.class)+"' requires a receiver of type '"+t+"'")
			return
		}
		args = append([]arg{{x: g.recv, at: at}}, args...)
	}
	if near == nil {
		b.arityError(g, args)
		return
	}
	b.nearError(near, args, g.at, g.name)
}

// callName is the name in a call or creation.
func callName(n syntax.Node) syntax.Node {
	switch c := n.(type) {
	case *syntax.Call:
		if m, ok := c.Fn.(*syntax.Member); ok {
			return &m.Name
		}
	case *syntax.New:
		return c.Type
	}
	return n
}

// receiver is the x of a call x.m().
func receiver(call syntax.Node) syntax.Node {
	if c, ok := call.(*syntax.Call); ok {
		if m, ok := c.Fn.(*syntax.Member); ok {
			return m.X
		}
	}
	return call
}

// inferred reports whether the candidate's type arguments are known.
func (p *picked) inferred() bool { return len(p.m.TypeParams) == 0 || p.targs != nil }

// nearError explains why the nearest candidate does not apply.
func (b *binder) nearError(near *picked, args []arg, at syntax.Node, name string) {
	if !near.inferred() {
		b.err(at, "CS0411", "The type arguments for method '"+title(near.m, near.class)+"' cannot be inferred from the usage. Try specifying the type arguments explicitly.")
		return
	}
	b.argErrors(near, args, at, name)
}

func (b *binder) receiverFits(p *picked, recv Expr) bool {
	return len(p.types) > 0 && standard(recv.T(), p.types[0]).ok
}

func (b *binder) extensionOf(g *group) bool {
	for _, m := range b.u.Extensions(g.name) {
		t := m.Params[0].Type
		if t.Kind == clr.TypeParam || g.recv.T().AsInstance(t.Definition()) != nil {
			return true
		}
	}
	return false
}

// arityError explains a call whose arguments fit the parameters of no overload.
func (b *binder) arityError(g *group, args []arg) {
	cands := g.members
	if len(cands) == 0 && len(g.targs) > 0 {
		part, _ := g.at.(*syntax.NamePart)
		b.noMember(g.recv.T(), part)
		return
	}
	if len(cands) == 0 {
		for _, m := range b.u.Extensions(g.name) {
			cands = append(cands, candidate{m: m, class: m.Owner})
		}
		if len(cands) == 1 {
			args = append([]arg{{x: g.recv, at: g.at}}, args...)
		}
	}
	if len(g.targs) > 0 {
		b.typeArity(cands, g.at)
		return
	}
	b.noPlace(cands, args, g.at, "method '"+g.name+"'", g.name)
}

// typeArity explains a wrong number of type arguments.
func (b *binder) typeArity(cands []candidate, at syntax.Node) {
	m := cands[0].m
	if n := len(m.TypeParams); n > 0 {
		b.err(at, "CS0305", "Using the generic method '"+title(m, cands[0].class)+"' requires "+strconv.Itoa(n)+" type arguments")
		return
	}
	b.err(at, "CS0308", "The non-generic method '"+title(m, cands[0].class)+"' cannot be used with type arguments")
}

// noPlace explains arguments that fit the parameters of no candidate: by the
// names of arguments, by their modifiers, or by their number.
func (b *binder) noPlace(cands []candidate, args []arg, at syntax.Node, what, name string) {
	if b.namedErrors(cands, args, name) {
		return
	}
	if len(cands) == 1 && len(args) < len(cands[0].m.Params) {
		b.missing(cands[0], args, at)
		return
	}
	b.err(at, "CS1501", "No overload for "+what+" takes "+strconv.Itoa(len(args))+" arguments")
}

// missing reports the first parameter without an argument.
func (b *binder) missing(c candidate, args []arg, at syntax.Node) {
	for i, p := range c.m.Params {
		given := slices.ContainsFunc(args, func(a arg) bool { return a.name == p.Name }) || i < len(args) && args[i].name == ""
		if !given && !p.Optional {
			b.err(at, "CS7036", "There is no argument given that corresponds to the required formal parameter '"+p.Name+"' of '"+title(c.m, c.class)+"'")
			return
		}
	}
}

// namedErrors reports what is wrong with named arguments.
func (b *binder) namedErrors(cands []candidate, args []arg, name string) bool {
	if len(cands) == 0 { // a struct without constructors
		return false
	}
	seen := map[string]bool{}
	positional := 0
	for i, a := range args {
		if a.name == "" {
			positional = i + 1
			continue
		}
		at := a.at
		switch best := bestNamed(cands, a.name); {
		case seen[a.name]:
			b.err(at, "CS1740", "Named argument '"+a.name+"' cannot be specified multiple times")
		case best == nil:
			if cands[0].m.Kind == clr.Method && cands[0].m.Owner != nil && cands[0].m.Owner.Kind == clr.Delegate {
				b.err(at, "CS1746", "The delegate '"+cands[0].class.String()+"' does not have a parameter named '"+a.name+"'")
			} else {
				b.err(at, "CS1739", "The best overload for '"+name+"' does not have a parameter named '"+a.name+"'")
			}
		case paramNamed(best.Params, a.name) < positional:
			b.err(at, "CS1744", "Named argument '"+a.name+"' specifies a parameter for which a positional argument has already been given")
		default:
			seen[a.name] = true
			continue
		}
		return true
	}
	return false
}

// bestNamed is a candidate that has a parameter of that name.
func bestNamed(cands []candidate, name string) *clr.Member {
	for _, c := range cands {
		if paramNamed(c.m.Params, name) >= 0 {
			return c.m
		}
	}
	return nil
}

// argErrors reports the arguments that do not convert.
func (b *binder) argErrors(p *picked, args []arg, at syntax.Node, name string) {
	found := false
	for i, a := range args {
		if a.x == nil || i >= len(p.types) {
			continue
		}
		t := p.types[i]
		mod := p.mod(i)
		no := strconv.Itoa(i + 1)
		if p.m.Extension {
			no = strconv.Itoa(i)
		}
		node := a.at
		if s, ok := a.at.(*syntax.Argument); ok {
			node = s.X
		}
		switch {
		case a.mod != mod:
			found = true
			if mod == "" {
				b.err(node, "CS1615", "Argument "+no+" may not be passed with the '"+a.mod+"' keyword")
			} else {
				b.err(node, "CS1620", "Argument "+no+" must be passed with the '"+mod+"' keyword")
			}
			continue
		case a.mod == "" && b.implicit(a.x, t).ok, a.mod != "" && clr.Same(a.x.T(), t):
			continue
		}
		found = true
		if _, ok := a.x.(*lambda); ok {
			b.noConversion(a.x, t, node)
			continue
		}
		to := t.Qualified()
		if p.m.Params[p.order[i]].Mod == clr.Params && !p.expanded {
			to = "params " + to
		}
		b.err(node, "CS1503", "Argument "+no+": cannot convert from '"+spaced(a.mod)+displayQualified(a.x)+"' to '"+spaced(a.mod)+to+"'")
	}
	if !found {
		b.err(at, "CS1501", "No overload for method '"+name+"' takes "+strconv.Itoa(len(args))+" arguments")
	}
}

// mod is the modifier that an argument needs.
func (p *picked) mod(i int) string {
	switch p.m.Params[p.order[i]].Mod {
	case clr.Out:
		return "out"
	case clr.Ref:
		return "ref"
	}
	return ""
}

func spaced(mod string) string {
	if mod == "" {
		return ""
	}
	return mod + " "
}

// skim binds the lambdas among the arguments of a call that is not understood,
// for what is wrong inside of them.
func (b *binder) skim(args []arg) {
	for _, a := range args {
		if l, ok := a.x.(*lambda); ok {
			in := make([]*clr.Type, len(l.syn.Params))
			for i := range in {
				in[i] = clr.ErrorT
			}
			if bl := b.bindLambda(l, in); bl != nil {
				b.report(bl.errs...)
			}
		}
	}
}

// unknown stands for a value of a known type whose making is not understood, so
// that mistakes in its use are found as well.
func unknown(t *clr.Type) Expr {
	if t.Kind == clr.ErrorKind || t.Kind == clr.Void {
		return bad()
	}
	return &Unknown{typed{t}}
}

// forget declares the variables of out arguments of a call that is not
// understood, so that they are known afterwards.
func (b *binder) forget(args []arg) {
	for _, a := range args {
		if a.decl != nil && a.decl.Name != "_" {
			t := clr.ErrorT
			if a.x != nil {
				t = a.x.T()
			}
			b.declare(a.decl.Name, t, a.decl)
		}
	}
}
