package policy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/policy"
)

// The corpus of real documents lies beside the repository and is not part of it.
const corpusFolder = "../../../shared/corpus"

// A real document of the corpus.
type corpusFile struct{ name, text string }

func corpus(t testing.TB) []corpusFile {
	t.Helper()
	if _, err := os.Stat(corpusFolder); err != nil {
		t.Skip("the corpus of real policy documents is not here: ", corpusFolder)
	}
	var files []corpusFile
	err := filepath.WalkDir(corpusFolder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(corpusFolder, path)
		files = append(files, corpusFile{name: filepath.ToSlash(name), text: string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// read parses a corpus document, whichever root it has.
func read(text string, f policy.Format) (*policy.Document, policy.Findings) {
	if strings.Contains(text, "<fragment") {
		return policy.ParseFragment(text, f)
	}
	return policy.Parse(text, f)
}

// damaged documents of the corpus, with the reason they do not parse.
var damaged = map[string]string{
	"policy-snippets/examples/Call out to an HTTP endpoint and cache the response.policy.xml": "an XML formatter split attributes inside an expression",
}

func TestCorpus_ReadsAndRenders(t *testing.T) {
	t.Parallel()
	good, expressions := 0, 0
	for _, file := range corpus(t) {
		doc, findings := read(file.text, policy.RawXML)
		if got := doc.Text(policy.RawXML); got != file.text {
			t.Errorf("%s: rendered text differs:\n%s", file.name, cmp.Diff(file.text, got))
		}
		if reason, bad := damaged[file.name]; bad {
			if len(findings) == 0 {
				t.Errorf("%s: no findings, although %s", file.name, reason)
			}
			t.Logf("%s: %s:\n%s", file.name, reason, findings.Pretty())
			continue
		}
		if len(findings) > 0 {
			t.Errorf("%s:\n%s", file.name, findings.Pretty())
			continue
		}
		good++
		want := outline(doc.Root)
		expressions += strings.Count(want, "@expr ")

		escaped, findings := read(doc.Text(policy.XML), policy.XML)
		if len(findings) > 0 {
			t.Errorf("%s as xml:\n%s", file.name, findings.Pretty())
			continue
		}
		if diff := cmp.Diff(want, outline(escaped.Root)); diff != "" {
			t.Errorf("%s as xml: %s", file.name, diff)
		}
		back, findings := read(escaped.Text(policy.RawXML), policy.RawXML)
		if diff := cmp.Diff(want, outline(back.Root)); diff != "" || len(findings) > 0 {
			t.Errorf("%s back as rawxml: %s %s", file.name, diff, findings.Pretty())
		}
	}
	t.Logf("%d documents read, %d expressions, %d damaged", good, expressions, len(damaged))
}

// outline writes a tree without its positions.
func outline(s *policy.Statement) string {
	var b strings.Builder
	writeOutline(&b, s, "")
	return b.String()
}

func writeOutline(b *strings.Builder, s *policy.Statement, indent string) {
	if s == nil {
		return
	}
	b.WriteString(indent + s.Name + " path=" + s.Path + "\n")
	for _, a := range s.Attrs {
		writeValue(b, indent+"  "+a.Name+"=", a.Value, a.Expr)
	}
	if s.Text != "" {
		writeValue(b, indent+"  text=", s.Text, s.TextExpr)
	}
	for _, c := range s.Children {
		writeOutline(b, c, indent+"  ")
	}
}

func writeValue(b *strings.Builder, label, value string, e *policy.Expression) {
	if e != nil {
		b.WriteString(label + "@expr " + e.Source + "\n")
		return
	}
	b.WriteString(label + value + "\n")
}
