package management_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

const (
	subscriptionID = "00000000-0000-0000-0000-000000000000"
	groupPath      = "/subscriptions/" + subscriptionID + "/resourceGroups/rg1"
	servicePath    = groupPath + "/providers/Microsoft.ApiManagement/service/apimService1"
	newest         = "2024-05-01"
)

// textSealer hides a secret well enough to see that it is not stored in the clear, and that contexts matter.
type textSealer struct{}

func (textSealer) Seal(plain []byte, context string) (string, error) {
	return base64.StdEncoding.EncodeToString([]byte(context + "\x00" + string(plain))), nil
}

func (textSealer) Open(sealed, context string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	plain, ok := strings.CutPrefix(string(b), context+"\x00")
	if !ok {
		return nil, errors.New("sealed for another place")
	}
	return []byte(plain), nil
}

// A world is a management API on a real listener and a real store.
type world struct {
	t       *testing.T
	store   store.Store
	handler *management.Handler
	url     string
}

func newWorld(t *testing.T, change ...func(*management.Options)) *world {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "portico.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opt := options(st)
	for _, f := range change {
		f(&opt)
	}
	h := management.New(opt)
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t: t, store: st, handler: h, url: srv.URL}
}

// fewLocations are enough for tests, and keep the expected answers of listings short.
func fewLocations() (few []resource.Location) {
	all := management.DefaultLocations()
	for _, name := range []string{
		"westeurope", "northeurope", "eastus", "eastus2", "centralus", "southcentralus", "westus", "westus2", "uksouth", "germanywestcentral", "swedencentral", "japaneast",
	} {
		i := slices.IndexFunc(all, func(l resource.Location) bool { return l.Name == name })
		few = append(few, all[i])
	}
	return few
}

func options(st store.Store) management.Options {
	n := 0
	return management.Options{
		Store: st, Locations: fewLocations(), Sealer: textSealer{}, TenantID: "11111111-1111-1111-1111-111111111111",
		Subscription: management.Subscription{ID: subscriptionID, DisplayName: "Portico"},
		Authenticate: func(r *http.Request) (management.Principal, *arm.Error) {
			if r.Header.Get("Authorization") != "Bearer good" {
				return management.Principal{}, &arm.Error{Status: http.StatusUnauthorized, Code: "AuthenticationFailed", Message: "Authentication failed. The 'Authorization' header is missing."}
			}
			return management.Principal{ObjectID: "22222222-2222-2222-2222-222222222222", Kind: "app"}, nil
		},
		Challenge: func(*http.Request, *arm.Error) string { return `Bearer authorization_uri="http://login/tenant"` },
		URLs: func(f resource.ServiceFacts) resource.URLs {
			host := f.Name + ".apim.localhost"
			return resource.URLs{Gateway: "http://" + host, GatewayRegional: "http://" + platform.RegionalHost(f.Name, f.Location, "apim.localhost"), GatewayHost: host}
		},
		AllocateIP: func(string) (string, error) { n++; return fmt.Sprintf("127.9.0.%d", n), nil },
		Gateway:    "1.0", HasGateway: func(v string) bool { return v == "1.0" || v == "2.0" },
		Host: map[string]func(context.Context, []byte) (any, *arm.Error){
			"GET gateways": func(context.Context, []byte) (any, *arm.Error) { return []string{"1.0", "2.0"}, nil },
			"POST gateways": func(_ context.Context, body []byte) (any, *arm.Error) {
				return map[string]string{"got": string(body)}, nil
			},
		},
		Extensions: map[string]func(context.Context, string) (json.RawMessage, *arm.Error){
			"units": func(_ context.Context, service string) (json.RawMessage, *arm.Error) {
				return json.RawMessage(`{"service":"` + service + `"}`), nil
			},
		},
	}
}

// An answer is a response taken apart.
type answer struct {
	Status int
	Header http.Header
	Raw    string
	Body   resource.Object
}

func (a answer) code() string { return a.Body.Text("error.code") }

// text digs in the body.
func (a answer) text(path string) string { return a.Body.Text(path) }

// do sends a request; headers come in pairs. The api-version is the newest unless the path has one.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	if !strings.Contains(path, "api-version") {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "api-version=" + newest
	}
	base := w.url
	if base == "" {
		base = "http://portico.test"
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if w.url == "" { // without a listener
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		return taken(rec.Code, rec.Header(), rec.Body.Bytes())
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return taken(resp.StatusCode, resp.Header, raw)
}

func taken(status int, header http.Header, raw []byte) answer {
	a := answer{Status: status, Header: header, Raw: string(raw), Body: resource.Object{}}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	_ = dec.Decode(&a.Body) // XML and empty bodies are looked at as Raw
	return a
}

// want sends a request and fails unless the status is the one.
func (w *world) want(status int, method, path, body string, headers ...string) answer {
	w.t.Helper()
	a := w.do(method, path, body, headers...)
	if a.Status != status {
		w.t.Fatalf("%s %s: status %d, want %d\nsent: %s\ngot: %s", method, path, a.Status, status, body, a.Raw)
	}
	return a
}

func (w *world) seq() int64 {
	w.t.Helper()
	var n int64
	if err := w.store.View(w.t.Context(), func(r store.Reader) error { n = r.Seq(); return nil }); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// settle does for all running operations of services what the hosting plane would have done.
func (w *world) settle() {
	w.t.Helper()
	_, err := w.store.Update(w.t.Context(), func(tx store.Tx) error {
		running, err := lro.Running(tx)
		if err != nil {
			return err
		}
		for _, op := range running {
			if !strings.HasPrefix(op.Kind, "service.") {
				continue
			}
			if op.Kind != management.DeleteService {
				d, err := tx.Get(op.Target)
				if err != nil {
					return err
				}
				var st platform.ServiceStatus
				if err := json.Unmarshal(d.Status, &st); err != nil {
					return err
				}
				st.ProvisioningState, st.TargetProvisioningState, st.Operation = "Succeeded", "", ""
				st.Before, st.Renames = nil, false
				st.Settle()
				for i, l := range st.Locations() {
					l.Hosting = hosted(l.Wish, i)
				}
				st.Forget()
				if d.Status, err = json.Marshal(st); err != nil {
					return err
				}
				if _, err := tx.Put(d); err != nil {
					return err
				}
			}
			if err := lro.Finish(tx, op, lro.Succeeded, nil, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// hosted is what there is of the i-th location of a service when its wish has come true.
func hosted(w platform.Wish, i int) platform.State {
	if w.Platform == platform.MTv1 || w.Gone {
		return platform.State{}
	}
	vip := platform.VIP{ID: "v", Address: fmt.Sprintf("127.0.0.%d", 9+i), Sets: []string{"s"}}
	if p := w.Injection; p != nil {
		vip.Injection, vip.Inside, vip.Address = p.ID, p.Mode == platform.Internal, "10.0.1.4"
		if p.Mode == platform.External {
			vip.Address = p.Address
		}
	}
	return platform.State{Active: "s", Sets: []platform.Set{{ID: "s", Platform: w.Platform, Injection: w.Injection, Machines: []platform.Machine{{ID: "m", Hardware: w.Hardware}}}}, VIPs: []platform.VIP{vip}}
}

const developerBody = `{"location":"West Europe","sku":{"name":"Developer","capacity":1},"properties":{"publisherEmail":"a@b.c","publisherName":"Contoso"}}`

// withGroup makes the resource group, withService the service too, active.
func (w *world) withGroup() *world {
	w.t.Helper()
	w.want(201, "PUT", groupPath+"?api-version=2021-04-01", `{"location":"westeurope"}`)
	return w
}

func (w *world) withService() *world {
	w.t.Helper()
	w.withGroup()
	w.want(201, "PUT", servicePath, developerBody)
	w.settle()
	return w
}

func (w *world) withAPI() *world {
	w.t.Helper()
	w.withService()
	w.want(201, "PUT", servicePath+"/apis/echo", `{"properties":{"displayName":"Echo","path":"echo","serviceUrl":"http://127.0.0.1:1","protocols":["http"]}}`)
	return w
}
