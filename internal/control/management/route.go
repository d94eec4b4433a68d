package management

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
)

// Hosting is the namespace of facts that Azure does not have.
const Hosting = "Portico.Hosting"

// route finds out what a path means.
func (q *request) route() (*reply, *arm.Error) {
	if q.id.Subscription == "" && len(q.id.Tail) > 1 && strings.EqualFold(q.id.Tail[0], "portico") {
		return q.hostPath()
	}
	if err := q.readVersion(); err != nil {
		return nil, err
	}
	if q.id.Subscription == "" {
		return q.tenantPath()
	}
	if uuid.Validate(q.id.Subscription) != nil || len(q.id.Subscription) != 36 {
		return nil, problem(http.StatusBadRequest, "InvalidSubscriptionId", "The provided subscription identifier '%s' is malformed or invalid.", q.id.Subscription)
	}
	if !strings.EqualFold(q.id.Subscription, q.opt.Subscription.ID) {
		return nil, problem(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", q.id.Subscription)
	}
	q.id.Subscription = q.opt.Subscription.ID
	switch {
	case q.isLock():
		return q.lockPath()
	case q.isActivityLog():
		return q.listActivity()
	case q.isMetrics():
		return q.metrics()
	case q.isTags():
		return q.tagsPath()
	case q.id.Scope != nil:
		return q.extension()
	case q.id.Provider == "":
		return q.scopePath()
	case len(q.id.Types) == 0:
		return q.provider()
	}
	return q.providerPath()
}

// readVersion asks for an api-version that has the form of one.
func (q *request) readVersion() *arm.Error {
	s := q.query("api-version")
	if strings.TrimSpace(s) == "" {
		return problem(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	}
	v, ok := arm.ParseVersion(s)
	if !ok {
		return q.invalidVersion(s, q.versionsHere())
	}
	q.version = v
	return nil
}

func (q *request) invalidVersion(s string, supported []arm.Version) *arm.Error {
	return problem(http.StatusBadRequest, "InvalidApiVersionParameter", "The api-version '%s' is invalid. The supported versions are '%s'.", s, arm.JoinVersions(supported, ","))
}

// versionsHere are the api-versions that the path supports, for a message.
func (q *request) versionsHere() []arm.Version {
	if row, ok := q.engine.Row(q.id.Provider + "/" + q.id.TypePath()); ok {
		return row.Versions
	}
	if q.id.ResourceGroup != "" || slices.ContainsFunc(q.id.Tail, func(s string) bool { return strings.EqualFold(s, "resourceGroups") }) {
		row, _ := q.engine.Row(q.id.Type())
		if row != nil {
			return row.Versions
		}
	}
	return scopeVersions
}

// scopePath answers paths below a subscription or a resource group that name no provider.
func (q *request) scopePath() (*reply, *arm.Error) {
	first := ""
	if len(q.id.Tail) > 0 {
		first = strings.ToLower(q.id.Tail[0])
	}
	if first == "operationresults" && len(q.id.Tail) == 2 {
		return q.monitor(q.id.Tail[1], false)
	}
	groups, _ := q.engine.Row(resource.Resources + "/resourceGroups")
	if first == "resourcegroups" && len(q.id.Tail) == 1 {
		q.row = groups
		if err := q.checkVersion(); err != nil {
			return nil, err
		}
		return q.collection()
	}
	if q.id.ResourceGroup != "" && len(q.id.Tail) == 0 {
		q.row = groups
		if err := q.checkVersion(); err != nil {
			return nil, err
		}
		return q.instance()
	}
	if !slices.Contains(scopeVersions, q.version) {
		return nil, q.invalidVersion(string(q.version), scopeVersions)
	}
	if len(q.id.Tail) > 1 {
		return nil, q.noSuchPath()
	}
	if q.r.Method != http.MethodGet && q.r.Method != http.MethodHead {
		return nil, q.noSuchMethod()
	}
	switch {
	case first == "resources":
		return q.listResources()
	case q.id.ResourceGroup != "":
	case first == "":
		return &reply{status: http.StatusOK, body: q.subscription()}, nil
	case first == "locations":
		return q.listLocations()
	case first == "providers":
		return q.listProviders()
	}
	return nil, q.noSuchPath()
}

// providerPath answers "…/providers/{namespace}/{type}/…".
func (q *request) providerPath() (*reply, *arm.Error) {
	if !knownNamespace(q.id.Provider) {
		return nil, problem(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", q.id.Provider)
	}
	if name, status, ok := q.isMonitor(); ok {
		return q.monitor(name, status)
	}
	if strings.EqualFold(q.id.Provider, resource.APIM) && q.id.ResourceGroup == "" && q.id.IsCollection() {
		switch first := strings.ToLower(q.id.Types[0]); {
		case first == "checknameavailability" && len(q.id.Types) == 1:
			return q.checkNameAvailability()
		case first == "getdomainownershipidentifier" && len(q.id.Types) == 1:
			return q.domainOwnership()
		case first == "skus" && len(q.id.Types) == 1:
			return q.listSKUs()
		case first == "deletedservices" && len(q.id.Types) == 1:
			return q.listDeleted()
		}
	}
	if rep, err, ok := q.serviceFact(); ok {
		return rep, err
	}
	if rep, err, ok := q.facts(); ok {
		return rep, err
	}
	if q.r.Method == http.MethodPost && q.id.IsCollection() {
		if len(q.id.Types) == 1 && (strings.EqualFold(q.id.Types[0], "register") || strings.EqualFold(q.id.Types[0], "unregister")) {
			return q.provider()
		}
		return q.action()
	}
	if rep, err, ok := q.relatedPath(); ok {
		return rep, err
	}
	row, ok := q.engine.Row(q.id.Provider + "/" + q.id.TypePath())
	if !ok || strings.EqualFold(q.id.Provider, resource.Resources) {
		return nil, q.noSuchType()
	}
	q.row = row
	q.canonicalTypes()
	if (row.Shape == resource.Proxy) == (q.id.ResourceGroup != "") && !(q.id.IsCollection() && row.Shape == resource.Tracked) {
		return nil, q.noSuchType()
	}
	if err := q.checkVersion(); err != nil {
		return nil, err
	}
	if err := q.checkParameters(); err != nil {
		return nil, err
	}
	if q.id.IsCollection() {
		return q.collection()
	}
	return q.instance()
}

// canonicalTypes gives namespace and types the spelling of the table.
func (q *request) canonicalTypes() {
	q.id.Provider = q.row.Namespace
	q.id.Types = strings.Split(q.row.Path, "/")
}

// checkVersion asks that the type exists in the api-version.
func (q *request) checkVersion() *arm.Error {
	if q.row.Has(q.version) {
		return nil
	}
	if q.row.Namespace == resource.Resources {
		return q.invalidVersion(string(q.version), q.row.Versions)
	}
	locations := make([]string, len(q.opt.Locations))
	for i, l := range q.opt.Locations {
		locations[i] = l.Name
	}
	return problem(http.StatusBadRequest, "NoRegisteredProviderFound",
		"No registered resource provider found for location '%s' and API version '%s' for type '%s'. The supported api-versions are '%s'. The supported locations are '%s'.",
		q.locationHere(), q.version, q.row.Path, arm.JoinVersions(q.row.Versions, ", "), strings.Join(locations, ", "))
}

// knownNamespace says whether any row lives in a namespace.
func knownNamespace(ns string) bool {
	return slices.ContainsFunc([]string{resource.APIM, resource.Network, resource.ManagedIdentity, resource.Insights, resource.Resources}, func(known string) bool {
		return strings.EqualFold(ns, known)
	})
}

// noSuchType is the answer for a type, or an operation of a type, that the api-version does not have.
func (q *request) noSuchType() *arm.Error {
	return problem(http.StatusNotFound, "InvalidResourceType",
		"The resource type '%s' could not be found in the namespace '%s' for api version '%s'. The supported api-versions are '%s'.",
		q.id.TypePath(), q.id.Provider, q.version, arm.JoinVersions(q.namespaceVersions(), ","))
}

func (q *request) namespaceVersions() []arm.Version {
	switch {
	case strings.EqualFold(q.id.Provider, resource.APIM), strings.EqualFold(q.id.Provider, Hosting):
		return q.typeVersions(resource.APIM + "/service")
	case strings.EqualFold(q.id.Provider, resource.Network):
		return q.typeVersions(resource.Network + "/publicIPAddresses")
	case strings.EqualFold(q.id.Provider, resource.ManagedIdentity):
		return q.typeVersions(resource.ManagedIdentity + "/userAssignedIdentities")
	case strings.EqualFold(q.id.Provider, resource.Insights):
		return q.typeVersions(resource.AutoscaleSettings)
	}
	return q.typeVersions(resource.Resources + "/resourceGroups")
}

func (q *request) typeVersions(fullType string) []arm.Version {
	row, ok := q.engine.Row(fullType)
	if !ok {
		return nil
	}
	return row.Versions
}

func (q *request) noSuchPath() *arm.Error {
	return problem(http.StatusNotFound, "InvalidResourceType", "The path '%s' leads to no resource.", q.id.String())
}

func (q *request) noSuchMethod() *arm.Error {
	return problem(http.StatusMethodNotAllowed, "MethodNotAllowed", "The HTTP method '%s' is not supported for '%s'.", q.r.Method, q.id.String())
}

// instance dispatches on one resource.
func (q *request) instance() (*reply, *arm.Error) {
	verb := map[string]resource.Verb{
		http.MethodGet: resource.Get, http.MethodHead: resource.Head, http.MethodPut: resource.Put,
		http.MethodPatch: resource.Patch, http.MethodDelete: resource.Delete,
	}[q.r.Method]
	if !q.row.Can(verb) {
		return nil, q.noSuchMethod()
	}
	if q.row.Shape != resource.Group || verb == resource.Put {
		if found := q.row.CheckName(bareName(q.row, q.id.Name())); len(found) > 0 {
			if q.row.Shape == resource.Tracked || q.row.Shape == resource.Group {
				return nil, problem(http.StatusBadRequest, "InvalidResourceName", "The name '%s' of type '%s' is invalid: %s", q.id.Name(), q.row.Type(), found[0].Message)
			}
			return nil, arm.Invalid(found...)
		}
	}
	if q.row.Shape == resource.Link {
		return q.linkVerb(verb)
	}
	isService := q.row.Path == "service"
	switch verb {
	case resource.Get:
		return q.get()
	case resource.Head:
		return q.head()
	case resource.Put:
		if isService {
			return q.putService(false)
		}
		return q.put(false)
	case resource.Patch:
		if isService {
			return q.putService(true)
		}
		return q.put(true)
	}
	switch {
	case isService:
		return q.deleteService()
	case q.row.Shape == resource.Proxy:
		return q.purge()
	case q.row.Shape == resource.Group:
		return q.deleteGroup()
	}
	return q.delete()
}

func (q *request) linkVerb(verb resource.Verb) (*reply, *arm.Error) {
	switch verb {
	case resource.Put:
		return q.putLink()
	case resource.Delete:
		return q.deleteLink()
	}
	return q.getLink()
}

// collection dispatches on a list.
func (q *request) collection() (*reply, *arm.Error) {
	if q.r.Method != http.MethodGet {
		return nil, q.noSuchMethod()
	}
	if q.row.Shape == resource.Link {
		return q.listLinks()
	}
	return q.list()
}

// bareName is a name without the revision of an API.
func bareName(row *resource.Row, name string) string {
	if strings.HasSuffix(row.Path, "apis") {
		name, _ = resource.SplitRevision(name)
	}
	return name
}
