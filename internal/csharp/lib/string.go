package lib

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

const (
	lengthMessage = "Index and length must refer to a location within the string."
	startMessage  = "startIndex cannot be larger than length of string."
	indexMessage  = "Index was out of range. Must be non-negative and less than or equal to the size of the collection."
)

func stringDecls() []clr.Decl {
	return []clr.Decl{
		D("enum System.StringComparison { CurrentCulture, CurrentCultureIgnoreCase, InvariantCulture, InvariantCultureIgnoreCase, Ordinal, OrdinalIgnoreCase }"),
		D("flags enum System.StringSplitOptions { None, RemoveEmptyEntries, TrimEntries }"),
		comparerDecl(),
		{Sig: "class System.String", Rows: stringRows()},
		{Sig: "struct System.Char", Rows: charRows()},
	}
}

func stringRows() []clr.Row {
	direct := []clr.Row{
		R("static string Empty", clr.String("")),
		P("int Length", func(f F, a []V) V {
			s := a[0].Str()
			if len(s) <= long {
				return clr.Int(length(s))
			}
			return clr.Int(spread(f, s).Len())
		}),
		P("char this[int index]", charAt),
	}
	rows := []clr.Row{
		R("new(char c, int count)", func(f F, a []V) V { return repeat(f, unit(uint16(a[0].Int())), int(a[1].Int())) }),
		R("new(char[] value)", func(f F, a []V) V {
			if a[0].IsNull() {
				return clr.String("")
			}
			return f.Str(fromUnits(chars(a[0])))
		}),
		R("new(char[] value, int startIndex, int length)", func(f F, a []V) V {
			u := chars(notNull(a[0], "value"))
			from, n := int(a[1].Int()), int(a[2].Int())
			if from < 0 || n < 0 || from+n > len(u) {
				clr.ThrowRange("startIndex", "")
			}
			return f.Str(fromUnits(u[from : from+n]))
		}),
		P("static bool IsNullOrEmpty(string value)", func(_ F, a []V) V { return clr.Bool(a[0].Str() == "") }),
		P("static bool IsNullOrWhiteSpace(string value)", func(_ F, a []V) V { return clr.Bool(strings.TrimFunc(a[0].Str(), isSpace) == "") }),
		P("string Substring(int startIndex)", func(_ F, a []V) V {
			s, from := a[0].Str(), int(a[1].Int())
			n := length(s)
			if from < 0 {
				clr.ThrowRange("startIndex", "StartIndex cannot be less than zero.")
			}
			if from > n {
				clr.ThrowRange("startIndex", startMessage)
			}
			return clr.String(cut(s, from, n-from))
		}),
		P("string Substring(int startIndex, int length)", func(_ F, a []V) V {
			s, from, n := a[0].Str(), int(a[1].Int()), int(a[2].Int())
			checkSpan(length(s), from, n)
			return clr.String(cut(s, from, n))
		}),
		P("string ToLower()", func(f F, a []V) V { return f.Str(lower(a[0].Str())) }),
		P("string ToLowerInvariant()", func(f F, a []V) V { return f.Str(lower(a[0].Str())) }),
		P("string ToUpper()", func(f F, a []V) V { return f.Str(upper(a[0].Str())) }),
		P("string ToUpperInvariant()", func(f F, a []V) V { return f.Str(upper(a[0].Str())) }),
		P("string ToString()", func(_ F, a []V) V { return a[0] }),
		R("object Clone()", func(_ F, a []V) V { return a[0] }),
		P("string Trim()", func(_ F, a []V) V { return clr.String(strings.TrimFunc(a[0].Str(), isSpace)) }),
		P("string Trim(char trimChar)", func(_ F, a []V) V { return trimSet(a[0].Str(), []uint16{uint16(a[1].Int())}, true, true) }),
		R("string Trim(params char[] trimChars)", trimmer(true, true)),
		P("string TrimStart()", func(_ F, a []V) V { return clr.String(strings.TrimLeftFunc(a[0].Str(), isSpace)) }),
		P("string TrimStart(char trimChar)", func(_ F, a []V) V { return trimSet(a[0].Str(), []uint16{uint16(a[1].Int())}, true, false) }),
		R("string TrimStart(params char[] trimChars)", trimmer(true, false)),
		P("string TrimEnd()", func(_ F, a []V) V { return clr.String(strings.TrimRightFunc(a[0].Str(), isSpace)) }),
		P("string TrimEnd(char trimChar)", func(_ F, a []V) V { return trimSet(a[0].Str(), []uint16{uint16(a[1].Int())}, false, true) }),
		R("string TrimEnd(params char[] trimChars)", trimmer(false, true)),
		P("string PadLeft(int totalWidth)", func(f F, a []V) V { return pad(f, a[0].Str(), a[1], " ", true) }),
		P("string PadLeft(int totalWidth, char paddingChar)", func(f F, a []V) V { return pad(f, a[0].Str(), a[1], unit(uint16(a[2].Int())), true) }),
		P("string PadRight(int totalWidth)", func(f F, a []V) V { return pad(f, a[0].Str(), a[1], " ", false) }),
		P("string PadRight(int totalWidth, char paddingChar)", func(f F, a []V) V { return pad(f, a[0].Str(), a[1], unit(uint16(a[2].Int())), false) }),
		P("string Insert(int startIndex, string value)", func(f F, a []V) V {
			s, at, x := a[0].Str(), int(a[1].Int()), text(a[2], "value")
			n := length(s)
			if at < 0 || at > n {
				clr.ThrowRange("startIndex", "")
			}
			return f.Str(cut(s, 0, at) + x + cut(s, at, n-at))
		}),
		P("string Remove(int startIndex)", func(f F, a []V) V {
			s, at := a[0].Str(), int(a[1].Int())
			if at < 0 {
				clr.ThrowRange("startIndex", "StartIndex cannot be less than zero.")
			}
			if at > length(s) {
				clr.ThrowRange("startIndex", startMessage)
			}
			return clr.String(cut(s, 0, at))
		}),
		P("string Remove(int startIndex, int count)", func(f F, a []V) V {
			s, at, n := a[0].Str(), int(a[1].Int()), int(a[2].Int())
			all := length(s)
			switch {
			case at < 0:
				clr.ThrowRange("startIndex", "StartIndex cannot be less than zero.")
			case n < 0:
				clr.ThrowRange("count", "Count cannot be less than zero.")
			case at+n > all:
				clr.ThrowRange("count", "Index and count must refer to a location within the string.")
			}
			return f.Str(cut(s, 0, at) + cut(s, at+n, all-at-n))
		}),
		P("string Replace(char oldChar, char newChar)", func(f F, a []V) V {
			return replace(f, a[0].Str(), clr.String(unit(uint16(a[1].Int()))), unit(uint16(a[2].Int())), false)
		}),
		P("string Replace(string oldValue, string newValue)", func(f F, a []V) V { return replace(f, a[0].Str(), a[1], a[2].Str(), false) }),
		P("string Replace(string oldValue, string newValue, StringComparison comparisonType)", func(f F, a []V) V {
			return replace(f, a[0].Str(), a[1], a[2].Str(), a[3].Int()%2 == 1)
		}),
		P("string Normalize()", func(f F, a []V) V { return f.Str(norm.NFC.String(a[0].Str())) }),
		P("bool IsNormalized()", func(_ F, a []V) V { return clr.Bool(norm.NFC.IsNormalString(a[0].Str())) }),
		R("char[] ToCharArray()", func(f F, a []V) V { return charArray(f, units(a[0].Str())) }),
		R("char[] ToCharArray(int startIndex, int length)", func(f F, a []V) V {
			u := units(a[0].Str())
			from, n := int(a[1].Int()), int(a[2].Int())
			if from < 0 || n < 0 || from+n > len(u) {
				clr.ThrowRange("startIndex", indexMessage)
			}
			return charArray(f, u[from:from+n])
		}),
		P("static string Intern(string str)", func(_ F, a []V) V { return notNull(a[0], "str") }),
		P("static string IsInterned(string str)", func(_ F, a []V) V { return notNull(a[0], "str") }),
		P("static string Copy(string str)", func(_ F, a []V) V { return notNull(a[0], "str") }),
		R("void CopyTo(int sourceIndex, char[] destination, int destinationIndex, int count)", func(_ F, a []V) V {
			u, d := units(a[0].Str()), arr(a[2], "destination")
			from, to, n := int(a[1].Int()), int(a[3].Int()), int(a[4].Int())
			if from < 0 || to < 0 || n < 0 || from+n > len(u) || to+n > d.Len() {
				clr.ThrowRange("sourceIndex", indexMessage)
			}
			for i := range n {
				d.Put(to+i, clr.Rune16(u[from+i]))
			}
			return clr.Null
		}),
		P("int GetHashCode()", func(_ F, a []V) V { return clr.Int(int(stringHash(a[0].Str()))) }),
		R("CharEnumerator GetEnumerator()", enumerateRow),
	}
	rows = append(rows, stringCompareRows()...)
	rows = append(rows, stringSearchRows()...)
	rows = append(rows, stringJoinRows()...)
	return append(direct, walked(rows)...)
}

func charAt(f F, a []V) V {
	s, i := a[0].Str(), a[1].Int()
	if len(s) > long {
		w := spread(f, s)
		if i < 0 || i >= int64(w.Len()) {
			clr.ThrowIndex()
		}
		return clr.Rune16(w.At(int(i)))
	}
	if i >= 0 && i < int64(len(s)) && ascii(s) {
		return clr.Rune16(uint16(s[i]))
	}
	u := units(s)
	if i < 0 || i >= int64(len(u)) {
		clr.ThrowIndex()
	}
	return clr.Rune16(u[i])
}

// isSpace is char.IsWhiteSpace.
func isSpace(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Z, r) }

// upper keeps what has no simple counterpart, as .NET does: ß stays.
func upper(s string) string { return mapRunes(s, upperRune) }

func lower(s string) string { return mapRunes(s, lowerRune) }

// The invariant culture does not know the Turkish letters i.

func upperRune(r rune) rune {
	if r == 'ı' {
		return r
	}
	return unicode.ToUpper(r)
}

func lowerRune(r rune) rune {
	if r == 'İ' {
		return r
	}
	return unicode.ToLower(r)
}

func checkSpan(n, from, count int) {
	switch {
	case from < 0:
		clr.ThrowRange("startIndex", "StartIndex cannot be less than zero.")
	case from > n:
		clr.ThrowRange("startIndex", startMessage)
	case count < 0:
		clr.ThrowRange("length", "Length cannot be less than zero.")
	case from > n-count:
		clr.ThrowRange("length", lengthMessage)
	}
}

func chars(v V) []uint16 {
	a := v.Ref().(*clr.Arr)
	out := make([]uint16, a.Len())
	for i := range out {
		out[i] = uint16(a.At(i).Int())
	}
	return out
}

var charsType = clr.ArrayOf(clr.Char)

func charArray(f F, u []uint16) V {
	f.Alloc(24 * len(u))
	v := make([]V, len(u))
	for i, c := range u {
		v[i] = clr.Rune16(c)
	}
	return clr.Object(&clr.Arr{T: charsType, V: v})
}

func trimmer(left, right bool) func(F, []V) V {
	return func(_ F, a []V) V {
		set, ok := a[1].Ref().(*clr.Arr)
		if ok && set.Len() > 0 {
			return trimSet(a[0].Str(), chars(a[1]), left, right)
		}
		s := a[0].Str()
		if left {
			s = strings.TrimLeftFunc(s, isSpace)
		}
		if right {
			s = strings.TrimRightFunc(s, isSpace)
		}
		return clr.String(s)
	}
}

// trimSet takes the units of a set from the ends of s.
func trimSet(s string, set []uint16, left, right bool) V {
	u := units(s)
	from, to := 0, len(u)
	for left && from < to && slices.Contains(set, u[from]) {
		from++
	}
	for right && from < to && slices.Contains(set, u[to-1]) {
		to--
	}
	if to-from == len(u) {
		return clr.String(s)
	}
	return clr.String(cut(s, from, to-from))
}

func repeat(f F, s string, n int) V {
	if n < 0 {
		clr.ThrowRange("count", "'count' must be non-negative.")
	}
	f.Alloc(n * len(s))
	return clr.String(strings.Repeat(s, n))
}

func pad(f F, s string, width V, with string, left bool) V {
	n := int(width.Int())
	if n < 0 {
		clr.ThrowRange("totalWidth", "Non-negative number required.")
	}
	n -= length(s)
	if n <= 0 {
		return clr.String(s)
	}
	f.Alloc(n * len(with))
	p := strings.Repeat(with, n)
	if left {
		return f.Str(p + s)
	}
	return f.Str(s + p)
}

func replace(f F, s string, old V, by string, fold bool) V {
	o := text(old, "oldValue")
	if o == "" {
		clr.ThrowArg(clr.ExArgument, "String cannot be of zero length.", "oldValue")
	}
	s = apart(s, o)
	if fold {
		return replaceFold(f, s, o, by)
	}
	n := strings.Count(s, o)
	if n == 0 {
		return clr.String(clr.Whole(s))
	}
	f.Alloc(len(s) + n*(len(by)-len(o)))
	return clr.String(clr.Whole(strings.ReplaceAll(s, o, by)))
}

func replaceFold(f F, s, old, by string) V {
	var b strings.Builder
	for {
		i, n := indexFold(s, old)
		if i < 0 {
			b.WriteString(s)
			return f.Str(b.String())
		}
		f.Alloc(i + len(by))
		b.WriteString(s[:i])
		b.WriteString(by)
		s = s[i+n:]
	}
}

// stringHash is stable within a process, which is all that .NET promises.
func stringHash(s string) int32 {
	h := uint32(2166136261)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return int32(h)
}

func stringJoinRows() []clr.Row {
	join := func(f F, sep string, items []V) V {
		n := 0
		parts := make([]string, len(items))
		for i, v := range items {
			parts[i] = Text(f, v)
			n += len(parts[i]) + len(sep)
		}
		f.Alloc(n)
		return clr.String(clr.Whole(strings.Join(parts, sep)))
	}
	list := func(f F, v V, param string) []V {
		var out []V
		Each(f, notNull(v, param), func(x V) bool { f.Alloc(24); out = append(out, x); return true })
		return out
	}
	return []clr.Row{
		R("static string Join(string separator, params string[] value)", func(f F, a []V) V { return join(f, a[0].Str(), list(f, a[1], "value")) }),
		R("static string Join(string separator, params object[] values)", func(f F, a []V) V { return join(f, a[0].Str(), list(f, a[1], "values")) }),
		R("static string Join(string separator, IEnumerable<string> values)", func(f F, a []V) V { return join(f, a[0].Str(), list(f, a[1], "values")) }),
		R("static string Join<T>(string separator, IEnumerable<T> values)", func(f F, a []V) V { return join(f, a[0].Str(), list(f, a[1], "values")) }),
		R("static string Join(string separator, string[] value, int startIndex, int count)", func(f F, a []V) V {
			items := list(f, a[1], "value")
			from, n := int(a[2].Int()), int(a[3].Int())
			if from < 0 || n < 0 || from+n > len(items) {
				clr.ThrowRange("startIndex", "")
			}
			return join(f, a[0].Str(), items[from:from+n])
		}),
		R("static string Concat(object arg0)", func(f F, a []V) V { return join(f, "", a) }),
		R("static string Concat(object arg0, object arg1)", func(f F, a []V) V { return join(f, "", a) }),
		R("static string Concat(object arg0, object arg1, object arg2)", func(f F, a []V) V { return join(f, "", a) }),
		R("static string Concat(params object[] args)", func(f F, a []V) V { return join(f, "", list(f, a[0], "args")) }),
		P("static string Concat(string str0, string str1)", func(f F, a []V) V { return join(f, "", a) }),
		P("static string Concat(string str0, string str1, string str2)", func(f F, a []V) V { return join(f, "", a) }),
		P("static string Concat(string str0, string str1, string str2, string str3)", func(f F, a []V) V { return join(f, "", a) }),
		R("static string Concat(params string[] values)", func(f F, a []V) V { return join(f, "", list(f, a[0], "values")) }),
		R("static string Concat(IEnumerable<string> values)", func(f F, a []V) V { return join(f, "", list(f, a[0], "values")) }),
		R("static string Concat<T>(IEnumerable<T> values)", func(f F, a []V) V { return join(f, "", list(f, a[0], "values")) }),
		R("static string Format(string format, object arg0)", func(f F, a []V) V { return composite(f, text(a[0], "format"), a[1:]) }),
		R("static string Format(string format, object arg0, object arg1)", func(f F, a []V) V { return composite(f, text(a[0], "format"), a[1:]) }),
		R("static string Format(string format, object arg0, object arg1, object arg2)", func(f F, a []V) V { return composite(f, text(a[0], "format"), a[1:]) }),
		R("static string Format(string format, params object[] args)", func(f F, a []V) V {
			return composite(f, text(a[0], "format"), arr(a[1], "args").V)
		}),
		R("static string Format(IFormatProvider provider, string format, params object[] args)", func(f F, a []V) V {
			return composite(f, text(a[1], "format"), arr(a[2], "args").V)
		}),
		R("string[] Split(params char[] separator)", func(f F, a []V) V { return splitChars(f, a[0].Str(), a[1], -1, 0) }),
		R("string[] Split(char[] separator, int count)", func(f F, a []V) V { return splitChars(f, a[0].Str(), a[1], countOf(a[2]), 0) }),
		R("string[] Split(char[] separator, StringSplitOptions options)", func(f F, a []V) V { return splitChars(f, a[0].Str(), a[1], -1, a[2].Int()) }),
		R("string[] Split(char[] separator, int count, StringSplitOptions options)", func(f F, a []V) V {
			return splitChars(f, a[0].Str(), a[1], countOf(a[2]), a[3].Int())
		}),
		R("string[] Split(char separator, StringSplitOptions options = None)", func(f F, a []V) V {
			return splitStrings(f, a[0].Str(), []string{unit(uint16(a[1].Int()))}, -1, a[2].Int())
		}),
		R("string[] Split(char separator, int count, StringSplitOptions options = None)", func(f F, a []V) V {
			return splitStrings(f, a[0].Str(), []string{unit(uint16(a[1].Int()))}, countOf(a[2]), a[3].Int())
		}),
		R("string[] Split(string separator, StringSplitOptions options = None)", func(f F, a []V) V {
			return splitOne(f, a[0].Str(), a[1].Str(), -1, a[2].Int())
		}),
		R("string[] Split(string separator, int count, StringSplitOptions options = None)", func(f F, a []V) V {
			return splitOne(f, a[0].Str(), a[1].Str(), countOf(a[2]), a[3].Int())
		}),
		R("string[] Split(string[] separator, StringSplitOptions options)", func(f F, a []V) V { return splitList(f, a[0].Str(), a[1], -1, a[2].Int()) }),
		R("string[] Split(string[] separator, int count, StringSplitOptions options)", func(f F, a []V) V {
			return splitList(f, a[0].Str(), a[1], countOf(a[2]), a[3].Int())
		}),
	}
}

func countOf(v V) int {
	if v.Int() < 0 {
		clr.ThrowRange("count", "Count cannot be less than zero.")
	}
	return int(v.Int())
}

func splitChars(f F, s string, set V, count int, opt int64) V {
	a, ok := set.Ref().(*clr.Arr)
	if !ok || a.Len() == 0 {
		return splitFunc(f, s, count, opt, func(from int) (int, int) {
			for i, c := range s[from:] {
				if isSpace(c) {
					return from + i, utf8.RuneLen(c)
				}
			}
			return -1, 0
		})
	}
	seps := make([]string, a.Len())
	for i := range seps {
		seps[i] = unit(uint16(a.At(i).Int()))
	}
	return splitStrings(f, s, seps, count, opt)
}

func splitOne(f F, s, sep string, count int, opt int64) V {
	if sep == "" {
		return finishSplit(f, []string{s}, opt)
	}
	return splitStrings(f, s, []string{sep}, count, opt)
}

func splitList(f F, s string, list V, count int, opt int64) V {
	a, ok := list.Ref().(*clr.Arr)
	if !ok || a.Len() == 0 {
		return splitChars(f, s, clr.Null, count, opt)
	}
	var seps []string
	for _, v := range a.V {
		if v.Str() != "" {
			seps = append(seps, v.Str())
		}
	}
	return splitStrings(f, s, seps, count, opt)
}

func splitStrings(f F, s string, seps []string, count int, opt int64) V {
	for _, sep := range seps {
		s = apart(s, sep)
	}
	next := make([]int, len(seps)) // where each was found last, or the end of s
	for i := range next {
		next[i] = -1
	}
	return splitFunc(f, s, count, opt, func(from int) (at, n int) {
		at = len(s)
		for i, sep := range seps {
			if next[i] < from {
				next[i] = len(s)
				if k := strings.Index(s[from:], sep); k >= 0 {
					next[i] = from + k
				}
			}
			if next[i] < at {
				at, n = next[i], len(sep)
			}
		}
		if n == 0 {
			return -1, 0
		}
		return at, n
	})
}

// splitFunc splits at what find finds at or behind a place.
func splitFunc(f F, s string, count int, opt int64, find func(from int) (at, n int)) V {
	var parts []string
	if count == 0 {
		return finishSplit(f, nil, opt)
	}
	keep := func(p string) bool {
		if opt&2 != 0 {
			p = strings.TrimFunc(p, isSpace)
		}
		return opt&1 == 0 || p != ""
	}
	from := 0
	for count < 0 || len(parts) < count-1 {
		f.Alloc(16)
		i, n := find(from)
		if i < 0 {
			break
		}
		if keep(s[from:i]) {
			parts = append(parts, s[from:i])
		}
		from = i + n
	}
	if opt&1 != 0 && count > 1 {
		// Empty entries in front of the rest do not count.
		for i, n := find(from); i == from; i, n = find(from) {
			from += n
		}
	}
	return finishSplit(f, append(parts, s[from:]), opt)
}

func finishSplit(f F, parts []string, opt int64) V {
	out := make([]string, 0, len(parts))
	for _, p := range parts {
		if opt&2 != 0 {
			p = strings.TrimFunc(p, isSpace)
		}
		if opt&1 == 0 || p != "" {
			out = append(out, clr.Whole(p))
		}
	}
	f.Alloc(24 * len(out))
	return clr.Strings(out)
}

// composite is String.Format.
func composite(f F, format string, args []V) V {
	var b strings.Builder
	bad := func() { clr.Throw(clr.ExFormat, "Input string was not in a correct format.") }
	for i := 0; i < len(format); {
		c := format[i]
		switch {
		case c == '{' && i+1 < len(format) && format[i+1] == '{', c == '}' && i+1 < len(format) && format[i+1] == '}':
			b.WriteByte(c)
			i += 2
		case c == '}':
			bad()
		case c == '{':
			end := i + 1
			for end < len(format) && format[end] != '}' {
				end++
			}
			if end == len(format) {
				bad()
			}
			b.WriteString(formatItem(f, format[i+1:end], args, bad))
			i = end + 1
		default:
			b.WriteByte(c)
			i++
		}
		if b.Len() > 1<<16 {
			f.Alloc(b.Len() / 256)
		}
	}
	return f.Str(b.String())
}

// formatItem formats index[,width][:format].
func formatItem(f F, item string, args []V, bad func()) string {
	spec, align := "", 0
	if i := strings.IndexByte(item, ':'); i >= 0 {
		spec, item = item[i+1:], item[:i]
	}
	if i := strings.IndexByte(item, ','); i >= 0 {
		n, ok := parseInt(strings.TrimSpace(item[i+1:]))
		if !ok || n > 1_000_000 || n < -1_000_000 {
			bad()
		}
		align, item = int(n), item[:i]
	}
	n, ok := parseInt(strings.TrimRight(item, " "))
	if !ok || n < 0 || item == "" || item[0] == ' ' || item[0] == '+' {
		bad()
	}
	if n >= int64(len(args)) {
		clr.Throw(clr.ExFormat, "Index (zero based) must be greater than or equal to zero and less than the size of the argument list.")
	}
	return Pad(f, Format(f, args[n], spec), align)
}
