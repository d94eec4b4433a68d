package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

// cliAPIVersion is the api-version of the commands. It is newer than 2021-01-01-preview: an update through a command
// moves a v1 service to v2, as one through the portal does.
const cliAPIVersion = "2024-05-01"

type object = map[string]any

// A serviceView is what commands show of a service.
type serviceView struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Location string `json:"location"`
	SKU      struct {
		Name     string `json:"name"`
		Capacity int    `json:"capacity"`
	} `json:"sku"`
	Zones      []string          `json:"zones,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties struct {
		ProvisioningState string   `json:"provisioningState"`
		PlatformVersion   string   `json:"platformVersion"`
		GatewayURL        string   `json:"gatewayUrl"`
		PublicIPs         []string `json:"publicIPAddresses"`
	} `json:"properties"`
}

// serviceTarget holds the flags with which a command finds its service.
type serviceTarget struct {
	dir, group *string
	output     *format
}

func targetFlags(cmd *cobra.Command) serviceTarget {
	output := format("table")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	return serviceTarget{
		dir:    dataFlag(cmd),
		group:  cmd.Flags().StringP("resource-group", "g", "", "resource group; may be left out when the name is unique"),
		output: &output,
	}
}

// open finds the service called name, with a client to talk about it.
func (t serviceTarget) open(ctx context.Context, name string) (*armclient.Client, serviceView, error) {
	c, err := armclient.Open(*t.dir)
	if err != nil {
		return nil, serviceView{}, err
	}
	s, err := t.find(ctx, c, name)
	return c, s, err
}

// makeGroup makes the resource group that the flags name, where there is none, and returns its ID.
func (t serviceTarget) makeGroup(ctx context.Context, c *armclient.Client, location string) (string, error) {
	const apiVersion = "2022-09-01"
	id := c.Subscription() + "/resourceGroups/" + cmp.Or(*t.group, "default")
	_, err := c.Do(ctx, http.MethodHead, id, apiVersion, nil)
	if armclient.Status(err) == http.StatusNotFound {
		_, err = c.Do(ctx, http.MethodPut, id, apiVersion, object{"location": location})
	}
	return id, err
}

// read decodes one of Portico's own documents of the service called name: its units, its timeline.
func (t serviceTarget) read(ctx context.Context, name, document string, into any) (serviceView, error) {
	c, s, err := t.open(ctx, name)
	if err != nil {
		return serviceView{}, err
	}
	res, err := c.Do(ctx, http.MethodGet, s.ID+"/providers/Portico.Hosting/"+document, cliAPIVersion, nil)
	if err != nil {
		return serviceView{}, err
	}
	return s, res.Decode(into)
}

// find returns the service called name.
func (t serviceTarget) find(ctx context.Context, c *armclient.Client, name string) (serviceView, error) {
	all, err := t.list(ctx, c)
	if err != nil {
		return serviceView{}, err
	}
	for _, s := range all {
		if strings.EqualFold(s.Name, name) {
			return s, nil
		}
	}
	return serviceView{}, fmt.Errorf("there is no service %q; `portico service list` shows those there are", name)
}

func (t serviceTarget) list(ctx context.Context, c *armclient.Client) ([]serviceView, error) {
	raw, err := c.List(ctx, c.Subscription()+"/providers/Microsoft.ApiManagement/service", cliAPIVersion)
	if err != nil {
		return nil, err
	}
	var all []serviceView
	for _, r := range raw {
		var s serviceView
		if err := json.Unmarshal(r, &s); err != nil {
			return nil, err
		}
		if *t.group == "" || strings.Contains(strings.ToLower(s.ID), "/resourcegroups/"+strings.ToLower(*t.group)+"/") {
			all = append(all, s)
		}
	}
	return all, nil
}

// print shows one service.
func (t serviceTarget) print(w io.Writer, s serviceView) error {
	if *t.output == "json" {
		return printJSON(w, s)
	}
	return printServices(w, s)
}

// printAll shows services.
func (t serviceTarget) printAll(w io.Writer, all []serviceView) error {
	if *t.output == "json" {
		return printJSON(w, append([]serviceView{}, all...))
	}
	return printServices(w, all...)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printServices(w io.Writer, services ...serviceView) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tSTATE\tPLATFORM\tTIER\tUNITS\tZONES\tVIP\tGATEWAY")
	for _, s := range services {
		p := s.Properties
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", s.Name, p.ProvisioningState, p.PlatformVersion, s.SKU.Name, s.SKU.Capacity,
			dash(strings.Join(s.Zones, ",")), dash(strings.Join(p.PublicIPs, ",")), p.GatewayURL)
	}
	return tw.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func serviceCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "service", Short: "create, show, scale, connect, tag, migrate, upgrade, foresee, back up, restore and delete services"})
	cmd.AddCommand(serviceListCommand(), serviceShowCommand(), serviceCreateCommand(), serviceScaleCommand(), serviceCapacityCommand(),
		serviceMigrateCommand(), serviceUpgradeCommand(), serviceForecastCommand(),
		serviceBackupCommand(), serviceRestoreCommand(), serviceTimelineCommand(), serviceTagCommand(), serviceIdentityCommand(), serviceNetworkCommand(), serviceDeleteCommand(),
		serviceDeletedCommand(), serviceUndeleteCommand(), servicePurgeCommand())
	cmd.AddCommand(serviceUpdateCommand(), serviceMaintenanceCommand())
	return cmd
}

func serviceListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list services", Example: "  portico service list --tag team=books", Args: takes()}
	t := targetFlags(cmd)
	tag := cmd.Flags().String("tag", "", "only services with this tag, as in stage or stage=test")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		all, err := t.list(cmd.Context(), c)
		if err != nil {
			return err
		}
		if *tag != "" {
			all = slices.DeleteFunc(all, func(s serviceView) bool { return !s.tagged(*tag) })
		} else if len(all) == 0 && *t.output != "json" {
			fmt.Fprintf(cmd.ErrOrStderr(), "no services yet: make one with `%s service create NAME`\n", self())
			return nil
		}
		return t.printAll(cmd.OutOrStdout(), all)
	}
	return cmd
}

func serviceCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "create a service, and its resource group where there is none",
		Example: `  portico service create shop
  portico service create shop --tier Premium --units 3 --zones 1,2,3 --tags team=books,stage=test
  portico service create shop -g shops --tier Consumption --location "East US"`,
		Args: takes("NAME"),
	}
	t := targetFlags(cmd)
	tier := cmd.Flags().String("tier", "Developer", "Consumption, Developer, Basic, Standard, Premium, Isolated, BasicV2, StandardV2 or PremiumV2")
	units := cmd.Flags().Int("units", 1, "scale units (Consumption has none)")
	zones := cmd.Flags().StringSlice("zones", nil, "availability zones, Premium only")
	location := cmd.Flags().String("location", "West Europe", "location")
	tags := cmd.Flags().StringToString("tags", nil, "tags, as in team=books,stage=test")
	apiVersion := cmd.Flags().String("api-version", cliAPIVersion, "api-version of the request; older than 2021-01-01-preview makes an stv1 service")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		rg, err := t.makeGroup(ctx, c, *location)
		if err != nil {
			return err
		}
		if strings.EqualFold(*tier, "Consumption") {
			*units = 0
		}
		body := object{
			"location": *location, "sku": object{"name": *tier, "capacity": *units},
			"properties": object{"publisherName": "Portico", "publisherEmail": "admin@" + args[0] + ".invalid"},
		}
		if len(*zones) > 0 {
			body["zones"] = *zones
		}
		if len(*tags) > 0 {
			body["tags"] = *tags
		}
		if _, err := run(cmd, c, "create "+args[0], http.MethodPut, rg+"/providers/Microsoft.ApiManagement/service/"+args[0], *apiVersion, body); err != nil {
			return err
		}
		return showAgain(ctx, cmd, t, c, args[0])
	}
	return cmd
}

// showAgain prints a service as it is after a change.
func showAgain(ctx context.Context, cmd *cobra.Command, t serviceTarget, c *armclient.Client, name string) error {
	s, err := t.find(ctx, c, name)
	if err != nil {
		return err
	}
	return t.print(cmd.OutOrStdout(), s)
}

// change runs one long-running request about an existing service.
func change(cmd *cobra.Command, t serviceTarget, name, what, method, suffix string, body any) error {
	ctx := cmd.Context()
	c, s, err := t.open(ctx, name)
	if err != nil {
		return err
	}
	if _, err := run(cmd, c, what+" "+s.Name, method, s.ID+suffix, cliAPIVersion, body); err != nil {
		return err
	}
	if method == http.MethodDelete {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is deleted; it can be restored until it is purged\n", s.Name)
		return err
	}
	return showAgain(ctx, cmd, t, c, name)
}

func serviceScaleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scale NAME --units N [--tier TIER]",
		Short: "change the units or the tier; no request is lost (Developer: callers wait)",
		Example: `  portico service scale shop --units 3
  portico service scale shop --units 2 --tier Premium
  portico service forecast shop update --units 3   (what it would bring)`,
		Args: takes("NAME"),
	}
	t := targetFlags(cmd)
	tier := cmd.Flags().String("tier", "", "new tier; empty keeps it")
	units := cmd.Flags().Int("units", 0, "scale units")
	_ = cmd.MarkFlagRequired("units")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, s, err := t.open(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *tier == "" {
			*tier = s.SKU.Name
		}
		return change(cmd, t, args[0], "scale", http.MethodPatch, "", object{"sku": object{"name": *tier, "capacity": *units}})
	}
	return cmd
}

func serviceMigrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate NAME",
		Short: "move a service from stv1 to stv2",
		Long: `Moves a service from stv1 to stv2. With --mode PreserveIp it keeps its address;
with NewIP it gets a new one and answers on both until the coexistence window
(portico up --coexistence) ends. Until then --back brings it back to its old
compute and address, without a failed request.`,
		Args: takes("NAME"),
	}
	t := targetFlags(cmd)
	mode := cmd.Flags().String("mode", "PreserveIp", "PreserveIp or NewIP")
	back := cmd.Flags().Bool("back", false, "go back to the compute before, while it is kept")
	cmd.MarkFlagsMutuallyExclusive("back", "mode")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *back {
			return change(cmd, t, args[0], "go back", http.MethodPost, "/providers/Portico.Hosting/rollback", nil)
		}
		return change(cmd, t, args[0], "migrate", http.MethodPost, "/migrateToStv2", object{"mode": *mode})
	}
	return cmd
}

func serviceDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "delete NAME", Short: "delete a service; it can be restored for a while", Args: takes("NAME")}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return change(cmd, t, args[0], "delete", http.MethodDelete, "", nil)
	}
	return cmd
}
