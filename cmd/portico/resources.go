package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

// A resourceKind is a type of resource in a resource group, as commands have it.
type resourceKind struct {
	word, path, what string // command, type, and what people call it
	apiVersion       string
	header           string // the columns after NAME, GROUP and LOCATION
	columns          func(resourceView) string
}

func lastPart(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// groupPart is the resource group of an ID.
func groupPart(id string) string {
	parts := strings.Split(id, "/")
	const at = 4 // "", subscriptions, ID, resourceGroups
	if len(parts) <= at {
		return ""
	}
	return parts[at]
}

// collection is the path of all resources of a kind, of the resource group if one is named.
func (k resourceKind) collection(t serviceTarget, c *armclient.Client) string {
	scope := c.Subscription()
	if *t.group != "" {
		scope += "/resourceGroups/" + *t.group
	}
	return scope + "/providers/" + k.path
}

// find gives the ID of a resource by its name; an ID stays what it is.
func (k resourceKind) find(ctx context.Context, t serviceTarget, c *armclient.Client, name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return name, nil
	}
	all, err := listAll[resourceView](ctx, c, k.collection(t, c), k.apiVersion)
	if err != nil {
		return "", err
	}
	var found []string
	for _, v := range all {
		if strings.EqualFold(v.Name, name) {
			found = append(found, v.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("there is no %s %q; `portico %s list` shows those there are", k.what, name, k.word)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("there are several %s %q; say of which resource group with -g", plural(k.what), name)
}

// put makes a resource of a kind in the resource group of the flags, and shows it.
func (k resourceKind) put(cmd *cobra.Command, t serviceTarget, name, location string, body func(c *armclient.Client) (object, error)) error {
	ctx := cmd.Context()
	c, err := armclient.Open(*t.dir)
	if err != nil {
		return err
	}
	o, err := body(c)
	if err != nil {
		return err
	}
	group, err := t.makeGroup(ctx, c, location)
	if err != nil {
		return err
	}
	o["location"] = location
	res, err := run(cmd, c, "create "+name, http.MethodPut, group+"/providers/"+k.path+"/"+name, k.apiVersion, o)
	if err != nil {
		return err
	}
	return k.print(cmd.OutOrStdout(), t, res)
}

// print shows one resource as it was answered.
func (k resourceKind) print(out io.Writer, t serviceTarget, res *armclient.Response) error {
	if *t.output == "json" {
		var whole any
		if err := res.Decode(&whole); err != nil {
			return err
		}
		return printJSON(out, whole)
	}
	var v resourceView
	if err := res.Decode(&v); err != nil {
		return err
	}
	return k.table(out, v)
}

func (k resourceKind) table(out io.Writer, all ...resourceView) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tGROUP\tLOCATION\t"+k.header)
	for _, v := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Name, groupPart(v.ID), v.Location, k.columns(v))
	}
	return w.Flush()
}

func (k resourceKind) listCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list the " + plural(k.what), Args: takes()}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		if *t.output == "json" {
			all, err := listAll[any](cmd.Context(), c, k.collection(t, c), k.apiVersion)
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), all)
		}
		all, err := listAll[resourceView](cmd.Context(), c, k.collection(t, c), k.apiVersion)
		if err != nil {
			return err
		}
		return k.table(cmd.OutOrStdout(), all...)
	}
	return cmd
}

func (k resourceKind) showCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "show a " + k.what, Args: takes("NAME")}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		id, err := k.find(cmd.Context(), t, c, args[0])
		if err != nil {
			return err
		}
		res, err := c.Do(cmd.Context(), http.MethodGet, id, k.apiVersion, nil)
		if err != nil {
			return err
		}
		return k.print(cmd.OutOrStdout(), t, res)
	}
	return cmd
}

func (k resourceKind) deleteCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "delete NAME", Short: "delete a " + k.what, Args: takes("NAME")}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		id, err := k.find(cmd.Context(), t, c, args[0])
		if err != nil {
			return err
		}
		if _, err := run(cmd, c, "delete "+args[0], http.MethodDelete, id, k.apiVersion, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s is gone\n", k.what, lastPart(id))
		return err
	}
	return cmd
}
