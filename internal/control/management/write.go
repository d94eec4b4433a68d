package management

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// write completes, checks and stores one document and what belongs to it.
func (q *request) write(tx store.Tx, p *place, c *resource.Change, body []byte, patch bool) (store.Document, error) {
	c.ID, c.Revision, c.Tree = p.id, p.revision, tx
	c.Name = lastSegment(p.id)
	if strings.HasSuffix(c.Row.Path, "apis") {
		c.Name, _ = resource.SplitRevision(c.Name)
	}
	if p.doc != nil {
		old, err := q.engine.Open(*p.doc)
		if err != nil {
			return store.Document{}, err
		}
		c.Old = old
	}
	if patch {
		var err *arm.Error
		if c.New, err = q.engine.Patch(q.row, q.version, c.Old, body); err != nil {
			return store.Document{}, err
		}
	} else {
		c.New = c.New.Clone()
	}
	if err := q.checkLocation(c); err != nil {
		return store.Document{}, err
	}
	if err := c.Finish(); err != nil {
		return store.Document{}, err
	}
	d, err := q.engine.Document(q.row, p.id, c.New, p.doc)
	if err != nil {
		return d, err
	}
	if p.doc == nil && q.row.NewStatus != nil {
		st, err := q.row.NewStatus(c)
		if err != nil {
			return d, fmt.Errorf("status of %s: %w", p.id, err)
		}
		if d.Status, err = json.Marshal(st); err != nil {
			return d, fmt.Errorf("status of %s: %w", p.id, err)
		}
	}
	if d, err = tx.Put(d); err != nil {
		return d, err
	}
	if q.row.Stored != nil {
		if err := q.row.Stored(c, tx); err != nil {
			return d, err
		}
	}
	if c.Imported != nil {
		if err := q.putImported(tx, c.ID, "operations", c.Imported.Operations); err != nil {
			return d, err
		}
		if err := q.putImported(tx, c.ID, "schemas", c.Imported.Schemas); err != nil {
			return d, err
		}
	}
	if c.Moved == "" {
		return d, nil
	}
	p.id, p.api = c.Moved, c.Moved
	return tx.Get(c.Moved)
}

// putImported replaces the API operations, or the schemas, of an API by those of an import. An operation that stays
// keeps what is below it.
func (q *request) putImported(tx store.Tx, api, kind string, imported []resource.ImportedChild) error {
	row, _ := q.engine.Row(resource.APIM + "/service/apis/" + kind)
	old, err := tx.List(store.Query{Type: strings.ToLower(row.Type()), Prefix: api})
	if err != nil {
		return err
	}
	gone := map[string]*store.Document{}
	for i := range old {
		gone[store.Key(old[i].ID)] = &old[i]
	}
	for _, child := range imported {
		id := api + "/" + kind + "/" + child.Name
		d, err := q.engine.Document(row, id, resource.Object{"properties": child.Properties}, gone[store.Key(id)])
		if err != nil {
			return err
		}
		if _, err := tx.Put(d); err != nil {
			return err
		}
		delete(gone, store.Key(id))
	}
	for id := range gone {
		if err := deleteTree(tx, id); err != nil {
			return err
		}
	}
	return nil
}

// checkLocation asks for a location that exists, and that a resource stays where it is.
func (q *request) checkLocation(c *resource.Change) error {
	if q.row.Shape != resource.Tracked && q.row.Shape != resource.Group {
		return nil
	}
	where := c.New.Text("location")
	if where == "" {
		return problem(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	}
	loc, ok := q.env.Location(where)
	if !ok {
		return q.badLocation(where)
	}
	was := resource.NormalLocation(c.Old.Text("location"))
	if was == "" || was == loc.Name {
		return nil
	}
	code := "InvalidResourceLocation"
	if q.row.Shape == resource.Group {
		code = "InvalidResourceGroupLocation"
	}
	return problem(http.StatusConflict, code,
		"The resource '%s' already exists in location '%s' in resource group '%s'. A resource with the same name cannot be created in location '%s'. Please select a new resource name.",
		c.Name, was, q.id.ResourceGroup, loc.Name)
}

func (q *request) badLocation(where string) *arm.Error {
	names := make([]string, len(q.opt.Locations))
	for i, l := range q.opt.Locations {
		names[i] = l.Name
	}
	list := strings.Join(names, ",")
	if q.row.Shape == resource.Group {
		return problem(http.StatusBadRequest, "LocationNotAvailableForResourceGroup", "The provided location '%s' is not available for resource group. List of available regions is '%s'.", where, list)
	}
	return problem(http.StatusBadRequest, "LocationNotAvailableForResourceType",
		"The provided location '%s' is not available for resource type '%s'. List of available regions for the resource type is '%s'.", where, q.row.Type(), list)
}
