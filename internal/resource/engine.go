package resource

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// A Sealer encrypts secrets for storage. The context binds a sealed value to its place.
type Sealer interface {
	Seal(plain []byte, context string) (string, error)
	Open(sealed, context string) ([]byte, error)
}

// sealedKey is the only name in the object that stands for a sealed value.
const sealedKey = "$sealed"

// An Engine reads, checks, shows and seals by the rows of its table. It is safe for concurrent use.
type Engine struct {
	rows   []*Row
	byType map[string]*Row
	trees  trees
	sealer Sealer
}

// NewEngine returns an engine over All rows.
func NewEngine(s Sealer) *Engine {
	t := theTable()
	return &Engine{rows: t.rows, byType: t.byType, sealer: s}
}

// A table is All rows and their index. It is made once and never changed.
type table struct {
	rows   []*Row
	byType map[string]*Row // by lower-case full type
}

var theTable = sync.OnceValue(func() table {
	t := table{rows: All(), byType: map[string]*Row{}}
	for _, r := range t.rows {
		t.byType[strings.ToLower(r.Type())] = r
	}
	return t
})

// Rows lists the table in its order.
func (e *Engine) Rows() []*Row { return e.rows }

// Row finds a type, compared without case.
func (e *Engine) Row(fullType string) (*Row, bool) {
	r, ok := e.byType[strings.ToLower(fullType)]
	return r, ok
}

// Open returns what a document's client asked for, in the newest spelling, with its secrets in the clear.
func (e *Engine) Open(d store.Document) (Object, error) {
	r, ok := e.Row(d.Type)
	if !ok {
		return nil, fmt.Errorf("open %s: unknown type %s", d.ID, d.Type)
	}
	return e.open(r, d)
}

// Open is Engine.Open for those who read documents and do nothing else with resource types.
func Open(d store.Document, s Sealer) (Object, error) { return NewEngine(s).Open(d) }

func (e *Engine) open(r *Row, d store.Document) (Object, error) {
	o := Object{}
	if len(d.Desired) > 0 {
		dec := json.NewDecoder(bytes.NewReader(d.Desired))
		dec.UseNumber()
		if err := dec.Decode(&o); err != nil {
			return nil, fmt.Errorf("decode %s: %w", d.ID, err)
		}
	}
	for _, f := range r.Fields {
		if f.Flags&Sealed == 0 || f.As != "" {
			continue
		}
		sealed, ok := sealedText(o.Get(f.Path))
		if !ok {
			continue
		}
		plain, err := e.sealer.Open(sealed, sealContext(d.ID, f.Path))
		if err != nil {
			return nil, fmt.Errorf("unseal %s of %s: %w", f.Path, d.ID, err)
		}
		var v any
		if err := json.Unmarshal(plain, &v); err != nil {
			return nil, fmt.Errorf("unseal %s of %s: %w", f.Path, d.ID, err)
		}
		o.Set(f.Path, v)
	}
	return o, nil
}

// Document is the stored form of a plain object. Secrets that did not change keep their sealed form, so that writing
// what is there already changes nothing.
func (e *Engine) Document(r *Row, id string, o Object, old *store.Document) (store.Document, error) {
	d := store.Document{ID: id, Type: strings.ToLower(r.Type())}
	if r.Lookup != "" {
		d.Lookup = lookupWord(o.Text(r.Lookup))
	}
	var before, beforeSealed Object
	if old != nil {
		d.ID, d.Status = old.ID, old.Status
		var err error
		if before, err = e.open(r, *old); err != nil {
			return d, err
		}
		beforeSealed, _ = parseObject(old.Desired)
	}
	out := o.Clone()
	for _, f := range r.Fields {
		v := out.Get(f.Path)
		switch {
		case v == nil || f.As != "":
		case f.Flags&WriteOnly != 0:
			out.Remove(f.Path)
		case f.Flags&Sealed != 0:
			plain, err := json.Marshal(v)
			if err != nil {
				return d, fmt.Errorf("seal %s of %s: %w", f.Path, id, err)
			}
			if was := before.Get(f.Path); was != nil {
				if same, err := json.Marshal(was); err == nil && bytes.Equal(same, plain) && beforeSealed.Get(f.Path) != nil {
					out.Set(f.Path, beforeSealed.Get(f.Path))
					continue
				}
			}
			sealed, err := e.sealer.Seal(plain, sealContext(d.ID, f.Path))
			if err != nil {
				return d, fmt.Errorf("seal %s of %s: %w", f.Path, id, err)
			}
			out.Set(f.Path, map[string]any{sealedKey: sealed})
		}
	}
	desired, err := canonical(out)
	if err != nil {
		return d, fmt.Errorf("encode %s: %w", id, err)
	}
	d.Desired = desired
	return d, nil
}

func sealedText(v any) (string, bool) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return "", false
	}
	s, ok := m[sealedKey].(string)
	return s, ok
}

func sealContext(id, path string) string { return store.Key(id) + "#" + path }

// keep copies what api-version v cannot express from the old object to the new one. Fields in arrays are compared by
// nothing and go with their element, unless v does not know the array at all.
func (e *Engine) keep(r *Row, v arm.Version, old, fresh Object) {
	for _, f := range r.Fields {
		if f.As != "" || f.Flags&(Reset|WriteOnly) != 0 || v.In(f.From, f.Until) {
			continue
		}
		path := f.Path
		if i := strings.IndexAny(path, "[{"); i >= 0 {
			if path = path[:i]; knowsPart(r, path, v) {
				continue
			}
		}
		if hasOldSpelling(r, path, v) {
			continue
		}
		if was := old.Get(path); was != nil && fresh.Get(path) == nil {
			fresh.Set(path, cloneValue(was))
		}
	}
}

// knowsPart says whether v has any field of the elements of an array or map.
func knowsPart(r *Row, path string, v arm.Version) bool {
	return slices.ContainsFunc(r.Fields, func(f Field) bool {
		rest, ok := strings.CutPrefix(f.Path, path)
		return ok && rest != "" && (rest[0] == '[' || rest[0] == '{') && v.In(f.From, f.Until)
	})
}

func hasOldSpelling(r *Row, path string, v arm.Version) bool {
	return slices.ContainsFunc(r.Fields, func(f Field) bool { return f.As == path && v.In(f.From, f.Until) })
}

// setDefaults fills constant defaults.
func setDefaults(r *Row, o Object) {
	for _, f := range r.Fields {
		if f.Default == nil || strings.ContainsAny(f.Path, "[{") {
			continue
		}
		// The default of a part is filled when its whole is there, or always below "properties".
		if whole := f.Path[:strings.LastIndexByte(f.Path, '.')+1]; whole == "properties." || o.Get(strings.TrimSuffix(whole, ".")) != nil {
			o.SetDefault(f.Path, cloneValue(f.Default))
		}
	}
}
