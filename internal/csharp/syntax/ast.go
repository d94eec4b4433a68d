package syntax

// Node is a piece of syntax with its extent.
type Node interface{ Span() (from, to Pos) }

// Range is the extent of a node.
type Range struct{ From, To Pos }

// Span gives the extent.
func (r Range) Span() (from, to Pos) { return r.From, r.To }

// Expr is an expression.
type Expr interface{ Node }

// Stmt is a statement.
type Stmt interface{ Node }

// Type is a type as written.
type Type struct {
	Range
	Parts    []NamePart // of a name; one part for keywords
	Keyword  bool
	Elem     *Type // of an array or nullable
	Rank     int   // of an array; 0 for a nullable
	Tuple    []TupleElem
	Omitted  bool // of an unbound generic argument
	Arrays   bool
	Nullable bool
}

// NamePart is one part of a dotted name.
type NamePart struct {
	Name string
	Args []*Type
	Range
}

// TupleElem is an element of a tuple type.
type TupleElem struct {
	Type   *Type
	Name   string
	NameAt Range
}

// IsVar reports whether t is the word var.
func (t *Type) IsVar() bool {
	return t != nil && !t.Keyword && len(t.Parts) == 1 && t.Parts[0].Name == "var" && t.Parts[0].Args == nil
}

// Argument is an argument of a call.
type Argument struct {
	Range
	Name string // of a named argument
	Mod  string // out, ref, or ""
	X    Expr
}

// The expressions.
type (
	// Literal is a literal token, or true, false, null.
	Literal struct {
		Range
		Tok Token
	}
	// Interp is an interpolated string.
	Interp struct {
		Range
		Parts []InterpExpr
	}
	// Name is a simple name, perhaps with type arguments.
	Name struct {
		Range
		Ident string
		Args  []*Type
	}
	// TypeName is a keyword such as string, used as an expression.
	TypeName struct {
		Range
		Type *Type
	}
	// Member is X.Name; X is nil for the member of a conditional access.
	Member struct {
		Range
		X    Expr
		Name NamePart
	}
	// Call is Fn(Args).
	Call struct {
		Range
		Fn     Expr
		Args   []Argument
		Clause string // of a query that this call is made of
	}
	// Index is X[Args]; X is nil for the element of a conditional access.
	Index struct {
		Range
		X    Expr
		Args []Argument
	}
	// CondAccess is X?.Then, where Then begins with a Bound.
	CondAccess struct {
		Range
		X, Then Expr
	}
	// Bound stands for the receiver inside a conditional access.
	Bound struct{ Range }
	// Unary is an operator before X, or ++ and -- behind it.
	Unary struct {
		Range
		Op      string
		X       Expr
		Postfix bool
	}
	// Binary is X Op Y; Op may be ??, && and ||.
	Binary struct {
		Range
		Op    string
		X, Y  Expr
		OpPos Pos
	}
	// Assign is X Op Y with Op = or a compound one.
	Assign struct {
		Range
		Op   string
		X, Y Expr
	}
	// Cond is If ? Then : Else.
	Cond struct {
		Range
		If, Then, Else Expr
	}
	// Cast is (Type)X.
	Cast struct {
		Range
		Type *Type
		X    Expr
	}
	// As is X as Type.
	As struct {
		Range
		X    Expr
		Type *Type
	}
	// Is is X is Pattern.
	Is struct {
		Range
		X       Expr
		Pattern *Pattern
	}
	// Paren is (X).
	Paren struct {
		Range
		X Expr
	}
	// New is new Type(Args) { Init }.
	New struct {
		Range
		Type *Type
		Args []Argument
		Init *Init
	}
	// NewArray is new Elem[Sizes] { Init }, or new[] { Init } with Elem nil.
	NewArray struct {
		Range
		Elem  *Type
		Sizes []Expr
		Rank  int
		Init  *Init
	}
	// NewAnon is new { Name = X }.
	NewAnon struct {
		Range
		Names []string
		Vals  []Expr
		At    []Range // of the members
	}
	// Lambda is (Params) => Body or an anonymous method; Body is an Expr or *Block.
	Lambda struct {
		Range
		Params      []LambdaParam
		Typed       bool
		Anonymous   bool     // delegate …
		Query       bool     // made of a clause of a query
		Left, Right []string // names that only the other side of equals has
		NoSig       bool     // delegate { }
		Arrow       Range    // or the word delegate
		Body        Node
	}
	// TypeOf is typeof(Type).
	TypeOf struct {
		Range
		Type *Type
	}
	// SizeOf is sizeof(Type).
	SizeOf struct {
		Range
		Type *Type
	}
	// Default is default(Type), or default with Type nil.
	Default struct {
		Range
		Type *Type
	}
	// Checked is checked(X) or unchecked(X).
	Checked struct {
		Range
		On bool
		X  Expr
	}
	// Tuple is (A, B).
	Tuple struct {
		Range
		Elems []Argument
	}
	// Decl is T x in out arguments and deconstruction; Names has the names of var (a, b).
	Decl struct {
		Range
		Type *Type
		Name string
	}
	// Throw is throw X.
	Throw struct {
		Range
		X Expr
	}
	// Query is a LINQ query.
	Query struct {
		Range
		Clauses []Clause
	}
	// RangeValue is the value of a range variable that let declares.
	RangeValue struct {
		Range // of the name
		X     Expr
	}
	// Bad is what could not be parsed.
	Bad struct{ Range }
)

// InterpExpr is one part of an interpolated string.
type InterpExpr struct {
	Text      string
	X         Expr // nil for text
	Align     Expr
	Format    string
	HasFormat bool
}

// LambdaParam is a parameter of a lambda.
type LambdaParam struct {
	Range
	NameAt Pos
	Type   *Type
	Name   string
	Mod    string
}

// Init is an object, collection or array initializer.
type Init struct {
	Range
	Elems []InitElem
}

// InitElem is Name = X, [Keys] = X, { Args }, or X.
type InitElem struct {
	Range
	Name   string
	Keys   []Argument
	Args   []Expr // { a, b }
	X      Expr
	Nested *Init
}

// Pattern is what follows is and case.
type Pattern struct {
	Range
	Const Expr
	Type  *Type
	Name  string // "_" or "" discards
	IsVar bool
}

// Clause is a clause of a query.
type Clause struct {
	Range
	Kind   string // from, where, let, join, orderby, select, group, into
	Type   *Type
	Name   string
	NameAt Range
	X      Expr
	On     Expr // join
	Eq     Expr
	Into   string
	By     Expr
	Keys   []OrderKey
}

// OrderKey is a key of orderby.
type OrderKey struct {
	X    Expr
	Desc bool
}

// The statements.
type (
	// Block is { … }.
	Block struct {
		Range
		Stmts []Stmt
	}
	// LocalDecl is T a = 1, b = 2.
	LocalDecl struct {
		Range
		Const bool
		Type  *Type
		Vars  []Variable
	}
	// ExprStmt is X;.
	ExprStmt struct {
		Range
		X Expr
	}
	// Empty is ;.
	Empty struct{ Range }
	// If is if (Cond) Then else Else.
	If struct {
		Range
		Cond       Expr
		Then, Else Stmt
	}
	// While is while (Cond) Body, or do Body while (Cond).
	While struct {
		Range
		Cond Expr
		Body Stmt
		Do   bool
	}
	// For is for (Init; Cond; Post) Body.
	For struct {
		Range
		Init []Stmt
		Cond Expr
		Post []Expr
		Body Stmt
	}
	// Foreach is foreach (Type Name in X) Body; Target is set for (var (a, b) in X).
	Foreach struct {
		Range
		Type   *Type
		Name   string
		Target Expr
		X      Expr
		Body   Stmt
	}
	// Switch is switch (X) { … }.
	Switch struct {
		Range
		X        Expr
		Sections []Section
	}
	// Return is return X;.
	Return struct {
		Range
		X Expr
	}
	// Jump is break, continue or goto.
	Jump struct {
		Range
		Kind  string // break, continue, goto, goto case, goto default
		X     Expr
		Label Name // of goto
	}
	// Labeled is Name: Body.
	Labeled struct {
		Range
		Name string
		Body Stmt
	}
	// Try is try … catch … finally ….
	Try struct {
		Range
		Body    *Block
		Catches []Catch
		Finally *Block
	}
	// ThrowStmt is throw X;.
	ThrowStmt struct {
		Range
		X Expr
	}
	// Using is using (Decl or X) Body.
	Using struct {
		Range
		Decl *LocalDecl
		X    Expr
		Body Stmt
	}
	// Lock is lock (X) Body.
	Lock struct {
		Range
		X    Expr
		Body Stmt
	}
	// CheckedStmt is checked { } or unchecked { }.
	CheckedStmt struct {
		Range
		On   bool
		Body *Block
	}
	// LocalFunc is a local function.
	LocalFunc struct {
		Range
		Ret          *Type
		Name         string
		NameAt       Range
		TypeParams   []string
		TypeParamsAt []Range
		Params       []FuncParam
		Body         Node // *Block or Expr; nil where it is missing
	}
)

// Variable is one declarator of a local declaration.
type Variable struct {
	Range
	Name string
	X    Expr
	Init *Init // = { 1, 2 }
}

// Section is a section of a switch.
type Section struct {
	Labels []Label
	Body   []Stmt
}

// Label is case Pattern when When: or default:.
type Label struct {
	Range
	Default bool
	Pattern *Pattern
	When    Expr
}

// Catch is a catch clause.
type Catch struct {
	Range
	Type   *Type
	Name   string
	NameAt Range
	When   Expr
	Body   *Block
}

// FuncParam is a parameter of a local function.
type FuncParam struct {
	LambdaParam
	Default Expr
	Params  bool
}
