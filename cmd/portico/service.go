package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

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
	Zones      []string `json:"zones,omitempty"`
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

// read decodes one of Portico's own documents of the service called name: its units, its timeline.
func (t serviceTarget) read(ctx context.Context, name, document string, into any) (serviceView, error) {
	c, err := armclient.Open(*t.dir)
	if err != nil {
		return serviceView{}, err
	}
	s, err := t.find(ctx, c, name)
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

// progress draws a bar on stderr while work runs, when a person may be looking.
func progress(w io.Writer, what string) func(percent int) {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	begin := time.Now()
	return func(percent int) {
		const width = 30
		fmt.Fprintf(w, "\r%s %s %3d %% %s", what, bar(percent, width), percent, time.Since(begin).Round(100*time.Millisecond))
		if percent >= 100 {
			fmt.Fprintln(w)
		}
	}
}

// bar draws how much of something is done.
func bar(percent, width int) string {
	full := width * min(max(percent, 0), 100) / 100
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

func serviceCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "service", Short: "create, show, scale, migrate, upgrade, foresee, back up, restore and delete services"})
	cmd.AddCommand(serviceListCommand(), serviceShowCommand(), serviceCreateCommand(), serviceScaleCommand(),
		serviceMigrateCommand(), serviceUpgradeCommand(), serviceForecastCommand(),
		serviceBackupCommand(), serviceRestoreCommand(), serviceTimelineCommand(), serviceDeleteCommand(),
		serviceDeletedCommand(), serviceUndeleteCommand(), servicePurgeCommand())
	return cmd
}

func serviceListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list services", Args: takes()}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		all, err := t.list(cmd.Context(), c)
		if err != nil {
			return err
		}
		if len(all) == 0 && *t.output != "json" {
			fmt.Fprintf(cmd.ErrOrStderr(), "no services yet: make one with `%s service create NAME`\n", self())
			return nil
		}
		return t.printAll(cmd.OutOrStdout(), all)
	}
	return cmd
}

func serviceShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "show a service", Args: takes("NAME")}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		s, err := t.find(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return t.print(cmd.OutOrStdout(), s)
	}
	return cmd
}

func serviceCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "create a service, and its resource group where there is none",
		Example: "  portico service create shop --tier Premium --units 3 --zones 1,2,3",
		Args:    takes("NAME"),
	}
	t := targetFlags(cmd)
	tier := cmd.Flags().String("tier", "Developer", "Consumption, Developer, Basic, Standard, Premium, Isolated, BasicV2, StandardV2 or PremiumV2")
	units := cmd.Flags().Int("units", 1, "scale units (Consumption has none)")
	zones := cmd.Flags().StringSlice("zones", nil, "availability zones, Premium only")
	location := cmd.Flags().String("location", "West Europe", "location")
	apiVersion := cmd.Flags().String("api-version", cliAPIVersion, "api-version of the request; older than 2021-01-01-preview makes an stv1 service")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		group := *t.group
		if group == "" {
			group = "default"
		}
		rg := c.Subscription() + "/resourceGroups/" + group
		if _, err := c.Do(ctx, http.MethodHead, rg, "2022-09-01", nil); armclient.Status(err) == http.StatusNotFound {
			_, err = c.Do(ctx, http.MethodPut, rg, "2022-09-01", object{"location": *location})
			if err != nil {
				return err
			}
		} else if err != nil {
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
		_, err = c.Run(ctx, http.MethodPut, rg+"/providers/Microsoft.ApiManagement/service/"+args[0], *apiVersion, body, progress(cmd.ErrOrStderr(), "create "+args[0]))
		if err != nil {
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
	c, err := armclient.Open(*t.dir)
	if err != nil {
		return err
	}
	s, err := t.find(ctx, c, name)
	if err != nil {
		return err
	}
	if _, err := c.Run(ctx, method, s.ID+suffix, cliAPIVersion, body, progress(cmd.ErrOrStderr(), what+" "+s.Name)); err != nil {
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
		Args:  takes("NAME"),
	}
	t := targetFlags(cmd)
	tier := cmd.Flags().String("tier", "", "new tier; empty keeps it")
	units := cmd.Flags().Int("units", 0, "scale units")
	_ = cmd.MarkFlagRequired("units")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		s, err := t.find(cmd.Context(), c, args[0])
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
