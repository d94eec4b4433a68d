package management

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// Kinds of the long-running operations of a service. The hosting plane runs them.
const (
	CreateService  = "service.create"
	UpdateService  = "service.update"
	MigrateService = "service.migrate"
	BackService    = "service.rollback"
	UpgradeService = "service.upgrade"
	DeleteService  = "service.delete"
)

// putService creates, replaces or patches a service. What changes its compute becomes a long-running operation that
// is started in the same transaction; anything else is done at once.
func (q *request) putService(patch bool) (*reply, *arm.Error) {
	body, fresh, err := q.content(patch)
	incomplete := err // nobody's concern where a service is brought back
	if fresh == nil && !patch {
		fresh = q.restoring(body)
	}
	if err != nil && fresh == nil {
		return nil, err
	}
	opened, err := q.uploads(body, fresh, patch)
	if err != nil {
		return nil, err
	}
	rep := &reply{status: http.StatusOK}
	err = q.update(func(tx store.Tx) error {
		p, err := q.locate(tx)
		if err != nil {
			return err
		}
		if err := q.writable(p); err != nil {
			return err
		}
		if patch && p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		if p.doc != nil && incomplete != nil {
			return incomplete
		}
		w := &serviceWrite{request: q, tx: tx, place: p, creating: p.doc == nil}
		w.change = resource.Change{Row: q.row, Version: q.version, New: fresh.Clone(), Engine: q.engine, Env: q.env, ID: p.id, Name: q.id.Name(), Tree: tx, Opened: opened}
		if err := w.build(body, patch); err != nil {
			return err
		}
		d, op, err := w.store()
		if err != nil {
			return err
		}
		if w.creating {
			rep.status = http.StatusCreated
		} else if op != nil && patch {
			rep.status = http.StatusAccepted
		}
		if op != nil {
			q.monitors(d.ID, op.Name).SetHeaders(q.header)
		}
		rep.body, err = q.show(tx, nil, d, q.query)
		return err
	})
	return rep, err
}

// restoring is what counts of a body that asks for a soft-deleted service to be brought back: nothing else; nil for any
// other body.
func (q *request) restoring(body []byte) resource.Object {
	var in struct {
		Location   string `json:"location"`
		Properties struct {
			Restore bool `json:"restore"`
		} `json:"properties"`
	}
	if json.Unmarshal(body, &in) != nil || !in.Properties.Restore || q.version.Before(SoftDeleteFrom) {
		return nil
	}
	return resource.Object{"location": in.Location, "properties": map[string]any{"restore": true}}
}

// A serviceWrite is one PUT or PATCH of a service inside its transaction.
type serviceWrite struct {
	*request
	tx       store.Tx
	place    *place
	change   resource.Change
	creating bool
	status   platform.ServiceStatus
	wish     platform.Wish
	others   []platform.LocationWish
	restored *store.Document // the record of the soft-deleted service that is brought back
	onSTv1   bool            // that service was on stv1, and comes back to it
}

// build makes and checks the new object and the wish.
func (w *serviceWrite) build(body []byte, patch bool) error {
	c := &w.change
	if w.creating {
		if err := w.claimName(); err != nil {
			return err
		}
	} else {
		w.status = serviceStatus(w.place.doc)
		if w.status.Operation != "" {
			return locked(w.place.doc.ID)
		}
		old, err := w.engine.Open(*w.place.doc)
		if err != nil {
			return err
		}
		c.Old, c.Name = old, lastSegment(w.place.doc.ID)
	}
	if patch {
		var err *arm.Error
		if c.New, err = w.engine.Patch(w.row, w.version, c.Old, body); err != nil {
			return err
		}
		c.New.SetDefault("location", c.Old.Text("location"))
	}
	if err := w.checkLocation(c); err != nil {
		return err
	}
	if err := c.Finish(); err != nil {
		return err
	}
	if err := w.claimHosts(); err != nil {
		return err
	}
	return w.decide()
}

// decide asks platform what the service becomes.
func (w *serviceWrite) decide() error {
	o := w.change.New
	tier, ok := w.opt.ParseTier(o.Text("sku.name"))
	if ok {
		o.Set("sku.name", string(tier))
	} else {
		tier = platform.Tier(o.Text("sku.name"))
	}
	units, _ := o.Number("sku.capacity")
	version := w.version
	if w.onSTv1 {
		version = latestOfSTv1(w.row.Versions)
	}
	r := platform.Request{
		APIVersion: string(version), Versions: w.row.Versions, Tier: tier, Units: int(units), Zones: o.Texts("zones"), Zoneless: w.zoneless(o.Text("location")),
		Retired: w.retired(), Disabled: o.Flag("properties.disableGateway"), Newest: w.opt.Newest,
	}
	var readErr error
	if !w.creating {
		r.Old = &w.status.Wish
	}
	if r.Gateway, readErr = w.gateway(tier); readErr != nil {
		return readErr
	}
	if r.NAT, readErr = w.nat(o.Text("properties.natGatewayState"), o.Text("location"), r.Old); readErr != nil {
		return readErr
	}
	if r.Network, readErr = w.network(o); readErr != nil {
		return readErr
	}
	wish, err := w.opt.Decide(r)
	if err != nil {
		return err
	}
	elsewhere, readErr := w.elsewhere()
	if readErr != nil {
		return readErr
	}
	others, err := platform.DecideElsewhere(r, wish, elsewhere)
	if err != nil {
		return err
	}
	if readErr = w.prepare(&wish, others); readErr != nil {
		return readErr
	}
	if r.Old != nil && wish.Renews() && w.change.ChangesNames() {
		wish.Renewal = w.opt.Clock.Now().Format(time.RFC3339Nano)
	}
	w.wish, w.others = wish, others
	return w.limitService()
}

// gateway is the version that a new service gets: that of its channel, if that is still there.
func (w *serviceWrite) gateway(tier platform.Tier) (string, error) {
	if w.opt.GatewayOf == nil {
		return w.opt.Gateway, nil
	}
	v, err := w.opt.GatewayOf(w.tx, platform.ChannelOf(tier, w.change.New.Text("properties.releaseChannel")))
	if err != nil || v == "" || !w.opt.HasGateway(v) {
		return w.opt.Gateway, err
	}
	return v, nil
}

// serviceNamed says whether there is a service of a name, in any resource group: there are far fewer of these than of
// services.
func serviceNamed(t store.Reader, name string) (bool, error) {
	groups, err := t.List(store.Query{Type: strings.ToLower(resource.Resources + "/resourceGroups")})
	if err != nil {
		return false, err
	}
	for _, g := range groups {
		d, err := get(t, g.ID+"/providers/"+resource.APIM+"/service/"+name)
		if err != nil || d != nil {
			return d != nil, err
		}
	}
	return false, nil
}

// claimName refuses a name that another service has, or had and may get back.
func (w *serviceWrite) claimName() error {
	name := w.change.Name
	taken, err := serviceNamed(w.tx, name)
	if err != nil {
		return err
	}
	if taken {
		return problem(http.StatusConflict, "ServiceAlreadyExists", "Api service already exists: %s", name)
	}
	deleted, err := findDeleted(w.tx, name)
	if err != nil {
		return err
	}
	restore := w.change.New.Flag("properties.restore")
	switch {
	case deleted == nil && restore:
		return problem(http.StatusBadRequest, "ServiceUndeleteNotPossible", "Unable to undelete service %s: it is not soft-deleted.", name)
	case deleted == nil:
		return nil
	case !restore:
		return problem(http.StatusConflict, "ServiceAlreadyExistsInSoftDeletedState", "Api service %s was soft-deleted. In order to create the new service with the same name, you have to either undelete the service or purge it. See https://aka.ms/apimsoftdelete.", name)
	}
	return w.restore(deleted)
}

// restore puts what was deleted in the place of the body: all other properties are ignored.
func (w *serviceWrite) restore(deleted *store.Document) error {
	var rec resource.DeletedService
	if err := json.Unmarshal(deleted.Desired, &rec); err != nil {
		return fmt.Errorf("read %s: %w", deleted.ID, err)
	}
	if !arm.SameID(rec.Properties.ServiceID, w.place.id) {
		return problem(http.StatusBadRequest, "InvalidParameters", "The soft-deleted service %s can only be restored as '%s'.", w.change.Name, rec.Properties.ServiceID)
	}
	w.place.id = rec.Properties.ServiceID
	o, err := w.engine.Open(store.Document{ID: w.place.id, Type: strings.ToLower(w.row.Type()), Desired: rec.Service})
	if err != nil {
		return err
	}
	w.restored, w.change.New, w.change.ID, w.change.Restored = deleted, o, w.place.id, true
	w.onSTv1 = rec.Platform == platform.STv1
	w.status.Endpoints, err = resource.ApprovedEndpoints(w.tx, w.place.id)
	return err
}

// store writes the document, and starts the operation if compute has to change.
func (w *serviceWrite) store() (store.Document, *lro.Operation, error) {
	d, err := w.engine.Document(w.row, w.place.id, w.change.New, w.place.doc)
	if err != nil {
		return d, nil, err
	}
	now := w.opt.Clock.Now()
	st := w.status
	var op *lro.Operation
	switch {
	case w.creating:
		op, st = &lro.Operation{Kind: CreateService}, platform.ServiceStatus{
			ProvisioningState: "Created", TargetProvisioningState: "Activating", CreatedAt: now, CreatedBy: w.who.name(),
			Location: platform.Location{Name: resource.NormalLocation(w.change.New.Text("location"))}, Endpoints: w.status.Endpoints,
		}
		st.Want(w.wish, w.others)
	case st.Wish.Gone: // its creation failed
		op = &lro.Operation{Kind: CreateService}
		st.ProvisioningState, st.TargetProvisioningState = "Created", "Activating"
		st.Want(w.wish, w.others)
	case !st.Wants(w.wish, w.others) || w.change.ChangesNames() || st.ProvisioningState == "Failed" || st.ProvisioningState == "TerminationFailed":
		op = &lro.Operation{Kind: UpdateService}
		st.ProvisioningState, st.TargetProvisioningState = "Updating", "Updating"
		st.Want(w.wish, w.others)
		st.Before = w.place.doc.Desired
		st.Renames = w.change.ChangesNames()
	case string(d.Desired) == string(w.place.doc.Desired):
		return *w.place.doc, nil, nil // nothing changed, nothing is written
	}
	st.ModifiedAt, st.ModifiedBy = now, w.who.name()
	if d, err = w.start(w.tx, d, st, op, now); err != nil {
		return d, op, err
	}
	if w.creating && w.restored == nil {
		if err := w.fresh(w.tx, d); err != nil {
			return d, op, err
		}
	}
	if w.restored != nil {
		if err := w.tx.Delete(w.restored.ID); err != nil {
			return d, op, err
		}
	}
	return d, op, nil
}

// start writes a service document with its status and, unless op is nil, the operation that the status names.
func (q *request) start(tx store.Tx, d store.Document, st platform.ServiceStatus, op *lro.Operation, now time.Time) (store.Document, error) {
	if op != nil {
		op.Target, op.APIVersion, op.Started = d.ID, string(q.version), now
		if takes := st.Takes(); takes > 0 && q.opt.Clock.Timed() && op.Kind != BackService {
			op.NotBefore = now.Add(takes)
		} else {
			op.Begun = failpoint.Now().UTC()
		}
		started, err := q.begin(tx, *op)
		if err != nil {
			return d, err
		}
		*op = started
		st.Operation = op.Name
	}
	status, err := json.Marshal(st)
	if err != nil {
		return d, fmt.Errorf("encode status of %s: %w", d.ID, err)
	}
	d.Status = status
	return tx.Put(d)
}

func (p Principal) name() string {
	if p.ObjectID != "" {
		return p.ObjectID
	}
	return p.AppID
}

func lastSegment(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// monitors are the URLs of an operation on a service.
func (q *request) monitors(resourceID, name string) arm.Monitors {
	return arm.Monitors{Base: q.base, Resource: resourceID, Name: name, Version: q.version, RetryAfter: q.opt.RetryAfter}
}

// existing locates a service that must exist, for a write.
func (q *request) existing(tx store.Tx) (*place, error) {
	p, err := q.locate(tx)
	if err != nil {
		return nil, err
	}
	if err := q.writable(p); err != nil {
		return nil, err
	}
	if p.doc == nil {
		return nil, q.notFound(q.row, p.id)
	}
	return p, nil
}
