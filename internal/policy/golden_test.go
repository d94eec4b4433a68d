package policy_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/portico-dev/portico/internal/policy"
)

var update = flag.Bool("update", false, "rewrite the expected findings in testdata")

// TestGolden reads and checks every case of testdata/*.txtar. A case NAME consists of NAME.xml or NAME.rawxml, the
// document; NAME.options, words such as scope=api tier=Consumption named:calls=5; and NAME.findings, what is expected.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			goldenFile(t, file)
		})
	}
}

func goldenFile(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []txtar.File
	var options string
	for i, f := range archive.Files {
		switch ext := filepath.Ext(f.Name); ext {
		case ".options":
			options = string(f.Data)
		case ".xml", ".rawxml":
			text := strings.TrimSuffix(string(f.Data), "\n")
			got := goldenCase(t, text, policy.Format(ext[1:]), strings.Fields(options))
			name := strings.TrimSuffix(f.Name, ext) + ".findings"
			want := ""
			if i+1 < len(archive.Files) && archive.Files[i+1].Name == name {
				want = string(archive.Files[i+1].Data)
			}
			if got != want && !*update {
				t.Errorf("%s %s:\n%s", file, f.Name, cmp.Diff(want, got))
			}
			out = append(out, f, txtar.File{Name: name, Data: []byte(got)})
			options = ""
			continue
		case ".findings":
			continue
		}
		out = append(out, f)
	}
	if *update {
		archive.Files = out
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// goldenCase gives the findings of a case, one a line; those of the reader come alone, as a client gets them.
func goldenCase(t *testing.T, text string, f policy.Format, options []string) string {
	opt := policy.CheckOptions{}
	named := map[string]string{}
	pretty := false
	for _, word := range options {
		key, value, _ := strings.Cut(word, "=")
		switch {
		case key == "scope":
			opt.Scope = policy.Scope(value)
		case key == "tier":
			opt.Tier = value
		case key == "backends":
			opt.BackendExists = func(id string) bool { return slices.Contains(strings.Split(value, ","), id) }
		case key == "parameters":
			opt.Parameter = func(name string) bool { return slices.Contains(strings.Split(value, ","), name) }
		case key == "expressions":
			opt.Expression = func(e *policy.Expression, want policy.Type) policy.Findings {
				if at := strings.Index(e.Source, "bad"); at >= 0 {
					return policy.Findings{e.Finding("", at, "bad is no "+string(want))}
				}
				return nil
			}
		case key == "pretty":
			pretty = true
		case strings.HasPrefix(key, "named:"):
			named[strings.TrimPrefix(key, "named:")] = strings.ReplaceAll(value, `\n`, "\n")
		default:
			t.Fatalf("unknown option %q", word)
		}
	}
	src := policy.NewSource(text, func(name string) (string, bool) { v, ok := named[name]; return v, ok })
	doc, findings := policy.ParseSource(src, f)
	if len(findings) == 0 {
		findings = doc.Check(opt)
	}
	switch {
	case len(findings) == 0:
		return ""
	case pretty:
		return findings.Pretty() + "\n"
	}
	return findings.Error() + "\n"
}
