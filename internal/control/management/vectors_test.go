package management_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/portico-dev/portico/internal/certtest"
	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/resource"
)

const vectorFolder = "../../../../shared/specs/vectors"

// A vector is one operation of the published samples.
type vector struct {
	OperationID, Method, Path, APIVersion string
	Examples                              []struct {
		Title      string
		Parameters struct {
			Path, Query, Header map[string]any
			Body                any
		}
		Responses map[string]struct{ Body any }
	}
}

var built = regexp.MustCompile(`^(User|UserGroup|UserSubscription|UserIdentities|UserConfirmationPassword|Group|GroupUser|ProductGroup|PolicyFragment|ProductApiLink|ProductGroupLink|TagApiLink|TagOperationLink|TagProductLink|Logger|Diagnostic|ApiDiagnostic|ApiRelease|ApiRevision|GlobalSchema|ApiVersionSet|Tag|TagResource|Certificate|Api|ApiProduct|ProductSubscriptions|ApiOperation|ApiSchema|ApiPolicy|ApiOperationPolicy|Policy|Product|ProductApi|ProductPolicy|Subscription|NamedValue|Backend|ApiManagementService|DeletedServices|ApiManagementOperations|ApiManagementSkus)_`)

// TestVectors sends the published samples of the types that are built. A sample that asks for something Portico says
// it has not built does not count; of the others at least 99 % must be answered as published.
func TestVectors(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(vectorFolder, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skip("the published samples are not here: ../shared/specs/vectors")
	}
	passed, failed, notBuilt := 0, []string{}, map[string]int{}
	for _, file := range files {
		if !built.MatchString(filepath.Base(file)) {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for i := range v.Examples {
			name := fmt.Sprintf("%s %s %s", v.APIVersion, v.OperationID, v.Examples[i].Title)
			switch why, missing := runVector(t, v, i); {
			case missing != "":
				notBuilt[v.Examples[i].Title+": "+missing]++
			case why != "":
				failed = append(failed, name+": "+why)
			default:
				passed++
			}
		}
	}
	total := passed + len(failed)
	t.Logf("samples that apply: %d of %d answered as published", passed, total)
	for _, line := range failed {
		t.Log("differs: " + line)
	}
	var names []string
	skipped := 0
	for name, n := range notBuilt {
		names = append(names, fmt.Sprintf("%s (%d)", name, n))
		skipped += n
	}
	sort.Strings(names)
	t.Logf("samples of what is not built: %d\n%s", skipped, strings.Join(names, "\n"))
	if passed*100 < total*99 {
		t.Errorf("only %d of %d samples that apply are answered as published", passed, total)
	}
}

func runVector(t *testing.T, v vector, i int) (why, missing string) {
	e := v.Examples[i]
	path := v.Path
	for k, x := range e.Parameters.Path {
		path = strings.ReplaceAll(path, "{"+k+"}", escape(fmt.Sprint(x)))
	}
	path = strings.NewReplacer("{policyId}", "policy", "/subscriptions/subid/", "/subscriptions/"+subscriptionID+"/").Replace(path)
	body := ""
	if e.Parameters.Body != nil {
		data, err := json.Marshal(e.Parameters.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = strings.ReplaceAll(string(data), "/subscriptions/subid/", "/subscriptions/"+subscriptionID+"/")
	}
	// The samples of certificates have asterisks in the place of a file.
	if regexp.MustCompile(`"data":"\*`).MatchString(body) {
		body = seedBody("certificates")
	}
	body = withCertificates(t, body)
	w := newMemoryWorld(t)
	w.seed(v.Method, path, body, v.OperationID)
	body = w.seedAccess(path, body)
	query := url.Values{"api-version": {v.APIVersion}}
	for k, x := range e.Parameters.Query {
		query.Set(k, fmt.Sprint(x))
	}
	var headers []string
	for k, x := range e.Parameters.Header {
		headers = append(headers, k, fmt.Sprint(x))
	}
	a := w.do(v.Method, path+"?"+query.Encode(), body, headers...)
	if m := saysNotBuilt(a); m != "" {
		return "", m
	}
	r, ok := e.Responses[fmt.Sprint(a.Status)]
	if !ok {
		return fmt.Sprintf("status %d %.300s", a.Status, a.Raw), ""
	}
	if r.Body == nil {
		return "", ""
	}
	var got any
	if err := json.Unmarshal([]byte(a.Raw), &got); err != nil {
		return "the answer has no JSON body", ""
	}
	if d := shape(r.Body, got, ""); d != "" {
		return d + " in " + fmt.Sprintf("%.400s", a.Raw), ""
	}
	if v.Method == "PUT" || v.Method == "PATCH" {
		var sent any
		_ = json.Unmarshal([]byte(body), &sent) // made above
		return echoes(sent, r.Body, got, ""), ""
	}
	return "", ""
}

func escape(s string) string { return strings.ReplaceAll(url.PathEscape(s), "%3B", ";") }

// saysNotBuilt names what an answer refuses because Portico does not have it.
func saysNotBuilt(a answer) string {
	if a.code() == "InvalidResourceType" {
		return "operation not declared"
	}
	for _, mark := range []string{"not built", "hosting it is not built", "is not supported; supported"} {
		if strings.Contains(a.Raw, mark) {
			if l := a.Body.List("error.details"); len(l) > 0 {
				return fmt.Sprint(l[0].(map[string]any)["message"])
			}
			return a.text("error.message")
		}
	}
	return ""
}

// shape compares the kinds of what both sides have, and asks for the envelope of a resource.
func shape(want, got any, at string) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %T, want an object", at, got)
		}
		for k, x := range w {
			y, ok := g[k]
			if !ok {
				if slices.Contains([]string{"id", "name", "type", "properties", "value"}, k) && (at == "" || strings.HasSuffix(at, "]")) {
					return at + "." + k + " is missing"
				}
				continue
			}
			if x == nil || y == nil {
				continue
			}
			if d := shape(x, y, at+"."+k); d != "" {
				return d
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok {
			return fmt.Sprintf("%s is %T, want an array", at, got)
		}
		if len(w) > 0 && len(g) > 0 {
			return shape(w[0], g[0], at+"[0]")
		}
	default:
		if reflect.TypeOf(want) != reflect.TypeOf(got) {
			return fmt.Sprintf("%s is %T, want %T", at, got, want)
		}
	}
	return ""
}

// echoes asks that what was sent and is in the published answer is in ours too, as it was sent.
func echoes(sent, published, got any, at string) string {
	s, ok1 := sent.(map[string]any)
	p, ok2 := published.(map[string]any)
	g, ok3 := got.(map[string]any)
	if !ok1 || !ok2 || !ok3 {
		return ""
	}
	for k, x := range s {
		if _, ok := p[k]; !ok {
			continue
		}
		y, ok := g[k]
		if !ok {
			return at + "." + k + " is not echoed"
		}
		if d := echoes(x, p[k], y, at+"."+k); d != "" {
			return d
		}
		switch x.(type) {
		case string, bool, float64:
			if !reflect.DeepEqual(x, y) && strings.ReplaceAll(fmt.Sprint(p[k]), "/subid/", "/"+subscriptionID+"/") == fmt.Sprint(x) {
				return fmt.Sprintf("%s.%s is %v, want %v", at, k, y, x)
			}
		}
	}
	return ""
}

// seed makes what a sample takes for granted: parents, and for anything but a PUT the resource itself.
func (w *world) seed(method, path, body, operation string) {
	w.t.Helper()
	id := path[strings.Index(path, "/providers/")+1:]
	group := groupPath
	if g := regexp.MustCompile(`/resourceGroups/[^/]+`).FindString(path); g != "" {
		group = "/subscriptions/" + subscriptionID + g
	}
	w.want(201, "PUT", group+"?api-version=2021-04-01", `{"location":"westeurope"}`)
	if strings.Contains(path, "/locations/") {
		name := path[strings.LastIndexByte(path, '/')+1:]
		location, _, _ := strings.Cut(path[strings.Index(path, "/locations/")+len("/locations/"):], "/")
		service := groupPath + "/providers/Microsoft.ApiManagement/service/" + name
		w.want(201, "PUT", service, strings.Replace(developerBody, "West Europe", location, 1))
		w.settle()
		w.want(202, "DELETE", service, "")
		w.settle()
		return
	}
	w.seedAround(body)
	if operation == "ApiManagementService_CreateOrUpdate" || !strings.Contains(id, "/service/") {
		return
	}
	segs := strings.Split(strings.Trim(id[strings.Index(id, "/service/")+len("/service/"):], "/"), "/")
	service := path[:strings.Index(path, "/service/")] + "/service/" + segs[0]
	create := newest
	if strings.Contains(operation, "MigrateToStv2") {
		create = "2020-12-01"
	}
	w.want(201, "PUT", service+"?api-version="+create, strings.Replace(developerBody, "West Europe", "West US 2", 1))
	w.settle()
	for _, name := range regexp.MustCompile(`\{\{([\w-]+)\}\}`).FindAllStringSubmatch(body, -1) {
		w.want(201, "PUT", service+"/namedValues/"+name[1], `{"properties":{"displayName":"`+name[1]+`","value":"5"}}`)
	}
	if scope := regexp.MustCompile(`"scope":"[^"]*/products/([^"/]+)"`).FindStringSubmatch(body); scope != nil {
		w.want(201, "PUT", service+"/products/"+scope[1], seedBody("products"))
	}
	if owner := regexp.MustCompile(`"(?:ownerId|userId)":"[^"]*/users/([^"/]+)"`).FindStringSubmatch(body); owner != nil {
		w.want(201, "PUT", service+"/users/"+owner[1], seedBody("users"))
	}
	if source := regexp.MustCompile(`"sourceApiId":"[^"]*/apis/([^"/;]+)"`).FindStringSubmatch(body); source != nil {
		seed := seedBody("apis")
		if m := regexp.MustCompile(`"path":"([^"]*)"`).FindStringSubmatch(body); m != nil && strings.Contains(path, ";rev=") {
			seed = strings.Replace(seed, `"path":"seed"`, `"path":"`+m[1]+`"`, 1)
		}
		w.want(201, "PUT", service+"/apis/"+source[1], seed)
	}
	if strings.Contains(path, "/diagnostics/") {
		name := "seed"
		if m := regexp.MustCompile(`"loggerId":"/loggers/([^"]+)"`).FindStringSubmatch(body); m != nil {
			name = m[1]
			w.want(201, "PUT", service+"/loggers/seed", seedBody("loggers"))
		}
		w.want(201, "PUT", service+"/loggers/"+name, seedBody("loggers"))
	}
	// What a link leads to.
	if m := regexp.MustCompile(`"(?:apiId|groupId|operationId|productId)":"[^"]*/service/[^/"]+/([^"]+)"`).FindStringSubmatch(body); m != nil && strings.Contains(path, "Links/") {
		w.seedBelow(service, m[1])
	} else if strings.Contains(path, "Links") {
		w.seedBelow(service, "apis/seed/operations/seed")
		w.seedBelow(service, "groups/seed")
		w.seedBelow(service, "products/seed")
	}
	at := service
	for i := 1; i+1 < len(segs) && segs[i] != "confirmations"; i += 2 {
		at += "/" + segs[i] + "/" + segs[i+1]
		if i > 1 && slices.Contains([]string{"apis", "groups", "users", "tags"}, segs[i]) { // a link: the other end too
			if a := w.do("PUT", service+"/"+segs[i]+"/"+segs[i+1], seedBody(segs[i])); a.Status > 201 {
				w.t.Fatalf("seed %s: %d %s", at, a.Status, a.Raw)
			}
		}
		if i+2 >= len(segs) && method == "PUT" {
			break
		}
		kind := segs[i]
		if i == 1 && kind == "schemas" {
			kind = "globalSchemas"
		}
		if a := w.do("PUT", at, seedBody(kind)); a.Status > 201 {
			w.t.Fatalf("seed %s: %d %s", at, a.Status, a.Raw)
		}
	}
}

// seedBelow makes the entities of a path below a service.
func (w *world) seedBelow(service, path string) {
	w.t.Helper()
	at, segs := service, strings.Split(path, "/")
	for i := 0; i+1 < len(segs); i += 2 {
		at += "/" + segs[i] + "/" + segs[i+1]
		if a := w.do("PUT", at, strings.Replace(seedBody(segs[i]), `"Seed"`, `"Linked"`, 1)); a.Status > 201 {
			w.t.Fatalf("seed %s: %d %s", at, a.Status, a.Raw)
		}
	}
}

// seedAround makes what the body of a service names: addresses and subnets in the regions that it is to be in, and
// identities.
func (w *world) seedAround(body string) {
	w.t.Helper()
	var service struct {
		Location string
		Identity struct{ UserAssignedIdentities map[string]any }
		Zones    []string
		placed
		Properties struct {
			placed
			AdditionalLocations []struct {
				Location string
				placed
			}
		}
	}
	if json.Unmarshal([]byte(body), &service) != nil {
		return
	}
	home := cmp.Or(service.Location, "West US 2")
	for id := range service.Identity.UserAssignedIdentities {
		w.seedGroup(id)
		w.want(201, "PUT", id+"?api-version=2023-01-31", `{"location":"westeurope"}`)
	}
	w.seedPlace(home, service.Properties.placed)
	for _, l := range service.Properties.AdditionalLocations {
		w.seedPlace(l.Location, l.placed)
	}
}

// placed is where in a network something is.
type placed struct {
	PublicIPAddressID           string
	VirtualNetworkConfiguration struct{ SubnetResourceID string }
}

func (w *world) seedPlace(location string, p placed) {
	w.t.Helper()
	at := `{"location":"` + resource.NormalLocation(location) + `"`
	if id := p.PublicIPAddressID; id != "" {
		w.seedGroup(id)
		w.want(201, "PUT", id+"?api-version=2024-05-01", at+`,"sku":{"name":"Standard"},"properties":{"dnsSettings":{"domainNameLabel":"seed"}}}`)
	}
	if id := p.VirtualNetworkConfiguration.SubnetResourceID; id != "" {
		w.seedGroup(id)
		network, subnet, _ := strings.Cut(id, "/subnets/")
		guard := network[:strings.Index(network, "/virtualNetworks/")] + "/networkSecurityGroups/guard-" + resource.NormalLocation(location)
		w.want(201, "PUT", guard+"?api-version=2024-05-01", at+`,"properties":{"securityRules":[`+guardRule("callers", "Internet", "443", 200)+","+
			guardRule("management", "ApiManagement", "3443", 210)+","+guardRule("probes", "AzureLoadBalancer", "6390", 220)+`]}}`)
		w.want(201, "PUT", network+"?api-version=2024-05-01", at+`,"properties":{"addressSpace":{"addressPrefixes":["10.1.0.0/16"]},"subnets":[{"name":"`+subnet+
			`","properties":{"addressPrefix":"10.1.0.0/24","networkSecurityGroup":{"id":"`+guard+`"}}}]}}`)
	}
}

func guardRule(name, from, port string, priority int) string {
	return fmt.Sprintf(`{"name":%q,"properties":{"protocol":"Tcp","access":"Allow","direction":"Inbound","priority":%d,"sourcePortRange":"*","sourceAddressPrefix":%q,`+
		`"destinationAddressPrefix":"VirtualNetwork","destinationPortRange":%q}}`, name, priority, from, port)
}

// seedAccess gives the service the identity by which a backup is to open the storage account, and the body its client ID.
func (w *world) seedAccess(path, body string) string {
	w.t.Helper()
	service, _, _ := strings.Cut(path, "/backup")
	service, _, _ = strings.Cut(service, "/restore")
	switch {
	case strings.Contains(body, `"SystemAssignedManagedIdentity"`):
		w.want(200, "PATCH", service, `{"identity":{"type":"SystemAssigned"}}`)
	case strings.Contains(body, `"UserAssignedManagedIdentity"`):
		id := service[:strings.Index(service, "/providers/")] + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/seed"
		client := w.want(201, "PUT", id+"?api-version=2023-01-31", `{"location":"westeurope"}`).text("properties.clientId")
		w.want(200, "PATCH", service, `{"identity":{"type":"UserAssigned","userAssignedIdentities":{"`+id+`":{}}}}`)
		body = regexp.MustCompile(`"clientId":"[^"]*"`).ReplaceAllString(body, `"clientId":"`+client+`"`)
	}
	return body
}

// withCertificates puts a file into the place of the asterisks that the samples have for one.
func withCertificates(t *testing.T, body string) string {
	stars := regexp.MustCompile(`"encodedCertificate":"\*[^"]*"`)
	if !stars.MatchString(body) {
		return body
	}
	var names []string
	for _, m := range regexp.MustCompile(`"hostName":"([^"]+)"`).FindAllStringSubmatch(body, -1) {
		names = append(names, m[1])
	}
	file := certtest.Authority(t, "Sample").Issue(t, append(names, "sample.example")...).PFX(t, "Password")
	return stars.ReplaceAllString(body, `"encodedCertificate":"`+file+`"`)
}

// seedGroup makes the resource group of an ID.
func (w *world) seedGroup(id string) {
	w.t.Helper()
	w.do("PUT", id[:strings.Index(id, "/providers/")]+"?api-version=2021-04-01", `{"location":"westeurope"}`)
}

func seedBody(kind string) string {
	switch kind {
	case "apis":
		return `{"properties":{"displayName":"Seed","path":"seed","protocols":["https"]}}`
	case "operations":
		return `{"properties":{"displayName":"Seed","method":"GET","urlTemplate":"/seed"}}`
	case "globalSchemas":
		return `{"properties":{"schemaType":"json","document":{"type":"object"}}}`
	case "schemas":
		return `{"properties":{"contentType":"application/vnd.ms-azure-apim.xsd+xml","document":{"value":"<s:schema />"}}}`
	case "policies":
		return `{"properties":{"format":"rawxml","value":"<policies><inbound><base /></inbound></policies>"}}`
	case "users":
		return `{"properties":{"firstName":"Seed","lastName":"Seed","email":"seed@seed.test"}}`
	case "groups":
		return `{"properties":{"displayName":"Seed"}}`
	case "certificates":
		return `{"properties":{"data":"` + samplePFX() + `","password":"secret"}}`
	case "apiVersionSets":
		return `{"properties":{"displayName":"Seed","versioningScheme":"Segment"}}`
	case "loggers":
		return `{"properties":{"loggerType":"azureMonitor"}}`
	case "diagnostics":
		return `{"properties":{"loggerId":"/loggers/seed"}}`
	case "apiLinks":
		return `{"properties":{"apiId":"/apis/seed"}}`
	case "groupLinks":
		return `{"properties":{"groupId":"/groups/seed"}}`
	case "operationLinks":
		return `{"properties":{"operationId":"/apis/seed/operations/seed"}}`
	case "productLinks":
		return `{"properties":{"productId":"/products/seed"}}`
	case "tags":
		return `{"properties":{"displayName":"Seed"}}`
	case "policyFragments":
		return `{"properties":{"value":"<fragment />"}}`
	case "products":
		return `{"properties":{"displayName":"Seed"}}`
	case "subscriptions":
		return `{"properties":{"displayName":"Seed","scope":"/apis"}}`
	case "namedValues":
		return `{"properties":{"displayName":"Seed","value":"v"}}`
	case "backends":
		return `{"properties":{"url":"http://127.0.0.1:1","protocol":"http"}}`
	}
	return "{}"
}

// newMemoryWorld is newWorld on a store that is quick to make: hundreds are needed.
func newMemoryWorld(t *testing.T) *world {
	t.Helper()
	st := newMemory()
	opt := options(st)
	opt.Locations = append(management.DefaultLocations(), resource.Location{Name: "eastus2euap", Display: "East US 2 EUAP", Zones: []string{"1", "2", "3"}})
	opt.Fetch = linked
	canNetwork(&opt)
	return &world{t: t, store: st, handler: management.New(opt)}
}

// linked stands for the descriptions that the samples link to.
func linked(_ context.Context, link string, _ int64) ([]byte, error) {
	const rest = `,"info":{"title":"Swagger Petstore","version":"1"},"paths":{"/pets":{"get":{"responses":{"200":{"description":"ok"}}}}}}`
	if strings.HasSuffix(link, "/swagger.json") {
		return []byte(`{"swagger":"2.0","host":"petstore.swagger.io","basePath":"/v2","schemes":["http"]` + rest), nil
	}
	return []byte(`{"openapi":"3.0.0","servers":[{"url":"http://petstore.swagger.io/v1"}]` + rest), nil
}

// samplePFX is the file of the golden case of certificates; its password is secret.
var samplePFX = sync.OnceValue(func() string {
	data, err := os.ReadFile("testdata/certificates.txtar")
	m := regexp.MustCompile(`"data":"([^"]+)"`).FindSubmatch(data)
	if err != nil || m == nil {
		panic(fmt.Sprint("no certificate in testdata: ", err))
	}
	return string(m[1])
})
