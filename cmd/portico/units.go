package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/platform"
)

func unitsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "units NAME",
		Short: "draw the machines of a service by location, zone and domain, with state, version, digest and load",
		Args:  takes("NAME"),
	}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var u hosting.Units
		s, err := t.read(cmd.Context(), args[0], "units", &u)
		if err != nil {
			return err
		}
		if *t.output == "json" {
			return printJSON(cmd.OutOrStdout(), u)
		}
		return printUnits(cmd.OutOrStdout(), s.Name, u)
	}
	return cmd
}

func printUnits(out io.Writer, name string, u hosting.Units) error {
	for _, l := range u.Locations {
		fmt.Fprintf(out, "%s in %s: %s, %s with %s, %s\n", name, l.Location, l.PlatformVersion, l.Tier, count(l.Units, "unit"), locationText(u, l))
		for _, v := range l.VIPs {
			fmt.Fprintf(out, "  VIP %s is answered by %s\n", v.Address, dash(strings.Join(v.Accepting, " and ")))
		}
		if l.Coexistence != nil {
			fmt.Fprintf(out, "  set %s is kept until %s\n", l.Coexistence.Set, l.Coexistence.Until.Local().Format("15:04:05"))
		}
		drawSets(out, l.Sets, u.DownZones)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  SET\tPLATFORM\tMACHINE\tGATEWAY\tZONE\tUPDATE DOMAIN\tFAULT DOMAIN\tMODE\tPHASE\tSEQ\tDIGEST\tCONNECTIONS\tLOAD\tRESTARTS\tPID")
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%d\t%s\t%d\t%s\t%d\t%d\n", s.ID, machinePlatform(s, m), m.ID, gatewayText(m), dash(m.Zone),
					m.UpdateDomain, m.FaultDomain, m.Mode, phaseText(m), m.Seq, dash(m.Digest[:min(8, len(m.Digest))]), m.Conns, loadText(m), m.Restarts, m.PID)
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				printTrouble(out, m)
			}
		}
	}
	return nil
}

// locationText is how a location is: as the service is, where nothing else is to be said of it.
func locationText(u hosting.Units, l hosting.UnitLocation) string {
	switch {
	case l.Leaving && u.ProvisioningState != "Terminating":
		return u.ProvisioningState + ", about to go"
	case l.Disabled:
		return u.ProvisioningState + ", out of rotation"
	}
	return u.ProvisioningState
}

// machinePlatform is the platform version of a machine, with its generation: those of a set differ while it is moved.
func machinePlatform(s hosting.UnitSet, m hosting.UnitMachine) platform.Version {
	if m.Hardware.Newer() {
		return platform.NewerSTv2
	}
	return s.Platform
}

func phaseText(m hosting.UnitMachine) string {
	if m.CrashLoop {
		return "crash loop"
	}
	return dash(string(m.Phase))
}

// loadText is the load of a machine, with what makes it up.
func loadText(m hosting.UnitMachine) string {
	if m.Load == nil {
		return "-"
	}
	return fmt.Sprintf("%d %% (cpu %d, memory %d, queue %d)", m.Capacity, m.Load.CPU, m.Load.Memory, m.Load.Queue)
}

// gatewayText is the version that a machine is listed with, and the one that it runs where that is another.
func gatewayText(m hosting.UnitMachine) string {
	if m.Runs != "" && m.Gateway != "" && m.Runs != m.Gateway {
		return m.Gateway + " (runs " + m.Runs + ")"
	}
	return dash(m.Gateway)
}

// printTrouble says why a machine last ended or what it refuses, and when it is started again.
func printTrouble(out io.Writer, m hosting.UnitMachine) {
	if m.Refused != "" {
		fmt.Fprintf(out, "  machine %s cannot serve %s\n", m.ID, m.Refused)
	}
	if m.Error == "" {
		return
	}
	fmt.Fprintf(out, "  machine %s: %s", m.ID, m.Error)
	if !m.NextStart.IsZero() {
		fmt.Fprintf(out, "; starts again at %s", m.NextStart.Local().Format("15:04:05"))
	}
	fmt.Fprintln(out)
}
