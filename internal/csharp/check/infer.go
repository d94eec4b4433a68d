package check

import (
	"slices"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// inference finds the type arguments of a generic method, in the two phases of
// the C# specification.
type inference struct {
	b      *binder
	params []*clr.Type
	bounds [][]bound
	fixed  []*clr.Type
}

type bound struct {
	t     *clr.Type
	exact bool
}

func (f *inference) index(t *clr.Type) int {
	if t.Kind != clr.TypeParam {
		return -1
	}
	return slices.Index(f.params, t)
}

func (f *inference) run(params []*clr.Type, args []arg) bool {
	for i, a := range args {
		t := params[i]
		switch x := a.x.(type) {
		case *lambda:
			f.explicitParams(x, t)
		case *group, *funcGroup, *defaultLit, *Throw, nil:
		default:
			switch {
			case a.mod != "" && a.decl != nil && a.decl.Type.IsVar():
			case a.mod != "":
				f.exact(x.T(), t)
			case x.T().Kind == clr.NullKind || isBad(x):
			default:
				f.lower(x.T(), t)
			}
		}
	}
	for range len(f.params) + len(args) + 1 {
		progress := false
		for i, a := range args {
			if f.output(a.x, params[i]) {
				progress = true
			}
		}
		if f.fixReady(params, args) {
			progress = true
		}
		if f.done() {
			return true
		}
		if !progress {
			break
		}
	}
	return f.done()
}

func (f *inference) done() bool { return !slices.Contains(f.fixed, nil) }

// fixReady fixes parameters that have bounds and that no unbound lambda input
// still depends on; failing that, any that has bounds.
func (f *inference) fixReady(params []*clr.Type, args []arg) bool {
	waits := make([]bool, len(f.params)) // results of lambdas not yet bound
	for i, a := range args {
		if s := invokeOf(params[i]); s != nil && isFunction(a.x) && s.ret != nil {
			open := false
			for _, p := range s.params {
				open = open || p.Type.Subst(nil, f.fixed).IsOpen()
			}
			if open {
				f.mark(s.ret, waits)
			}
		}
	}
	did := false
	for i := range f.params {
		if f.fixed[i] == nil && len(f.bounds[i]) > 0 && !waits[i] {
			f.fixed[i] = f.fix(f.bounds[i])
			did = did || f.fixed[i] != nil
		}
	}
	if did {
		return true
	}
	for i := range f.params {
		if f.fixed[i] == nil && len(f.bounds[i]) > 0 {
			f.fixed[i] = f.fix(f.bounds[i])
			if f.fixed[i] != nil {
				return true
			}
		}
	}
	return false
}

func isFunction(x Expr) bool {
	switch x.(type) {
	case *lambda, *group, *funcGroup:
		return true
	}
	return false
}

func (f *inference) mark(t *clr.Type, out []bool) {
	if i := f.index(t); i >= 0 {
		out[i] = true
	}
	for _, a := range t.Args {
		f.mark(a, out)
	}
	if t.Elem != nil {
		f.mark(t.Elem, out)
	}
}

// fix picks the type among the bounds that all others convert to.
func (f *inference) fix(bs []bound) *clr.Type {
	var best *clr.Type
	for _, c := range bs {
		ok := true
		for _, o := range bs {
			if o.exact {
				ok = ok && clr.Same(o.t, c.t)
			} else {
				ok = ok && standard(o.t, c.t).ok
			}
		}
		if ok && (best == nil || standard(c.t, best).ok && !standard(best, c.t).ok) {
			best = c.t
		}
	}
	return best
}

func (f *inference) add(i int, t *clr.Type, exact bool) {
	if f.fixed[i] != nil || t.Kind == clr.NullKind || t.Kind == clr.FuncKind || t.Kind == clr.ErrorKind || t.Kind == clr.Void {
		return
	}
	for _, o := range f.bounds[i] {
		if clr.Same(o.t, t) && o.exact == exact {
			return
		}
	}
	f.bounds[i] = append(f.bounds[i], bound{t, exact})
}

func (f *inference) explicitParams(l *lambda, t *clr.Type) {
	s := invokeOf(t)
	if s == nil || !l.syn.Typed || l.syn.NoSig || len(s.params) != len(l.syn.Params) {
		return
	}
	for i, p := range l.syn.Params {
		if p.Type != nil {
			f.exact(f.b.typ(p.Type), s.params[i].Type)
		}
	}
}

// exact infers from types that must be equal.
func (f *inference) exact(u, v *clr.Type) {
	if i := f.index(v); i >= 0 {
		f.add(i, u, true)
		return
	}
	switch {
	case u.Kind == clr.Array && v.Kind == clr.Array:
		f.exact(u.Elem, v.Elem)
	case u.Def != nil && u.Def == v.Def:
		for i := range v.Args {
			f.exact(u.Args[i], v.Args[i])
		}
	}
}

// lower infers from a type that converts to v.
func (f *inference) lower(u, v *clr.Type) {
	if i := f.index(v); i >= 0 {
		f.add(i, u, false)
		return
	}
	if !v.IsOpen() {
		return
	}
	if u.Kind == clr.Array && v.Kind == clr.Array {
		f.lowerArg(u.Elem, v.Elem)
		return
	}
	if v.IsNullable() && u.IsNullable() {
		f.lower(u.Args[0], v.Args[0])
		return
	}
	if v.Def == nil {
		return
	}
	inst := u.AsInstance(v.Def)
	if inst == nil {
		return
	}
	for i := range v.Args {
		if clr.Covariant[v.Def.Name] {
			f.lowerArg(inst.Args[i], v.Args[i])
		} else {
			f.exact(inst.Args[i], v.Args[i])
		}
	}
}

func (f *inference) lowerArg(u, v *clr.Type) {
	if u.IsReference() {
		f.lower(u, v)
	} else {
		f.exact(u, v)
	}
}

// output infers from what a lambda or method group returns, once its inputs are
// known.
func (f *inference) output(x Expr, t *clr.Type) bool {
	s := invokeOf(t)
	if s == nil || !isFunction(x) || s.ret.Kind == clr.Void || !s.ret.Subst(nil, f.fixed).IsOpen() {
		return false
	}
	in := make([]*clr.Type, len(s.params))
	for i, p := range s.params {
		in[i] = p.Type.Subst(nil, f.fixed)
		if in[i].IsOpen() {
			if l, ok := x.(*lambda); !ok || !l.syn.Typed || l.syn.NoSig {
				return false
			}
		}
	}
	var ret *clr.Type
	switch x := x.(type) {
	case *lambda:
		if bl := f.b.bindLambda(x, in); bl != nil {
			ret = bl.ret
		}
	default:
		if c := f.b.groupCall(x, in, nil); c != nil {
			ret = c.T()
		}
	}
	if ret == nil {
		return false
	}
	before := f.count()
	f.lower(ret, s.ret)
	return f.count() > before
}

func (f *inference) count() int {
	n := 0
	for _, b := range f.bounds {
		n += len(b)
	}
	return n
}
