package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/demo/bookshop"
	"github.com/portico-dev/portico/internal/store"
)

// A crashKind is one kind of request that crashes are tried on.
type crashKind struct {
	name    string
	prepare func(h *crashHost)                              // brings about what the request needs; looks before it acts
	send    func(h *crashHost) (*armclient.Response, error) // once; nil for no answer to follow
	look    func(h *crashHost) any                          // what matters of the state
	want    func(h *crashHost, before any) any              // what the look is when the request was carried out
	serves  bool                                            // the subject itself must answer all the while
}

// A lane is a host with the kinds that are tried on it in turns.
type lane struct {
	name   string
	args   []string
	kinds  []*crashKind
	sample int // rounds unless all are asked for
}

// keep is the coexistence of crash tests.
const keep = "200ms"

var lanes = []lane{
	{"life", nil, []*crashKind{createDeveloper, patchTags, deleteSoft, restoreDeleted, purgeDeleted}, 15},
	{"migrate", []string{"--coexistence", keep}, []*crashKind{migratePreserveIP, migrateNewIP, deleteGroup}, 15},
	{"scale", nil, []*crashKind{scaleOut, scaleIn, startAgain}, 18},
	{"classic", nil, []*crashKind{classicOut, classicIn}, 8},
	{"pool", nil, []*crashKind{createConsumption, deleteConsumption}, 12},
	{"upgrade", nil, []*crashKind{upgradeClassic, upgradeWide, upgradePool}, 12},
	{"children", nil, []*crashKind{importAPI, putPolicy, putSubscription, linkProduct, putNamedValue, putMany}, 18},
	{"expiry", []string{"--soft-delete", "500ms"}, []*crashKind{deleteAndExpire}, 5},
}

// facts are what crash tests look at of the subject.
type facts struct {
	There    bool
	Platform string
	Units    int
	Machines int
	Address  string // none, same or new, compared with before the round
	Tag      string
	Deleted  bool // there is a record of a soft-deleted service
	Group    bool // its resource group is there
}

func serviceBody(tier string, units int) object {
	return object{
		"location": "West Europe", "sku": object{"name": tier, "capacity": units},
		"properties": object{"publisherName": "E2E", "publisherEmail": "e2e@example.com"},
	}
}

func policyBody(mark string) object {
	return object{"properties": object{"format": "rawxml", "value": `<policies><inbound><base /><return-response><set-status code="200" reason="OK" />` +
		`<set-header name="X-Mark" exists-action="override"><value>` + mark + `</value></set-header></return-response></inbound>` +
		`<backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>`}}
}

// request sends one request about the subject; what is below it, when more is given.
func request(method, below, apiVersion string, body func(h *crashHost) any, header ...string) func(h *crashHost) (*armclient.Response, error) {
	return func(h *crashHost) (*armclient.Response, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		return h.client.Do(ctx, method, h.service(subject)+below, apiVersion, body(h), header...)
	}
}

func nothing(*crashHost) any { return nil }

// always is a body that does not depend on the round.
func always(body any) func(*crashHost) any { return func(*crashHost) any { return body } }

// lookAtService reads the facts.
func lookAtService(h *crashHost) any { return h.facts() }

func (h *crashHost) facts() facts {
	h.t.Helper()
	f := facts{Address: "none", Deleted: h.exists(h.deletedID()), Group: h.exists(h.group())}
	var s struct {
		view
		Tags map[string]string `json:"tags"`
		SKU  struct {
			Capacity int `json:"capacity"`
		} `json:"sku"`
	}
	err := h.get(h.service(subject), &s)
	if armclient.Status(err) == http.StatusNotFound {
		return f
	}
	if err != nil {
		h.t.Fatal(err)
	}
	f.There, f.Platform, f.Units, f.Tag, f.Machines = true, s.Properties.PlatformVersion, s.SKU.Capacity, s.Tags["round"], len(h.machines(subject))
	switch ips := strings.Join(s.Properties.PublicIPs, " "); ips {
	case "":
	case h.address:
		f.Address = "same"
	default:
		f.Address = "new"
	}
	return f
}

// running is what upgrades change, with the facts, which they do not.
type running struct {
	Facts    facts
	Versions string // of the machines
}

// versions lists the versions of the subject's machines.
func (h *crashHost) versions() string {
	var all []string
	for _, m := range h.machines(subject) {
		if !slices.Contains(all, m.Gateway) {
			all = append(all, m.Gateway)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// otherVersion is the version of the gateway that the subject does not run.
func (h *crashHost) otherVersion() string {
	if h.versions() == nextVersion {
		return "e2e"
	}
	return nextVersion
}

// upgrading is the kind of an upgrade to and fro between two versions.
func upgrading(name string, prepare func(*crashHost)) *crashKind {
	return &crashKind{
		name: name, serves: !strings.Contains(name, "mtv1"),
		prepare: func(h *crashHost) {
			h.portico("gateway", "install", next(h.t))
			prepare(h)
		},
		send: request(http.MethodPost, "/providers/Portico.Hosting/upgrade", latest, func(h *crashHost) any { return object{"gateway": h.otherVersion()} }),
		look: func(h *crashHost) any { return running{h.facts(), h.versions()} },
		want: func(h *crashHost, before any) any { return running{before.(running).Facts, h.otherVersion()} },
	}
}

func (h *crashHost) deletedID() string {
	return h.client.Subscription() + "/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/" + subject
}

func (h *crashHost) exists(path string) bool {
	h.t.Helper()
	version := recent
	if strings.HasSuffix(path, "/resourceGroups/rg") {
		version = "2022-09-01"
	}
	return h.isThere(path, version)
}

func (h *crashHost) isThere(path, version string) bool {
	h.t.Helper()
	_, err := h.client.Do(h.t.Context(), http.MethodGet, path, version, nil)
	if err != nil && armclient.Status(err) != http.StatusNotFound {
		h.t.Fatal(err)
	}
	return err == nil
}

// changed is a want: the facts with a change.
func changed(change func(h *crashHost, f *facts)) func(*crashHost, any) any {
	return func(h *crashHost, before any) any {
		f := before.(facts)
		change(h, &f)
		return f
	}
}

// absent makes sure that there is no subject, nor what is left of one, and a group for it.
func absent(h *crashHost) {
	if !h.exists(h.group()) {
		h.do(http.MethodPut, h.group(), "2022-09-01", object{"location": "westeurope"})
	}
	if h.exists(h.service(subject)) {
		h.run(http.MethodDelete, h.service(subject), recent, nil)
	}
	if h.exists(h.deletedID()) {
		h.run(http.MethodDelete, h.deletedID(), recent, nil)
	}
}

// present makes sure that there is a subject of a kind.
func present(tier string, units, machines int, platform string) func(h *crashHost) {
	return func(h *crashHost) {
		f := h.facts()
		if f.There && f.Platform == platform && f.Machines == machines && f.Units == units {
			return
		}
		version := recent
		if platform == "stv1" {
			version = old
		}
		if f.There && f.Platform == platform && tier == "Premium" {
			h.run(http.MethodPatch, h.service(subject), version, object{"sku": object{"name": tier, "capacity": units}})
			return
		}
		absent(h)
		h.run(http.MethodPut, h.service(subject), version, serviceBody(tier, units))
	}
}

// anyDeveloper makes sure that there is a subject with machines of its own.
func anyDeveloper(h *crashHost) {
	if !h.exists(h.service(subject)) {
		present("Developer", 1, 1, "stv2")(h)
	}
}

// softDeleted makes sure that the subject is soft-deleted.
func softDeleted(h *crashHost) {
	if h.exists(h.deletedID()) && h.exists(h.group()) {
		return
	}
	anyDeveloper(h)
	h.run(http.MethodDelete, h.service(subject), recent, nil)
}

var (
	createDeveloper = &crashKind{
		name: "create Developer (stv1)", prepare: absent, look: lookAtService,
		send: request(http.MethodPut, "", old, always(serviceBody("Developer", 1))),
		want: changed(func(_ *crashHost, f *facts) {
			f.There, f.Platform, f.Units, f.Machines, f.Address = true, "stv1", 1, 1, "new"
		}),
	}
	patchTags = &crashKind{
		name: "patch tags", prepare: anyDeveloper, look: lookAtService, serves: true,
		send: request(http.MethodPatch, "", old, func(h *crashHost) any { return object{"tags": object{"round": h.mark()}} }),
		want: changed(func(h *crashHost, f *facts) { f.Tag = h.mark() }),
	}
	deleteSoft = &crashKind{
		name: "delete", prepare: anyDeveloper, look: lookAtService,
		send: request(http.MethodDelete, "", recent, nothing),
		want: changed(func(_ *crashHost, f *facts) { *f = facts{Address: "none", Deleted: true, Group: true} }),
	}
	restoreDeleted = &crashKind{
		name: "restore", prepare: softDeleted, look: lookAtService,
		send: request(http.MethodPut, "", recent, func(*crashHost) any {
			body := serviceBody("Developer", 1)
			body["properties"].(object)["restore"] = true
			return body
		}),
		want: func(h *crashHost, before any) any {
			f := before.(facts)
			f.There, f.Units, f.Machines, f.Address, f.Deleted = true, 1, 1, "new", false
			f.Platform, f.Tag = h.softDeleted()
			return f
		},
	}
	purgeDeleted = &crashKind{
		name: "purge", prepare: softDeleted, look: lookAtService,
		send: func(h *crashHost) (*armclient.Response, error) {
			return h.client.Do(context.Background(), http.MethodDelete, h.deletedID(), recent, nil)
		},
		want: changed(func(_ *crashHost, f *facts) { f.Deleted = false }),
	}
	migratePreserveIP = &crashKind{
		name: "migrate PreserveIp", prepare: present("Developer", 1, 1, "stv1"), look: lookAtService, serves: true,
		send: request(http.MethodPost, "/migrateToStv2", latest, always(object{"mode": "PreserveIp"})),
		want: changed(func(_ *crashHost, f *facts) { f.Platform = "stv2" }),
	}
	migrateNewIP = &crashKind{
		name: "migrate NewIP", prepare: present("Developer", 1, 1, "stv1"), look: lookAtService,
		send: request(http.MethodPost, "/migrateToStv2", latest, always(object{"mode": "NewIP"})),
		want: changed(func(_ *crashHost, f *facts) { f.Platform, f.Address = "stv2", "new" }),
	}
	deleteGroup = &crashKind{
		name: "delete resource group", prepare: func(h *crashHost) { absentWhenDeleted(h); anyDeveloper(h) }, look: lookAtService,
		send: func(h *crashHost) (*armclient.Response, error) {
			return h.client.Do(context.Background(), http.MethodDelete, h.group(), "2022-09-01", nil)
		},
		want: changed(func(_ *crashHost, f *facts) { *f = facts{Address: "none", Deleted: true} }),
	}
	scaleOut = &crashKind{
		name: "scale 1 to 2", prepare: present("Premium", 1, 2, "stv2"), look: lookAtService, serves: true,
		send: request(http.MethodPatch, "", recent, always(object{"sku": object{"name": "Premium", "capacity": 2}})),
		want: changed(func(_ *crashHost, f *facts) { f.Units, f.Machines = 2, 4 }),
	}
	scaleIn = &crashKind{
		name: "scale 2 to 1", prepare: present("Premium", 2, 4, "stv2"), look: lookAtService, serves: true,
		send: request(http.MethodPatch, "", recent, always(object{"sku": object{"name": "Premium", "capacity": 1}})),
		want: changed(func(_ *crashHost, f *facts) { f.Units, f.Machines = 1, 2 }),
	}
	classicOut = &crashKind{
		name: "scale 1 to 2 (stv1)", prepare: present("Premium", 1, 2, "stv1"), look: lookAtService, serves: true,
		send: request(http.MethodPatch, "", old, always(object{"sku": object{"name": "Premium", "capacity": 2}})),
		want: changed(func(_ *crashHost, f *facts) { f.Units, f.Machines = 2, 4 }),
	}
	classicIn = &crashKind{
		name: "scale 2 to 1 (stv1)", prepare: present("Premium", 2, 4, "stv1"), look: lookAtService, serves: true,
		send: request(http.MethodPatch, "", old, always(object{"sku": object{"name": "Premium", "capacity": 1}})),
		want: changed(func(_ *crashHost, f *facts) { f.Units, f.Machines = 1, 2 }),
	}
	upgradeClassic = upgrading("upgrade (stv1)", present("Premium", 1, 2, "stv1"))
	upgradeWide    = upgrading("upgrade (stv2)", present("Premium", 1, 2, "stv2"))
	upgradePool    = upgrading("upgrade (mtv1)", present("Consumption", 0, 1, "mtv1"))
	startAgain     = &crashKind{
		name: "start", prepare: func(h *crashHost) {
			if !h.exists(h.service(subject)) {
				present("Premium", 1, 2, "stv2")(h)
			}
		}, look: lookAtService, serves: true,
		send: func(h *crashHost) (*armclient.Response, error) {
			h.kill()
			return nil, h.boot()
		},
		want: func(_ *crashHost, before any) any { return before },
	}
	createConsumption = &crashKind{
		name: "create Consumption", prepare: absent, look: lookAtService,
		send: request(http.MethodPut, "", recent, always(serviceBody("Consumption", 0))),
		want: changed(func(_ *crashHost, f *facts) { f.There, f.Platform, f.Machines = true, "mtv1", 1 }),
	}
	deleteConsumption = &crashKind{
		name: "delete Consumption", prepare: present("Consumption", 0, 1, "mtv1"), look: lookAtService,
		send: request(http.MethodDelete, "", recent, nothing),
		want: changed(func(_ *crashHost, f *facts) { *f = facts{Address: "none", Deleted: true, Group: true} }),
	}
	deleteAndExpire = &crashKind{
		name: "delete and expiry", prepare: anyDeveloper, look: lookAtService,
		send: request(http.MethodDelete, "", recent, nothing),
		want: changed(func(_ *crashHost, f *facts) { *f = facts{Address: "none", Group: true} }),
	}
)

// mark tells the rounds apart.
func (h *crashHost) mark() string { return fmt.Sprint("r", h.rounds) }

// softDeleted are the platform and the tag that the soft-deleted subject had.
func (h *crashHost) softDeleted() (platform, tag string) {
	h.t.Helper()
	docs := h.documents(store.Query{Type: "microsoft.apimanagement/locations/deletedservices"})
	if len(docs) != 1 {
		h.t.Fatalf("%d soft-deleted services, want one", len(docs))
	}
	var rec struct {
		Platform string `json:"platform"`
		Service  struct {
			Tags map[string]string `json:"tags"`
		} `json:"service"`
	}
	if err := json.Unmarshal(docs[0].Desired, &rec); err != nil {
		h.t.Fatal(err)
	}
	return rec.Platform, rec.Service.Tags["round"]
}

// absentWhenDeleted clears what is left of a deleted subject: it blocks the name.
func absentWhenDeleted(h *crashHost) {
	if h.exists(h.deletedID()) {
		absent(h)
	}
}

// gone deletes something below the subject.
func gone(below string) func(h *crashHost) {
	return func(h *crashHost) {
		anyDeveloper(h)
		if h.exists(h.service(subject) + below) {
			h.remove(h.service(subject) + below)
		}
	}
}

func (h *crashHost) remove(path string) {
	h.t.Helper()
	if _, err := h.client.Do(h.t.Context(), http.MethodDelete, path, recent, nil, "If-Match", "*"); err != nil {
		h.t.Fatal(err)
	}
}

// text reads one property of a resource that is no secret, or that the action listValue shows.
func (h *crashHost) text(id, property string) string {
	h.t.Helper()
	var got struct {
		Properties map[string]any `json:"properties"`
	}
	if err := h.get(id, &got); err != nil {
		h.t.Fatal(err)
	}
	s, _ := got.Properties[property].(string)
	return s
}

// child reads one property of something below the subject; empty when it is not there.
func child(below, property string) func(h *crashHost) any {
	return func(h *crashHost) any {
		h.t.Helper()
		if !h.exists(h.service(subject) + below) {
			return ""
		}
		return h.text(h.service(subject)+below, property)
	}
}

// is is a want that does not depend on what was before.
func is(f func(h *crashHost) any) func(*crashHost, any) any {
	return func(h *crashHost, _ any) any { return f(h) }
}

const echoOperation = "/apis/echo/operations/get"

// echo makes sure that the subject has an API that answers.
func echo(h *crashHost) {
	anyDeveloper(h)
	if h.exists(h.service(subject) + echoOperation) {
		return
	}
	id := h.service(subject) + "/apis/echo"
	h.do(http.MethodPut, id, recent, object{"properties": object{"displayName": "Echo", "path": "echo", "protocols": []string{"http"}, "subscriptionRequired": false}})
	h.do(http.MethodPut, id+"/operations/get", recent, object{"properties": object{"displayName": "Get", "method": "GET", "urlTemplate": "/"}})
	h.do(http.MethodPut, id+"/policies/policy", recent, policyBody("none"))
}

var (
	importAPI = &crashKind{
		name: "import API", prepare: gone("/apis/shop"), serves: true,
		send: request(http.MethodPut, "/apis/shop", recent, always(object{"properties": object{
			"format": "openapi", "value": bookshop.OpenAPI("http://127.0.0.1:9"), "path": "shop",
		}})),
		look: func(h *crashHost) any {
			docs := h.documents(store.Query{Type: "microsoft.apimanagement/service/apis/operations"})
			n := 0
			for _, d := range docs {
				if strings.Contains(strings.ToLower(d.ID), "/"+subject+"/apis/shop/") {
					n++
				}
			}
			return []any{h.exists(h.service(subject) + "/apis/shop"), n}
		},
		want: is(func(*crashHost) any { return []any{true, strings.Count(bookshop.OpenAPI(""), "operationId:")} }),
	}
	putPolicy = &crashKind{
		name: "put policy", prepare: echo, serves: true,
		send: request(http.MethodPut, "/apis/echo/policies/policy", recent, func(h *crashHost) any { return policyBody(h.mark()) }),
		look: func(h *crashHost) any {
			_, rest, _ := strings.Cut(h.text(h.service(subject)+"/apis/echo/policies/policy", "value"), "<value>")
			mark, _, _ := strings.Cut(rest, "</value>")
			addr := h.show(subject).addr()
			eventually(h.t, 20*time.Second, "the stored policy in effect: "+mark, func() bool { return marked(addr) == mark })
			return mark
		},
		want: is(func(h *crashHost) any { return h.mark() }),
	}
	putSubscription = &crashKind{
		name: "put subscription", prepare: func(h *crashHost) { gone("/subscriptions/s")(h); echo(h) }, serves: true,
		send: request(http.MethodPut, "/subscriptions/s", recent, func(h *crashHost) any {
			return object{"properties": object{"displayName": h.mark(), "scope": h.service(subject) + "/apis/echo", "state": "active"}}
		}),
		look: child("/subscriptions/s", "displayName"),
		want: is(func(h *crashHost) any { return h.mark() }),
	}
	linkProduct = &crashKind{
		name: "link product", serves: true,
		prepare: func(h *crashHost) {
			echo(h)
			gone("/products/p")(h)
			h.do(http.MethodPut, h.service(subject)+"/products/p", recent, object{"properties": object{"displayName": "P", "state": "published"}})
		},
		send: request(http.MethodPut, "/products/p/apis/echo", recent, nothing),
		look: func(h *crashHost) any {
			apis, err := h.client.List(h.t.Context(), h.service(subject)+"/products/p/apis", recent)
			if err != nil {
				h.t.Fatal(err)
			}
			return len(apis)
		},
		want: is(func(*crashHost) any { return 1 }),
	}
	putNamedValue = &crashKind{
		name: "put named value", prepare: anyDeveloper, serves: true,
		send: request(http.MethodPut, "/namedValues/n", recent, func(h *crashHost) any {
			return object{"properties": object{"displayName": "n", "value": h.mark()}}
		}),
		look: child("/namedValues/n", "value"),
		want: is(func(h *crashHost) any { return h.mark() }),
	}
)

// marked is the mark that the subject's policy puts on an answer.
func marked(addr string) string {
	res, err := http.Get("http://" + addr + "/echo/")
	if err != nil {
		return ""
	}
	res.Body.Close()
	return res.Header.Get("X-Mark")
}

// A burst is many writes at once, which share commits.
type burst struct {
	mu           sync.Mutex // guards below
	acknowledged map[string]string
}

const burstSize = 16

var putMany = &crashKind{
	name: "put named values at once", prepare: anyDeveloper, serves: true,
	send: func(h *crashHost) (*armclient.Response, error) {
		h.burst.acknowledged = map[string]string{}
		errs := make([]error, burstSize)
		var all sync.WaitGroup
		for i := range burstSize {
			name, mark := fmt.Sprint("burst", i), h.mark()
			all.Go(func() {
				put := request(http.MethodPut, "/namedValues/"+name, recent, always(object{"properties": object{"displayName": name, "value": mark}}))
				if _, errs[i] = put(h); errs[i] == nil {
					h.burst.mu.Lock()
					defer h.burst.mu.Unlock()
					h.burst.acknowledged[name] = mark
				}
			})
		}
		all.Wait()
		return nil, errors.Join(errs...)
	},
	// Those that were acknowledged are there; each of the others is there or not.
	look: func(h *crashHost) any {
		for name, mark := range h.burst.acknowledged {
			if got := child("/namedValues/"+name, "value")(h); got != mark {
				h.t.Errorf("an acknowledged write is gone: %s is %q, want %q", name, got, mark)
			}
		}
		return "as acknowledged"
	},
	want: func(_ *crashHost, before any) any { return before },
}
