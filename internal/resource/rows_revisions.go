package resource

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// The current revision of an API is stored under the API's own ID, every other under that ID with ";rev=n". To make
// another revision current, the two change places with everything below them, releases apart.

const revisionMark = ";rev="

// SplitRevision cuts "echo;rev=2", a name or an ID, into "echo" and "2"; without a revision the second is empty.
func SplitRevision(name string) (api, revision string) {
	i := strings.LastIndex(strings.ToLower(name), revisionMark)
	if i < 0 || strings.Contains(name[i:], "/") {
		return name, ""
	}
	return name[:i], name[i+len(revisionMark):]
}

// RevisionDocument is the document of a revision of an API: api is the API's own ID. It is nil when there is none.
func RevisionDocument(t store.Reader, api, revision string) (*store.Document, error) {
	current, err := t.Get(api)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := parseObject(current.Desired)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", api, err)
	}
	if revision == "" || strings.EqualFold(o.Text("properties.apiRevision"), revision) {
		return &current, nil
	}
	d, err := t.Get(current.ID + revisionMark + revision)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &d, err
}

// Revisions lists the documents of all revisions of an API, the current one first, the others by their IDs.
func Revisions(t store.Reader, api string) ([]store.Document, error) {
	bare, _ := SplitRevision(api)
	all, err := t.List(store.Query{Type: strings.ToLower(APIM + "/service/apis"), Prefix: ServiceID(api)})
	if err != nil {
		return nil, err
	}
	var out []store.Document
	for _, d := range all {
		switch name, revision := SplitRevision(d.ID); {
		case store.Key(name) != store.Key(bare):
		case revision == "":
			out = slices.Insert(out, 0, d)
		default:
			out = append(out, d)
		}
	}
	return out, nil
}

// apiReference is the document of the API that a client names by ID, with or without a revision; nil for none.
func (c *Change) apiReference(ref string) *store.Document {
	id := c.fullID("apis", ref)
	if !strings.HasPrefix(store.Key(id), store.Key(c.Service())+"/apis/") {
		return nil
	}
	api, revision := SplitRevision(id)
	d, err := RevisionDocument(c.Tree, api, revision)
	if err != nil {
		return nil
	}
	return d
}

// inherit fills the body of a new API from the one that it is a copy of, and that of a new revision from the current
// one. What is there already is not copied again: sourceApiId says where an API comes from.
func (c *Change) inherit() {
	source := c.New.Text("properties.sourceApiId")
	c.New.Remove("properties.sourceApiId")
	if !c.Creating() {
		return
	}
	if source != "" {
		c.Source = c.apiReference(source)
		c.SourceMissing = c.Source == nil
	}
	from := c.Source
	api, revision := SplitRevision(c.ID)
	if from == nil && revision != "" {
		if d, err := c.Tree.Get(api); err == nil {
			from = &d
		}
	}
	if from == nil {
		return
	}
	o, err := parseObject(from.Desired)
	if err != nil {
		return
	}
	not := []string{"apiRevision", "apiRevisionDescription", "isCurrent"}
	if of, _ := SplitRevision(from.ID); store.Key(of) != store.Key(api) { // a copy is another API
		not = append(not, "apiVersion", "apiVersionDescription", "apiVersionSetId", "path")
	}
	props, _ := o["properties"].(map[string]any)
	for name, v := range props {
		if !slices.Contains(not, name) {
			c.New.SetDefault("properties."+name, cloneValue(v))
		}
	}
}

// shared are the properties that all revisions of an API have in common: requests find the API by them.
var shared = []string{"path", "apiVersion", "apiVersionSetId"}

// revisionRules: a revision says nothing else about what is common to all, and its number is that of its address.
func revisionRules(c *Change) (found []arm.ErrorDetail) {
	if c.SourceMissing {
		found = append(found, Finding("sourceApiId", "The API that 'sourceApiId' names could not be found."))
	}
	api, _ := SplitRevision(c.ID)
	number := c.New.Text("properties.apiRevision")
	switch was := c.Old.Text("properties.apiRevision"); {
	case c.Revision != "" && c.Revision != number:
		found = append(found, Finding("apiRevision", "The revision '%s' in the body is not the revision '%s' of the address.", number, c.Revision))
	case was != "" && was != number:
		found = append(found, Finding("apiRevision", "The current revision is '%s': revision '%s' has an address of its own, ending in ';rev=%s'.", was, number, number))
	case strings.ContainsAny(number, "/;?#%&\\ "):
		found = append(found, Finding("apiRevision", "'%s' cannot be part of a request.", number))
	}
	if store.Key(api) == store.Key(c.ID) {
		return found
	}
	current, err := c.Tree.Get(api)
	if err != nil {
		return found
	}
	o, err := parseObject(current.Desired)
	if err != nil {
		return found
	}
	for _, name := range shared {
		if have := o.Text("properties." + name); !strings.EqualFold(have, c.New.Text("properties."+name)) {
			found = append(found, Finding(name, "'%s' is the same for all revisions of an API: it is '%s'.", name, have))
		}
	}
	return found
}

// storedAPI writes what comes with an API: its version set, the content of what it is a copy of, what its other
// revisions share with it; and makes it current when the body of a revision asks for that.
func storedAPI(c *Change, tx store.Tx) error {
	if err := putVersionSet(c, tx); err != nil {
		return err
	}
	if c.Source != nil && c.Imported == nil {
		if err := copyBelow(c.Engine, tx, c.Source.ID, c.ID); err != nil {
			return err
		}
	}
	api, revision := SplitRevision(c.ID)
	if revision != "" {
		if c.MakeCurrent {
			c.Moved = api
			return makeCurrent(c.Engine, tx, api, revision)
		}
		return nil
	}
	if c.Creating() || !slices.ContainsFunc(shared, func(n string) bool { return c.Old.Text("properties."+n) != c.New.Text("properties."+n) }) {
		return nil
	}
	return shareWithRevisions(c, tx)
}

func shareWithRevisions(c *Change, tx store.Tx) error {
	docs, err := Revisions(tx, c.ID)
	if err != nil {
		return err
	}
	for _, d := range docs[1:] {
		o, err := c.Engine.Open(d)
		if err != nil {
			return err
		}
		for _, name := range shared {
			o.Remove("properties." + name)
			if v := c.New.Get("properties." + name); v != nil {
				o.Set("properties."+name, v)
			}
		}
		fresh, err := c.Engine.Document(c.Row, d.ID, o, &d)
		if err != nil {
			return err
		}
		if _, err := tx.Put(fresh); err != nil {
			return err
		}
	}
	return nil
}

// makeCurrent lets a revision and the current one change places. api is the API's own ID.
func makeCurrent(e *Engine, tx store.Tx, api, revision string) error {
	target, err := RevisionDocument(tx, api, revision)
	if err != nil || target == nil || store.Key(target.ID) == store.Key(api) {
		return err
	}
	current, err := tx.Get(api)
	if err != nil {
		return err
	}
	o, err := e.Open(current)
	if err != nil {
		return err
	}
	were, err := takeTree(tx, current)
	if err != nil {
		return err
	}
	will, err := takeTree(tx, *target)
	if err != nil {
		return err
	}
	if err := putTree(e, tx, will, target.ID, current.ID); err != nil {
		return err
	}
	return putTree(e, tx, were, current.ID, current.ID+revisionMark+o.Text("properties.apiRevision"))
}

// ofRevision lists a document and what is below it, without what belongs to the API and not to one of its revisions.
func ofRevision(t store.Reader, root store.Document) ([]store.Document, error) {
	docs, err := t.List(store.Query{Prefix: root.ID})
	if err != nil {
		return nil, err
	}
	docs = slices.DeleteFunc(docs, func(d store.Document) bool {
		return strings.HasPrefix(store.Key(d.ID), store.Key(root.ID)+"/releases/")
	})
	return append([]store.Document{root}, docs...), nil
}

func takeTree(tx store.Tx, root store.Document) ([]store.Document, error) {
	docs, err := ofRevision(tx, root)
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		if err := tx.Delete(d.ID); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

// putTree writes documents under another ID. Secrets are sealed again, because they are sealed for a place.
func putTree(e *Engine, tx store.Tx, docs []store.Document, from, to string) error {
	for _, d := range docs {
		row, ok := e.Row(d.Type)
		if !ok {
			return fmt.Errorf("move %s: unknown type %s", d.ID, d.Type)
		}
		o, err := e.open(row, d)
		if err != nil {
			return err
		}
		moved, err := e.Document(row, to+d.ID[len(from):], o, nil)
		if err != nil {
			return err
		}
		moved.Status = d.Status
		if _, err := tx.Put(moved); err != nil {
			return err
		}
	}
	return nil
}

// copyBelow copies what is below an API to another.
func copyBelow(e *Engine, tx store.Tx, from, to string) error {
	docs, err := ofRevision(tx, store.Document{ID: from})
	if err != nil {
		return err
	}
	return putTree(e, tx, docs[1:], from, to)
}

// changes says whether what will be stored differs from what is.
func (c *Change) changes() bool {
	fresh := c.New.Clone()
	for _, f := range c.Row.Fields {
		if f.Flags&WriteOnly != 0 {
			fresh.Remove(f.Path)
		}
	}
	was, err1 := canonical(c.Old)
	is, err2 := canonical(fresh)
	return err1 != nil || err2 != nil || !bytes.Equal(was, is)
}

// stamp keeps the times at which a document was made and last changed, at two paths of it.
func stamp(created, updated string) Rule {
	return func(c *Change) []arm.ErrorDetail {
		now := Timestamp(time.Now())
		for _, path := range []string{created, updated} {
			c.New.Remove(path)
			if was := c.Old.Get(path); was != nil {
				c.New.Set(path, was)
			}
		}
		c.New.SetDefault(created, now)
		if c.Old.Get(updated) == nil || c.changes() {
			c.New.Set(updated, now)
		}
		return nil
	}
}

func releases() *Row {
	return &Row{
		Namespace: APIM, Path: "service/apis/releases", Shape: Entity, Entity: "ApiRelease", Proof: "TestGolden/revisions", Versions: since(apimVersions, v2017),
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "releaseId", PatchSilentUntil: v2020pre, NameMax: 80, NameLike: plainName,
		Fields: []Field{
			{Path: "properties.apiId", Kind: String},
			{Path: "properties.notes", Kind: String},
			{Path: "properties.createdDateTime", Kind: Time, Flags: ReadOnly},
			{Path: "properties.updatedDateTime", Kind: Time, Flags: ReadOnly},
		},
		Filters: map[string]string{"notes": "properties.notes"},
		Complete: func(c *Change) {
			c.New.SetDefault("properties.apiId", releasedAPI(c.ID))
			c.New.Set("properties.apiId", c.fullID("apis", c.New.Text("properties.apiId")))
		},
		Rules: []Rule{releaseOfAPI, stamp("properties.createdDateTime", "properties.updatedDateTime")},
		Stored: func(c *Change, tx store.Tx) error {
			id := c.New.Text("properties.apiId")
			if id == c.Old.Text("properties.apiId") {
				return nil
			}
			_, revision := SplitRevision(id)
			return makeCurrent(c.Engine, tx, releasedAPI(c.ID), revision)
		},
	}
}

// releasedAPI is the API that a release is below.
func releasedAPI(release string) string {
	return release[:strings.LastIndex(strings.ToLower(release), "/releases/")]
}

func releaseOfAPI(c *Change) []arm.ErrorDetail {
	id, api := c.New.Text("properties.apiId"), releasedAPI(c.ID)
	bare, revision := SplitRevision(id)
	if store.Key(bare) != store.Key(api) {
		return []arm.ErrorDetail{Finding("apiId", "'%s' is no revision of the API '%s'.", id, api)}
	}
	if d, err := RevisionDocument(c.Tree, api, revision); err != nil || d == nil {
		return []arm.ErrorDetail{Finding("apiId", "The revision '%s' could not be found.", id)}
	}
	return nil
}

// deleteAPI takes a revision, or with the last one the API: the links of products and the subscriptions whose scope it
// is go too.
func deleteAPI(r *Removal) *arm.Error {
	api, revision := SplitRevision(r.ID)
	docs, err := Revisions(r.Tree, api)
	if err != nil {
		return internalError(err)
	}
	switch all := strings.EqualFold(r.Query("deleteRevisions"), "true"); {
	case all:
		for _, d := range docs {
			r.Also = append(r.Also, d.ID)
		}
		r.ID = api
	case revision != "":
		return nil
	case len(docs) > 1:
		return &arm.Error{Status: 400, Code: "ValidationError", Message: "Cannot delete the current revision of an API."}
	}
	if err := r.links("service/products/apis"); err != nil {
		return err
	}
	return withScope(r)
}
