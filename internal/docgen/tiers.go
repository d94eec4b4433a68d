package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/platform"
)

// tiers is the page of tiers: what each is made of, and what a service of it may hold.
func tiers(p *proofs) []byte {
	var b bytes.Buffer
	b.WriteString("# Tiers\n\n" + mark)
	fmt.Fprintf(&b, "What a unit of a tier is made of, and what services of it may have.\nProof: %s, %s.\n\n",
		p.cite("tiers", "TestDecide_Accepts"), p.cite("tiers", "TestDecide_Refuses"))
	b.WriteString("| tier | since | units | machines a unit | scaled | platforms | zones | networks | private endpoints | locations | may change to |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	all := platform.Tiers()
	for _, f := range all {
		units := fmt.Sprintf("%d to %d", f.MinUnits, f.MaxUnits)
		if f.MinUnits == f.MaxUnits {
			units = fmt.Sprint(f.MinUnits)
		}
		machines := fmt.Sprint(f.Machines)
		if f.Machines == 0 {
			machines = "shared"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", f.Tier, dash(string(f.From)), units, machines, strings.ToLower(f.Scale),
			words(f.Platforms), yes(f.Zones), yes(f.VNet), yes(f.Endpoints), yes(f.Regions), dash(words(f.ChangesTo)))
	}
	for _, era := range platform.Eras() {
		if era != platform.Unlimited {
			limits(p, &b, era, all)
		}
	}
	return b.Bytes()
}

// limits is the table of an era; a type without a limit in any tier is left out.
func limits(p *proofs, b *bytes.Buffer, era platform.Era, all []platform.Facts) {
	fmt.Fprintf(b, "\n## Limits with `--limits %s`\n\nProof: %s, %s.\n\n| |", era, p.cite("limits", "TestEra_Limit"), p.cite("limits", "TestLimits_OfEras"))
	for _, f := range all {
		fmt.Fprintf(b, " %s |", f.Tier)
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(all)+1) + "\n")
	for _, path := range platform.LimitedTypes() {
		row(b, "`"+path+"`", all, func(t platform.Tier) int { return era.Limit(t, path) })
	}
	row(b, "services of an Azure subscription", all, era.Services)
	row(b, "tags of the service", all, func(platform.Tier) int { return era.ServiceTags() })
	row(b, "bytes of a policy", all, era.Policy)
	row(b, "bytes of a policy fragment", all, func(platform.Tier) int { return era.Fragment() })
}

func row(b *bytes.Buffer, what string, all []platform.Facts, limit func(platform.Tier) int) {
	line, some := "| "+what+" |", false
	for _, f := range all {
		cell := "-"
		if n := limit(f.Tier); n > 0 {
			cell, some = fmt.Sprint(n), true
		}
		line += " " + cell + " |"
	}
	if some {
		b.WriteString(line + "\n")
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "-"
}
