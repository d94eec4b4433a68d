package management

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// modeFrom is the api-version from which a migration has a body, downtimeFrom that from which it knows migrateWithDowntime.
const (
	modeFrom     arm.Version = "2023-03-01-preview"
	downtimeFrom arm.Version = "2024-06-01-preview"
)

// migrate starts a migration to stv2. Everything but the platform stays.
func (q *request) migrate() (*reply, *arm.Error) {
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	var in struct {
		Mode *string `json:"mode"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, badBody(err)
		}
	}
	r := platform.Request{Migrate: true}
	if in.Mode != nil && !q.version.Before(modeFrom) {
		r.Address = platform.AddressMode(*in.Mode)
	}
	if s := q.query("migrateWithDowntime"); s != "" && !q.version.Before(downtimeFrom) {
		var perr error
		if r.Downtime, perr = strconv.ParseBool(s); perr != nil {
			return nil, problem(http.StatusBadRequest, platform.CodeInvalidParameters, "The value '%s' of the query parameter 'migrateWithDowntime' is neither true nor false.", s)
		}
	}
	err = q.update(func(tx store.Tx) error {
		p, err := q.existing(tx)
		if err != nil {
			return err
		}
		op, err := q.startMigration(tx, *p.doc, r)
		if err != nil {
			return err
		}
		q.monitors(p.doc.ID, op.Name).SetHeaders(q.header)
		return nil
	})
	return &reply{status: http.StatusAccepted}, err
}

func (q *request) startMigration(tx store.Tx, doc store.Document, r platform.Request) (*lro.Operation, error) {
	st := serviceStatus(&doc)
	if st.Operation != "" {
		return nil, locked(doc.ID)
	}
	if err := q.migrateAll(tx, doc, &st, r); err != nil {
		return nil, err
	}
	op := &lro.Operation{Kind: MigrateService}
	return op, q.restart(tx, doc, st, op)
}

// restart starts the operation that makes another wish true of an active service.
func (q *request) restart(tx store.Tx, doc store.Document, st platform.ServiceStatus, op *lro.Operation) error {
	now := q.opt.Clock.Now()
	st.ProvisioningState, st.TargetProvisioningState = "Updating", "Updating"
	st.ModifiedAt, st.ModifiedBy = now, q.who.name()
	_, err := q.start(tx, doc, st, op, now)
	return err
}

// rollBack brings a service back to where it was moved from, while its old compute is kept: a way that the cloud service
// does not have.
func (q *request) rollBack() (*reply, *arm.Error) {
	err := q.update(func(tx store.Tx) error {
		p, err := q.existing(tx)
		if err != nil {
			return err
		}
		st := serviceStatus(p.doc)
		if st.Operation != "" {
			return locked(p.doc.ID)
		}
		if err := st.TurnBack(q.opt.Clock.Now()); err != nil {
			return err
		}
		d, err := q.moved(*p.doc, st)
		if err != nil {
			return err
		}
		if string(d.Desired) != string(p.doc.Desired) {
			st.Before = p.doc.Desired
		}
		op := &lro.Operation{Kind: BackService}
		if err := q.restart(tx, d, st, op); err != nil {
			return err
		}
		q.monitors(d.ID, op.Name).SetHeaders(q.header)
		return nil
	})
	return &reply{status: http.StatusAccepted}, err
}

// moved is the document of a service as a client would send it to have the service where its wishes have it.
func (q *request) moved(doc store.Document, st platform.ServiceStatus) (store.Document, error) {
	o, err := q.engine.Open(doc)
	if err != nil {
		return doc, err
	}
	locate(o, "properties.", st.Wish)
	for _, l := range st.Others {
		for _, other := range o.List("properties.additionalLocations") {
			if m, ok := other.(map[string]any); ok && resource.NormalLocation(resource.Object(m).Text("location")) == l.Name {
				locate(m, "", l.Wish)
			}
		}
	}
	return q.engine.Document(q.row, doc.ID, o, &doc)
}

// locate enters the zones and the network of a wish in the body of a location.
func locate(o resource.Object, properties string, wish platform.Wish) {
	o.Remove("zones")
	if len(wish.Zones) > 0 {
		zones := []any{}
		for _, z := range wish.Zones {
			zones = append(zones, z)
		}
		o.Set("zones", zones)
	}
	o.Remove(properties + "virtualNetworkConfiguration")
	o.Remove(properties + "publicIpAddressId")
	mode := "None"
	if p := wish.Injection; p != nil {
		mode = string(p.Mode)
		o.Set(properties+"virtualNetworkConfiguration.subnetResourceId", p.Subnet)
		if p.PublicIP != "" {
			o.Set(properties+"publicIpAddressId", p.PublicIP)
		}
	}
	if properties != "" { // the mode is the service's
		o.Set(properties+"virtualNetworkType", mode)
	}
}

// retired says whether stv1 has been retired.
func (h *Handler) retired() bool {
	return !h.opt.RetireSTv1.IsZero() && !h.opt.Clock.Now().Before(h.opt.RetireSTv1)
}

const (
	// retireAtOnce is how many services the platform migrates at a time after the retirement of stv1.
	retireAtOnce = 8
	// retireAgain is how long it waits before it tries one again.
	retireAgain = 24 * time.Hour
	// retiredBy is who modifies a service then.
	retiredBy = Hosting
)

// Retire starts the migration of services that are on stv1 after its retirement, keeping their addresses.
func (h *Handler) Retire(ctx context.Context) error {
	if !h.retired() {
		return nil
	}
	var due []string
	if err := h.opt.Store.View(ctx, func(r store.Reader) (err error) {
		due, err = h.dueToRetire(r)
		return err
	}); err != nil {
		return err
	}
	var failed []error
	for _, id := range due {
		if err := h.retire(ctx, id); err != nil {
			failed = append(failed, fmt.Errorf("migrate %s: %w", id, err))
		}
	}
	return errors.Join(failed...)
}

// retire starts the migration of one service. One whose virtual network has not what stv2 needs there leaves it.
func (h *Handler) retire(ctx context.Context, id string) error {
	row, _ := h.engine.Row(resource.APIM + "/service")
	q := &request{Handler: h, row: row, version: SoftDeleteFrom, who: Principal{AppID: retiredBy}}
	var unfit *arm.Error
	err := h.commit(ctx, "retire", func(tx store.Tx) error {
		unfit = nil
		d, err := get(tx, id)
		if err != nil || d == nil {
			return err
		}
		_, err = q.startMigration(tx, *d, platform.Request{Migrate: true})
		st := serviceStatus(d)
		if errors.As(err, &unfit) && unfit.Status == http.StatusBadRequest && len(st.Injections()) > 0 {
			return q.expel(tx, *d)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case unfit != nil:
		h.log.WarnContext(ctx, "a service leaves its virtual network and is blocked: stv1 is retired, and stv2 has no place there", slog.String("service", id), slog.Any("error", unfit))
	default:
		h.log.InfoContext(ctx, "migration after the retirement of stv1", slog.String("service", id))
	}
	return nil
}

// expel starts the migration of a service out of its virtual network. Nobody is served until its owner says so: it was
// inside, and would be open to everybody.
// https://learn.microsoft.com/azure/api-management/migrate-stv1-to-stv2
func (q *request) expel(tx store.Tx, doc store.Document) error {
	st := serviceStatus(&doc)
	st.Change(platform.Wish.Expelled)
	moved, err := q.moved(doc, st)
	if err != nil {
		return err
	}
	o, err := q.engine.Open(moved)
	if err != nil {
		return err
	}
	resource.Block(o)
	if moved, err = q.engine.Document(q.row, doc.ID, o, &doc); err != nil {
		return err
	}
	st.Before = doc.Desired
	return q.restart(tx, moved, st, &lro.Operation{Kind: MigrateService})
}

// dueToRetire lists services that wait for their migration, as many as may begin now.
func (h *Handler) dueToRetire(r store.Reader) (due []string, err error) {
	docs, err := r.List(store.Query{Type: strings.ToLower(resource.APIM + "/service")})
	if err != nil {
		return nil, err
	}
	room := retireAtOnce
	for i := range docs {
		st := serviceStatus(&docs[i])
		lately := st.ProvisioningState == "Failed" && st.ModifiedBy == retiredBy && h.opt.Clock.Now().Before(st.ModifiedAt.Add(retireAgain))
		switch {
		case st.Operation != "":
			if st.ModifiedBy == retiredBy {
				room--
			}
		case st.Wish.Platform == platform.STv1 && !st.Wish.Gone && !lately:
			due = append(due, docs[i].ID)
		}
	}
	return due[:min(len(due), max(room, 0))], nil
}
