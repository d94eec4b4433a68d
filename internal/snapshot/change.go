package snapshot

import (
	"errors"
	"slices"
)

// A Change makes a manifest of a service out of the one that a machine has, so that one API more or less costs what it
// is and not what the service is.
type Change struct {
	Service string   `json:"service"`
	Seq     int64    `json:"seq"`
	Base    string   `json:"base"`           // digest of the manifest that is changed
	Digest  string   `json:"digest"`         // of the result
	Gone    []int    `json:"gone,omitempty"` // places in Base of the parts that go, ascending
	Put     []Placed `json:"put,omitempty"`  // parts that come, by place in the result, ascending
}

// Placed is a part with its place in a manifest.
type Placed struct {
	At int `json:"at"`
	PartRef
}

// ErrOtherBase is returned for a change of another manifest than the one at hand.
var ErrOtherBase = errors.New("the change belongs to another manifest")

// Diff is the change from one manifest to another; ok is false when the parts that stay are in another order.
func Diff(from, to Manifest) (c Change, ok bool) {
	c = Change{Service: to.Service, Seq: to.Seq, Base: from.Digest(), Digest: to.Digest()}
	have := make(map[PartRef]int, len(from.Parts))
	for i, p := range from.Parts {
		have[p] = i
	}
	next := 0 // place in from of what may stay next
	for at, p := range to.Parts {
		i, stays := have[p]
		if !stays {
			c.Put = append(c.Put, Placed{at, p})
			continue
		}
		if i < next {
			return c, false
		}
		for ; next < i; next++ {
			c.Gone = append(c.Gone, next)
		}
		next++
	}
	for ; next < len(from.Parts); next++ {
		c.Gone = append(c.Gone, next)
	}
	return c, true
}

// Apply makes the new manifest. It returns ErrOtherBase when m is not the one that was changed.
func (c Change) Apply(m Manifest) (Manifest, error) {
	if m.Digest() != c.Base {
		return m, ErrOtherBase
	}
	parts := make([]PartRef, 0, len(m.Parts)+len(c.Put))
	put := c.Put
	for i, p := range m.Parts {
		for len(put) > 0 && put[0].At == len(parts) {
			parts, put = append(parts, put[0].PartRef), put[1:]
		}
		if _, gone := slices.BinarySearch(c.Gone, i); !gone {
			parts = append(parts, p)
		}
	}
	for ; len(put) > 0 && put[0].At == len(parts); put = put[1:] {
		parts = append(parts, put[0].PartRef)
	}
	m.Seq, m.Parts = c.Seq, parts
	if m.Digest() != c.Digest {
		return m, ErrOtherBase
	}
	return m, nil
}
