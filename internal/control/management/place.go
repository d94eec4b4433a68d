package management

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// A place is where a path leads in one state of the store.
type place struct {
	group   *store.Document
	service *store.Document // the service, or the one above a child
	parent  string          // canonical ID of what holds the resource or collection
	id      string          // canonical ID of the resource; of a collection, its parent's
	doc     *store.Document // nil when there is none
	// missing is the first parent that does not exist.
	missing   *resource.Row
	missingID string
	// revision is set when an API of the path was named with ";rev="; api is the ID of that API when the revision is the
	// current one, which has no such ID.
	api, revision string
}

// locate follows the path from the resource group down. Names get the spelling of what is stored.
func (q *request) locate(t store.Reader) (*place, error) {
	p := &place{id: "/subscriptions/" + q.opt.Subscription.ID}
	if q.id.ResourceGroup != "" {
		id := p.id + "/resourceGroups/" + q.id.ResourceGroup
		d, err := get(t, id)
		if err != nil {
			return nil, err
		}
		p.parent, p.id, p.group = p.id, id, d
		if d != nil {
			p.id = d.ID
		}
		if q.id.Provider == "" {
			p.doc = d
			return p, nil
		}
		if d == nil {
			return nil, problem(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", q.id.ResourceGroup)
		}
	}
	if q.id.Provider != "" {
		p.parent, p.id = p.id, p.id+"/providers/"+q.id.Provider
	}
	if q.row != nil && q.row.Shape == resource.Proxy {
		if len(q.id.Names) < 2 {
			return p, nil // a list of the subscription
		}
		p.id += "/locations/" + resource.NormalLocation(q.id.Names[0]) + "/deletedservices"
		return p, q.leaf(t, p, q.id.Names[1])
	}
	for i := range q.id.Names {
		if err := q.step(t, p, i); err != nil {
			return nil, err
		}
	}
	if q.id.IsCollection() {
		p.parent = p.id
		if p.doc == nil && len(q.id.Names) > 0 && p.missing == nil {
			p.missing, _ = q.rowAt(len(q.id.Names) - 1)
			p.missingID = p.id
		}
		p.doc = nil
	}
	return p, nil
}

func (q *request) leaf(t store.Reader, p *place, name string) error {
	d, err := get(t, p.id+"/"+name)
	if err != nil {
		return err
	}
	p.id, p.doc = p.id+"/"+name, d
	if d != nil {
		p.id = d.ID
	}
	return nil
}

// step goes one type and name further.
func (q *request) step(t store.Reader, p *place, i int) error {
	row, ok := q.rowAt(i)
	if !ok {
		return q.noSuchType()
	}
	name := row.CanonicalName(q.id.Names[i])
	bare, revision := name, ""
	if strings.HasSuffix(row.Path, "apis") {
		bare, revision = resource.SplitRevision(name)
	}
	if row.Path == "service/apis/releases" { // of the API, whatever revision the path names
		p.id, _ = resource.SplitRevision(p.id)
	}
	if i > 0 && p.doc == nil && p.missing == nil {
		p.missing, _ = q.rowAt(i - 1)
		p.missingID = p.id
	}
	types := strings.Split(row.Path, "/")
	id := p.id + "/" + types[len(types)-1] + "/" + bare
	d, err := get(t, id)
	if err != nil {
		return err
	}
	p.parent, p.id, p.doc = p.id, id, d
	if d != nil {
		p.id = d.ID
	}
	if row.Path == "service" {
		p.service = d
	}
	if revision != "" && row.Path == "service/apis" {
		return p.toRevision(t, revision)
	}
	return nil
}

// toRevision goes on from an API to one of its revisions.
func (p *place) toRevision(t store.Reader, revision string) error {
	p.api, p.revision = p.id, revision
	if p.doc == nil { // the first revision of a new API
		return nil
	}
	d, err := resource.RevisionDocument(t, p.id, revision)
	switch {
	case err != nil:
		return err
	case d == nil:
		p.id, p.doc, p.api = p.id+";rev="+revision, nil, ""
	case d.ID != p.id:
		p.id, p.doc, p.api = d.ID, d, ""
	}
	return nil
}

func (q *request) rowAt(i int) (*resource.Row, bool) {
	return q.engine.Row(q.id.Provider + "/" + strings.Join(q.id.Types[:i+1], "/"))
}

// get is Get with nil for a document that does not exist.
func get(t store.Reader, id string) (*store.Document, error) {
	d, err := t.Get(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	return &d, nil
}

// shownID puts the revision that the client named back into an ID.
func (p *place) shownID(id string) string {
	if p.api == "" || len(id) < len(p.api) || !strings.EqualFold(id[:len(p.api)], p.api) {
		return id
	}
	return p.api + ";rev=" + p.revision + id[len(p.api):]
}

// readable asks that everything above the resource exists, and that the service accepts the api-version.
func (q *request) readable(p *place) error {
	if err := q.allowed(p); err != nil {
		return err
	}
	if p.missing != nil {
		return orNil(q.notFound(p.missing, p.missingID))
	}
	return nil
}

// writable is readable for writes: the parents exist, the group is not being deleted, and the service has been active.
func (q *request) writable(p *place) error {
	if err := q.allowed(p); err != nil {
		return err
	}
	if p.group != nil && q.row.Shape != resource.Group {
		var st resource.GroupStatus
		if json.Unmarshal(p.group.Status, &st) == nil && st.Deleting != "" {
			return beingDeleted(q.id.ResourceGroup)
		}
	}
	if p.missing != nil {
		return problem(http.StatusNotFound, "ParentResourceNotFound",
			"Failed to perform 'write' on resource(s) of type '%s', because the parent resource '%s' could not be found.", q.row.Path, p.missingID)
	}
	if p.service != nil && q.row.Path != "service" {
		if st := serviceStatus(p.service); st.ProvisioningState == "Created" || st.ProvisioningState == "Activating" {
			return locked(p.service.ID)
		}
	}
	return nil
}

func beingDeleted(group string) *arm.Error {
	return problem(http.StatusConflict, "ResourceGroupBeingDeleted", "The resource group '%s' is in deprovisioning state and cannot perform this operation.", group)
}

func locked(id string) *arm.Error {
	return problem(http.StatusConflict, "ServiceLocked", "The API Service %s is transitioning at this time. Please try the request again later.", id[strings.LastIndexByte(id, '/')+1:])
}

// allowed enforces the service's tier and its apiVersionConstraint.
func (q *request) allowed(p *place) error {
	if p.service == nil {
		return nil
	}
	o, err := q.engine.Open(*p.service)
	if err != nil {
		return err
	}
	if err := q.inTier(platform.Tier(o.Text("sku.name"))); err != nil {
		return err
	}
	least, ok := arm.ParseVersion(o.Text("properties.apiVersionConstraint.minApiVersion"))
	if ok && q.version.Before(least) {
		return problem(http.StatusForbidden, "UnsupportedApiVersion", "The api-version '%s' is older than '%s', the oldest that the service accepts (apiVersionConstraint.minApiVersion).", q.version, least)
	}
	return nil
}

func serviceStatus(d *store.Document) platform.ServiceStatus {
	var st platform.ServiceStatus
	_ = json.Unmarshal(d.Status, &st) // an unreadable status is an empty one
	return st
}

// notFound is the answer for a resource that is not there.
func (q *request) notFound(row *resource.Row, id string) *arm.Error {
	name := id[strings.LastIndexByte(id, '/')+1:]
	switch row.Shape {
	case resource.Group:
		return problem(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", name)
	case resource.Tracked:
		return problem(http.StatusNotFound, "ResourceNotFound",
			"The Resource '%s/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", row.Type(), name, q.id.ResourceGroup)
	case resource.Proxy:
		return problem(http.StatusNotFound, "ServiceNotFound", "Api service '%s' is not soft-deleted.", name)
	}
	return arm.NotFound(row.Entity)
}

// locationHere is the location of the service of the path, for a message.
func (q *request) locationHere() string {
	if q.id.ResourceGroup != "" && len(q.id.Names) > 0 {
		var found string
		err := q.opt.Store.View(q.r.Context(), func(t store.Reader) error {
			d, err := get(t, "/subscriptions/"+q.id.Subscription+"/resourceGroups/"+q.id.ResourceGroup+"/providers/"+resource.APIM+"/service/"+q.id.Names[0])
			if err == nil && d != nil {
				var o struct{ Location string }
				err = json.Unmarshal(d.Desired, &o)
				found = resource.NormalLocation(o.Location)
			}
			return err
		})
		if err == nil && found != "" {
			return found
		}
	}
	return q.opt.Locations[0].Name
}
