package clr

// MemberKind says what a member is.
type MemberKind uint8

// The kinds of members. Fields are properties that cannot run code; nothing here
// tells them apart.
const (
	Method MemberKind = iota
	Property
	Indexer
	Constructor
	Operator
	Conversion
)

// Mod is a parameter's modifier.
type Mod uint8

// The parameter modifiers.
const (
	ByValue Mod = iota
	Out
	Ref
	Params
)

// Param is one parameter of a member.
type Param struct {
	Name     string
	Type     *Type
	Mod      Mod
	Optional bool
	Default  Value
}

// Func is what a member does. For instance members a[0] is the receiver, which
// is not null. The slice is only valid during the call.
type Func = func(f *Frame, a []Value) Value

// GenericFunc is a Func that needs the types it was bound with.
type GenericFunc = func(f *Frame, s *Site, a []Value) Value

// Getter reads a property of a receiver that is not null.
type Getter = func(f *Frame, x Value) Value

// Site is what the checker knows about one use of a member.
type Site struct {
	Member *Member
	Class  *Type   // the constructed type that declares the member, or nil
	Args   []*Type // type arguments of a generic method
	Ret    *Type
}

// Member is one row of the member table, bound to its types.
type Member struct {
	Name       string
	Kind       MemberKind
	Owner      *Type
	Static     bool
	Extension  bool
	Explicit   bool // of a conversion
	Refused    bool // known to .NET, outside the sandbox
	TypeParams []*Type
	RefParam   *Type // the type parameter with the constraint class, or nil
	Params     []Param
	Ret        *Type
	Const      *Value
	Call       Func
	Get        Getter // of a property that is read often: the same as Call
	Generic    GenericFunc
	Set        Func // of a writable property or indexer: receiver, arguments, value
	Pure       bool // may be evaluated while compiling
	Sig        string
}

// Row is a member as a table writes it: a C# signature and what it does.
type Row struct {
	Sig  string
	Fn   any // Func, Getter, GenericFunc or, for constants, Value
	Set  Func
	Pure bool
}

// R makes the row of a method, a read-only property, an operator or a
// constructor.
func R(sig string, fn any) Row { return Row{Sig: sig, Fn: fn} }

// P makes the row of a member without side effects whose result depends on its
// arguments alone, so that calls with constants fold.
func P(sig string, fn any) Row { return Row{Sig: sig, Fn: fn, Pure: true} }

// RW makes the row of a property or indexer that can be assigned.
func RW(sig string, get any, set Func) Row { return Row{Sig: sig, Fn: get, Set: set} }

// Decl declares a type with its rows.
type Decl struct {
	Sig     string // "class System.Text.StringBuilder", "enum System.Base64 { None = 0 }"
	Access  Access
	Refused string // names of known members that the sandbox refuses, by spaces
	Rows    []Row
}

// D declares a type whose members are all usable.
func D(sig string, rows ...Row) Decl { return Decl{Sig: sig, Rows: rows} }
