package sample_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/portico-dev/portico/internal/control/sample"
)

// decoded is a value as encoding/json would read it.
func decoded(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestBody runs testdata/*.txtar. "-- types --" holds named schemas in YAML; "-- media/type Name --" the body that is
// made of one of them, or "none".
func TestBody(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases: ", err)
	}
	heading := regexp.MustCompile(`(?m)^-- (.*) --\n`)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var types sample.Types
		at := heading.FindAllStringSubmatchIndex(string(data), -1)
		for i, m := range at {
			end := len(data)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			title, text := string(data[m[2]:m[3]]), string(data[m[1]:end])
			if title == "types" {
				types = decoded(t, text).(map[string]any)
				continue
			}
			space := strings.LastIndexByte(title, ' ')
			got, ok := types.Body(title[:space], title[space+1:])
			if !ok {
				got = "none"
			}
			if d := cmp.Diff(strings.TrimSpace(text), got); d != "" {
				t.Errorf("%s: %s (-want +got):\n%s", file, title, d)
			}
		}
	}
}

// A schema of which each level has ten of the next is no tree of 10^12 values.
func TestBody_IsBounded(t *testing.T) {
	t.Parallel()
	types := sample.Types{}
	next := map[string]any{"type": "string"}
	for name := range strings.SplitSeq("lkjihgfedcba", "") {
		types[name] = map[string]any{"type": "array", "minItems": json.Number("10"), "items": next}
		next = map[string]any{"$ref": "#/components/schemas/" + name}
	}
	body, ok := types.Body("application/json", "a")
	if n := strings.Count(body, "["); !ok || len(body) > 64<<10 || n > 1000 {
		t.Errorf("%v: %d bytes, %d arrays", ok, len(body), n)
	}
}
