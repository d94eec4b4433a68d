package management

import (
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// unbuiltActions are those that are refused by name.
var unbuiltActions = map[string]string{
	"service/getssotoken":                "Single sign-on to a publisher portal",
	"service/users/generatessourl":       "Single sign-on to a developer portal",
	"service/users/confirmations/send":   "Mails that confirm a sign-up",
	"service/namedvalues/refreshsecret":  "Named values from a key vault",
	"service/certificates/refreshsecret": "Certificates from a key vault",
}

// action answers a POST below an instance: the last segment of the path is its name.
func (q *request) action() (*reply, *arm.Error) {
	n := len(q.id.Types) - 1
	if what := unbuiltActions[strings.ToLower(q.id.TypePath())]; what != "" {
		return nil, arm.Invalid(resource.Finding(q.id.Types[n], "%s: not built in this version of Portico.", what))
	}
	row, ok := q.engine.Row(q.id.Provider + "/" + strings.Join(q.id.Types[:n], "/"))
	if !ok {
		return nil, q.noSuchType()
	}
	a, ok := row.Action(q.id.Types[n], q.version)
	if !ok {
		return nil, q.noSuchType()
	}
	q.row, q.id.Types = row, q.id.Types[:n]
	q.canonicalTypes()
	if err := q.checkVersion(); err != nil {
		return nil, err
	}
	if err := q.view(q.unlocked); err != nil {
		return nil, err
	}
	switch a.Name {
	case "connectivityCheck":
		return q.connectivityCheck()
	case "applynetworkconfigurationupdates":
		return q.applyNetwork()
	case "migrateToStv2":
		return q.migrate()
	case "backup":
		return q.copyContent(BackUpContent, backupTakes)
	case "restore":
		return q.copyContent(RestoreContent, restoreTakes)
	case "listSecrets":
		return q.secrets("primaryKey", "secondaryKey")
	case "listValue":
		return q.secrets("value")
	case "token":
		return q.userToken()
	case "regeneratePrimaryKey":
		return q.regenerate("primaryKey")
	case "regenerateSecondaryKey":
		return q.regenerate("secondaryKey")
	}
	return nil, q.noSuchType()
}

// secrets answers with properties that a GET hides.
func (q *request) secrets(names ...string) (*reply, *arm.Error) {
	out := map[string]any{}
	err := q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if err := q.readable(p); err != nil {
			return err
		}
		if p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		o, err := q.engine.Open(*p.doc)
		if err != nil {
			return err
		}
		for _, n := range names {
			if v := o.Get("properties." + n); v != nil {
				out[n] = v
			}
		}
		q.header.Set("ETag", arm.QuoteETag(p.doc.ETag))
		return nil
	})
	return &reply{status: http.StatusOK, body: out}, err
}

// regenerate gives a subscription a new key.
func (q *request) regenerate(name string) (*reply, *arm.Error) {
	err := q.update(func(tx store.Tx) error {
		p, err := q.existing(tx)
		if err != nil {
			return err
		}
		o, err := q.engine.Open(*p.doc)
		if err != nil {
			return err
		}
		o.Set("properties."+name, resource.NewKey())
		d, err := q.engine.Document(q.row, p.doc.ID, o, p.doc)
		if err != nil {
			return err
		}
		_, err = tx.Put(d)
		return err
	})
	return &reply{status: http.StatusNoContent}, err
}

// hostingActions are the actions that Portico adds to a service.
func hostingActions() map[string]func(*request) (*reply, *arm.Error) {
	return map[string]func(*request) (*reply, *arm.Error){
		"upgrade": (*request).upgrade, "cancelupgrade": (*request).cancelUpgrade, "rollback": (*request).rollBack, "forecast": (*request).forecast,
	}
}

// hostingSettings are what owners can set of a service besides its properties. Each answers all methods.
func hostingSettings() map[string]func(*request) (*reply, *arm.Error) {
	return map[string]func(*request) (*reply, *arm.Error){"maintenancewindow": (*request).maintenanceWindow}
}

// extension answers the facts that Portico adds to a service, below providers/Portico.Hosting.
func (q *request) extension() (*reply, *arm.Error) {
	outer := *q.id.Scope
	if !strings.EqualFold(q.id.Provider, Hosting) {
		return nil, problem(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", q.id.Provider)
	}
	key := strings.ToLower(q.id.TypePath())
	f, method := q.opt.Extensions[key], http.MethodGet
	act := hostingActions()[key]
	if act != nil {
		method = http.MethodPost
	}
	if set := hostingSettings()[key]; set != nil {
		act, method = set, q.r.Method
	}
	if f == nil && act == nil || !q.id.IsCollection() || !strings.EqualFold(outer.Type(), resource.APIM+"/service") || outer.IsCollection() {
		return nil, q.noSuchType()
	}
	if q.r.Method != method {
		return nil, q.noSuchMethod()
	}
	q.id = outer
	q.row, _ = q.engine.Row(outer.Type())
	q.canonicalTypes()
	q.id.Subscription = q.opt.Subscription.ID
	if act != nil {
		return act(q)
	}
	id := ""
	if err := q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		id = p.id
		return nil
	}); err != nil {
		return nil, err
	}
	raw, err := f(q.r.Context(), id)
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusOK, body: raw}, nil
}
