package management

import (
	"net/http"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// skusFrom is the first api-version with the list of a subscription.
const skusFrom arm.Version = "2020-06-01-preview"

// capacityOf says how many units a tier may have.
func capacityOf(f platform.Facts, scale string) map[string]any {
	return map[string]any{"minimum": f.MinUnits, "maximum": f.MaxUnits, "default": f.MinUnits, "scaleType": scale}
}

// serviceSKUs lists the tiers that a service has or may change to.
func serviceSKUs(q *request, _ store.Reader, p *place) ([]any, error) {
	o, err := q.engine.Open(*p.doc)
	if err != nil {
		return nil, err
	}
	tier := platform.Tier(o.Text("sku.name"))
	var out []any
	for _, f := range platform.Tiers() {
		if q.version.Before(f.From) || f.Tier != tier && !slices.Contains(tier.Facts().ChangesTo, f.Tier) {
			continue
		}
		out = append(out, map[string]any{
			"resourceType": resource.APIM + "/service", "sku": map[string]any{"name": string(f.Tier)},
			"capacity": capacityOf(f, strings.ToLower(f.Scale)),
		})
	}
	return out, nil
}

// listSKUs lists the tiers that services of the subscription may have, location by location.
func (q *request) listSKUs() (*reply, *arm.Error) {
	if q.row, _ = q.engine.Row(resource.APIM + "/service"); q.version.Before(skusFrom) {
		return nil, q.noSuchType()
	}
	if err := q.checkVersion(); err != nil {
		return nil, err
	}
	if q.r.Method != http.MethodGet {
		return nil, q.noSuchMethod()
	}
	var out []any
	for _, l := range q.opt.Locations {
		for _, f := range platform.Tiers() {
			if q.version.Before(f.From) {
				continue
			}
			zones := []string{}
			if f.Zones && l.Zones != nil {
				zones = l.Zones
			}
			out = append(out, map[string]any{
				"resourceType": "service", "name": string(f.Tier), "locations": []string{l.Name},
				"locationInfo": []any{map[string]any{"location": l.Name, "zones": zones, "zoneDetails": []any{}}},
				"capacity":     capacityOf(f, f.Scale), "restrictions": []any{},
			})
		}
	}
	return &reply{status: http.StatusOK, body: map[string]any{"value": out}}, nil
}
