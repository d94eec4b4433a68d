package management

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// A forecast is what a request about a service would bring.
type forecast struct {
	Status int        `json:"status"`          // of the answer that the request would get
	Error  *arm.Error `json:"error,omitempty"` // why it would be refused; its details are the limits it hits
	// Operation is the kind of the long-running operation that it would start; empty for none.
	Operation string `json:"operation,omitempty"`
	Pace      string `json:"pace,omitempty"`
	// Takes is how long the operation takes at its pace, by the clock of the platform, and infrastructure is locked;
	// Expected is the same by the time of day, empty while the clock stands. The work itself comes on top.
	Takes     string             `json:"takes,omitempty"`
	Expected  string             `json:"expected,omitempty"`
	Locked    []string           `json:"locked,omitempty"`
	Editable  []string           `json:"editable,omitempty"`
	Locations []forecastLocation `json:"locations,omitempty"`
}

type forecastLocation struct {
	platform.Outlook
	// WaitsAtMost is how long a connection waits where they do, by the time of day; then it is refused.
	WaitsAtMost string      `json:"waitsAtMost,omitempty"`
	DNS         []dnsChange `json:"dns"`
}

// A dnsChange is a record that has to lead elsewhere. By is "platform" for what moves by itself and "owner" for what the
// owner of the name has to change.
type dnsChange struct {
	Name string `json:"name"`
	Type string `json:"type"`
	From string `json:"from"`
	To   string `json:"to"` // empty while the address is not known
	By   string `json:"by"`
}

// What a running operation locks, and what it leaves.
var (
	lockedMeanwhile   = []string{"tier and units", "locations and zones", "network", "custom domains", "CA certificates", "deletion"}
	editableMeanwhile = []string{"APIs", "products", "policies", "subscriptions", "everything else below the service"}
)

// A dryRun is a transaction that is not kept.
type dryRun struct {
	id    string          // of the service
	after *store.Document // as it would be
	op    lro.Operation
}

var errDry = errors.New("a forecast changes nothing")

func (d *dryRun) run(ctx context.Context, st store.Store, f func(store.Tx) error) error {
	_, err := st.Update(ctx, func(tx store.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		var err error
		if d.after, err = get(tx, d.id); err != nil || d.after == nil {
			return errors.Join(err, errDry)
		}
		if name := serviceStatus(d.after).Operation; name != "" {
			d.op, err = lro.Load(tx, name)
		}
		return errors.Join(err, errDry)
	})
	if errors.Is(err, errDry) {
		return nil
	}
	return err
}

// forecastPaths are those, below a service, that change compute.
var forecastPaths = []string{"", "migratetostv2", "providers/portico.hosting/upgrade", "providers/portico.hosting/rollback"}

// forecast answers what a request about the service would bring: the request is served as ever, in a transaction that is
// not kept.
func (q *request) forecast() (*reply, *arm.Error) {
	if q.opt.Forecast == nil {
		return nil, q.noSuchType()
	}
	inner, err := q.inner()
	if err != nil {
		return nil, err
	}
	answer, refused := inner.route()
	if refused != nil {
		return &reply{status: http.StatusOK, body: forecast{Status: refused.Status, Error: refused}}, nil //nolint:nilerr // the refusal is the forecast
	}
	f := forecast{Status: answer.status}
	d := inner.dry
	if d.op.Name == "" {
		return &reply{status: http.StatusOK, body: f}, nil
	}
	f.Operation, f.Pace = d.op.Kind, q.opt.Clock.Pace().String()
	f.Locked, f.Editable = lockedMeanwhile, editableMeanwhile
	takes := max(d.op.NotBefore.Sub(d.op.Started), 0)
	f.Takes = pace.FormatDuration(takes)
	if expected, ok := q.opt.Clock.Real(takes); ok {
		f.Expected = pace.FormatDuration(expected)
	}
	o, oerr := q.engine.Open(*d.after)
	if oerr != nil {
		return nil, q.finish(oerr)
	}
	for _, outlook := range q.opt.Forecast(d.after.ID, serviceStatus(d.after)) {
		l := forecastLocation{Outlook: outlook, DNS: q.dnsChanges(d.after, o, outlook)}
		if outlook.Downtime == platform.Waits {
			l.WaitsAtMost = pace.FormatDuration(q.opt.GapTime)
		}
		f.Locations = append(f.Locations, l)
	}
	return &reply{status: http.StatusOK, body: f}, nil
}

// inner is the request that the body of a forecast describes.
func (q *request) inner() (*request, *arm.Error) {
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	var in struct {
		Method     string          `json:"method"`
		Path       string          `json:"path"` // below the service
		APIVersion string          `json:"apiVersion"`
		Body       json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badBody(err)
	}
	u, perr := url.Parse(strings.Trim(in.Path, "/"))
	methods := []string{http.MethodPut, http.MethodPatch, http.MethodDelete}
	if perr == nil && u.Path != "" {
		methods = []string{http.MethodPost}
	}
	switch {
	case perr != nil || u.Host != "" || !slices.Contains(forecastPaths, strings.ToLower(u.Path)):
		return nil, problem(http.StatusBadRequest, platform.CodeInvalidParameters, "The path '%s' changes no compute. What can be foreseen: the service itself (an empty path), migrateToStv2, and upgrade and rollback below providers/%s.", in.Path, Hosting)
	case !slices.Contains(methods, strings.ToUpper(in.Method)):
		return nil, problem(http.StatusBadRequest, platform.CodeInvalidParameters, "The method '%s' changes no compute at the path '%s'. Methods that do: %s.", in.Method, in.Path, strings.Join(methods, ", "))
	}
	query := u.Query()
	if query.Set("api-version", in.APIVersion); in.APIVersion == "" {
		query.Set("api-version", string(q.version))
	}
	r := q.r.Clone(q.r.Context())
	r.Method, r.Header = strings.ToUpper(in.Method), http.Header{"Content-Type": {"application/json"}}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(in.Body)), int64(len(in.Body))
	service := q.id.String()
	path := service
	if u.Path != "" {
		path += "/" + u.Path
	}
	r.URL = &url.URL{Path: path, RawQuery: query.Encode()}
	id, ierr := arm.ParsePath(r.URL.EscapedPath())
	if ierr != nil {
		return nil, badBody(ierr)
	}
	return &request{Handler: q.Handler, r: r, header: http.Header{}, who: q.who, id: id, base: q.base, dry: &dryRun{id: service}}, nil
}

// dnsChanges are the records that have to lead elsewhere when the address of a location changes.
func (q *request) dnsChanges(doc *store.Document, o resource.Object, outlook platform.Outlook) []dnsChange {
	out := []dnsChange{}
	before, after := outlook.AddressesBefore, outlook.AddressesAfter
	if len(before) == 0 || len(after) == 0 || before[0] == after[0] {
		return out
	}
	add := func(name, by string) { out = append(out, dnsChange{name, "A", before[0], after[0], by}) }
	by := "platform"
	if o.Text("properties.virtualNetworkType") == "Internal" {
		by = "owner" // names of an internal gateway are nobody else's
	}
	st := serviceStatus(doc)
	urls := q.opt.URLs(resource.ServiceFacts{ID: doc.ID, Name: lastSegment(doc.ID), Location: st.Name, Status: st})
	if urls.GatewayHost != "" && outlook.Location == st.Name {
		add(urls.GatewayHost, by)
	}
	for _, h := range o.List("properties.hostnameConfigurations") {
		if m, ok := h.(map[string]any); ok && fmt.Sprint(m["type"]) == "Proxy" {
			add(fmt.Sprint(m["hostName"]), "owner")
		}
	}
	return out
}
