package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
)

// A forecastView is what …/Portico.Hosting/forecast answers.
type forecastView struct {
	Status    int                `json:"status"`
	Error     *arm.Error         `json:"error,omitempty"`
	Operation string             `json:"operation,omitempty"`
	Pace      string             `json:"pace,omitempty"`
	Takes     string             `json:"takes,omitempty"`
	Expected  string             `json:"expected,omitempty"`
	Locked    []string           `json:"locked,omitempty"`
	Editable  []string           `json:"editable,omitempty"`
	Locations []forecastLocation `json:"locations,omitempty"`
}

type forecastLocation struct {
	platform.Outlook
	WaitsAtMost string `json:"waitsAtMost,omitempty"`
	DNS         []struct {
		Name string `json:"name"`
		Type string `json:"type"`
		From string `json:"from"`
		To   string `json:"to"`
		By   string `json:"by"`
	} `json:"dns"`
}

// A changeFlags is a change of a service that a command line describes.
type changeFlags struct {
	units          int
	tier, mode, to string
	hardware       string
	zones          []string
	apiVersion     string
}

func serviceForecastCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forecast NAME update|migrate|back|upgrade|delete",
		Short: "show what a change of a service would bring; nothing is changed",
		Long: `Shows what happens if a service is changed: the steps, what callers notice, how
long it takes, addresses before and after, and DNS records that have to follow. The
planner that would carry the change out says so. A change that would be refused is
shown with the reasons.`,
		Example: `  portico service forecast shop update --units 3 --zones 1,2,3
  portico service forecast shop migrate --mode NewIP`,
		Args: takes("NAME", "CHANGE"),
	}
	t := targetFlags(cmd)
	var f changeFlags
	cmd.Flags().IntVar(&f.units, "units", 0, "update: scale units")
	cmd.Flags().StringVar(&f.tier, "tier", "", "update: another tier")
	cmd.Flags().StringSliceVar(&f.zones, "zones", nil, "update: availability zones; an empty list for none")
	cmd.Flags().StringVar(&f.mode, "mode", "PreserveIp", "migrate: PreserveIp or NewIP")
	cmd.Flags().StringVar(&f.to, "to", "", "upgrade: version of the gateway")
	cmd.Flags().StringVar(&f.hardware, "hardware", "", "upgrade: stv2.1 for the newest hardware, stv2 for the first")
	cmd.Flags().StringVar(&f.apiVersion, "api-version", cliAPIVersion, "api-version of the request; an update at 2021-01-01-preview or later leads to stv2")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, s, err := t.open(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		request, err := f.request(args[1], s, cmd.Flags().Changed("zones"))
		if err != nil {
			return err
		}
		request["apiVersion"] = f.apiVersion
		res, err := c.Do(cmd.Context(), http.MethodPost, s.ID+"/providers/Portico.Hosting/forecast", cliAPIVersion, request)
		if err != nil {
			return err
		}
		var v forecastView
		if err := res.Decode(&v); err != nil {
			return err
		}
		if *t.output == "json" {
			return printJSON(cmd.OutOrStdout(), v)
		}
		return printForecast(cmd.OutOrStdout(), s.Name, v)
	}
	return cmd
}

// request is what a forecast is asked for.
func (f changeFlags) request(change string, s serviceView, zones bool) (object, error) {
	switch change {
	case "update":
		sku := object{"name": s.SKU.Name, "capacity": s.SKU.Capacity}
		if f.tier != "" {
			sku["name"] = f.tier
		}
		if f.units > 0 {
			sku["capacity"] = f.units
		}
		body := object{"sku": sku}
		if zones {
			body["zones"] = append([]string{}, f.zones...)
		}
		return object{"method": http.MethodPatch, "body": body}, nil
	case "migrate":
		return object{"method": http.MethodPost, "path": "migrateToStv2", "body": object{"mode": f.mode}}, nil
	case "back":
		return object{"method": http.MethodPost, "path": "providers/Portico.Hosting/rollback"}, nil
	case "upgrade":
		if f.to == "" && f.hardware == "" {
			return nil, errors.New("--to is missing: the version of the gateway; or --hardware")
		}
		return object{"method": http.MethodPost, "path": "providers/Portico.Hosting/upgrade", "body": upgradeTo(f.to, f.hardware)}, nil
	case "delete":
		return object{"method": http.MethodDelete}, nil
	}
	return nil, fmt.Errorf("%q is none of update, migrate, back, upgrade, delete", change)
}

func printForecast(out io.Writer, name string, v forecastView) error {
	if v.Error != nil {
		fmt.Fprintf(out, "%s would be refused with %d %s: %s\n", name, v.Status, v.Error.Code, v.Error.Message)
		for _, d := range v.Error.Details[min(1, len(v.Error.Details)):] {
			fmt.Fprintf(out, "  %s: %s\n", d.Target, d.Message)
		}
		return nil
	}
	if v.Operation == "" {
		_, err := fmt.Fprintf(out, "%s would be changed at once: its compute stays as it is\n", name)
		return err
	}
	fmt.Fprintf(out, "%s, answered with %d, at the pace %s: %s\n", v.Operation, v.Status, v.Pace, v.time())
	for _, l := range v.Locations {
		if err := l.print(out, name); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "Locked meanwhile: %s. Editable: %s.\n", strings.Join(v.Locked, ", "), strings.Join(v.Editable, ", "))
	return err
}

// time says how long the operation takes.
func (v forecastView) time() string {
	switch {
	case v.Takes == "PT0S":
		return "as long as the work takes"
	case v.Expected == "":
		return "when the clock has been advanced by " + v.Takes
	case v.Takes == v.Expected:
		return v.Takes + " and the work"
	}
	return v.Expected + " (" + v.Takes + " of the clock) and the work"
}

func (l forecastLocation) print(out io.Writer, name string) error {
	scenario := ""
	if l.ScenarioName != "" {
		scenario = " (" + l.ScenarioName + ")"
	}
	bound := ""
	if l.WaitsAtMost != "" {
		bound = ", a connection for at most " + l.WaitsAtMost
	}
	fmt.Fprintf(out, "\n%s in %s: %s to %s%s; downtime: %s%s\n", name, l.Location, l.Before, l.After, scenario, l.Downtime, bound)
	addresses := func(all []string) string {
		var shown []string
		for _, a := range all {
			if a == "" {
				a = "a new one"
			}
			shown = append(shown, a)
		}
		return dash(strings.Join(shown, ", "))
	}
	fmt.Fprintf(out, "  addresses: %s, then %s\n", addresses(l.AddressesBefore), addresses(l.AddressesAfter))
	if l.Kept != "" {
		fmt.Fprintf(out, "  %s answers until the coexistence window ends\n", l.Kept)
	}
	for _, d := range l.DNS {
		fmt.Fprintf(out, "  %s %s leads to %s instead of %s, by the %s\n", d.Name, d.Type, addresses([]string{d.To}), d.From, d.By)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  STEP\tPLATFORM\tMACHINES\tSERVING\tADDRESSES\tNOTE")
	for i, s := range l.Steps {
		note := ""
		if !s.At.IsZero() {
			note = "at " + s.At.Local().Format(time.DateTime)
		} else if s.Reached && (i == 0 || !l.Steps[i-1].Reached) {
			note = "the operation ends"
		}
		fmt.Fprintf(w, "  %s\t%s\t%d\t%d\t%d\t%s\n", s.Step, s.Platform, s.Machines, s.Serving, s.VIPs, dash(note))
	}
	if err := w.Flush(); err != nil || l.WaitsFor == "" {
		return err
	}
	_, err := fmt.Fprintf(out, "  not reached while zones are down: %s\n", l.WaitsFor)
	return err
}
