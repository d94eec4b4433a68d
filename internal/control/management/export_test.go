package management_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An export is a link that works without a token, in each place where some api-version or client looks for it; or the
// description itself, which an import reads back.
func TestExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withAPI()
	w.want(201, "PUT", servicePath+"/apiVersionSets/vs", `{"properties":{"displayName":"VS","versioningScheme":"Segment"}}`)
	w.want(200, "PUT", servicePath+"/apis/echo", `{"properties":{"displayName":"Echo","path":"echo","apiVersion":"v1","apiVersionSetId":"/apiVersionSets/vs"}}`)
	w.want(201, "PUT", servicePath+"/apis/echo/operations/get", `{"properties":{"displayName":"Get","method":"GET","urlTemplate":"/a/{id}","templateParameters":[{"name":"id","type":"string","required":true}]}}`)
	w.want(201, "PUT", servicePath+"/apis/echo;rev=2", `{"properties":{"path":"echo","sourceApiId":"/apis/echo"}}`)

	for _, c := range []struct {
		version, format string
		at              []string // paths of the link
		shown           string
	}{
		{"2018-01-01", "swagger-link", []string{"link"}, ""},
		{"2019-12-01", "openapi-link", []string{"link", "value.link"}, "openapi-link"},
		{"2021-08-01", "swagger-link", []string{"value.link", "properties.value.link"}, "swagger-link-json"},
		{newest, "OpenApi%2BJson-Link", []string{"value.link", "properties.value.link"}, "openapi+json-link"},
	} {
		a := w.want(200, "GET", servicePath+"/apis/echo?export=true&format="+c.format+"&api-version="+c.version, "")
		if a.text("format") != c.shown {
			t.Errorf("%s %s: %s", c.version, c.format, a.Raw)
		}
		for _, at := range c.at {
			link, ok := strings.CutPrefix(a.text(at), w.url)
			if !ok {
				t.Fatalf("%s %s: no link at %s: %s", c.version, c.format, at, a.Raw)
			}
			text := w.want(200, "GET", link, "", "Authorization", "").Raw
			if !strings.Contains(text, "http://apimService1.apim.localhost/echo/v1") && !strings.Contains(text, `"basePath": "/echo/v1"`) {
				t.Errorf("%s %s:\n%s", c.version, c.format, text)
			}
		}
	}
	for format, want := range map[string]string{"openapi": "openapi: 3.0.1\n", "openapi%2Bjson": `{` + "\n" + `  "openapi": "3.0.1",`, "swagger": "{\n  \"swagger\": \"2.0\","} {
		a := w.want(200, "GET", servicePath+"/apis/echo;rev=2?export=true&format="+format, "")
		if !strings.HasPrefix(a.Raw, want) || !strings.Contains(a.Raw, ";rev=2") {
			t.Errorf("%s:\n%s", format, a.Raw)
		}
		text, err := json.Marshal(a.Raw)
		if err != nil {
			t.Fatal(err)
		}
		body := `{"properties":{"path":"again-` + format[:3] + format[len(format)-2:] + `","format":"openapi","value":` + string(text) + `}}`
		w.want(201, "PUT", servicePath+"/apis/again"+format[len(format)-2:], body)
		got := w.want(200, "GET", servicePath+"/apis/again"+format[len(format)-2:]+"/operations/get", "").Body.Get("properties.urlTemplate")
		if d := cmp.Diff(any("/a/{id}"), got); d != "" {
			t.Error(d)
		}
	}
}
