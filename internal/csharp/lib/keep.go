package lib

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// Errors of Keep.
var (
	ErrTooLarge = errors.New("the value is too large")
	ErrNotKept  = errors.New("a value of this type cannot be kept")
)

// keptDepth bounds how deep values may hold each other: lists can hold
// themselves.
const keptDepth = 200

// Keep copies a value that outlives its evaluation, or one that was kept before
// for another evaluation, so that neither sees what the other changes. Simple
// values, strings, arrays, lists, dictionaries, sets, pairs, tuples, JSON and
// XML can be kept. size is about the memory that the copy takes, at most that.
func Keep(v V, most int64) (kept V, size int64, err error) {
	k := keeper{most: most}
	kept, err = k.value(v, 0)
	return kept, k.size, err
}

type keeper struct{ size, most int64 }

// take counts memory.
func (k *keeper) take(n int) error {
	if k.size += int64(n); k.size > k.most {
		return ErrTooLarge
	}
	return nil
}

func (k *keeper) value(v V, depth int) (V, error) {
	if v.IsString() {
		err := k.take(24 + len(v.Str()))
		return clr.String(strings.Clone(v.Str())), err // it may be a part of something large
	}
	if err := k.take(24); err != nil || v.IsNull() || v.Tag() != nil {
		return v, err
	}
	if depth > keptDepth {
		return v, ErrTooLarge
	}
	switch o := v.Ref().(type) {
	case *clr.Decimal, *Guid, *DateTimeOffset, *URI, *clr.Unset, *clr.TypeRef, *xname, *label:
		return v, k.take(64) // nothing changes these
	case *clr.Arr:
		out := *o
		var err error
		if out.B != nil {
			out.B = slices.Clone(o.B)
			err = k.take(len(o.B))
		} else {
			out.V, err = k.values(o.V, depth)
		}
		return clr.Object(&out), err
	case *List:
		items, err := k.values(o.V, depth)
		return clr.Object(&List{T: o.T, V: items}), err
	case *Dict:
		out := &Dict{T: o.T}
		return clr.Object(out), k.dict(out, o, depth)
	case *Set:
		out := &Set{T: o.T}
		return clr.Object(out), k.dict(&out.d, &o.d, depth)
	case *pair:
		both, err := k.values([]V{o.Key, o.Val}, depth)
		if err != nil {
			return v, err
		}
		return clr.Object(&pair{o.T, both[0], both[1]}), nil
	case *clr.Record:
		vals, err := k.values(o.Vals, depth)
		return clr.Object(&clr.Record{T: o.T, Vals: vals}), err
	case *Token:
		out, err := k.token(o, depth)
		if err != nil {
			return v, err
		}
		return clr.Object(out), nil
	case *Node:
		out, err := k.node(o, depth)
		if err != nil {
			return v, err
		}
		return clr.Object(out), nil
	case clr.Typed:
		return v, fmt.Errorf("%w: %s", ErrNotKept, o.RuntimeType().FullName())
	}
	return v, ErrNotKept
}

func (k *keeper) values(list []V, depth int) ([]V, error) {
	out := make([]V, len(list))
	for i := range list {
		var err error
		if out[i], err = k.value(list[i], depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// dict copies keys as they are: only such are taken that are the same in every
// copy.
func (k *keeper) dict(out, d *Dict, depth int) error {
	for _, key := range d.keys {
		if !key.IsString() && key.Tag() == nil {
			return fmt.Errorf("%w: a dictionary or set of objects", ErrNotKept)
		}
	}
	var err error
	if out.keys, err = k.values(d.keys, depth); err != nil {
		return err
	}
	if d.vals != nil {
		out.vals, err = k.values(d.vals, depth)
	}
	out.mode, out.index = d.mode, maps.Clone(d.index)
	return errors.Join(err, k.take(48*len(d.keys)))
}

func (k *keeper) token(t *Token, depth int) (*Token, error) {
	if err := k.take(120 + len(t.name)); err != nil {
		return nil, err
	}
	if depth > keptDepth {
		return nil, ErrTooLarge
	}
	val, err := k.value(t.val, depth)
	if err != nil {
		return nil, err
	}
	out := &Token{kind: t.kind, name: strings.Clone(t.name), val: val, line: t.line, col: t.col}
	for _, kid := range t.kids {
		c, err := k.token(kid, depth+1)
		if err != nil {
			return nil, err
		}
		out.push(c)
	}
	return out, nil
}

func (k *keeper) node(n *Node, depth int) (*Node, error) {
	if err := k.take(200 + len(n.space) + len(n.local) + len(n.value)); err != nil {
		return nil, err
	}
	if depth > keptDepth {
		return nil, ErrTooLarge
	}
	out := *n
	out.parent, out.attrs, out.kids = nil, nil, nil
	out.space, out.local, out.value = strings.Clone(n.space), strings.Clone(n.local), strings.Clone(n.value)
	for _, part := range []struct{ from, to *[]*Node }{{&n.attrs, &out.attrs}, {&n.kids, &out.kids}} {
		for _, kid := range *part.from {
			c, err := k.node(kid, depth+1)
			if err != nil {
				return nil, err
			}
			c.parent = &out
			*part.to = append(*part.to, c)
		}
	}
	return &out, nil
}
