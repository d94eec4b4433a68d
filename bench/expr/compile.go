package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// sources are what compiling is measured with; other engines compile what says
// the same, where they can.
var sources = []struct {
	name string
	src  []string // by engine
	most time.Duration
}{
	{"77 characters", []string{
		`((JObject)context.Variables["body"])["items"]?.Count() > 0 ? "many" : "none!"`,
		`len(Variables["body"]?.items ?? []) > 0 ? "many" : "none"`,
		`size(variables["body"].items) > 0 ? "many" : "none"`,
		`(variables["body"]?.items ?? []).length > 0 ? "many" : "none"`,
	}, 60 * time.Microsecond},
	{"header equals text", []string{cases[0].csharp, cases[0].expr, cases[0].cel, cases[0].goja}, 0},
	{"a block of 8,000 characters", []string{block()}, 2 * time.Millisecond},
}

func block() string {
	var b strings.Builder
	b.WriteString("{ var total = 0; ")
	for b.Len() < 7900 {
		b.WriteString(`if (context.Request.Headers.GetValueOrDefault("X-A", "").Split(',').Length > total) { total += 3 * total - 1; } `)
	}
	b.WriteString("return total; }")
	return b.String()
}

// compileTable prints medians of compiling, one source at a time.
func compileTable(w io.Writer, rounds int, each time.Duration) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "COMPILE, µs")
	for _, e := range engines[:len(engines)-1] {
		fmt.Fprintf(t, "\t%s", e.name)
	}
	fmt.Fprint(t, "\tAIM\n")
	for _, s := range sources {
		fmt.Fprint(t, s.name)
		for i, e := range engines[:len(engines)-1] {
			if i >= len(s.src) {
				fmt.Fprint(t, "\t-")
				continue
			}
			ns, err := compileTime(e, s.src[i], rounds, each)
			if err != nil {
				return fmt.Errorf("%s compiles %s: %w", e.name, s.name, err)
			}
			fmt.Fprintf(t, "\t%.1f", ns/1000)
		}
		aim := "-"
		if s.most > 0 {
			aim = "< " + s.most.String()
		}
		fmt.Fprintf(t, "\t%s\n", aim)
	}
	fmt.Fprintln(t)
	return t.Flush()
}

// compileTime is the median over batches.
func compileTime(e engine, src string, rounds int, each time.Duration) (float64, error) {
	p := prepared{run: func() error { return e.compile(src) }}
	var times []float64
	for range rounds {
		ns, err := p.batch(each)
		if err != nil {
			return 0, err
		}
		times = append(times, ns)
	}
	return median(times), nil
}
