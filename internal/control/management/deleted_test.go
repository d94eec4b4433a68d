package management_test

import (
	"strings"
	"testing"
)

// All that a body says besides `restore` is ignored, and so is what it leaves out: tools send the location alone.
func TestRestore_NeedsNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	const body = `{"location":"West Europe","properties":{"restore":true}}`
	w.want(400, "PUT", servicePath, body) // an active service is updated
	before := w.want(200, "GET", servicePath, "").Body
	w.want(202, "DELETE", servicePath, "")
	w.settle()

	w.want(400, "PUT", servicePath+"?api-version=2019-12-01", body) // knows no `restore`
	w.want(400, "PUT", servicePath, strings.Replace(body, "true", "false", 1))
	if a := w.want(400, "PUT", strings.Replace(servicePath, "apimService1", "other", 1), body); a.code() != "ServiceUndeleteNotPossible" {
		t.Errorf("restoring what was never there: %s", a.Raw)
	}
	w.want(201, "PUT", servicePath, body)
	w.settle()
	after := w.want(200, "GET", servicePath, "").Body
	for _, path := range []string{"sku.name", "properties.publisherEmail", "properties.publisherName"} {
		if after.Text(path) != before.Text(path) {
			t.Errorf("%s is %q, was %q", path, after.Text(path), before.Text(path))
		}
	}
}
