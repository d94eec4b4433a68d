package demo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes the table, and what to try next.
func (d *demo) print() {
	w := tabwriter.NewWriter(d.opt.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nSTEP\tTOOK\tREQUESTS\tFAILED\tCUT\tRETRIED FAILED\tLONGEST WAIT\tPLATFORM\tVIPS\tMACHINES BY ZONE")
	for _, r := range d.rows {
		cut := "-"
		if r.held > 0 || r.n.Cut > 0 {
			cut = fmt.Sprintf("%d of %d held", r.n.Cut, r.held)
		}
		wait := "-"
		if r.longest > 0 {
			wait = round(r.longest)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%d\t%s\t%s\t%s\t%s\n", r.step, round(r.took), r.n.Done+r.retry.Done, r.n.Failed,
			cut, r.retry.Failed+r.retry.Cut, wait, dash(r.show.Platform), dash(strings.Join(r.show.VIPs, " ")), zones(r.show.Machines))
	}
	_ = w.Flush() // whoever reads the table sees whether it is there
	if d.opt.Keep {
		fmt.Fprintf(d.opt.Out, "\nEverything still runs in %[1]s. Try:\n"+
			"  %[2]s service list --data %[1]s\n"+
			"  %[2]s units bookshop-premium --data %[1]s\n"+
			"  %[2]s down --data %[1]s\n", d.dir, d.opt.Name)
		return
	}
	fmt.Fprintf(d.opt.Out, "\nTry next:\n"+
		"  %[1]s up                              run it here\n"+
		"  %[1]s service create shop             in another terminal: a service of your own\n"+
		"  %[1]s demo --keep                     the same again, left running to look at\n", d.opt.Name)
}

func round(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// zones prints machines by zone: "1:2 2:2 3:2", or just their number where there are none.
func zones(n map[string]int) string {
	var names, parts []string
	for z := range n {
		names = append(names, z)
	}
	slices.Sort(names)
	for _, z := range names {
		if z == "" {
			parts = append(parts, strconv.Itoa(n[z]))
			continue
		}
		parts = append(parts, z+":"+strconv.Itoa(n[z]))
	}
	return dash(strings.Join(parts, " "))
}
