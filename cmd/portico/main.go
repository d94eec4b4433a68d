// Portico hosts API Management services: `portico up` runs the control plane on this host, which starts the agent, the
// edge and the gateways; the other commands talk to it over ARM. Each subcommand has a file of its own. This is the
// only place that knows every package.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker; a plain `go build` says what the module information knows.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil {
		if !errors.Is(err, errSaid) {
			complain(os.Stderr, err)
		}
		os.Exit(1)
	}
}

// errSaid ends a command unsuccessfully that has already told why.
var errSaid = errors.New("said")

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "portico",
		Short: "API Management that anyone can host",
		Long: `Portico is API Management that anyone can host: a control plane that speaks Azure
Resource Manager, gateways that run policy documents, and the platform that
hosts, scales, heals and migrates them.

Try:
  portico demo            host a service, migrate and scale it under load, see a table
  portico up              run Portico here; Ctrl-C stops all of it
  portico service list    what is hosted, and on which platform`,
		Version:       buildVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.SetFlagErrorFunc(flagHint)
	cmd.SetVersionTemplate("{{.Version}}\n")
	for _, g := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Run Portico:", []*cobra.Command{upCommand(), downCommand(), restartCommand(), upgradeCommand(), configCommand(), demoCommand(), tokenCommand(), versionCommand()}},
		{"Services and what is in them:", []*cobra.Command{
			serviceCommand(), autoscaleCommand(), apiCommand(), domainCommand(), certificateCommand(), authorityCommand(), regionCommand(), networkCommand(), identityCommand(), lockCommand(),
		}},
		{"See and operate the platform:", []*cobra.Command{
			unitsCommand(), operationsCommand(), activityCommand(), gatewayCommand(), zoneCommand(), machineCommand(), clockCommand(),
		}},
		{"Try things:", []*cobra.Command{exprCommand(), bookshopCommand()}},
	} {
		cmd.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.title
			cmd.AddCommand(c)
		}
	}
	cmd.AddCommand(hostCommand(), edgeCommand())
	return cmd
}

// dataFlag adds --data, the folder of the Portico that a command is about.
func dataFlag(cmd *cobra.Command) *string {
	dir := os.Getenv("PORTICO_DATA")
	if dir == "" {
		dir = "./portico-data"
	}
	return cmd.Flags().String("data", dir, "folder of the Portico to talk to (environment: PORTICO_DATA)")
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), buildVersion())
			return err
		},
	}
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
