package check

import (
	"slices"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// candidate is a member that a name may mean, with the constructed type that
// declares it.
type candidate struct {
	m     *clr.Member
	class *clr.Type
	level int // distance from the type asked; nearer ones win
}

// arg is a bound argument.
type arg struct {
	x    Expr
	name string
	mod  string
	at   syntax.Node
	decl *syntax.Decl // of out T x
}

// node is the argument without its name and modifier.
func (a *arg) node() syntax.Node {
	if s, ok := a.at.(*syntax.Argument); ok {
		return s.X
	}
	return a.at
}

// picked is a candidate with its arguments in place.
type picked struct {
	candidate
	targs    []*clr.Type
	types    []*clr.Type // of the parameters, substituted, one for each argument
	order    []int       // parameter of each argument
	rival    *picked     // makes the choice ambiguous
	badMods  bool        // out or ref is missing, or stands where it should not
	expanded bool
	defaults int

	typeRoom  [4]*clr.Type // for types and order of the usual few arguments
	orderRoom [4]int
}

// named asks for the members of a name in a type.
type named struct {
	t    *clr.Type
	name string
}

// lookup finds the members of a name in t and its bases. The result is shared
// between all who ask for the same.
func (b *binder) lookup(t *clr.Type, name string) []candidate {
	k := named{t, name}
	if out, ok := b.found[k]; ok {
		return out
	}
	out := b.search(t, name)
	if b.found == nil {
		b.found = map[named][]candidate{}
	}
	b.found[k] = out
	return out
}

func (b *binder) search(t *clr.Type, name string) []candidate {
	var out []candidate
	level := 0
	add := func(c *clr.Type) {
		for _, m := range b.u.Members(c, name) {
			if !m.Extension || m.Static {
				out = append(out, candidate{m, c, level})
			}
		}
		level++
	}
	if t.Kind == clr.TypeParam {
		t = clr.ObjectType
	}
	for c := t; c != nil; c = c.BaseOf() {
		add(c)
	}
	if t.Kind == clr.Interface {
		for _, i := range t.Interfaces() {
			add(i)
		}
		if len(out) == 0 {
			add(clr.ObjectType)
		}
	}
	return out
}

// choose does overload resolution. It gives nil and the best guess at the
// intended candidate when none applies.
func (b *binder) choose(cands []candidate, targs []*clr.Type, args []arg, ext bool) (best, near *picked) {
	var ok []*picked
	level := -1
	for _, c := range cands {
		if level >= 0 && c.level > level && !ext {
			continue // a nearer class has an applicable one
		}
		for _, expanded := range []bool{false, true} {
			p := b.place(c, args, expanded)
			if p == nil || p.badMods && expanded {
				continue
			}
			if !b.inferInto(p, targs, args) {
				if near == nil {
					near = p
				}
				continue
			}
			if !p.badMods && b.applicable(p, args) {
				ok = append(ok, p)
				level = c.level
				break
			}
			near = nearer(near, p)
		}
	}
	if len(ok) == 0 {
		return nil, near
	}
	for _, p := range ok {
		wins := true
		for _, q := range ok {
			if p != q && !b.better(p, q, args) {
				wins = false
				break
			}
		}
		if wins {
			return p, nil
		}
	}
	first, second := ok[0], ok[1]
	if b.better(second, first, args) {
		first, second = second, first
	}
	if !first.m.Extension {
		first.rival = second
	}
	return first, nil // of extension methods of two interfaces the first is as good
}

func nearer(a, c *picked) *picked {
	if a == nil || a.expanded && !c.expanded {
		return c
	}
	return a
}

// place maps arguments to parameters, or gives nil when they do not fit.
func (b *binder) place(c candidate, args []arg, expanded bool) *picked {
	ps := c.m.Params
	last := len(ps) - 1 // the array of params, when expanded
	if expanded && (last < 0 || ps[last].Mod != clr.Params || ps[last].Type.Elem == nil) || !accepts(ps, len(args), expanded) {
		return nil
	}
	b.spend(1 + len(args))
	p := &picked{candidate: c, expanded: expanded}
	p.types, p.order = p.typeRoom[:0], p.orderRoom[:0]
	var room [8]bool
	used := append(room[:0], make([]bool, len(ps))...)
	for i := range args {
		a := &args[i]
		j := i
		if a.name != "" {
			if j = paramNamed(ps, a.name); j < 0 {
				return nil
			}
		} else if expanded {
			j = min(j, last)
		}
		if j > last || used[j] && !(expanded && j == last) {
			return nil
		}
		used[j] = true
		t, mod := ps[j].Type, ps[j].Mod
		if expanded && j == last {
			t, mod = t.Elem, clr.ByValue
		}
		if (mod == clr.Out) != (a.mod == "out") || (mod == clr.Ref) != (a.mod == "ref") {
			p.badMods = true
		}
		p.types = append(p.types, t)
		p.order = append(p.order, j)
	}
	for j := range ps {
		if used[j] {
			continue
		}
		if !ps[j].Optional && !(expanded && j == last) {
			return nil
		}
		p.defaults++
	}
	return p
}

// accepts reports whether parameters can take n arguments.
func accepts(ps []clr.Param, n int, expanded bool) bool {
	if n > len(ps) {
		return expanded
	}
	least := 0
	for i := range ps {
		if !ps[i].Optional && !(expanded && i == len(ps)-1) {
			least++
		}
	}
	return n >= least
}

func paramNamed(ps []clr.Param, name string) int {
	return slices.IndexFunc(ps, func(p clr.Param) bool { return p.Name == name })
}

// inferInto finds the type arguments and substitutes them in the parameters.
func (b *binder) inferInto(p *picked, targs []*clr.Type, args []arg) bool {
	n := len(p.m.TypeParams)
	switch {
	case len(targs) > 0:
		if n != len(targs) {
			return false
		}
		p.targs = targs
	case n > 0:
		// Only the arguments are known: class parameters are filled in first.
		for i := range p.types {
			p.types[i] = p.types[i].Subst(p.class, nil)
		}
		inf := &inference{b: b, params: p.m.TypeParams, bounds: make([][]bound, n), fixed: make([]*clr.Type, n)}
		if !inf.run(p.types, args) {
			return false
		}
		p.targs = inf.fixed
	}
	for i := range p.types {
		p.types[i] = p.types[i].Subst(p.class, p.targs)
	}
	return true
}

func (b *binder) applicable(p *picked, args []arg) bool {
	for i, a := range args {
		t := p.types[i]
		if a.mod != "" {
			if a.decl != nil {
				if !a.decl.Type.IsVar() && a.x != nil && !clr.Same(a.x.T(), t) {
					return false
				}
				continue
			}
			if !isBad(a.x) && !clr.Same(a.x.T(), t) {
				return false
			}
			continue
		}
		if i == 0 && p.m.Extension {
			// The receiver converts by identity, reference or boxing only.
			c := standard(a.x.T(), t)
			if !c.ok || c.kind == Number {
				return false
			}
			continue
		}
		if !b.implicit(a.x, t).ok {
			return false
		}
	}
	return true
}

// better reports whether p is the better function member.
func (b *binder) better(p, q *picked, args []arg) bool {
	wins, loses := false, false
	same := true
	for i, a := range args {
		pt, qt := p.types[i], q.types[i]
		if clr.Same(pt, qt) {
			continue
		}
		same = false
		switch c := b.betterConv(a.x, pt, qt); {
		case c > 0:
			wins = true
		case c < 0:
			loses = true
		}
	}
	if wins != loses {
		return wins
	}
	if !same && wins {
		return false
	}
	pg, qg := len(p.m.TypeParams) > 0, len(q.m.TypeParams) > 0
	switch {
	case pg != qg:
		return !pg
	case p.expanded != q.expanded:
		return !p.expanded
	case p.defaults != q.defaults:
		return p.defaults < q.defaults
	case p.level != q.level:
		return p.level < q.level
	}
	return moreSpecific(p, q)
}

// moreSpecific compares the declared parameters: int is more specific than T,
// List<T> more than T.
func moreSpecific(p, q *picked) bool {
	wins := false
	for i := range p.order {
		a, c := p.m.Params[p.order[i]].Type, q.m.Params[q.order[i]].Type
		switch s := specific(a, c); {
		case s < 0:
			return false
		case s > 0:
			wins = true
		}
	}
	return wins
}

func specific(a, c *clr.Type) int {
	switch {
	case a.Kind == clr.TypeParam && c.Kind != clr.TypeParam:
		return -1
	case a.Kind != clr.TypeParam && c.Kind == clr.TypeParam:
		return 1
	case a.Kind == clr.Array && c.Kind == clr.Array:
		return specific(a.Elem, c.Elem)
	case a.Def != nil && a.Def == c.Def:
		for i := range a.Args {
			if s := specific(a.Args[i], c.Args[i]); s != 0 {
				return s
			}
		}
	}
	return 0
}

// betterConv compares converting x to pt and to qt: 1, 0 or -1.
func (b *binder) betterConv(x Expr, pt, qt *clr.Type) int {
	if l, ok := x.(*lambda); ok {
		return b.betterLambda(l, pt, qt)
	}
	if x == nil {
		return 0
	}
	t := x.T()
	switch {
	case clr.Same(t, pt) && !clr.Same(t, qt):
		return 1
	case clr.Same(t, qt) && !clr.Same(t, pt):
		return -1
	}
	return betterTarget(pt, qt)
}

func betterTarget(pt, qt *clr.Type) int {
	pq, qp := standard(pt, qt).ok, standard(qt, pt).ok
	switch {
	case pq && !qp:
		return 1
	case qp && !pq:
		return -1
	}
	signed := func(t *clr.Type) bool {
		switch t.Underlying().Code {
		case clr.CodeSByte, clr.CodeInt16, clr.CodeInt32, clr.CodeInt64:
			return true
		}
		return false
	}
	if pt.Underlying().IsInteger() && qt.Underlying().IsInteger() {
		switch {
		case signed(pt) && !signed(qt):
			return 1
		case signed(qt) && !signed(pt):
			return -1
		}
	}
	return 0
}

func (b *binder) betterLambda(l *lambda, pt, qt *clr.Type) int {
	pm, qm := invokeOf(pt), invokeOf(qt)
	if pm == nil || qm == nil || len(pm.params) != len(qm.params) {
		return 0
	}
	for i := range pm.params {
		if !clr.Same(pm.params[i].Type, qm.params[i].Type) {
			return 0
		}
	}
	if clr.Same(pm.ret, qm.ret) {
		return 0
	}
	bl := b.bindLambda(l, pm.types())
	if bl == nil || bl.ret == nil {
		return 0
	}
	if pm.ret.Kind == clr.Void {
		return -1
	}
	if qm.ret.Kind == clr.Void {
		return 1
	}
	switch {
	case clr.Same(bl.ret, pm.ret):
		return 1
	case clr.Same(bl.ret, qm.ret):
		return -1
	}
	return betterTarget(pm.ret, qm.ret)
}

// signature is the signature of a delegate type.
type signature struct {
	params []clr.Param
	ret    *clr.Type
}

func (s *signature) types() []*clr.Type {
	out := make([]*clr.Type, len(s.params))
	for i, p := range s.params {
		out[i] = p.Type
	}
	return out
}

// invokeOf is the signature of delegate t, or nil.
func invokeOf(t *clr.Type) *signature {
	d := t.Definition()
	if d.Kind != clr.Delegate || d.Invoke == nil {
		return nil
	}
	s := &signature{ret: d.Invoke.Ret.Subst(t, nil)}
	for _, p := range d.Invoke.Params {
		p.Type = p.Type.Subst(t, nil)
		s.params = append(s.params, p)
	}
	return s
}
