package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/demo"
)

func demoCommand() *cobra.Command {
	opt := demo.Options{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "host a bookshop; migrate, scale, kill and restart under load; print one table",
		Long: `Runs Portico on a temporary folder with a small bookshop behind it, keeps requests
going through the gateways, and meanwhile edits a policy, migrates two services
from stv1 to stv2 (one keeps its address, one gets a new one), scales a third,
kills a machine and restarts the control plane. Prints one table and exits 0 only
if no request failed. Takes about a minute.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			opt.Exe, opt.Name, opt.Out, opt.Talk = exe, self(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return demo.Run(cmd.Context(), opt)
		},
	}
	cmd.Flags().BoolVar(&opt.Keep, "keep", false, "leave everything running at the end and say where")
	cmd.Flags().Float64Var(&opt.Rate, "rate", 800, "requests per second")
	return cmd
}
