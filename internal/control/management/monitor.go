package management

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// isMonitor recognises "…/operationresults/{id}" and "…/operationStatuses/{id}", below a service or a location.
func (q *request) isMonitor() (name string, status, ok bool) {
	n := len(q.id.Types)
	if n < 2 || len(q.id.Names) != n {
		return "", false, false
	}
	switch strings.ToLower(q.id.Types[n-1]) {
	case "operationresults":
		_, status = q.r.URL.Query()["asyncResponse"]
		return q.id.Names[n-1], status, true
	case "operationstatuses":
		return q.id.Names[n-1], true, true
	}
	return "", false, false
}

// An operationStatus is what Azure-AsyncOperation answers.
type operationStatus struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Status     lro.Status        `json:"status"`
	StartTime  time.Time         `json:"startTime"`
	EndTime    *time.Time        `json:"endTime,omitempty"`
	Percent    int               `json:"percentComplete"`
	ResourceID string            `json:"resourceId,omitempty"`
	Properties *struct{}         `json:"properties,omitempty"`
	Error      *operationFailure `json:"error,omitempty"`
}

type operationFailure struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Details []arm.ErrorDetail `json:"details,omitempty"`
}

// monitor answers a poll: with the status object, or as the synchronous operation would have.
func (q *request) monitor(name string, status bool) (*reply, *arm.Error) {
	if q.r.Method != http.MethodGet {
		return nil, q.noSuchMethod()
	}
	var op lro.Operation
	var target *store.Document
	err := q.view(func(t store.Reader) error {
		var err error
		if op, err = lro.Load(t, name); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return problem(http.StatusNotFound, "ResourceNotFound", "The operation '%s' was not found.", name)
			}
			return err
		}
		if !strings.HasPrefix(store.Key(op.Target), "/subscriptions/"+strings.ToLower(q.opt.Subscription.ID)+"/") {
			return problem(http.StatusNotFound, "ResourceNotFound", "The operation '%s' was not found.", name)
		}
		target, err = get(t, op.Target)
		return err
	})
	if err != nil {
		return nil, err
	}
	if status {
		return q.statusOf(op), nil
	}
	return q.resultOf(op, target)
}

func (q *request) statusOf(op lro.Operation) *reply {
	s := operationStatus{ID: q.id.String(), Name: op.Name, Status: op.Status, StartTime: op.Started, Percent: op.Progress(q.opt.Clock.Now()), ResourceID: op.Target}
	switch {
	case op.Status == lro.InProgress:
		arm.SetRetryAfter(q.header, q.opt.RetryAfter)
	case op.Status == lro.Succeeded:
		s.Properties = &struct{}{}
	case op.Error != nil:
		s.Error = &operationFailure{op.Error.Code, op.Error.Message, op.Error.Details}
	default:
		s.Error = &operationFailure{Code: "OperationFailed", Message: "The operation ended as " + string(op.Status) + "."}
	}
	if !op.Ended.IsZero() {
		s.EndTime = &op.Ended
	}
	return &reply{status: http.StatusOK, body: s}
}

// resultOf: deletions end with an empty 200; one poller takes a 204 for an error.
func (q *request) resultOf(op lro.Operation, target *store.Document) (*reply, *arm.Error) {
	switch {
	case op.Status == lro.InProgress:
		q.header.Set("Location", q.base+q.r.URL.RequestURI())
		arm.SetRetryAfter(q.header, q.opt.RetryAfter)
		return &reply{status: http.StatusAccepted}, nil
	case op.Status != lro.Succeeded && op.Error != nil:
		e := *op.Error
		e.Status = http.StatusBadRequest
		return nil, &e
	case op.Status != lro.Succeeded:
		return nil, problem(http.StatusBadRequest, "OperationFailed", "The operation ended as %s.", op.Status)
	case op.Kind == CheckConnectivity:
		return q.found(op)
	case target == nil || op.Kind == DeleteService || op.Kind == PurgeService || op.Kind == DeleteGroup:
		return &reply{status: http.StatusOK}, nil
	}
	row, ok := q.engine.Row(target.Type)
	if !ok {
		return &reply{status: http.StatusOK}, nil
	}
	version := q.version
	if !row.Has(version) {
		version = arm.Version(op.APIVersion)
	}
	o, err := q.engine.Show(row, version, *target, resource.Around{Env: q.env})
	if err != nil {
		return nil, q.finish(err)
	}
	return &reply{status: http.StatusOK, body: o}, nil
}

// found is what a check has found.
func (q *request) found(op lro.Operation) (*reply, *arm.Error) {
	var c check
	if err := json.Unmarshal(op.State, &c); err != nil {
		return nil, q.finish(err)
	}
	return &reply{status: http.StatusOK, body: c.Found}, nil
}
