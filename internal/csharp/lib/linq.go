package lib

import (
	"slices"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// lazySeq is a sequence that is computed each time it is enumerated.
type lazySeq struct {
	t   *clr.Type
	run func(f F, yield func(V) bool)
}

// RuntimeType is the IEnumerable that the sequence stands for.
func (q *lazySeq) RuntimeType() *clr.Type { return q.t }

// Each runs the query.
func (q *lazySeq) Each(f F, yield func(V) bool) { q.run(f, yield) }

func query(s S, run func(f F, yield func(V) bool)) V {
	return clr.Object(&lazySeq{s.Ret, run})
}

// ordered is the result of OrderBy; ThenBy adds to its keys.
type ordered struct {
	t    *clr.Type
	src  V
	keys []orderKey
}

type orderKey struct {
	fn, cmp V
	desc    bool
}

// RuntimeType is IOrderedEnumerable<T>.
func (o *ordered) RuntimeType() *clr.Type { return o.t }

// Each sorts and yields.
func (o *ordered) Each(f F, yield func(V) bool) {
	items := gather(f, o.src, "source")
	type row struct {
		v    V
		keys []V
	}
	rows := make([]row, len(items))
	for i, v := range items {
		rows[i] = row{v, make([]V, len(o.keys))}
		for j, k := range o.keys {
			rows[i].keys[j] = f.Invoke(k.fn, v)
		}
	}
	f.Step(len(rows) * 8)
	order := func(a, b row) int {
		for j, k := range o.keys {
			c := comparison(f, k.cmp)(a.keys[j], b.keys[j])
			if k.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	}
	comparing(func() { slices.SortStableFunc(rows, order) })
	for _, r := range rows {
		f.Step(1)
		if !yield(r.v) {
			return
		}
	}
}

// grouping is a group of GroupBy and ToLookup.
type grouping struct {
	List
	t   *clr.Type
	key V
}

// RuntimeType is IGrouping<K,T>.
func (g *grouping) RuntimeType() *clr.Type { return g.t }

// groupItems puts items into groups in the order of their first member.
func groupItems(f F, kt, et *clr.Type, src V, keyFn, elemFn, cmp V) []*grouping {
	d := Dict{}
	if c, ok := cmp.Ref().(*comparer); ok {
		d.mode = c.mode
	}
	t := clr.Of(Universe().Lookup("System.Linq.IGrouping", 2), kt, et)
	var out []*grouping
	notNull(src, "source")
	notNull(keyFn, "keySelector")
	Each(f, src, func(v V) bool {
		k := f.Invoke(keyFn, v)
		i := d.find(f, k)
		if i < 0 {
			i = len(out)
			d.put(f, k, clr.Null)
			out = append(out, &grouping{t: t, key: k})
		}
		if !elemFn.IsNull() {
			v = f.Invoke(elemFn, v)
		}
		f.Alloc(24)
		out[i].V = append(out[i].V, v)
		return true
	})
	return out
}

func noElements() { clr.Throw(clr.ExInvalidOp, "Sequence contains no elements") }

func linqDecls() []clr.Decl {
	return []clr.Decl{
		D("interface System.Linq.IGrouping<TKey,TElement> : IEnumerable<TElement>", R("TKey Key", func(_ F, a []V) V { return a[0].Ref().(*grouping).key })),
		D("interface System.Linq.IOrderedEnumerable<T> : IEnumerable<T>"),
		D("interface System.Linq.ILookup<TKey,TElement> : IEnumerable<IGrouping<TKey,TElement>>",
			R("int Count", countRow),
			R("bool Contains(TKey key)", func(f F, a []V) V { return clr.Bool(a[0].Ref().(*lookupTable).find(f, a[1]) != nil) }),
			R("IEnumerable<TElement> this[TKey key]", func(f F, s S, a []V) V {
				if g := a[0].Ref().(*lookupTable).find(f, a[1]); g != nil {
					return clr.Object(g)
				}
				return newList(s.Ret.Args[0], nil)
			})),
		{Sig: "static class System.Linq.Enumerable", Rows: slices.Concat(linqFilters(), linqScalars(), linqNumbers(), linqSets(), linqGroups())},
	}
}

type lookupTable struct {
	List
	t *clr.Type
}

// RuntimeType is ILookup<K,T>.
func (l *lookupTable) RuntimeType() *clr.Type { return l.t }

// Count is the number of keys.
func (l *lookupTable) Count(F) int { return len(l.V) }

func (l *lookupTable) find(f F, k V) *grouping {
	for _, v := range l.V {
		if g := v.Ref().(*grouping); Equal(f, g.key, k) {
			return g
		}
	}
	return nil
}

func linqFilters() []clr.Row {
	src := func(a []V) V { return notNull(a[0], "source") }
	return []clr.Row{
		R("static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T,bool> predicate)", func(_ F, s S, a []V) V {
			from, fn := src(a), notNull(a[1], "predicate")
			return query(s, func(f F, yield func(V) bool) {
				Each(f, from, func(v V) bool { return !f.Invoke(fn, v).Bool() || yield(v) })
			})
		}),
		R("static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T,int,bool> predicate)", func(_ F, s S, a []V) V {
			from, fn := src(a), notNull(a[1], "predicate")
			return query(s, func(f F, yield func(V) bool) {
				i := -1
				Each(f, from, func(v V) bool { i++; return !f.Invoke(fn, v, clr.Int(i)).Bool() || yield(v) })
			})
		}),
		R("static IEnumerable<R> Select<T,R>(this IEnumerable<T> source, Func<T,R> selector)", func(_ F, s S, a []V) V {
			from, fn := src(a), notNull(a[1], "selector")
			return query(s, func(f F, yield func(V) bool) {
				Each(f, from, func(v V) bool { return yield(f.Invoke(fn, v)) })
			})
		}),
		R("static IEnumerable<R> Select<T,R>(this IEnumerable<T> source, Func<T,int,R> selector)", func(_ F, s S, a []V) V {
			from, fn := src(a), notNull(a[1], "selector")
			return query(s, func(f F, yield func(V) bool) {
				i := -1
				Each(f, from, func(v V) bool { i++; return yield(f.Invoke(fn, v, clr.Int(i))) })
			})
		}),
		R("static IEnumerable<R> SelectMany<T,R>(this IEnumerable<T> source, Func<T,IEnumerable<R>> selector)", func(_ F, s S, a []V) V {
			from, fn := src(a), notNull(a[1], "selector")
			return query(s, func(f F, yield func(V) bool) {
				Each(f, from, func(v V) bool {
					more := true
					Each(f, f.Invoke(fn, v), func(x V) bool { more = yield(x); return more })
					return more
				})
			})
		}),
		R("static IEnumerable<R> SelectMany<T,C,R>(this IEnumerable<T> source, Func<T,IEnumerable<C>> collectionSelector, Func<T,C,R> resultSelector)", func(_ F, s S, a []V) V {
			from, fn, res := src(a), notNull(a[1], "collectionSelector"), notNull(a[2], "resultSelector")
			return query(s, func(f F, yield func(V) bool) {
				Each(f, from, func(v V) bool {
					more := true
					Each(f, f.Invoke(fn, v), func(x V) bool { more = yield(f.Invoke(res, v, x)); return more })
					return more
				})
			})
		}),
		R("static IEnumerable<T> Take<T>(this IEnumerable<T> source, int count)", func(_ F, s S, a []V) V {
			from, n := src(a), int(a[1].Int())
			return query(s, func(f F, yield func(V) bool) {
				left := n
				if left <= 0 {
					return
				}
				Each(f, from, func(v V) bool { left--; return yield(v) && left > 0 })
			})
		}),
		R("static IEnumerable<T> Skip<T>(this IEnumerable<T> source, int count)", func(_ F, s S, a []V) V {
			from, n := src(a), int(a[1].Int())
			return query(s, func(f F, yield func(V) bool) {
				left := n
				Each(f, from, func(v V) bool {
					if left > 0 {
						left--
						return true
					}
					return yield(v)
				})
			})
		}),
		R("static IEnumerable<T> TakeWhile<T>(this IEnumerable<T> source, Func<T,bool> predicate)", func(_ F, s S, a []V) V {
			from, fn := src(a), notNull(a[1], "predicate")
			return query(s, func(f F, yield func(V) bool) {
				Each(f, from, func(v V) bool { return f.Invoke(fn, v).Bool() && yield(v) })
			})
		}),
		R("static IEnumerable<T> SkipWhile<T>(this IEnumerable<T> source, Func<T,bool> predicate)", func(_ F, s S, a []V) V {
			from, fn := src(a), notNull(a[1], "predicate")
			return query(s, func(f F, yield func(V) bool) {
				skip := true
				Each(f, from, func(v V) bool {
					skip = skip && f.Invoke(fn, v).Bool()
					return skip || yield(v)
				})
			})
		}),
		R("static IEnumerable<T> TakeWhile<T>(this IEnumerable<T> source, Func<T,int,bool> predicate)", func(_ F, s S, a []V) V {
			from, fn := src(a), notNull(a[1], "predicate")
			return query(s, func(f F, yield func(V) bool) {
				i := -1
				Each(f, from, func(v V) bool { i++; return f.Invoke(fn, v, clr.Int(i)).Bool() && yield(v) })
			})
		}),
		R("static IEnumerable<T> SkipWhile<T>(this IEnumerable<T> source, Func<T,int,bool> predicate)", func(_ F, s S, a []V) V {
			from, fn := src(a), notNull(a[1], "predicate")
			return query(s, func(f F, yield func(V) bool) {
				i, skip := -1, true
				Each(f, from, func(v V) bool {
					i++
					skip = skip && f.Invoke(fn, v, clr.Int(i)).Bool()
					return skip || yield(v)
				})
			})
		}),
		R("static IEnumerable<R> SelectMany<T,R>(this IEnumerable<T> source, Func<T,int,IEnumerable<R>> selector)", func(_ F, s S, a []V) V {
			from, fn := src(a), notNull(a[1], "selector")
			return query(s, func(f F, yield func(V) bool) {
				i := -1
				Each(f, from, func(v V) bool {
					i++
					more := true
					Each(f, f.Invoke(fn, v, clr.Int(i)), func(x V) bool { more = yield(x); return more })
					return more
				})
			})
		}),
		R("static IEnumerable<T> TakeLast<T>(this IEnumerable<T> source, int count)", func(_ F, s S, a []V) V {
			from, n := src(a), int(a[1].Int())
			return query(s, func(f F, yield func(V) bool) { yieldAll(tail(gather(f, from, "source"), n), yield) })
		}),
		R("static IEnumerable<T> SkipLast<T>(this IEnumerable<T> source, int count)", func(_ F, s S, a []V) V {
			from, n := src(a), int(a[1].Int())
			return query(s, func(f F, yield func(V) bool) {
				items := gather(f, from, "source")
				yieldAll(items[:len(items)-len(tail(items, n))], yield)
			})
		}),
		R("static IEnumerable<T> Concat<T>(this IEnumerable<T> first, IEnumerable<T> second)", func(_ F, s S, a []V) V {
			x, y := notNull(a[0], "first"), notNull(a[1], "second")
			return query(s, func(f F, yield func(V) bool) {
				more := true
				Each(f, x, func(v V) bool { more = yield(v); return more })
				if more {
					Each(f, y, yield)
				}
			})
		}),
		R("static IEnumerable<T> Append<T>(this IEnumerable<T> source, T element)", func(_ F, s S, a []V) V {
			from, x := src(a), a[1]
			return query(s, func(f F, yield func(V) bool) {
				more := true
				Each(f, from, func(v V) bool { more = yield(v); return more })
				if more {
					yield(x)
				}
			})
		}),
		R("static IEnumerable<T> Prepend<T>(this IEnumerable<T> source, T element)", func(_ F, s S, a []V) V {
			from, x := src(a), a[1]
			return query(s, func(f F, yield func(V) bool) {
				if yield(x) {
					Each(f, from, yield)
				}
			})
		}),
		R("static IEnumerable<T> Reverse<T>(this IEnumerable<T> source)", func(_ F, s S, a []V) V {
			from := src(a)
			return query(s, func(f F, yield func(V) bool) {
				items := gather(f, from, "source")
				slices.Reverse(items)
				yieldAll(items, yield)
			})
		}),
		R("static IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source)", func(_ F, s S, a []V) V { return orDefault(s, src(a), clr.Zero(s.Args[0])) }),
		R("static IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source, T defaultValue)", func(_ F, s S, a []V) V { return orDefault(s, src(a), a[1]) }),
		R("static IEnumerable<R> Cast<R>(this System.Collections.IEnumerable source)", func(_ F, s S, a []V) V {
			from, to := src(a), s.Args[0]
			return query(s, func(f F, yield func(V) bool) {
				Each(f, from, func(v V) bool {
					if v.IsNull() && to.IsValueType() && !to.IsNullable() {
						clr.ThrowNull()
					}
					if !v.IsNull() && !f.Is(v, to) {
						clr.ThrowCast(f.TypeOf(v), to)
					}
					return yield(v)
				})
			})
		}),
		R("static IEnumerable<R> OfType<R>(this System.Collections.IEnumerable source)", func(_ F, s S, a []V) V {
			from, to := src(a), s.Args[0]
			return query(s, func(f F, yield func(V) bool) {
				Each(f, from, func(v V) bool { return !f.Is(v, to) || yield(v) })
			})
		}),
		R("static IEnumerable<T> AsEnumerable<T>(this IEnumerable<T> source)", func(_ F, a []V) V { return a[0] }),
		R("static IEnumerable<R> Zip<T,U,R>(this IEnumerable<T> first, IEnumerable<U> second, Func<T,U,R> resultSelector)", func(_ F, s S, a []V) V {
			x, y, fn := notNull(a[0], "first"), notNull(a[1], "second"), a[2]
			return query(s, func(f F, yield func(V) bool) {
				other := gather(f, y, "second")
				i := 0
				Each(f, x, func(v V) bool {
					if i >= len(other) {
						return false
					}
					i++
					return yield(f.Invoke(fn, v, other[i-1]))
				})
			})
		}),
		R("static IEnumerable<int> Range(int start, int count)", func(_ F, s S, a []V) V {
			from, n := a[0].Int(), a[1].Int()
			if n < 0 || from+n-1 > 1<<31-1 {
				clr.ThrowRange("count", "")
			}
			return query(s, func(f F, yield func(V) bool) {
				for i := range n {
					f.Step(1)
					if !yield(clr.Int(int(from + i))) {
						return
					}
				}
			})
		}),
		R("static IEnumerable<T> Repeat<T>(T element, int count)", func(_ F, s S, a []V) V {
			x, n := a[0], a[1].Int()
			if n < 0 {
				clr.ThrowRange("count", "")
			}
			return query(s, func(f F, yield func(V) bool) {
				for range n {
					f.Step(1)
					if !yield(x) {
						return
					}
				}
			})
		}),
		R("static IEnumerable<T> Empty<T>()", func(_ F, s S, _ []V) V { return query(s, func(F, func(V) bool) {}) }),
	}
}

func orDefault(s S, from, def V) V {
	return query(s, func(f F, yield func(V) bool) {
		any := false
		Each(f, from, func(v V) bool { any = true; return yield(v) })
		if !any {
			yield(def)
		}
	})
}

func yieldAll(items []V, yield func(V) bool) {
	for _, v := range items {
		if !yield(v) {
			return
		}
	}
}

func tail(items []V, n int) []V { return items[len(items)-max(0, min(n, len(items))):] }

// pick finds the element that First, Last and Single ask for.
func pick(f F, a []V, which string) (V, bool) {
	var out V
	n := 0
	notNull(a[0], "source")
	if len(a) > 1 {
		notNull(a[1], "predicate")
	}
	Each(f, a[0], func(v V) bool {
		if len(a) > 1 && !f.Invoke(a[1], v).Bool() {
			return true
		}
		n++
		out = v
		return which == "last" || which == "single" && n < 2
	})
	if which == "single" && n > 1 {
		if len(a) > 1 {
			clr.Throw(clr.ExInvalidOp, "Sequence contains more than one matching element")
		}
		clr.Throw(clr.ExInvalidOp, "Sequence contains more than one element")
	}
	return out, n > 0
}

func pickRows(name, which string) []clr.Row {
	must := func(f F, a []V) V {
		v, ok := pick(f, a, which)
		if !ok {
			if len(a) > 1 {
				clr.Throw(clr.ExInvalidOp, "Sequence contains no matching element")
			}
			noElements()
		}
		return v
	}
	may := func(f F, s S, a []V) V {
		v, ok := pick(f, a, which)
		if !ok {
			return clr.Zero(s.Ret)
		}
		return v
	}
	return []clr.Row{
		R("static T "+name+"<T>(this IEnumerable<T> source)", must),
		R("static T "+name+"<T>(this IEnumerable<T> source, Func<T,bool> predicate)", must),
		R("static T "+name+"OrDefault<T>(this IEnumerable<T> source)", may),
		R("static T "+name+"OrDefault<T>(this IEnumerable<T> source, Func<T,bool> predicate)", may),
	}
}

func linqScalars() []clr.Row {
	at := func(f F, a []V) (V, bool) {
		want := a[1].Int()
		var out V
		found := false
		i := int64(0)
		Each(f, notNull(a[0], "source"), func(v V) bool {
			if i == want {
				out, found = v, true
			}
			i++
			return !found
		})
		return out, found
	}
	count := func(f F, a []V) V {
		if len(a) == 1 {
			switch a[0].Ref().(type) {
			case *List, *clr.Arr, Counter:
				return countRow(f, a)
			}
		}
		n := 0
		notNull(a[0], "source")
		if len(a) > 1 {
			notNull(a[1], "predicate")
		}
		Each(f, a[0], func(v V) bool {
			if len(a) == 1 || f.Invoke(a[1], v).Bool() {
				n++
			}
			return true
		})
		return clr.Int(n)
	}
	rows := slices.Concat(pickRows("First", "first"), pickRows("Last", "last"), pickRows("Single", "single"))
	return append(rows,
		R("static bool Any<T>(this IEnumerable<T> source)", func(f F, a []V) V { _, ok := pick(f, a, "first"); return clr.Bool(ok) }),
		R("static bool Any<T>(this IEnumerable<T> source, Func<T,bool> predicate)", func(f F, a []V) V { _, ok := pick(f, a, "first"); return clr.Bool(ok) }),
		R("static bool All<T>(this IEnumerable<T> source, Func<T,bool> predicate)", func(f F, a []V) V {
			ok := true
			notNull(a[0], "source")
			fn := notNull(a[1], "predicate")
			Each(f, a[0], func(v V) bool { ok = f.Invoke(fn, v).Bool(); return ok })
			return clr.Bool(ok)
		}),
		R("static int Count<T>(this IEnumerable<T> source)", count),
		R("static int Count<T>(this IEnumerable<T> source, Func<T,bool> predicate)", count),
		R("static long LongCount<T>(this IEnumerable<T> source)", func(f F, a []V) V { return clr.Long(count(f, a).Int()) }),
		R("static long LongCount<T>(this IEnumerable<T> source, Func<T,bool> predicate)", func(f F, a []V) V { return clr.Long(count(f, a).Int()) }),
		R("static bool SequenceEqual<T>(this IEnumerable<T> first, IEnumerable<T> second, IEqualityComparer<T> comparer)", func(f F, a []V) V {
			return clr.Bool(slices.EqualFunc(gather(f, a[0], "first"), gather(f, a[1], "second"), equality(f, a[2])))
		}),
		R("static bool Contains<T>(this IEnumerable<T> source, T value)", func(f F, a []V) V {
			found := false
			x := a[1]
			Each(f, notNull(a[0], "source"), func(v V) bool { found = Equal(f, v, x); return !found })
			return clr.Bool(found)
		}),
		R("static bool Contains<T>(this IEnumerable<T> source, T value, IEqualityComparer<T> comparer)", func(f F, a []V) V {
			found := false
			x, eq := a[1], equality(f, a[2])
			Each(f, notNull(a[0], "source"), func(v V) bool { found = eq(v, x); return !found })
			return clr.Bool(found)
		}),
		R("static bool SequenceEqual<T>(this IEnumerable<T> first, IEnumerable<T> second)", func(f F, a []V) V {
			x, y := gather(f, a[0], "first"), gather(f, a[1], "second")
			return clr.Bool(slices.EqualFunc(x, y, func(p, q V) bool { return Equal(f, p, q) }))
		}),
		R("static T ElementAt<T>(this IEnumerable<T> source, int index)", func(f F, a []V) V {
			v, ok := at(f, a)
			if !ok {
				clr.ThrowRange("index", itemMessage)
			}
			return v
		}),
		R("static T ElementAtOrDefault<T>(this IEnumerable<T> source, int index)", func(f F, s S, a []V) V {
			if v, ok := at(f, a); ok {
				return v
			}
			return clr.Zero(s.Ret)
		}),
		R("static T[] ToArray<T>(this IEnumerable<T> source)", func(f F, s S, a []V) V { return clr.Object(clr.ArrOf(s.Args[0], gather(f, a[0], "source"))) }),
		R("static List<T> ToList<T>(this IEnumerable<T> source)", func(f F, s S, a []V) V { return newList(s.Args[0], gather(f, a[0], "source")) }),
		R("static T Aggregate<T>(this IEnumerable<T> source, Func<T,T,T> func)", func(f F, a []V) V {
			var acc V
			any := false
			notNull(a[0], "source")
			fn := notNull(a[1], "func")
			Each(f, a[0], func(v V) bool {
				if any {
					acc = f.Invoke(fn, acc, v)
				} else {
					acc, any = v, true
				}
				return true
			})
			if !any {
				noElements()
			}
			return acc
		}),
		R("static A Aggregate<T,A>(this IEnumerable<T> source, A seed, Func<A,T,A> func)", func(f F, a []V) V {
			acc, fn := a[1], notNull(a[2], "func")
			Each(f, notNull(a[0], "source"), func(v V) bool { acc = f.Invoke(fn, acc, v); return true })
			return acc
		}),
		R("static R Aggregate<T,A,R>(this IEnumerable<T> source, A seed, Func<A,T,A> func, Func<A,R> resultSelector)", func(f F, a []V) V {
			acc, fn := a[1], notNull(a[2], "func")
			Each(f, notNull(a[0], "source"), func(v V) bool { acc = f.Invoke(fn, acc, v); return true })
			return f.Invoke(a[3], acc)
		}),
	)
}

// equality is the test of an equality comparer.
func equality(f F, by V) func(a, b V) bool {
	if c, ok := by.Ref().(*comparer); ok {
		return func(a, b V) bool { return equalStrings(a, b, c.mode) }
	}
	return func(a, b V) bool { return Equal(f, a, b) }
}

// linqNumbers are Sum, Min, Max and Average for every number, nullable or not,
// with and without selector.
func linqNumbers() []clr.Row {
	var rows []clr.Row
	over := func(name, res, t string, fn clr.GenericFunc) {
		rows = append(rows, R("static "+res+" "+name+"(this IEnumerable<"+t+"> source)", fn),
			R("static "+res+" "+name+"<T>(this IEnumerable<T> source, Func<T,"+t+"> selector)", fn))
	}
	for _, n := range []struct {
		t, avg      string
		sumBy, avBy *clr.Type // what the numbers are added as
	}{
		{"int", "double", clr.Int32, clr.Int64},
		{"long", "double", clr.Int64, clr.Int64},
		{"double", "double", clr.Double, clr.Double},
		{"float", "float", clr.Double, clr.Double},
		{"decimal", "decimal", clr.DecimalT, clr.DecimalT},
	} {
		for _, null := range []string{"", "?"} {
			t := n.t + null
			over("Sum", t, t, sum(n.sumBy))
			over("Min", t, t, extreme(-1))
			over("Max", t, t, extreme(1))
			over("Average", n.avg+null, t, average(n.avBy))
		}
	}
	return append(rows,
		R("static T Min<T>(this IEnumerable<T> source)", extreme(-1)), R("static R Min<T,R>(this IEnumerable<T> source, Func<T,R> selector)", extreme(-1)),
		R("static T Max<T>(this IEnumerable<T> source)", extreme(1)), R("static R Max<T,R>(this IEnumerable<T> source, Func<T,R> selector)", extreme(1)))
}

func eachNumber(f F, a []V, yield func(V)) {
	var fn V
	if len(a) > 1 {
		fn = a[1]
	}
	notNull(a[0], "source")
	if len(a) > 1 {
		notNull(fn, "selector")
	}
	Each(f, a[0], func(v V) bool {
		if !fn.IsNull() {
			v = f.Invoke(fn, v)
		}
		if !v.IsNull() {
			yield(v)
		}
		return true
	})
}

// sum adds numbers as numbers of type by.
func sum(by *clr.Type) clr.GenericFunc {
	return func(f F, s S, a []V) V {
		acc, _ := total(f, a, by)
		return clr.ConvertNumber(acc, by, s.Ret.Underlying(), false)
	}
}

// average adds numbers as numbers of type by and divides.
func average(by *clr.Type) clr.GenericFunc {
	over := clr.Double
	if by == clr.DecimalT {
		over = by
	}
	return func(f F, s S, a []V) V {
		acc, n := total(f, a, by)
		switch {
		case n > 0:
			q := clr.Arith("/", over, clr.ConvertNumber(acc, by, over, false), clr.ConvertNumber(clr.Long(n), clr.Int64, over, false), false)
			return clr.ConvertNumber(q, over, s.Ret.Underlying(), false)
		case !s.Ret.IsNullable():
			noElements()
		}
		return clr.Null
	}
}

// total adds numbers, and counts them.
func total(f F, a []V, by *clr.Type) (acc V, n int64) {
	if by.IsInteger() {
		return integers(f, a, by)
	}
	acc = clr.Zero(by)
	eachNumber(f, a, func(v V) {
		acc = clr.Arith("+", by, acc, clr.ConvertNumber(v, f.TypeOf(v), by, false), true)
		n++
	})
	return acc, n
}

// integers is total of int and long.
func integers(f F, a []V, by *clr.Type) (V, int64) {
	sum, n, narrow := int64(0), int64(0), by == clr.Int32
	eachNumber(f, a, func(v V) {
		x := v.Int()
		next := sum + x
		if (next > sum) != (x > 0) && x != 0 || narrow && next != int64(int32(next)) {
			clr.Throw(clr.ExOverflow, "Arithmetic operation resulted in an overflow.")
		}
		sum = next
		n++
	})
	return clr.Scalar(by, sum), n
}

func extreme(sign int) clr.GenericFunc {
	return func(f F, s S, a []V) V {
		best := clr.Null
		eachNumber(f, a, func(v V) {
			if best.IsNull() || Compare(f, v, best)*sign > 0 {
				best = v
			}
		})
		if best.IsNull() && s.Ret.IsValueType() && !s.Ret.IsNullable() {
			noElements()
		}
		return best
	}
}

func linqSets() []clr.Row {
	// keep yields the items of first that test accepts, each once.
	keep := func(s S, a []V, second, cmp V, in, both bool) V {
		first := notNull(a[0], "first")
		return query(s, func(f F, yield func(V) bool) {
			seen, other := Dict{}, Dict{}
			if c, ok := cmp.Ref().(*comparer); ok {
				seen.mode, other.mode = c.mode, c.mode
			}
			if !second.IsNull() && !both {
				Each(f, second, func(v V) bool { other.add(f, v); return true })
			}
			more := true
			each := func(v V) bool {
				if !second.IsNull() && !both && (other.find(f, v) >= 0) != in {
					return true
				}
				if seen.add(f, v) {
					more = yield(v)
				}
				return more
			}
			Each(f, first, each)
			if both && more {
				Each(f, second, each)
			}
		})
	}
	var rows []clr.Row
	for _, cmp := range []bool{false, true} {
		tail := ")"
		if cmp {
			tail = ", IEqualityComparer<T> comparer)"
		}
		last := func(a []V) V {
			if cmp {
				return a[len(a)-1]
			}
			return clr.Null
		}
		rows = append(rows,
			R("static IEnumerable<T> Distinct<T>(this IEnumerable<T> source"+tail, func(f F, s S, a []V) V { return keep(s, a, clr.Null, last(a), false, false) }),
			R("static IEnumerable<T> Union<T>(this IEnumerable<T> first, IEnumerable<T> second"+tail, func(f F, s S, a []V) V {
				return keep(s, a, notNull(a[1], "second"), last(a), false, true)
			}),
			R("static IEnumerable<T> Intersect<T>(this IEnumerable<T> first, IEnumerable<T> second"+tail, func(f F, s S, a []V) V {
				return keep(s, a, notNull(a[1], "second"), last(a), true, false)
			}),
			R("static IEnumerable<T> Except<T>(this IEnumerable<T> first, IEnumerable<T> second"+tail, func(f F, s S, a []V) V {
				return keep(s, a, notNull(a[1], "second"), last(a), false, false)
			}),
			R("static HashSet<T> ToHashSet<T>(this IEnumerable<T> source"+tail, func(f F, s S, a []V) V {
				out := &Set{T: s.Ret}
				if c, ok := last(a).Ref().(*comparer); ok {
					out.d.mode = c.mode
				}
				Each(f, notNull(a[0], "source"), func(v V) bool { out.d.add(f, v); return true })
				return clr.Object(out)
			}),
		)
	}
	return rows
}

func linqGroups() []clr.Row {
	order := func(desc, then bool) clr.GenericFunc {
		return func(_ F, s S, a []V) V {
			k := orderKey{fn: notNull(a[1], "keySelector"), desc: desc}
			if len(a) > 2 {
				k.cmp = a[2]
			}
			o := &ordered{t: s.Ret, src: notNull(a[0], "source")}
			if prev, ok := a[0].Ref().(*ordered); ok && then {
				o.src, o.keys = prev.src, slices.Clone(prev.keys)
			}
			o.keys = append(o.keys, k)
			return clr.Object(o)
		}
	}
	groups := func(s S, a []V, elem, res, cmp V, et *clr.Type) V {
		src, fn, kt := notNull(a[0], "source"), notNull(a[1], "keySelector"), s.Args[1]
		return query(s, func(f F, yield func(V) bool) {
			for _, g := range groupItems(f, kt, et, src, fn, elem, cmp) {
				v := clr.Object(g)
				if !res.IsNull() {
					v = f.Invoke(res, g.key, v)
				}
				if !yield(v) {
					return
				}
			}
		})
	}
	dict := func(f F, s S, src, kf, vf, cmp V) V {
		d := &Dict{T: s.Ret}
		if c, ok := cmp.Ref().(*comparer); ok {
			d.mode = c.mode
		}
		notNull(src, "source")
		notNull(kf, "keySelector")
		Each(f, src, func(v V) bool {
			k := f.Invoke(kf, v)
			if !vf.IsNull() {
				v = f.Invoke(vf, v)
			}
			dictAdd(f, []V{clr.Object(d), k, v})
			return true
		})
		return clr.Object(d)
	}
	table := func(f F, s S, a []V, elem V) V {
		l := &lookupTable{t: s.Ret}
		for _, g := range groupItems(f, s.Ret.Args[0], s.Ret.Args[1], a[0], a[1], elem, clr.Null) {
			l.V = append(l.V, clr.Object(g))
		}
		return clr.Object(l)
	}
	join := func(_ F, s S, a []V, group bool) V {
		outer, inner, ok, ik, res := a[0], a[1], a[2], a[3], a[4]
		it := s.Args[1]
		kt := s.Args[2]
		return query(s, func(f F, yield func(V) bool) {
			gs := groupItems(f, kt, it, inner, ik, clr.Null, clr.Null)
			d := Dict{}
			for i, g := range gs {
				d.put(f, g.key, clr.Int(i))
			}
			Each(f, outer, func(v V) bool {
				var match []V
				if i := d.find(f, f.Invoke(ok, v)); i >= 0 {
					match = gs[i].V
				}
				if group {
					return yield(f.Invoke(res, v, newList(it, match)))
				}
				for _, m := range match {
					if !yield(f.Invoke(res, v, m)) {
						return false
					}
				}
				return true
			})
		})
	}
	var rows []clr.Row
	for _, name := range []string{"OrderBy", "ThenBy"} {
		src := "IEnumerable<T> source"
		if name == "ThenBy" {
			src = "IOrderedEnumerable<T> source"
		}
		for _, desc := range []string{"", "Descending"} {
			head := "static IOrderedEnumerable<T> " + name + desc + "<T,K>(this " + src + ", Func<T,K> keySelector"
			rows = append(rows, R(head+")", order(desc != "", name == "ThenBy")), R(head+", IComparer<K> comparer)", order(desc != "", name == "ThenBy")))
		}
	}
	return append(rows,
		R("static IEnumerable<IGrouping<K,T>> GroupBy<T,K>(this IEnumerable<T> source, Func<T,K> keySelector)", func(_ F, s S, a []V) V { return groups(s, a, clr.Null, clr.Null, clr.Null, s.Args[0]) }),
		R("static IEnumerable<IGrouping<K,T>> GroupBy<T,K>(this IEnumerable<T> source, Func<T,K> keySelector, IEqualityComparer<K> comparer)", func(_ F, s S, a []V) V {
			return groups(s, a, clr.Null, clr.Null, a[2], s.Args[0])
		}),
		R("static IEnumerable<IGrouping<K,E>> GroupBy<T,K,E>(this IEnumerable<T> source, Func<T,K> keySelector, Func<T,E> elementSelector)", func(_ F, s S, a []V) V {
			return groups(s, a, a[2], clr.Null, clr.Null, s.Args[2])
		}),
		R("static IEnumerable<R> GroupBy<T,K,R>(this IEnumerable<T> source, Func<T,K> keySelector, Func<K,IEnumerable<T>,R> resultSelector)", func(_ F, s S, a []V) V {
			return groups(s, a, clr.Null, a[2], clr.Null, s.Args[0])
		}),
		R("static IEnumerable<R> GroupBy<T,K,E,R>(this IEnumerable<T> source, Func<T,K> keySelector, Func<T,E> elementSelector, Func<K,IEnumerable<E>,R> resultSelector)", func(_ F, s S, a []V) V {
			return groups(s, a, a[2], a[3], clr.Null, s.Args[2])
		}),
		R("static IEnumerable<IGrouping<K,E>> GroupBy<T,K,E>(this IEnumerable<T> source, Func<T,K> keySelector, Func<T,E> elementSelector, IEqualityComparer<K> comparer)", func(_ F, s S, a []V) V {
			return groups(s, a, a[2], clr.Null, a[3], s.Args[2])
		}),
		R("static IEnumerable<R> GroupBy<T,K,R>(this IEnumerable<T> source, Func<T,K> keySelector, Func<K,IEnumerable<T>,R> resultSelector, IEqualityComparer<K> comparer)", func(_ F, s S, a []V) V {
			return groups(s, a, clr.Null, a[2], a[3], s.Args[0])
		}),
		R("static Dictionary<K,T> ToDictionary<T,K>(this IEnumerable<T> source, Func<T,K> keySelector)", func(f F, s S, a []V) V { return dict(f, s, a[0], a[1], clr.Null, clr.Null) }),
		R("static Dictionary<K,T> ToDictionary<T,K>(this IEnumerable<T> source, Func<T,K> keySelector, IEqualityComparer<K> comparer)", func(f F, s S, a []V) V {
			return dict(f, s, a[0], a[1], clr.Null, a[2])
		}),
		R("static Dictionary<K,E> ToDictionary<T,K,E>(this IEnumerable<T> source, Func<T,K> keySelector, Func<T,E> elementSelector)", func(f F, s S, a []V) V {
			return dict(f, s, a[0], a[1], a[2], clr.Null)
		}),
		R("static Dictionary<K,E> ToDictionary<T,K,E>(this IEnumerable<T> source, Func<T,K> keySelector, Func<T,E> elementSelector, IEqualityComparer<K> comparer)", func(f F, s S, a []V) V {
			return dict(f, s, a[0], a[1], a[2], a[3])
		}),
		R("static ILookup<K,T> ToLookup<T,K>(this IEnumerable<T> source, Func<T,K> keySelector)", func(f F, s S, a []V) V { return table(f, s, a, clr.Null) }),
		R("static ILookup<K,E> ToLookup<T,K,E>(this IEnumerable<T> source, Func<T,K> keySelector, Func<T,E> elementSelector)", func(f F, s S, a []V) V { return table(f, s, a, a[2]) }),
		R("static IEnumerable<R> Join<T,U,K,R>(this IEnumerable<T> outer, IEnumerable<U> inner, Func<T,K> outerKeySelector, Func<U,K> innerKeySelector, Func<T,U,R> resultSelector)", func(f F, s S, a []V) V {
			return join(f, s, slices.Clone(a), false)
		}),
		R("static IEnumerable<R> GroupJoin<T,U,K,R>(this IEnumerable<T> outer, IEnumerable<U> inner, Func<T,K> outerKeySelector, Func<U,K> innerKeySelector, Func<T,IEnumerable<U>,R> resultSelector)", func(f F, s S, a []V) V {
			return join(f, s, slices.Clone(a), true)
		}),
	)
}
