// Package check gives meaning to syntax: it binds names, finds types, chooses
// overloads, infers type arguments, folds constants and enforces the sandbox.
//
// What comes out is a tree of typed nodes in which everything implicit is
// explicit: conversions, default arguments, parameter arrays, temporaries of
// compound assignments. Package emit turns it into closures. The tree is only
// meaningful when there are no errors. Start reading at Check.
package check

import (
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// Options are what a source is checked against.
type Options struct {
	Types   *clr.Universe
	Context *clr.Type // of the identifier context; nil leaves it undefined
	Result  *clr.Type // wanted, or nil for whatever the source gives
	Text    string    // of the source, for messages that quote it
	Damaged bool      // the syntax has errors: there will be no program
}

// Program is a checked source.
type Program struct {
	Main *Func
	Type *clr.Type // of the result
}

// Check binds a parsed source. All errors are reported, and sandbox errors with
// them; the program is nil when there are any.
func Check(n syntax.Node, opt Options) (prog *Program, errs []*syntax.Error) {
	defer func() {
		if r := recover(); r != nil {
			stop, ok := r.(bailout)
			if !ok {
				panic(r)
			}
			prog, errs = nil, stop.errs
		}
	}()
	from, to := n.Span()
	b := &binder{session: &session{
		u: opt.Types, text: opt.Text, context: opt.Context, uses: map[*Local]syntax.Node{}, at: n, work: baseWork + workPerByte*int(to-from),
	}}
	main := &Func{}
	b.fn = main
	b.push()
	var result *clr.Type
	if block, ok := n.(*syntax.Block); ok {
		result = b.mainBlock(main, block, opt.Result)
	} else {
		x := b.value(n)
		if opt.Damaged {
			return nil, b.errs
		}
		if x.T().Kind == clr.Void {
			b.err(n, "CS0029", "Cannot implicitly convert type 'void' to 'object'")
		}
		if opt.Result != nil {
			x = b.convert(x, opt.Result, n)
		}
		x = b.natural(x, n)
		result = x.T()
		main.Body = &Return{X: x}
	}
	b.pop()
	if len(b.errs) == 0 && !opt.Damaged {
		b.flow(main)
	}
	if len(b.errs) > 0 || opt.Damaged {
		return nil, b.errs
	}
	return &Program{Main: main, Type: result}, nil
}

// mainBlock binds @{ }, whose type is that of all its returns together.
func (b *binder) mainBlock(main *Func, block *syntax.Block, want *clr.Type) *clr.Type {
	main.Body = b.block(block)
	main.At = block
	t := want
	if t == nil {
		t = b.commonReturn(main)
	}
	for _, r := range main.Returns {
		if r.X == nil {
			b.err(r.At, "CS0126", "An object of a type convertible to '"+t.String()+"' is required")
			continue
		}
		r.X = b.convert(r.X, t, r.At)
	}
	main.Ret = t
	return t
}

// commonReturn is the type that all returns convert to, or object.
func (b *binder) commonReturn(f *Func) *clr.Type {
	var xs []Expr
	for _, r := range f.Returns {
		if r.X != nil {
			xs = append(xs, r.X)
		}
	}
	if t := b.bestCommon(xs); t != nil {
		return t
	}
	return clr.ObjectType
}
