package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

// A regionView is what commands show of a location of a service.
type regionView struct {
	Location string `json:"location"`
	SKU      struct {
		Name     string `json:"name"`
		Capacity int    `json:"capacity"`
	} `json:"sku"`
	Zones     []string `json:"zones,omitempty"`
	Platform  string   `json:"platformVersion"`
	PublicIPs []string `json:"publicIPAddresses"`
	URL       string   `json:"gatewayRegionalUrl,omitempty"`
	Disabled  bool     `json:"disableGateway"`
	Primary   bool     `json:"primary,omitempty"` // of Portico's commands
}

func regionCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "region", Short: "host a service at further locations"})
	cmd.AddCommand(regionAddCommand(), regionListCommand(), regionRemoveCommand())
	return cmd
}

func regionAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add LOCATION --service NAME",
		Short: "host a service at another location too, or change what it has there",
		Long: `Gives a Premium service machines and an address at another location. Callers at the
service's name are led there when its other locations are down. For a location that
the service has, units, zones and rotation are changed.`,
		Example: `  portico region add "East US" --service shop --units 2
  portico region add eastus --service shop --units 3 --zones 1,2,3
  portico region add eastus --service shop --disabled    (takes it out of rotation)`,
		Args: takes("LOCATION"),
	}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	units := cmd.Flags().Int("units", 1, "scale units there")
	zones := cmd.Flags().StringSlice("zones", nil, "availability zones there")
	disabled := cmd.Flags().Bool("disabled", false, "keep the machines and take no callers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return changeRegions(cmd, t, *service, "add "+args[0], func(s serviceView, all []object) ([]object, error) {
			o := object{"location": args[0], "sku": object{"name": s.SKU.Name, "capacity": *units}}
			if i := slices.IndexFunc(all, locationIs(args[0])); i >= 0 {
				o = all[i]
				if cmd.Flags().Changed("units") {
					o["sku"] = object{"name": s.SKU.Name, "capacity": *units}
				}
				all = slices.Delete(all, i, i+1)
			}
			if cmd.Flags().Changed("zones") {
				o["zones"] = append([]string{}, *zones...)
			}
			if cmd.Flags().Changed("disabled") {
				o["disableGateway"] = *disabled
			}
			return append(all, o), nil
		})
	}
	return cmd
}

// locationIs finds a location by either of its names.
func locationIs(name string) func(object) bool {
	normal := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	return func(o object) bool {
		have, _ := o["location"].(string)
		return normal(have) == normal(name)
	}
}

// changeRegions changes the additional locations of a service, and shows all of them.
func changeRegions(cmd *cobra.Command, t serviceTarget, service, what string, change func(serviceView, []object) ([]object, error)) error {
	c, s, err := t.open(cmd.Context(), service)
	if err != nil {
		return err
	}
	var have struct {
		All []object `json:"additionalLocations"`
	}
	if err := properties(cmd, c, s, &have); err != nil {
		return err
	}
	all, err := change(s, have.All)
	if err != nil {
		return err
	}
	body := object{"properties": object{"additionalLocations": append([]object{}, all...)}}
	if _, err := run(cmd, c, what, http.MethodPatch, s.ID, cliAPIVersion, body); err != nil {
		return err
	}
	return printRegions(cmd, t, c, s)
}

func printRegions(cmd *cobra.Command, t serviceTarget, c *armclient.Client, s serviceView) error {
	var have struct {
		regionView
		All []regionView `json:"additionalLocations"`
	}
	if err := properties(cmd, c, s, &have); err != nil {
		return err
	}
	first := have.regionView
	first.Location, first.Zones, first.Primary = s.Location, s.Zones, true
	first.SKU.Name, first.SKU.Capacity = s.SKU.Name, s.SKU.Capacity
	all := append([]regionView{first}, have.All...)
	if *t.output == "json" {
		return printJSON(cmd.OutOrStdout(), all)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LOCATION\tPLATFORM\tUNITS\tZONES\tVIP\tIN ROTATION\tADDRESS")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", r.Location, r.Platform, r.SKU.Capacity, dash(strings.Join(r.Zones, ",")),
			dash(strings.Join(r.PublicIPs, ",")), yes(!r.Disabled), dash(r.URL))
	}
	return w.Flush()
}

func regionListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list --service NAME", Short: "list the locations of a service, the primary one first", Args: takes()}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, s, err := t.open(cmd.Context(), *service)
		if err != nil {
			return err
		}
		return printRegions(cmd, t, c, s)
	}
	return cmd
}

func regionRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove LOCATION --service NAME", Short: "host a service at a location no more; its address there is given up",
		Example: "  portico region remove eastus --service shop", Args: takes("LOCATION"),
	}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return changeRegions(cmd, t, *service, "remove "+args[0], func(s serviceView, all []object) ([]object, error) {
			if locationIs(args[0])(object{"location": s.Location}) {
				return nil, errors.New("the primary location of a service cannot be removed")
			}
			left := slices.DeleteFunc(slices.Clone(all), locationIs(args[0]))
			if len(left) == len(all) {
				return nil, fmt.Errorf("%s is not at %q; `portico region list --service %s` shows where it is", *service, args[0], *service)
			}
			return left, nil
		})
	}
	return cmd
}
