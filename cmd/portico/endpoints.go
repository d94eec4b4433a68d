package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

func endpointCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create NAME --subnet VNET/SUBNET --service NAME",
		Short: "make a way from a subnet into a service that is in no network itself",
		Long: `Makes a private endpoint: an address in a subnet that leads to a service. It is
approved at once, as who may change the service asks for it; with --manual it waits
for 'portico network private-endpoint approve'.`,
		Example: `  portico network private-endpoint create door --subnet office/endpoints --service shop
  portico network private-endpoint create door --subnet office/endpoints --service shop --manual --message "please"`,
		Args: takes("NAME"),
	}
	t, location, service := targetFlags(cmd), locationFlag(cmd), serviceFlag(cmd)
	subnet := cmd.Flags().String("subnet", "", "VNET/SUBNET")
	manual := cmd.Flags().Bool("manual", false, "somebody else has to approve it")
	message := cmd.Flags().String("message", "", "what that somebody reads, with --manual")
	_ = cmd.MarkFlagRequired("subnet")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return privateEndpointKind.put(cmd, t, args[0], *location, func(c *armclient.Client) (object, error) {
			anywhere := t.everywhere()
			id, err := findSubnet(cmd.Context(), anywhere, c, *subnet)
			if err != nil {
				return nil, err
			}
			s, err := anywhere.find(cmd.Context(), c, *service)
			if err != nil {
				return nil, err
			}
			to := object{"privateLinkServiceId": s.ID, "groupIds": []string{"Gateway"}}
			list := "privateLinkServiceConnections"
			if *manual {
				list = "manualPrivateLinkServiceConnections"
				to["requestMessage"] = *message
			}
			return object{"properties": object{"subnet": object{"id": id}, list: []object{{"name": args[0], "properties": to}}}}, nil
		})
	}
	return cmd
}

// everywhere is the target without its resource group: what is named may be of any.
func (t serviceTarget) everywhere() serviceTarget {
	none := ""
	t.group = &none
	return t
}

// A requestView is what commands show of a private endpoint connection, from the side of the service.
type requestView struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Properties struct {
		Endpoint reference `json:"privateEndpoint"`
		State    struct {
			Status      string `json:"status"`
			Description string `json:"description"`
		} `json:"privateLinkServiceConnectionState"`
	} `json:"properties"`
}

// connectionCommands are what the owner of a service does about the private endpoints that lead, or want to lead, to it.
func connectionCommands() []*cobra.Command {
	return []*cobra.Command{
		connectionsCommand(), decideCommand("approve", "Approved", "let callers through a private endpoint"),
		decideCommand("reject", "Rejected", "let nobody through a private endpoint"),
	}
}

func connectionsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "connections --service NAME", Short: "list the private endpoints that lead to a service, or ask to", Args: takes()}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, s, err := t.open(cmd.Context(), *service)
		if err != nil {
			return err
		}
		return printConnections(cmd, t, c, s)
	}
	return cmd
}

func connections(ctx context.Context, c *armclient.Client, s serviceView) ([]requestView, error) {
	return listAll[requestView](ctx, c, s.ID+"/privateEndpointConnections", cliAPIVersion)
}

func printConnections(cmd *cobra.Command, t serviceTarget, c *armclient.Client, s serviceView) error {
	all, err := connections(cmd.Context(), c, s)
	if err != nil {
		return err
	}
	if *t.output == "json" {
		return printJSON(cmd.OutOrStdout(), all)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ENDPOINT\tSTATE\tMESSAGE\tCONNECTION")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", lastPart(r.Properties.Endpoint.ID), r.Properties.State.Status, dash(r.Properties.State.Description), r.Name)
	}
	return w.Flush()
}

// decideCommand approves or rejects a private endpoint.
func decideCommand(word, status, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use: word + " ENDPOINT --service NAME", Short: short,
		Example: "  portico network private-endpoint " + word + " door --service shop", Args: takes("ENDPOINT"),
	}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	message := cmd.Flags().String("message", "", "why")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, s, err := t.open(cmd.Context(), *service)
		if err != nil {
			return err
		}
		all, err := connections(cmd.Context(), c, s)
		if err != nil {
			return err
		}
		for _, r := range all {
			if !strings.EqualFold(lastPart(r.Properties.Endpoint.ID), args[0]) && !strings.EqualFold(r.Name, args[0]) {
				continue
			}
			body := object{"properties": object{"privateLinkServiceConnectionState": object{"status": status, "description": *message}}}
			if _, err := run(cmd, c, word+" "+args[0], http.MethodPut, s.ID+"/privateEndpointConnections/"+r.Name, cliAPIVersion, body); err != nil {
				return err
			}
			return printConnections(cmd, t, c, s)
		}
		return fmt.Errorf("no private endpoint %q leads to %s; `portico network private-endpoint connections --service %s` shows those there are", args[0], s.Name, s.Name)
	}
	return cmd
}
