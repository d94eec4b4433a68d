package lib

import (
	"slices"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// Map is a dictionary that can be read; the context object hands such in.
type Map interface {
	clr.Seq // of pairs
	Lookup(f F, key V) (V, bool)
	Count(f F) int
}

type pair struct {
	T        *clr.Type
	Key, Val V
}

// Pair makes a KeyValuePair.
func Pair(keyType, valType *clr.Type, key, val V) V {
	return clr.Object(&pair{clr.Of(clr.KeyValueDef, keyType, valType), key, val})
}

// RuntimeType is the constructed KeyValuePair.
func (p *pair) RuntimeType() *clr.Type { return p.T }

// Text is [key, value].
func (p *pair) Text(f F) string { return "[" + Text(f, p.Key) + ", " + Text(f, p.Val) + "]" }

// Equal compares keys and values.
func (p *pair) Equal(f F, o V) bool {
	q, ok := o.Ref().(*pair)
	return ok && Equal(f, p.Key, q.Key) && Equal(f, p.Val, q.Val)
}

func pairOf(v V) *pair {
	if p, ok := v.Ref().(*pair); ok {
		return p
	}
	return unset(v.Ref().(*clr.Unset).T).Ref().(*pair)
}

// Dict is a Dictionary in the order of insertion.
type Dict struct {
	T     *clr.Type
	keys  []V
	vals  []V
	index map[any]int
	mode  int64 // of string keys: odd ignores case
	ver   int
}

// RuntimeType is the constructed Dictionary.
func (d *Dict) RuntimeType() *clr.Type { return d.T }

func (d *Dict) key(f F, k V) any {
	if k.IsString() && d.mode%2 == 1 {
		return fold(k.Str())
	}
	return key(f, k)
}

func (d *Dict) find(f F, k V) int {
	if i, ok := d.index[d.key(f, k)]; ok {
		return i
	}
	return -1
}

func (d *Dict) put(f F, k, v V) bool {
	if i := d.find(f, k); i >= 0 {
		d.vals[i] = v
		d.ver++
		return false
	}
	f.Alloc(96)
	if d.index == nil {
		d.index = map[any]int{}
	}
	d.index[d.key(f, k)] = len(d.keys)
	d.keys, d.vals = append(d.keys, k), append(d.vals, v)
	d.ver++
	return true
}

func (d *Dict) remove(f F, k V) bool {
	i := d.find(f, k)
	if i < 0 {
		return false
	}
	delete(d.index, d.key(f, k))
	d.keys, d.vals = slices.Delete(d.keys, i, i+1), slices.Delete(d.vals, i, i+1)
	f.Step(len(d.keys) - i)
	for j := i; j < len(d.keys); j++ {
		d.index[d.key(f, d.keys[j])] = j
	}
	d.ver++
	return true
}

func (d *Dict) clear() {
	d.keys, d.vals, d.index = nil, nil, nil
	d.ver++
}

// Lookup finds a value.
func (d *Dict) Lookup(f F, k V) (V, bool) {
	if i := d.find(f, k); i >= 0 {
		return d.vals[i], true
	}
	return clr.Null, false
}

// Count is the number of entries.
func (d *Dict) Count(F) int { return len(d.keys) }

func (d *Dict) types() (k, v *clr.Type) { return d.T.Args[0], d.T.Args[1] }

// Each yields the entries as pairs.
func (d *Dict) Each(f F, yield func(V) bool) {
	kt, vt := d.types()
	ver := d.ver
	for i := range d.keys {
		f.Step(1)
		if !yield(Pair(kt, vt, d.keys[i], d.vals[i])) {
			return
		}
		if d.ver != ver {
			clr.Throw(clr.ExInvalidOp, "Collection was modified; enumeration operation may not execute.")
		}
	}
}

// Missing throws the KeyNotFoundException of indexers.
func Missing() {
	clr.Throw(clr.ExKeyNotFound, "The given key was not present in the dictionary.")
}

func lookup(f F, a []V) (V, bool) {
	k := notNull(a[1], "key")
	m, ok := a[0].Ref().(Map)
	if !ok {
		clr.ThrowNull()
	}
	return m.Lookup(f, k)
}

func dictGet(f F, a []V) V {
	v, ok := lookup(f, a)
	if !ok {
		Missing()
	}
	return v
}

func dictSet(f F, a []V) V {
	k := notNull(a[1], "key")
	switch d := a[0].Ref().(type) {
	case *Dict:
		d.put(f, k, a[2])
	case *Token:
		setProperty(f, d, k.Str(), a[2])
	default:
		readOnly()
	}
	return clr.Null
}

func dictTry(f F, s S, a []V) V {
	v, ok := lookup(f, a)
	if !ok {
		v = clr.Zero(s.Member.Params[1].Type.Subst(s.Class, s.Args))
	}
	setOut(a[2], v)
	return clr.Bool(ok)
}

func dictHas(f F, a []V) V {
	_, ok := lookup(f, a)
	return clr.Bool(ok)
}

func dictAdd(f F, a []V) V {
	k := notNull(a[1], "key")
	switch d := a[0].Ref().(type) {
	case *Dict:
		if d.find(f, k) >= 0 {
			clr.Throw(clr.ExArgument, "An item with the same key has already been added. Key: "+Text(f, k))
		}
		d.put(f, k, a[2])
	case *Token:
		addProperty(f, d, k.Str(), a[2])
	default:
		readOnly()
	}
	return clr.Null
}

func dictRemove(f F, a []V) V {
	k := notNull(a[1], "key")
	switch d := a[0].Ref().(type) {
	case *Dict:
		return clr.Bool(d.remove(f, k))
	case *Token:
		return clr.Bool(d.removeName(k.Str()))
	}
	readOnly()
	return clr.Null
}

// dictPart gives the keys or values.
func dictPart(keys bool) clr.GenericFunc {
	return func(f F, s S, a []V) V {
		out := []V{}
		a[0].Ref().(clr.Seq).Each(f, func(v V) bool {
			f.Alloc(24)
			if keys {
				out = append(out, pairOf(v).Key)
			} else {
				out = append(out, pairOf(v).Val)
			}
			return true
		})
		return newList(s.Ret.Args[len(s.Ret.Args)-1], out)
	}
}

func dictInterface(name, bases string, writable bool) clr.Decl {
	d := D("interface System.Collections.Generic."+name+"<TKey,TValue>"+bases,
		R("bool ContainsKey(TKey key)", dictHas), R("bool TryGetValue(TKey key, out TValue value)", dictTry))
	if !writable {
		d.Rows = append(d.Rows, R("TValue this[TKey key]", dictGet), R("IEnumerable<TKey> Keys", dictPart(true)), R("IEnumerable<TValue> Values", dictPart(false)))
		return d
	}
	d.Rows = append(d.Rows, RW("TValue this[TKey key]", dictGet, dictSet), R("ICollection<TKey> Keys", dictPart(true)), R("ICollection<TValue> Values", dictPart(false)),
		R("void Add(TKey key, TValue value)", dictAdd), R("bool Remove(TKey key)", dictRemove))
	return d
}

func dictRows() []clr.Row {
	make := func(s S, cmp V) *Dict {
		d := &Dict{T: s.Ret}
		if c, ok := cmp.Ref().(*comparer); ok {
			d.mode = c.mode
		}
		return d
	}
	fill := func(f F, d *Dict, from V) V {
		Each(f, notNull(from, "dictionary"), func(v V) bool {
			p := pairOf(v)
			dictAdd(f, []V{clr.Object(d), p.Key, p.Val})
			return true
		})
		return clr.Object(d)
	}
	return []clr.Row{
		R("new()", func(_ F, s S, _ []V) V { return clr.Object(make(s, clr.Null)) }),
		R("new(int capacity)", func(_ F, s S, _ []V) V { return clr.Object(make(s, clr.Null)) }),
		R("new(IEqualityComparer<TKey> comparer)", func(_ F, s S, a []V) V { return clr.Object(make(s, a[0])) }),
		R("new(IDictionary<TKey,TValue> dictionary)", func(f F, s S, a []V) V { return fill(f, make(s, clr.Null), a[0]) }),
		R("new(IDictionary<TKey,TValue> dictionary, IEqualityComparer<TKey> comparer)", func(f F, s S, a []V) V { return fill(f, make(s, a[1]), a[0]) }),
		R("int Count", countRow),
		RW("TValue this[TKey key]", dictGet, dictSet),
		R("void Add(TKey key, TValue value)", dictAdd),
		R("bool TryAdd(TKey key, TValue value)", func(f F, a []V) V {
			d := a[0].Ref().(*Dict)
			if d.find(f, notNull(a[1], "key")) >= 0 {
				return clr.Bool(false)
			}
			return clr.Bool(d.put(f, a[1], a[2]))
		}),
		R("bool Remove(TKey key)", dictRemove), R("bool ContainsKey(TKey key)", dictHas),
		R("bool ContainsValue(TValue value)", func(f F, a []V) V { return clr.Bool(indexOf(f, a[0].Ref().(*Dict).vals, a[1]) >= 0) }),
		R("bool TryGetValue(TKey key, out TValue value)", dictTry),
		R("void Clear()", func(_ F, a []V) V { a[0].Ref().(*Dict).clear(); return clr.Null }),
		R("ICollection<TKey> Keys", dictPart(true)), R("ICollection<TValue> Values", dictPart(false)),
	}
}

// Set is a HashSet.
type Set struct {
	T *clr.Type
	d Dict
}

// RuntimeType is the constructed HashSet.
func (s *Set) RuntimeType() *clr.Type { return s.T }

// Count is the number of items.
func (s *Set) Count(F) int { return len(s.d.keys) }

// Each yields the items.
func (s *Set) Each(f F, yield func(V) bool) {
	l := List{V: s.d.keys}
	l.Each(f, yield)
}

func setRows() []clr.Row {
	set := func(v V) *Set { return v.Ref().(*Set) }
	make := func(f F, s S, from, cmp V) V {
		out := &Set{T: s.Ret}
		if c, ok := cmp.Ref().(*comparer); ok {
			out.d.mode = c.mode
		}
		if !from.IsNull() {
			Each(f, from, func(v V) bool { out.d.add(f, v); return true })
		}
		return clr.Object(out)
	}
	other := func(f F, a []V) *Set {
		o := &Set{}
		o.d.mode = set(a[0]).d.mode
		Each(f, notNull(a[1], "other"), func(v V) bool { o.d.add(f, v); return true })
		return o
	}
	subset := func(f F, x, y *Set) bool {
		return !slices.ContainsFunc(x.d.keys, func(v V) bool { f.Step(1); return y.d.find(f, v) < 0 })
	}
	return []clr.Row{
		R("new()", func(f F, s S, _ []V) V { return make(f, s, clr.Null, clr.Null) }),
		R("new(IEnumerable<T> collection)", func(f F, s S, a []V) V { return make(f, s, notNull(a[0], "collection"), clr.Null) }),
		R("new(IEqualityComparer<T> comparer)", func(f F, s S, a []V) V { return make(f, s, clr.Null, a[0]) }),
		R("new(IEnumerable<T> collection, IEqualityComparer<T> comparer)", func(f F, s S, a []V) V { return make(f, s, notNull(a[0], "collection"), a[1]) }),
		R("int Count", countRow),
		R("bool Add(T item)", func(f F, a []V) V { return clr.Bool(set(a[0]).d.add(f, a[1])) }),
		R("bool Remove(T item)", func(f F, a []V) V { return clr.Bool(set(a[0]).d.remove(f, a[1])) }),
		R("bool Contains(T item)", func(f F, a []V) V { return clr.Bool(set(a[0]).d.find(f, a[1]) >= 0) }),
		R("void Clear()", func(_ F, a []V) V { set(a[0]).d.clear(); return clr.Null }),
		R("void UnionWith(IEnumerable<T> other)", func(f F, a []V) V {
			for _, v := range other(f, a).d.keys {
				set(a[0]).d.add(f, v)
			}
			return clr.Null
		}),
		R("void IntersectWith(IEnumerable<T> other)", func(f F, a []V) V {
			o := other(f, a)
			for _, v := range slices.Clone(set(a[0]).d.keys) {
				if o.d.find(f, v) < 0 {
					set(a[0]).d.remove(f, v)
				}
			}
			return clr.Null
		}),
		R("void ExceptWith(IEnumerable<T> other)", func(f F, a []V) V {
			for _, v := range other(f, a).d.keys {
				set(a[0]).d.remove(f, v)
			}
			return clr.Null
		}),
		R("void SymmetricExceptWith(IEnumerable<T> other)", func(f F, a []V) V {
			for _, v := range other(f, a).d.keys {
				if !set(a[0]).d.remove(f, v) {
					set(a[0]).d.add(f, v)
				}
			}
			return clr.Null
		}),
		R("bool Overlaps(IEnumerable<T> other)", func(f F, a []V) V {
			return clr.Bool(slices.ContainsFunc(other(f, a).d.keys, func(v V) bool { return set(a[0]).d.find(f, v) >= 0 }))
		}),
		R("bool IsSubsetOf(IEnumerable<T> other)", func(f F, a []V) V { return clr.Bool(subset(f, set(a[0]), other(f, a))) }),
		R("bool IsSupersetOf(IEnumerable<T> other)", func(f F, a []V) V { return clr.Bool(subset(f, other(f, a), set(a[0]))) }),
		R("bool IsProperSubsetOf(IEnumerable<T> other)", func(f F, a []V) V {
			x, y := set(a[0]), other(f, a)
			return clr.Bool(subset(f, x, y) && len(x.d.keys) < len(y.d.keys))
		}),
		R("bool IsProperSupersetOf(IEnumerable<T> other)", func(f F, a []V) V {
			x, y := set(a[0]), other(f, a)
			return clr.Bool(subset(f, y, x) && len(y.d.keys) < len(x.d.keys))
		}),
		R("bool SetEquals(IEnumerable<T> other)", func(f F, a []V) V {
			o := other(f, a)
			return clr.Bool(subset(f, o, set(a[0])) && subset(f, set(a[0]), o))
		}),
		R("int RemoveWhere(Predicate<T> match)", func(f F, a []V) V {
			n := 0
			for _, v := range slices.Clone(set(a[0]).d.keys) {
				if f.Invoke(notNull(a[1], "match"), v).Bool() {
					set(a[0]).d.remove(f, v)
					n++
				}
			}
			return clr.Int(n)
		}),
	}
}

// add is put for sets: the first of equal items stays.
func (d *Dict) add(f F, v V) bool {
	if d.find(f, v) >= 0 {
		return false
	}
	return d.put(f, v, v)
}
