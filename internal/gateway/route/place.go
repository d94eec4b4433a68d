package route

import (
	"cmp"
	"slices"

	"github.com/portico-dev/portico/internal/immutable"
)

// place is where the paths of APIs meet that begin with the same segments. It never changes.
type place[T any] struct {
	apis  []leaf[T] // that end here, by rank
	below immutable.Map[segmentKey, *place[T]]
}

// leaf is an API that ends at a place.
type leaf[T any] struct {
	api        T
	rank       string
	version    Version
	operations *Compiled
}

func (l leaf[T]) compare(rank string) int { return cmp.Compare(l.rank, rank) }

// segmentKey is a segment as it is compared: decoded and in lower case.
type segmentKey string

// Hash implements immutable.Key.
func (k segmentKey) Hash() uint64 { return immutable.Hash(string(k)) }

// edit is the place after a change of the APIs that end at a path below it; nil when nothing is left. change may write
// to the list that it gets.
func (p *place[T]) edit(path string, change func([]leaf[T]) []leaf[T]) *place[T] {
	next := place[T]{}
	if p != nil {
		next = *p
	}
	seg, rest := cut(path)
	for seg == "" && rest != "" {
		seg, rest = cut(rest)
	}
	if seg == "" {
		next.apis = change(slices.Clone(next.apis))
	} else {
		key := segmentKey(plain(seg))
		kid, _ := next.below.Get(key)
		if kid = kid.edit(rest, change); kid != nil {
			next.below = next.below.Set(key, kid)
		} else {
			next.below = next.below.Delete(key)
		}
	}
	if len(next.apis) == 0 && next.below.Len() == 0 {
		return nil
	}
	return &next
}

// child finds the place behind a segment of a request.
func (p *place[T]) child(seg string) *place[T] {
	var buf [maxFold]byte
	key := fold(seg, &buf)
	kid, _ := p.below.Find(immutable.HashBytes(key), func(k segmentKey) bool { return string(k) == string(key) })
	return kid
}

// version finds the first API that ends at a place and whose version a request asks for.
func (p *place[T]) version(r Request) *leaf[T] {
	for i := range p.apis {
		if p.apis[i].version.wanted(r) {
			return &p.apis[i]
		}
	}
	return nil
}
