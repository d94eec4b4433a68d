package rollout

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Types and IDs of documents. Those of members are below that of their rollout, followed by the ID of the service.
const (
	typeService = "microsoft.apimanagement/service"
	typeWindow  = "portico/maintenancewindows" // below the service; the control plane writes it
	typeRollout = "portico/rollouts"
	typeMember  = "portico/rolloutservices"
	prefix      = "/portico/rollouts"
)

// kept is how many rollouts are kept, with what they did.
const kept = 20

func rolloutID(number int) string { return fmt.Sprintf("%s/%06d", prefix, number) }

// record is a rollout as stored.
type record struct {
	Rollout
	seq int64 // of its document
}

// newest reads the newest rollout; nil when there was none.
func newest(r store.Reader) (*record, error) {
	docs, err := r.List(store.Query{Type: typeRollout})
	if err != nil || len(docs) == 0 {
		return nil, err
	}
	return decode(docs[len(docs)-1])
}

func decode(d store.Document) (*record, error) {
	rec := &record{seq: d.Seq}
	if err := json.Unmarshal(d.Status, &rec.Rollout); err != nil {
		return nil, fmt.Errorf("decode %s: %w", d.ID, err)
	}
	return rec, nil
}

func put(tx store.Tx, id, docType string, v any) error {
	status, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", id, err)
	}
	_, err = tx.Put(store.Document{ID: id, Type: docType, Status: status})
	return err
}

func putMember(tx store.Tx, rollout int, m Member) error {
	return put(tx, rolloutID(rollout)+m.Service, typeMember, m)
}

// members reads what a rollout has touched, by key of the service.
func members(r store.Reader, rollout int) (map[string]*Member, error) {
	docs, err := r.List(store.Query{Type: typeMember, Prefix: rolloutID(rollout)})
	if err != nil {
		return nil, err
	}
	all := map[string]*Member{}
	for _, d := range docs {
		m, err := memberOf(d)
		if err != nil {
			return nil, err
		}
		all[store.Key(m.Service)] = m
	}
	return all, nil
}

func memberOf(d store.Document) (*Member, error) {
	m := &Member{}
	if err := json.Unmarshal(d.Status, m); err != nil {
		return nil, fmt.Errorf("decode %s: %w", d.ID, err)
	}
	return m, nil
}

// services reads all services there are.
func services(r store.Reader, gateway string, touched map[string]*Member) ([]service, error) {
	docs, err := r.List(store.Query{Type: typeService})
	if err != nil {
		return nil, err
	}
	windows, err := windows(r)
	if err != nil {
		return nil, err
	}
	all := make([]service, 0, len(docs))
	for _, d := range docs {
		s, err := serviceOf(d, gateway)
		if err != nil {
			return nil, err
		}
		key := store.Key(d.ID)
		all = append(all, s.with(windows[key], touched[key]))
	}
	return all, nil
}

// serviceOf is what the document of a service says; gateway is the version of one that names none.
func serviceOf(d store.Document, gateway string) (service, error) {
	st, err := statusOf(d)
	if err != nil {
		return service{}, err
	}
	return service{
		id: d.ID, location: st.Name, tier: st.Wish.Tier, channel: platform.ChannelOf(st.Wish.Tier, chosenChannel(d)), gateway: cmp.Or(st.Wish.Gateway, gateway),
		operation: st.Operation, gone: st.Wish.Gone || st.Wish.Tier == "", created: st.CreatedAt,
	}, nil
}

// with adds what other documents say of a service.
func (s service) with(w platform.Maintenance, m *Member) service {
	if s.member = m; s.tier != platform.Consumption { // a pool is not one service's
		s.window = w
	}
	return s
}

func statusOf(d store.Document) (st platform.ServiceStatus, err error) {
	if err := json.Unmarshal(d.Status, &st); err != nil {
		return st, fmt.Errorf("decode status of %s: %w", d.ID, err)
	}
	return st, nil
}

// chosenChannel is the releaseChannel of a service.
func chosenChannel(d store.Document) string {
	var doc struct {
		Properties struct {
			ReleaseChannel string `json:"releaseChannel"`
		} `json:"properties"`
	}
	_ = json.Unmarshal(d.Desired, &doc) // control has written it
	return doc.Properties.ReleaseChannel
}

// windows reads the maintenance windows that owners have chosen, by key of the service.
func windows(r store.Reader) (map[string]platform.Maintenance, error) {
	docs, err := r.List(store.Query{Type: typeWindow})
	if err != nil {
		return nil, err
	}
	all := map[string]platform.Maintenance{}
	for _, d := range docs {
		service, _, _ := strings.Cut(store.Key(d.ID), platform.MaintenanceBelow)
		if all[service], err = windowOf(d); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func windowOf(d store.Document) (m platform.Maintenance, err error) {
	if err := json.Unmarshal(d.Desired, &m); err != nil {
		return m, fmt.Errorf("decode %s: %w", d.ID, err)
	}
	return m, nil
}

// reasonOf says why an operation failed.
func reasonOf(r store.Reader, operation string) string {
	op, err := lro.Load(r, operation)
	if err != nil || op.Error == nil {
		return "it did not end well."
	}
	return op.Error.Message
}

// prune removes the oldest rollouts that are too many.
func prune(tx store.Tx) error {
	docs, err := tx.List(store.Query{Type: typeRollout})
	if err != nil {
		return err
	}
	for _, d := range docs[:max(0, len(docs)-kept)] {
		touched, err := tx.List(store.Query{Type: typeMember, Prefix: d.ID})
		if err != nil {
			return err
		}
		for _, m := range append(touched, d) {
			if err := tx.Delete(m.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// GatewayOf is the version that new services of a channel get; empty before the first rollout, which leaves that to the
// control plane.
func GatewayOf(r store.Reader, c platform.Channel) (string, error) {
	rec, err := newest(r)
	if err != nil || rec == nil {
		return "", err
	}
	return rec.gateways()[c], nil
}

// Uses are the versions that the newest rollout brings services to, or brings them back to.
func Uses(r store.Reader) (map[string]bool, error) {
	rec, err := newest(r)
	if err != nil || rec == nil {
		return nil, err
	}
	used := map[string]bool{rec.Version: true}
	for _, v := range rec.Before {
		used[v] = true
	}
	touched, err := members(r, rec.Number)
	for _, m := range touched {
		used[m.From] = true
	}
	return used, err
}

var errChanged = errors.New("the rollout has changed")

func encode(st platform.ServiceStatus) (json.RawMessage, error) {
	raw, err := json.Marshal(st)
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	return raw, nil
}
