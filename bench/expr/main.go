// Expr compares policy expressions with other expression engines for Go, and with
// plain Go, on the same logic and the same values in the same run. It is a module
// of its own, so that the product does not depend on those engines: go run .
//
// Every engine compiles once and is measured in turn, many rounds long, so that
// what else the machine does falls on all; the table has the medians of the CPU
// time that the whole process took, its garbage collector included. Results are
// compared before anything is timed.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 15, "rounds; the table has their medians")
	each := flag.Duration("each", 20*time.Millisecond, "time of one measurement")
	flag.Parse()
	if err := run(os.Stdout, *rounds, *each); err != nil {
		fmt.Fprintln(os.Stderr, "expr:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, rounds int, each time.Duration) error {
	if err := compileTable(w, rounds, each); err != nil {
		return err
	}
	var misses []string
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "RUN, ns\tPORTICO\tALLOCS")
	for _, e := range engines[1:] {
		fmt.Fprintf(t, "\t%s\tALLOCS", e.name)
	}
	fmt.Fprint(t, "\tFASTEST/PORTICO\tPORTICO/GO\tAIM\n")
	for i := range cases {
		c := &cases[i]
		results, err := c.measure(rounds, each)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		misses = append(misses, c.print(t, results)...)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, m := range misses {
		fmt.Fprintln(w, "MISS", m)
	}
	return nil
}

// measured is what one engine took for one case.
type measured struct {
	ns     float64 // median; 0 when the engine has no such case
	allocs float64
}

// measure runs all engines in turn, after it has seen that their results agree.
func (c *sample) measure(rounds int, each time.Duration) ([]measured, error) {
	runs := make([]*prepared, len(engines))
	var want string
	for i, e := range engines {
		p, err := e.prepare(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		if p == nil {
			continue
		}
		got, err := p.text(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		if i == 0 {
			want = got
		} else if got != want {
			return nil, fmt.Errorf("%s gives %s, %s gives %s", e.name, got, engines[0].name, want)
		}
		runs[i] = p
	}
	out := make([]measured, len(engines))
	times := make([][]float64, len(engines))
	for range rounds {
		for i, p := range runs {
			if p == nil {
				continue
			}
			ns, err := p.batch(each)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", engines[i].name, err)
			}
			times[i] = append(times[i], ns)
		}
	}
	for i, p := range runs {
		if p != nil {
			out[i] = measured{median(times[i]), testing.AllocsPerRun(100, func() { _ = p.run() })}
		}
	}
	return out, nil
}

// burst is how many runs there are between two looks at the clock.
const burst = 16

// batch runs for a while and gives the CPU time of one run in ns.
func (p *prepared) batch(each time.Duration) (float64, error) {
	n, begin, cpu := 0, time.Now(), cpuTime()
	for time.Since(begin) < each {
		for range burst {
			if err := p.run(); err != nil {
				return 0, err
			}
		}
		n += burst
	}
	return float64(cpuTime()-cpu) / float64(n), nil
}

// cpuTime is the CPU time of all threads of this process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// print writes a row and gives what it misses.
func (c *sample) print(w io.Writer, rs []measured) (misses []string) {
	fmt.Fprint(w, c.name)
	fastest, by := 0.0, ""
	for i, r := range rs {
		if r.ns == 0 {
			fmt.Fprint(w, "\t-\t-")
			continue
		}
		fmt.Fprintf(w, "\t%.1f\t%.0f", r.ns, r.allocs)
		if i > 0 && i < len(rs)-1 && (by == "" || r.ns < fastest) {
			fastest, by = r.ns, engines[i].name
		}
	}
	own, plain := rs[0], rs[len(rs)-1]
	fmt.Fprintf(w, "\t%.2f\t%.1f\t%s\n", fastest/own.ns, own.ns/plain.ns, c.aim())
	miss := func(format string, args ...any) {
		misses = append(misses, c.name+": "+fmt.Sprintf(format, args...)+"; "+c.why)
	}
	if own.ns > fastest {
		miss("%.1f ns, %s takes %.1f ns", own.ns, by, fastest)
	}
	if c.most > 0 && own.ns >= c.most {
		miss("%.1f ns, the aim is less than %.0f ns", own.ns, c.most)
	}
	if c.most > 0 && own.allocs > 0 {
		miss("%.0f allocations, the aim is none", own.allocs)
	}
	if c.simple && own.ns > 5*plain.ns {
		miss("%.1f times plain Go, the aim is 5", own.ns/plain.ns)
	}
	return misses
}

func (c *sample) aim() string {
	switch {
	case c.most > 0:
		return fmt.Sprintf("< %.0f ns, no allocation, <= 5 times Go", c.most)
	case c.simple:
		return "<= fastest, <= 5 times Go"
	}
	return "<= fastest"
}
