package syntax

// Kind is the kind of a token.
type Kind uint8

// The kinds of tokens.
const (
	EOF Kind = iota
	Ident
	Keyword
	IntLit
	RealLit
	CharLit
	StringLit
	InterpLit
	Op
)

// Token is one token of a source. A long source has many: it stays small.
type Token struct {
	Text     string // the identifier, keyword or operator; the text of a string; the digits of a number
	Lit      *Lit   // of numbers, characters and interpolated strings
	Pos, End Pos
	Kind     Kind
	Space    bool // white space or a comment stands before it
}

// Lit is what a literal has beside its text.
type Lit struct {
	Int    uint64 // of IntLit; the UTF-16 unit of CharLit
	Real   float64
	Suffix string // in lower case
	Parts  []InterpPart
}

// InterpPart is text or a hole of an interpolated string.
type InterpPart struct {
	Text      string
	Hole      []Token // of the expression and its width; nil for text
	Format    string
	HasFormat bool
}

var keywords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range []string{
		"abstract", "as", "base", "bool", "break", "byte", "case", "catch", "char", "checked", "class", "const",
		"continue", "decimal", "default", "delegate", "do", "double", "else", "enum", "event", "explicit", "extern",
		"false", "finally", "fixed", "float", "for", "foreach", "goto", "if", "implicit", "in", "int", "interface",
		"internal", "is", "lock", "long", "namespace", "new", "null", "object", "operator", "out", "override",
		"params", "private", "protected", "public", "readonly", "ref", "return", "sbyte", "sealed", "short", "sizeof",
		"stackalloc", "static", "string", "struct", "switch", "this", "throw", "true", "try", "typeof", "uint", "ulong",
		"unchecked", "unsafe", "ushort", "using", "virtual", "void", "volatile", "while",
	} {
		m[w] = true
	}
	return m
}()

// operators, longest first. >> is made by the parser from two > so that nested
// type arguments need no special care.
var operators = []string{
	"<<=", "??=", "...", "=>", "->", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "++", "--", "+=", "-=", "*=",
	"/=", "%=", "&=", "|=", "^=", "<<", "::", "..", "{", "}", "(", ")", "[", "]", ".", ",", ":", ";", "+", "-", "*",
	"/", "%", "&", "|", "^", "!", "~", "=", "<", ">", "?",
}

// byFirst are the operators by their first byte, longest first.
var byFirst = func() (t [128][]string) {
	for _, op := range operators {
		t[op[0]] = append(t[op[0]], op)
	}
	return t
}()
