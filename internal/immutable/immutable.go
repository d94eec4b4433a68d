// Package immutable has a map that never changes: what sets or deletes a key returns another map, which shares all but
// a few small nodes with the one before. So a configuration of ten thousand parts can be changed in one of them, kept
// in both states, and compared, at the price of that one.
//
// A Map is a trie over the bits of the keys' hashes, five at a time. A node lists the entries that are alone at their
// place, and the nodes of places where there are several.
package immutable

import (
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
)

// A Map is safe for concurrent use. The zero value is empty.
type Map[K Key, V any] struct {
	root *node[K, V]
	n    int
}

type node[K Key, V any] struct {
	alone   uint32 // places that hold an entry
	several uint32 // places that hold a node
	entries []entry[K, V]
	nodes   []*node[K, V]
}

type entry[K Key, V any] struct {
	hash  uint64
	key   K
	value V
}

// Below the last level hashes are the same: the entries of a node are a list there.
const (
	width  = 5
	levels = 64/width + 1
)

// A Key says what its hash is: one made by Hash.
type Key interface {
	comparable
	Hash() uint64
}

var seed = maphash.MakeSeed()

// Hash is the hash of a text, the same as long as the process lives.
func Hash(text string) uint64 { return maphash.String(seed, text) }

// HashBytes is Hash of string(text).
func HashBytes(text []byte) uint64 { return maphash.Bytes(seed, text) }

func bit(hash uint64, level int) uint32 { return 1 << (hash >> (level * width) & (1<<width - 1)) }

// index is the place in a slice of what belongs to one of the bits of a set.
func index(set, bit uint32) int { return bits.OnesCount32(set & (bit - 1)) }

// Len is the number of keys.
func (m Map[K, V]) Len() int { return m.n }

// Get returns the value of a key.
func (m Map[K, V]) Get(key K) (v V, ok bool) {
	return m.Find(key.Hash(), func(k K) bool { return k == key })
}

// Find is Get for a key that is at hand in another form: its hash, and what tells it from others.
func (m Map[K, V]) Find(hash uint64, is func(K) bool) (v V, ok bool) {
	n := m.root
	for level := 0; n != nil; level++ {
		if level == levels {
			for _, e := range n.entries {
				if is(e.key) {
					return e.value, true
				}
			}
			return v, false
		}
		b := bit(hash, level)
		if n.alone&b != 0 {
			if e := &n.entries[index(n.alone, b)]; e.hash == hash && is(e.key) {
				return e.value, true
			}
			return v, false
		}
		if n.several&b == 0 {
			return v, false
		}
		n = n.nodes[index(n.several, b)]
	}
	return v, false
}

// Set is the map with a value for a key.
func (m Map[K, V]) Set(key K, value V) Map[K, V] {
	root, more := m.root.set(entry[K, V]{key.Hash(), key, value}, 0)
	if more {
		m.n++
	}
	return Map[K, V]{root, m.n}
}

func (n *node[K, V]) set(e entry[K, V], level int) (out *node[K, V], more bool) {
	if n == nil {
		n = &node[K, V]{}
	}
	if level == levels {
		i := slices.IndexFunc(n.entries, func(have entry[K, V]) bool { return have.key == e.key })
		if i < 0 {
			return &node[K, V]{entries: append(slices.Clip(n.entries), e)}, true
		}
		return &node[K, V]{entries: replaced(n.entries, i, e)}, false
	}
	out = &node[K, V]{n.alone, n.several, n.entries, n.nodes}
	b := bit(e.hash, level)
	at, below := index(n.alone, b), index(n.several, b)
	switch {
	case n.several&b != 0:
		kid, more := n.nodes[below].set(e, level+1)
		out.nodes = replaced(n.nodes, below, kid)
		return out, more
	case n.alone&b == 0:
		out.alone |= b
		out.entries = inserted(n.entries, at, e)
		return out, true
	case n.entries[at].key == e.key:
		out.entries = replaced(n.entries, at, e)
		return out, false
	}
	var kid *node[K, V]
	kid, _ = kid.set(n.entries[at], level+1)
	kid, _ = kid.set(e, level+1)
	out.alone &^= b
	out.several |= b
	out.entries, out.nodes = removed(n.entries, at), inserted(n.nodes, below, kid)
	return out, true
}

// Delete is the map without a key.
func (m Map[K, V]) Delete(key K) Map[K, V] {
	root, gone := m.root.remove(key.Hash(), key, 0)
	if !gone {
		return m
	}
	return Map[K, V]{root, m.n - 1}
}

// remove gives nil for a node that would be empty.
func (n *node[K, V]) remove(hash uint64, key K, level int) (out *node[K, V], gone bool) {
	if n == nil {
		return nil, false
	}
	if level == levels {
		i := slices.IndexFunc(n.entries, func(have entry[K, V]) bool { return have.key == key })
		switch {
		case i < 0:
			return n, false
		case len(n.entries) == 1:
			return nil, true
		}
		return &node[K, V]{entries: removed(n.entries, i)}, true
	}
	b := bit(hash, level)
	at, below := index(n.alone, b), index(n.several, b)
	switch {
	case n.alone&b != 0:
		if n.entries[at].key != key {
			return n, false
		}
		if len(n.entries) == 1 && n.several == 0 {
			return nil, true
		}
		return &node[K, V]{n.alone &^ b, n.several, removed(n.entries, at), n.nodes}, true
	case n.several&b == 0:
		return n, false
	}
	kid, gone := n.nodes[below].remove(hash, key, level+1)
	switch {
	case !gone:
		return n, false
	case kid == nil && len(n.nodes) == 1 && n.alone == 0:
		return nil, true
	case kid == nil:
		return &node[K, V]{n.alone, n.several &^ b, n.entries, removed(n.nodes, below)}, true
	case kid.several == 0 && len(kid.entries) == 1: // alone again
		return &node[K, V]{n.alone | b, n.several &^ b, inserted(n.entries, at, kid.entries[0]), removed(n.nodes, below)}, true
	}
	return &node[K, V]{n.alone, n.several, n.entries, replaced(n.nodes, below, kid)}, true
}

// All lists keys and values in no particular order.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { m.root.all(yield) }
}

func (n *node[K, V]) all(yield func(K, V) bool) bool {
	if n == nil {
		return true
	}
	for _, e := range n.entries {
		if !yield(e.key, e.value) {
			return false
		}
	}
	for _, kid := range n.nodes {
		if !kid.all(yield) {
			return false
		}
	}
	return true
}

// Diff tells in what two maps may differ: every key whose value was set or deleted on the way from one to the other,
// and a few beside these, with the value in both; nil where there is none. What the maps share is passed over unseen.
func Diff[K Key, V any](from, to Map[K, V], tell func(key K, from, to *V)) {
	diff(from.root, to.root, 0, tell)
}

func diff[K Key, V any](from, to *node[K, V], level int, tell func(K, *V, *V)) {
	switch {
	case from == to:
		return
	case from == nil:
		from = &node[K, V]{}
	case to == nil:
		to = &node[K, V]{}
	}
	if level == levels {
		match(from.entries, to.entries, tell)
		return
	}
	for set := from.alone | from.several | to.alone | to.several; set != 0; set &= set - 1 {
		b := set & -set
		if (from.alone|to.alone)&b == 0 {
			diff(from.kid(b), to.kid(b), level+1, tell)
			continue
		}
		match(from.at(b), to.at(b), tell)
	}
}

func (n *node[K, V]) kid(b uint32) *node[K, V] {
	if n.several&b == 0 {
		return nil
	}
	return n.nodes[index(n.several, b)]
}

// at lists the entries at a place and below it.
func (n *node[K, V]) at(b uint32) (list []entry[K, V]) {
	if n.alone&b != 0 {
		return n.entries[index(n.alone, b):][:1]
	}
	return n.kid(b).list(nil)
}

func (n *node[K, V]) list(list []entry[K, V]) []entry[K, V] {
	if n == nil {
		return list
	}
	list = append(list, n.entries...)
	for _, kid := range n.nodes {
		list = kid.list(list)
	}
	return list
}

// match tells the differences between two lists, of which one is short.
func match[K Key, V any](from, to []entry[K, V], tell func(K, *V, *V)) {
	for i := range from {
		var now *V
		for j := range to {
			if to[j].key == from[i].key {
				now = &to[j].value
			}
		}
		tell(from[i].key, &from[i].value, now)
	}
	for j := range to {
		if !slices.ContainsFunc(from, func(e entry[K, V]) bool { return e.key == to[j].key }) {
			tell(to[j].key, nil, &to[j].value)
		}
	}
}

func replaced[T any](list []T, i int, v T) []T {
	out := slices.Clone(list)
	out[i] = v
	return out
}

func inserted[T any](list []T, i int, v T) []T {
	out := make([]T, len(list)+1)
	copy(out, list[:i])
	out[i] = v
	copy(out[i+1:], list[i:])
	return out
}

func removed[T any](list []T, i int) []T {
	if len(list) == 1 {
		return nil
	}
	out := make([]T, len(list)-1)
	copy(out, list[:i])
	copy(out[i:], list[i+1:])
	return out
}
