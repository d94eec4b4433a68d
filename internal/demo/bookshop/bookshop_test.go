package bookshop_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/control/importer"
	"github.com/portico-dev/portico/internal/demo/bookshop"
)

// TestOpenAPI_EveryOperationIsServed calls each operation of the document as the document says.
func TestOpenAPI_EveryOperationIsServed(t *testing.T) {
	t.Parallel()
	document, problem := importer.Import("openapi", bookshop.OpenAPI("http://127.0.0.1"))
	if problem != nil {
		t.Fatal(problem)
	}
	for _, op := range document.Operations {
		method, path := fmt.Sprint(op.Properties["method"]), fmt.Sprint(op.Properties["urlTemplate"])
		body := ""
		if method == "POST" || method == "PUT" {
			body = "{}"
		}
		res := httptest.NewRecorder()
		bookshop.New().ServeHTTP(res, httptest.NewRequest(method, strings.ReplaceAll(path, "{id}", "1"), strings.NewReader(body)))
		if declared := fmt.Sprint(op.Properties["responses"]); !strings.Contains(declared, fmt.Sprint("statusCode:", res.Code)) {
			t.Errorf("%s %s answered %d, which its document does not declare: %s", method, path, res.Code, declared)
		}
	}
	if n := len(document.Operations); n < 12 {
		t.Errorf("%d operations, want at least 12", n)
	}
}
