package management

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// limitsID is the document that says which limits services were last looked at for.
const limitsID = "/portico/limits"

// ObserveLimits looks at what every service holds when the limits have changed since the last start: what is too much for
// the new ones is grandfathered. Services that are made later are bound by the limits as they are.
func (h *Handler) ObserveLimits(ctx context.Context) error {
	seen := false
	look := func(t store.Reader) error {
		d, err := get(t, limitsID)
		if d != nil {
			var era platform.Era
			seen = json.Unmarshal(d.Desired, &era) == nil && era == h.opt.Limits
		}
		return err
	}
	if err := h.opt.Store.View(ctx, look); err != nil || seen {
		return err
	}
	return h.commit(ctx, "limits", func(tx store.Tx) error {
		services, err := tx.List(store.Query{Type: strings.ToLower(resource.APIM + "/service")})
		if err != nil {
			return err
		}
		for _, d := range services {
			if err := h.grandfather(tx, d); err != nil {
				return fmt.Errorf("look at what %s holds: %w", d.ID, err)
			}
		}
		era, err := json.Marshal(h.opt.Limits)
		if err != nil {
			return err
		}
		_, err = tx.Put(store.Document{ID: limitsID, Type: "portico/limits", Desired: era})
		return err
	})
}

// grandfather notes what a service may go on to hold.
func (h *Handler) grandfather(tx store.Tx, service store.Document) error {
	st := serviceStatus(&service)
	held := map[string]int{}
	for _, path := range platform.LimitedTypes() {
		n, err := tx.Count(store.Query{Type: strings.ToLower(resource.APIM + "/" + path), Prefix: service.ID})
		if err != nil {
			return err
		}
		held[path] = n
	}
	was := st.Grandfathered
	if st.Grandfathered = h.opt.Limits.Grandfather(st.Wish.Tier, held); was == nil && st.Grandfathered == nil {
		return nil
	}
	return putStatus(tx, service, st)
}
