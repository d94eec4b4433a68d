package management

import (
	"net/http"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// scopeVersions are the api-versions of subscriptions, tenants, locations, providers and generic lists.
var scopeVersions = []arm.Version{
	"2025-04-01", "2025-03-01", "2024-11-01", "2024-07-01", "2024-03-01", "2023-07-01", "2022-12-01", "2022-09-01",
	"2021-04-01", "2021-01-01", "2020-10-01", "2020-08-01", "2020-06-01", "2020-01-01", "2019-11-01", "2019-10-01", "2019-08-01",
	"2019-07-01", "2019-06-01", "2019-05-10", "2019-05-01", "2019-03-01", "2018-06-01", "2018-05-01", "2018-02-01", "2017-05-10", "2016-09-01",
	"2016-07-01", "2016-06-01", "2016-02-01", "2015-11-01",
}

// tenantPath answers paths without a subscription.
func (q *request) tenantPath() (*reply, *arm.Error) {
	if q.r.Method != http.MethodGet && q.r.Method != http.MethodHead {
		return nil, q.noSuchMethod()
	}
	if strings.EqualFold(q.id.Provider, resource.APIM) && len(q.id.Types) == 1 && q.id.IsCollection() && strings.EqualFold(q.id.Types[0], "operations") {
		return q.listOperations()
	}
	if q.id.Provider != "" && len(q.id.Types) == 0 {
		return q.provider()
	}
	if q.id.Provider != "" && !knownNamespace(q.id.Provider) {
		return nil, problem(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", q.id.Provider)
	}
	if q.id.Provider != "" || len(q.id.Tail) != 1 {
		return nil, q.noSuchPath()
	}
	if !slices.Contains(scopeVersions, q.version) {
		return nil, q.invalidVersion(string(q.version), scopeVersions)
	}
	switch strings.ToLower(q.id.Tail[0]) {
	case "tenants":
		return q.listTenants(), nil
	case "subscriptions":
		return &reply{status: http.StatusOK, body: map[string]any{
			"value": []any{q.subscription()}, "count": map[string]any{"type": "Total", "value": 1},
		}}, nil
	case "providers":
		return q.listProviders()
	}
	return nil, q.noSuchPath()
}

func (q *request) listTenants() *reply {
	return &reply{status: http.StatusOK, body: map[string]any{"value": []any{map[string]any{
		"id": "/tenants/" + q.opt.TenantID, "tenantId": q.opt.TenantID, "countryCode": "", "displayName": "Portico",
		"domains": []string{"portico.localhost"}, "tenantCategory": "Home", "defaultDomain": "portico.localhost", "tenantType": "AAD",
	}}}}
}

func (q *request) subscription() map[string]any {
	s := q.opt.Subscription
	return map[string]any{
		"id": "/subscriptions/" + s.ID, "subscriptionId": s.ID, "tenantId": q.opt.TenantID, "displayName": s.DisplayName,
		"state": "Enabled", "authorizationSource": "RoleBased", "managedByTenants": []any{},
		"subscriptionPolicies": map[string]any{"locationPlacementId": "Internal_2014-09-01", "quotaId": "Internal_2014-09-01", "spendingLimit": "Off"},
	}
}

func (q *request) listLocations() (*reply, *arm.Error) {
	items := make([]any, len(q.opt.Locations))
	for i, l := range q.opt.Locations {
		mappings := make([]any, len(l.Zones))
		for j, z := range l.Zones {
			mappings[j] = map[string]any{"logicalZone": z, "physicalZone": l.Name + "-az" + z}
		}
		items[i] = map[string]any{
			"id": "/subscriptions/" + q.opt.Subscription.ID + "/locations/" + l.Name, "name": l.Name, "type": "Region",
			"displayName": l.Display, "regionalDisplayName": l.Display,
			"metadata":                 map[string]any{"regionType": "Physical", "regionCategory": "Recommended"},
			"availabilityZoneMappings": mappings,
		}
	}
	return &reply{status: http.StatusOK, body: map[string]any{"value": items}}, nil
}

func (q *request) listProviders() (*reply, *arm.Error) {
	return &reply{status: http.StatusOK, body: map[string]any{"value": []any{
		q.providerBody(resource.APIM), q.providerBody(resource.Network), q.providerBody(resource.ManagedIdentity), q.providerBody(resource.Insights), q.providerBody(resource.Resources),
	}}}, nil
}

// provider answers one provider, and its registration: everything is registered always.
func (q *request) provider() (*reply, *arm.Error) {
	if !knownNamespace(q.id.Provider) {
		return nil, problem(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", q.id.Provider)
	}
	if !slices.Contains(scopeVersions, q.version) {
		return nil, q.invalidVersion(string(q.version), scopeVersions)
	}
	registers := len(q.id.Types) == 1
	if (q.r.Method == http.MethodPost) != registers || q.r.Method != http.MethodPost && q.r.Method != http.MethodGet {
		return nil, q.noSuchMethod()
	}
	if registers && strings.EqualFold(q.id.Types[0], "unregister") {
		return nil, problem(http.StatusConflict, "CannotUnregister", "The provider '%s' is always registered.", q.id.Provider)
	}
	for _, ns := range []string{resource.APIM, resource.Network, resource.ManagedIdentity, resource.Insights, resource.Resources} {
		if strings.EqualFold(ns, q.id.Provider) {
			return &reply{status: http.StatusOK, body: q.providerBody(ns)}, nil
		}
	}
	return nil, q.noSuchPath()
}

func (q *request) providerBody(ns string) map[string]any {
	var types []any
	for _, row := range q.engine.Rows() {
		if row.Namespace != ns {
			continue
		}
		entry := map[string]any{
			"resourceType": row.Path, "apiVersions": row.Versions, "defaultApiVersion": latestStable(row.Versions),
			"apiProfiles": []any{}, "locations": []any{}, "capabilities": "None",
		}
		if row.Shape == resource.Tracked || row.Shape == resource.Group {
			names := make([]string, len(q.opt.Locations))
			zones := []any{}
			for i, l := range q.opt.Locations {
				names[i] = l.Display
				if len(l.Zones) > 0 {
					zones = append(zones, map[string]any{"location": l.Display, "zones": l.Zones})
				}
			}
			entry["locations"], entry["zoneMappings"], entry["capabilities"] = names, zones, "SupportsTags, SupportsLocation"
		}
		types = append(types, entry)
	}
	body := map[string]any{
		"id": "/subscriptions/" + q.opt.Subscription.ID + "/providers/" + ns, "namespace": ns,
		"registrationState": "Registered", "registrationPolicy": "RegistrationRequired", "resourceTypes": types,
	}
	if q.id.Subscription == "" {
		body["id"] = "/providers/" + ns
	}
	return body
}

func latestStable(vs []arm.Version) arm.Version {
	for _, v := range vs {
		if !strings.HasSuffix(string(v), "-preview") {
			return v
		}
	}
	return vs[0]
}

// listOperations lists what RBAC can name, made from the table.
func (q *request) listOperations() (*reply, *arm.Error) {
	if !slices.Contains(q.typeVersions(resource.APIM+"/service"), q.version) {
		q.row, _ = q.engine.Row(resource.APIM + "/service")
		return nil, q.checkVersion()
	}
	var items []any
	add := func(row *resource.Row, verb, what string) {
		items = append(items, map[string]any{"name": row.Type() + "/" + verb, "origin": "system", "display": map[string]any{
			"provider": "Microsoft API Management", "resource": row.Entity, "operation": what + " " + row.Entity, "description": what + " " + row.Entity,
		}})
	}
	for _, row := range q.engine.Rows() {
		if row.Namespace != resource.APIM {
			continue
		}
		add(row, "read", "Read")
		if row.Can(resource.Put) {
			add(row, "write", "Write")
		}
		if row.Can(resource.Delete) {
			add(row, "delete", "Delete")
		}
		for _, a := range row.Actions {
			add(row, a.Name+"/action", a.Name)
		}
	}
	return &reply{status: http.StatusOK, body: map[string]any{"value": items}}, nil
}

// checkNameAvailability says whether a service may have a name.
func (q *request) checkNameAvailability() (*reply, *arm.Error) {
	q.row, _ = q.engine.Row(resource.APIM + "/service")
	if err := q.checkVersion(); err != nil {
		return nil, err
	}
	if q.r.Method != http.MethodPost {
		return nil, q.noSuchMethod()
	}
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	in, err := resource.ReadObject(body)
	if err != nil {
		return nil, err
	}
	name := in.Text("name")
	if name == "" {
		return nil, arm.Invalid(resource.Finding("name", "'name' must not be empty."))
	}
	answer := map[string]any{"nameAvailable": true, "reason": "Valid", "message": ""}
	if found := q.row.CheckName(name); len(found) > 0 {
		answer = map[string]any{"nameAvailable": false, "reason": "Invalid", "message": found[0].Message}
		return &reply{status: http.StatusOK, body: answer}, nil
	}
	err = q.view(func(t store.Reader) error {
		deleted, err := findDeleted(t, name)
		if err != nil {
			return err
		}
		taken, err := serviceNamed(t, name)
		if err != nil {
			return err
		}
		if taken || deleted != nil {
			answer = map[string]any{"nameAvailable": false, "reason": "AlreadyExists", "message": name + " is already in use. Please select a different name."}
		}
		return nil
	})
	return &reply{status: http.StatusOK, body: answer}, err
}
