package management_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden plays the files of testdata: one for each resource type. A file is a list of requests, each followed by
// its answer. "{s}" is the service, "{g}" the resource group; "settle" lets running operations end well. What differs
// from run to run (times, keys, ETags) is written as a word in angle brackets.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(data))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(data), got); d != "" {
				t.Errorf("%s (-want +got):\n%s", file, d)
			}
		})
	}
}

// play sends the requests of a file and returns the file with the answers it got.
func play(t *testing.T, text string) string {
	w := newWorld(t)
	var out strings.Builder
	parts := regexp.MustCompile(`(?m)^-- (request|response) --\n`).Split(text, -1)
	out.WriteString(parts[0])
	etag := ""
	for i := 1; i < len(parts); i += 2 {
		out.WriteString("-- request --\n" + parts[i])
		request := strings.NewReplacer("{s}", servicePath, "{g}", groupPath, "{sub}", "/subscriptions/"+subscriptionID, "{etag}", etag).Replace(parts[i])
		head, body, _ := strings.Cut(request, "\n\n")
		lines := strings.Split(strings.TrimSpace(head), "\n")
		out.WriteString("-- response --\n")
		if lines[0] == "settle" {
			w.settle()
			continue
		}
		var headers []string
		for _, l := range lines[1:] {
			name, value, _ := strings.Cut(l, ": ")
			headers = append(headers, name, value)
		}
		method, path, _ := strings.Cut(lines[0], " ")
		a := w.do(method, path, strings.TrimSpace(body), headers...)
		if e := a.Header.Get("ETag"); e != "" {
			etag = e
		}
		out.WriteString(steady(written(a)))
	}
	return out.String()
}

func written(a answer) string {
	var b strings.Builder
	fmt.Fprintln(&b, a.Status)
	for _, name := range []string{"ETag", "Location", "Azure-AsyncOperation", "Retry-After", "x-ms-failure-cause", "WWW-Authenticate"} {
		if v := a.Header.Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if a.Raw == "" {
		return b.String()
	}
	pretty, err := json.MarshalIndent(a.Body, "", "  ")
	if err != nil || len(a.Body) == 0 {
		pretty = []byte(a.Raw)
	}
	return b.String() + strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(pretty)) + "\n"
}

var unsteady = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z`), "<time.7>"},
	{regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"`), `"<time>"`},
	{regexp.MustCompile(`"[A-Za-z0-9+/]{11}="`), `"<etag>"`},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "<hex>"},
	{regexp.MustCompile(`\b[0-9a-f]{24}\b`), "<hex.24>"},
	{regexp.MustCompile(`W/\\"[0-9a-f-]{36}\\"`), `W/\"<guid>\"`},
	{regexp.MustCompile(`("(?:resourceGuid|principalId|clientId)": )"[0-9a-f-]{36}"`), `$1"<guid>"`},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+/`), "http://host/"},
}

func steady(s string) string {
	for _, u := range unsteady {
		s = u.pattern.ReplaceAllString(s, u.word)
	}
	return strings.NewReplacer(servicePath, "{s}", groupPath, "{g}", "/subscriptions/"+subscriptionID, "{sub}").Replace(s)
}
