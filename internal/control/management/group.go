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

// deleteGroup starts the deletion of a resource group and of all that is in it. One that is not there is an error,
// unlike anything else: clients of resource groups take 200 and 202 alone for success.
func (q *request) deleteGroup() (*reply, *arm.Error) {
	rep := &reply{status: http.StatusAccepted}
	err := q.update(func(tx store.Tx) error {
		p, err := q.locate(tx)
		if err != nil {
			return err
		}
		if p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		var st resource.GroupStatus
		if err := json.Unmarshal(p.doc.Status, &st); len(p.doc.Status) > 0 && err != nil {
			return fmt.Errorf("read status of %s: %w", p.doc.ID, err)
		}
		name := st.Deleting
		if name == "" {
			op, err := q.begin(tx, lro.Operation{Kind: DeleteGroup, Target: p.doc.ID, APIVersion: string(q.version), Started: q.opt.Clock.Now()})
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
		return nil
	})
	return rep, err
}

// Handlers runs the operations that are this package's own, by kind. The engine of package lro is given them.
func (h *Handler) Handlers() map[string]lro.Handler {
	return map[string]lro.Handler{
		DeleteGroup: groupDeletion{h}, CheckConnectivity: checks{h}, ApplyNetwork: settled{},
		BackUpContent: contentCopy{Handler: h}, RestoreContent: contentCopy{Handler: h, restore: true},
	}
}

// groupDeletion deletes resource groups: services get deletions of their own (soft), the rest goes once they are gone,
// and the group with it.
type groupDeletion struct{ *Handler }

// groupProgress is the state of the operation: the services whose deletion was started.
type groupProgress struct {
	Started map[string]bool `json:"started"`
}

// lookAgain is the pause between looks at services that are being deleted.
const lookAgain = 200 * time.Millisecond

// Step implements lro.Handler.
func (g groupDeletion) Step(ctx context.Context, op lro.Operation) (lro.Outcome, error) {
	progress := groupProgress{Started: map[string]bool{}}
	if len(op.State) > 0 {
		if err := json.Unmarshal(op.State, &progress); err != nil {
			return lro.Outcome{}, fmt.Errorf("read state: %w", err)
		}
	}
	left := 0
	err := g.commit(ctx, "group", func(tx store.Tx) error {
		err := unlocked(tx, op.Target, true)
		if err != nil {
			return err
		}
		left, err = g.startAll(tx, op.Target, progress.Started)
		return err
	})
	if err != nil {
		return lro.Outcome{}, err
	}
	if left == 0 {
		return lro.Outcome{Status: lro.Succeeded, Steps: []string{"resources deleted"}, Writes: func(tx store.Tx) error { return removeGroup(tx, op.Target) }}, nil
	}
	state, err := json.Marshal(progress)
	if err != nil {
		return lro.Outcome{}, fmt.Errorf("encode state: %w", err)
	}
	return lro.Outcome{State: state, Percent: 10, After: lookAgain}, nil
}

// startAll starts the deletion of every service of a group that is idle, and says how many services are left. One
// whose deletion has ended and that is still there blocks the group.
func (g groupDeletion) startAll(tx store.Tx, group string, started map[string]bool) (int, error) {
	services, err := tx.List(store.Query{Type: strings.ToLower(resource.APIM + "/service"), Prefix: group})
	if err != nil {
		return 0, err
	}
	q := &request{Handler: g.Handler, version: SoftDeleteFrom}
	for i := range services {
		key := store.Key(services[i].ID)
		if serviceStatus(&services[i]).Operation != "" {
			continue // its deletion, or an operation that has to end first
		}
		if started[key] {
			return 0, problem(http.StatusConflict, "ResourceGroupDeletionBlocked", "Deletion of resource group '%s' failed as the resource '%s' could not be deleted.", lastSegment(group), services[i].ID)
		}
		if _, _, err := q.startDelete(tx, &services[i], true); err != nil {
			return 0, err
		}
		started[key] = true
	}
	return len(services), nil
}

// removeGroup deletes a group and the resources in it that need no operation.
func removeGroup(tx store.Tx, group string) error {
	for _, ns := range []string{resource.Network, resource.ManagedIdentity, resource.Insights} {
		docs, err := tx.List(store.Query{Prefix: group + "/providers/" + ns})
		if err != nil {
			return err
		}
		for _, d := range docs {
			if err := tx.Delete(d.ID); err != nil {
				return err
			}
		}
	}
	return tx.Delete(group)
}

// End implements lro.Ender: a group whose deletion failed is an ordinary group again.
func (g groupDeletion) End(tx store.Tx, op lro.Operation, _ *arm.Error) error {
	d, err := get(tx, op.Target)
	if err != nil || d == nil {
		return err
	}
	d.Status = nil
	_, err = tx.Put(*d)
	return err
}
