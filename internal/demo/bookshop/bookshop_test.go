package bookshop

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestOpenAPI_EveryOperationIsServed calls each operation of the document as the document says.
func TestOpenAPI_EveryOperationIsServed(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(OpenAPI("http://127.0.0.1")))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			n++
			body := ""
			if op.RequestBody != nil {
				body = "{}"
			}
			req := httptest.NewRequest(method, strings.ReplaceAll(path, "{id}", "1"), strings.NewReader(body))
			res := httptest.NewRecorder()
			New().ServeHTTP(res, req)
			want := op.Responses.Map()
			if len(want) != 1 || op.Responses.Status(res.Code) == nil {
				t.Errorf("%s %s answered %d, which its document does not declare", method, path, res.Code)
			}
		}
	}
	if n < 12 {
		t.Errorf("%d operations, want at least 12", n)
	}
}
