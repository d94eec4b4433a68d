package management

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// SoftDeleteFrom is the api-version from which deleting a service keeps it for restoring.
const SoftDeleteFrom arm.Version = "2020-06-01-preview"

// PurgeService and DeleteGroup are kinds of operations that this package runs itself.
const (
	PurgeService = "service.purge"
	DeleteGroup  = "resourcegroup.delete"
)

// deleteService starts the deletion of a service.
func (q *request) deleteService() (*reply, *arm.Error) {
	rep := &reply{status: http.StatusNoContent}
	err := q.update(func(tx store.Tx) error {
		p, err := q.locate(tx)
		if err != nil {
			return err
		}
		if err := q.writable(p); err != nil {
			return err
		}
		if p.doc == nil {
			return nil
		}
		soft := !q.version.Before(SoftDeleteFrom)
		d, op, err := q.startDelete(tx, p.doc, soft)
		if err != nil {
			return err
		}
		m := q.monitors(d.ID, op.Name)
		q.header.Set("Location", m.ResultURL())
		arm.SetRetryAfter(q.header, m.RetryAfter)
		rep.status = http.StatusAccepted
		rep.body, err = q.show(tx, nil, d, q.query)
		return err
	})
	return rep, err
}

// startDelete marks a service as terminating and starts the operation. At its end the document goes: with soft, a
// record takes its place and the children stay until they are purged.
func (q *request) startDelete(tx store.Tx, doc *store.Document, soft bool) (store.Document, *lro.Operation, error) {
	st := serviceStatus(doc)
	if st.Operation != "" {
		return *doc, nil, locked(doc.ID)
	}
	now := q.opt.Clock.Now()
	op := &lro.Operation{Kind: DeleteService, OnSuccess: []lro.Write{{DeleteTree: doc.ID}}}
	if soft {
		rec, err := q.deletedRecord(doc, now)
		if err != nil {
			return *doc, nil, err
		}
		op.OnSuccess = []lro.Write{{Put: &rec, Delete: doc.ID}}
	}
	st.ProvisioningState, st.TargetProvisioningState = "Terminating", "Deleting"
	st.Change(func(w platform.Wish) platform.Wish { w.Gone = true; return w })
	st.ModifiedAt, st.ModifiedBy = now, q.who.name()
	d, err := q.start(tx, *doc, st, op, now)
	return d, op, err
}

// deletedRecord is the document of a soft-deleted service.
func (q *request) deletedRecord(doc *store.Document, now time.Time) (store.Document, error) {
	o, err := q.engine.Open(*doc)
	if err != nil {
		return store.Document{}, err
	}
	location := o.Text("location")
	desired, err := json.Marshal(resource.DeletedService{
		Location: location, Service: doc.Desired, Platform: serviceStatus(doc).Wish.Platform, Properties: resource.DeletedProperties{
			ServiceID: doc.ID, DeletionDate: resource.Timestamp(now), ScheduledPurgeDate: resource.Timestamp(now.Add(q.opt.SoftDelete)),
		},
	})
	if err != nil {
		return store.Document{}, fmt.Errorf("encode record of %s: %w", doc.ID, err)
	}
	return store.Document{
		ID:   resource.DeletedServiceID(q.opt.Subscription.ID, location, lastSegment(doc.ID)),
		Type: strings.ToLower(resource.APIM + "/locations/deletedservices"), Desired: desired,
	}, nil
}

// findDeleted finds the record of a soft-deleted service by name; nil when there is none.
func findDeleted(t store.Reader, name string) (*store.Document, error) {
	docs, err := t.List(store.Query{Type: strings.ToLower(resource.APIM + "/locations/deletedservices")})
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		if strings.EqualFold(lastSegment(d.ID), name) {
			return &d, nil
		}
	}
	return nil, nil
}

// listDeleted answers the list of a subscription's soft-deleted services.
func (q *request) listDeleted() (*reply, *arm.Error) {
	q.row, _ = q.engine.Row(resource.APIM + "/locations/deletedservices")
	if err := q.checkVersion(); err != nil {
		return nil, err
	}
	return q.collection()
}

// purge removes a soft-deleted service and its children for good. The answer is a long-running operation; the work is
// one transaction, so the operation is over when the client first asks.
func (q *request) purge() (*reply, *arm.Error) {
	rep := &reply{status: http.StatusNoContent}
	err := q.update(func(tx store.Tx) error {
		p, err := q.locate(tx)
		if err != nil || p.doc == nil {
			return err
		}
		var rec resource.DeletedService
		if err := json.Unmarshal(p.doc.Desired, &rec); err != nil {
			return fmt.Errorf("read %s: %w", p.doc.ID, err)
		}
		now := q.opt.Clock.Now()
		op, err := q.begin(tx, lro.Operation{
			Kind: PurgeService, Target: p.doc.ID, APIVersion: string(q.version), Started: now,
			OnSuccess: []lro.Write{{DeleteTree: rec.Properties.ServiceID}, {Delete: p.doc.ID}},
		})
		if err != nil {
			return err
		}
		if err := lro.Finish(tx, op, lro.Succeeded, nil, now); err != nil {
			return err
		}
		m := arm.Monitors{
			Base: q.base, Subscription: q.opt.Subscription.ID, Provider: resource.APIM, Location: resource.NormalLocation(rec.Location),
			Name: op.Name, Version: q.version, RetryAfter: q.opt.RetryAfter,
		}
		q.header.Set("Location", m.ResultURL())
		arm.SetRetryAfter(q.header, m.RetryAfter)
		rep.status = http.StatusAccepted
		rep.body, err = q.show(tx, nil, *p.doc, nil)
		return err
	})
	return rep, err
}

// purgeEvery is how often Run looks for soft-deleted services whose time is over.
const purgeEvery = time.Minute

// Run purges soft-deleted services when their time is over, migrates what is left on stv1 after its retirement, and keeps
// the activity log of operations, until ctx ends.
func (h *Handler) Run(ctx context.Context) error {
	var others sync.WaitGroup
	others.Go(func() { h.recordOperations(ctx) })
	others.Go(func() { h.runAutoscale(ctx) })
	others.Go(func() { h.opt.Webhooks.Run(ctx) })
	defer others.Wait()
	for {
		if err := h.PurgeExpired(ctx, h.opt.Clock.Now()); err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "soft-deleted services not purged", slog.Any("error", err))
		}
		if err := h.Retire(ctx); err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "services not migrated after the retirement of stv1", slog.Any("error", err))
		}
		if h.opt.Clock.Sleep(ctx, min(purgeEvery, h.opt.SoftDelete)) != nil {
			return nil
		}
	}
}

// PurgeExpired removes every soft-deleted service whose time is over. It opens a transaction only if there is one.
func (h *Handler) PurgeExpired(ctx context.Context, now time.Time) error {
	var due []resource.DeletedService
	find := func(t store.Reader) error {
		docs, err := t.List(store.Query{Type: strings.ToLower(resource.APIM + "/locations/deletedservices")})
		if err != nil {
			return err
		}
		due = nil
		for _, d := range docs {
			var rec resource.DeletedService
			if err := json.Unmarshal(d.Desired, &rec); err != nil {
				return fmt.Errorf("read %s: %w", d.ID, err)
			}
			if until, err := time.Parse(time.RFC3339Nano, rec.Properties.ScheduledPurgeDate); err == nil && !until.After(now) {
				due = append(due, rec)
			}
		}
		return nil
	}
	if err := h.opt.Store.View(ctx, find); err != nil || len(due) == 0 {
		return err
	}
	return h.commit(ctx, "expire", func(tx store.Tx) error {
		if err := find(tx); err != nil {
			return err
		}
		for _, rec := range due {
			id := rec.Properties.ServiceID
			if err := deleteTree(tx, id); err != nil {
				return err
			}
			if err := tx.Delete(resource.DeletedServiceID(h.opt.Subscription.ID, rec.Location, lastSegment(id))); err != nil {
				return err
			}
		}
		return nil
	})
}
