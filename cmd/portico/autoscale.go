package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/pace"
)

const (
	autoscaleAPIVersion = "2022-10-01"
	autoscalePath       = "/providers/Microsoft.Insights/autoscaleSettings"
)

// A settingView is what commands show of an autoscale setting.
type settingView struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Properties struct {
		Enabled  bool   `json:"enabled"`
		Target   string `json:"targetResourceUri"`
		Profiles []struct {
			Name     string `json:"name"`
			Capacity struct {
				Minimum string `json:"minimum"`
				Maximum string `json:"maximum"`
				Default string `json:"default"`
			} `json:"capacity"`
		} `json:"profiles"`
	} `json:"properties"`
}

// A scalingView is what …/Portico.Hosting/autoscale says of a service.
type scalingView struct {
	Setting  string `json:"setting"`
	Enabled  bool   `json:"enabled"`
	Units    int    `json:"units"`
	Wanted   int    `json:"wanted"`
	Why      string `json:"why"`
	Busy     bool   `json:"busy,omitempty"`
	Profile  string `json:"profile,omitempty"`
	Minimum  int    `json:"minimum"`
	Maximum  int    `json:"maximum"`
	Default  int    `json:"default"`
	Location string `json:"location"`
	Rules    []struct {
		Condition string   `json:"condition"`
		Effect    string   `json:"effect"`
		Value     *float64 `json:"value,omitempty"`
		Known     string   `json:"known"`
		Holds     bool     `json:"holds"`
		Cooldown  string   `json:"cooldown,omitempty"`
	} `json:"rules"`
	Last *struct {
		At   time.Time `json:"at"`
		From int       `json:"from"`
		To   int       `json:"to"`
		Why  string    `json:"why"`
	} `json:"last,omitempty"`
}

func autoscaleCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "autoscale", Short: "scale services by rules about their load"})
	cmd.AddCommand(autoscaleSetCommand(), autoscaleShowCommand(), autoscaleListCommand(), autoscaleDeleteCommand())
	return cmd
}

// settings lists the autoscale settings of the resource group of the flags, or all.
func (t serviceTarget) settings(ctx context.Context, c *armclient.Client) ([]settingView, error) {
	scope := c.Subscription()
	if *t.group != "" {
		scope += "/resourceGroups/" + *t.group
	}
	return listAll[settingView](ctx, c, scope+autoscalePath, autoscaleAPIVersion)
}

// setting is the one that scales a service; nil for none.
func (t serviceTarget) setting(ctx context.Context, c *armclient.Client, service string) (*settingView, error) {
	all, err := t.settings(ctx, c)
	for i := range all {
		if strings.EqualFold(strings.TrimRight(all[i].Properties.Target, "/"), service) {
			return &all[i], err
		}
	}
	return nil, err
}

// scaleRules are the rules that the flags of a command describe.
type scaleRules struct {
	least, most, otherwise, step int
	out, in                      float64
	window, coolOut, coolIn      time.Duration
	disabled                     bool
	webhooks                     []string
	file                         string
}

func autoscaleSetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME --max UNITS",
		Short: "scale a service by its load: out above a threshold, in below another",
		Long: `Makes, or replaces, the autoscale setting of a service: it gets more units when its
load has been above a threshold for a while on average, and fewer when it has been
below another. The load is the capacity metric, of the v2 tiers that of the processor.
With --file the properties of the setting are read as JSON, for profiles by time and
any other rules.`,
		Example: "  portico autoscale set shop --min 1 --max 4\n  portico autoscale set shop --max 2 --out 70 --in 25 --window 10m",
		Args:    takes("NAME"),
	}
	t := targetFlags(cmd)
	var r scaleRules
	cmd.Flags().IntVar(&r.least, "min", 1, "least units")
	cmd.Flags().IntVar(&r.most, "max", 0, "most units")
	cmd.Flags().IntVar(&r.otherwise, "default", 0, "least units while the load is not known; 0: the least")
	cmd.Flags().IntVar(&r.step, "step", 1, "units by which the service grows and shrinks")
	cmd.Flags().Float64Var(&r.out, "out", 80, "load, in percent, above which it grows")
	cmd.Flags().Float64Var(&r.in, "in", 35, "load, in percent, below which it shrinks")
	cmd.Flags().DurationVar(&r.window, "window", 30*time.Minute, "time for which the load counts")
	cmd.Flags().DurationVar(&r.coolOut, "cool-down-out", time.Hour, "time before it grows again")
	cmd.Flags().DurationVar(&r.coolIn, "cool-down-in", 90*time.Minute, "time before it shrinks again")
	cmd.Flags().BoolVar(&r.disabled, "disabled", false, "keep the setting and do not follow it")
	cmd.Flags().StringArrayVar(&r.webhooks, "webhook", nil, "http or https address that is told when the service is scaled; may be given more than once")
	cmd.Flags().StringVar(&r.file, "file", "", "properties of the setting, as JSON")
	cmd.MarkFlagsOneRequired("max", "file")
	cmd.MarkFlagsMutuallyExclusive("max", "file")
	cmd.MarkFlagsMutuallyExclusive("webhook", "file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		c, s, err := t.open(ctx, args[0])
		if err != nil {
			return err
		}
		properties, err := r.properties(s)
		if err != nil {
			return err
		}
		id := c.Subscription() + "/resourceGroups/" + groupPart(s.ID) + autoscalePath + "/" + s.Name
		if have, err := t.setting(ctx, c, s.ID); err != nil {
			return err
		} else if have != nil {
			id = have.ID
		}
		if _, err := c.Do(ctx, http.MethodPut, id, autoscaleAPIVersion, object{"location": s.Location, "properties": properties}); err != nil {
			return err
		}
		return t.showScaling(cmd, s)
	}
	return cmd
}

// properties are those of the setting of a service.
func (r scaleRules) properties(s serviceView) (object, error) {
	var p object
	if r.file != "" {
		data, err := os.ReadFile(r.file)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &p); err != nil {
			return nil, fmt.Errorf("read %s: %w", r.file, err)
		}
		p["targetResourceUri"] = s.ID
		if _, ok := p["enabled"]; !ok {
			p["enabled"] = !r.disabled
		}
		return p, nil
	}
	if r.in >= r.out {
		return nil, errors.New("--in must be less than --out: the service would grow and shrink all the time")
	}
	if r.otherwise == 0 {
		r.otherwise = r.least
	}
	notifications := []object{}
	for _, to := range r.webhooks {
		notifications = append(notifications, object{"operation": "Scale", "webhooks": []object{{"serviceUri": to}}})
	}
	return object{"enabled": !r.disabled, "targetResourceUri": s.ID, "notifications": notifications, "profiles": []object{{
		"name":     "default",
		"capacity": object{"minimum": strconv.Itoa(r.least), "maximum": strconv.Itoa(r.most), "default": strconv.Itoa(r.otherwise)},
		"rules":    []object{r.rule(s, "GreaterThan", r.out, "Increase", r.coolOut), r.rule(s, "LessThan", r.in, "Decrease", r.coolIn)},
	}}}, nil
}

func (r scaleRules) rule(s serviceView, operator string, threshold float64, direction string, cooldown time.Duration) object {
	name := "Capacity"
	if strings.HasSuffix(s.SKU.Name, "V2") {
		name = "CpuPercent_Gateway"
	}
	return object{
		"metricTrigger": object{
			"metricName": name, "metricResourceUri": s.ID, "timeGrain": "PT1M", "statistic": "Average", "timeWindow": pace.FormatDuration(r.window),
			"timeAggregation": "Average", "operator": operator, "threshold": threshold,
		},
		"scaleAction": object{"direction": direction, "type": "ChangeCount", "value": strconv.Itoa(r.step), "cooldown": pace.FormatDuration(cooldown)},
	}
}

// showScaling prints how the setting of a service stands.
func (t serviceTarget) showScaling(cmd *cobra.Command, s serviceView) error {
	var v scalingView
	if _, err := t.read(cmd.Context(), s.Name, "autoscale", &v); err != nil {
		return err
	}
	if *t.output == "json" {
		return printJSON(cmd.OutOrStdout(), v)
	}
	return printScaling(cmd.OutOrStdout(), s.Name, v)
}

func autoscaleShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "show the rules by which a service is scaled, how they stand, and why nothing happens",
		Args:  takes("NAME"),
	}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return t.showScaling(cmd, serviceView{Name: args[0]})
	}
	return cmd
}

func printScaling(out io.Writer, name string, v scalingView) error {
	state := ""
	switch {
	case !v.Enabled:
		state = ", not enabled"
	case v.Busy:
		state = ", busy: it is tried again after the operation"
	}
	fmt.Fprintf(out, "%s in %s: %s of %d to %d, by profile %s%s\n", name, v.Location, count(v.Units, "unit"), v.Minimum, v.Maximum, dash(v.Profile), state)
	if v.Wanted != v.Units {
		fmt.Fprintf(out, "  should have %s. ", count(v.Wanted, "unit"))
	} else {
		fmt.Fprint(out, "  ")
	}
	fmt.Fprintln(out, v.Why)
	if l := v.Last; l != nil {
		fmt.Fprintf(out, "  last: %s, from %d to %d. %s\n", l.At.Local().Format(time.DateTime), l.From, l.To, l.Why)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  RULE\tUNITS\tVALUE\tHOLDS\tCOOL-DOWN")
	for _, r := range v.Rules {
		value := r.Known
		if r.Value != nil {
			value = strconv.FormatFloat(*r.Value, 'f', -1, 64)
		}
		holds := "no"
		if r.Holds {
			holds = "yes"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", r.Condition, r.Effect, value, holds, dash(r.Cooldown))
	}
	return w.Flush()
}

func autoscaleListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list the autoscale settings", Args: takes()}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		all, err := t.settings(cmd.Context(), c)
		if err != nil {
			return err
		}
		if *t.output == "json" {
			return printJSON(cmd.OutOrStdout(), all)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "SERVICE\tSETTING\tENABLED\tPROFILE\tUNITS")
		for _, s := range all {
			for _, p := range s.Properties.Profiles {
				fmt.Fprintf(w, "%s\t%s\t%v\t%s\t%s to %s\n", lastPart(s.Properties.Target), s.Name, s.Properties.Enabled, p.Name, p.Capacity.Minimum, p.Capacity.Maximum)
			}
		}
		return w.Flush()
	}
	return cmd
}

func autoscaleDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "delete NAME", Short: "scale a service by hand again; its units stay", Args: takes("NAME")}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, s, err := t.open(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		have, err := t.setting(cmd.Context(), c, s.ID)
		if err != nil {
			return err
		}
		if have == nil {
			return fmt.Errorf("%s has no autoscale setting; `portico autoscale list` shows those there are", s.Name)
		}
		if _, err := c.Do(cmd.Context(), http.MethodDelete, have.ID, autoscaleAPIVersion, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is scaled by hand\n", s.Name)
		return err
	}
	return cmd
}
