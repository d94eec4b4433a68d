package csharp_test

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// A pipeline is built twice, as source and of Go iterators. Both write down each
// call of a lambda and each item that comes out, so that order and laziness show.

type seq = iter.Seq[int]

// trail is what happened, in order.
type trail struct{ strings.Builder }

func (l *trail) note(what string, x int) int {
	fmt.Fprintf(l, "%s%d ", what, x)
	return x
}

type stage struct {
	src string
	run func(l *trail, q seq, b []int, n int) seq
}

// gathered takes all items when the first is asked for.
func gathered(fn func(l *trail, all []int, b []int, n int) []int) func(*trail, seq, []int, int) seq {
	return func(l *trail, q seq, b []int, n int) seq {
		return func(yield func(int) bool) {
			for _, x := range fn(l, slices.Collect(q), b, n) {
				if !yield(x) {
					return
				}
			}
		}
	}
}

// each passes items through fn, which yields any number of them.
func each(fn func(l *trail, b []int, n int) func(x int, yield func(int) bool) bool) func(*trail, seq, []int, int) seq {
	return func(l *trail, q seq, b []int, n int) seq {
		return func(yield func(int) bool) {
			step := fn(l, b, n)
			for x := range q {
				if !step(x, yield) {
					return
				}
			}
		}
	}
}

func filter(keep func(l *trail, i, x, n int) bool) func(*trail, seq, []int, int) seq {
	return each(func(l *trail, _ []int, n int) func(int, func(int) bool) bool {
		i := -1
		return func(x int, yield func(int) bool) bool {
			i++
			return !keep(l, i, x, n) || yield(x)
		}
	})
}

func distinct(seen map[int]bool) func(int, func(int) bool) bool {
	return func(x int, yield func(int) bool) bool {
		if seen[x] {
			return true
		}
		seen[x] = true
		return yield(x)
	}
}

func setOf(b []int) map[int]bool {
	m := map[int]bool{}
	for _, x := range b {
		m[x] = true
	}
	return m
}

var stages = []stage{
	{".Where(x => t('w', x) % 2 == 0)", filter(func(l *trail, _, x, _ int) bool { return l.note("w", x)%2 == 0 })},
	{".Where((x, i) => (t('v', x) + i) % 3 != 0)", filter(func(l *trail, i, x, _ int) bool { return (l.note("v", x)+i)%3 != 0 })},
	{".Select(x => t('s', x) * 2)", each(func(l *trail, _ []int, _ int) func(int, func(int) bool) bool {
		return func(x int, yield func(int) bool) bool { return yield(l.note("s", x) * 2) }
	})},
	{".Select((x, i) => t('i', x) + i)", each(func(l *trail, _ []int, _ int) func(int, func(int) bool) bool {
		i := -1
		return func(x int, yield func(int) bool) bool { i++; return yield(l.note("i", x) + i) }
	})},
	{".SelectMany(x => new[] { t('m', x), -x })", each(func(l *trail, _ []int, _ int) func(int, func(int) bool) bool {
		return func(x int, yield func(int) bool) bool { return yield(l.note("m", x)) && yield(-x) }
	})},
	{".SelectMany(x => b.Take(x), (x, y) => t('M', x + y))", each(func(l *trail, b []int, _ int) func(int, func(int) bool) bool {
		return func(x int, yield func(int) bool) bool {
			for _, y := range b[:max(0, min(x, len(b)))] {
				if !yield(l.note("M", x+y)) {
					return false
				}
			}
			return true
		}
	})},
	{".Take(n)", func(_ *trail, q seq, _ []int, n int) seq {
		return func(yield func(int) bool) {
			if n <= 0 {
				return
			}
			k := n
			for x := range q {
				if !yield(x) {
					return
				}
				if k--; k == 0 {
					return
				}
			}
		}
	}},
	{".TakeWhile(x => t('h', x) < 5)", each(func(l *trail, _ []int, _ int) func(int, func(int) bool) bool {
		return func(x int, yield func(int) bool) bool { return l.note("h", x) < 5 && yield(x) }
	})},
	{".SkipWhile(x => t('k', x) < 3)", each(func(l *trail, _ []int, _ int) func(int, func(int) bool) bool {
		done := false
		return func(x int, yield func(int) bool) bool {
			done = done || l.note("k", x) >= 3
			return !done || yield(x)
		}
	})},
	{".Where(x => true).Skip(n)", filter(func(_ *trail, i, _, n int) bool { return i >= n })},
	{".Distinct()", each(func(*trail, []int, int) func(int, func(int) bool) bool { return distinct(map[int]bool{}) })},
	{".Except(b)", each(func(_ *trail, b []int, _ int) func(int, func(int) bool) bool { return distinct(setOf(b)) })},
	{".Intersect(b)", each(func(_ *trail, b []int, _ int) func(int, func(int) bool) bool {
		left := setOf(b)
		return func(x int, yield func(int) bool) bool {
			if !left[x] {
				return true
			}
			delete(left, x)
			return yield(x)
		}
	})},
	{".Concat(b.Select(x => t('c', x)))", func(l *trail, q seq, b []int, _ int) seq {
		return func(yield func(int) bool) {
			for x := range q {
				if !yield(x) {
					return
				}
			}
			for _, x := range b {
				if !yield(l.note("c", x)) {
					return
				}
			}
		}
	}},
	{".Union(b)", func(_ *trail, q seq, b []int, _ int) seq {
		return func(yield func(int) bool) {
			step := distinct(map[int]bool{})
			for x := range q {
				if !step(x, yield) {
					return
				}
			}
			for _, x := range b {
				if !step(x, yield) {
					return
				}
			}
		}
	}},
	{".Append(n)", func(_ *trail, q seq, _ []int, n int) seq {
		return func(yield func(int) bool) {
			for x := range q {
				if !yield(x) {
					return
				}
			}
			yield(n)
		}
	}},
	{".Prepend(n)", func(_ *trail, q seq, _ []int, n int) seq {
		return func(yield func(int) bool) {
			if yield(n) {
				q(yield)
			}
		}
	}},
	{".DefaultIfEmpty(n)", func(_ *trail, q seq, _ []int, n int) seq {
		return func(yield func(int) bool) {
			empty := true
			for x := range q {
				empty = false
				if !yield(x) {
					return
				}
			}
			if empty {
				yield(n)
			}
		}
	}},
	{".Zip(b, (x, y) => t('z', x) + y)", func(l *trail, q seq, b []int, _ int) seq {
		return func(yield func(int) bool) {
			i := 0
			for x := range q {
				if i == len(b) || !yield(l.note("z", x)+b[i]) {
					return
				}
				i++
			}
		}
	}},
	{".Reverse()", gathered(func(_ *trail, all, _ []int, _ int) []int { slices.Reverse(all); return all })},
	{".OrderBy(x => t('o', x % 3))", gathered(func(l *trail, all, _ []int, _ int) []int {
		for _, x := range all {
			l.note("o", x%3)
		}
		slices.SortStableFunc(all, func(x, y int) int { return cmp.Compare(x%3, y%3) })
		return all
	})},
	{".OrderByDescending(x => x % 3).ThenBy(x => x)", gathered(func(_ *trail, all, _ []int, _ int) []int {
		slices.SortStableFunc(all, func(x, y int) int { return cmp.Or(cmp.Compare(y%3, x%3), cmp.Compare(x, y)) })
		return all
	})},
	{".OrderBy(x => x % 3 == 0).ThenByDescending(x => x % 2)", gathered(func(_ *trail, all, _ []int, _ int) []int {
		key := func(x int) int { return btoi(x%3 == 0) }
		slices.SortStableFunc(all, func(x, y int) int { return cmp.Or(cmp.Compare(key(x), key(y)), cmp.Compare(y%2, x%2)) })
		return all
	})},
	{".GroupBy(x => t('g', x) % 3).Select(g => g.Key * 100 + g.Sum())", func(l *trail, q seq, _ []int, _ int) seq {
		return func(yield func(int) bool) {
			var keys []int
			sums := map[int]int{}
			for x := range q {
				k := l.note("g", x) % 3
				if _, ok := sums[k]; !ok {
					keys = append(keys, k)
				}
				sums[k] += x
			}
			for _, k := range keys {
				if !yield(k*100 + sums[k]) {
					return
				}
			}
		}
	}},
	{".Join(b, x => t('j', x) % 3, y => y % 3, (x, y) => x * 10 + y)", each(func(l *trail, b []int, _ int) func(int, func(int) bool) bool {
		return func(x int, yield func(int) bool) bool {
			k := l.note("j", x) % 3
			for _, y := range b {
				if y%3 == k && !yield(x*10+y) {
					return false
				}
			}
			return true
		}
	})},
	{".GroupJoin(b, x => x % 3, y => y % 3, (x, ys) => x + ys.Count())", each(func(_ *trail, b []int, _ int) func(int, func(int) bool) bool {
		return func(x int, yield func(int) bool) bool {
			n := 0
			for _, y := range b {
				n += btoi(y%3 == x%3)
			}
			return yield(x + n)
		}
	})},
	{".ToList().AsEnumerable()", nil},
	{".ToArray().AsEnumerable()", nil},
	{".Cast<object>().OfType<int>()", func(_ *trail, q seq, _ []int, _ int) seq { return q }},
}

func drawInts(t *rapid.T, label string, most int) []int {
	return rapid.SliceOfN(rapid.IntRange(-3, 9), 0, most).Draw(t, label)
}

func intArray(xs []int) clr.Value {
	a := clr.NewArr(clr.ArrayOf(clr.Int32), len(xs))
	for i, x := range xs {
		a.Put(i, clr.Int(x))
	}
	return clr.Object(a)
}

func joinInts(xs []int) string {
	parts := make([]string, len(xs))
	for i, x := range xs {
		parts[i] = fmt.Sprint(x)
	}
	return strings.Join(parts, ",")
}

func TestProperty_LinqPipelines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, n := drawInts(t, "a", 8), drawInts(t, "b", 4), rapid.IntRange(-1, 5).Draw(t, "n")
		stop := rapid.IntRange(1, 12).Draw(t, "items taken")
		var src strings.Builder
		src.WriteString("{ " + take("int[] a", "int[] b", "int n", "int k"))
		src.WriteString("var log = new StringBuilder(); Func<char, int, int> t = (c, x) => { log.Append(c).Append(x).Append(' '); return x; }; var q = a")
		var l trail
		q := slices.Values(a)
		for range rapid.IntRange(1, 4).Draw(t, "stages") {
			s := rapid.SampledFrom(stages).Draw(t, "stage")
			src.WriteString(s.src)
			if s.run == nil { // runs now
				q = slices.Values(slices.Collect(q))
				continue
			}
			q = s.run(&l, q, b, n)
		}
		src.WriteString("; t('#', 0); foreach (var x in q) { t('y', x); if (--k == 0) break; } return log.ToString(); }")
		l.note("#", 0)
		for x := range q {
			l.note("y", x)
			if stop--; stop == 0 {
				break
			}
		}
		values := in{"a": intArray(a), "b": intArray(b), "n": clr.Int(n), "k": clr.Int(0)}
		values["k"] = clr.Int(strings.Count(l.String(), "y") + btoi(stop > 0)*100)
		if got := outcome(compile(t, src.String()), values); got != l.String() {
			t.Fatalf("%s\nwith %s\n got %s\nwant %s", src.String(), values, got, l.String())
		}
	})
}

const noElements = "InvalidOperationException: Sequence contains no elements"

func TestProperty_LinqResults(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, n := drawInts(t, "a", 6), drawInts(t, "b", 6), rapid.IntRange(-1, 6).Draw(t, "n")
		values, decls := in{"a": intArray(a), "b": intArray(b), "n": clr.Int(n)}, "{ "+take("int[] a", "int[] b", "int n")
		even := slices.DeleteFunc(slices.Clone(a), func(x int) bool { return x%2 != 0 })
		sum := 0
		for _, x := range a {
			sum += x
		}
		first := func(xs []int, otherwise string) string {
			if len(xs) == 0 {
				return otherwise
			}
			return fmt.Sprint(xs[0])
		}
		last := func(xs []int, otherwise string) string {
			xs = slices.Clone(xs)
			slices.Reverse(xs)
			return first(xs, otherwise)
		}
		single := func(xs []int, empty, many string) string {
			if len(xs) > 1 {
				return many
			}
			return first(xs, empty)
		}
		some := func(fn func([]int) int) string {
			if len(a) == 0 {
				return noElements
			}
			return fmt.Sprint(fn(a))
		}
		at := func(otherwise string) string {
			if n < 0 || n >= len(a) {
				return otherwise
			}
			return fmt.Sprint(a[n])
		}
		average := noElements
		if len(a) > 0 {
			average = roundTrip(float64(sum)/float64(len(a)), 64)
		}
		sorted := slices.Sorted(slices.Values(a))
		const noMatch, manyElements, manyMatches = "InvalidOperationException: Sequence contains no matching element", "InvalidOperationException: Sequence contains more than one element", "InvalidOperationException: Sequence contains more than one matching element"
		for expr, want := range map[string]string{
			"a.Count()": fmt.Sprint(len(a)), "a.Count(x => x % 2 == 0)": fmt.Sprint(len(even)), "a.LongCount()": fmt.Sprint(len(a)), "a.Sum()": fmt.Sprint(sum), "a.Sum(x => x * 2)": fmt.Sprint(2 * sum), "a.Average()": average,
			"a.Min()": some(slices.Min[[]int]), "a.Max()": some(slices.Max[[]int]), "a.Max(x => -x)": some(func(xs []int) int { return -slices.Min(xs) }),
			"a.First()": first(a, noElements), "a.First(x => x % 2 == 0)": first(even, noMatch), "a.FirstOrDefault()": first(a, "0"), "a.FirstOrDefault(x => x % 2 == 0)": first(even, "0"),
			"a.Last()": last(a, noElements), "a.Last(x => x % 2 == 0)": last(even, noMatch), "a.LastOrDefault(x => x % 2 == 0)": last(even, "0"),
			"a.Single()": single(a, noElements, manyElements), "a.Single(x => x % 2 == 0)": single(even, noMatch, manyMatches), "a.SingleOrDefault()": single(a, "0", manyElements), "a.SingleOrDefault(x => x % 2 == 0)": single(even, "0", manyMatches),
			"a.ElementAt(n)": at("ArgumentOutOfRangeException: Index was out of range. Must be non-negative and less than the size of the collection. (Parameter 'index')"), "a.ElementAtOrDefault(n)": at("0"),
			"a.Any()": boolText(len(a) > 0), "a.Any(x => x % 2 == 0)": boolText(len(even) > 0), "a.All(x => x % 2 == 0)": boolText(len(even) == len(a)), "a.Contains(n)": boolText(slices.Contains(a, n)), "a.SequenceEqual(b)": boolText(slices.Equal(a, b)),
			"a.Aggregate(1, (r, x) => r * 31 + x)": fmt.Sprint(int32(fold(a, 1))), "a.Aggregate((r, x) => r * 31 + x)": some(func(xs []int) int { return int(int32(fold(xs[1:], int32(xs[0])))) }), "a.Aggregate(\"\", (r, x) => r + x)": strings.ReplaceAll(joinInts(a), ",", ""),
			"string.Join(\",\", a.OrderBy(x => x))": joinInts(sorted), "string.Join(\",\", a.ToList().OrderByDescending(x => x).Reverse())": joinInts(sorted), "Array.IndexOf(a, n)": fmt.Sprint(slices.Index(a, n)), "Array.Exists(a, x => x == n)": boolText(slices.Contains(a, n)),
			"{ var c = a.ToArray(); Array.Sort(c); Array.Reverse(c); return string.Join(\",\", c.Reverse()); }": joinInts(sorted),
			"string.Join(\",\", a.ToLookup(x => x % 3).OrderBy(g => g.Key).SelectMany(g => g))":                 joinInts(slices.SortedStableFunc(slices.Values(a), func(x, y int) int { return cmp.Compare(x%3, y%3) })),
			"string.Join(\",\", new HashSet<int>(a).OrderBy(x => x))":                                           joinInts(slices.Compact(slices.Clone(sorted))), "string.Join(\",\", a.Distinct().ToDictionary(x => x, x => x * x).OrderBy(p => p.Key).Select(p => p.Value))": squares(slices.Sorted(maps.Keys(setOf(a)))),
			"string.Join(\",\", Enumerable.Range(n, a.Length).Concat(Enumerable.Repeat(n, 2)))": joinInts(append(ranged(n, len(a)), n, n)), "string.Join(\",\", a.Skip(n).Concat(a.Take(n)).OrderBy(x => x))": joinInts(sorted),
			"string.Join(\",\", from x in a where x > 0 from y in b where y == x orderby x descending, y select x * y)": query(a, b), "string.Join(\",\", from x in a group x by x % 3 into g orderby g.Key select g.Count())": groups(a),
		} {
			body := "return " + expr + "; }"
			if after, ok := strings.CutPrefix(expr, "{ "); ok {
				body = after
			}
			same(t, decls+body, values, want)
		}
	})
}

func fold(xs []int, r int32) int32 {
	for _, x := range xs {
		r = r*31 + int32(x)
	}
	return r
}

func squares(xs []int) string {
	for i, x := range xs {
		xs[i] = x * x
	}
	return joinInts(xs)
}

func ranged(from, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = from + i
	}
	return out
}

func query(a, b []int) string {
	var out []int
	for _, x := range a {
		for _, y := range b {
			if x > 0 && x == y {
				out = append(out, x*y)
			}
		}
	}
	slices.SortStableFunc(out, func(x, y int) int { return cmp.Compare(y, x) })
	return joinInts(out)
}

func groups(a []int) string {
	counts := map[int]int{}
	for _, x := range a {
		counts[x%3]++
	}
	var out []int
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, counts[k])
	}
	return joinInts(out)
}

// collectionOp is one operation on a collection with what it does to a model.
type collectionOp struct {
	src string
	run func(m *[]int, i, x int) string
}

// A List, a Stack, a Queue, a HashSet and a Dictionary follow simple models.
func TestProperty_Collections(t *testing.T) {
	t.Parallel()
	has := func(m []int, x int) int { return slices.Index(m, x) }
	lists := []collectionOp{
		{"l.Add(x)", func(m *[]int, _, x int) string { *m = append(*m, x); return "" }},
		{"l.Insert(i, x)", func(m *[]int, i, x int) string {
			if i > len(*m) {
				return "ArgumentOutOfRangeException"
			}
			*m = slices.Insert(*m, i, x)
			return ""
		}},
		{"r += l.Remove(x)", func(m *[]int, _, x int) string {
			i := has(*m, x)
			if i >= 0 {
				*m = slices.Delete(*m, i, i+1)
			}
			return boolText(i >= 0)
		}},
		{"l.RemoveAt(i)", func(m *[]int, i, _ int) string {
			if i >= len(*m) {
				return "ArgumentOutOfRangeException"
			}
			*m = slices.Delete(*m, i, i+1)
			return ""
		}},
		{"r += l[i]", func(m *[]int, i, _ int) string {
			if i >= len(*m) {
				return "ArgumentOutOfRangeException"
			}
			return fmt.Sprint((*m)[i])
		}},
		{"l[i] = x", func(m *[]int, i, x int) string {
			if i >= len(*m) {
				return "ArgumentOutOfRangeException"
			}
			(*m)[i] = x
			return ""
		}},
		{"r += l.IndexOf(x) + \",\" + l.LastIndexOf(x) + l.Contains(x)", func(m *[]int, _, x int) string {
			last := slices.Clone(*m)
			slices.Reverse(last)
			j := has(last, x)
			if j >= 0 {
				j = len(last) - 1 - j
			}
			return fmt.Sprintf("%d,%d%s", has(*m, x), j, boolText(j >= 0))
		}},
		{"l.Sort()", func(m *[]int, _, _ int) string { slices.Sort(*m); return "" }},
		{"l.Reverse()", func(m *[]int, _, _ int) string { slices.Reverse(*m); return "" }},
		{"r += l.RemoveAll(y => y == x)", func(m *[]int, _, x int) string {
			n := len(*m)
			*m = slices.DeleteFunc(*m, func(y int) bool { return y == x })
			return fmt.Sprint(n - len(*m))
		}},
		{"l.AddRange(new[] { x, i })", func(m *[]int, i, x int) string { *m = append(*m, x, i); return "" }},
		{"l.InsertRange(0, new[] { x, i })", func(m *[]int, i, x int) string { *m = slices.Insert(*m, 0, x, i); return "" }},
		{"l = l.GetRange(0, Math.Min(i, l.Count))", func(m *[]int, i, _ int) string { *m = (*m)[:min(i, len(*m))]; return "" }},
		{"l = l.FindAll(y => y >= x)", func(m *[]int, _, x int) string {
			*m = slices.DeleteFunc(*m, func(y int) bool { return y < x })
			return ""
		}},
		{"r += l.Find(y => y > x) + \",\" + l.FindIndex(y => y > x) + l.Exists(y => y > x) + l.TrueForAll(y => y > x)", func(m *[]int, _, x int) string {
			i := slices.IndexFunc(*m, func(y int) bool { return y > x })
			found := 0
			if i >= 0 {
				found = (*m)[i]
			}
			return fmt.Sprintf("%d,%d%s%s", found, i, boolText(i >= 0), boolText(!slices.ContainsFunc(*m, func(y int) bool { return y <= x })))
		}},
		{"l.Clear()", func(m *[]int, _, _ int) string { *m = nil; return "" }},
	}
	rapid.Check(t, func(t *rapid.T) {
		var m []int
		var src, want strings.Builder
		src.WriteString("{ var l = new List<int>(); var r = \"\"; ")
		for range rapid.IntRange(1, 10).Draw(t, "operations") {
			op, i, x := rapid.SampledFrom(lists).Draw(t, "operation"), rapid.IntRange(0, 4).Draw(t, "i"), rapid.IntRange(0, 3).Draw(t, "x")
			fmt.Fprintf(&src, "try { int i = %d, x = %d; %s; } catch (Exception e) { r += e.GetType() == typeof(ArgumentOutOfRangeException) ? \"ArgumentOutOfRangeException\" : e.ToString(); } r += \";\"; ", i, x, op.src)
			want.WriteString(op.run(&m, i, x) + ";")
		}
		src.WriteString("return r + string.Join(\",\", l); }")
		if got := outcome(compile(t, src.String()), in{}); got != want.String()+joinInts(m) {
			t.Fatalf("%s\n got %s\nwant %s", src.String(), got, want.String()+joinInts(m))
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawInts(t, "a", 8), drawInts(t, "b", 8)
		values, decls := in{"a": intArray(a), "b": intArray(b)}, "{ "+take("int[] a", "int[] b")
		sa, sb := setOf(a), setOf(b)
		both := func(keep func(x int) bool) string {
			all := setOf(append(slices.Clone(a), b...))
			maps.DeleteFunc(all, func(x int, _ bool) bool { return !keep(x) })
			return joinInts(slices.Sorted(maps.Keys(all)))
		}
		subset := !slices.ContainsFunc(a, func(x int) bool { return !sb[x] })
		for call, want := range map[string]string{
			"UnionWith": both(func(int) bool { return true }), "IntersectWith": both(func(x int) bool { return sa[x] && sb[x] }), "ExceptWith": both(func(x int) bool { return sa[x] && !sb[x] }), "SymmetricExceptWith": both(func(x int) bool { return sa[x] != sb[x] }),
		} {
			same(t, decls+"var s = new HashSet<int>(a); s."+call+"(b); return string.Join(\",\", s.OrderBy(x => x)); }", values, want)
		}
		same(t, decls+"var s = new HashSet<int>(a); return \"\" + s.IsSubsetOf(b) + s.SetEquals(b) + s.Overlaps(b) + s.Count; }", values, boolText(subset)+boolText(maps.Equal(sa, sb))+boolText(both(func(x int) bool { return sa[x] && sb[x] }) != "")+fmt.Sprint(len(sa)))
		reversed := slices.Clone(a)
		slices.Reverse(reversed)
		same(t, decls+"var s = new Stack<int>(a); var r = new List<int>(); while (s.Count > 0) r.Add(s.Pop()); return string.Join(\",\", r); }", values, joinInts(reversed))
		same(t, decls+"var s = new Queue<int>(); foreach (var x in a) s.Enqueue(x); var r = string.Join(\",\", s) + \";\"; while (s.Count > 0) r += s.Dequeue() + \",\"; return r; }", values, joinInts(a)+";"+strings.TrimSuffix(joinInts(a)+",", ",")+map[bool]string{true: ",", false: ""}[len(a) > 0])
		same(t, decls+"var d = new Dictionary<int, int>(); foreach (var x in a) { int n; d[x] = d.TryGetValue(x, out n) ? n + 1 : 1; } return d.Values.Sum() + \",\" + d.Count + string.Concat(d.Keys.Select(k => \";\" + k)); }", values, counted(a))
	})
}

// counted shows that a dictionary that nothing was removed from keeps its order.
func counted(a []int) string {
	var keys []string
	seen := map[int]bool{}
	for _, x := range a {
		if !seen[x] {
			seen[x] = true
			keys = append(keys, fmt.Sprint(";", x))
		}
	}
	return fmt.Sprintf("%d,%d%s", len(a), len(keys), strings.Join(keys, ""))
}
