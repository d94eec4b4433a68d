package management

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/control/activity"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// Insights is the namespace of the activity log, of metrics and of autoscale settings.
const Insights = resource.Insights

var activityVersions = []arm.Version{"2017-03-01-preview", "2015-04-01", "2014-04-01"}

// activityKept is how long events are shown.
const activityKept = 90 * 24 * time.Hour

// maintenance is what the activity log calls the work of the platform on a service.
const maintenance = "Scheduled maintenance"

// tell writes an event.
func (h *Handler) tell(ctx context.Context, e activity.Event) {
	if err := h.opt.Activity.Append(e); err != nil {
		h.log.WarnContext(ctx, "event not written to the activity log", slog.String("action", e.Action), slog.String("resource", e.Resource), slog.Any("error", err))
	}
}

// record enters what a request did, or was refused, into the activity log. Reads are not recorded.
func (q *request) record(correlation string, status int, refused *arm.Error) {
	if q.opt.Activity == nil || q.asked.Subscription == "" || q.r.Method == http.MethodGet || q.r.Method == http.MethodHead {
		return
	}
	id, kind, action := q.askedFor()
	e := activity.Event{
		ID: uuid.NewString(), Time: q.opt.Clock.Now(), Correlation: correlation, Operation: q.operation, Caller: q.who.name(),
		Resource: id, Type: kind, Action: action, Status: "Succeeded", Code: status, Method: q.r.Method,
	}
	e.Address, _, _ = net.SplitHostPort(q.r.RemoteAddr)
	switch {
	case refused != nil:
		e.Status, e.ErrorCode, e.Message = "Failed", refused.Code, refused.Message
	case q.operation != "":
		e.Status = "Accepted"
	}
	q.tell(q.r.Context(), e)
}

// askedFor names what was asked for as role definitions do: the resource, its type, and type and verb.
func (q *request) askedFor() (id, kind, action string) {
	at := q.asked
	verb := map[string]string{http.MethodPut: "write", http.MethodPatch: "write", http.MethodDelete: "delete"}[q.r.Method]
	if q.r.Method == http.MethodPost && at.IsCollection() { // the last segment is the action
		n := len(at.Types) - 1
		verb = at.Types[n] + "/action"
		if at.Types = at.Types[:n]; n == 0 && at.Scope != nil {
			return at.Scope.String(), at.Scope.Type(), at.Provider + "/" + verb
		}
	}
	kind = at.Type()
	if row, ok := q.engine.Row(kind); ok {
		kind = row.Type()
	}
	return at.String(), kind, kind + "/" + cmp.Or(verb, "action")
}

// begin starts an operation and notes who asked for it.
func (q *request) begin(tx store.Tx, op lro.Operation) (lro.Operation, error) {
	if q.r != nil {
		_, _, action := q.askedFor()
		op.By, op.Action, op.Correlation = q.who.name(), action, q.header.Get("X-Ms-Correlation-Request-Id")
	}
	op, err := lro.Start(tx, op)
	q.operation = op.Name
	return op, err
}

// recordOperations enters the ends of operations into the activity log, and the beginning of the platform's own work,
// until ctx ends. What ended while nobody looked is entered first.
func (h *Handler) recordOperations(ctx context.Context) {
	if h.opt.Activity == nil {
		return
	}
	f := follower{Handler: h, told: map[string]bool{}}
	for after := int64(-1); ctx.Err() == nil; {
		next, err := f.look(ctx, after)
		if err == nil {
			if after = next; after >= 0 {
				_, err = h.opt.Store.Wait(ctx, after)
			}
		}
		if err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "operations not read for the activity log", slog.Any("error", err))
			const pause = time.Second
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
}

// A follower watches operations.
type follower struct {
	*Handler
	told map[string]bool // IDs of events, of those that there were and of work that goes on
}

// look reads what changed after a Seq, or everything for -1, and returns the Seq to go on from.
func (f follower) look(ctx context.Context, after int64) (int64, error) {
	if after < 0 {
		return f.lookAtAll(ctx)
	}
	const page = 256
	changes, reset, err := f.opt.Store.Changes(ctx, after, page)
	if err != nil || reset {
		return -1, err
	}
	for _, c := range changes {
		after = c.Seq
		if c.Type != lro.Type && c.Type != typePlan || c.Deleted {
			continue
		}
		err := f.opt.Store.View(ctx, func(t store.Reader) error {
			if c.Type == typePlan {
				return f.planned(ctx, t, c.ID)
			}
			if op, err := lro.Load(t, lastSegment(c.ID)); err == nil { // one that is gone, or broken, has no event
				f.entry(ctx, op)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return after, nil
}

func (f follower) lookAtAll(ctx context.Context) (seq int64, err error) {
	clear(f.told)
	if _, err := f.opt.Activity.Find(func(e activity.Event) bool {
		if e.Operation != "" {
			f.told[e.ID] = true
		}
		return false
	}); err != nil {
		return 0, err
	}
	err = f.opt.Store.View(ctx, func(t store.Reader) error {
		seq = t.Seq()
		docs, err := t.List(store.Query{Type: lro.Type})
		for _, d := range docs {
			if op, err := lro.Load(t, lastSegment(d.ID)); err == nil {
				f.entry(ctx, op)
			}
		}
		if err != nil {
			return err
		}
		plans, err := t.List(store.Query{Type: typePlan})
		for _, d := range plans {
			err = errors.Join(err, f.planned(ctx, t, d.ID))
		}
		return err
	})
	return seq, err
}

// typePlan is the type of hosting's documents of what a rollout does with a service.
const typePlan = "portico/rolloutservices"

// planned enters that a service waits for its maintenance window.
func (f follower) planned(ctx context.Context, t store.Reader, id string) error {
	d, err := get(t, id)
	if err != nil || d == nil {
		return err
	}
	var plan struct {
		Service, Place, To string
		At, Until          time.Time
	}
	if err := json.Unmarshal(d.Status, &plan); err != nil || plan.Place != "Planned" {
		return err
	}
	kind := f.typeOf(plan.Service)
	f.once(ctx, "planned", activity.Event{
		Operation: uuid.NewSHA1(uuid.NameSpaceURL, []byte(id+plan.At.UTC().Format(time.RFC3339))).String(), // there is none yet
		Resource:  plan.Service, Type: kind, Action: kind + "/" + UpgradeService, Title: maintenance, Status: "Planned", Time: f.opt.Clock.Now(),
		Message: fmt.Sprintf("Gateway %s, between %s and %s.", plan.To, plan.At.UTC().Format(time.RFC3339), plan.Until.UTC().Format(time.RFC3339)),
	})
	return nil
}

// entry enters what there is to say of an operation and was not said before.
func (f follower) entry(ctx context.Context, op lro.Operation) {
	e := activity.Event{
		Correlation: op.Correlation, Operation: op.Name, Caller: op.By, Resource: op.Target, Action: op.Action, Type: f.typeOf(op.Target),
	}
	e.Action = cmp.Or(e.Action, e.Type+"/"+op.Kind)
	if op.Kind == UpgradeService {
		begun := e
		begun.Title, begun.Time, begun.Status = maintenance, op.Started, "Started"
		f.once(ctx, "started", begun)
		e.Title = maintenance
	}
	if op.Status == lro.InProgress {
		return
	}
	e.Time, e.Status = op.Ended, string(op.Status)
	if op.Error != nil {
		e.ErrorCode, e.Message = op.Error.Code, op.Error.Message
	}
	f.once(ctx, "ended", e)
}

// once writes an event of an operation unless it was written before.
func (f follower) once(ctx context.Context, what string, e activity.Event) {
	e.ID = uuid.NewSHA1(uuid.NameSpaceURL, []byte(e.Operation+"/"+what)).String()
	if f.told[e.ID] {
		return
	}
	if f.tell(ctx, e); what != "ended" { // the operation is seen again with every step; its end is seen once
		f.told[e.ID] = true
	}
}

func (h *Handler) typeOf(id string) string {
	at, err := arm.ParseID(id)
	if err != nil {
		return ""
	}
	if row, ok := h.engine.Row(at.Type()); ok {
		return row.Type()
	}
	return at.Type()
}

// isActivityLog says whether a path is that of the activity log.
func (q *request) isActivityLog() bool {
	return strings.EqualFold(q.id.Provider, Insights) && q.id.ResourceGroup == "" && strings.EqualFold(q.id.TypePath(), "eventtypes/values") &&
		len(q.id.Names) == 1 && strings.EqualFold(q.id.Names[0], "management")
}

// listActivity answers the activity log of the subscription.
func (q *request) listActivity() (*reply, *arm.Error) {
	if !slices.Contains(activityVersions, q.version) {
		return nil, q.invalidVersion(string(q.version), activityVersions)
	}
	if q.r.Method != http.MethodGet {
		return nil, q.noSuchMethod()
	}
	page, perr := arm.ParsePage(q.r.URL.Query())
	if perr != nil {
		return nil, perr
	}
	match, perr := activityFilter(q.query("$filter"))
	if perr != nil {
		return nil, perr
	}
	var found []activity.Event
	if q.opt.Activity != nil {
		oldest := q.opt.Clock.Now().Add(-activityKept)
		var err error
		if found, err = q.opt.Activity.Find(func(e activity.Event) bool { return !e.Time.Before(oldest) && match(e) }); err != nil {
			return nil, q.finish(err)
		}
	}
	from, to, _ := page.Slice(len(found))
	var items []any
	for _, e := range found[from:to] {
		items = append(items, q.selected(q.showEvent(e)))
	}
	return q.pageOf(items, len(found), page, true), nil
}

var activityTerm = regexp.MustCompile(`(?i)^\s*(\w+)\s+(eq|ge|le)\s+'([^']*)'\s*$`)

// activityFilter reads a $filter: a time to begin at, perhaps one to end at, and what events have to be about.
func activityFilter(s string) (func(activity.Event) bool, *arm.Error) {
	bad := func(format string, args ...any) *arm.Error {
		return problem(http.StatusBadRequest, "BadRequest", "$filter: "+format, args...)
	}
	var terms []func(activity.Event) bool
	begins := false
	for _, part := range regexp.MustCompile(`(?i)\s+and\s+`).Split(s, -1) {
		m := activityTerm.FindStringSubmatch(part)
		if m == nil {
			return nil, bad("'%s' is not understood; terms such as eventTimestamp ge '2026-03-01T00:00:00Z' are joined by and.", part)
		}
		field, op, value := strings.ToLower(m[1]), strings.ToLower(m[2]), m[3]
		if field == "eventtimestamp" {
			at, err := time.Parse(time.RFC3339Nano, value)
			switch {
			case err != nil || op == "eq":
				return nil, bad("'%s' compares no time with ge or le.", part)
			case op == "ge":
				begins = true
				terms = append(terms, func(e activity.Event) bool { return !e.Time.Before(at) })
			default:
				terms = append(terms, func(e activity.Event) bool { return !e.Time.After(at) })
			}
			continue
		}
		term := activityFields[field]
		if term == nil || op != "eq" {
			return nil, bad("'%s' cannot be asked for.", part)
		}
		terms = append(terms, func(e activity.Event) bool { return term(e, value) })
	}
	if !begins {
		return nil, bad("eventTimestamp ge is required.")
	}
	return func(e activity.Event) bool {
		return !slices.ContainsFunc(terms, func(term func(activity.Event) bool) bool { return !term(e) })
	}, nil
}

// activityFields are what events can be asked for by. A resource stands for what is below it, too.
var activityFields = map[string]func(e activity.Event, value string) bool{
	"resourceuri":       func(e activity.Event, v string) bool { return within(e.Resource, v) },
	"resourcegroupname": func(e activity.Event, v string) bool { return strings.EqualFold(groupOf(e.Resource), v) },
	"resourceprovider":  func(e activity.Event, v string) bool { return strings.EqualFold(namespaceOf(e.Type), v) },
	"correlationid":     func(e activity.Event, v string) bool { return strings.EqualFold(e.Correlation, v) },
	"caller":            func(e activity.Event, v string) bool { return strings.EqualFold(e.Caller, v) },
	"status":            func(e activity.Event, v string) bool { return strings.EqualFold(e.Status, v) },
	"eventchannels":     func(activity.Event, string) bool { return true }, // there is one
}

func groupOf(id string) string {
	at, err := arm.ParsePath(id)
	if err != nil {
		return ""
	}
	return at.ResourceGroup
}

func namespaceOf(kind string) string {
	ns, _, _ := strings.Cut(kind, "/")
	return ns
}

type localizable struct {
	Value     string `json:"value"`
	Localized string `json:"localizedValue"`
}

func localized(value string, shown ...string) localizable {
	return localizable{value, cmp.Or(append(shown, value)...)}
}

// showEvent is an event as clients see it.
func (q *request) showEvent(e activity.Event) map[string]any {
	const tick = 100 * time.Nanosecond
	const epoch = 621355968000000000 // of Unix, in the ticks of the cloud service
	level, name := "Informational", localized("EndRequest", "End request")
	if e.Status == "Failed" || e.Status == "Canceled" {
		level = "Error"
	}
	if e.Status == "Started" || e.Status == "Accepted" {
		name = localized("BeginRequest", "Begin request")
	}
	sub := localized("")
	if e.Code != 0 {
		sub = localized(strings.ReplaceAll(http.StatusText(e.Code), " ", ""), fmt.Sprintf("%s (HTTP Status Code: %d)", http.StatusText(e.Code), e.Code))
	}
	properties := map[string]any{}
	if e.ErrorCode != "" {
		properties["statusCode"], properties["statusMessage"] = e.ErrorCode, e.Message
	}
	at := resource.Timestamp(e.Time)
	o := map[string]any{
		"authorization": map[string]any{"action": e.Action, "scope": e.Resource}, "caller": e.Caller, "channels": "Operation", "claims": map[string]any{},
		"correlationId": e.Correlation, "description": e.Message, "eventDataId": e.ID, "eventName": name, "category": localized("Administrative"),
		"id":    fmt.Sprintf("%s/events/%s/ticks/%d", e.Resource, e.ID, epoch+e.Time.UnixNano()/int64(tick)),
		"level": level, "resourceGroupName": groupOf(e.Resource), "resourceProviderName": localized(namespaceOf(e.Type)), "resourceId": e.Resource,
		"resourceType": localized(e.Type), "operationId": cmp.Or(e.Operation, e.Correlation), "operationName": localized(e.Action, e.Title),
		"properties": properties, "status": localized(e.Status), "subStatus": sub, "eventTimestamp": at, "submissionTimestamp": at,
		"subscriptionId": q.opt.Subscription.ID, "tenantId": q.opt.TenantID,
	}
	if e.Method != "" {
		o["httpRequest"] = map[string]any{"clientRequestId": e.Correlation, "clientIpAddress": e.Address, "method": e.Method}
	}
	return o
}

// selected keeps what $select names.
func (q *request) selected(o map[string]any) map[string]any {
	names := q.query("$select")
	if names == "" {
		return o
	}
	out := map[string]any{}
	for name := range strings.SplitSeq(names, ",") {
		for have, v := range o {
			if strings.EqualFold(strings.TrimSpace(name), have) {
				out[have] = v
			}
		}
	}
	return out
}
