package management

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/control/backup"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// notContent are the types below a service that belong to where it runs, and are in no backup. Of the service itself
// nothing is: tier, names with their certificates, CA certificates, network, identity and tags stay the target's.
var notContent = []string{"service/privateendpointconnections"}

// isContent says whether a document below a service is part of what it contains.
func isContent(d store.Document) bool {
	path, ours := strings.CutPrefix(d.Type, strings.ToLower(resource.APIM)+"/")
	return ours && strings.HasPrefix(path, "service/") && !slices.Contains(notContent, path)
}

// content reads what a service contains, with the secrets in the clear.
func (h *Handler) content(t store.Reader, service string) ([]backup.Document, error) {
	docs, err := t.List(store.Query{Prefix: service})
	if err != nil {
		return nil, err
	}
	var out []backup.Document
	for _, d := range docs {
		if !isContent(d) {
			continue
		}
		o, err := h.engine.Open(d)
		if err != nil {
			return nil, err
		}
		out = append(out, backup.Document{Path: d.ID[len(service):], Type: d.Type, Body: o, Status: d.Status})
	}
	return out, nil
}

// knowsAll refuses an archive with types that this version does not have.
func (h *Handler) knowsAll(a backup.Archive) error {
	for _, d := range a.Documents {
		if _, ok := h.engine.Row(d.Type); !ok || !strings.HasPrefix(d.Path, "/") || !isContent(store.Document{Type: d.Type}) {
			return problem(http.StatusBadRequest, "InvalidBackup", "Cannot restore: '%s' of the type '%s' is not known in this version of Portico.", d.Path, d.Type)
		}
	}
	return nil
}

// putContent makes a service contain what an archive holds and nothing else. What is the same already is not written.
func (h *Handler) putContent(tx store.Tx, service string, a backup.Archive) error {
	docs, err := tx.List(store.Query{Prefix: service})
	if err != nil {
		return err
	}
	there := map[string]*store.Document{}
	for i := range docs {
		if isContent(docs[i]) {
			there[store.Key(docs[i].ID)] = &docs[i]
		}
	}
	for _, d := range a.Documents {
		id := service + d.Path
		if err := h.putOne(tx, id, d, there[store.Key(id)], a.Service, service); err != nil {
			return fmt.Errorf("restore %s: %w", id, err)
		}
		delete(there, store.Key(id))
	}
	for id := range there {
		if err := tx.Delete(id); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) putOne(tx store.Tx, id string, d backup.Document, old *store.Document, from, to string) error {
	row, _ := h.engine.Row(d.Type)
	body, _ := moved(d.Body, from, to).(map[string]any)
	doc, err := h.engine.Document(row, id, resource.Object(body), old)
	if err != nil {
		return err
	}
	doc.ID = id
	if doc.Status, err = movedJSON(d.Status, from, to); err != nil {
		return err
	}
	_, err = tx.Put(doc)
	return err
}

// moved is a value in which what names one service, or something in it, names the other.
func moved(v any, from, to string) any {
	switch v := v.(type) {
	case string:
		if len(v) >= len(from) && strings.EqualFold(v[:len(from)], from) && (len(v) == len(from) || v[len(from)] == '/') {
			return to + v[len(from):]
		}
	case []any:
		for i := range v {
			v[i] = moved(v[i], from, to)
		}
	case map[string]any:
		for name := range v {
			v[name] = moved(v[name], from, to)
		}
	case resource.Object:
		return moved(map[string]any(v), from, to)
	}
	return v
}

func movedJSON(raw json.RawMessage, from, to string) (json.RawMessage, error) {
	if len(raw) == 0 || arm.SameID(from, to) {
		return raw, nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return json.Marshal(moved(v, from, to))
}
