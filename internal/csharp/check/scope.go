package check

import (
	"slices"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// scope maps names to what was declared.
type scope struct {
	parent *scope
	names  map[string]any // *Var, *LocalFunc, or syntax.Expr for names of queries
	fn     *Func
	types  map[string]*clr.Type
	labels map[string]*Label
	list   []syntax.Stmt   // the statements of a block, for what they declare later
	later  map[string]bool // names that list declares, once asked for
	side   *syntax.Lambda  // a side of the equals of a join
	sink   *scope          // of a section of a switch: the block, which declares its locals
}

// region is a statement around that jumps have to do with.
type region struct {
	kind  regionKind
	jumps *[]*Jump // the goto cases of a switch
}

type regionKind uint8

const (
	loopRegion regionKind = iota
	switchRegion
	catchRegion
	finallyRegion
)

// within binds something inside of a region.
func (b *binder) within(r region, bind func()) {
	b.around = append(b.around, r)
	bind()
	b.around = b.around[:len(b.around)-1]
}

// enclosing finds the innermost region that is wanted, and whether a finally
// clause stands between.
func (b *binder) enclosing(want func(regionKind) bool) (r *region, leaves bool) {
	for i := len(b.around) - 1; i >= 0; i-- {
		if want(b.around[i].kind) {
			return &b.around[i], leaves
		}
		leaves = leaves || b.around[i].kind == finallyRegion
	}
	return nil, leaves
}

// binder is where binding stands. Binding the body of a function works on the
// same binder and puts back what it found, save for the session.
type binder struct {
	*session
	errs    []*syntax.Error
	scope   *scope
	fn      *Func
	checked bool
	keep    bool // of a property that is assigned to
	wraps   bool // inside of unchecked
	unbound bool // typeof may name a generic type without arguments
	around  []region
	bound   []*Local // receivers of conditional accesses
	depth   int      // of expressions inside each other
}

// session is what is kept for a whole source.
type session struct {
	u       *clr.Universe
	text    string // of the source
	context *clr.Type
	bits    int                    // given to variables for definite assignment
	uses    map[*Local]syntax.Node // where variables are read
	found   map[named][]candidate  // what lookup found before
	folds   *clr.Frame             // evaluates constants
	work    int                    // left to spend
	at      syntax.Node            // the expression bound last
}

// The work that one source may take: some for any, and more for longer ones. A
// unit is about a node, an attempted conversion or a candidate of an overload.
// Ordinary sources take less than five for each byte; lambdas within lambdas, which
// may be bound several times, tuples of tuples and the like know no such bound.
const (
	baseWork    = 200_000
	workPerByte = 20
	maxDepth    = 12_000 // of expressions; the parser's bounds multiply
	maxType     = 2000   // size of the type of an expression
)

// spend takes n units of work. What follows after the last is not bound at all.
func (b *binder) spend(n int) {
	if b.work -= n; b.work < 0 {
		b.giveUp()
	}
}

func (b *binder) giveUp() {
	b.err(b.at, "CS8078", syntax.TooComplex)
	panic(bailout{b.errs})
}

// bailout ends binding early; Check reports the errors.
type bailout struct{ errs []*syntax.Error }

func (b *binder) push() {
	b.scope = &scope{parent: b.scope, fn: b.fn}
}

func (b *binder) pop() { b.scope = b.scope.parent }

func (b *binder) err(n syntax.Node, code, msg string) {
	var from, to syntax.Pos
	if n != nil {
		from, to = n.Span()
	}
	b.report(&syntax.Error{Pos: from, End: to, Code: code, Message: msg})
}

// report adds findings that are not known yet, as far as they are reported.
func (b *binder) report(errs ...*syntax.Error) {
	for _, e := range errs {
		known := func(o *syntax.Error) bool { return o.Pos == e.Pos && o.Code == e.Code && o.Message == e.Message }
		if len(b.errs) < syntax.MaxErrors && !slices.ContainsFunc(b.errs, known) {
			b.errs = append(b.errs, e)
		}
	}
}

// reported reports whether an error with this code stands at n already.
func (b *binder) reported(n syntax.Node, code string) bool {
	from, _ := n.Span()
	for _, e := range b.errs {
		if e.Pos == from && e.Code == code {
			return true
		}
	}
	return false
}

// bad is the expression that was reported.
func bad() Expr { return &Bad{typed{clr.ErrorT}} }

// isUnknown reports whether x was reported though its type is known.
func isUnknown(x Expr) bool {
	_, ok := x.(*Unknown)
	return ok
}

func isBad(xs ...Expr) bool {
	for _, x := range xs {
		if x == nil || x.T() == nil || x.T().Kind == clr.ErrorKind || isUnknown(x) {
			return true
		}
	}
	return false
}

// newVar makes a variable of the current function.
func (b *binder) newVar(name string, t *clr.Type, at syntax.Node) *Var {
	v := &Var{Name: name, Type: t, Func: b.fn, Slot: b.fn.Slots, at: at}
	b.fn.Slots++
	b.fn.Vars = append(b.fn.Vars, v)
	return v
}

// declare makes a variable and enters it in the scope.
func (b *binder) declare(name string, t *clr.Type, at syntax.Node) *Var {
	v := b.newVar(name, t, at)
	b.enter(name, v, at)
	return v
}

func (b *binder) enter(name string, what any, at syntax.Node) {
	if name == "" {
		return // a name that is missing
	}
	s := b.scope
	if s.sink != nil {
		s = s.sink
	}
	if name == "_" {
		if _, ok := what.(*Var); ok && s.names[name] != nil {
			return
		}
	}
	if s.names[name] != nil || b.scope.names[name] != nil {
		b.err(at, "CS0128", "A local variable or function named '"+name+"' is already defined in this scope")
	} else if b.find(name) != nil || b.findLater(s.parent, name) {
		b.err(at, "CS0136", "A local or parameter named '"+name+"' cannot be declared in this scope because that name is used in an enclosing local scope to define a local or parameter")
	}
	s.set(name, what)
}

// set enters a name; most scopes have none.
func (s *scope) set(name string, what any) {
	if s.names == nil {
		s.names = map[string]any{}
	}
	s.names[name] = what
}

// quote is the text of a node.
func (b *binder) quote(n syntax.Node) string {
	from, to := n.Span()
	return b.text[min(int(from), len(b.text)):min(int(to), len(b.text))]
}

// declaresLater reports whether the block of the scope declares a variable of
// that name, perhaps further down.
func (s *scope) declaresLater(name string) bool {
	if s.later == nil && len(s.list) > 0 {
		s.later = map[string]bool{}
		for _, st := range s.list {
			if d, ok := unlabeled(st).(*syntax.LocalDecl); ok {
				for _, v := range d.Vars {
					s.later[v.Name] = true
				}
			}
		}
	}
	return s.later[name]
}

// findLater reports whether an enclosing block declares name further down.
func (b *binder) findLater(from *scope, name string) bool {
	for s := from; s != nil; s = s.parent {
		if s.declaresLater(name) {
			return true
		}
	}
	return false
}

// find is the scope that declares name.
func (b *binder) find(name string) *scope {
	for s := b.scope; s != nil; s = s.parent {
		if s.names[name] != nil {
			return s
		}
	}
	return nil
}

// use refers to a variable, capturing it when it belongs to an outer function.
func (b *binder) use(v *Var) *Local {
	if v.Func != b.fn {
		v.Captured = true
		b.fn.capture(v)
	}
	return &Local{typed{v.Type}, v}
}

// temp makes an unnamed variable.
func (b *binder) temp(t *clr.Type) *Var { return b.newVar("", t, nil) }
