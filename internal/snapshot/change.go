package snapshot

import "errors"

// A Change makes a manifest of a service out of the one that a machine has, so that one API more or less costs what it
// is and not what the service is.
type Change struct {
	Service string    `json:"service"`
	Seq     int64     `json:"seq"`
	Base    string    `json:"base"`   // digest of the manifest that is changed
	Digest  string    `json:"digest"` // of the result
	Gone    []PartKey `json:"gone,omitempty"`
	Put     []PartRef `json:"put,omitempty"`
}

// ErrOtherBase is returned for a change of another manifest than the one at hand.
var ErrOtherBase = errors.New("the change belongs to another manifest")

// Diff is the change from one manifest to another.
func Diff(from, to Manifest) Change {
	c := Change{Service: to.Service, Seq: to.Seq, Base: from.Digest(), Digest: to.Digest()}
	for _, d := range Differences(from.Parts, to.Parts) {
		if d.To == "" {
			c.Gone = append(c.Gone, d.PartKey)
		} else {
			c.Put = append(c.Put, PartRef{d.Kind, d.ID, d.To})
		}
	}
	return c
}

// Apply makes the new manifest. It returns ErrOtherBase when m is not the one that was changed.
func (c Change) Apply(m Manifest) (Manifest, error) {
	if m.Digest() != c.Base {
		return m, ErrOtherBase
	}
	next := m
	next.Seq, next.Parts = c.Seq, m.Parts.Without(c.Gone...).With(c.Put...)
	if next.Digest() != c.Digest {
		return m, ErrOtherBase
	}
	return next, nil
}
