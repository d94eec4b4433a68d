package resource

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// openSealer seals nothing: what it is given can be read in the document.
type openSealer struct{}

func (openSealer) Seal(plain []byte, _ string) (string, error) { return string(plain), nil }
func (openSealer) Open(sealed, _ string) ([]byte, error)       { return []byte(sealed), nil }

func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		"name eq 'a'", "substringof('a', name) and not (path ne 'b''c' or x ge 5)", "startswith(displayName,'S') eq true",
		"((((a eq 'b'))))", "a eq", "contains(a)", "'", "not", "a eq 'b' or", "endswith('x',y) eq false",
	} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		filter, err := ParseFilter(s)
		if err != nil {
			return
		}
		filter.Match(func(name string) any { return name })
		filter.Match(func(string) any { return []any{"a", int64(5), nil} })
	})
}

// FuzzDecode gives every row any body in any of its api-versions: what is accepted can be stored, opened and shown,
// and reads back as the same.
func FuzzDecode(f *testing.F) {
	e := NewEngine(openSealer{})
	for i := range e.Rows() {
		f.Add(i, 0, `{"location":"x","sku":{"name":"a","capacity":1},"properties":{"displayName":"d","path":"p","value":"v","scope":"s","url":"http://x","protocol":"http","publisherEmail":"e","publisherName":"n","method":"GET","urlTemplate":"/"}}`)
		f.Add(i, 15, `{"properties":{"displayName":"d","path":"p","policyContent":"<p/>","userId":"u","productId":"p","credentials":{"header":{"a":["b"]},"authorization":{"scheme":"s","parameter":"p"}},"templateParameters":[{"name":"n","type":"t","values":["a",null]}]}}`)
		f.Add(i, 3, `{"Properties":[],"tags":{"a":null},"properties":{"customProperties":{"a":"b"}}}`)
	}
	f.Fuzz(func(t *testing.T, row, version int, body string) {
		r := e.Rows()[uint(row)%uint(len(e.Rows()))]
		v := r.Versions[uint(version)%uint(len(r.Versions))]
		o, err := e.Decode(r, v, []byte(body))
		if err != nil {
			if err.Status != 400 || err.Code == "" {
				t.Fatalf("%s %s: %+v", r.Path, v, err)
			}
			return
		}
		d, derr := e.Document(r, "/a/b", o, nil)
		if derr != nil {
			t.Fatal(derr)
		}
		again, derr := e.Document(r, "/a/b", o, &d)
		if derr != nil || string(again.Desired) != string(d.Desired) {
			t.Fatalf("%s %s: stored again it differs: %v\n%s\n%s", r.Path, v, derr, d.Desired, again.Desired)
		}
		plain, derr := e.Open(store.Document{ID: "/a/b", Type: d.Type, Desired: d.Desired})
		if derr != nil {
			t.Fatal(derr)
		}
		for _, as := range r.Versions {
			e.asVersion(r, as, plain, false)
		}
		if _, perr := e.Patch(r, v, plain, []byte(`{}`)); perr != nil && perr.Status != 400 {
			t.Fatal(perr)
		}
	})
}

func TestFilter(t *testing.T) {
	t.Parallel()
	fields := map[string]any{"name": "Echo API", "path": "it's", "n": json.Number("10"), "tags": []any{"Red", "blue"}, "on": true}
	for s, want := range map[string]bool{
		"": true, "name eq 'echo api'": true, "name ne 'echo api'": false, "path eq 'it''s'": true, "n gt 9": true, "n lt 9": false, "n eq '10'": true,
		"startswith(name,'echo') and n ge 10": true, "substringof('API', name)": true, "contains(name,'x') or endswith(name,'api')": true,
		"not (name eq 'x')": true, "not name eq 'x' and n le 10": true, "contains(tags,'red')": true, "contains(tags,'green')": false,
		"on eq true": true, "missing eq ''": true, "startswith(name,'e') eq false": false,
		"name eq 'x' or name eq 'y' and n eq 10": false, "(name eq 'x' or n eq 10) and n eq 10": true,
	} {
		f, err := ParseFilter(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if got := f.Match(func(n string) any { return fields[n] }); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
	for s, want := range map[string]string{
		"name": "unexpected end", "name is 'a'": "'is' is no operator", "eq eq": "unexpected end", "'a' eq name": "unexpected 'a'",
		"(name eq 'a'": "a parenthesis is not closed", "name eq 'a": "a text has no closing quote", "contains(name)": "'contains' takes two arguments",
		"contains(name, path)": "'contains' takes a field and a text", "name eq 'a' name": "unexpected 'name'", "contains(name,'a'": "'contains' is not closed",
	} {
		if _, err := ParseFilter(s); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
}

// An old PUT keeps what it cannot express; a secret that does not change keeps its sealed form.
func TestKeep(t *testing.T) {
	t.Parallel()
	e := NewEngine(openSealer{})
	r, _ := e.Row(APIM + "/service/apis")
	old := Object{"properties": map[string]any{"displayName": "D", "path": "p", "contact": map[string]any{"name": "N"}, "description": "gone"}}
	fresh, err := e.Decode(r, "2018-01-01", []byte(`{"properties":{"displayName":"D","path":"q","contact":{"name":"ignored"},"authenticationSettings":{"subscriptionKeyRequired":false}}}`))
	if err != nil {
		t.Fatal(err)
	}
	e.keep(r, "2018-01-01", old, fresh)
	want := Object{"properties": map[string]any{"displayName": "D", "path": "q", "contact": map[string]any{"name": "N"}, "subscriptionRequired": false}}
	if d := cmp.Diff(want, fresh); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// An array that the api-version does not know at all is kept as a whole; one that it knows is the client's.
func TestKeep_Arrays(t *testing.T) {
	t.Parallel()
	e := NewEngine(openSealer{})
	r, _ := e.Row(APIM + "/service/diagnostics")
	mask := []any{map[string]any{"value": "X", "mode": "Hide"}}
	old := Object{"properties": map[string]any{"loggerId": "l", "frontend": map[string]any{"request": map[string]any{"dataMasking": map[string]any{"headers": mask}}}}}
	for v, want := range map[arm.Version]any{"2019-12-01": mask, "2024-05-01": nil} {
		fresh, err := e.Decode(r, v, []byte(`{"properties":{"loggerId":"l"}}`))
		if err != nil {
			t.Fatal(err)
		}
		e.keep(r, v, old, fresh)
		if d := cmp.Diff(want, fresh.Get("properties.frontend.request.dataMasking.headers")); d != "" {
			t.Errorf("%s (-want +got):\n%s", v, d)
		}
	}
}

// A patch leaves alone what it does not mention, with what an older api-version cannot say of it, be it a property of an
// element or a word. What it mentions is the client's.
func TestPatch_LeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	e := NewEngine(openSealer{})
	r, _ := e.Row(APIM + "/service")
	old := Object{"location": "West Europe", "sku": map[string]any{"name": "Premium", "capacity": int64(1)}, "identity": map[string]any{"type": "UserAssigned"}, "properties": map[string]any{
		"publisherEmail": "a@b.c", "publisherName": "C",
		"hostnameConfigurations": []any{map[string]any{"type": "ConfigurationApi", "hostName": "c.example"}},
		"additionalLocations": []any{map[string]any{
			"location": "East US", "sku": map[string]any{"name": "Premium", "capacity": int64(1)}, "zones": []any{"1"}, "natGatewayState": "Enabled",
		}},
	}}
	for _, v := range []arm.Version{"2018-01-01", "2021-08-01", "2024-05-01"} {
		fresh, err := e.Patch(r, v, old.Clone(), []byte(`{"tags":{"a":"b"},"properties":{"publisherName":"D"}}`))
		if err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		for _, path := range []string{"properties.hostnameConfigurations", "properties.additionalLocations", "identity.type"} {
			if d := cmp.Diff(old.Get(path), fresh.Get(path)); d != "" {
				t.Errorf("%s, %s (-want +got):\n%s", v, path, d)
			}
		}
		fresh, err = e.Patch(r, v, old.Clone(), []byte(`{"properties":{"additionalLocations":null,"hostnameConfigurations":[]}}`))
		if err != nil || fresh.Get("properties.additionalLocations") != nil || len(fresh.List("properties.hostnameConfigurations")) > 0 {
			t.Errorf("%s: %v, %v", v, fresh, err)
		}
	}
}

func TestTemplateNames(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][]string{"/": nil, "/a/{b}": {"b"}, "/{a}/{*b}?c={c}": {"a", "b", "c"}} {
		got, ok := templateNames(s)
		if d := cmp.Diff(want, got); !ok || d != "" {
			t.Errorf("%q: %v %s", s, ok, d)
		}
	}
	for _, s := range []string{"/{", "/}", "/{}", "/{a}{a}", "/{a{b}}", "/{*}"} {
		if got, ok := templateNames(s); ok {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestPlatformVersion_MapsDown(t *testing.T) {
	t.Parallel()
	e := NewEngine(openSealer{})
	r, _ := e.Row(APIM + "/service")
	o := Object{"properties": map[string]any{"platformVersion": "stv2.1"}}
	for v, want := range map[string]any{"2020-12-01": nil, "2021-08-01": "stv2", "2024-05-01": "stv2.1"} {
		for _, have := range r.Versions {
			if string(have) == v {
				if got := e.asVersion(r, have, o, false).Get("properties.platformVersion"); got != want {
					t.Errorf("%s: %v, want %v", v, got, want)
				}
			}
		}
	}
}
