package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

const locksAPIVersion = "2020-05-01"

// A lockView is what commands show of a lock.
type lockView struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Properties struct {
		Level string `json:"level"`
		Notes string `json:"notes,omitempty"`
	} `json:"properties"`
}

const locksBelow = "/providers/Microsoft.Authorization/locks"

// of is the scope that a lock is of.
func (l lockView) of() string { return l.ID[:max(0, strings.LastIndex(l.ID, locksBelow))] }

// scopeFlags say what a command is about: a service, a resource group, any resource, or everything.
type scopeFlags struct {
	serviceTarget
	service, resource *string
}

func addScopeFlags(cmd *cobra.Command) scopeFlags {
	f := scopeFlags{
		serviceTarget: targetFlags(cmd),
		service:       cmd.Flags().String("service", "", "a service"),
		resource:      cmd.Flags().String("resource", "", "the resource `ID` of anything else"),
	}
	cmd.MarkFlagsMutuallyExclusive("service", "resource")
	return f
}

// scope is the ID of what the flags name.
func (f scopeFlags) scope(ctx context.Context, c *armclient.Client) (string, error) {
	switch {
	case *f.resource != "":
		return strings.TrimRight(*f.resource, "/"), nil
	case *f.service != "":
		s, err := f.find(ctx, c, *f.service)
		return s.ID, err
	case *f.group != "":
		return c.Subscription() + "/resourceGroups/" + *f.group, nil
	}
	return c.Subscription(), nil
}

var namespaces = regexp.MustCompile(`providers/Microsoft\.\w+/`)

// shortID is a resource ID as people call the thing.
func shortID(c *armclient.Client, id string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(id, c.Subscription()), "/")
	rest = namespaces.ReplaceAllString(strings.TrimPrefix(rest, "resourceGroups/"), "")
	return cmp.Or(rest, "everything")
}

func lockCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "lock", Short: "keep services and other resources from being changed or deleted"})
	cmd.AddCommand(lockCreateCommand(), lockListCommand(), lockDeleteCommand())
	return cmd
}

func lockCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "lock a service, a resource group, any resource, or everything",
		Long: `Locks what the flags name, and all that is below it; without a flag, everything. A
lock of the level CanNotDelete refuses deletions, one of the level ReadOnly every
change. Gateways go on serving. A lock of the same name is replaced.`,
		Example: `  portico lock create keep --service shop --notes "the shop is open"
  portico lock create frozen -g shops --level ReadOnly`,
		Args: takes("NAME"),
	}
	f := addScopeFlags(cmd)
	level := cmd.Flags().String("level", "CanNotDelete", "CanNotDelete or ReadOnly")
	notes := cmd.Flags().String("notes", "", "why, for people")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*f.dir)
		if err != nil {
			return err
		}
		scope, err := f.scope(cmd.Context(), c)
		if err != nil {
			return err
		}
		res, err := c.Do(cmd.Context(), http.MethodPut, scope+locksBelow+"/"+args[0], locksAPIVersion, object{"properties": object{"level": *level, "notes": *notes}})
		if err != nil {
			return err
		}
		var l lockView
		if err := res.Decode(&l); err != nil {
			return err
		}
		return printLocks(cmd, f.output, c, []lockView{l})
	}
	return cmd
}

func lockListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "list the locks of what the flags name, those above and below it included",
		Example: "  portico lock list\n  portico lock list --service shop",
		Args:    takes(),
	}
	f := addScopeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*f.dir)
		if err != nil {
			return err
		}
		scope, err := f.scope(cmd.Context(), c)
		if err != nil {
			return err
		}
		all, err := listAll[lockView](cmd.Context(), c, scope+locksBelow, locksAPIVersion)
		if err != nil {
			return err
		}
		return printLocks(cmd, f.output, c, all)
	}
	return cmd
}

// listAll decodes a collection.
func listAll[T any](ctx context.Context, c *armclient.Client, path, apiVersion string) ([]T, error) {
	raw, err := c.List(ctx, path, apiVersion)
	if err != nil {
		return nil, err
	}
	all := make([]T, len(raw))
	for i, r := range raw {
		if err := json.Unmarshal(r, &all[i]); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return all, nil
}

func printLocks(cmd *cobra.Command, output *format, c *armclient.Client, all []lockView) error {
	if *output == "json" {
		return printJSON(cmd.OutOrStdout(), all)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tLEVEL\tOF\tNOTES")
	for _, l := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Name, l.Properties.Level, shortID(c, l.of()), dash(l.Properties.Notes))
	}
	return w.Flush()
}

func lockDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   "take a lock away from what the flags name",
		Example: "  portico lock delete keep --service shop",
		Args:    takes("NAME"),
	}
	f := addScopeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*f.dir)
		if err != nil {
			return err
		}
		scope, err := f.scope(cmd.Context(), c)
		if err != nil {
			return err
		}
		res, err := c.Do(cmd.Context(), http.MethodDelete, scope+locksBelow+"/"+args[0], locksAPIVersion, nil)
		if err != nil {
			return err
		}
		if res.Status == http.StatusNoContent {
			return fmt.Errorf("%s has no lock %q; `portico lock list` shows those there are", shortID(c, scope), args[0])
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of %s is gone\n", args[0], shortID(c, scope))
		return err
	}
	return cmd
}
