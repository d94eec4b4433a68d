package management

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// upgrade starts the change of a service to another version of the gateway program; up or down makes no difference. One
// that has it already, soundly, is left alone; what one in a pool has only the pool knows.
func (q *request) upgrade() (*reply, *arm.Error) {
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	var in struct {
		Gateway string `json:"gateway"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badBody(err)
	}
	if in.Gateway == "" {
		return nil, problem(http.StatusBadRequest, platform.CodeInvalidParameters, "'gateway' is required: the version that the service is to run.")
	}
	if !q.opt.HasGateway(in.Gateway) {
		return nil, problem(http.StatusBadRequest, platform.CodeValueNotSupported, "The gateway '%s' is not installed.", in.Gateway)
	}
	rep := &reply{status: http.StatusAccepted}
	err = q.update(func(tx store.Tx) error {
		p, err := q.existing(tx)
		if err != nil {
			return err
		}
		st := serviceStatus(p.doc)
		switch {
		case st.Operation != "":
			return locked(p.doc.ID)
		case st.Wish.Gone:
			return problem(http.StatusConflict, "ServiceNotActive", "The API Service %s has no gateways.", lastSegment(p.doc.ID))
		case st.Wish.Gateway == in.Gateway && st.ProvisioningState == "Succeeded" && st.Wish.Platform != platform.MTv1:
			rep = &reply{status: http.StatusOK}
			return nil
		}
		op := lro.Operation{Kind: UpgradeService}
		st.Change(func(w platform.Wish) platform.Wish { w.Gateway = in.Gateway; return w })
		if err := q.restart(tx, *p.doc, st, &op); err != nil {
			return err
		}
		q.monitors(p.doc.ID, op.Name).SetHeaders(q.header)
		return nil
	})
	return rep, err
}

// cancelUpgrade gives up an upgrade that is under way: its operation ends Canceled, and the service goes back to the
// version that it had.
func (q *request) cancelUpgrade() (*reply, *arm.Error) {
	err := q.update(func(tx store.Tx) error {
		p, err := q.existing(tx)
		if err != nil {
			return err
		}
		st := serviceStatus(p.doc)
		op, loadErr := lro.Load(tx, st.Operation)
		if loadErr != nil || op.Kind != UpgradeService || op.Status != lro.InProgress {
			return problem(http.StatusConflict, "NothingToCancel", "No upgrade of the API Service %s is under way.", lastSegment(p.doc.ID))
		}
		st.Cancel = true
		d := *p.doc
		if d.Status, loadErr = json.Marshal(st); loadErr != nil {
			return loadErr
		}
		if _, err := tx.Put(d); err != nil {
			return err
		}
		q.monitors(d.ID, op.Name).SetHeaders(q.header)
		return nil
	})
	return &reply{status: http.StatusAccepted}, err
}

// hostPath answers what concerns the host, below /portico.
func (q *request) hostPath() (*reply, *arm.Error) {
	path := strings.ToLower(strings.Join(q.id.Tail[1:], "/"))
	f := q.opt.Host[q.r.Method+" "+path]
	if f == nil {
		for key := range q.opt.Host {
			if strings.HasSuffix(key, " "+path) {
				return nil, q.noSuchMethod()
			}
		}
		return nil, q.noSuchPath()
	}
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	answer, err := f(q.r.Context(), body)
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusOK, body: answer}, nil
}
