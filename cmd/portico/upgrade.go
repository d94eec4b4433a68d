package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

func serviceUpgradeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "upgrade [NAME] --to VERSION | --hardware stv2.1 | --cancel",
		Short: "run a service on another installed version of the gateway, or on newer hardware; no request is lost (Developer on stv1: callers wait)",
		Long: `Replaces the machines of a service by machines of another version of the gateway, or on
the hardware that is named, or both, as its platform walks: one update domain after
another on stv1, in batches of a fifth beside the old ones on stv2. A machine that does
not get healthy undoes all of it. A Consumption service shares its machines: the pool of
its location is upgraded.

With --hardware stv2.1 machines come on the newest hardware of the host (portico up
--newer-cores, --newer-memory), with --hardware stv2 on the first. Only services on stv2
can choose: others are migrated first.

With --all, services are upgraded one after another, and the first that fails
ends it: those after it are not touched. Older versions are fine too. With --hardware
those are meant that are on stv2.

With --cancel, an upgrade of NAME that is under way goes back instead: its machines
are walked to what they were.`,
		Example: "  portico gateway install ./portico-1.3\n  portico service upgrade --all --to 1.3\n  portico service upgrade shop --hardware stv2.1",
		Args:    cobra.MaximumNArgs(1),
	}
	t := targetFlags(cmd)
	to := cmd.Flags().String("to", "", "version of the gateway; `portico gateway list` shows those there are")
	hardware := cmd.Flags().String("hardware", "", "stv2.1 for the newest hardware, stv2 for the first")
	all := cmd.Flags().Bool("all", false, "upgrade every service (with -g, of a resource group)")
	cancel := cmd.Flags().Bool("cancel", false, "give up the upgrade that is under way")
	cmd.MarkFlagsOneRequired("to", "hardware", "cancel")
	cmd.MarkFlagsMutuallyExclusive("to", "cancel")
	cmd.MarkFlagsMutuallyExclusive("hardware", "cancel")
	cmd.MarkFlagsMutuallyExclusive("all", "cancel")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		services, err := t.upgradable(cmd.Context(), c, args, *all)
		if err != nil {
			return err
		}
		if *cancel {
			return cancelUpgrade(cmd, c, services[0])
		}
		if *all && *hardware != "" {
			services = slices.DeleteFunc(services, func(s serviceView) bool { return !strings.HasPrefix(s.Properties.PlatformVersion, "stv2") })
		}
		for i, s := range services {
			if err := upgrade(cmd, c, s, upgradeTo(*to, *hardware)); err != nil {
				if rest := len(services) - i - 1; rest > 0 {
					err = fmt.Errorf("%w (%s not touched)", err, count(rest, "service"))
				}
				return fmt.Errorf("upgrade %s: %w", s.Name, err)
			}
		}
		if !*all {
			return showAgain(cmd.Context(), cmd, t, c, args[0])
		}
		services, err = t.list(cmd.Context(), c)
		if err != nil {
			return err
		}
		return t.printAll(cmd.OutOrStdout(), services)
	}
	return cmd
}

// upgradable are the services that a command line asks for.
func (t serviceTarget) upgradable(ctx context.Context, c *armclient.Client, args []string, all bool) ([]serviceView, error) {
	switch {
	case all && len(args) > 0:
		return nil, errors.New("a NAME and --all do not go together")
	case all:
		return t.list(ctx, c)
	case len(args) == 0:
		return nil, errors.New("NAME is missing; --all upgrades every service")
	}
	s, err := t.find(ctx, c, args[0])
	return []serviceView{s}, err
}

// upgradeTo is what an upgrade is asked for.
func upgradeTo(gateway, hardware string) object {
	to := object{}
	if gateway != "" {
		to["gateway"] = gateway
	}
	if hardware != "" {
		to["hardware"] = hardware
	}
	return to
}

// upgrade moves one service and says so.
func upgrade(cmd *cobra.Command, c *armclient.Client, s serviceView, to object) error {
	path := s.ID + "/providers/Portico.Hosting/upgrade"
	if _, err := run(cmd, c, "upgrade "+s.Name, http.MethodPost, path, cliAPIVersion, to); err != nil {
		return err
	}
	said := ""
	if v := to["gateway"]; v != nil {
		said += fmt.Sprintf("%s runs gateway %s\n", s.Name, v)
	}
	if v := to["hardware"]; v != nil {
		said += fmt.Sprintf("%s is on %s\n", s.Name, v)
	}
	_, err := fmt.Fprint(cmd.ErrOrStderr(), said)
	return err
}

// cancelUpgrade gives up the upgrade of a service and says so. Going back takes a while, for which nobody has to wait.
func cancelUpgrade(cmd *cobra.Command, c *armclient.Client, s serviceView) error {
	if _, err := c.Do(cmd.Context(), http.MethodPost, s.ID+"/providers/Portico.Hosting/cancelUpgrade", cliAPIVersion, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "the upgrade of %s is canceled; it goes back to what it was\n", s.Name)
	return err
}
