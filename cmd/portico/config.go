package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/portico-dev/portico/internal/config"
)

// settingFlags adds a flag for every setting, and --config for a file of them.
func settingFlags(cmd *cobra.Command) {
	for _, s := range config.Settings() {
		cmd.Flags().String(s.Key, s.Default, s.Help)
	}
	cmd.Flags().String("config", "", "`file` with settings, one a line, as in \"edge: 127.0.0.1:8080\"")
}

// settings decides every setting of a command that has settingFlags.
func settings(cmd *cobra.Command) (config.Up, []config.Value, error) {
	given := map[string]string{}
	cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
	file := given["config"]
	delete(given, "config")
	return config.Load(given, os.LookupEnv, file)
}

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "print every setting of `portico up` and where it comes from",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, values, err := settings(cmd)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
			for _, v := range values {
				fmt.Fprintf(w, "%s\t%s\t%s\n", v.Key, v.Value, v.Source)
			}
			return w.Flush()
		},
	}
	settingFlags(cmd)
	return cmd
}
