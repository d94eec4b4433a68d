package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

// A deletedView is what commands show of a soft-deleted service.
type deletedView struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Location   string `json:"location"`
	Properties struct {
		ServiceID          string    `json:"serviceId"`
		DeletionDate       time.Time `json:"deletionDate"`
		ScheduledPurgeDate time.Time `json:"scheduledPurgeDate"`
	} `json:"properties"`
}

func listDeleted(ctx context.Context, c *armclient.Client) ([]deletedView, error) {
	raw, err := c.List(ctx, c.Subscription()+"/providers/Microsoft.ApiManagement/deletedservices", cliAPIVersion)
	all := []deletedView{}
	for _, r := range raw {
		var d deletedView
		if err := json.Unmarshal(r, &d); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, err
}

func findDeleted(ctx context.Context, c *armclient.Client, name string) (deletedView, error) {
	all, err := listDeleted(ctx, c)
	if err != nil {
		return deletedView{}, err
	}
	for _, d := range all {
		if strings.EqualFold(d.Name, name) {
			return d, nil
		}
	}
	return deletedView{}, fmt.Errorf("there is no soft-deleted service %q; `portico service deleted` shows those there are", name)
}

func serviceDeletedCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "deleted", Short: "list the deleted services that can be restored", Args: takes()}
	dir := dataFlag(cmd)
	output := format("table")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*dir)
		if err != nil {
			return err
		}
		all, err := listDeleted(cmd.Context(), c)
		if err != nil {
			return err
		}
		if output == "json" {
			return printJSON(cmd.OutOrStdout(), all)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tLOCATION\tDELETED\tGONE FOR GOOD")
		for _, d := range all {
			p := d.Properties
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Name, d.Location, p.DeletionDate.Local().Format(time.DateTime), p.ScheduledPurgeDate.Local().Format(time.DateTime))
		}
		return w.Flush()
	}
	return cmd
}

func serviceUndeleteCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "undelete NAME", Short: "bring a deleted service back, with all that it contained", Args: takes("NAME")}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		d, err := findDeleted(ctx, c, args[0])
		if err != nil {
			return err
		}
		// Everything but "restore" is ignored, and asked for all the same.
		body := object{
			"location": d.Location, "sku": object{"name": "Developer", "capacity": 1},
			"properties": object{"publisherName": "Portico", "publisherEmail": "admin@" + d.Name + ".invalid", "restore": true},
		}
		if _, err := run(cmd, c, "undelete "+d.Name, http.MethodPut, d.Properties.ServiceID, cliAPIVersion, body); err != nil {
			return err
		}
		return showAgain(ctx, cmd, t, c, d.Name)
	}
	return cmd
}

func servicePurgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "purge NAME --yes",
		Short: "remove a deleted service for good, before its time",
		Args:  takes("NAME"),
	}
	dir := dataFlag(cmd)
	yes := cmd.Flags().Bool("yes", false, "needed: nothing brings the service back")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !*yes {
			return errors.New("nothing brings a purged service back; say --yes")
		}
		c, err := armclient.Open(*dir)
		if err != nil {
			return err
		}
		d, err := findDeleted(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		if _, err := run(cmd, c, "purge "+d.Name, http.MethodDelete, d.ID, cliAPIVersion, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is gone for good\n", d.Name)
		return err
	}
	return cmd
}
