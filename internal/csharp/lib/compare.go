package lib

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// fold is what strings compare by when case is ignored.
func fold(s string) string { return upper(s) }

// indexFold finds old in s without case: its place and the length there.
func indexFold(s, old string) (at, n int) {
	for i := 0; i < len(s); {
		if m, ok := prefixFold(s[i:], old); ok {
			return i, m
		}
		_, n := decode(s[i:])
		i += n
	}
	if old == "" {
		return len(s), 0
	}
	return -1, 0
}

// prefixFold reports whether s begins with p without case, and how long that
// beginning is.
func prefixFold(s, p string) (int, bool) {
	n := 0
	for p != "" {
		r, length := decode(p)
		q, size := decode(s[n:])
		if size == 0 || q != r && upperRune(q) != upperRune(r) {
			return 0, false
		}
		p = p[length:]
		n += size
	}
	return n, true
}

// culture orders strings as the invariant culture roughly does: letters by
// alphabet first, lower case before upper case where nothing else differs.
func culture(a, b string, ignoreCase bool) int {
	if c := cmp.Compare(collation(a), collation(b)); c != 0 {
		return c
	}
	if ignoreCase || a == b {
		return 0
	}
	ra, rb := []rune(a), []rune(b)
	for i := range min(len(ra), len(rb)) {
		if ra[i] != rb[i] {
			if unicode.IsLower(ra[i]) != unicode.IsLower(rb[i]) {
				if unicode.IsLower(ra[i]) {
					return -1
				}
				return 1
			}
			return cmp.Compare(ra[i], rb[i])
		}
	}
	return cmp.Compare(len(ra), len(rb))
}

// collation maps a string to one that sorts bytewise: punctuation, digits, then
// letters without regard to case.
func collation(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsLetter(r):
			b.WriteRune('\U000E0000' >> 4) // behind all digits and signs
			b.WriteRune(unicode.ToLower(r))
		case unicode.IsDigit(r):
			b.WriteRune('\u3000')
			b.WriteRune(r)
		default:
			b.WriteRune('\u0001')
			b.WriteRune(r)
		}
	}
	return b.String()
}

// compareStrings orders by a StringComparison; null comes first.
func compareStrings(a, b V, mode int64) int {
	switch {
	case a.IsNull() || b.IsNull():
		return cmp.Compare(boolInt(!a.IsNull()), boolInt(!b.IsNull()))
	case mode == 4:
		return ordinal(a.Str(), b.Str())
	case mode == 5:
		return ordinal(fold(a.Str()), fold(b.Str()))
	}
	return culture(a.Str(), b.Str(), mode%2 == 1)
}

// ordinal compares UTF-16 units; the difference of the first that differ is the
// result in .NET, of which only the sign is documented.
func ordinal(a, b string) int {
	if ascii(a) && ascii(b) {
		n := min(len(a), len(b))
		for i := range n {
			if a[i] != b[i] {
				return int(a[i]) - int(b[i])
			}
		}
		return len(a) - len(b)
	}
	ua, ub := units(a), units(b)
	for i := range min(len(ua), len(ub)) {
		if ua[i] != ub[i] {
			return int(ua[i]) - int(ub[i])
		}
	}
	return len(ua) - len(ub)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func equalStrings(a, b V, mode int64) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull()
	}
	if mode%2 == 0 {
		return a.Str() == b.Str()
	}
	return a.Str() == b.Str() || fold(a.Str()) == fold(b.Str())
}

func stringCompareRows() []clr.Row {
	ignore := func(v V) int64 {
		if v.Bool() {
			return 1
		}
		return 0
	}
	compareParts := func(a []V, mode int64) V {
		part := [2]V{a[0], a[2]}
		for i, param := range []string{"indexA", "indexB"} {
			s, from, n := a[2*i], a[2*i+1].Int(), a[4].Int()
			switch all := int64(length(s.Str())); {
			case a[0].IsNull() || a[2].IsNull():
			case n < 0:
				clr.ThrowRange("length", "Length cannot be less than zero.")
			case from < 0 || from > all:
				clr.ThrowRange(param, indexMessage)
			default:
				part[i] = clr.String(cut(s.Str(), int(from), int(min(n, all-from))))
			}
		}
		return clr.Int(compareStrings(part[0], part[1], mode))
	}
	return []clr.Row{
		P("static bool operator ==(string a, string b)", func(_ F, a []V) V { return clr.Bool(equalStrings(a[0], a[1], 4)) }),
		P("bool Equals(string value)", func(_ F, a []V) V { return clr.Bool(equalStrings(a[0], a[1], 4)) }),
		P("bool Equals(object obj)", func(_ F, a []V) V { return clr.Bool(a[1].IsString() && a[0].Str() == a[1].Str()) }),
		P("bool Equals(string value, StringComparison comparisonType)", func(_ F, a []V) V { return clr.Bool(equalStrings(a[0], a[1], a[2].Int())) }),
		P("static bool Equals(string a, string b)", func(_ F, a []V) V { return clr.Bool(equalStrings(a[0], a[1], 4)) }),
		P("static bool Equals(string a, string b, StringComparison comparisonType)", func(_ F, a []V) V { return clr.Bool(equalStrings(a[0], a[1], a[2].Int())) }),
		P("static int Compare(string strA, string strB)", func(_ F, a []V) V { return clr.Int(compareStrings(a[0], a[1], 0)) }),
		P("static int Compare(string strA, string strB, bool ignoreCase)", func(_ F, a []V) V { return clr.Int(compareStrings(a[0], a[1], ignore(a[2]))) }),
		P("static int Compare(string strA, string strB, StringComparison comparisonType)", func(_ F, a []V) V {
			return clr.Int(compareStrings(a[0], a[1], a[2].Int()))
		}),
		P("static int Compare(string strA, int indexA, string strB, int indexB, int length)", func(_ F, a []V) V {
			return compareParts(a, 0)
		}),
		P("static int Compare(string strA, int indexA, string strB, int indexB, int length, StringComparison comparisonType)", func(_ F, a []V) V {
			return compareParts(a, a[5].Int())
		}),
		P("static int Compare(string strA, int indexA, string strB, int indexB, int length, bool ignoreCase)", func(_ F, a []V) V {
			return compareParts(a, ignore(a[5]))
		}),
		P("static int CompareOrdinal(string strA, string strB)", func(_ F, a []V) V { return clr.Int(compareStrings(a[0], a[1], 4)) }),
		P("static int CompareOrdinal(string strA, int indexA, string strB, int indexB, int length)", func(_ F, a []V) V {
			return compareParts(a, 4)
		}),
		P("int CompareTo(string strB)", func(_ F, a []V) V { return clr.Int(compareStrings(a[0], a[1], 0)) }),
		P("int CompareTo(object value)", func(_ F, a []V) V {
			if !a[1].IsNull() && !a[1].IsString() {
				clr.Throw(clr.ExArgument, "Object must be of type String.")
			}
			return clr.Int(compareStrings(a[0], a[1], 0))
		}),
	}
}

func stringSearchRows() []clr.Row {
	has := func(test func(s, p string, mode int64) bool) func(F, []V) V {
		return func(_ F, a []V) V {
			mode := int64(0)
			if len(a) > 2 {
				mode = a[2].Int()
			}
			return clr.Bool(test(a[0].Str(), text(a[1], "value"), mode))
		}
	}
	contains := has(func(s, p string, mode int64) bool {
		if mode%2 == 1 {
			i, _ := indexFold(s, p)
			return i >= 0
		}
		return strings.Contains(apart(s, p), p)
	})
	starts := has(func(s, p string, mode int64) bool {
		if mode%2 == 1 {
			_, ok := prefixFold(s, p)
			return ok
		}
		return strings.HasPrefix(apart(s, p), p)
	})
	ends := has(func(s, p string, mode int64) bool {
		if mode%2 == 1 {
			return strings.HasSuffix(fold(s), fold(p))
		}
		return strings.HasSuffix(apart(s, p), p)
	})
	char := func(v V) string { return unit(uint16(v.Int())) }
	return []clr.Row{
		P("bool Contains(string value)", contains),
		P("bool Contains(string value, StringComparison comparisonType)", contains),
		P("bool Contains(char value)", func(_ F, a []V) V { return clr.Bool(strings.Contains(apart(a[0].Str(), char(a[1])), char(a[1]))) }),
		P("bool StartsWith(string value)", starts),
		P("bool StartsWith(string value, StringComparison comparisonType)", starts),
		P("bool StartsWith(char value)", func(_ F, a []V) V { return clr.Bool(strings.HasPrefix(apart(a[0].Str(), char(a[1])), char(a[1]))) }),
		P("bool EndsWith(string value)", ends),
		P("bool EndsWith(string value, StringComparison comparisonType)", ends),
		P("bool EndsWith(char value)", func(_ F, a []V) V { return clr.Bool(strings.HasSuffix(apart(a[0].Str(), char(a[1])), char(a[1]))) }),
		P("int IndexOf(char value)", func(_ F, a []V) V { return find(a[0].Str(), char(a[1]), 0, 4) }),
		P("int IndexOf(char value, StringComparison comparisonType)", func(_ F, a []V) V { return find(a[0].Str(), char(a[1]), 0, a[2].Int()) }),
		P("int IndexOf(char value, int startIndex)", func(_ F, a []V) V { return find(a[0].Str(), char(a[1]), a[2].Int(), 4) }),
		P("int IndexOf(char value, int startIndex, int count)", func(_ F, a []V) V { return findIn(a[0].Str(), char(a[1]), a[2].Int(), a[3].Int(), 4) }),
		P("int IndexOf(string value)", func(_ F, a []V) V { return find(a[0].Str(), text(a[1], "value"), 0, 0) }),
		P("int IndexOf(string value, int startIndex)", func(_ F, a []V) V { return find(a[0].Str(), text(a[1], "value"), a[2].Int(), 0) }),
		P("int IndexOf(string value, int startIndex, int count)", func(_ F, a []V) V {
			return findIn(a[0].Str(), text(a[1], "value"), a[2].Int(), a[3].Int(), 0)
		}),
		P("int IndexOf(string value, StringComparison comparisonType)", func(_ F, a []V) V { return find(a[0].Str(), text(a[1], "value"), 0, a[2].Int()) }),
		P("int IndexOf(string value, int startIndex, StringComparison comparisonType)", func(_ F, a []V) V {
			return find(a[0].Str(), text(a[1], "value"), a[2].Int(), a[3].Int())
		}),
		P("int IndexOf(string value, int startIndex, int count, StringComparison comparisonType)", func(_ F, a []V) V {
			return findIn(a[0].Str(), text(a[1], "value"), a[2].Int(), a[3].Int(), a[4].Int())
		}),
		P("int LastIndexOf(char value)", func(_ F, a []V) V { return findLast(a[0].Str(), char(a[1]), 4) }),
		P("int LastIndexOf(char value, int startIndex)", func(_ F, a []V) V {
			return findLastChar(a[0].Str(), char(a[1]), a[2].Int(), a[2].Int()+1)
		}),
		P("int LastIndexOf(char value, int startIndex, int count)", func(_ F, a []V) V {
			return findLastChar(a[0].Str(), char(a[1]), a[2].Int(), a[3].Int())
		}),
		P("int LastIndexOf(string value)", func(_ F, a []V) V { return findLast(a[0].Str(), text(a[1], "value"), 0) }),
		P("int LastIndexOf(string value, int startIndex)", func(_ F, a []V) V {
			return findLastIn(a[0].Str(), text(a[1], "value"), a[2].Int(), a[2].Int()+1, 0)
		}),
		P("int LastIndexOf(string value, int startIndex, int count)", func(_ F, a []V) V {
			return findLastIn(a[0].Str(), text(a[1], "value"), a[2].Int(), a[3].Int(), 0)
		}),
		P("int LastIndexOf(string value, StringComparison comparisonType)", func(_ F, a []V) V { return findLast(a[0].Str(), text(a[1], "value"), a[2].Int()) }),
		P("int LastIndexOf(string value, int startIndex, StringComparison comparisonType)", func(_ F, a []V) V {
			return findLastIn(a[0].Str(), text(a[1], "value"), a[2].Int(), a[2].Int()+1, a[3].Int())
		}),
		P("int LastIndexOf(string value, int startIndex, int count, StringComparison comparisonType)", func(_ F, a []V) V {
			return findLastIn(a[0].Str(), text(a[1], "value"), a[2].Int(), a[3].Int(), a[4].Int())
		}),
		R("int IndexOfAny(char[] anyOf)", func(_ F, a []V) V { return findAny(a[0].Str(), a[1], 0, -1) }),
		R("int IndexOfAny(char[] anyOf, int startIndex)", func(_ F, a []V) V { return findAny(a[0].Str(), a[1], a[2].Int(), -1) }),
		R("int IndexOfAny(char[] anyOf, int startIndex, int count)", func(_ F, a []V) V {
			checkCount(a[3].Int(), int64(length(a[0].Str()))-a[2].Int())
			return findAny(a[0].Str(), a[1], a[2].Int(), a[3].Int())
		}),
		R("int LastIndexOfAny(char[] anyOf)", func(_ F, a []V) V {
			n := int64(length(a[0].Str()))
			return findLastAny(a[0].Str(), a[1], n-1, n)
		}),
		R("int LastIndexOfAny(char[] anyOf, int startIndex)", func(_ F, a []V) V { return findLastAny(a[0].Str(), a[1], a[2].Int(), a[2].Int()+1) }),
		R("int LastIndexOfAny(char[] anyOf, int startIndex, int count)", func(_ F, a []V) V {
			return findLastAny(a[0].Str(), a[1], a[2].Int(), a[3].Int())
		}),
	}
}

func checkCount(count, most int64) {
	if count < 0 || count > most {
		clr.ThrowRange("count", "Count must be positive and count must refer to a location within the string/array/collection.")
	}
}

// find is IndexOf from start to the end.
func find(s, p string, start, mode int64) V {
	n := int64(length(s))
	if start < 0 || start > n {
		clr.ThrowRange("startIndex", indexMessage)
	}
	return findIn(s, p, start, n-start, mode)
}

// findIn is IndexOf in count units from start.
func findIn(s, p string, start, count, mode int64) V {
	n := int64(length(s))
	if start < 0 || start > n {
		clr.ThrowRange("startIndex", indexMessage)
	}
	checkCount(count, n-start)
	part := apart(cut(s, int(start), int(count)), p)
	i := strings.Index(part, p)
	if mode%2 == 1 {
		i, _ = indexFold(part, p)
	}
	if i < 0 {
		return clr.Int(-1)
	}
	return clr.Int(int(start) + unitIndex(part, i))
}

// findLast is LastIndexOf in all of s.
func findLast(s, p string, mode int64) V {
	s = apart(s, p)
	i := strings.LastIndex(s, p)
	if mode%2 == 1 {
		i = strings.LastIndex(fold(s), fold(p))
	}
	return clr.Int(unitIndex(s, i))
}

// findLastIn is LastIndexOf in the count units that end with the one at start.
func findLastIn(s, p string, start, count, mode int64) V {
	from, n := lastSpan(s, start, count)
	if n < 0 {
		return clr.Int(-1)
	}
	i := findLast(cut(s, from, n), p, mode).Int()
	if i < 0 {
		return clr.Int(-1)
	}
	return clr.Int(from + int(i))
}

// findLastChar is findLastIn for a character, which may not start at the length.
func findLastChar(s, c string, start, count int64) V {
	if s != "" && start >= int64(length(s)) {
		clr.ThrowRange("startIndex", indexMessage)
	}
	return findLastIn(s, c, start, count, 4)
}

// lastSpan is the part of s that a search backwards from start looks at; its
// length is negative if there is nothing to look at.
func lastSpan(s string, start, count int64) (from, n int) {
	all := int64(length(s))
	switch {
	case all == 0:
		return 0, -1
	case start < 0 || start > all:
		clr.ThrowRange("startIndex", indexMessage)
	case start == all:
		start--
		count--
	}
	checkCount(count, start+1)
	return int(start - count + 1), int(count)
}

// findAny is IndexOfAny in count units from start, to the end for a negative
// count.
func findAny(s string, set V, start, count int64) V {
	any := chars(notNull(set, "anyOf"))
	u := units(s)
	if start < 0 || start > int64(len(u)) {
		clr.ThrowRange("startIndex", indexMessage)
	}
	end := int64(len(u))
	if count >= 0 {
		end = start + count
	}
	for i := start; i < end; i++ {
		if slices.Contains(any, u[i]) {
			return clr.Int(int(i))
		}
	}
	return clr.Int(-1)
}

// findLastAny is LastIndexOfAny in the count units that end with the one at
// start.
func findLastAny(s string, set V, start, count int64) V {
	any := chars(notNull(set, "anyOf"))
	u := units(s)
	if len(u) == 0 {
		return clr.Int(-1)
	}
	if start < 0 || start >= int64(len(u)) {
		clr.ThrowRange("startIndex", indexMessage)
	}
	checkCount(count, start+1)
	for i := start; i > start-count; i-- {
		if slices.Contains(any, u[i]) {
			return clr.Int(int(i))
		}
	}
	return clr.Int(-1)
}

// comparer is a StringComparer.
type comparer struct{ mode int64 }

func comparerDecl() clr.Decl {
	get := func(mode int64) func(F, []V) V {
		c := clr.Object(&comparer{mode})
		return func(F, []V) V { return c }
	}
	mode := func(v V) int64 { return v.Ref().(*comparer).mode }
	return D("class System.StringComparer : IEqualityComparer<string>, IComparer<string>",
		R("static StringComparer Ordinal", get(4)), R("static StringComparer OrdinalIgnoreCase", get(5)),
		R("static StringComparer InvariantCulture", get(2)), R("static StringComparer InvariantCultureIgnoreCase", get(3)),
		R("static StringComparer CurrentCulture", get(0)), R("static StringComparer CurrentCultureIgnoreCase", get(1)),
		R("int Compare(string x, string y)", func(_ F, a []V) V { return clr.Int(compareStrings(a[1], a[2], mode(a[0]))) }),
		R("bool Equals(string x, string y)", func(_ F, a []V) V { return clr.Bool(equalStrings(a[1], a[2], mode(a[0]))) }),
		R("int GetHashCode(string obj)", func(_ F, a []V) V {
			s := text(a[1], "obj")
			if mode(a[0])%2 == 1 {
				s = fold(s)
			}
			return clr.Int(int(stringHash(s)))
		}),
	)
}

// RuntimeType is the comparer's type.
func (*comparer) RuntimeType() *clr.Type { return named("System.StringComparer") }
