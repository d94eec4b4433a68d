package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// tagged says whether a service has a tag, given as NAME or as NAME=VALUE.
func (s serviceView) tagged(tag string) bool {
	name, value, hasValue := strings.Cut(tag, "=")
	for k, v := range s.Tags {
		if strings.EqualFold(k, name) && (!hasValue || v == value) {
			return true
		}
	}
	return false
}

func serviceTagCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tag NAME [KEY=VALUE]...",
		Short: "show, add, change and remove the tags of a service; nothing else of it changes",
		Example: `  portico service tag shop                          (shows them)
  portico service tag shop team=books stage=test    (adds these, and keeps others)
  portico service tag shop --remove stage
  portico service list --tag team=books`,
		Args: cobra.MinimumNArgs(1),
	}
	t := targetFlags(cmd)
	remove := cmd.Flags().StringSlice("remove", nil, "names of tags to remove")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		add, gone := object{}, object{}
		for _, pair := range args[1:] {
			name, value, ok := strings.Cut(pair, "=")
			if !ok || name == "" {
				return fmt.Errorf("%q is not KEY=VALUE", pair)
			}
			add[name] = value
		}
		for _, name := range *remove {
			gone[name] = ""
		}
		c, s, err := t.open(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		const apiVersion = "2022-09-01"
		path := s.ID + "/providers/Microsoft.Resources/tags/default"
		for _, x := range []struct {
			operation string
			tags      object
		}{{"Delete", gone}, {"Merge", add}} {
			if len(x.tags) == 0 {
				continue
			}
			if _, err := c.Do(cmd.Context(), http.MethodPatch, path, apiVersion, object{"operation": x.operation, "properties": object{"tags": x.tags}}); err != nil {
				return err
			}
		}
		if s, err = t.find(cmd.Context(), c, s.Name); err != nil {
			return err
		}
		if *t.output == "json" {
			return printJSON(cmd.OutOrStdout(), s.Tags)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "TAG\tVALUE")
		for _, name := range slices.Sorted(maps.Keys(s.Tags)) {
			fmt.Fprintf(w, "%s\t%s\n", name, s.Tags[name])
		}
		return w.Flush()
	}
	return cmd
}
