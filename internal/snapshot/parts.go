package snapshot

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"iter"
	"math/bits"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/immutable"
)

// A PartRef names a part. ID is the resource ID that the part is about.
type PartRef struct {
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Digest string `json:"digest"`
}

// Key is what tells the part from all others of its service.
func (r PartRef) Key() PartKey { return PartKey{r.Kind, r.ID} }

// A PartKey is a part's place in a manifest, whatever its content.
type PartKey struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Hash implements immutable.Key.
func (k PartKey) Hash() uint64 { return immutable.Hash(k.Kind) + 31*immutable.Hash(k.ID) }

func (k PartKey) compare(o PartKey) int {
	return cmp.Or(strings.Compare(k.Kind, o.Kind), strings.Compare(k.ID, o.ID))
}

// Parts is a set of parts, one for each key. It never changes, and one that is made of another shares memory with it:
// with ten thousand parts, too, a change of one, its digest and the difference cost what that one is.
type Parts struct {
	digests immutable.Map[PartKey, string]
	sum     sum
}

// NewParts makes a set.
func NewParts(refs ...PartRef) Parts { return Parts{}.With(refs...) }

// With is the set with some parts put into it, each in the place of one with the same key.
func (p Parts) With(refs ...PartRef) Parts {
	for _, r := range refs {
		if old, ok := p.digests.Get(r.Key()); ok {
			p.sum.take(PartRef{r.Kind, r.ID, old})
		}
		p.digests = p.digests.Set(r.Key(), r.Digest)
		p.sum.add(r)
	}
	return p
}

// Without is the set without some parts.
func (p Parts) Without(keys ...PartKey) Parts {
	for _, k := range keys {
		if old, ok := p.digests.Get(k); ok {
			p.sum.take(PartRef{k.Kind, k.ID, old})
			p.digests = p.digests.Delete(k)
		}
	}
	return p
}

// Len is how many parts there are.
func (p Parts) Len() int { return p.digests.Len() }

// Get returns the part with a key.
func (p Parts) Get(k PartKey) (PartRef, bool) {
	digest, ok := p.digests.Get(k)
	return PartRef{k.Kind, k.ID, digest}, ok
}

// All lists the parts in no particular order.
func (p Parts) All() iter.Seq[PartRef] {
	return func(yield func(PartRef) bool) {
		p.digests.All()(func(k PartKey, digest string) bool { return yield(PartRef{k.Kind, k.ID, digest}) })
	}
}

// List lists the parts in the order of their keys.
func (p Parts) List() []PartRef {
	return slices.SortedFunc(p.All(), func(a, b PartRef) int { return a.Key().compare(b.Key()) })
}

// Digest identifies the content.
func (p Parts) Digest() string {
	h := sha256.New()
	for _, word := range p.sum {
		h.Write(binary.BigEndian.AppendUint64(nil, word))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Equal says whether two sets have the same content.
func (p Parts) Equal(o Parts) bool { return len(Differences(p, o)) == 0 }

// MarshalJSON implements json.Marshaler: a list.
func (p Parts) MarshalJSON() ([]byte, error) { return json.Marshal(p.List()) }

// UnmarshalJSON implements json.Unmarshaler.
func (p *Parts) UnmarshalJSON(data []byte) error {
	var list []PartRef
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*p = NewParts(list...)
	return nil
}

// A Difference is a part that two sets do not have in common. The digest is empty in the set that has none.
type Difference struct {
	PartKey
	From, To string
}

// Differences lists what leads from one set to another, in the order of the keys.
func Differences(from, to Parts) []Difference {
	var out []Difference
	immutable.Diff(from.digests, to.digests, func(key PartKey, was, is *string) {
		d := Difference{PartKey: key}
		if was != nil {
			d.From = *was
		}
		if is != nil {
			d.To = *is
		}
		if d.From != d.To {
			out = append(out, d)
		}
	})
	slices.SortFunc(out, func(a, b Difference) int { return a.compare(b.PartKey) })
	return out
}

// A sum adds the hashes of parts, modulo 2^256: it does not depend on the order, and a part can be taken out again.
type sum [4]uint64 // the lowest word first

func (s *sum) add(r PartRef) {
	var carry uint64
	for i, word := range hashOf(r) {
		s[i], carry = bits.Add64(s[i], word, carry)
	}
}

func (s *sum) take(r PartRef) {
	var borrow uint64
	for i, word := range hashOf(r) {
		s[i], borrow = bits.Sub64(s[i], word, borrow)
	}
}

func hashOf(r PartRef) (out sum) {
	h := sha256.Sum256([]byte(r.Kind + "\x00" + r.ID + "\x00" + r.Digest))
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(h[8*i:])
	}
	return out
}
