package lib

import (
	"slices"
	"sort"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

const itemMessage = "Index was out of range. Must be non-negative and less than the size of the collection."

const spanMessage = "Offset and length were out of bounds for the array or count is greater than the number of elements from index to the end of the source collection."

// List is a List<T>, and what lies inside queues and stacks.
type List struct {
	T   *clr.Type
	V   []V
	ver int
}

// RuntimeType is the constructed List<T>.
func (l *List) RuntimeType() *clr.Type { return l.T }

// Each yields the items and throws when the list changes meanwhile.
func (l *List) Each(f F, yield func(V) bool) {
	ver := l.ver
	for i := 0; i < len(l.V); i++ {
		f.Step(1)
		if !yield(l.V[i]) {
			return
		}
		if l.ver != ver {
			clr.Throw(clr.ExInvalidOp, "Collection was modified; enumeration operation may not execute.")
		}
	}
}

func newList(elem *clr.Type, v []V) V { return clr.Object(&List{T: clr.Of(clr.ListDef, elem), V: v}) }

func list(v V) *List { return v.Ref().(*List) }

// gather reads a sequence into a new slice.
func gather(f F, v V, param string) []V {
	var out []V
	Each(f, notNull(v, param), func(x V) bool {
		f.Alloc(24)
		out = append(out, x)
		return true
	})
	return out
}

func (l *List) at(v V) int { return within(v, len(l.V)) }

// within checks an index into n items.
func within(index V, n int) int {
	i := index.Int()
	if i < 0 || i >= int64(n) {
		clr.ThrowRange("index", itemMessage)
	}
	return int(i)
}

func (l *List) insert(f F, i int, v ...V) {
	f.Alloc(24 * len(v))
	l.V = slices.Insert(l.V, i, v...)
	l.ver++
}

func (l *List) remove(i, n int) {
	l.V = slices.Delete(l.V, i, i+n)
	l.ver++
}

func indexOf(f F, items []V, x V) int {
	return slices.IndexFunc(items, func(v V) bool { f.Step(1); return Equal(f, v, x) })
}

func match(f F, fn V) func(V) bool {
	return func(v V) bool { return f.Invoke(fn, v).Bool() }
}

func orNull(s S, items []V, i int) V {
	if i < 0 {
		return clr.Zero(s.Ret)
	}
	return items[i]
}

func sortValues(f F, items []V, by V) {
	f.Step(len(items) * 8)
	order := func(a, b V) int { return Compare(f, a, b) }
	if !by.IsNull() {
		order = comparison(f, by)
	}
	comparing(func() { slices.SortStableFunc(items, order) })
}

// comparing runs a sort. What a comparison throws comes out as .NET's sorts give
// it.
func comparing(sort func()) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *clr.Exception:
			panic(&clr.Exception{Type: clr.ExInvalidOp, Message: "Failed to compare two elements in the array.", Inner: r})
		default:
			panic(r)
		}
	}()
	sort()
}

// comparison is the order of a Comparison delegate or a comparer.
func comparison(f F, by V) func(a, b V) int {
	if c, ok := by.Ref().(*comparer); ok {
		return func(a, b V) int { return compareStrings(a, b, c.mode) }
	}
	if by.IsNull() {
		return func(a, b V) int { return Compare(f, a, b) }
	}
	return func(a, b V) int { return int(f.Invoke(by, a, b).Int()) }
}

func collectionDecls() []clr.Decl {
	const ns = "System.Collections.Generic."
	return []clr.Decl{
		{Sig: "interface System.Collections.IEnumerable", Access: clr.AccessAll, Rows: []clr.Row{R("System.Collections.IEnumerator GetEnumerator()", enumerateRow)}},
		{Sig: "interface " + ns + "IEnumerable<T>", Rows: []clr.Row{R("IEnumerator<T> GetEnumerator()", enumerateRow)}},
		{Sig: "interface " + ns + "ICollection<T>", Rows: collectionRows()},
		{Sig: "interface " + ns + "IReadOnlyCollection<T>", Rows: []clr.Row{R("int Count", countRow)}},
		{Sig: "interface " + ns + "IList<T>", Rows: []clr.Row{
			RW("T this[int index]", itemAt, setItem),
			R("int IndexOf(T item)", func(f F, a []V) V {
				if t := tok(a[0]); t != nil {
					return clr.Int(slices.Index(t.kids, tok(a[1])))
				}
				return clr.Int(indexOf(f, gather(f, a[0], "source"), a[1]))
			}),
			R("void Insert(int index, T item)", func(f F, a []V) V {
				switch o := a[0].Ref().(type) {
				case *List:
					o.insert(f, o.place(a[1]), a[2])
				case *Token:
					insertAt(f, o, a[1], a[2])
				default:
					fixedSize()
				}
				return clr.Null
			}),
			R("void RemoveAt(int index)", func(_ F, a []V) V {
				switch o := a[0].Ref().(type) {
				case *List:
					o.remove(o.at(a[1]), 1)
				case *Token:
					o.removeAt(o.within(a[1]))
				default:
					fixedSize()
				}
				return clr.Null
			}),
		}},
		{Sig: "interface " + ns + "IReadOnlyList<T>", Rows: []clr.Row{R("T this[int index]", itemAt)}},
		{Sig: "class " + ns + "List<T>", Rows: listRows()},
		D("class "+ns+"Queue<T> : IReadOnlyCollection<T>", queueRows()...),
		D("class "+ns+"Stack<T> : IReadOnlyCollection<T>", stackRows()...),
		{Sig: "struct " + ns + "KeyValuePair<TKey,TValue>", Rows: []clr.Row{
			R("new(TKey key, TValue value)", func(_ F, s S, a []V) V { return clr.Object(&pair{s.Ret, a[0], a[1]}) }),
			R("TKey Key", func(_ F, a []V) V { return pairOf(a[0]).Key }),
			R("TValue Value", func(_ F, a []V) V { return pairOf(a[0]).Val }),
			R("string ToString()", func(f F, a []V) V { return f.Str(Text(f, a[0])) }),
		}},
		dictInterface("IDictionary", " : ICollection<KeyValuePair<TKey,TValue>>", true), dictInterface("IReadOnlyDictionary", " : IReadOnlyCollection<KeyValuePair<TKey,TValue>>", false),
		D("class "+ns+"Dictionary<TKey,TValue> : IDictionary<TKey,TValue>, IReadOnlyDictionary<TKey,TValue>", dictRows()...),
		D("interface " + ns + "ISet<T> : ICollection<T>"), D("class "+ns+"HashSet<T> : ISet<T>, IReadOnlyCollection<T>", setRows()...),
		D("class " + ns + "SortedDictionary<TKey,TValue> : IDictionary<TKey,TValue>"),
		{Sig: "class System.Array", Rows: arrayRows()},
		tupleDecl(1), tupleDecl(2), tupleDecl(3), tupleDecl(4), tupleDecl(5), tupleDecl(6), tupleDecl(7),
		{Sig: "static class System.Tuple", Rows: tupleCreate()},
	}
}

func (l *List) place(v V) int {
	i := v.Int()
	if i < 0 || i > int64(len(l.V)) {
		clr.ThrowRange("index", "Index must be within the bounds of the List.")
	}
	return int(i)
}

// Counter objects know how many items they have.
type Counter interface{ Count(f F) int }

func countRow(f F, a []V) V {
	switch o := a[0].Ref().(type) {
	case *List:
		return clr.Int(len(o.V))
	case *clr.Arr:
		return clr.Int(o.Len())
	case Counter:
		return clr.Int(o.Count(f))
	}
	return clr.Int(len(gather(f, a[0], "source")))
}

func itemAt(f F, a []V) V {
	switch o := a[0].Ref().(type) {
	case *List:
		return o.V[o.at(a[1])]
	case *clr.Arr:
		return o.At(within(a[1], o.Len()))
	case *Token:
		return tokenAt(o, a[1])
	}
	items := gather(f, a[0], "source")
	return items[within(a[1], len(items))]
}

func setItem(f F, a []V) V {
	switch o := a[0].Ref().(type) {
	case *List:
		o.V[o.at(a[1])] = a[2]
		o.ver++
	case *clr.Arr:
		o.Put(within(a[1], o.Len()), a[2])
	case *Token:
		tokenSet(f, a)
	}
	return clr.Null
}

// readOnly and fixedSize are what arrays say when they are seen as collections.
func readOnly() { clr.Throw(clr.ExNotSupported, "Collection is read-only.") }

func fixedSize() { clr.Throw(clr.ExNotSupported, "Collection was of a fixed size.") }

func collectionRows() []clr.Row {
	return []clr.Row{
		R("int Count", countRow),
		R("bool IsReadOnly", func(_ F, a []V) V { _, isArr := a[0].Ref().(*clr.Arr); return clr.Bool(isArr) }),
		R("void Add(T item)", func(f F, a []V) V { addItem(f, a[0], a[1]); return clr.Null }),
		R("bool Contains(T item)", func(f F, a []V) V {
			switch o := a[0].Ref().(type) {
			case *Set:
				return clr.Bool(o.d.find(f, a[1]) >= 0)
			case *Token:
				return clr.Bool(hasItem(o, a[1]))
			}
			return clr.Bool(indexOf(f, gather(f, a[0], "source"), a[1]) >= 0)
		}),
		R("void Clear()", func(_ F, a []V) V {
			switch o := a[0].Ref().(type) {
			case *List:
				o.V = nil
				o.ver++
			case *Dict:
				o.clear()
			case *Set:
				o.d.clear()
			case *Token:
				clearToken(o)
			default:
				readOnly()
			}
			return clr.Null
		}),
		R("bool Remove(T item)", func(f F, a []V) V { return clr.Bool(removeItem(f, a[0], a[1])) }),
		R("void CopyTo(T[] array, int arrayIndex)", func(f F, a []V) V { copyItems(gather(f, a[0], "source"), a[1], a[2].Int()); return clr.Null }),
	}
}

// addItem is ICollection<T>.Add; the items of dictionaries are pairs.
func addItem(f F, to, item V) {
	switch o := to.Ref().(type) {
	case *List:
		o.insert(f, len(o.V), item)
	case *Token:
		if o.kind == jObject {
			p := pairOf(item)
			addProperty(f, o, p.Key.Str(), p.Val)
		} else {
			addContent(f, o, item)
		}
	case *Set:
		o.d.add(f, item)
	case *Dict:
		p := pairOf(item)
		dictAdd(f, []V{to, p.Key, p.Val})
	default:
		fixedSize()
	}
}

// hasItem tells whether a token has a child: JSON looks for the very token.
func hasItem(t *Token, item V) bool {
	if t.kind != jObject {
		return slices.Contains(t.kids, tok(item))
	}
	p := t.property(pairOf(item).Key.Str())
	return p != nil && p.kids[0] == tok(pairOf(item).Val)
}

// removeItem is ICollection<T>.Remove.
func removeItem(f F, from, item V) bool {
	switch o := from.Ref().(type) {
	case *List:
		i := indexOf(f, o.V, item)
		if i >= 0 {
			o.remove(i, 1)
		}
		return i >= 0
	case *Set:
		return o.d.remove(f, item)
	case *Dict:
		p := pairOf(item)
		have, ok := o.Lookup(f, p.Key)
		return ok && Equal(f, have, p.Val) && o.remove(f, p.Key)
	case *Token:
		switch {
		case !hasItem(o, item):
			return false
		case o.kind == jObject:
			return o.removeName(pairOf(item).Key.Str())
		}
		o.removeAt(slices.Index(o.kids, tok(item)))
		return true
	}
	fixedSize()
	return false
}

func copyItems(items []V, to V, at int64) {
	dst := arr(to, "array")
	if at < 0 {
		clr.ThrowRange("arrayIndex", "Non-negative number required.")
	}
	if int(at)+len(items) > dst.Len() {
		clr.ThrowArg(clr.ExArgument, "Destination array was not long enough. Check the destination index, length, and the array's lower bounds.", "destinationArray")
	}
	for i, v := range items {
		dst.Put(int(at)+i, v)
	}
}

func listRows() []clr.Row {
	span := func(l *List, from, n V) (int, int) {
		i, c := from.Int(), n.Int()
		if i < 0 {
			clr.ThrowRange("index", "Non-negative number required.")
		}
		if c < 0 {
			clr.ThrowRange("count", "Non-negative number required.")
		}
		if i+c > int64(len(l.V)) {
			clr.Throw(clr.ExArgument, spanMessage)
		}
		return int(i), int(c)
	}
	return []clr.Row{
		R("new()", func(_ F, s S, _ []V) V { return clr.Object(&List{T: s.Ret}) }),
		R("new(int capacity)", func(_ F, s S, a []V) V {
			if a[0].Int() < 0 {
				clr.ThrowRange("capacity", "Non-negative number required.")
			}
			return clr.Object(&List{T: s.Ret})
		}),
		R("new(IEnumerable<T> collection)", func(f F, s S, a []V) V { return clr.Object(&List{T: s.Ret, V: gather(f, a[0], "collection")}) }),
		R("int Count", countRow),
		R("int Capacity", func(_ F, a []V) V { return clr.Int(cap(list(a[0]).V)) }),
		RW("T this[int index]", itemAt, setItem),
		R("void Add(T item)", func(f F, a []V) V {
			l := list(a[0])
			f.Alloc(24)
			l.V = append(l.V, a[1])
			l.ver++
			return clr.Null
		}),
		R("void AddRange(IEnumerable<T> collection)", func(f F, a []V) V {
			l := list(a[0])
			l.insert(f, len(l.V), gather(f, a[1], "collection")...)
			return clr.Null
		}),
		R("void Insert(int index, T item)", func(f F, a []V) V { l := list(a[0]); l.insert(f, l.place(a[1]), a[2]); return clr.Null }),
		R("void InsertRange(int index, IEnumerable<T> collection)", func(f F, a []V) V {
			l := list(a[0])
			l.insert(f, l.place(a[1]), gather(f, a[2], "collection")...)
			return clr.Null
		}),
		R("bool Remove(T item)", func(f F, a []V) V {
			l := list(a[0])
			i := indexOf(f, l.V, a[1])
			if i >= 0 {
				l.remove(i, 1)
			}
			return clr.Bool(i >= 0)
		}),
		R("void RemoveAt(int index)", func(_ F, a []V) V { l := list(a[0]); l.remove(l.at(a[1]), 1); return clr.Null }),
		R("void RemoveRange(int index, int count)", func(_ F, a []V) V { l := list(a[0]); i, n := span(l, a[1], a[2]); l.remove(i, n); return clr.Null }),
		R("int RemoveAll(Predicate<T> match)", func(f F, a []V) V {
			l := list(a[0])
			n := len(l.V)
			l.V = slices.DeleteFunc(l.V, match(f, notNull(a[1], "match")))
			l.ver++
			return clr.Int(n - len(l.V))
		}),
		R("void Clear()", func(_ F, a []V) V { l := list(a[0]); l.V = nil; l.ver++; return clr.Null }),
		R("bool Contains(T item)", func(f F, a []V) V { return clr.Bool(indexOf(f, list(a[0]).V, a[1]) >= 0) }),
		R("int IndexOf(T item)", func(f F, a []V) V { return clr.Int(indexOf(f, list(a[0]).V, a[1])) }),
		R("int LastIndexOf(T item)", func(f F, a []V) V {
			l := list(a[0])
			for i, v := range slices.Backward(l.V) {
				if Equal(f, v, a[1]) {
					return clr.Int(i)
				}
			}
			return clr.Int(-1)
		}),
		R("T[] ToArray()", func(f F, s S, a []V) V { return toArray(f, s.Ret.Elem, slices.Clone(list(a[0]).V)) }),
		R("void Sort()", func(f F, a []V) V { l := list(a[0]); sortValues(f, l.V, clr.Null); l.ver++; return clr.Null }),
		R("void Sort(Comparison<T> comparison)", func(f F, a []V) V {
			l := list(a[0])
			sortValues(f, l.V, notNull(a[1], "comparison"))
			l.ver++
			return clr.Null
		}),
		R("void Sort(IComparer<T> comparer)", func(f F, a []V) V { l := list(a[0]); sortValues(f, l.V, a[1]); l.ver++; return clr.Null }),
		R("void Reverse()", func(_ F, a []V) V { l := list(a[0]); slices.Reverse(l.V); l.ver++; return clr.Null }),
		R("void Reverse(int index, int count)", func(_ F, a []V) V {
			l := list(a[0])
			i, n := span(l, a[1], a[2])
			slices.Reverse(l.V[i : i+n])
			return clr.Null
		}),
		R("bool Exists(Predicate<T> match)", func(f F, a []V) V {
			return clr.Bool(slices.ContainsFunc(list(a[0]).V, match(f, notNull(a[1], "match"))))
		}),
		R("T Find(Predicate<T> match)", func(f F, s S, a []V) V {
			l := list(a[0])
			return orNull(s, l.V, slices.IndexFunc(l.V, match(f, notNull(a[1], "match"))))
		}),
		R("T FindLast(Predicate<T> match)", func(f F, s S, a []V) V {
			l := list(a[0])
			notNull(a[1], "match")
			for _, v := range slices.Backward(l.V) {
				if f.Invoke(a[1], v).Bool() {
					return v
				}
			}
			return clr.Zero(s.Ret)
		}),
		R("int FindIndex(Predicate<T> match)", func(f F, a []V) V { return clr.Int(slices.IndexFunc(list(a[0]).V, match(f, notNull(a[1], "match")))) }),
		R("int FindLastIndex(Predicate<T> match)", func(f F, a []V) V {
			l := list(a[0])
			notNull(a[1], "match")
			for i, v := range slices.Backward(l.V) {
				if f.Invoke(a[1], v).Bool() {
					return clr.Int(i)
				}
			}
			return clr.Int(-1)
		}),
		R("List<T> FindAll(Predicate<T> match)", func(f F, s S, a []V) V {
			var out []V
			notNull(a[1], "match")
			for _, v := range list(a[0]).V {
				if f.Invoke(a[1], v).Bool() {
					out = append(out, v)
				}
			}
			return clr.Object(&List{T: s.Ret, V: out})
		}),
		R("bool TrueForAll(Predicate<T> match)", func(f F, a []V) V {
			fn := notNull(a[1], "match")
			return clr.Bool(!slices.ContainsFunc(list(a[0]).V, func(v V) bool { return !f.Invoke(fn, v).Bool() }))
		}),
		R("void ForEach(Action<T> action)", func(f F, a []V) V {
			l, fn := list(a[0]), notNull(a[1], "action")
			l.Each(f, func(v V) bool { f.Invoke(fn, v); return true })
			return clr.Null
		}),
		R("List<TOutput> ConvertAll<TOutput>(Converter<T,TOutput> converter)", func(f F, s S, a []V) V {
			src, fn := list(a[0]).V, notNull(a[1], "converter")
			out := make([]V, len(src))
			for i, v := range src {
				out[i] = f.Invoke(fn, v)
			}
			return clr.Object(&List{T: s.Ret, V: out})
		}),
		R("List<T> GetRange(int index, int count)", func(f F, s S, a []V) V {
			l := list(a[0])
			i, n := span(l, a[1], a[2])
			f.Alloc(24 * n)
			return clr.Object(&List{T: s.Ret, V: slices.Clone(l.V[i : i+n])})
		}),
		R("int BinarySearch(T item)", func(f F, a []V) V { return search(f, list(a[0]).V, a[1]) }),
		R("void CopyTo(T[] array)", func(_ F, a []V) V { copyItems(list(a[0]).V, a[1], 0); return clr.Null }),
		R("void CopyTo(T[] array, int arrayIndex)", func(_ F, a []V) V { copyItems(list(a[0]).V, a[1], a[2].Int()); return clr.Null }),
		R("void TrimExcess()", func(F, []V) V { return clr.Null }),
		R("IEnumerator<T> GetEnumerator()", enumerateRow),
	}
}

func search(f F, items []V, x V) V {
	i := sort.Search(len(items), func(i int) bool { return Compare(f, items[i], x) >= 0 })
	if i < len(items) && Compare(f, items[i], x) == 0 {
		return clr.Int(i)
	}
	return clr.Int(^i)
}

func toArray(f F, elem *clr.Type, v []V) V {
	f.Alloc(24 * len(v))
	return clr.Object(clr.ArrOf(elem, v))
}

func queueRows() []clr.Row {
	first := func(l *List) V {
		if len(l.V) == 0 {
			clr.Throw(clr.ExInvalidOp, "Queue empty.")
		}
		return l.V[0]
	}
	return append(shared(),
		R("void Enqueue(T item)", func(f F, a []V) V { l := list(a[0]); l.insert(f, len(l.V), a[1]); return clr.Null }),
		R("T Dequeue()", func(_ F, a []V) V { l := list(a[0]); v := first(l); l.V = l.V[1:]; l.ver++; return v }),
		R("T Peek()", func(_ F, a []V) V { return first(list(a[0])) }),
	)
}

func stackRows() []clr.Row {
	top := func(l *List) V {
		if len(l.V) == 0 {
			clr.Throw(clr.ExInvalidOp, "Stack empty.")
		}
		return l.V[0]
	}
	return append(shared(),
		R("void Push(T item)", func(f F, a []V) V { l := list(a[0]); f.Step(len(l.V) / 16); l.insert(f, 0, a[1]); return clr.Null }),
		R("T Pop()", func(_ F, a []V) V { l := list(a[0]); v := top(l); l.V = l.V[1:]; l.ver++; return v }),
		R("T Peek()", func(_ F, a []V) V { return top(list(a[0])) }),
	)
}

// shared are the rows of queues and stacks, which are lists inside.
func shared() []clr.Row {
	return []clr.Row{
		R("new()", func(_ F, s S, _ []V) V { return clr.Object(&List{T: s.Ret}) }),
		R("new(IEnumerable<T> collection)", func(f F, s S, a []V) V {
			l := &List{T: s.Ret, V: gather(f, a[0], "collection")}
			if s.Ret.Name == "Stack" {
				slices.Reverse(l.V)
			}
			return clr.Object(l)
		}),
		R("int Count", countRow),
		R("void Clear()", func(_ F, a []V) V { l := list(a[0]); l.V = nil; l.ver++; return clr.Null }),
		R("bool Contains(T item)", func(f F, a []V) V { return clr.Bool(indexOf(f, list(a[0]).V, a[1]) >= 0) }),
		R("T[] ToArray()", func(f F, s S, a []V) V { return toArray(f, s.Ret.Elem, slices.Clone(list(a[0]).V)) }),
		R("void CopyTo(T[] array, int arrayIndex)", func(_ F, a []V) V { copyItems(list(a[0]).V, a[1], a[2].Int()); return clr.Null }),
		R("void TrimExcess()", func(F, []V) V { return clr.Null }),
	}
}

// enumerator walks over a copy of the items.
type enumerator struct {
	t     *clr.Type
	items []V
	i     int
}

// RuntimeType is the interface that the enumerator was asked for by.
func (e *enumerator) RuntimeType() *clr.Type { return e.t }

func enumerateRow(f F, s S, a []V) V {
	return clr.Object(&enumerator{t: s.Ret, items: gather(f, a[0], "source"), i: -1})
}

func enumCurrent(_ F, a []V) V {
	e := a[0].Ref().(*enumerator)
	if e.i < 0 || e.i >= len(e.items) {
		clr.Throw(clr.ExInvalidOp, "Enumeration has either not started or has already finished.")
	}
	return e.items[e.i]
}

func enumNext(f F, a []V) V {
	f.Step(1)
	e := a[0].Ref().(*enumerator)
	e.i = min(e.i+1, len(e.items))
	return clr.Bool(e.i < len(e.items))
}

func arrayRows() []clr.Row {
	fn := func(a []V) V { return notNull(a[1], "match") }
	return []clr.Row{
		R("int Length", func(_ F, a []V) V { return clr.Int(a[0].Ref().(*clr.Arr).Len()) }),
		R("long LongLength", func(_ F, a []V) V { return clr.Long(int64(a[0].Ref().(*clr.Arr).Len())) }),
		R("int Rank", func(_ F, a []V) V { return clr.Int(a[0].Ref().(*clr.Arr).T.Rank) }),
		R("int GetLength(int dimension)", func(_ F, a []V) V { return clr.Int(dimension(a)) }),
		R("int GetUpperBound(int dimension)", func(_ F, a []V) V { return clr.Int(dimension(a) - 1) }),
		R("int GetLowerBound(int dimension)", func(_ F, a []V) V { dimension(a); return clr.Int(0) }),
		R("object GetValue(int index)", func(_ F, a []V) V { r := a[0].Ref().(*clr.Arr); return r.At(r.Index(a[1].Int())) }),
		R("void SetValue(object value, int index)", func(_ F, a []V) V { r := a[0].Ref().(*clr.Arr); r.Put(r.Index(a[2].Int()), a[1]); return clr.Null }),
		R("object Clone()", func(f F, a []V) V {
			r := *a[0].Ref().(*clr.Arr)
			f.Alloc(24 * r.Len())
			r.V, r.B = slices.Clone(r.V), slices.Clone(r.B)
			return clr.Object(&r)
		}),
		R("void CopyTo(Array array, int index)", func(f F, a []V) V { copyItems(gather(f, a[0], "array"), a[1], a[2].Int()); return clr.Null }),
		R("System.Collections.IEnumerator GetEnumerator()", enumerateRow),
		R("static void Copy(Array sourceArray, Array destinationArray, int length)", func(_ F, a []V) V { copyArray(a[0], 0, a[1], 0, a[2].Int()); return clr.Null }),
		R("static void Copy(Array sourceArray, int sourceIndex, Array destinationArray, int destinationIndex, int length)", func(_ F, a []V) V {
			copyArray(a[0], a[1].Int(), a[2], a[3].Int(), a[4].Int())
			return clr.Null
		}),
		R("static void Clear(Array array, int index, int length)", func(_ F, a []V) V {
			r := arr(a[0], "array")
			i, n := a[1].Int(), a[2].Int()
			if i < 0 || n < 0 || i+n > int64(r.Len()) {
				clr.ThrowIndex()
			}
			z := clr.Zero(r.T.Elem)
			for k := i; k < i+n; k++ {
				r.Put(int(k), z)
			}
			return clr.Null
		}),
		R("static void Reverse(Array array)", func(_ F, a []V) V { r := arr(a[0], "array"); slices.Reverse(r.V); slices.Reverse(r.B); return clr.Null }),
		R("static void Reverse(Array array, int index, int length)", func(_ F, a []V) V {
			r := arr(a[0], "array")
			i, n := a[1].Int(), a[2].Int()
			switch {
			case i < 0:
				clr.ThrowRange("index", "Non-negative number required.")
			case n < 0:
				clr.ThrowRange("length", "Non-negative number required.")
			case i+n > int64(r.Len()):
				clr.Throw(clr.ExArgument, "Offset and length were out of bounds for the array or count is greater than the number of elements from index to the end of the source collection.")
			}
			for lo, hi := int(i), int(i+n-1); lo < hi; lo, hi = lo+1, hi-1 {
				x, y := r.At(lo), r.At(hi)
				r.Put(lo, y)
				r.Put(hi, x)
			}
			return clr.Null
		}),
		R("static void Sort(Array array)", func(f F, a []V) V { sortArray(f, arr(a[0], "array"), clr.Null); return clr.Null }),
		R("static void Sort<T>(T[] array)", func(f F, a []V) V { sortArray(f, arr(a[0], "array"), clr.Null); return clr.Null }),
		R("static void Sort<T>(T[] array, Comparison<T> comparison)", func(f F, a []V) V { sortArray(f, arr(a[0], "array"), notNull(a[1], "comparison")); return clr.Null }),
		R("static void Sort<T>(T[] array, IComparer<T> comparer)", func(f F, a []V) V { sortArray(f, arr(a[0], "array"), a[1]); return clr.Null }),
		R("static int IndexOf<T>(T[] array, T value)", func(f F, a []V) V { return clr.Int(indexOf(f, gather(f, a[0], "array"), a[1])) }),
		R("static int IndexOf(Array array, object value)", func(f F, a []V) V { return clr.Int(indexOf(f, gather(f, a[0], "array"), a[1])) }),
		R("static int LastIndexOf<T>(T[] array, T value)", func(f F, a []V) V {
			r := arr(a[0], "array")
			for i := r.Len() - 1; i >= 0; i-- {
				if Equal(f, r.At(i), a[1]) {
					return clr.Int(i)
				}
			}
			return clr.Int(-1)
		}),
		R("static int BinarySearch<T>(T[] array, T value)", func(f F, a []V) V { return search(f, gather(f, a[0], "array"), a[1]) }),
		R("static bool Exists<T>(T[] array, Predicate<T> match)", func(f F, a []V) V { return clr.Bool(slices.ContainsFunc(gather(f, a[0], "array"), match(f, fn(a)))) }),
		R("static bool TrueForAll<T>(T[] array, Predicate<T> match)", func(f F, a []V) V {
			p := match(f, fn(a))
			return clr.Bool(!slices.ContainsFunc(gather(f, a[0], "array"), func(v V) bool { return !p(v) }))
		}),
		R("static T Find<T>(T[] array, Predicate<T> match)", func(f F, s S, a []V) V {
			v := gather(f, a[0], "array")
			return orNull(s, v, slices.IndexFunc(v, match(f, fn(a))))
		}),
		R("static T FindLast<T>(T[] array, Predicate<T> match)", func(f F, s S, a []V) V {
			v := gather(f, a[0], "array")
			slices.Reverse(v)
			return orNull(s, v, slices.IndexFunc(v, match(f, fn(a))))
		}),
		R("static int FindIndex<T>(T[] array, Predicate<T> match)", func(f F, a []V) V { return clr.Int(slices.IndexFunc(gather(f, a[0], "array"), match(f, fn(a)))) }),
		R("static int FindLastIndex<T>(T[] array, Predicate<T> match)", func(f F, a []V) V {
			v, p := gather(f, a[0], "array"), match(f, fn(a))
			for i, v0 := range slices.Backward(v) {
				if p(v0) {
					return clr.Int(i)
				}
			}
			return clr.Int(-1)
		}),
		R("static T[] FindAll<T>(T[] array, Predicate<T> match)", func(f F, s S, a []V) V {
			p := match(f, fn(a))
			return toArray(f, s.Args[0], slices.DeleteFunc(gather(f, a[0], "array"), func(v V) bool { return !p(v) }))
		}),
		R("static void ForEach<T>(T[] array, Action<T> action)", func(f F, a []V) V {
			act := notNull(a[1], "action")
			for _, v := range gather(f, a[0], "array") {
				f.Invoke(act, v)
			}
			return clr.Null
		}),
		R("static TOutput[] ConvertAll<TInput,TOutput>(TInput[] array, Converter<TInput,TOutput> converter)", func(f F, s S, a []V) V {
			conv := notNull(a[1], "converter")
			v := gather(f, a[0], "array")
			for i := range v {
				v[i] = f.Invoke(conv, v[i])
			}
			return toArray(f, s.Args[1], v)
		}),
		R("static T[] Empty<T>()", func(_ F, s S, _ []V) V { return clr.Object(clr.ArrOf(s.Args[0], nil)) }),
		R("static void Resize<T>(ref T[] array, int newSize)", func(f F, s S, a []V) V {
			n := a[1].Int()
			if n < 0 {
				clr.ThrowRange("newSize", "Non-negative number required.")
			}
			f.Alloc(24 * int(n))
			next := clr.NewArr(clr.ArrayOf(s.Args[0]), int(n))
			if old, ok := a[0].Ref().(*clr.Cell).V.Ref().(*clr.Arr); ok {
				for i := range min(old.Len(), int(n)) {
					next.Put(i, old.At(i))
				}
			}
			setOut(a[0], clr.Object(next))
			return clr.Null
		}),
	}
}

func dimension(a []V) int {
	r := a[0].Ref().(*clr.Arr)
	d := a[1].Int()
	if d < 0 || d >= int64(r.T.Rank) {
		clr.ThrowIndex()
	}
	if r.T.Rank == 1 {
		return r.Len()
	}
	return r.Lens[d]
}

func sortArray(f F, r *clr.Arr, by V) {
	if r.B != nil {
		slices.Sort(r.B)
		return
	}
	sortValues(f, r.V, by)
}

func copyArray(src V, from int64, dst V, to, n int64) {
	s, d := arr(src, "sourceArray"), arr(dst, "destinationArray")
	switch {
	case n < 0:
		clr.ThrowRange("length", "Non-negative number required.")
	case from < 0:
		clr.ThrowRange("sourceIndex", "Number was less than the array's lower bound in the first dimension.")
	case to < 0:
		clr.ThrowRange("destinationIndex", "Number was less than the array's lower bound in the first dimension.")
	case from+n > int64(s.Len()):
		clr.ThrowArg(clr.ExArgument, "Source array was not long enough. Check the source index, length, and the array's lower bounds.", "sourceArray")
	case to+n > int64(d.Len()):
		clr.ThrowArg(clr.ExArgument, "Destination array was not long enough. Check the destination index, length, and the array's lower bounds.", "destinationArray")
	}
	if s.B != nil && d.B != nil {
		copy(d.B[to:to+n], s.B[from:from+n])
		return
	}
	items := make([]V, n)
	for i := range items {
		items[i] = s.At(int(from) + i)
	}
	for i, v := range items {
		d.Put(int(to)+i, v)
	}
}

// tupleDecl declares System.Tuple with n items.
func tupleDecl(n int) clr.Decl {
	var ts, ps []string
	for i := 1; i <= n; i++ {
		t := "T" + string(rune('0'+i))
		ts, ps = append(ts, t), append(ps, t+" item"+string(rune('0'+i)))
	}
	d := D("class System.Tuple<"+strings.Join(ts, ",")+">", R("new("+strings.Join(ps, ", ")+")", func(_ F, s S, a []V) V {
		return clr.Object(&clr.Record{T: s.Ret, Vals: slices.Clone(a)})
	}))
	for i := range n {
		d.Rows = append(d.Rows, R(ts[i]+" Item"+string(rune('1'+i)), func(_ F, a []V) V { return a[0].Ref().(*clr.Record).Vals[i] }))
	}
	return d
}

func tupleCreate() []clr.Row {
	var out []clr.Row
	for n := 1; n <= 7; n++ {
		var ts, ps []string
		for i := 1; i <= n; i++ {
			t := "T" + string(rune('0'+i))
			ts, ps = append(ts, t), append(ps, t+" item"+string(rune('0'+i)))
		}
		l := strings.Join(ts, ",")
		out = append(out, R("static Tuple<"+l+"> Create<"+l+">("+strings.Join(ps, ", ")+")", func(_ F, s S, a []V) V {
			return clr.Object(&clr.Record{T: s.Ret, Vals: slices.Clone(a)})
		}))
	}
	return out
}
