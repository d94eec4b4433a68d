package csharp_test

import (
	"context"
	"errors"
	"maps"
	"math/big"
	"strings"
	"sync"

	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// The property tests compare what sources do with references that are written
// in Go, with values that rapid invents. Values reach a source as variables of
// the context, where the compiler cannot fold them.

// in are the variables of a run.
type in map[string]clr.Value

// compiled keeps programs, so that a property compiles its source once.
var compiled struct {
	sync.Mutex
	m map[string]*csharp.Program
}

func programOf(t rapid.TB, src string) *csharp.Program {
	t.Helper()
	compiled.Lock()
	defer compiled.Unlock()
	p := compiled.m[src]
	if p == nil {
		if p = compile(t, src); compiled.m == nil {
			compiled.m = map[string]*csharp.Program{}
		}
		compiled.m[src] = p
	}
	return p
}

func compile(t rapid.TB, src string) *csharp.Program {
	t.Helper()
	p, errs := csharp.Compile(src, options())
	if errs != nil {
		t.Fatalf("%s: %v", src, errs)
	}
	return p
}

// run gives the text of the value, or Type: message of the exception.
func run(t rapid.TB, src string, vars in) string {
	t.Helper()
	return outcome(programOf(t, src), vars)
}

func outcome(p *csharp.Program, vars in) string {
	host := newExchange()
	maps.Copy(host.vars.m, vars)
	f := csharp.NewFrame(context.Background(), host)
	defer f.Release()
	v, err := p.Run(f)
	if err == nil {
		if v.IsNull() {
			return "null"
		}
		var s string
		if s, err = f.Text(p, v); err == nil {
			return s
		}
	}
	if ex, ok := errors.AsType[*csharp.Exception](err); ok {
		return ex.Type.Name + ": " + ex.Message
	}
	return err.Error()
}

// kindOf is the outcome without the message of an exception.
func kindOf(outcome string) string {
	name, _, ok := strings.Cut(outcome, ": ")
	if ok && strings.HasSuffix(name, "Exception") {
		return name
	}
	return outcome
}

// take is the beginning of a block that gives the variables of the context
// names and types.
func take(decls ...string) string {
	var b strings.Builder
	for _, d := range decls {
		typ, name, _ := strings.Cut(d, " ")
		b.WriteString(typ + " " + name + " = (" + typ + ")context.Variables[\"" + name + "\"]; ")
	}
	return b.String()
}

// same fails when a run does not give what is wanted.
func same(t rapid.TB, src string, vars in, want string) {
	t.Helper()
	if got := run(t, src, vars); got != want {
		t.Fatalf("%s\nwith %s\n got %q\nwant %q", src, vars, got, want)
	}
}

// String shows the variables of a failure.
func (v in) String() string {
	var f clr.Frame
	f.Reset(context.Background(), 1000, 1<<20)
	var parts []string
	for k, x := range v {
		parts = append(parts, k+" = "+lib.JSON(&f, x))
	}
	return strings.Join(parts, ", ")
}

func str(s string) clr.Value { return clr.String(s) }

func float(x float64) clr.Value { return clr.Float(x) }

const overflowText = "OverflowException: Arithmetic operation resulted in an overflow."

// integer is one of the integer types with its bounds.
type integer struct {
	name     string
	t        *clr.Type
	bits     int
	signed   bool
	min, max *big.Int
}

func newInteger(t *clr.Type, bits int, signed bool) *integer {
	one := big.NewInt(1)
	i := &integer{name: t.String(), t: t, bits: bits, signed: signed, min: new(big.Int)}
	if signed {
		i.max = new(big.Int).Sub(new(big.Int).Lsh(one, uint(bits-1)), one)
		i.min = new(big.Int).Neg(new(big.Int).Lsh(one, uint(bits-1)))
	} else {
		i.max = new(big.Int).Sub(new(big.Int).Lsh(one, uint(bits)), one)
	}
	return i
}

var (
	typeSByte, typeByte   = newInteger(clr.SByte, 8, true), newInteger(clr.Byte, 8, false)
	typeShort, typeUShort = newInteger(clr.Int16, 16, true), newInteger(clr.UInt16, 16, false)
	typeInt, typeUInt     = newInteger(clr.Int32, 32, true), newInteger(clr.UInt32, 32, false)
	typeLong, typeULong   = newInteger(clr.Int64, 64, true), newInteger(clr.UInt64, 64, false)
	typeChar              = newInteger(clr.Char, 16, false)
	integers              = []*integer{typeSByte, typeByte, typeShort, typeUShort, typeInt, typeUInt, typeLong, typeULong}
	calculated            = []*integer{typeInt, typeUInt, typeLong, typeULong} // operators work on these
	integersAndChar       = append([]*integer{typeChar}, integers...)
)

func (i *integer) fits(n *big.Int) bool { return n.Cmp(i.min) >= 0 && n.Cmp(i.max) <= 0 }

// wrap is n modulo the size of the type.
func (i *integer) wrap(n *big.Int) *big.Int {
	size := new(big.Int).Lsh(big.NewInt(1), uint(i.bits))
	r := new(big.Int).Mod(n, size)
	if i.signed && r.Cmp(i.max) > 0 {
		r.Sub(r, size)
	}
	return r
}

func (i *integer) value(n *big.Int) clr.Value {
	if i == typeULong {
		return clr.Scalar(i.t, int64(n.Uint64()))
	}
	return clr.Scalar(i.t, n.Int64())
}

// draw invents a value, often one at the borders of some type.
func (i *integer) draw(t *rapid.T, label string) *big.Int {
	if rapid.IntRange(0, 2).Draw(t, label+" kind") == 0 {
		edges := []*big.Int{new(big.Int)}
		for _, o := range integers {
			for d := int64(-1); d <= 1; d++ {
				edges = append(edges, new(big.Int).Add(o.min, big.NewInt(d)), new(big.Int).Add(o.max, big.NewInt(d)))
			}
		}
		n := rapid.SampledFrom(edges).Draw(t, label)
		if i.fits(n) {
			return n
		}
		return i.wrap(n)
	}
	return i.wrap(new(big.Int).SetUint64(rapid.Uint64().Draw(t, label)))
}
