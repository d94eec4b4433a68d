// Package lib is the member table: every .NET type and member that a policy
// expression may use, each a row of its C# signature and what it does.
//
// Objects of reference types are Go pointers that know their type (clr.Typed);
// scalars need none. Rows throw .NET exceptions with .NET messages; strings are
// UTF-8 inside and behave as UTF-16 outside, lone surrogates included. The
// culture is invariant and the time zone is UTC. Whatever a row builds is counted
// against the frame's budget. Start reading at Decls.
package lib

import (
	"strings"
	"sync"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

type (
	// V and F keep the rows short.
	V = clr.Value
	// F is the frame a row runs in.
	F = *clr.Frame
	// S is what the checker knows about the use of a row.
	S = *clr.Site
)

// R, P, RW and D are the row makers of clr.
var (
	R  = clr.R
	P  = clr.P
	RW = clr.RW
	D  = clr.D
)

// Decls are all declarations of the table.
func Decls() []clr.Decl {
	var out []clr.Decl
	for _, part := range [][]clr.Decl{
		objectDecls(), delegateDecls(), stringDecls(), numberDecls(), mathDecls(), convertDecls(), collectionDecls(),
		linqDecls(), timeDecls(), zoneDecls(), zoneRuleDecls(), textDecls(), webDecls(), regexDecls(), jsonDecls(), xmlDecls(), cryptoDecls(),
		certDecls(), refusedDecls(),
	} {
		out = append(out, part...)
	}
	return out
}

// table is built when it is first asked for, and constant from then on.
var table struct {
	once   sync.Once
	u      *clr.Universe
	tokens [jTimeSpan + 1]*clr.Type // classes of JTokens, by kind
}

// Universe is the table without the context object. It is built once.
func Universe() *clr.Universe {
	table.once.Do(func() {
		u, err := clr.Build(nil, nil, Decls()...)
		if err != nil {
			panic(err) // a row of the table is wrong; tests build it
		}
		table.u, table.tokens = u, tokenClasses(u)
	})
	return table.u
}

// Texter objects have a ToString of their own.
type Texter interface{ Text(f F) string }

// Text is v.ToString(), and "" for null, as string concatenation has it.
func Text(f F, v V) string {
	if v.IsString() {
		return v.Str()
	}
	if t := v.Tag(); t != nil {
		return scalarText(t, v)
	}
	switch o := v.Ref().(type) {
	case nil:
		return ""
	case Texter:
		return o.Text(f)
	case *clr.Decimal:
		return o.String()
	case *clr.Exception:
		return o.Error()
	case *clr.Record:
		return recordText(f, o)
	case *clr.TypeRef:
		return o.Of.ReflectionName()
	case *clr.Unset:
		return Text(f, unset(o.T))
	}
	return hostText(f, v)
}

// hostText is the text of an object of the host: its own ToString, where its
// rows have one, or the name of its type.
func hostText(f F, v V) string {
	t := f.TypeOf(v)
	if t.Space == "Gateway" && f.Types != nil {
		for _, m := range f.Types.Members(t, "ToString") {
			if len(m.Params) == 0 && m.Call != nil {
				return m.Call(f, []V{v}).Str()
			}
		}
	}
	return t.ReflectionName()
}

// Formatter objects understand format strings.
type Formatter interface {
	FormatAs(f F, format string) string
}

// Format is v.ToString(format); an empty format is that of Text.
func Format(f F, v V, format string) string {
	if format == "" {
		return Text(f, v)
	}
	if t := v.Tag(); t != nil {
		return scalarFormat(t, v, format)
	}
	switch o := v.Ref().(type) {
	case *clr.Decimal:
		return formatDecimal(o, format)
	case Formatter:
		return o.FormatAs(f, format)
	}
	return Text(f, v)
}

// Pad aligns s in a field: to the right for positive widths.
func Pad(f F, s string, width int) string {
	n := width
	if n < 0 {
		n = -n
	}
	n -= length(s)
	if n <= 0 {
		return s
	}
	f.Alloc(n)
	if width > 0 {
		return strings.Repeat(" ", n) + s
	}
	return s + strings.Repeat(" ", n)
}

func recordText(f F, r *clr.Record) string {
	var b strings.Builder
	anon := r.T.Kind == clr.Anonymous
	if anon && len(r.Vals) == 0 {
		return "{ }"
	}
	b.WriteString(map[bool]string{true: "{ ", false: "("}[anon])
	for i, v := range r.Vals {
		if i > 0 {
			b.WriteString(", ")
		}
		if anon {
			b.WriteString(r.T.Names[i] + " = ")
		}
		b.WriteString(Text(f, v))
	}
	b.WriteString(map[bool]string{true: " }", false: ")"}[anon])
	f.Alloc(b.Len())
	return b.String()
}

// Each enumerates a sequence; null throws.
func Each(f F, v V, yield func(V) bool) {
	switch o := v.Ref().(type) {
	case clr.Seq:
		o.Each(f, yield)
		return
	}
	if v.IsString() {
		for _, u := range units(v.Str()) {
			f.Step(1)
			if !yield(clr.Rune16(u)) {
				return
			}
		}
		return
	}
	clr.ThrowNull()
}

// The argument helpers throw ArgumentNullException for null.

func text(v V, param string) string {
	if v.IsNull() {
		clr.ThrowArgNull(param)
	}
	return v.Str()
}

func bytesOf(v V, param string) []byte {
	a, ok := v.Ref().(*clr.Arr)
	if !ok {
		clr.ThrowArgNull(param)
	}
	return a.B
}

func notNull(v V, param string) V {
	if v.IsNull() {
		clr.ThrowArgNull(param)
	}
	return v
}

func setOut(v V, x V) { v.Ref().(*clr.Cell).V = x }

func arr(v V, param string) *clr.Arr {
	a, ok := v.Ref().(*clr.Arr)
	if !ok {
		clr.ThrowArgNull(param)
	}
	return a
}

// unset is the representation of default(T) for structs that have their own.
func unset(t *clr.Type) V {
	switch t.FullName() {
	case "System.Guid":
		return clr.Object(&Guid{})
	case "System.DateTimeOffset":
		return clr.Object(&DateTimeOffset{})
	case zns + "TransitionTime":
		return clr.Object(&transition{})
	case "System.Collections.Generic.KeyValuePair":
		return clr.Object(&pair{T: t, Key: clr.Zero(t.Args[0]), Val: clr.Zero(t.Args[1])})
	}
	return clr.Null
}
