// Package csharp compiles and runs the expressions of policies: C# 7 expressions
// and statement blocks against a fixed table of .NET types.
//
// A source goes through four packages: syntax parses it, check gives it types
// and enforces the sandbox with the rows of lib, emit makes Go closures, and clr
// holds the values they work on. Package apim declares the context object.
// Programs are immutable and shared by all goroutines; each evaluation has a
// Frame of its own. Nothing here knows the rest of the project.
//
// Start reading at Compile and Program.Run.
package csharp

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/portico-dev/portico/internal/csharp/check"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/emit"
	"github.com/portico-dev/portico/internal/csharp/lib"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// The names that users of the package need from below.
type (
	// Value is a C# value.
	Value = clr.Value
	// Type is a C# type.
	Type = clr.Type
	// Universe is a set of types with their members.
	Universe = clr.Universe
	// Exception is a .NET exception that an expression did not catch.
	Exception = clr.Exception
	// Stop says that an evaluation was cut off: budget or cancellation.
	Stop = clr.Stop
)

// Options are what a source is compiled against.
type Options struct {
	Types   *Universe // nil means lib.Universe()
	Context *Type     // type of the identifier context; nil leaves it undefined
	Result  *Type     // wanted type; nil takes what the source gives
	Line    int       // of the source's first character, from 1; 0 means 1
	Col     int       // likewise
}

// Error is one finding about a source.
type Error struct {
	Offset    int    // in bytes, into the source
	Line, Col int    // from 1, in UTF-16 units
	Code      string // CS0103, or SANDBOX
	Message   string
	Snippet   string // the source line
	Caret     int    // column in Snippet, from 1
}

// Error is line(col): error code: message.
func (e *Error) Error() string {
	return fmt.Sprintf("(%d,%d): error %s: %s", e.Line, e.Col, e.Code, e.Message)
}

// Errors are all findings about a source, in its order.
type Errors []*Error

// Error joins the findings, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, x := range e {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

// Program is a compiled source.
type Program struct {
	typ   *Type
	types *Universe
	code  *emit.Code
	konst *Value
}

// Type is the type of the result.
func (p *Program) Type() *Type { return p.typ }

// Constant gives the result of a source that is a constant.
func (p *Program) Constant() (Value, bool) {
	if p.konst == nil {
		return clr.Null, false
	}
	return *p.konst, true
}

// internalCode is the code of the finding that stands for a bug in the compiler.
const internalCode = "INTERNAL"

// Compile compiles the inside of @( ), or a block @{ } with its braces. The
// result is nil when there are errors.
func Compile(src string, opt Options) (p *Program, found Errors) {
	if opt.Types == nil {
		opt.Types = lib.Universe()
	}
	// A bug of ours must not take down who compiles what others wrote.
	defer func() {
		if r := recover(); r != nil {
			bug := &syntax.Error{Code: internalCode, Message: fmt.Sprintf("The compiler ended with an internal error: %v", r)}
			p, found = nil, positions(src, opt, []*syntax.Error{bug})
		}
	}()
	node, errs := syntax.Parse(src)
	var prog *check.Program
	if !syntax.GivenUp(errs) {
		var more []*syntax.Error
		prog, more = check.Check(node, check.Options{Types: opt.Types, Context: opt.Context, Result: opt.Result, Text: src, Damaged: len(errs) > 0})
		errs = syntax.Merged(errs, more)
	}
	if len(errs) > 0 {
		return nil, positions(src, opt, errs)
	}
	p = &Program{typ: prog.Type, types: opt.Types}
	if r, ok := prog.Main.Body.(*check.Return); ok {
		if k, ok := r.X.(*check.Const); ok {
			p.konst = &k.V
		}
	}
	p.code = emit.Program(prog)
	return p, nil
}

// CompileMarked compiles a source with its marks: @(…) or @{…}.
func CompileMarked(src string, opt Options) (*Program, Errors) {
	trimmed := strings.TrimSpace(src)
	lead := strings.Index(src, trimmed)
	skip := 1
	inner := trimmed
	switch {
	case strings.HasPrefix(trimmed, "@(") && strings.HasSuffix(trimmed, ")"):
		skip = 2
		inner = trimmed[2 : len(trimmed)-1]
	case strings.HasPrefix(trimmed, "@{") && strings.HasSuffix(trimmed, "}"):
		inner = trimmed[1:]
	default:
		return nil, positions(src, opt, []*syntax.Error{{Code: "CS1525", Message: "An expression begins with @( or @{ and ends with its bracket"}})
	}
	line, col := syntax.NewSource(src).Position(syntax.Pos(lead + skip))
	if opt.Line > 0 {
		if line == 1 {
			col += max(opt.Col, 1) - 1
		}
		line += opt.Line - 1
	}
	opt.Line, opt.Col = line, col
	p, errs := Compile(inner, opt)
	for _, e := range errs {
		e.Offset += lead + skip
	}
	return p, errs
}

func positions(src string, opt Options, errs []*syntax.Error) Errors {
	s := syntax.NewSource(src)
	slices.SortStableFunc(errs, func(a, b *syntax.Error) int { return int(a.Pos - b.Pos) })
	out := make(Errors, len(errs))
	for i, e := range errs {
		line, col := s.Position(e.Pos)
		out[i] = &Error{Offset: int(e.Pos), Line: line, Col: col, Code: e.Code, Message: e.Message, Snippet: s.Line(line), Caret: col}
		if opt.Line > 0 {
			if line == 1 {
				out[i].Col += max(opt.Col, 1) - 1
			}
			out[i].Line += opt.Line - 1
		}
	}
	return out
}

// Budget bounds one evaluation. Zero fields take the defaults.
type Budget struct {
	Steps  int64 // loop rounds, calls of lambdas and pieces of library work
	Memory int64 // bytes allocated in all
}

// The budget of an evaluation that asks for none.
const (
	DefaultSteps  = 10_000_000
	DefaultMemory = 256 << 20
)

// Frame is what one evaluation works in. It may be used again, by one
// evaluation at a time.
type Frame struct {
	Context context.Context // cancels the evaluation; nil never does
	Host    any             // the object named context
	Budget  Budget

	f clr.Frame
}

var frames = sync.Pool{New: func() any { return new(Frame) }}

// NewFrame takes a frame from the pool; Release gives it back.
func NewFrame(ctx context.Context, host any) *Frame {
	f := frames.Get().(*Frame)
	f.Context, f.Host, f.Budget = ctx, host, Budget{}
	return f
}

// Release gives the frame back. It must not be used any more.
func (f *Frame) Release() {
	f.f.Clear()
	f.Context, f.Host = nil, nil
	frames.Put(f)
}

// Internal is a bug in the compiler that an evaluation ran into.
type Internal struct{ Cause any }

func (e *Internal) Error() string {
	return fmt.Sprintf("internal error of the expression: %v", e.Cause)
}

// Run evaluates the program. The error is an *Exception that was not caught, a
// *Stop, or an *Internal.
func (p *Program) Run(f *Frame) (v Value, err error) {
	ctx, steps, mem := f.Context, f.Budget.Steps, f.Budget.Memory
	if ctx == nil {
		ctx = context.Background()
	}
	if steps == 0 {
		steps = DefaultSteps
	}
	if mem == 0 {
		mem = DefaultMemory
	}
	if p.konst != nil {
		return *p.konst, nil
	}
	f.f.Reset(ctx, steps, mem)
	f.f.Types = p.types
	if f.Host != nil {
		f.f.Global = clr.Object(f.Host)
	}
	defer func() {
		if r := recover(); r != nil {
			v, err = clr.Null, failure(r)
		}
	}()
	return p.code.Run(&f.f), nil
}

// failure turns what an evaluation panicked with into its error.
func failure(r any) error {
	switch e := r.(type) {
	case *Exception:
		return e
	case *Stop:
		return e
	case runtime.Error:
		return &Internal{e}
	}
	return &Internal{r}
}

// Text is the value as ToString gives it; null is empty.
func (f *Frame) Text(p *Program, v Value) (s string, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, err = "", failure(r)
		}
	}()
	ctx := f.Context
	if ctx == nil {
		ctx = context.Background()
	}
	f.f.Reset(ctx, DefaultSteps, DefaultMemory)
	f.f.Types = p.types
	return lib.Text(&f.f, v), nil
}
