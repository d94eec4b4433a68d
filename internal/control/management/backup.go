package management

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/control/backup"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// Kinds of the operations that copy what a service contains. They are this package's: compute is not concerned.
const (
	BackUpContent  = "content.backup"
	RestoreContent = "content.restore"
)

// What backups and restores take in the cloud service.
const (
	backupTakes  = time.Minute
	restoreTakes = 30 * time.Minute
)

// accessTypesFrom is the api-version from which a body says how the storage account is opened; before, by key.
const accessTypesFrom arm.Version = "2021-04-01-preview"

// A backupBody is the body of a backup or restore.
type backupBody struct {
	StorageAccount string  `json:"storageAccount"`
	ContainerName  string  `json:"containerName"`
	BackupName     string  `json:"backupName"`
	AccessType     *string `json:"accessType"`
	AccessKey      string  `json:"accessKey"`
	ClientID       *string `json:"clientId"`
}

// Spellings of accessType.
const (
	byKey            = "AccessKey"
	bySystemIdentity = "SystemAssignedManagedIdentity"
	byUserIdentity   = "UserAssignedManagedIdentity"
)

// access is how the body wants to open the storage account.
func (in backupBody) access(v arm.Version) string {
	if in.AccessType == nil || v.Before(accessTypesFrom) {
		return byKey
	}
	return *in.AccessType
}

// A contentState is the state of such an operation.
type contentState struct {
	Place string `json:"place"` // a backup.Place, sealed: it holds the access key
	Was   string `json:"was"`   // the provisioning state that the service goes back to
}

// copyContent starts a backup or a restore. The service is held until it is over: nothing that changes its compute is
// taken on meanwhile.
func (q *request) copyContent(kind string, takes time.Duration) (*reply, *arm.Error) {
	in, at, err := q.backupPlace()
	if err != nil {
		return nil, err
	}
	err = q.update(func(tx store.Tx) error {
		p, err := q.existing(tx)
		if err != nil {
			return err
		}
		st := serviceStatus(p.doc)
		switch {
		case st.Operation != "":
			return locked(p.doc.ID)
		case !keepsBackups(st.Wish.Tier):
			return problem(http.StatusBadRequest, "MethodNotAllowedInPricingTier", "Method not allowed in %s pricing tier", st.Wish.Tier)
		case st.Wish.Gone:
			return problem(http.StatusConflict, "ServiceNotActive", "The API Service %s was never active.", lastSegment(p.doc.ID))
		}
		if err := q.hasAccess(tx, *p.doc, in); err != nil {
			return err
		}
		state, err := q.sealPlace(p.doc.ID, at, st.ProvisioningState)
		if err != nil {
			return err
		}
		now := q.opt.Clock.Now()
		op := lro.Operation{Kind: kind, Target: p.doc.ID, APIVersion: string(q.version), Started: now, State: state}
		if q.opt.Clock.Timed() {
			op.NotBefore = now.Add(takes)
		}
		if op, err = q.begin(tx, op); err != nil {
			return err
		}
		st.ProvisioningState, st.TargetProvisioningState, st.Operation = "Updating", "Updating", op.Name
		if err := putStatus(tx, *p.doc, st); err != nil {
			return err
		}
		q.monitors(p.doc.ID, op.Name).SetHeaders(q.header)
		return nil
	})
	return &reply{status: http.StatusAccepted}, err
}

// keepsBackups says whether services of a tier can be backed up: those with machines of their own.
func keepsBackups(t platform.Tier) bool {
	switch t {
	case platform.Developer, platform.Basic, platform.Standard, platform.Premium:
		return true
	}
	return false
}

// backupPlace reads and checks the body.
func (q *request) backupPlace() (in backupBody, at backup.Place, err *arm.Error) {
	raw, err := q.readBody()
	if err != nil {
		return in, at, err
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return in, at, badBody(err)
	}
	var found []arm.ErrorDetail
	for _, x := range []struct {
		field, value string
		valid        func(string) bool
	}{
		{"storageAccount", in.StorageAccount, backup.ValidAccount},
		{"containerName", in.ContainerName, backup.ValidContainer},
		{"backupName", in.BackupName, backup.ValidName},
	} {
		switch {
		case x.value == "":
			found = append(found, resource.Finding(x.field, "'%s' is required.", x.field))
		case !x.valid(x.value):
			found = append(found, resource.Finding(x.field, "'%s' is not a valid %s.", x.value, x.field))
		}
	}
	found = append(found, q.badAccess(in)...)
	if len(found) > 0 {
		return in, at, arm.Invalid(found...)
	}
	at = backup.Place{Account: in.StorageAccount, Container: in.ContainerName, Name: in.BackupName}
	if in.access(q.version) == byKey {
		at.Key = in.AccessKey
	} else {
		at.Identity = true
	}
	return in, at, nil
}

// badAccess says what is wrong with how the body wants to open the storage account.
func (q *request) badAccess(in backupBody) []arm.ErrorDetail {
	switch kind := in.access(q.version); {
	case kind == byKey && in.AccessKey == "" && q.opt.Backups.NeedsKey(in.StorageAccount):
		return []arm.ErrorDetail{resource.Finding("accessKey", "'accessKey' is required.")}
	case kind == byUserIdentity && (in.ClientID == nil || *in.ClientID == ""):
		return []arm.ErrorDetail{resource.Finding("clientId", "'clientId' is required for the access type '%s'.", kind)}
	case kind != byKey && kind != bySystemIdentity && kind != byUserIdentity:
		return []arm.ErrorDetail{resource.Finding("accessType", "'%s' is no type of access. Possible values: %s, %s, %s.", kind, byKey, bySystemIdentity, byUserIdentity)}
	}
	return nil
}

// hasAccess asks that the service has the identity by which the storage account is to be opened. Whether that is let in
// is seen when it is opened.
func (q *request) hasAccess(t store.Reader, service store.Document, in backupBody) error {
	kind := in.access(q.version)
	if kind == byKey {
		return nil
	}
	o, err := q.engine.Open(service)
	switch {
	case err != nil:
		return err
	case kind == bySystemIdentity && !resource.SystemIdentity(o):
		return arm.Invalid(resource.Finding("accessType", "The service '%s' has no system-assigned identity.", lastSegment(service.ID)))
	case kind == byUserIdentity && !resource.UserIdentity(t, o, *in.ClientID):
		return arm.Invalid(resource.Finding("clientId", "The service '%s' has no user-assigned identity with the client ID '%s'.", lastSegment(service.ID), *in.ClientID))
	}
	return nil
}

func (q *request) sealPlace(service string, at backup.Place, was string) (json.RawMessage, error) {
	plain, err := json.Marshal(at)
	if err != nil {
		return nil, fmt.Errorf("encode place of backup: %w", err)
	}
	sealed, err := q.opt.Sealer.Seal(plain, placeContext(service))
	if err != nil {
		return nil, fmt.Errorf("seal place of backup: %w", err)
	}
	return json.Marshal(contentState{Place: sealed, Was: was})
}

func placeContext(service string) string { return store.Key(service) + "#backup" }

func putStatus(tx store.Tx, d store.Document, st platform.ServiceStatus) (err error) {
	if d.Status, err = json.Marshal(st); err != nil {
		return fmt.Errorf("encode status of %s: %w", d.ID, err)
	}
	_, err = tx.Put(d)
	return err
}

// contentCopy runs backups, and restores.
type contentCopy struct {
	*Handler
	restore bool
}

// Step implements lro.Handler. Everything happens in one step, which may run again: a backup is put in the place of the
// one that it wrote before, a restore changes nothing before the transaction that ends it. What is wrong ends the
// operation at once; its client can ask again.
func (c contentCopy) Step(ctx context.Context, op lro.Operation) (lro.Outcome, error) {
	var state contentState
	if err := json.Unmarshal(op.State, &state); err != nil {
		return lro.Outcome{}, fmt.Errorf("read state: %w", err)
	}
	writes, err := c.run(ctx, op, state)
	if ctx.Err() != nil {
		return lro.Outcome{}, ctx.Err()
	}
	out := lro.Outcome{Status: lro.Succeeded, State: json.RawMessage("{}")} // what opens the account is needed no more
	if err != nil {
		refusal, refused := errors.AsType[*arm.Error](err)
		if !refused {
			c.log.WarnContext(ctx, "backup not read or written", slog.String("service", op.Target), slog.Any("error", err))
			refusal = problem(http.StatusBadRequest, "StorageAccountNotReached", "The storage account cannot be reached, or does not do what it is asked.")
		}
		out.Status, out.Error, writes = lro.Failed, refusal, nil
	}
	out.Writes = func(tx store.Tx) error {
		if writes != nil {
			if err := writes(tx); err != nil {
				return err
			}
		}
		return release(tx, op, state)
	}
	return out, nil
}

// End implements lro.Ender.
func (c contentCopy) End(tx store.Tx, op lro.Operation, _ *arm.Error) error {
	var state contentState
	if err := json.Unmarshal(op.State, &state); err != nil {
		state.Was = "Succeeded"
	}
	return release(tx, op, state)
}

// release gives the service free.
func release(tx store.Tx, op lro.Operation, state contentState) error {
	d, err := get(tx, op.Target)
	if err != nil || d == nil {
		return err
	}
	st := serviceStatus(d)
	if st.Operation != op.Name {
		return nil
	}
	st.ProvisioningState, st.TargetProvisioningState, st.Operation = state.Was, "", ""
	return putStatus(tx, *d, st)
}

// run does the part of an operation that needs no transaction, and returns the part that does.
func (c contentCopy) run(ctx context.Context, op lro.Operation, state contentState) (func(store.Tx) error, error) {
	plain, err := c.opt.Sealer.Open(state.Place, placeContext(op.Target))
	if err != nil {
		return nil, fmt.Errorf("unseal place of backup: %w", err)
	}
	var at backup.Place
	if err := json.Unmarshal(plain, &at); err != nil {
		return nil, fmt.Errorf("read place of backup: %w", err)
	}
	if c.restore {
		return c.fetchArchive(ctx, op, at)
	}
	return nil, c.putArchive(ctx, op, at)
}

// putArchive makes a backup and stores it.
func (c contentCopy) putArchive(ctx context.Context, op lro.Operation, at backup.Place) error {
	var a backup.Archive
	err := c.opt.Store.View(ctx, func(t store.Reader) error {
		d, err := t.Get(op.Target)
		if err != nil {
			return err
		}
		a.Header = backup.Header{Service: d.ID, Tier: string(serviceStatus(&d).Wish.Tier), Created: c.opt.Clock.Now(), Seq: t.Seq()}
		a.Documents, err = c.content(t, d.ID)
		return err
	})
	if err != nil {
		return err
	}
	data, err := backup.Seal(c.opt.Sealer, a)
	if err != nil {
		return err
	}
	return placeError(at, c.opt.Backups.Put(ctx, at, data))
}

// fetchArchive gets a backup, checks it, and returns the transaction that restores it.
func (c contentCopy) fetchArchive(ctx context.Context, op lro.Operation, at backup.Place) (func(store.Tx) error, error) {
	data, err := c.opt.Backups.Get(ctx, at)
	if err != nil {
		return nil, placeError(at, err)
	}
	a, err := backup.Open(c.opt.Sealer, data)
	if err != nil {
		c.log.WarnContext(ctx, "backup not opened", slog.String("service", op.Target), slog.Any("error", err))
		return nil, problem(http.StatusBadRequest, "InvalidBackup", "Cannot restore: '%s' cannot be read: %s.", at.Name, reasonOf(err))
	}
	if c.opt.Clock.Now().Sub(a.Created) > backup.Valid {
		return nil, problem(http.StatusBadRequest, "BackupExpired", "Cannot restore: backup expired")
	}
	if err := c.knowsAll(a); err != nil {
		return nil, err
	}
	tier := platform.Tier("")
	if err := c.opt.Store.View(ctx, func(t store.Reader) error {
		d, err := t.Get(op.Target)
		tier = serviceStatus(&d).Wish.Tier
		return err
	}); err != nil {
		return nil, err
	}
	if string(tier) != a.Tier { // held, so it stays what it is
		return nil, problem(http.StatusBadRequest, "SkuMismatch", "Cannot restore: the backup is of a service of the tier %s, '%s' has the tier %s.", a.Tier, lastSegment(op.Target), tier)
	}
	return func(tx store.Tx) error { return c.putContent(tx, op.Target, a) }, nil
}

// reasonOf is why an archive cannot be opened, in words for the client.
func reasonOf(err error) string {
	for _, known := range []error{backup.ErrFormat, backup.ErrSeal} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return backup.ErrNoArchive.Error()
}

// placeError puts what is the client's to mend into words for it.
func placeError(at backup.Place, err error) error {
	switch {
	case errors.Is(err, backup.ErrNoContainer):
		return problem(http.StatusBadRequest, "ContainerNotFound", "The container '%s' of the storage account '%s' does not exist.", at.Container, at.Account)
	case errors.Is(err, backup.ErrNoBackup):
		return problem(http.StatusBadRequest, "BackupNotFound", "There is no backup '%s' in the container '%s' of the storage account '%s'.", at.Name, at.Container, at.Account)
	case errors.Is(err, backup.ErrDenied):
		return problem(http.StatusBadRequest, "StorageAccessDenied", "The storage account '%s' refuses the access key.", at.Account)
	case errors.Is(err, backup.ErrNoGrant):
		return problem(http.StatusBadRequest, "StorageAccessDenied", "The storage account '%s' lets no managed identities of this installation in.", at.Account)
	case errors.Is(err, backup.ErrTooLarge):
		return problem(http.StatusBadRequest, "InvalidBackup", "'%s' is larger than a backup can be.", at.Name)
	}
	return err
}
