package syntax

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// seeds give the fuzzer every construct once.
var seeds = []string{
	`{ int i = 0; a: b: i++; if (i < sizeof(int)) goto a; return i; }`,
	`1 + 2 * -3 << 4 >> 5 % 6 - 7 / 8`, `a ?? b ?? throw c`, `$"a{1,5:D3}b{{"`, `@"a""b" + 'x' + 0x1F_00u + 0b1UL + 1e5 + 1.5m + .5f`,
	"\"\\u0041\\x41\\U0001F600\" /* c */ // d", `$@"\{x}""{y,-3:yyyy{{}}}"`, "größe_1 >>= ??", `'`, `0b_`, `$"{$"{1}"}"`, "'\\ud800' + \"\\ud800\"",
	`(a, b) => a < b`, `x => { return x?.y?[0]?.z(1)!; }`, `(int a, out string b) => a`, `delegate (int a) { return a; }`, `delegate { }`,
	`from x in new[] { 1, 2 } from int y in z join w in v on x equals w into g let q = x orderby q, y descending where q > 1 group x by y into h select h.Key`,
	`(string)a + (b)c - (d)(e) + (List<int>[])f`, `f<a, b>(c) + g(d < e, f > (h))`, `a is int b && c is var d && e is null && f is 1 + 2`, `a as string[] ?? b as int?`,
	`new List<(int a, string b)> { 1, 2 }`, `new Dictionary<string, int?> { ["a"] = 1, { "b", 2 } }`, `new { a, b.c, d = 1 }`, `new int[2, 3][,] `, `new[,] { { 1 }, { 2 } }`, `new int[] { }`, `new A { B = { C = 1, D = { 2 } } }`,
	`typeof(Dictionary<,>) == default(Type) ? default : checked(a + unchecked(b))`, `(a: 1, b: "x").a`, `f(a: 1, out var b, ref c, out int d)`, `a.b<c>.d[1, e: 2]++`,
	`{ }`, `{ ; int a = 1, b; const string c = "x"; var (d, (e, f)) = g; (int h, var i) = j; int[] k = { 1, 2 }; }`,
	`{ if (a) b(); else if (c) { d++; } else --e; }`, `{ while (a) { break; } do continue; while (b); for (int i = 0, j = 1; i < j; i++, j--) ; for (;;) { } for (a = 1, b = 2; ; ) { } }`,
	`{ foreach (var a in b) { } foreach (var (c, d) in e) { } foreach ((int f, string g) in h) { } }`,
	`{ switch (a) { case 1: case int b when b > 1: goto case 1; default: goto default; case null: return; } }`,
	`{ try { throw a; } catch (E b) when (b != null) { throw; } catch (F) { } catch { } finally { } }`, `{ using (var a = b) using (c) lock (d) checked { unchecked { } } }`,
	`{ int f<T>(T a, params int[] b) { return 1; } string g(int c = 1) => "x"; }`, `{ a b(; } ) ] $"{`, "\xff\xfe", `((((((a)))))`, `a ? b ? c : d : e`, `!~-+a++ + --b`,
	`@class + @var`, `\u0061bc`, `var`, `async x => await y`, `a..b ?.5:.6`, `global::System.String.Empty`, `x ??= y`, `a switch { }`, `stackalloc int[1]`, `#if`, `/* `, `"a`, "$\"{\n}\"",
}

// FuzzScan checks that tokens and the space between them cover the source.
func FuzzScan(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		var errs []*Error
		toks := (&scanner{src: src, errs: &errs}).scan()
		checkErrors(t, src, errs)
		covered(t, src, toks, errs)
		var again []*Error
		if !reflect.DeepEqual(toks, (&scanner{src: src, errs: &again}).scan()) || !reflect.DeepEqual(errs, again) {
			t.Fatalf("%q: two scans differ", src)
		}
	})
}

// covered checks that tokens stand one behind the other, that the last ends the
// source, and that what lies between two of them is space, a comment or reported.
func covered(t *testing.T, src string, toks []Token, errs []*Error) {
	t.Helper()
	at := Pos(0)
	for i, tok := range toks {
		end := i == len(toks)-1
		switch {
		case tok.Pos < at || tok.End < tok.Pos || int(tok.End) > len(src):
			t.Fatalf("%q: token %q stands at %d to %d, after %d", src, tok.Text, tok.Pos, tok.End, at)
		case end != (tok.Kind == EOF):
			t.Fatalf("%q: token %d of %d has kind %d", src, i, len(toks), tok.Kind)
		case end && int(tok.Pos) != len(src):
			t.Fatalf("%q: scan ends at %d of %d", src, tok.Pos, len(src))
		case !end && tok.End == tok.Pos:
			t.Fatalf("%q: token at %d is empty", src, tok.Pos)
		}
		if len(errs) == 0 {
			gap := &scanner{src: src[at:tok.Pos], errs: &errs}
			if gap.skip(); gap.pos != len(gap.src) {
				t.Fatalf("%q: %q is in no token", src, gap.src)
			}
		}
		at = tok.End
	}
}

// checkErrors checks that findings stand inside of the source and say something.
func checkErrors(t *testing.T, src string, errs []*Error) {
	t.Helper()
	s := NewSource(src)
	for _, e := range errs {
		if e.Pos < 0 || e.End < e.Pos || int(e.End) > len(src) {
			t.Fatalf("%q: bad place %d to %d of %v", src, e.Pos, e.End, e)
		}
		line, col := s.Position(e.Pos)
		if line < 1 || col < 1 || line > len(s.lines) || col > len(s.Line(line))+2 {
			t.Fatalf("%q: bad position %d:%d of %v", src, line, col, e)
		}
		if e.Code == "" || e.Message == "" {
			t.Fatalf("%q: empty finding %+v", src, e)
		}
	}
}

// FuzzParse checks positions, that nodes lie inside of their parents, that two
// parses agree, and that a good tree survives being written and read again.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		n, errs := Parse(src)
		if n == nil {
			t.Fatalf("%q: no tree", src)
		}
		checkErrors(t, src, errs)
		for i := 1; i < len(errs); i++ {
			if errs[i].Pos < errs[i-1].Pos {
				t.Fatalf("%q: findings are out of order: %v after %v", src, errs[i], errs[i-1])
			}
		}
		if m, more := Parse(src); !reflect.DeepEqual(n, m) || !reflect.DeepEqual(errs, more) {
			t.Fatalf("%q: two parses differ", src)
		}
		if len(errs) > 0 {
			return
		}
		nested(t, src, n)
		if utf8.ValidString(src) { // what is no text cannot be written as one
			roundTrip(t, src, n)
		}
	})
}

// nested checks that every node lies inside of the source and of its parent.
func nested(t *testing.T, src string, n Node) {
	t.Helper()
	walk(reflect.ValueOf(n), Range{0, Pos(len(src))}, func(child, parent Range) {
		if child.To < child.From || child.From < parent.From || child.To > parent.To {
			t.Fatalf("%q: node %q (%d to %d) is not inside of %q (%d to %d)", src, src[child.From:max(child.From, child.To)], child.From, child.To, src[parent.From:parent.To], parent.From, parent.To)
		}
	})
}

// walk visits every part of a tree that has an extent.
func walk(v reflect.Value, parent Range, visit func(child, parent Range)) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), parent, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), parent, visit)
		}
	case reflect.Struct:
		if _, ok := reflect.TypeAssert[Token](v); ok {
			return
		}
		if r := v.FieldByName("Range"); r.IsValid() && !v.IsZero() {
			own := r.Interface().(Range)
			visit(own, parent)
			parent = own
		}
		for i := range v.NumField() {
			if d, ok := reflect.TypeAssert[Decl](v); ok && d.Type.IsVar() && v.Type().Field(i).Name == "Type" {
				continue // the var of var (a, b) stands before them all
			}
			walk(v.Field(i), parent, visit)
		}
	}
}

// roundTrip checks that a tree survives being written and read again.
func roundTrip(t *testing.T, src string, n Node) {
	t.Helper()
	want := dump(n)
	if strings.Contains(want, "Omitted:true") {
		return // A<> outside of typeof parses, but means nothing
	}
	text, ok := printSource(n)
	if !ok {
		return
	}
	m, errs := Parse(text)
	if len(errs) > 0 {
		if errs[0].Code == "CS8078" {
			return // the printer's parentheses nest deeper
		}
		t.Fatalf("%q is written as %q: %v", src, text, errs[0])
	}
	if got := dump(m); got != want {
		t.Fatalf("%q is written as %q\n got %s\nwant %s", src, text, got, want)
	}
}
