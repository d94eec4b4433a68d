package csharp_test

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Random programs are written as source and as Go functions that do the same to
// a machine. Everything that happens leaves a mark in a log, so that order, short
// circuits, exceptions, finally clauses and captured variables show.

// machine is what a program works on.
type machine struct {
	log    strings.Builder
	vars   map[string]*int32
	array  []int32
	list   []int32
	later  []func() // delegates that run at the end
	result int32
}

func (m *machine) mark(k int, v int32) int32 {
	fmt.Fprintf(&m.log, "%d:%d ", k, v)
	return v
}

// thrown is an exception on its way.
type thrown string

const (
	divideByZero = thrown("D")
	overflowed   = thrown("O")
	outOfArray   = thrown("I")
	outOfList    = thrown("A")
)

// control says how a statement ended.
type control int

const (
	goesOn control = iota
	breaks
	continues
	returns
	jumps // and from there on, to that case
)

type (
	intExpr struct {
		src  string
		eval func(*machine) int32
	}
	boolExpr struct {
		src  string
		eval func(*machine) bool
	}
	statement struct {
		src  string
		exec func(*machine) control
	}
)

// writer invents programs.
type writer struct {
	t       *rapid.T
	marks   int
	scope   []string // variables in sight
	names   int
	checked bool
	loops   int // enclosing loops
	inside  int // enclosing finally clauses, which nothing may leave
	lambda  int
	cases   []int // that goto may go to
}

func (w *writer) pick(n int) int { return rapid.IntRange(0, n-1).Draw(w.t, "choice") }

func (w *writer) mark() int { w.marks++; return w.marks }

func (w *writer) variable() string { return w.scope[w.pick(len(w.scope))] }

// in32 brings an exact result into an int.
func in32(r int64, checked bool) int32 {
	if checked && int64(int32(r)) != r {
		panic(overflowed)
	}
	return int32(r)
}

func calculate(op string, x, y int32, checked bool) int32 {
	switch op {
	case "+":
		return in32(int64(x)+int64(y), checked)
	case "-":
		return in32(int64(x)-int64(y), checked)
	case "*":
		return in32(int64(x)*int64(y), checked)
	case "/", "%":
		if y == 0 {
			panic(divideByZero)
		}
		if x == math.MinInt32 && y == -1 {
			panic(overflowed)
		}
		if op == "/" {
			return x / y
		}
		return x % y
	case "&":
		return x & y
	case "|":
		return x | y
	case "^":
		return x ^ y
	case "<<":
		return x << (uint32(y) & 31)
	}
	return x >> (uint32(y) & 31)
}

var intOps = []string{"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"}

func (w *writer) literal() intExpr {
	n := int32(rapid.IntRange(-3, 9).Draw(w.t, "literal"))
	if w.pick(8) == 0 {
		n = rapid.SampledFrom([]int32{math.MaxInt32, math.MinInt32 + 1, 1 << 20, 65537}).Draw(w.t, "large")
	}
	src := fmt.Sprint(n)
	if n < 0 {
		src = "(" + src + ")"
	}
	return intExpr{src, func(*machine) int32 { return n }}
}

// leaf is an expression that is no constant: constants fold, and what overflows
// then does not compile.
func (w *writer) leaf() intExpr {
	switch w.pick(4) {
	case 0:
		v, k := w.literal(), w.mark()
		return intExpr{fmt.Sprintf("T(%d, %s)", k, v.src), func(m *machine) int32 { return m.mark(k, v.eval(m)) }}
	case 1:
		op := rapid.SampledFrom([]string{"++", "--"}).Draw(w.t, "step")
		name, post, checked := w.variable(), w.pick(2) == 0, w.checked
		by := int64(44 - int(op[0])) // + is 43, - is 45
		src := op + name
		if post {
			src = name + op
		}
		return intExpr{"(" + src + ")", func(m *machine) int32 {
			p := m.vars[name]
			old := *p
			*p = in32(int64(old)+by, checked)
			if post {
				return old
			}
			return *p
		}}
	}
	name := w.variable()
	return intExpr{name, func(m *machine) int32 { return *m.vars[name] }}
}

func (w *writer) int(depth int) intExpr {
	if depth <= 0 {
		return w.leaf()
	}
	checked := w.checked
	switch w.pick(16) {
	case 0, 1, 2:
		op, x, y := rapid.SampledFrom(intOps).Draw(w.t, "operator"), w.int(depth-1), w.int(depth-1)
		return intExpr{fmt.Sprintf("(%s %s %s)", x.src, op, y.src), func(m *machine) int32 {
			a := x.eval(m)
			return calculate(op, a, y.eval(m), checked)
		}}
	case 3:
		op, x, y := rapid.SampledFrom(intOps[:3]).Draw(w.t, "operator"), w.leaf(), w.literal()
		return intExpr{fmt.Sprintf("(%s %s %s)", x.src, op, y.src), func(m *machine) int32 { return calculate(op, x.eval(m), y.eval(m), checked) }}
	case 4:
		x := w.int(depth - 1)
		return intExpr{"(-" + x.src + ")", func(m *machine) int32 { return in32(-int64(x.eval(m)), checked) }}
	case 5:
		c, x, y := w.bool(depth-1), w.int(depth-1), w.int(depth-1)
		return intExpr{fmt.Sprintf("(%s ? %s : %s)", c.src, x.src, y.src), func(m *machine) int32 {
			if c.eval(m) {
				return x.eval(m)
			}
			return y.eval(m)
		}}
	case 6:
		name, x := w.variable(), w.int(depth-1)
		return intExpr{fmt.Sprintf("(%s = %s)", name, x.src), func(m *machine) int32 {
			*m.vars[name] = x.eval(m)
			return *m.vars[name]
		}}
	case 7:
		op, name, x := rapid.SampledFrom(intOps).Draw(w.t, "operator"), w.variable(), w.int(depth-1)
		return intExpr{fmt.Sprintf("(%s %s= %s)", name, op, x.src), func(m *machine) int32 {
			old := *m.vars[name]
			*m.vars[name] = calculate(op, old, x.eval(m), checked)
			return *m.vars[name]
		}}
	case 8:
		x := w.int(depth - 1)
		return intExpr{"a[" + x.src + "]", func(m *machine) int32 { return *m.element(x.eval(m)) }}
	case 9:
		i, x := w.int(depth-1), w.int(depth-1)
		return intExpr{fmt.Sprintf("(a[%s] = %s)", i.src, x.src), func(m *machine) int32 {
			at := i.eval(m)
			v := x.eval(m)
			*m.element(at) = v
			return v
		}}
	case 10:
		op, i, x := rapid.SampledFrom(intOps).Draw(w.t, "operator"), w.int(depth-1), w.int(depth-1)
		return intExpr{fmt.Sprintf("(a[%s] %s= %s)", i.src, op, x.src), func(m *machine) int32 {
			p := m.element(i.eval(m))
			old := *p
			*p = calculate(op, old, x.eval(m), checked)
			return *p
		}}
	case 11:
		x, y := w.int(depth-1), w.int(depth-1)
		if w.pick(2) == 0 {
			return intExpr{fmt.Sprintf("F(%s, %s)", x.src, y.src), func(m *machine) int32 { a := x.eval(m); return m.mark(0, a^y.eval(m)) }}
		}
		return intExpr{fmt.Sprintf("F(q: %s, p: %s)", x.src, y.src), func(m *machine) int32 { a := x.eval(m); return m.mark(0, a^y.eval(m)) }}
	case 12:
		x, y := w.int(depth-1), w.int(depth-1)
		return intExpr{fmt.Sprintf("(N(%s) ?? %s)", x.src, y.src), func(m *machine) int32 {
			if v := x.eval(m); v%2 != 0 {
				return v
			}
			return y.eval(m)
		}}
	case 13:
		i, x := w.int(depth-1), w.int(depth-1)
		return intExpr{fmt.Sprintf("(l[%s] = %s)", i.src, x.src), func(m *machine) int32 {
			at := i.eval(m)
			v := x.eval(m)
			*m.item(at) = v
			return v
		}}
	case 14:
		i := w.int(depth - 1)
		return intExpr{"l[" + i.src + "]++", func(m *machine) int32 {
			p := m.item(i.eval(m))
			old := *p
			*p = in32(int64(old)+1, checked)
			return old
		}}
	}
	old := w.checked
	w.checked = w.pick(2) == 0
	x := w.int(depth - 1)
	word := contextWord(w.checked)
	w.checked = old
	return intExpr{word + "(" + x.src + ")", x.eval}
}

func (m *machine) element(i int32) *int32 {
	if i < 0 || int(i) >= len(m.array) {
		panic(outOfArray)
	}
	return &m.array[i]
}

func (m *machine) item(i int32) *int32 {
	if i < 0 || int(i) >= len(m.list) {
		panic(outOfList)
	}
	return &m.list[i]
}

var compareOps = map[string]func(x, y int32) bool{
	"<": func(x, y int32) bool { return x < y }, "<=": func(x, y int32) bool { return x <= y }, ">": func(x, y int32) bool { return x > y },
	">=": func(x, y int32) bool { return x >= y }, "==": func(x, y int32) bool { return x == y }, "!=": func(x, y int32) bool { return x != y },
}

func (w *writer) bool(depth int) boolExpr {
	kind := w.pick(6)
	if depth <= 0 {
		kind = 0
	}
	switch kind {
	case 1:
		x, y := w.bool(depth-1), w.bool(depth-1)
		return boolExpr{fmt.Sprintf("(%s && %s)", x.src, y.src), func(m *machine) bool { return x.eval(m) && y.eval(m) }}
	case 2:
		x, y := w.bool(depth-1), w.bool(depth-1)
		return boolExpr{fmt.Sprintf("(%s || %s)", x.src, y.src), func(m *machine) bool { return x.eval(m) || y.eval(m) }}
	case 3:
		x := w.bool(depth - 1)
		return boolExpr{"!" + x.src, func(m *machine) bool { return !x.eval(m) }}
	case 4:
		x, y := w.bool(depth-1), w.bool(depth-1)
		op := rapid.SampledFrom([]string{"&", "|", "^", "==", "!="}).Draw(w.t, "logic")
		return boolExpr{fmt.Sprintf("(%s %s %s)", x.src, op, y.src), func(m *machine) bool {
			a := x.eval(m)
			b := y.eval(m)
			switch op {
			case "&":
				return a && b
			case "|":
				return a || b
			case "==":
				return a == b
			}
			return a != b
		}}
	}
	op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(w.t, "comparison")
	x, y := w.int(depth-1), w.int(depth-2)
	return boolExpr{fmt.Sprintf("(%s %s %s)", x.src, op, y.src), func(m *machine) bool {
		a := x.eval(m)
		return compareOps[op](a, y.eval(m))
	}}
}

// block writes statements in braces.
func (w *writer) block(depth int) statement {
	known := len(w.scope)
	var parts []statement
	var src strings.Builder
	src.WriteString("{ ")
	for range rapid.IntRange(1, 3).Draw(w.t, "statements") {
		s := w.stmt(depth)
		parts = append(parts, s)
		src.WriteString(s.src + " ")
	}
	w.scope = w.scope[:known]
	return statement{src.String() + "}", func(m *machine) control {
		for _, s := range parts {
			if c := s.exec(m); c != goesOn {
				return c
			}
		}
		return goesOn
	}}
}

// fresh invents a variable that is known from here to the end of the block.
func (w *writer) fresh() string {
	w.names++
	name := fmt.Sprint("v", w.names)
	w.scope = append(w.scope, name)
	return name
}

func (w *writer) stmt(depth int) statement {
	kind := w.pick(16)
	if depth <= 0 && kind > 3 {
		kind %= 4
	}
	switch kind {
	case 0, 1:
		x, k := w.int(2), w.mark()
		return statement{fmt.Sprintf("T(%d, %s);", k, x.src), func(m *machine) control { m.mark(k, x.eval(m)); return goesOn }}
	case 2:
		x := w.int(2)
		name := w.fresh()
		return statement{fmt.Sprintf("int %s = %s;", name, x.src), func(m *machine) control {
			v := x.eval(m)
			m.vars[name] = &v
			return goesOn
		}}
	case 3:
		return w.leave()
	case 4, 5:
		c, then, els := w.bool(2), w.block(depth-1), w.block(depth-1)
		return statement{fmt.Sprintf("if (%s) %s else %s", c.src, then.src, els.src), func(m *machine) control {
			if c.eval(m) {
				return then.exec(m)
			}
			return els.exec(m)
		}}
	case 6, 7:
		return w.forLoop(depth)
	case 8:
		return w.foreach(depth)
	case 9:
		return w.while(depth)
	case 10, 11:
		return w.switches(depth)
	case 12, 13, 14:
		return w.try(depth)
	}
	if w.lambda > 0 {
		return w.nested(depth)
	}
	return w.capture()
}

// nested is a block with a context of its own.
func (w *writer) nested(depth int) statement {
	old := w.checked
	w.checked = w.pick(2) == 0
	b := w.block(depth - 1)
	word := contextWord(w.checked)
	w.checked = old
	return statement{word + " " + b.src, b.exec}
}

// leave throws, returns, breaks, continues or goes to another case.
func (w *writer) leave() statement {
	kind := w.pick(5)
	k := w.mark()
	switch {
	case kind == 0 && w.inside == 0:
		x := w.int(1)
		return statement{fmt.Sprintf("return T(%d, %s);", k, x.src), func(m *machine) control { m.result = m.mark(k, x.eval(m)); return returns }}
	case kind == 1 && w.loops > 0:
		return statement{"break;", func(*machine) control { return breaks }}
	case kind == 2 && w.loops > 0:
		return statement{"continue;", func(*machine) control { return continues }}
	case kind == 3 && len(w.cases) > 0:
		to := rapid.SampledFrom(w.cases).Draw(w.t, "case")
		return statement{fmt.Sprintf("goto case %d;", to), func(*machine) control { return jumps + control(to) }}
	}
	c := w.bool(1)
	return statement{fmt.Sprintf("if (%s) throw new Exception(\"%d\");", c.src, k), func(m *machine) control {
		if c.eval(m) {
			panic(thrown(fmt.Sprint(k)))
		}
		return goesOn
	}}
}

// looped runs a body for a loop; ends says that the loop is over.
func looped(c control) (out control, ends bool) {
	switch c {
	case goesOn, continues:
		return goesOn, false
	case breaks:
		return goesOn, true
	}
	return c, true
}

func (w *writer) body(depth int) statement {
	cases := w.cases
	w.loops++
	w.cases = nil // goto does not leave a loop here
	b := w.block(depth - 1)
	w.cases = cases
	w.loops--
	return b
}

func (w *writer) forLoop(depth int) statement {
	known := len(w.scope)
	n, checked := rapid.IntRange(0, 3).Draw(w.t, "rounds"), w.checked
	name := w.fresh()
	b := w.body(depth)
	w.scope = w.scope[:known]
	w.names++
	count := fmt.Sprint("v", w.names) // the other one may be changed by the body
	return statement{fmt.Sprintf("for (int %s = 0, %s = 0; %s < %d; %s++, %s++) %s", count, name, count, n, count, name, b.src), func(m *machine) control {
		v := new(int32) // all rounds share one variable
		for range n {
			m.vars[name] = v
			if c, ends := looped(b.exec(m)); ends {
				return c
			}
			*v = in32(int64(*v)+1, checked)
		}
		return goesOn
	}}
}

func (w *writer) foreach(depth int) statement {
	known := len(w.scope)
	x, y := w.int(1), w.int(1)
	w.names++
	name := fmt.Sprint("v", w.names)
	read := w.fresh() // a copy, as the variable itself is read-only
	b := w.body(depth)
	w.scope = w.scope[:known]
	return statement{fmt.Sprintf("foreach (var %s in new[] { %s, %s }) { int %s = %s; %s }", name, x.src, y.src, read, name, b.src), func(m *machine) control {
		for _, v := range []int32{x.eval(m), y.eval(m)} {
			m.vars[read] = &v
			if c, ends := looped(b.exec(m)); ends {
				return c
			}
		}
		return goesOn
	}}
}

func (w *writer) while(depth int) statement {
	known := len(w.scope)
	c := w.bool(1)
	w.names++
	guard := fmt.Sprint("v", w.names)
	b := w.body(depth)
	w.scope = w.scope[:known]
	if w.pick(2) == 0 {
		return statement{fmt.Sprintf("{ int %s = 0; do %s while (%s++ < 2 && %s); }", guard, b.src, guard, c.src), func(m *machine) control {
			for n := 0; ; n++ {
				out, ends := looped(b.exec(m))
				if ends {
					return out
				}
				if n >= 2 || !c.eval(m) {
					return goesOn
				}
			}
		}}
	}
	return statement{fmt.Sprintf("{ int %s = 0; while (%s++ < 3 && %s) %s }", guard, guard, c.src, b.src), func(m *machine) control {
		for n := 0; n < 3 && c.eval(m); n++ {
			if out, ends := looped(b.exec(m)); ends {
				return out
			}
		}
		return goesOn
	}}
}

func (w *writer) switches(depth int) statement {
	x := w.int(2)
	n := rapid.IntRange(1, 3).Draw(w.t, "cases")
	old := w.cases
	sections := make([]statement, n+1)
	var src strings.Builder
	fmt.Fprintf(&src, "switch (%s & 3) { ", x.src)
	w.loops++ // break leaves the switch; continue is only right inside of a loop
	inLoop := w.loops > 1
	for i := range sections {
		w.cases = nil
		for k := i + 1; k < n; k++ {
			w.cases = append(w.cases, k) // forward only
		}
		if !inLoop {
			w.loops = 0
		}
		sections[i] = w.block(depth - 1)
		label := fmt.Sprintf("case %d:", i)
		if i == n {
			label = "default:"
		}
		fmt.Fprintf(&src, "%s %s break; ", label, sections[i].src)
		if !inLoop {
			w.loops = 1
		}
	}
	w.loops--
	w.cases = old
	return statement{src.String() + "}", func(m *machine) control {
		at := min(int(x.eval(m)&3), n)
		for {
			c := sections[at].exec(m)
			switch {
			case c >= jumps:
				at = int(c - jumps)
			case c == breaks:
				return goesOn
			default:
				return c
			}
		}
	}}
}

func (w *writer) try(depth int) statement {
	b := w.block(depth - 1)
	which := w.pick(4)
	src, caught := "catch (Exception)", func(thrown) bool { return true }
	switch which {
	case 1:
		src, caught = "catch (ArithmeticException)", func(e thrown) bool { return e == divideByZero || e == overflowed }
	case 2:
		k := fmt.Sprint(rapid.IntRange(1, 9).Draw(w.t, "message"))
		w.names++
		e := fmt.Sprint("e", w.names)
		src, caught = fmt.Sprintf("catch (Exception %s) when (%s.Message.EndsWith(\"%s\"))", e, e, k), func(e thrown) bool { return strings.HasSuffix(string(e), k) }
	}
	handler := w.block(depth - 1)
	if which == 0 && w.pick(2) == 0 { // throws it again
		inner := handler
		handler = statement{"{ " + inner.src + " throw; }", func(m *machine) control {
			if c := inner.exec(m); c != goesOn {
				return c
			}
			panic(m.current())
		}}
	}
	w.inside++
	loops, cases := w.loops, w.cases
	w.loops, w.cases = 0, nil
	final := w.block(depth - 1)
	w.loops, w.cases = loops, cases
	w.inside--
	text := fmt.Sprintf("try %s %s %s", b.src, src, handler.src)
	hasFinally := w.pick(2) == 0
	if hasFinally {
		text += " finally " + final.src
	}
	return statement{text, func(m *machine) (c control) {
		if hasFinally {
			defer func() {
				e := recover()
				result := m.result
				final.exec(m) // what it throws takes the place of e
				m.result = result
				if e != nil {
					panic(e)
				}
			}()
		}
		return m.guarded(b, handler, caught)
	}}
}

var current []thrown // of the handlers that run; properties of one test run one after the other

func (m *machine) current() thrown { return current[len(current)-1] }

func (m *machine) guarded(b, handler statement, caught func(thrown) bool) (c control) {
	var e thrown
	ok := func() (ok bool) {
		defer func() {
			if r := recover(); r != nil {
				t, is := r.(thrown)
				if !is || !caught(t) {
					panic(r)
				}
				e, ok = t, false
			}
		}()
		c = b.exec(m)
		return true
	}()
	if ok {
		return c
	}
	current = append(current, e)
	defer func() { current = current[:len(current)-1] }()
	return handler.exec(m)
}

// capture keeps a delegate that sees variables of here and now, and runs at the
// end.
func (w *writer) capture() statement {
	w.lambda++
	x, k := w.int(2), w.mark()
	w.lambda--
	return statement{fmt.Sprintf("fs.Add(() => T(%d, %s));", k, x.src), func(m *machine) control {
		seen := map[string]*int32{}
		maps.Copy(seen, m.vars)
		m.later = append(m.later, func() {
			old := m.vars
			m.vars = seen
			defer func() { m.vars = old }()
			m.mark(k, x.eval(m))
		})
		return goesOn
	}}
}

const prelude = `{ var log = new StringBuilder(); var a = new[] { 5, 6, 7 }; var l = new List<int> { 1, 2 }; var fs = new List<Func<int>>(); int x = 1, y = -2, z = 3;
int T(int k, int v) { log.Append(k).Append(':').Append(v).Append(' '); return v; }
int F(int p, int q) => T(0, p ^ q);
int? N(int v) { if (v % 2 == 0) return null; return v; }
int Main() { `

const postlude = ` return 0; }
string Name(Exception e) { if (e is DivideByZeroException) return "D"; if (e is OverflowException) return "O"; if (e is IndexOutOfRangeException) return "I"; if (e is ArgumentOutOfRangeException) return "A"; return e.Message; }
try { T(-1, Main()); } catch (Exception e) { log.Append(Name(e)).Append(' '); }
foreach (var f in fs) try { f(); } catch (Exception e) { log.Append(Name(e)).Append(' '); }
return log + string.Join(",", a) + ";" + string.Join(",", l) + ";" + x + "," + y + "," + z; }`

// guard runs fn and writes down the exception that it ends with.
func (m *machine) guard(fn func()) {
	defer func() {
		if r := recover(); r != nil {
			t, ok := r.(thrown)
			if !ok {
				panic(r)
			}
			m.log.WriteString(string(t) + " ")
		}
	}()
	fn()
}

func (m *machine) run(s statement) string {
	m.guard(func() {
		if s.exec(m) != returns {
			m.result = 0
		}
		m.mark(-1, m.result)
	})
	for _, f := range m.later {
		m.guard(f)
	}
	ints := func(xs []int32) string {
		out := make([]int, len(xs))
		for i, x := range xs {
			out[i] = int(x)
		}
		return joinInts(out)
	}
	return m.log.String() + ints(m.array) + ";" + ints(m.list) + fmt.Sprintf(";%d,%d,%d", *m.vars["x"], *m.vars["y"], *m.vars["z"])
}

func newMachine() *machine {
	x, y, z := int32(1), int32(-2), int32(3)
	return &machine{vars: map[string]*int32{"x": &x, "y": &y, "z": &z}, array: []int32{5, 6, 7}, list: []int32{1, 2}}
}

func TestProperty_Programs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := &writer{t: t, scope: []string{"x", "y", "z"}}
		b := w.block(4)
		src := prelude + b.src + postlude
		want := newMachine().run(b)
		if got := outcome(compile(t, src), in{}); got != want {
			t.Fatalf("%s\n got %s\nwant %s", src, got, want)
		}
	})
}
