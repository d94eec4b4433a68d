package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/portico-dev/portico/internal/policy"
)

// seeds are the documents of the golden cases, and of the corpus where it is.
func seeds(f *testing.F) []string {
	f.Helper()
	var texts []string
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range files {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, "xml") {
				texts = append(texts, strings.TrimSuffix(string(file.Data), "\n"))
			}
		}
	}
	if _, err := os.Stat(corpusFolder); err == nil {
		for _, file := range corpus(f) {
			texts = append(texts, file.text)
		}
	}
	return texts
}

// FuzzParse reads anything in both formats: nothing panics, every position lies in the text, what was read renders to
// the very text, and a good document means the same in the other format and back.
func FuzzParse(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []policy.Format{policy.XML, policy.RawXML} {
			other := policy.XML
			if format == policy.XML {
				other = policy.RawXML
			}
			doc, findings := read(text, format)
			inText(t, text, findings)
			inText(t, text, doc.Check(policy.CheckOptions{}))
			if got := doc.Text(format); got != text {
				t.Fatalf("%s: rendered as %q", format, got)
			}
			converted := doc.Text(other)
			if len(findings) > 0 {
				continue
			}
			again, findings := policy.Reader{MaxBytes: len(converted)}.ParseSource(policy.NewSource(converted, nil), other, doc.Root.Name)
			if len(findings) > 0 {
				t.Fatalf("%s as %s, %q:\n%s", format, other, converted, findings.Pretty())
			}
			if outline(doc.Root) != outline(again.Root) {
				t.Fatalf("%s as %s, %q:\n%s\n%s", format, other, converted, outline(doc.Root), outline(again.Root))
			}
		}
	})
}

func inText(t *testing.T, text string, findings policy.Findings) {
	t.Helper()
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")
	for _, f := range findings {
		if f.Line < 1 || f.Line > len(lines) || f.Column < 1 || f.Column > len(lines[f.Line-1])+2 {
			t.Fatalf("line %d, column %d is outside of the text: %s", f.Line, f.Column, f.Message)
		}
		if f.Caret < 0 || f.Caret > len([]rune(f.Snippet))+1 {
			t.Fatalf("caret %d of snippet %q", f.Caret, f.Snippet)
		}
	}
}

// FuzzSubstitute replaces anything in anything: references without a value stay, and positions never go back.
func FuzzSubstitute(f *testing.F) {
	f.Add("{{a}} {{b}}\n{{a}}", "x\ny")
	f.Add("{{{{a}}}}{{a", "{{b}}")
	f.Fuzz(func(t *testing.T, text, value string) {
		lookup := func(name string) (string, bool) { return value, name != "b" }
		s := policy.NewSource(text, lookup)
		if out, _ := policy.Substitute(text, lookup); out != s.Text {
			t.Fatalf("%q and %q", out, s.Text)
		}
		if same, _ := policy.Substitute(text, func(name string) (string, bool) { return "{{" + name + "}}", true }); same != text {
			t.Fatalf("replacing references by themselves gives %q", same)
		}
		last := policy.Position{Line: 1, Column: 0}
		for offset := range len(s.Text) {
			at := s.Position(offset)
			if at.Line < last.Line || at.Line == last.Line && at.Column < last.Column {
				t.Fatalf("offset %d of %q is at %v, before %v", offset, s.Text, at, last)
			}
			last = at
		}
	})
}
