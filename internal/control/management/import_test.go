package management_test

import (
	"encoding/json"
	"fmt"
	"testing"
)

// A description of 300 API operations is imported whole, in one transaction, and once more without a change.
func TestImport_Large(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	paths := map[string]any{}
	for i := range 150 {
		ok := map[string]any{"200": map[string]any{"description": "ok"}}
		paths[fmt.Sprintf("/things%d/{id}", i)] = map[string]any{
			"parameters": []any{map[string]any{"name": "id", "in": "path", "required": true, "schema": map[string]any{"type": "string"}}},
			"get":        map[string]any{"operationId": fmt.Sprintf("get%d", i), "responses": ok},
			"delete":     map[string]any{"operationId": fmt.Sprintf("delete%d", i), "responses": ok},
		}
	}
	description, err := json.Marshal(map[string]any{"openapi": "3.0.1", "info": map[string]any{"title": "Large", "version": "1"}, "paths": paths})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"properties": map[string]any{"path": "large", "format": "openapi+json", "value": string(description)}})
	if err != nil {
		t.Fatal(err)
	}
	before := w.seq()
	w.want(201, "PUT", servicePath+"/apis/large", string(body))
	if after := w.seq(); after != before+1 {
		t.Errorf("the import took %d transactions", after-before)
	}
	seen := 0
	for next := servicePath + "/apis/large/operations"; next != ""; {
		page := w.want(200, "GET", next, "")
		if n, _ := page.Body.Number("count"); n != 300 {
			t.Errorf("count %d, want 300", n)
		}
		seen += len(page.Body.List("value"))
		if next = page.text("nextLink"); next != "" {
			next = local(t, next)
		}
	}
	if seen != 300 {
		t.Errorf("%d operations listed, want 300", seen)
	}
	before = w.seq()
	w.want(200, "PUT", servicePath+"/apis/large", string(body))
	if after := w.seq(); after != before {
		t.Errorf("the same import again took %d transactions", after-before)
	}
}
