package resource

import (
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// childField is a property of a resource that lists resources below it: they are documents of their own, which the body
// of their parent may bring along as a whole list.
type childField struct {
	path  string // properties.subnets
	child string // full type
}

// take moves the listed children from the body to the change. A body without the list leaves them as they are.
func (f childField) take(c *Change) {
	list, ok := c.New.Get(f.path).([]any)
	delete(c.Brings, f.child)
	if !ok {
		return
	}
	c.New.Remove(f.path)
	if c.Brings == nil {
		c.Brings = map[string][]*Change{}
	}
	c.Brings[f.child] = []*Change{}
	for _, item := range list {
		o, ok := item.(map[string]any)
		if !ok {
			o = map[string]any{}
		}
		c.Brings[f.child] = append(c.Brings[f.child], &Change{New: o})
	}
}

// check reads and checks the listed children, each as if it were put by itself, and whether those that are not listed
// can go.
func (f childField) check(c *Change) (found []arm.ErrorDetail) {
	kids, brings := c.Brings[f.child]
	if !brings {
		return nil
	}
	row, _ := c.Engine.Row(f.child)
	seen := map[string]bool{}
	for _, kid := range kids {
		name := Object(kid.New).Text("name")
		if wrong := row.CheckName(name); len(wrong) > 0 {
			found = append(found, wrong...)
			continue
		}
		if seen[strings.ToLower(name)] {
			found = append(found, Finding(target(f.path), "'%s' is listed more than once.", name))
			continue
		}
		seen[strings.ToLower(name)] = true
		found = append(found, f.checkOne(c, kid, row, name)...)
	}
	docs, err := c.Tree.List(store.Query{Type: strings.ToLower(f.child), Prefix: c.ID})
	if err != nil {
		return append(found, Finding(target(f.path), "'%s' cannot be read.", last(f.path)))
	}
	for _, d := range docs {
		if seen[strings.ToLower(lastSegment(d.ID))] {
			continue
		}
		if row.OnDelete != nil {
			if err := row.OnDelete(&Removal{ID: d.ID, Tree: c.Tree, Version: c.Version}); err != nil {
				found = append(found, arm.ErrorDetail{Code: err.Code, Message: err.Message})
			}
		}
	}
	return found
}

func (f childField) checkOne(c, kid *Change, row *Row, name string) []arm.ErrorDetail {
	o, err := c.Engine.decode(row, c.Version, kid.New)
	if err != nil {
		if len(err.Details) == 0 {
			return []arm.ErrorDetail{Finding(target(f.path), "%s", err.Message)}
		}
		return err.Details
	}
	id := c.ID + "/" + last(f.path) + "/" + name
	*kid = Change{Row: row, Version: c.Version, ID: id, Name: name, New: o, Tree: c.Tree, Engine: c.Engine, Env: c.Env, Parent: c}
	if d, err := c.Tree.Get(id); err == nil {
		kid.ID, kid.doc = d.ID, &d
		kid.Old, _ = c.Engine.Open(d)
	}
	kid.complete()
	var found []arm.ErrorDetail
	for _, rule := range row.Rules {
		found = append(found, rule(kid)...)
	}
	return found
}

// store writes the listed children and removes the others, in the transaction of their parent.
func (f childField) store(c *Change, tx store.Tx) error {
	kids, brings := c.Brings[f.child]
	if !brings {
		return nil
	}
	docs, err := tx.List(store.Query{Type: strings.ToLower(f.child), Prefix: c.ID})
	if err != nil {
		return err
	}
	for _, d := range docs {
		if !slices.ContainsFunc(kids, func(kid *Change) bool { return store.Key(kid.ID) == store.Key(d.ID) }) {
			if err := tx.Delete(d.ID); err != nil {
				return err
			}
		}
	}
	for _, kid := range kids {
		d, err := c.Engine.Document(kid.Row, kid.ID, kid.New, kid.doc)
		if err != nil {
			return err
		}
		if _, err := tx.Put(d); err != nil {
			return err
		}
	}
	return nil
}

// show lists the children in the body of their parent.
func (f childField) show(s *Shown) {
	list := []any{}
	if s.Tree == nil || s.Engine == nil {
		return
	}
	row, _ := s.Engine.Row(f.child)
	docs, err := s.Tree.List(store.Query{Type: strings.ToLower(f.child), Prefix: s.Doc.ID})
	if err != nil {
		return
	}
	for _, d := range docs {
		if o, err := s.Engine.Show(row, s.Version, d, s.Around); err == nil {
			list = append(list, map[string]any(o))
		}
	}
	s.Object.Set(f.path, list)
}
