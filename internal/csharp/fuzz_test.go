package csharp_test

import (
	"context"
	"errors"
	"flag"
	"path/filepath"
	"reflect"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// seed gives the fuzzer the golden cases and the hostile sources.
func seed(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		for _, c := range readGolden(f, file) {
			f.Add(c.src)
		}
	}
	for _, src := range hostileSources {
		f.Add(src)
	}
}

// FuzzCompile checks what holds for every source, good or bad: no bug of the
// compiler shows, findings stand in the source in its order, and compiling again,
// with marks or with a wanted type, says the same.
func FuzzCompile(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, src string) {
		before := allocated()
		p, errs := csharp.Compile(src, options())
		// A type of ours costs some hundred bytes; a chain of operators makes a tree of several nodes for each.
		if used, most := allocated()-before, 64<<20+int64(len(src))*16<<10; before > 0 && used > most {
			t.Fatalf("%q: compiling %d bytes allocated %d", src, len(src), used)
		}
		findings(t, src, errs)
		again, more := csharp.Compile(src, options())
		if !reflect.DeepEqual(errs, more) {
			t.Fatalf("%q: two compilations differ:\n%v\n%v", src, errs, more)
		}
		if (p == nil) != (errs != nil) || p != nil && p.Type().String() != again.Type().String() {
			t.Fatalf("%q: programs and findings do not fit", src)
		}
		marked(t, src, errs)
		for _, want := range []*csharp.Type{clr.StringType, clr.Boolean, clr.ObjectType} {
			opt := options()
			opt.Result = want
			_, errs := csharp.Compile(src, opt)
			findings(t, src, errs)
		}
	})
}

// findings checks that findings are ours, stand in the source and are in order.
func findings(t *testing.T, src string, errs csharp.Errors) {
	t.Helper()
	lines := strings.Split(src, "\n")
	for i, e := range errs {
		switch {
		case e.Code == "INTERNAL" || e.Code == "" || e.Message == "":
			t.Fatalf("%q: %v", src, e)
		case e.Line < 1 || e.Line > len(lines) || e.Col < 1 || e.Col > len(lines[e.Line-1])+1:
			t.Fatalf("%q: %v stands outside of the source", src, e)
		case e.Snippet != strings.TrimSuffix(lines[e.Line-1], "\r") || e.Caret != e.Col:
			t.Fatalf("%q: %v shows %q, %d", src, e, e.Snippet, e.Caret)
		case i > 0 && (e.Line < errs[i-1].Line || e.Line == errs[i-1].Line && e.Col < errs[i-1].Col):
			t.Fatalf("%q: %v comes after %v", src, e, errs[i-1])
		}
	}
}

// marked checks that @( ) around an expression changes columns only.
func marked(t *testing.T, src string, errs csharp.Errors) {
	t.Helper()
	if trimmed := strings.TrimSpace(src); trimmed == "" || strings.HasPrefix(trimmed, "{") {
		return
	}
	_, got := csharp.CompileMarked("@("+src+")", options())
	if len(got) != len(errs) {
		t.Fatalf("%q: %d findings with marks, %d without:\n%v\n%v", src, len(got), len(errs), got, errs)
	}
	for i, e := range got {
		want := *errs[i]
		if want.Line == 1 {
			want.Col += 2
		}
		if e.Line != want.Line || e.Col != want.Col || e.Code != want.Code || e.Message != want.Message {
			t.Fatalf("%q: with marks %v, want %v", src, e, &want)
		}
	}
}

// FuzzRun checks that whatever compiles runs within its budget to a value, an
// exception or a stop, and to the same one each time.
func FuzzRun(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, src string) {
		p, errs := csharp.Compile(src, options())
		if errs != nil {
			return
		}
		first := bounded(t, src, p)
		if strings.Contains(first, "RegexMatchTimeoutException") || impure(src) {
			return
		}
		if second := bounded(t, src, p); second != first {
			t.Fatalf("%q: gave %q, then %q", src, first, second)
		}
		if again, _ := csharp.Compile(src, options()); bounded(t, src, again) != first {
			t.Fatalf("%q: compiled again it gives another result than %q", src, first)
		}
	})
}

// impure sources may give another result each time.
func impure(src string) bool {
	for _, word := range []string{"Random", "Guid", "Now", "Today", "RNG", "Encrypt", "Sign", "Create", "Hash", "HMAC"} {
		if strings.Contains(src, word) {
			return true
		}
	}
	return false
}

// bounded runs a program with a small budget and gives its result as text.
func bounded(t *testing.T, src string, p *csharp.Program) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	fr := csharp.NewFrame(ctx, newExchange())
	defer fr.Release()
	fr.Budget = csharp.Budget{Steps: 20_000, Memory: 4 << 20}
	before := allocated()
	v, err := p.Run(fr)
	if used := allocated() - before; before > 0 && used > 64<<20 {
		t.Fatalf("%q: allocated %d bytes with a budget of %d", src, used, fr.Budget.Memory)
	}
	if err == nil {
		var s string
		if s, err = fr.Text(p, v); err == nil {
			return p.Type().String() + " " + s
		}
	}
	var bug *csharp.Internal
	if errors.As(err, &bug) || errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%q: %v", src, err)
	}
	return err.Error()
}

// allocated is how much the process has allocated so far. Other tests allocate
// beside this one, so it only says something when fuzzing: 0 otherwise.
func allocated() int64 {
	if w := flag.Lookup("test.fuzzworker"); w == nil || w.Value.String() != "true" {
		return 0
	}
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}
