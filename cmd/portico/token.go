package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "print a bearer token of the administrator",
		Example: `  curl -H "Authorization: Bearer $(portico token)" \
    "http://127.0.0.1:8480/subscriptions?api-version=2022-12-01"`,
		Args: takes(),
	}
	dir := dataFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*dir)
		if err != nil {
			return err
		}
		token, err := c.Token(cmd.Context())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
		return err
	}
	return cmd
}
