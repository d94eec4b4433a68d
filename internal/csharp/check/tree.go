package check

import (
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// Expr is a typed expression.
type Expr interface{ T() *clr.Type }

type typed struct{ Type *clr.Type }

// T is the type of the expression.
func (t typed) T() *clr.Type { return t.Type }

// Var is a local variable, parameter or temporary.
type Var struct {
	Name     string
	Type     *clr.Type
	Func     *Func // that declares it
	Slot     int
	Captured bool
	Hoisted  bool // its cell begins with the block, for local functions
	Const    *clr.Value
	Param    bool
	Out      bool   // parameter
	ReadOnly string // what makes it so: foreach iteration variable, using variable
	at       syntax.Node
	bit      int // of definite assignment
}

// Func is a function body: the source itself, a lambda or a local function.
type Func struct {
	Parent   *Func
	Params   []*Var
	Slots    int
	Captures []*Var // outer variables it uses
	places   map[*Var]int
	Body     Stmt
	Ret      *clr.Type // nil while unknown; VoidType for none
	Returns  []*Return
	At       syntax.Node
	ByRef    bool
	Vars     []*Var // all variables, temporaries included
	Labels   int

	delegate *clr.Type  // of a lambda
	local    *LocalFunc // of a local function
}

// capture notes that f uses the outer variable v.
func (f *Func) capture(v *Var) {
	for g := f; g != nil && g != v.Func; g = g.Parent {
		if _, ok := g.places[v]; ok {
			return // and so have those around it
		}
		if g.places == nil {
			g.places = map[*Var]int{}
		}
		g.places[v] = len(g.Captures)
		g.Captures = append(g.Captures, v)
	}
}

// Place is the index of v in Captures, or -1.
func (f *Func) Place(v *Var) int {
	if i, ok := f.places[v]; ok {
		return i
	}
	return -1
}

// ConvKind is the kind of a conversion that does something at run time.
type ConvKind uint8

// The conversions. Nothing covers identity, boxing, references to bases and
// wrapping into nullables: values look the same before and after.
const (
	Nothing  ConvKind = iota
	Number            // between numbers, characters and enums
	Unbox             // object to a value type: the exact type is required
	Down              // to a derived class or interface
	Unwrap            // T? to T
	ToTuple           // tuple to tuple, element by element
	Retarget          // an untyped array or delegate to its final type
)

// The expressions of the tree.
type (
	// Const is a constant.
	Const struct {
		typed
		V clr.Value
	}
	// Local is a variable.
	Local struct {
		typed
		V *Var
	}
	// Global is the context object.
	Global struct{ typed }
	// Call is a use of a member: method, property, indexer, constructor,
	// operator or conversion. Recv is nil for static ones.
	Call struct {
		typed
		Site *clr.Site
		Recv Expr
		Args []Expr
	}
	// Store assigns to a property or indexer; its value is Value.
	Store struct {
		typed
		Site  *clr.Site
		Recv  Expr
		Args  []Expr
		Value Expr
	}
	// Element is an element of an array.
	Element struct {
		typed
		X       Expr
		Indexes []Expr
	}
	// Field is a field of an anonymous object or tuple.
	Field struct {
		typed
		X Expr
		I int
	}
	// NewArray makes an array of given sizes or with given elements.
	NewArray struct {
		typed
		Sizes []Expr
		Elems []Expr
		Lens  []int // of the dimensions, when there are elements
	}
	// NewRecord makes an anonymous object or tuple.
	NewRecord struct {
		typed
		Vals []Expr
	}
	// Conv converts.
	Conv struct {
		typed
		Kind    ConvKind
		X       Expr
		Checked bool
		Lifted  bool // null stays null
	}
	// Unary is -, ~ or ! of a built-in type.
	Unary struct {
		typed
		Op      string
		X       Expr
		Checked bool
		Lifted  bool
	}
	// Binary is a built-in operator on two operands of type Of.
	Binary struct {
		typed
		Op      string
		X, Y    Expr
		Of      *clr.Type
		Checked bool
		Lifted  bool
	}
	// RefEq compares references.
	RefEq struct {
		typed
		X, Y Expr
		Not  bool
	}
	// StrEq compares strings.
	StrEq struct {
		typed
		X, Y Expr
		Not  bool
	}
	// Logic is && or ||.
	Logic struct {
		typed
		And  bool
		X, Y Expr
	}
	// Concat joins the texts of its parts.
	Concat struct {
		typed
		Parts []Expr
	}
	// Interp is an interpolated string.
	Interp struct {
		typed
		Parts []InterpPart
	}
	// Coalesce is X ?? Y.
	Coalesce struct {
		typed
		X, Y Expr
	}
	// Cond is If ? Then : Else.
	Cond struct {
		typed
		If, Then, Else Expr
	}
	// CondAccess gives null when X is null, and otherwise Then, in which V
	// holds X.
	CondAccess struct {
		typed
		X    Expr
		V    *Var
		Then Expr
	}
	// Assign writes to a Local or Element; its value is Value.
	Assign struct {
		typed
		To    Expr
		Value Expr
		field int // from 1, where only a field of a tuple changes
	}
	// Let evaluates Init into V, then Steps, and gives Body.
	Let struct {
		typed
		V     *Var
		Init  Expr
		Steps []Expr
		Body  Expr
	}
	// Lambda makes a delegate.
	Lambda struct {
		typed
		F *Func
	}
	// Invoke calls a delegate.
	Invoke struct {
		typed
		Fn   Expr
		Args []Expr
	}
	// LocalCall calls a local function.
	LocalCall struct {
		typed
		F    *LocalFunc
		Args []Expr
		at   syntax.Node
	}
	// Is tests for a type and perhaps keeps the value in V.
	Is struct {
		typed
		X  Expr
		Of *clr.Type
		V  *Var
	}
	// As converts or gives null.
	As struct {
		typed
		X Expr
	}
	// TypeOf is typeof(Of).
	TypeOf struct {
		typed
		Of *clr.Type
	}
	// Throw throws X.
	Throw struct {
		typed
		X Expr
	}
	// ByRef passes a variable as out or ref argument.
	ByRef struct {
		typed
		To  Expr // Local or Element
		Out bool
	}
	// Bad was reported already.
	Bad struct{ typed }
	// Unknown was reported as well; that it has this type is known.
	Unknown struct{ typed }
)

// InterpPart is text or a value of an interpolated string.
type InterpPart struct {
	Text      string
	X         Expr
	Align     int
	Format    string
	HasFormat bool
}

// LocalFunc is a local function.
type LocalFunc struct {
	Name       string
	F          *Func
	Params     []clr.Param
	TypeParams []*clr.Type
	Ret        *clr.Type
	V          *Var // holds its delegate
	syn        *syntax.LocalFunc
	bound      bool
	scope      *scope
	known      []*LocalFunc // instances of a generic one, for its type arguments
	instances  []*LocalFunc // those that the block does not have yet
	targs      []*clr.Type  // of an instance
}

// Generic reports whether f is only a pattern for its instances.
func (f *LocalFunc) Generic() bool { return len(f.TypeParams) > 0 }

// Stmt is a checked statement.
type Stmt any

// The statements of the tree.
type (
	// Block runs statements in order.
	Block struct {
		Stmts   []Stmt
		Funcs   []*LocalFunc // declared in it
		Hoisted []*Var       // of them captured by Funcs
	}
	// Declare makes a variable; X is nil when it has no value yet.
	Declare struct {
		V *Var
		X Expr
	}
	// Eval evaluates for the effect.
	Eval struct{ X Expr }
	// If is if.
	If struct {
		Cond       Expr
		Then, Else Stmt
	}
	// Loop is while, do and for. Vars are made anew by nothing: C# has one
	// variable for all rounds of a for loop.
	Loop struct {
		Init  []Stmt
		Cond  Expr // nil for ever
		Post  []Expr
		Body  Stmt
		Do    bool
		Const bool // Cond is the constant true
	}
	// Foreach is foreach; Setup runs at the start of each round.
	Foreach struct {
		X     Expr
		V     *Var
		Conv  Expr // of the element, which is in Elem
		Elem  *Var
		Setup []Stmt
		Body  Stmt
	}
	// Switch is switch over V, which holds X.
	Switch struct {
		V        *Var
		X        Expr
		Sections []Section
		Default  int  // index of the section with default, or -1
		covered  bool // a section takes every value
	}
	// Return is return.
	Return struct {
		X    Expr
		At   syntax.Node
		stmt syntax.Node
	}
	// Jump is break or continue, goto case Target, or goto Label.
	Jump struct {
		Kind   string
		Target int
		Label  *Label
		at     syntax.Node
		value  Expr
	}
	// Mark is where a label stands.
	Mark struct{ L *Label }
	// Try is try.
	Try struct {
		Body    Stmt
		Catches []Catch
		Finally Stmt
	}
	// ThrowStmt throws X, or again what was caught when X is nil.
	ThrowStmt struct{ X Expr }
	// Using disposes of what V holds.
	Using struct {
		Decl []Stmt
		V    []*Var
		Body Stmt
	}
)

// Label is what goto goes to.
type Label struct {
	ID    int // in its function
	depth int // of regions around
}

// Section is a section of a switch; Tests are its labels as conditions.
type Section struct {
	Tests  []Expr   // bool; nil for default
	Consts []*Const // that the tests compare with, or nil
	Body   []Stmt
	at     *syntax.Label
}

// Catch is a catch clause.
type Catch struct {
	Type *clr.Type
	V    *Var
	When Expr
	Body Stmt
}

// The nodes that have no value of their own: they exist while binding only.
type (
	// group is a method group.
	group struct {
		typed
		recv    Expr
		static  *clr.Type
		name    string
		members []candidate
		targs   []*clr.Type
		at      syntax.Node
	}
	// funcGroup is a local function by name.
	funcGroup struct {
		typed
		f *LocalFunc
	}
	// typeExpr is a type where an expression stands.
	typeExpr struct {
		typed
		of *clr.Type
	}
	// space is a namespace.
	space struct {
		typed
		name string
	}
	// lambda is an anonymous function that has no type yet.
	lambda struct {
		typed
		syn   *syntax.Lambda
		scope *scope
		fn    *Func
		chk   bool
		wraps bool
		cache []*boundLambda
	}
	// defaultLit is the literal default.
	defaultLit struct{ typed }
	// untyped tuple with an element that has no type.
)

// boundLambda is a lambda bound for certain parameter types.
type boundLambda struct {
	in   []*clr.Type
	fn   *Func
	ret  *clr.Type // inferred; nil when it has none
	expr Expr      // of an expression body
	errs []*syntax.Error
}
