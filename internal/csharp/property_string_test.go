package csharp_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"

	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// text16 is a string as .NET sees it: UTF-16 units, surrogates alone included.
type text16 []uint16

func units16(s string) text16 { return utf16.Encode([]rune(s)) }

// String is the text as values hold it.
func (u text16) String() string {
	var b []byte
	for _, c := range u {
		b = syntax.AppendUnit(b, c)
	}
	return string(b)
}

func (u text16) value() clr.Value { return str(u.String()) }

// alphabet has little variety, so that searches find something.
var alphabet = units16("aabbcAB, \t\u00a0\u3000éßİ" + "😀" + "0")

func drawText(t *rapid.T, label string, most int) text16 {
	var u text16
	for range rapid.IntRange(0, most).Draw(t, label+" length") {
		if rapid.IntRange(0, 30).Draw(t, label+" rare") == 0 {
			u = append(u, rapid.Uint16().Draw(t, label+" unit"))
			continue
		}
		u = append(u, rapid.SampledFrom(alphabet).Draw(t, label))
	}
	return u
}

// index finds the first occurrence at or behind from.
func (u text16) index(v text16, from int) int {
	for i := from; i+len(v) <= len(u); i++ {
		if slices.Equal(u[i:i+len(v)], v) {
			return i
		}
	}
	return -1
}

func (u text16) lastIndex(v text16) int {
	for i := len(u) - len(v); i >= 0; i-- {
		if slices.Equal(u[i:i+len(v)], v) {
			return i
		}
	}
	return -1
}

func TestProperty_StringSearch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, v := drawText(t, "s", 12), drawText(t, "v", 3)
		c := rapid.SampledFrom(alphabet).Draw(t, "c")
		i := rapid.IntRange(0, len(s)).Draw(t, "i")
		values := in{"s": s.value(), "v": v.value(), "c": clr.Rune16(c), "i": clr.Int(i)}
		decls := "{ " + take("string s", "string v", "char c", "int i")
		one := text16{c}
		for expr, want := range map[string]int{
			"s.Length":                                                  len(s),
			"s.IndexOf(c)":                                              s.index(one, 0),
			"s.IndexOf(c, i)":                                           s.index(one, i),
			"s.IndexOf(c, i, s.Length - i)":                             s.index(one, i),
			"s.LastIndexOf(c)":                                          s.lastIndex(one),
			"s.IndexOf(v, StringComparison.Ordinal)":                    s.index(v, 0),
			"s.IndexOf(v, i, StringComparison.Ordinal)":                 s.index(v, i),
			"s.LastIndexOf(v, StringComparison.Ordinal)":                s.lastIndex(v),
			"s.IndexOfAny(new[] { c, 'b' })":                            slices.IndexFunc(s, func(x uint16) bool { return x == c || x == 'b' }),
			"s.Count(x => x == c)":                                      len(slices.DeleteFunc(slices.Clone(s), func(x uint16) bool { return x != c })),
			"Math.Sign(string.CompareOrdinal(s, v))":                    slices.Compare(s, v),
			"Math.Sign(string.Compare(s, v, StringComparison.Ordinal))": slices.Compare(s, v),
			"Math.Sign(StringComparer.Ordinal.Compare(s, v))":           slices.Compare(s, v),
		} {
			same(t, decls+"return "+expr+"; }", values, fmt.Sprint(want))
		}
		has := s.index(v, 0) >= 0
		for expr, want := range map[string]bool{
			"s.Contains(v)": has,
			"s.Contains(c)": s.index(one, 0) >= 0,
			"s.StartsWith(v, StringComparison.Ordinal)":              len(v) <= len(s) && slices.Equal(s[:len(v)], v),
			"s.EndsWith(v, StringComparison.Ordinal)":                len(v) <= len(s) && slices.Equal(s[len(s)-len(v):], v),
			"s.StartsWith(c)":                                        len(s) > 0 && s[0] == c,
			"s.EndsWith(c)":                                          len(s) > 0 && s[len(s)-1] == c,
			"s == v":                                                 slices.Equal(s, v),
			"s.Equals(v)":                                            slices.Equal(s, v),
			"(s + v).EndsWith(v, StringComparison.Ordinal)":          true,
			"s.GetHashCode() == v.GetHashCode() || s != v":           true,
			"new Dictionary<string, int> { [s] = 1 }.ContainsKey(v)": slices.Equal(s, v),
			"string.IsNullOrEmpty(s)":                                len(s) == 0,
			"string.IsNullOrWhiteSpace(s)":                           len(s.trim(isSpace16, true, true)) == 0,
		} {
			same(t, decls+"return "+expr+"; }", values, boolText(want))
		}
	})
}

func isSpace16(c uint16) bool {
	return unicode.IsSpace(rune(c)) || c == 0x85 || c == 0xA0
}

func (u text16) trim(cut func(uint16) bool, left, right bool) text16 {
	for left && len(u) > 0 && cut(u[0]) {
		u = u[1:]
	}
	for right && len(u) > 0 && cut(u[len(u)-1]) {
		u = u[:len(u)-1]
	}
	return u
}

func (u text16) replace(old, with text16) text16 {
	var out text16
	for i := 0; i < len(u); {
		if i+len(old) <= len(u) && slices.Equal(u[i:i+len(old)], old) {
			out = append(out, with...)
			i += len(old)
			continue
		}
		out = append(out, u[i])
		i++
	}
	return out
}

func (u text16) pad(n int, c uint16, left bool) text16 {
	var fill text16
	for range max(0, n-len(u)) {
		fill = append(fill, c)
	}
	if left {
		return slices.Concat(fill, u)
	}
	return slices.Concat(u, fill)
}

func TestProperty_StringParts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, v := drawText(t, "s", 12), drawText(t, "v", 3)
		c, d := rapid.SampledFrom(alphabet).Draw(t, "c"), rapid.SampledFrom(alphabet).Draw(t, "d")
		i, n := rapid.IntRange(-2, 14).Draw(t, "i"), rapid.IntRange(-2, 14).Draw(t, "n")
		values := in{"s": s.value(), "v": v.value(), "c": clr.Rune16(c), "d": clr.Rune16(d), "i": clr.Int(i), "n": clr.Int(n)}
		decls := "{ " + take("string s", "string v", "char c", "char d", "int i", "int n")
		const outOfRange = "ArgumentOutOfRangeException"
		check := func(expr string, ok bool, want func() text16, otherwise string) {
			t.Helper()
			text := otherwise
			if ok {
				text = want().String()
			}
			if got := kindOf(run(t, decls+"return "+expr+"; }", values)); got != text {
				t.Fatalf("%s with %s\n got %q\nwant %q", expr, values, got, text)
			}
		}
		inside, part := i >= 0 && i <= len(s), i >= 0 && n >= 0 && i+n <= len(s)
		is := func(set ...uint16) func(uint16) bool { return func(x uint16) bool { return slices.Contains(set, x) } }
		check("s.Substring(i)", inside, func() text16 { return s[i:] }, outOfRange)
		check("s.Substring(i, n)", part, func() text16 { return s[i : i+n] }, outOfRange)
		check("s.Remove(i)", i >= 0 && i < len(s) || inside, func() text16 { return s[:i] }, outOfRange)
		check("s.Remove(i, n)", part, func() text16 { return slices.Concat(s[:i], s[i+n:]) }, outOfRange)
		check("s.Insert(i, v)", inside, func() text16 { return slices.Concat(s[:i], v, s[i:]) }, outOfRange)
		check("s[i].ToString()", i >= 0 && i < len(s), func() text16 { return s[i : i+1] }, "IndexOutOfRangeException")
		check("s.Replace(c, d)", true, func() text16 { return s.replace(text16{c}, text16{d}) }, "")
		check("s.Replace(v, \"xy\")", len(v) > 0, func() text16 { return s.replace(v, text16{'x', 'y'}) }, "ArgumentException")
		check("s.Replace(v, null)", len(v) > 0, func() text16 { return s.replace(v, nil) }, "ArgumentException")
		check("s.Trim()", true, func() text16 { return s.trim(isSpace16, true, true) }, "")
		check("s.TrimStart()", true, func() text16 { return s.trim(isSpace16, true, false) }, "")
		check("s.TrimEnd()", true, func() text16 { return s.trim(isSpace16, false, true) }, "")
		check("s.Trim(c, d)", true, func() text16 { return s.trim(is(c, d), true, true) }, "")
		check("s.TrimStart(new[] { c })", true, func() text16 { return s.trim(is(c), true, false) }, "")
		check("s.TrimEnd(c)", true, func() text16 { return s.trim(is(c), false, true) }, "")
		check("s.PadLeft(n)", n >= 0, func() text16 { return s.pad(n, ' ', true) }, outOfRange)
		check("s.PadRight(n, c)", n >= 0, func() text16 { return s.pad(n, c, false) }, outOfRange)
		check("new string(s.ToCharArray())", true, func() text16 { return s }, "")
		check("new string(s.ToCharArray(), i, n)", part, func() text16 { return s[i : i+n] }, outOfRange)
		check("string.Concat(s.Reverse().Reverse())", true, func() text16 { return s }, "")
		check("new string(c, n)", n >= 0, func() text16 { return text16(nil).pad(n, c, true) }, outOfRange)
		check("string.Concat(s, v, c)", true, func() text16 { return slices.Concat(s, v, text16{c}) }, "")
		check("$\"{s}{v}{c}\"", true, func() text16 { return slices.Concat(s, v, text16{c}) }, "")
		check("new StringBuilder(s).Append(v).Append(c).ToString()", true, func() text16 { return slices.Concat(s, v, text16{c}) }, "")
		check("string.Join(v, s.Select(x => x))", true, func() text16 {
			var out text16
			for k, x := range s {
				if k > 0 {
					out = append(out, v...)
				}
				out = append(out, x)
			}
			return out
		}, "")
		check(fmt.Sprintf("string.Format(\"{0,%d}|{1,%d}\", s, c)", n, i), true, func() text16 {
			return slices.Concat(s.pad(max(n, -n), ' ', n > 0), text16{'|'}, text16{c}.pad(max(i, -i), ' ', i > 0))
		}, "")
	})
}

// split is String.Split: separators[i] matches before separators[i+1] does.
func (u text16) split(separators []text16, count int, omitEmpty bool) []text16 {
	if count == 0 || omitEmpty && len(u) == 0 {
		return nil
	}
	match := func(at int) int {
		for _, sep := range separators {
			if len(sep) > 0 && at+len(sep) <= len(u) && slices.Equal(u[at:at+len(sep)], sep) {
				return len(sep)
			}
		}
		return 0
	}
	if count == 1 {
		return []text16{u}
	}
	var out []text16
	start, i := 0, 0
	for i < len(u) && len(out) < count-1 {
		n := match(i)
		if n == 0 {
			i++
			continue
		}
		if i > start || !omitEmpty {
			out = append(out, u[start:i])
		}
		i += n
		start = i
	}
	for omitEmpty && len(out) == count-1 && match(start) > 0 {
		start += match(start)
	}
	if start < len(u) || !omitEmpty {
		out = append(out, u[start:])
	}
	return out
}

func TestProperty_StringSplit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawText(t, "s", 14)
		c, d := rapid.SampledFrom(alphabet).Draw(t, "c"), rapid.SampledFrom(alphabet).Draw(t, "d")
		v, w := drawText(t, "v", 2), drawText(t, "w", 2)
		count, omit := rapid.IntRange(0, 5).Draw(t, "count"), rapid.Bool().Draw(t, "omit empty")
		values := in{"s": s.value(), "v": v.value(), "w": w.value(), "c": clr.Rune16(c), "d": clr.Rune16(d), "n": clr.Int(count)}
		options := "StringSplitOptions.None"
		if omit {
			options = "StringSplitOptions.RemoveEmptyEntries"
		}
		spaces := []text16{}
		for c := range uint16(0x3001) {
			if isSpace16(c) {
				spaces = append(spaces, text16{c})
			}
		}
		chars, strs := []text16{{c}, {d}}, []text16{v, w}
		if len(v) == 0 && len(w) == 0 {
			strs = nil // separators that are all empty do not split at spaces
		}
		const all = 1 << 30
		for expr, want := range map[string][]text16{
			"s.Split(c)":                                  s.split(chars[:1], all, false),
			"s.Split(c, d)":                               s.split(chars, all, false),
			"s.Split(new[] { c, d })":                     s.split(chars, all, false),
			"s.Split(new[] { c, d }, n)":                  s.split(chars, count, false),
			"s.Split(new[] { c, d }, " + options + ")":    s.split(chars, all, omit),
			"s.Split(new[] { c, d }, n, " + options + ")": s.split(chars, count, omit),
			"s.Split(new[] { v, w }, " + options + ")":    s.split(strs, all, omit),
			"s.Split(new[] { v, w }, n, " + options + ")": s.split(strs, count, omit),
			"s.Split()":                               s.split(spaces, all, false),
			"s.Split(new char[0], " + options + ")":   s.split(spaces, all, omit),
			"s.Split((char[])null, " + options + ")":  s.split(spaces, all, omit),
			"s.Split(new string[0], " + options + ")": s.split(spaces, all, omit),
		} {
			got := run(t, "{ "+take("string s", "string v", "string w", "char c", "char d", "int n")+"var r = "+expr+"; return r.Length + \"|\" + string.Join(\"|\", r); }", values)
			parts := make([]string, len(want))
			for i, p := range want {
				parts[i] = p.String()
			}
			if text := fmt.Sprintf("%d|%s", len(want), strings.Join(parts, "|")); got != text {
				t.Fatalf("%s with %s\n got %q\nwant %q", expr, values, got, text)
			}
		}
	})
}

// A pair of surrogates is the same wherever its halves come from.
func TestProperty_StringSurrogates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		u := drawText(t, "s", 6)
		if rapid.Bool().Draw(t, "pair") {
			u = append(u, 0xD83D, 0xDE00)
		}
		i := rapid.IntRange(0, len(u)).Draw(t, "i")
		values := in{"s": u.value(), "a": u[:i].value(), "b": u[i:].value()}
		decls := "{ " + take("string s", "string a", "string b")
		for _, expr := range []string{
			"a + b == s", "$\"{a}{b}\" == s", "string.Concat(a, b).Equals(s)", "string.Join(\"\", a, b) == s", "new StringBuilder(a).Append(b).ToString() == s",
			"b.Insert(0, a) == s", "new StringBuilder(b).Insert(0, a).ToString() == s", "string.Format(\"{0}{1}\", a, b) == s", "(a + \"x\" + b).Replace(\"x\", \"\").Length == s.Replace(\"x\", \"\").Length",
			"a.PadRight(a.Length) + b == s", "s.Substring(0, a.Length) == a && s.Substring(a.Length) == b", "s.Remove(a.Length) == a && s.Remove(0, a.Length) == b",
			"new string(s.Take(a.Length).ToArray()) == a", "string.Concat(s.Select(c => c)) == s", "string.Concat(s.Select(c => c.ToString())) == s", "(a + \"\\0\" + b).Replace(\"\\0\", \"\") == s.Replace(\"\\0\", \"\")",
			"(a + \"\\0\" + b).Trim() != null && string.Join(\"\", (a + \"\\0\" + b).Split('\\0')) == s.Replace(\"\\0\", \"\")", "Regex.Replace(a + \"\\0\" + b, \"\\0\", \"\") == s.Replace(\"\\0\", \"\")",
			"new StringBuilder(a + \"\\0\" + b).Replace(\"\\0\", \"\").ToString() == s.Replace(\"\\0\", \"\")", "new StringBuilder(a + \"x\" + b).Remove(a.Length, 1).ToString() == s", "(a + \"x\" + b).Remove(a.Length, 1) == s",
			"Encoding.Unicode.GetString(Encoding.Unicode.GetBytes(a).Concat(Encoding.Unicode.GetBytes(b)).ToArray()) == s || s.Any(c => char.IsSurrogate(c))",
			"new JArray(a + b)[0].ToString() == s", "string.Compare(a + b, s, StringComparison.Ordinal) == 0", "(a + b).GetHashCode() == s.GetHashCode()", "new HashSet<string> { a + b }.Contains(s)",
		} {
			same(t, decls+"return "+expr+"; }", values, "True")
		}
	})
}

// builderOp is one operation on a StringBuilder.
type builderOp struct {
	src  string
	want func(u, v text16, c uint16, i, n int) text16
	ok   func(u text16, i, n int) bool
}

func TestProperty_StringBuilder(t *testing.T) {
	t.Parallel()
	always := func(text16, int, int) bool { return true }
	inside := func(u text16, i, _ int) bool { return i <= len(u) }
	part := func(u text16, i, n int) bool { return i+n <= len(u) }
	ops := []builderOp{
		{"b.Append(v);", func(u, v text16, _ uint16, _, _ int) text16 { return slices.Concat(u, v) }, always},
		{"b.Append(c);", func(u, _ text16, c uint16, _, _ int) text16 { return append(slices.Clone(u), c) }, always},
		{"b.Append(c, n);", func(u, _ text16, c uint16, _, n int) text16 { return u.pad(len(u)+n, c, false) }, always},
		{"b.Append(i).Append(true).Append(1.5);", func(u, _ text16, _ uint16, i, _ int) text16 {
			return slices.Concat(u, units16(fmt.Sprint(i)+"True1.5"))
		}, always},
		{"b.AppendFormat(\"{0}-{1}\", v, i);", func(u, v text16, _ uint16, i, _ int) text16 { return slices.Concat(u, v, units16(fmt.Sprint("-", i))) }, always},
		{"b.AppendLine(v);", func(u, v text16, _ uint16, _, _ int) text16 { return slices.Concat(u, v, units16("\r\n")) }, always},
		{"b.Insert(i, v);", func(u, v text16, _ uint16, i, _ int) text16 { return slices.Concat(u[:i], v, u[i:]) }, inside},
		{"b.Insert(i, c);", func(u, _ text16, c uint16, i, _ int) text16 { return slices.Concat(u[:i], text16{c}, u[i:]) }, inside},
		{"b.Remove(i, n);", func(u, _ text16, _ uint16, i, n int) text16 { return slices.Concat(u[:i], u[i+n:]) }, part},
		{"b.Replace(c, 'z');", func(u, _ text16, c uint16, _, _ int) text16 { return u.replace(text16{c}, text16{'z'}) }, always},
		{"if (v != \"\") b.Replace(v, \"zz\");", func(u, v text16, _ uint16, _, _ int) text16 {
			if len(v) == 0 {
				return u
			}
			return u.replace(v, text16{'z', 'z'})
		}, always},
		{"if (b.Length > i) b[i] = c;", func(u, _ text16, c uint16, i, _ int) text16 {
			u = slices.Clone(u)
			if i < len(u) {
				u[i] = c
			}
			return u
		}, always},
		{"b.Length = Math.Min(n, b.Length);", func(u, _ text16, _ uint16, _, n int) text16 { return u[:min(n, len(u))] }, always},
		{"b.Clear();", func(text16, text16, uint16, int, int) text16 { return nil }, always},
	}
	rapid.Check(t, func(t *rapid.T) {
		var u text16
		var src strings.Builder
		src.WriteString("{ var b = new StringBuilder(); string v; char c; int i, n; ")
		values := in{}
		for k := range rapid.IntRange(1, 8).Draw(t, "operations") {
			op := rapid.SampledFrom(ops).Draw(t, "operation")
			v, c := drawText(t, "v", 3), rapid.SampledFrom(alphabet).Draw(t, "c")
			i, n := rapid.IntRange(0, 6).Draw(t, "i"), rapid.IntRange(0, 4).Draw(t, "n")
			if !op.ok(u, i, n) {
				continue
			}
			u = op.want(u, v, c, i, n)
			values[fmt.Sprint("v", k)], values[fmt.Sprint("c", k)] = v.value(), clr.Rune16(c)
			fmt.Fprintf(&src, `v = (string)context.Variables["v%d"]; c = (char)context.Variables["c%d"]; i = %d; n = %d; %s `, k, k, i, n, op.src)
		}
		src.WriteString("return b.Length + \":\" + b.ToString() + \":\" + string.Concat(Enumerable.Range(0, b.Length).Select(k => b[k])); }")
		p := compile(t, src.String())
		if got, want := outcome(p, values), fmt.Sprintf("%d:%s:%s", len(u), u, u); got != want {
			t.Fatalf("%s with %s\n got %q\nwant %q", src.String(), values, got, want)
		}
	})
}

// Comparison without case agrees with upper case of both, character by character.
func TestProperty_StringIgnoringCase(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, v := drawText(t, "s", 4), drawText(t, "v", 4)
		upper := func(u text16) text16 {
			out := slices.Clone(u)
			for i, c := range out {
				if c < 0xD800 || c > 0xDFFF {
					out[i] = uint16(simpleUpper(rune(c)))
				}
			}
			return out
		}
		want := slices.Compare(upper(s), upper(v))
		values, decls := in{"s": s.value(), "v": v.value()}, "{ "+take("string s", "string v")
		same(t, decls+"return s.Equals(v, StringComparison.OrdinalIgnoreCase) == string.Equals(s, v, StringComparison.OrdinalIgnoreCase); }", values, "True")
		same(t, decls+"return s.Equals(v, StringComparison.OrdinalIgnoreCase); }", values, boolText(want == 0))
		same(t, decls+"return Math.Sign(string.Compare(s, v, StringComparison.OrdinalIgnoreCase)); }", values, fmt.Sprint(cmp.Compare(want, 0)))
		same(t, decls+"return s.IndexOf(v, StringComparison.OrdinalIgnoreCase); }", values, fmt.Sprint(upper(s).index(upper(v), 0)))
		same(t, decls+"return new HashSet<string>(StringComparer.OrdinalIgnoreCase) { s, v }.Count; }", values, map[bool]string{true: "1", false: "2"}[want == 0])
		same(t, decls+"return new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase) { [s] = 1 }.ContainsKey(v); }", values, boolText(want == 0))
		same(t, decls+"return s.ToUpperInvariant(); }", values, upper(s).String())
	})
}

// simpleUpper is upper case as the invariant culture has it: one unit for one,
// and the dotless ı stays as it is.
func simpleUpper(r rune) rune {
	if r == 'ı' {
		return r
	}
	return unicode.ToUpper(r)
}
