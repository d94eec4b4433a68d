package csharp_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/apim/fixed"
)

// TestGolden runs testdata/*.txtar. A section "-- name --" holds cases, one a
// line or several lines ended by the line with the arrow:
//
//	source ==> text of the value, as ToString gives it
//	source =!> Type: message of the exception
//	source =?> code at line:col, of the first finding of the compiler
//	source =?> code at line:col: message
//	source =?> code at line:col: message | code at line:col: message, of all findings
//
// A section whose name ends in "(derived)" holds values that were derived from
// the documentation and not known from .NET itself. \n, \r, \t and \\ may stand
// in expected texts. The section "-- context.json --" is the context object of
// the cases behind it, as package fixed reads it; without one it is an exchange.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files: ", err)
	}
	total := 0
	for _, file := range files {
		cases := readGolden(t, file)
		total += len(cases)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			for _, c := range cases {
				if got := c.run(); got != c.want {
					t.Errorf("%s:%d: %s\n got %q\nwant %q", filepath.Base(file), c.line, c.src, got, c.want)
				}
			}
		})
	}
	t.Logf("golden cases: %d", total)
}

type goldenCase struct {
	line      int
	src, want string
	host      func() any
}

// contextSection is the name of the section with the context object.
const contextSection = "-- context.json --"

func readGolden(t testing.TB, file string) []goldenCase {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, host := cutContext(t, file, string(data))
	var out []goldenCase
	var src []string
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --") || strings.HasPrefix(line, "#") && len(src) == 0 || line == "" && len(src) == 0 {
			continue
		}
		arrow := ""
		at := -1
		for _, a := range []string{" ==> ", " =!> ", " =?> "} {
			if j := strings.LastIndex(line+" ", a); j >= 0 && j > at {
				arrow, at = strings.TrimSpace(a), j
			}
		}
		if at < 0 {
			src = append(src, line)
			continue
		}
		want := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r", `\t`, "\t").Replace(line[min(at+5, len(line)):])
		src = append(src, line[:at])
		out = append(out, goldenCase{i + 1, strings.Join(src, "\n"), arrow + " " + want, host})
		src = nil
	}
	if len(src) > 0 {
		t.Errorf("%s: case without result: %s", file, strings.Join(src, "\n"))
	}
	return out
}

// cutContext takes the context object from a file; its lines stay, empty.
func cutContext(t testing.TB, file, text string) (rest string, host func() any) {
	t.Helper()
	before, section, found := strings.Cut(text, contextSection)
	if !found {
		return text, func() any { return newExchange() }
	}
	section, after, _ := strings.Cut(section, "\n-- ")
	spec, err := fixed.Parse([]byte(section))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	c, err := fixed.New(spec)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return before + strings.Repeat("\n", strings.Count(section, "\n")+1) + "-- " + after, func() any { return c }
}

func (c *goldenCase) run() string {
	p, errs := csharp.Compile(c.src, csharp.Options{Types: apim.Universe(), Context: apim.ContextType()})
	if errs != nil && strings.Contains(c.want, " | ") {
		all := make([]string, len(errs))
		for i, e := range errs {
			all[i] = e.Code + " at " + itoa(e.Line) + ":" + itoa(e.Col) + ": " + e.Message
		}
		return "=?> " + strings.Join(all, " | ")
	}
	if errs != nil {
		e := errs[0]
		at := " at " + itoa(e.Line) + ":" + itoa(e.Col)
		if strings.HasSuffix(c.want, at) {
			return "=?> " + e.Code + at
		}
		if !strings.Contains(c.want, " at ") && strings.HasPrefix(c.want, "=?> "+e.Code) {
			if strings.Contains(c.want, ":") {
				return "=?> " + e.Code + ": " + e.Message
			}
			return "=?> " + e.Code
		}
		return "=?> " + e.Code + at + ": " + e.Message
	}
	f := csharp.NewFrame(context.Background(), c.host())
	defer f.Release()
	v, err := p.Run(f)
	if ex, ok := errors.AsType[*csharp.Exception](err); ok {
		return "=!> " + ex.Type.Name + ": " + ex.Message
	}
	if err != nil {
		return "=!> " + err.Error()
	}
	if v.IsNull() {
		return "==> null"
	}
	s, err := f.Text(p, v)
	if err != nil {
		return "=!> " + err.Error()
	}
	return "==> " + s
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}
