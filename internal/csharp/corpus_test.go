package csharp_test

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
)

const corpusDir = "../../../shared/corpus"

// damaged names the documents of the corpus whose expressions do not compile,
// with the finding that must come first and its code.
var damaged = map[string]string{
	"Call out to an HTTP endpoint and cache the response.policy.xml":  "",
	"Loopback request for service at same API Management service.xml": "",
	"GET a file from blobStorage account.xml":                         "CS1955",
	"PUT a file to blobStorage account.xml":                           "CS1955",
	"DELETE a from to blobStorage account.xml":                        "CS1955",
}

// TestCorpus compiles every expression of the corpus. Those of damaged documents
// may be refused; all others must compile.
func TestCorpus(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(corpusDir); err != nil {
		t.Skip("the corpus is not there: ", err)
	}
	total, good, refused := 0, 0, 0
	err := filepath.Walk(corpusDir, func(path string, info os.FileInfo, err error) error {
		if err != nil || !strings.HasSuffix(path, ".xml") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		code, isDamaged := damaged[filepath.Base(path)]
		for _, src := range extract(string(data)) {
			total++
			_, errs := csharp.CompileMarked(src, csharp.Options{Types: apim.Universe(), Context: apim.ContextType()})
			switch {
			case len(errs) == 0:
				good++
			case isDamaged && (code == "" || code == errs[0].Code):
				refused++
				t.Logf("refused in %s: %s\n\t%v", filepath.Base(path), src, errs)
			default:
				t.Errorf("%s: %s\n%v", filepath.Base(path), src, errs)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("expressions: %d, compiled: %d, refused: %d", total, good, refused)
}

// namedValue is replaced by a text that is a number too, since named values stand
// for numbers as well as inside strings.
var namedValue = regexp.MustCompile(`\{\{[\w.-]+\}\}`)

// extract finds the expressions of a document by their brackets. Strings, chars
// and comments are passed over.
func extract(doc string) []string {
	var out []string
	for i := 0; i+1 < len(doc); i++ {
		if doc[i] != '@' || doc[i+1] != '(' && doc[i+1] != '{' {
			continue
		}
		end := closing(doc, i+1)
		if end < 0 {
			continue
		}
		src := doc[i : end+1]
		if strings.Contains(src, "&lt;") || strings.Contains(src, "&quot;") || strings.Contains(src, "&amp;") || strings.Contains(src, "&gt;") {
			src = html.UnescapeString(src)
		}
		src = namedValue.ReplaceAllString(src, "1")
		out = append(out, src)
		i = end
	}
	return out
}

func closing(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch c := s[i]; c {
		case '(', '{', '[':
			depth++
		case ')', '}', ']':
			depth--
			if depth == 0 {
				return i
			}
		case '\'':
			if i+2 < len(s) && s[i+1] == '\\' {
				i += 3
			} else if i+2 < len(s) && s[i+2] == '\'' {
				i += 2
			}
		case '"':
			verbatim := s[i-1] == '@' || s[i-1] == '$' && s[i-2] == '@'
			interp := s[i-1] == '$' || s[i-1] == '@' && s[i-2] == '$'
			i = skipString(s, i, verbatim, interp)
		case '/':
			if i+1 < len(s) && s[i+1] == '/' && s[i-1] != ':' {
				for i < len(s) && s[i] != '\n' {
					i++
				}
			} else if i+1 < len(s) && s[i+1] == '*' {
				if j := strings.Index(s[i:], "*/"); j > 0 {
					i += j + 1
				}
			}
		}
	}
	return -1
}

func skipString(s string, i int, verbatim, interp bool) int {
	for i++; i < len(s); i++ {
		switch {
		case s[i] == '\\' && !verbatim:
			i++
		case s[i] == '"' && verbatim && i+1 < len(s) && s[i+1] == '"':
			i++
		case s[i] == '"':
			return i
		case interp && s[i] == '{' && i+1 < len(s) && s[i+1] == '{':
			i++
		case interp && s[i] == '{':
			if end := closing(s, i); end > 0 {
				i = end
			}
		}
	}
	return i
}
