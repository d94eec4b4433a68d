package management

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// upgrade starts the change of a service to another version of the gateway program, to other hardware, or both; up or
// down makes no difference. One that has it already, soundly, is left alone; what one in a pool has only the pool knows.
func (q *request) upgrade() (*reply, *arm.Error) {
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	var to target
	if err := json.Unmarshal(body, &to); err != nil {
		return nil, badBody(err)
	}
	if err := to.check(q.Handler); err != nil {
		return nil, err
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
		case to.Hardware != "" && !slices.ContainsFunc(st.Locations(), hasGenerations):
			return problem(http.StatusBadRequest, platform.CodeInvalidParameters, "The API Service %s is on platform version %s. Only stv2 has newer hardware.", lastSegment(p.doc.ID), st.Wish.Platform)
		case !slices.ContainsFunc(st.Locations(), to.changes) && st.ProvisioningState == "Succeeded" && st.Wish.Platform != platform.MTv1:
			rep = &reply{status: http.StatusOK}
			return nil
		}
		op := lro.Operation{Kind: UpgradeService}
		st.Change(to.of)
		if err := q.restart(tx, *p.doc, st, &op); err != nil {
			return err
		}
		q.monitors(p.doc.ID, op.Name).SetHeaders(q.header)
		return nil
	})
	return rep, err
}

// A target is what the gateways of a service are to be after an upgrade; what is left out stays.
type target struct {
	Gateway  string `json:"gateway"`
	Hardware string `json:"hardware"` // the platform version that is on it
	hardware platform.Hardware
}

// check says what a service cannot be brought to on this host.
func (t *target) check(h *Handler) *arm.Error {
	switch {
	case t.Gateway == "" && t.Hardware == "":
		return problem(http.StatusBadRequest, platform.CodeInvalidParameters, "'gateway' or 'hardware' is required: the version that the service is to run, or what it is to run on.")
	case t.Gateway != "" && !h.opt.HasGateway(t.Gateway):
		return problem(http.StatusBadRequest, platform.CodeValueNotSupported, "The gateway '%s' is not installed.", t.Gateway)
	case t.Hardware == platform.NewerSTv2 && !h.opt.Newest.Newer():
		return problem(http.StatusBadRequest, platform.CodeValueNotSupported, "This host has no newer hardware.")
	}
	switch t.Hardware {
	case platform.NewerSTv2:
		t.hardware = h.opt.Newest
	case "", string(platform.STv2):
	default:
		return problem(http.StatusBadRequest, platform.CodeValueNotSupported, "The value '%s' of 'hardware' is not supported. Allowed values: %s, %s.", t.Hardware, platform.STv2, platform.NewerSTv2)
	}
	return nil
}

// of is the wish of a location after the upgrade.
func (t *target) of(w platform.Wish) platform.Wish {
	w.Gateway = cmp.Or(t.Gateway, w.Gateway)
	if t.Hardware == "" {
		return w
	}
	return w.On(t.hardware)
}

// changes says whether a location is something else.
func (t *target) changes(l *platform.Location) bool {
	return !l.Wish.Gone && !t.of(l.Wish).Same(l.Wish)
}

func hasGenerations(l *platform.Location) bool {
	return l.Wish.Platform == platform.STv2 && !l.Wish.Gone
}

// cancelUpgrade gives up an upgrade that is under way: its operation ends Canceled, and the service goes back to the
// version and the hardware that it had.
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
