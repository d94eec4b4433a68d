package management

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// Authorization is the namespace of locks.
const Authorization = "Microsoft.Authorization"

// Locks are kept below the scope that they are of.
const (
	lockType  = "microsoft.authorization/locks"
	lockBelow = "/providers/" + Authorization + "/locks/"
)

var lockVersions = []arm.Version{"2020-05-01", "2017-04-01", "2016-09-01", "2015-01-01"}

// Levels of a lock.
const (
	canNotDelete = "CanNotDelete"
	readOnly     = "ReadOnly"
)

// A lock is the Desired of a lock's document.
type lock struct {
	Level  string      `json:"level"`
	Notes  string      `json:"notes,omitempty"`
	Owners []lockOwner `json:"owners,omitempty"`
}

type lockOwner struct {
	ApplicationID string `json:"applicationId"`
}

// A lockStatus is who made a lock and when.
type lockStatus struct {
	CreatedBy  string    `json:"createdBy,omitempty"`
	CreatedAt  time.Time `json:"createdAt"`
	ModifiedBy string    `json:"modifiedBy,omitempty"`
	ModifiedAt time.Time `json:"modifiedAt"`
}

// isLock says whether a path is about locks, of a subscription, a resource group or a resource.
func (q *request) isLock() bool {
	return strings.EqualFold(q.id.Provider, Authorization) && len(q.id.Types) == 1 && strings.EqualFold(q.id.Types[0], "locks")
}

// lockPath answers for locks. They are locked by none: whoever may manage locks can always take one away.
func (q *request) lockPath() (*reply, *arm.Error) {
	if !slices.Contains(lockVersions, q.version) {
		return nil, q.invalidVersion(string(q.version), lockVersions)
	}
	if q.id.IsCollection() {
		if q.r.Method != http.MethodGet {
			return nil, q.noSuchMethod()
		}
		return q.listLocks()
	}
	switch q.r.Method {
	case http.MethodGet:
		return q.getLock()
	case http.MethodPut:
		return q.putLock()
	case http.MethodDelete:
		return q.deleteLock()
	}
	return nil, q.noSuchMethod()
}

// lockScope is the ID, as stored, of what the path's lock is of.
func (q *request) lockScope(t store.Reader) (string, error) {
	at := *q
	switch {
	case q.id.Scope != nil:
		at.id = *q.id.Scope
		row, ok := q.engine.Row(at.id.Type())
		if !ok || at.id.IsCollection() || row.Shape == resource.Proxy || row.Shape == resource.Link {
			return "", q.noSuchPath()
		}
		at.row = row
		at.canonicalTypes()
	case q.id.ResourceGroup != "":
		at.id = arm.ID{Subscription: q.id.Subscription, ResourceGroup: q.id.ResourceGroup}
		at.row, _ = q.engine.Row(at.id.Type())
	default:
		return "/subscriptions/" + q.opt.Subscription.ID, nil
	}
	p, err := at.locate(t)
	if err != nil {
		return "", err
	}
	if p.missing != nil || p.doc == nil {
		return "", at.notFound(at.row, p.id)
	}
	return p.id, nil
}

func (q *request) lockAt(t store.Reader) (id string, d *store.Document, err error) {
	scope, err := q.lockScope(t)
	if err != nil {
		return "", nil, err
	}
	id = scope + lockBelow + q.id.Name()
	if d, err = get(t, id); d != nil {
		id = d.ID
	}
	return id, d, err
}

func (q *request) getLock() (*reply, *arm.Error) {
	rep := &reply{status: http.StatusOK}
	err := q.view(func(t store.Reader) error {
		_, d, err := q.lockAt(t)
		if err != nil {
			return err
		}
		if d == nil {
			return problem(http.StatusNotFound, "LockNotFound", "The lock '%s' could not be found.", q.id.Name())
		}
		rep.body, err = q.showLock(*d)
		return err
	})
	return rep, err
}

// showLock is a lock as the api-version shows it.
func (q *request) showLock(d store.Document) (any, error) {
	var st lockStatus
	if err := json.Unmarshal(d.Status, &st); err != nil {
		return nil, fmt.Errorf("read status of %s: %w", d.ID, err)
	}
	o := map[string]any{"id": d.ID, "name": lastSegment(d.ID), "type": Authorization + "/locks", "properties": d.Desired}
	if !q.version.Before(lockVersions[0]) {
		o["systemData"] = map[string]any{
			"createdBy": st.CreatedBy, "createdByType": "Application", "createdAt": resource.Timestamp(st.CreatedAt),
			"lastModifiedBy": st.ModifiedBy, "lastModifiedByType": "Application", "lastModifiedAt": resource.Timestamp(st.ModifiedAt),
		}
	}
	return o, nil
}

// readLock reads and checks the body of a PUT.
func (q *request) readLock() (json.RawMessage, *arm.Error) {
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	var in struct {
		Properties *lock `json:"properties"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badBody(err)
	}
	const longestName, longestNotes = 260, 512
	name := q.id.Name()
	switch {
	case len(name) > longestName || strings.ContainsAny(name, `<>%&:\?/`):
		return nil, problem(http.StatusBadRequest, "InvalidResourceName", "The name '%s' of the lock is invalid.", name)
	case in.Properties == nil:
		return nil, problem(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid: 'properties' is required.")
	case in.Properties.Level != canNotDelete && in.Properties.Level != readOnly:
		return nil, problem(http.StatusBadRequest, "InvalidLockLevel", "The lock level '%s' is invalid. The supported levels are '%s,%s'.", in.Properties.Level, canNotDelete, readOnly)
	case len(in.Properties.Notes) > longestNotes:
		return nil, problem(http.StatusBadRequest, "InvalidRequestContent", "The notes of a lock have at most %d characters.", longestNotes)
	}
	desired, merr := json.Marshal(in.Properties)
	if merr != nil {
		return nil, badBody(merr)
	}
	return desired, nil
}

func (q *request) putLock() (*reply, *arm.Error) {
	desired, perr := q.readLock()
	if perr != nil {
		return nil, perr
	}
	rep := &reply{status: http.StatusOK}
	err := q.commit(q.r.Context(), "lock", func(tx store.Tx) error {
		id, old, err := q.lockAt(tx)
		if err != nil {
			return err
		}
		now := q.opt.Clock.Now()
		st := lockStatus{CreatedBy: q.who.name(), CreatedAt: now, ModifiedBy: q.who.name(), ModifiedAt: now}
		if old == nil {
			rep.status = http.StatusCreated
		} else {
			var was lockStatus
			if err := json.Unmarshal(old.Status, &was); err != nil {
				return fmt.Errorf("read status of %s: %w", id, err)
			}
			st.CreatedBy, st.CreatedAt = was.CreatedBy, was.CreatedAt
		}
		status, err := json.Marshal(st)
		if err != nil {
			return err
		}
		d, err := tx.Put(store.Document{ID: id, Type: lockType, Desired: desired, Status: status})
		if err != nil {
			return err
		}
		rep.body, err = q.showLock(d)
		return err
	})
	return rep, q.finish(err)
}

func (q *request) deleteLock() (*reply, *arm.Error) {
	rep := &reply{status: http.StatusNoContent}
	err := q.commit(q.r.Context(), "lock", func(tx store.Tx) error {
		id, d, err := q.lockAt(tx)
		if err != nil || d == nil {
			return err
		}
		rep.status = http.StatusOK
		return tx.Delete(id)
	})
	return rep, q.finish(err)
}

// listLocks lists the locks at, above and below a scope; with atScope() those at and above it.
func (q *request) listLocks() (*reply, *arm.Error) {
	page, perr := arm.ParsePage(q.r.URL.Query())
	if perr != nil {
		return nil, perr
	}
	filter := strings.ReplaceAll(q.query("$filter"), " ", "")
	if filter != "" && !strings.EqualFold(filter, "atScope()") {
		return nil, problem(http.StatusBadRequest, "InvalidFilterInQueryString", "The filter '%s' is not supported. Supported is 'atScope()'.", q.query("$filter"))
	}
	var items []any
	err := q.view(func(t store.Reader) error {
		scope, err := q.lockScope(t)
		if err != nil {
			return err
		}
		docs, err := t.List(store.Query{Type: lockType})
		if err != nil {
			return err
		}
		for _, d := range docs {
			of := lockedScope(d)
			if !within(scope, of) && (filter != "" || !within(of, scope)) {
				continue
			}
			item, err := q.showLock(d)
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	from, to, _ := page.Slice(len(items))
	return q.pageOf(items[from:to], len(items), page, true), nil
}

// lockedScope is the ID of what a lock is of.
func lockedScope(d store.Document) string {
	return d.ID[:strings.LastIndex(store.Key(d.ID), strings.ToLower(lockBelow))]
}

// within says whether an ID is that of a scope, or of something below it.
func within(id, scope string) bool {
	id, scope = store.Key(id), store.Key(scope)
	return id == scope || strings.HasPrefix(id, scope+"/")
}

// unlocked refuses what locks forbid: a deletion, by any lock above what it removes or on a part of it; other writes and
// actions, by one above that leaves reading alone.
func unlocked(t store.Reader, id string, deletes bool) error {
	docs, err := t.List(store.Query{Type: lockType})
	if err != nil {
		return err
	}
	var scopes []string
	for _, d := range docs {
		var l lock
		if err := json.Unmarshal(d.Desired, &l); err != nil {
			return fmt.Errorf("read %s: %w", d.ID, err)
		}
		of := lockedScope(d)
		if deletes && (within(id, of) || within(of, id)) || l.Level == readOnly && within(id, of) {
			scopes = append(scopes, of)
		}
	}
	if len(scopes) == 0 {
		return nil
	}
	what := "write"
	if deletes {
		what = "delete"
	}
	return problem(http.StatusConflict, "ScopeLocked",
		"The scope '%s' cannot perform %s operation because following scope(s) are locked: '%s'. Please remove the lock and try again.", id, what, strings.Join(scopes, ","))
}

// unlocked asks that no lock forbids the request.
func (q *request) unlocked(t store.Reader) error {
	return unlocked(t, q.id.String(), q.r.Method == http.MethodDelete)
}
