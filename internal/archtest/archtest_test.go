// Package archtest checks the direction of imports. It reads import statements only.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/portico-dev/portico/"

// A rule forbids imports from one place to others and says why.
type rule struct {
	from string // folder prefix
	not  []string
	why  string
}

var (
	planes = []string{"internal/control", "internal/hosting", "internal/gateway"}
	shared = []string{"internal/platform", "internal/network", "internal/metric", "internal/autoscale", "internal/policy", "internal/csharp", "internal/snapshot", "internal/store"}
)

func rules() []rule {
	var rs []rule
	for _, from := range planes {
		for _, to := range planes {
			if from != to {
				rs = append(rs, rule{from, []string{to}, "planes meet in store and snapshot and never import each other"})
			}
		}
		rs = append(rs, rule{from, []string{"cmd/"}, "cmd knows everybody, nobody knows cmd"})
	}
	for _, from := range append(shared, "internal/arm", "internal/resource", "internal/lro") {
		rs = append(rs, rule{from, append([]string{"cmd/"}, planes...), "what planes share knows no plane"})
	}
	return append(rs,
		rule{"internal/gateway", []string{"internal/store", "internal/resource", "internal/lro"}, "a machine knows snapshots, not documents"},
		rule{"internal/hosting", []string{"internal/resource"}, "hosting reads the status of a service, not its resource type"},
		rule{"internal/platform", []string{"internal/store", "internal/lro", "internal/resource", "internal/snapshot", "internal/policy"}, "the planner is pure"},
		rule{"internal/csharp", []string{"internal/"}, "the expression language could be a module of its own"},
		rule{"internal/arm", []string{"internal/"}, "arm is at the bottom"},
		rule{"internal/snapshot", []string{"internal/"}, "snapshot is a format, readable by anything"},
		rule{"internal/immutable", []string{"internal/"}, "a data structure knows nothing of what it holds"},
	)
}

// TestImports_PointOneWay reads every Go file of the repository, tests left out: a test may build whatever it needs.
func TestImports_PointOneWay(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		checkFile(t, path, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("read %d files, want the whole repository", files)
	}
}

func checkFile(t *testing.T, path, rel string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Errorf("%s: %v", rel, err)
		return
	}
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Errorf("%s: %v", rel, err)
			continue
		}
		to, ours := strings.CutPrefix(imp, module)
		if !ours {
			continue
		}
		for _, r := range rules() {
			if below(rel, r.from) && breaks(to, r) {
				t.Errorf("%s imports %s: %s", rel, to, r.why)
			}
		}
	}
}

// everywhere may be imported by anybody: a data structure that could be a module of its own.
const everywhere = "internal/immutable"

func breaks(to string, r rule) bool {
	if to == everywhere {
		return false
	}
	for _, not := range r.not {
		if below(to, strings.TrimSuffix(not, "/")) && !below(to, r.from) {
			return true
		}
	}
	return false
}

// below reports whether path is folder or inside it.
func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// TestRules_CanFail guards the guard: an import that each rule forbids is seen as breaking it.
func TestRules_CanFail(t *testing.T) {
	t.Parallel()
	for _, r := range rules() {
		if to := strings.TrimSuffix(r.not[0], "/") + "/x"; !breaks(to, r) {
			t.Errorf("rule %s → %s does not catch %s", r.from, r.not[0], to)
		}
	}
}
