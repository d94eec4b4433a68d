package check

import (
	"slices"
	"strconv"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

func (b *binder) newObject(n *syntax.New) Expr {
	if n.Type == nil {
		return bad()
	}
	t := b.typ(n.Type)
	args, ok := b.args(n.Args)
	if t.Kind == clr.ErrorKind || !ok {
		b.skim(args)
		if n.Init != nil {
			b.skimInit(n.Init)
		}
		return unknown(t)
	}
	var x Expr
	switch {
	case t.Kind == clr.Delegate:
		return b.newDelegate(t, args, n)
	case t.Static:
		b.err(n, "CS0712", "Cannot create an instance of the static class '"+t.String()+"'")
		return bad()
	case t.IsNullable() && len(args) <= 1:
		if len(args) == 0 {
			return &Const{typed{t}, clr.Null}
		}
		return b.convert(args[0].x, t, n)
	case t.Kind == clr.TypeParam:
		b.err(n, "CS0304", "Cannot create an instance of the variable type '"+t.String()+"' because it does not have the new() constraint")
		return bad()
	}
	cands := b.lookup1(t, ".ctor")
	if len(cands) == 0 && b.refusedType(t, n) {
		return bad()
	}
	switch {
	case t.Kind == clr.Interface || len(cands) == 0 && !t.IsValueType():
		b.err(n, "CS0144", "Cannot create an instance of the abstract class or interface '"+t.String()+"'")
		return bad()
	case t.IsValueType() && len(args) == 0:
		x = &Const{typed{t}, clr.Zero(t)}
	default:
		p, near := b.choose(cands, nil, args, false)
		if p == nil {
			if b.refusedType(t, n) {
				return bad()
			}
			b.noConstructor(cands, near, args, n.Type, t)
			b.forget(args)
			if n.Init != nil {
				b.initSteps(unknown(t), n.Init)
			}
			return unknown(t)
		}
		x = b.finish(p, nil, args, n)
	}
	if isBad(x) || n.Init == nil {
		return x
	}
	return b.initObject(x, n.Init)
}

// newDelegate makes a delegate of a lambda, a method group or another delegate.
func (b *binder) newDelegate(t *clr.Type, args []arg, n *syntax.New) Expr {
	if len(args) == 0 {
		b.err(n, "CS1729", "'"+t.String()+"' does not contain a constructor that takes 0 arguments")
		return bad()
	}
	x, at := args[0].x, args[0].node()
	if x.T().Kind == clr.ErrorKind {
		return bad()
	}
	if len(args) > 1 || x.T().Kind != clr.FuncKind && invokeOf(x.T()) == nil {
		b.err(at, "CS0149", "Method name expected")
		return bad()
	}
	return b.convert(x, t, at)
}

// noConstructor explains why no constructor takes the arguments.
func (b *binder) noConstructor(cands []candidate, near *picked, args []arg, at syntax.Node, t *clr.Type) {
	switch {
	case near != nil:
		b.argErrors(near, args, at, t.Name)
	case b.namedErrors(cands, args, t.Name):
	case len(cands) == 1 && len(args) < len(cands[0].m.Params):
		b.missing(cands[0], args, at)
	default:
		b.err(at, "CS1729", "'"+t.String()+"' does not contain a constructor that takes "+strconv.Itoa(len(args))+" arguments")
	}
}

// lookup1 finds the members that t itself declares.
func (b *binder) lookup1(t *clr.Type, name string) []candidate {
	var out []candidate
	for _, m := range b.u.Members(t, name) {
		out = append(out, candidate{m: m, class: t})
	}
	return out
}

// skimInit binds the values of an initializer whose type is unknown, for their
// errors.
func (b *binder) skimInit(in *syntax.Init) {
	for _, e := range in.Elems {
		if e.X != nil {
			b.value(e.X)
		}
		for _, a := range e.Args {
			b.value(a)
		}
		if e.Nested != nil {
			b.skimInit(e.Nested)
		}
	}
}

// initObject applies an object or collection initializer to a new object.
func (b *binder) initObject(x Expr, in *syntax.Init) Expr {
	v := b.temp(x.T())
	self := &Local{typed{x.T()}, v}
	steps, ok := b.initSteps(self, in)
	if !ok {
		return bad()
	}
	return &Let{typed{x.T()}, v, x, steps, self}
}

func (b *binder) initSteps(self Expr, in *syntax.Init) ([]Expr, bool) {
	var steps []Expr
	ok := true
	seen := map[string]bool{}
	for i := range in.Elems {
		e := &in.Elems[i]
		if e.Name == "" && e.Keys == nil && !self.T().Inherits(clr.Enumerable) {
			b.err(in, "CS1922", "Cannot initialize type '"+self.T().String()+"' with a collection initializer because it does not implement 'System.Collections.IEnumerable'")
			return nil, false
		}
		if e.Name != "" && seen[e.Name] {
			b.err(e, "CS1912", "Duplicate initialization of member '"+e.Name+"'")
			ok = false
		}
		seen[e.Name] = true
		step := b.initElem(self, e)
		if step == nil || isBad(step) {
			ok = false
			continue
		}
		steps = append(steps, step)
	}
	return steps, ok
}

func (b *binder) initElem(self Expr, e *syntax.InitElem) Expr {
	switch {
	case e.Name != "" || e.Keys != nil:
		var to Expr
		if e.Name != "" {
			if len(b.lookup(self.T(), e.Name)) == 0 {
				b.err(e, "CS0117", "'"+self.T().String()+"' does not contain a definition for '"+e.Name+"'")
				return nil
			}
			to = b.memberOf(self, &syntax.NamePart{Name: e.Name, Range: e.Range}, e)
		} else {
			args, ok := b.args(e.Keys)
			if !ok {
				return nil
			}
			to = b.indexOf(self, args, e)
		}
		if isBad(to) {
			return nil
		}
		if e.Nested != nil {
			steps, ok := b.initSteps(to, e.Nested)
			if !ok {
				return nil
			}
			v := b.temp(to.T())
			return &Let{typed{to.T()}, v, to, steps, to}
		}
		y := b.value(e.X)
		if isBad(y) || !b.assignable(to, e) {
			return nil
		}
		return b.store(to, b.convert(y, to.T(), e.X))
	case e.Args != nil:
		return b.addCall(self, e.Args, e)
	}
	return b.addCall(self, []syntax.Expr{e.X}, e)
}

// addCall calls Add for an element of a collection initializer.
func (b *binder) addCall(self Expr, xs []syntax.Expr, at syntax.Node) Expr {
	ms := b.lookup(self.T(), "Add")
	if len(ms) == 0 {
		b.err(at, "CS1061", noMemberText(self.T(), "Add"))
		return nil
	}
	args := make([]arg, len(xs))
	for i, x := range xs {
		args[i] = arg{x: b.value(x), at: x}
		if isBad(args[i].x) {
			return nil
		}
	}
	f, t := at.Span()
	g := &group{typed{clr.FuncT}, self, nil, "Add", ms, nil, &syntax.NamePart{Name: "Add", Range: syntax.Range{From: f, To: t}}}
	n := len(b.errs)
	out := b.callGroup(g, args, at)
	if len(b.errs) > n && b.errs[n].Code == "CS1503" {
		f, t := at.Span()
		b.errs = slices.Insert(b.errs, n, &syntax.Error{
			Pos: f, End: t, Code: "CS1950",
			Message: "The best overloaded Add method '" + title(ms[0].m, ms[0].class) + "' for the collection initializer has some invalid arguments",
		})
	}
	return out
}

func (b *binder) newArray(n *syntax.NewArray) Expr {
	var elem *clr.Type
	if n.Elem != nil {
		elem = b.typ(n.Elem)
		if elem.Kind == clr.ErrorKind {
			return bad()
		}
	}
	var sizes []Expr
	for _, s := range n.Sizes {
		x := b.value(s)
		if isBad(x) {
			return bad()
		}
		to := clr.Int32
		if !b.implicit(x, to).ok && b.implicit(x, clr.Int64).ok {
			to = clr.Int64
		}
		x = b.convert(x, to, n)
		if k, ok := x.(*Const); ok && k.V.Int() < 0 {
			b.err(s, "CS0248", "Cannot create an array with a negative size")
			return bad()
		}
		sizes = append(sizes, x)
	}
	if n.Init == nil {
		if elem == nil {
			return bad()
		}
		return &NewArray{typed{arrayOf(elem, n.Rank)}, sizes, nil, nil}
	}
	x := b.arrayInit(elem, n.Rank, n.Init, n)
	if a, ok := x.(*NewArray); ok {
		for i, s := range sizes {
			k, isConst := s.(*Const)
			switch {
			case !isConst && !isBad(s):
				b.err(n.Sizes[i], "CS0150", "A constant value is expected")
				return bad()
			case isConst && i < len(a.Lens) && int(k.V.Int()) != a.Lens[i]:
				b.wrongLength(n.Init, int(k.V.Int()))
				return bad()
			}
		}
	}
	return x
}

// arrayElem is an element of an array, which may be an assignment.
func (b *binder) arrayElem(e *syntax.InitElem) Expr {
	if e.Name == "" {
		return b.value(e.X)
	}
	to := &syntax.Name{Range: syntax.Range{From: e.From, To: e.From + syntax.Pos(len(e.Name))}, Ident: e.Name}
	return b.value(&syntax.Assign{Range: e.Range, Op: "=", X: to, Y: e.X})
}

func (b *binder) wrongLength(in *syntax.Init, n int) {
	b.err(in, "CS0847", "An array initializer of length '"+strconv.Itoa(n)+"' is expected")
}

func arrayOf(elem *clr.Type, rank int) *clr.Type {
	t := *clr.ArrayOf(elem)
	t.Rank = rank
	return &t
}

// arrayInit makes an array of { … }; elem is nil when it is to be inferred.
func (b *binder) arrayInit(elem *clr.Type, rank int, in *syntax.Init, at syntax.Node) Expr {
	var flat []Expr
	var nodes []syntax.Node
	lens := make([]int, rank)
	ok := true
	var walk func(in *syntax.Init, d int)
	first := make([]bool, rank)
	walk = func(in *syntax.Init, d int) {
		if first[d] && lens[d] != len(in.Elems) {
			b.wrongLength(in, lens[d])
			ok = false
		}
		lens[d], first[d] = len(in.Elems), true
		for i := range in.Elems {
			e := &in.Elems[i]
			if d < rank-1 {
				sub := e.Nested
				if sub == nil && e.Args != nil {
					sub = &syntax.Init{Range: e.Range}
					for _, x := range e.Args {
						f, t := x.Span()
						sub.Elems = append(sub.Elems, syntax.InitElem{Range: syntax.Range{From: f, To: t}, X: x})
					}
				}
				if sub == nil {
					b.err(e, "CS0846", "A nested array initializer is expected")
					ok = false
					continue
				}
				walk(sub, d+1)
				continue
			}
			if e.X == nil {
				b.err(e, "CS0623", "Array initializers can only be used in a variable or field initializer. Try using a new expression instead.")
				ok = false
				continue
			}
			x := b.arrayElem(e)
			ok = ok && !isBad(x)
			flat = append(flat, x)
			nodes = append(nodes, e.X)
		}
	}
	walk(in, 0)
	if !ok {
		return bad()
	}
	if elem == nil {
		elem = b.bestCommon(flat)
		if elem == nil {
			b.err(at, "CS0826", "No best type found for implicitly-typed array")
			return bad()
		}
	}
	for i := range flat {
		flat[i] = b.convert(flat[i], elem, nodes[i])
		ok = ok && !isBad(flat[i])
	}
	if !ok {
		return bad()
	}
	return &NewArray{typed{arrayOf(elem, rank)}, nil, flat, lens}
}

func (b *binder) newAnon(n *syntax.NewAnon) Expr {
	vals := make([]Expr, len(n.Vals))
	args := make([]*clr.Type, len(n.Vals))
	seen := map[string]bool{}
	ok := true
	for i, v := range n.Vals {
		vals[i] = b.value(v)
		if isBad(vals[i]) {
			ok = false
			continue
		}
		args[i] = vals[i].T()
		switch args[i].Kind {
		case clr.NullKind, clr.FuncKind, clr.Void:
			b.err(n.At[i], "CS0828", "Cannot assign '"+display(vals[i])+"' to anonymous type property")
			ok = false
		}
		if seen[n.Names[i]] {
			b.err(n.At[i], "CS0833", "An anonymous type cannot have multiple properties with the same name")
			ok = false
		}
		seen[n.Names[i]] = true
	}
	if !ok {
		return bad()
	}
	return &NewRecord{typed{clr.AnonymousOf(args, n.Names)}, vals}
}
