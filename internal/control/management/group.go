package management

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// deleteGroup starts the deletion of a resource group and of all that is in it.
func (q *request) deleteGroup() (*reply, *arm.Error) {
	rep := &reply{status: http.StatusNoContent}
	err := q.update(func(tx store.Tx) error {
		p, err := q.locate(tx)
		if err != nil {
			return err
		}
		if p.doc == nil {
			return nil
		}
		var st resource.GroupStatus
		if err := json.Unmarshal(p.doc.Status, &st); len(p.doc.Status) > 0 && err != nil {
			return fmt.Errorf("read status of %s: %w", p.doc.ID, err)
		}
		name := st.Deleting
		if name == "" {
			op, err := lro.Start(tx, lro.Operation{Kind: DeleteGroup, Target: p.doc.ID, APIVersion: string(q.version), Started: time.Now().UTC()})
			if err != nil {
				return err
			}
			name = op.Name
			d := *p.doc
			if d.Status, err = json.Marshal(resource.GroupStatus{Deleting: name}); err != nil {
				return err
			}
			if _, err := tx.Put(d); err != nil {
				return err
			}
		}
		m := arm.Monitors{Base: q.base, Subscription: q.opt.Subscription.ID, Name: name, Version: q.version, RetryAfter: q.opt.RetryAfter}
		q.header.Set("Location", m.ResultURL())
		arm.SetRetryAfter(q.header, m.RetryAfter)
		rep.status = http.StatusAccepted
		return nil
	})
	return rep, err
}

// DeleteGroupStep carries the deletion of a resource group on: services that run get their own deletion (soft), the
// rest goes, and once no service is left the group itself goes and the operation ends. It looks before it acts, so it
// can run any number of times; done says that the operation has ended.
func (h *Handler) DeleteGroupStep(ctx context.Context, name string) (done bool, err error) {
	_, err = h.opt.Store.Update(ctx, func(tx store.Tx) error {
		op, err := lro.Load(tx, name)
		if err != nil {
			return err
		}
		if op.Status != lro.InProgress {
			done = true
			return nil
		}
		version := arm.Version("2022-08-01") // any that soft-deletes
		q := &request{Handler: h, version: version}
		services, err := tx.List(store.Query{Type: strings.ToLower(resource.APIM + "/service"), Prefix: op.Target})
		if err != nil {
			return err
		}
		for i := range services {
			if st := serviceStatus(&services[i]); st.Operation != "" {
				continue // its own operation, or the deletion, has to end first
			}
			if _, _, err := q.startDelete(tx, &services[i], true); err != nil {
				return err
			}
		}
		if len(services) > 0 {
			return nil
		}
		addresses, err := tx.List(store.Query{Type: strings.ToLower(resource.Network + "/publicIPAddresses"), Prefix: op.Target})
		if err != nil {
			return err
		}
		for _, d := range addresses {
			if err := tx.Delete(d.ID); err != nil {
				return err
			}
		}
		op.OnSuccess = []lro.Write{{Delete: op.Target}}
		if err := lro.Finish(tx, op, lro.Succeeded, nil, time.Now().UTC()); err != nil {
			return err
		}
		done = true
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("delete resource group (operation %s): %w", name, err)
	}
	return done, nil
}
