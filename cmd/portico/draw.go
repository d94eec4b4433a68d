package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/platform"
)

// glyphs are what a machine is drawn as, and what that means.
var glyphs = []struct{ glyph, meaning string }{
	{"■", "serving"}, {"□", "parked"}, {"▽", "draining"}, {"z", "asleep"}, {"·", "not ready"}, {"×", "not running"},
}

// glyph is what a machine is drawn as.
func glyph(m hosting.UnitMachine) string {
	switch {
	case m.Phase == platform.Exited || m.Phase == "":
		return "×"
	case m.Mode == platform.Draining || m.Phase == platform.Stopping:
		return "▽"
	case m.Phase == platform.Asleep:
		return "z"
	case m.Phase != platform.Ready:
		return "·"
	case m.Mode == platform.Parked:
		return "□"
	}
	return "■"
}

// drawSets draws the machines of each set: a row for each zone, or for each update domain where there are no zones.
func drawSets(out io.Writer, sets []hosting.UnitSet, down []string) {
	used := map[string]bool{}
	for _, s := range sets {
		if len(s.Machines) == 0 {
			continue
		}
		fmt.Fprintf(out, "  set %s, %s%s\n", s.ID, s.Platform, describeSet(s))
		rows, labels := setRows(s)
		for _, label := range labels {
			var line strings.Builder
			for _, m := range rows[label] {
				line.WriteString(" " + glyph(m))
				used[glyph(m)] = true
			}
			dark := ""
			if zone, ok := strings.CutPrefix(label, "zone "); ok && slices.Contains(down, zone) {
				dark = "  switched off"
			}
			fmt.Fprintf(out, "    %-15s │%s%s%s\n", label, line.String(), loadOf(rows[label]), dark)
		}
	}
	var legend strings.Builder
	for _, g := range glyphs {
		if used[g.glyph] {
			legend.WriteString("  " + g.glyph + " " + g.meaning)
		}
	}
	if legend.String() != "" {
		fmt.Fprintf(out, "    %-15s  %s\n", "", strings.TrimSpace(legend.String()))
	}
}

// loadOf draws the load of the machines of a row, each as one sign of eight, or none while it is not known.
func loadOf(machines []hosting.UnitMachine) string {
	var line strings.Builder
	for _, m := range machines {
		sign := " "
		if m.Load != nil {
			sign = level(m.Capacity)
		}
		line.WriteString(" " + sign)
	}
	if signs := strings.TrimRight(line.String(), " "); signs != "" {
		return "  load" + signs
	}
	return ""
}

// level draws a percentage.
func level(percent int) string {
	signs := []rune("▁▂▃▄▅▆▇█")
	return string(signs[min(max(percent, 0)*len(signs)/100, len(signs)-1)])
}

func describeSet(s hosting.UnitSet) string {
	text := ""
	if s.Active {
		text += ", names lead to it"
	}
	if s.Shared {
		text += ", shared"
	}
	return text
}

// setRows are the machines of a set by zone or update domain, with the labels of the rows in their order.
func setRows(s hosting.UnitSet) (rows map[string][]hosting.UnitMachine, labels []string) {
	rows = map[string][]hosting.UnitMachine{}
	machines := slices.SortedFunc(slices.Values(s.Machines), func(a, b hosting.UnitMachine) int { return a.Slot - b.Slot })
	for _, m := range machines {
		label := "zone " + m.Zone
		switch {
		case m.Zone != "":
		case s.Platform == platform.STv1:
			label = fmt.Sprintf("update domain %d", m.UpdateDomain)
		default:
			label = "no zone"
		}
		if rows[label] == nil {
			labels = append(labels, label)
		}
		rows[label] = append(rows[label], m)
	}
	slices.Sort(labels)
	return rows, labels
}
