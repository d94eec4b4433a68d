package management

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/autoscale"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// Autoscale settings are looked at this often by platform time, and not more often than that by the time of day.
const (
	autoscaleEvery = 30 * time.Second
	autoscaleGap   = 500 * time.Millisecond
)

// A scaled service is one with the setting that scales it.
type scaled struct {
	setting store.Document
	rules   autoscale.Setting
	status  resource.AutoscaleStatus
	service store.Document
	compute platform.ServiceStatus
	zones   int
}

// runAutoscale scales services by their settings until ctx ends.
func (h *Handler) runAutoscale(ctx context.Context) {
	a := autoscaler{Handler: h, refused: map[string]string{}}
	gap := time.NewTicker(autoscaleGap)
	defer gap.Stop()
	for {
		select {
		case <-gap.C:
		case <-ctx.Done():
			return
		}
		if h.opt.Clock.Sleep(ctx, autoscaleEvery) != nil {
			return
		}
		if err := a.scaleAll(ctx); err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "autoscale settings not followed", slog.Any("error", err))
		}
	}
}

// An autoscaler follows settings. It remembers nothing that matters: what a setting did is in its document.
type autoscaler struct {
	*Handler
	refused map[string]string // by setting: why its last request was refused, so that the same is not told twice
}

// ScaleAll decides once about every service that has an autoscale setting.
func (h *Handler) ScaleAll(ctx context.Context) error {
	return autoscaler{Handler: h, refused: map[string]string{}}.scaleAll(ctx)
}

func (a autoscaler) scaleAll(ctx context.Context) error {
	all, err := a.scaled(ctx)
	for _, s := range all {
		if !s.rules.Enabled || s.compute.Operation != "" || s.compute.Wish.Gone {
			continue // it is tried again when the service is no longer busy
		}
		if d := a.decide(s); d.Units != s.compute.Wish.Units {
			a.scale(ctx, s, d)
		}
	}
	return err
}

// scaled lists the services that have a setting. A setting that cannot be read holds no other up.
func (h *Handler) scaled(ctx context.Context) (all []scaled, err error) {
	err = h.opt.Store.View(ctx, func(t store.Reader) error {
		docs, err := t.List(store.Query{Type: strings.ToLower(resource.AutoscaleSettings)})
		for _, d := range docs {
			s, ok, err := h.readScaled(t, d)
			if err != nil {
				h.log.WarnContext(ctx, "autoscale setting not followed", slog.String("setting", d.ID), slog.Any("error", err))
			} else if ok {
				all = append(all, s)
			}
		}
		return err
	})
	return all, err
}

// readScaled reads a setting and its service; ok is false for one without.
func (h *Handler) readScaled(t store.Reader, d store.Document) (s scaled, ok bool, err error) {
	s.setting = d
	o, err := h.engine.Open(d)
	if err != nil {
		return s, false, err
	}
	rules, wrong := resource.Autoscale(o)
	if len(wrong) > 0 {
		return s, false, fmt.Errorf("read %s: %s", d.ID, wrong[0].Message)
	}
	s.rules = rules
	if len(d.Status) > 0 {
		if err := json.Unmarshal(d.Status, &s.status); err != nil {
			return s, false, fmt.Errorf("read status of %s: %w", d.ID, err)
		}
	}
	service, err := get(t, strings.TrimRight(s.rules.Target, "/"))
	if err != nil || service == nil {
		return s, false, err
	}
	s.service, s.compute = *service, serviceStatus(service)
	if o, err = h.engine.Open(*service); err != nil {
		return s, false, err
	}
	s.zones = len(o.Texts("zones"))
	return s, true, nil
}

// situation is how a service is now: of its locations, the primary one is scaled.
func (h *Handler) situation(s scaled) autoscale.Situation {
	at := autoscale.Situation{Now: h.opt.Clock.Now(), Units: s.compute.Wish.Units, Tier: s.compute.Wish.Tier, Zones: s.zones}
	if s.status.Last != nil {
		at.Last = s.status.Last.At
	}
	return at
}

func (h *Handler) decide(s scaled) autoscale.Decision {
	primary := metric.Place{Service: store.Key(s.service.ID), Location: s.compute.Name}
	return s.rules.Decide(h.situation(s), func(n metric.Name, from, to time.Time) ([]metric.Point, time.Time, bool) {
		return h.opt.Metrics.Points(primary, n, from, to)
	})
}

// scale asks for other units as a client would, in the name of the setting. What the setting did is noted in the same
// transaction, so that no crash makes it do so twice.
func (a autoscaler) scale(ctx context.Context, s scaled, d autoscale.Decision) {
	q := a.asClient(ctx, s, d)
	q.first = func(tx store.Tx) error { return a.noteAction(tx, s, d) }
	rep, refused := q.route()
	log := a.log.With(slog.String("setting", s.setting.ID), slog.Int("from", s.compute.Wish.Units), slog.Int("to", d.Units), slog.String("why", d.Why))
	switch {
	case refused == nil:
		delete(a.refused, s.setting.ID)
		q.record(uuid.NewString(), rep.status, nil)
		log.InfoContext(ctx, "autoscale")
		a.notify(s, d)
	case refused.Code == overtaken:
	case a.refused[s.setting.ID] != refused.Message:
		a.refused[s.setting.ID] = refused.Message
		q.record(uuid.NewString(), refused.Status, refused)
		log.WarnContext(ctx, "autoscale is refused, and tried again", slog.String("error", refused.Message))
	}
}

// overtaken is the code of a decision that is not carried out; no client sees it.
const overtaken = "Overtaken"

// asClient is the request for the units of a decision. It is made at an api-version that leaves the platform alone.
func (a autoscaler) asClient(ctx context.Context, s scaled, d autoscale.Decision) *request {
	row, _ := a.engine.Row(resource.APIM + "/service")
	version := latestStable(row.Versions)
	if s.compute.Wish.Platform == platform.STv1 {
		version = latestOfSTv1(row.Versions)
	}
	body := fmt.Appendf(nil, `{"sku":{"capacity":%d}}`, d.Units)
	r := (&http.Request{
		Method: http.MethodPatch, Header: http.Header{"Content-Type": {"application/json"}},
		URL:  &url.URL{Path: s.service.ID, RawQuery: url.Values{"api-version": {string(version)}}.Encode()},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}).WithContext(ctx)
	id, _ := arm.ParsePath(s.service.ID) // it is stored
	return &request{Handler: a.Handler, r: r, header: http.Header{}, who: Principal{ObjectID: s.setting.ID, Kind: "app"}, asked: id, id: id}
}

// latestOfSTv1 is the newest api-version whose requests leave a service on stv1. Versions are listed from the newest on.
func latestOfSTv1(versions []arm.Version) arm.Version {
	return versions[slices.IndexFunc(versions, func(v arm.Version) bool { return v.Before(platform.STv2From) })]
}

// noteAction writes down what a setting is about to do, unless it or its service are no longer what they were.
func (a autoscaler) noteAction(tx store.Tx, s scaled, d autoscale.Decision) error {
	setting, err := get(tx, s.setting.ID)
	if err != nil {
		return err
	}
	service, err := get(tx, s.service.ID)
	if err != nil {
		return err
	}
	if setting == nil || setting.ETag != s.setting.ETag || service == nil || service.ETag != s.service.ETag {
		return &arm.Error{Status: http.StatusConflict, Code: overtaken, Message: "The setting or the service has changed since."}
	}
	st := resource.AutoscaleStatus{Last: &resource.AutoscaleAction{
		At: a.opt.Clock.Now(), From: s.compute.Wish.Units, To: d.Units, Profile: d.Profile.Name, Why: d.Why,
	}}
	if setting.Status, err = json.Marshal(st); err != nil {
		return err
	}
	_, err = tx.Put(*setting)
	return err
}

// An autoscaleView is how a setting stands, as …/Portico.Hosting/autoscale shows it.
type autoscaleView struct {
	Setting  string                    `json:"setting"`
	Enabled  bool                      `json:"enabled"`
	Units    int                       `json:"units"`
	Wanted   int                       `json:"wanted"`
	Why      string                    `json:"why"`
	Busy     bool                      `json:"busy,omitempty"` // an operation on the service comes first
	Profile  string                    `json:"profile,omitempty"`
	Minimum  int                       `json:"minimum"`
	Maximum  int                       `json:"maximum"`
	Default  int                       `json:"default"`
	Rules    []autoscaleRule           `json:"rules"`
	Last     *resource.AutoscaleAction `json:"last,omitempty"`
	Location string                    `json:"location"` // the one that is scaled
}

type autoscaleRule struct {
	Condition string   `json:"condition"`
	Effect    string   `json:"effect"`
	Value     *float64 `json:"value,omitempty"` // absent while it is not known
	Known     string   `json:"known"`
	Holds     bool     `json:"holds"`
	Cooldown  string   `json:"cooldown,omitempty"` // what is left of it
}

// showAutoscale answers the extension …/Portico.Hosting/autoscale: what the setting of a service would do now, and why.
func (h *Handler) showAutoscale(ctx context.Context, service string) (json.RawMessage, *arm.Error) {
	all, err := h.scaled(ctx)
	i := slices.IndexFunc(all, func(s scaled) bool { return arm.SameID(s.service.ID, service) })
	if err == nil && i < 0 {
		return nil, problem(http.StatusNotFound, "ResourceNotFound", "No autoscale setting scales the service '%s'.", lastSegment(service))
	}
	var data []byte
	if err == nil {
		data, err = json.Marshal(h.autoscaleView(all[i]))
	}
	if err != nil {
		h.log.ErrorContext(ctx, "autoscale cannot be shown", slog.String("service", service), slog.Any("error", err))
		return nil, internal()
	}
	return data, nil
}

func (h *Handler) autoscaleView(s scaled) autoscaleView {
	d := h.decide(s)
	v := autoscaleView{
		Setting: s.setting.ID, Enabled: s.rules.Enabled, Units: s.compute.Wish.Units, Wanted: d.Units, Why: d.Why, Busy: s.compute.Operation != "",
		Rules: []autoscaleRule{}, Last: s.status.Last, Location: s.compute.Name,
	}
	if p := d.Profile; p != nil {
		v.Profile, v.Minimum, v.Maximum, v.Default = p.Name, p.Minimum, p.Maximum, p.Default
	}
	for _, j := range d.Rules {
		r := autoscaleRule{Condition: j.Condition(), Effect: j.Action.Effect(), Known: string(j.Known), Holds: j.Holds}
		if j.Known == autoscale.Known {
			value := rounded(j.Value)
			r.Value = &value
		}
		if j.Cooldown > 0 {
			r.Cooldown = pace.FormatDuration(j.Cooldown.Round(time.Second))
		}
		v.Rules = append(v.Rules, r)
	}
	return v
}
