package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/hosting/rollout"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// rolloutsPath is where rollouts are listed and begun. Below it are the verbs that the newest one takes.
const rolloutsPath = "/portico/rollouts"

// rolloutEndpoints are what /portico/rollouts answers.
func (c *controlPlane) rolloutEndpoints() map[string]func(context.Context, []byte) (any, *arm.Error) {
	all := map[string]func(context.Context, []byte) (any, *arm.Error){
		"GET rollouts":           c.listRollouts,
		"POST rollouts":          c.startRollout,
		"POST rollouts/forecast": c.forecastRollout,
	}
	for _, verb := range []string{rollout.VerbPause, rollout.VerbResume, rollout.VerbCancel, rollout.VerbRollBack} {
		all["POST rollouts/"+verb] = func(ctx context.Context, _ []byte) (any, *arm.Error) {
			if err := c.rollouts.Do(ctx, verb); err != nil {
				return nil, c.rolloutError(ctx, err)
			}
			return c.newestRollout(ctx)
		}
	}
	return all
}

func (c *controlPlane) listRollouts(ctx context.Context, _ []byte) (any, *arm.Error) {
	all, err := c.rollouts.List(ctx)
	if err != nil {
		return nil, c.rolloutError(ctx, err)
	}
	return map[string]any{"value": all}, nil
}

func (c *controlPlane) newestRollout(ctx context.Context) (any, *arm.Error) {
	all, err := c.rollouts.List(ctx)
	if err != nil || len(all) == 0 {
		return nil, c.rolloutError(ctx, err)
	}
	return all[0], nil
}

// A rolloutAsk is the body that begins a rollout.
type rolloutAsk struct {
	Version string `json:"version"`
	Groups  []struct {
		Share int    `json:"share"`
		Bake  string `json:"bake"` // ISO 8601; a day when left out
	} `json:"groups,omitempty"`
	Parallel      int    `json:"parallel,omitempty"`
	IgnoreWindows bool   `json:"ignoreWindows,omitempty"`
	OnRegression  string `json:"onRegression,omitempty"` // rollBack (the default) or halt
	IgnoreErrors  bool   `json:"ignoreErrors,omitempty"`
}

func (a rolloutAsk) ask() (rollout.Ask, *arm.Error) {
	out := rollout.Ask{Version: a.Version, Parallel: a.Parallel, AnyTime: a.IgnoreWindows, Keep: strings.EqualFold(a.OnRegression, "halt"), IgnoreErrors: a.IgnoreErrors}
	if a.OnRegression != "" && !out.Keep && !strings.EqualFold(a.OnRegression, "rollBack") {
		return out, badRollout("'onRegression' is rollBack or halt.")
	}
	for _, g := range a.Groups {
		bake := rollout.DefaultGroups()[0].Bake
		if g.Bake != "" {
			var err error
			if bake, err = pace.ParseDuration(g.Bake); err != nil {
				return out, badRollout(fmt.Sprintf("groups: %s.", err))
			}
		}
		out.Groups = append(out.Groups, rollout.Group{Share: g.Share, Bake: bake})
	}
	return out, nil
}

func badRollout(message string) *arm.Error {
	return &arm.Error{Status: http.StatusBadRequest, Code: "InvalidParameters", Message: message}
}

func readRolloutAsk(body []byte) (rollout.Ask, *arm.Error) {
	var in rolloutAsk
	if err := json.Unmarshal(body, &in); err != nil {
		return rollout.Ask{}, &arm.Error{Status: http.StatusBadRequest, Code: "InvalidRequestContent", Message: "The body is not that of a rollout: an object with a version."}
	}
	return in.ask()
}

func (c *controlPlane) startRollout(ctx context.Context, body []byte) (any, *arm.Error) {
	ask, refused := readRolloutAsk(body)
	if refused != nil {
		return nil, refused
	}
	if _, err := c.rollouts.Start(ctx, ask); err != nil {
		return nil, c.rolloutError(ctx, err)
	}
	return c.newestRollout(ctx)
}

func (c *controlPlane) forecastRollout(ctx context.Context, body []byte) (any, *arm.Error) {
	ask, refused := readRolloutAsk(body)
	if refused != nil {
		return nil, refused
	}
	v, err := c.rollouts.Forecast(ctx, ask)
	if err != nil {
		return nil, c.rolloutError(ctx, err)
	}
	return v, nil
}

func (c *controlPlane) rolloutError(ctx context.Context, err error) *arm.Error {
	if refused, ok := errors.AsType[*arm.Error](err); ok {
		return refused
	}
	c.log.ErrorContext(ctx, "rollout", slog.Any("error", err))
	return &arm.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The rollout cannot be shown or changed."}
}

// gatewayUpcoming is what the newest rollout is about to do with a service.
func (c *controlPlane) gatewayUpcoming(ctx context.Context, service string) any {
	seat, version, ok, err := c.rollouts.Upcoming(ctx, service)
	if err != nil {
		c.log.WarnContext(ctx, "upcoming maintenance is not known", slog.String("service", service), slog.Any("error", err))
	}
	if !ok {
		return nil
	}
	return map[string]any{"gateway": version, "earliest": seat.Earliest, "channel": seat.Channel, "group": seat.Group}
}

// usedByRollouts are the versions that the newest rollout needs.
func (c *controlPlane) usedByRollouts(ctx context.Context) (used map[string]bool, err error) {
	err = c.store.View(ctx, func(r store.Reader) error {
		used, err = rollout.Uses(r)
		return err
	})
	return used, err
}

func rolloutCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use: "rollout", Short: "bring a version of the gateway to all services: by channel, by group, in their maintenance windows",
		Long: `A rollout brings an installed version of the gateway to every service: release
channel after release channel (Preview, Default, Stable), in each of them group
after group, each service in its maintenance window. After each group it waits
and looks at health: an upgrade that failed, a gateway that got worse or callers
who get more errors than before halt it and bring back what it has upgraded.`,
	})
	cmd.AddCommand(rolloutStartCommand(), rolloutShowCommand(), rolloutListCommand(),
		rolloutVerbCommand(rollout.VerbPause, "start no further upgrade until it is resumed"),
		rolloutVerbCommand(rollout.VerbResume, "go on with a rollout that is paused or halted"),
		rolloutVerbCommand(rollout.VerbCancel, "end the rollout; what is upgraded stays"),
		rolloutVerbCommand(rollout.VerbRollBack, "bring back every service that the rollout has upgraded"))
	return cmd
}

// parseGroups reads SHARE:BAKE, such as 10:24h.
func parseGroups(all []string) (groups []object, err error) {
	for _, s := range all {
		share, bake, timed := strings.Cut(s, ":")
		n, err := strconv.Atoi(strings.TrimSuffix(share, "%"))
		if err != nil {
			return nil, fmt.Errorf("--group %s: a group is its share in percent and the time that it bakes, such as 10:24h", s)
		}
		g := object{"share": n}
		if timed {
			d, err := time.ParseDuration(bake)
			if err != nil || d < 0 {
				return nil, fmt.Errorf("--group %s: %q is not a time such as 24h", s, bake)
			}
			g["bake"] = pace.FormatDuration(d)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func rolloutStartCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "start VERSION", Short: "begin a rollout; --forecast shows what it would do and when", Args: takes("VERSION"),
		Example: "  portico gateway rollout start 1.3 --group 10:24h --group 90:48h",
	}
	dir := dataFlag(cmd)
	output := format("table")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	groups := cmd.Flags().StringArray("group", nil, "share of a group in percent and how long it bakes, in order; default 10:24h 40:24h 50:24h")
	parallel := cmd.Flags().Int("parallel", 0, "services upgraded at a time; default 4")
	anyTime := cmd.Flags().Bool("ignore-windows", false, "upgrade services outside of their maintenance windows too")
	keep := cmd.Flags().Bool("halt", false, "on a regression halt, and leave what is upgraded as it is")
	ignore := cmd.Flags().Bool("ignore-errors", false, "do not halt because requests of callers fail more often than before")
	forecast := cmd.Flags().Bool("forecast", false, "change nothing: show which service would be upgraded when, at the earliest")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body := object{"version": args[0], "ignoreWindows": *anyTime, "ignoreErrors": *ignore}
		all, err := parseGroups(*groups)
		if err != nil {
			return err
		}
		if len(all) > 0 {
			body["groups"] = all
		}
		if *parallel != 0 {
			body["parallel"] = *parallel
		}
		if *keep {
			body["onRegression"] = "halt"
		}
		path := rolloutsPath
		if *forecast {
			path += "/forecast"
		}
		return askRollout(cmd, *dir, output, path, body)
	}
	return cmd
}

func rolloutVerbCommand(verb, short string) *cobra.Command {
	cmd := &cobra.Command{Use: verb, Short: short, Args: takes()}
	dir := dataFlag(cmd)
	output := format("table")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return askRollout(cmd, *dir, output, rolloutsPath+"/"+verb, nil)
	}
	return cmd
}

// askRollout posts, and prints the rollout that is answered.
func askRollout(cmd *cobra.Command, dir string, output format, path string, body any) error {
	c, err := armclient.Open(dir)
	if err != nil {
		return err
	}
	res, err := c.Do(cmd.Context(), http.MethodPost, path, "", body)
	if err != nil {
		return err
	}
	var v rollout.View
	if err := res.Decode(&v); err != nil {
		return err
	}
	if output == "json" {
		return printJSON(cmd.OutOrStdout(), v)
	}
	return printRollout(cmd.OutOrStdout(), v)
}

func readRollouts(ctx context.Context, dir string) ([]rollout.View, error) {
	c, err := armclient.Open(dir)
	if err != nil {
		return nil, err
	}
	res, err := c.Do(ctx, http.MethodGet, rolloutsPath, "", nil)
	if err != nil {
		return nil, err
	}
	var list struct {
		Value []rollout.View `json:"value"`
	}
	return list.Value, res.Decode(&list)
}

func rolloutShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show", Short: "show the newest rollout: how far it is, and when what comes next can begin", Args: takes()}
	dir := dataFlag(cmd)
	output := format("table")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := readRollouts(cmd.Context(), *dir)
		switch {
		case err != nil:
			return err
		case len(all) == 0:
			return fmt.Errorf("there was no rollout yet: begin one with `%s gateway rollout start VERSION`", self())
		case output == "json":
			return printJSON(cmd.OutOrStdout(), all[0])
		}
		return printRollout(cmd.OutOrStdout(), all[0])
	}
	return cmd
}

func rolloutListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list rollouts, newest first", Args: takes()}
	dir := dataFlag(cmd)
	output := format("table")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := readRollouts(cmd.Context(), *dir)
		if err != nil {
			return err
		}
		if output == "json" {
			return printJSON(cmd.OutOrStdout(), append([]rollout.View{}, all...))
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ROLLOUT\tVERSION\tSTATE\tSTARTED\tENDED\tREASON")
		for _, v := range all {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", v.Number, v.Version, v.State, moment(v.Started), moment(v.Ended), dash(v.Reason))
		}
		return w.Flush()
	}
	return cmd
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

// errorsOf shows how often requests failed before and after an upgrade.
func errorsOf(s rollout.Seat) string {
	if s.Before == nil || s.Now == nil {
		return "-"
	}
	return failedShare(*s.Before) + " → " + failedShare(*s.Now)
}

func failedShare(a platform.Answers) string {
	if a.All == 0 {
		return "no request"
	}
	return fmt.Sprintf("%.2f %% of %d", 100*float64(a.Failed)/float64(a.All), a.All)
}

func printRollout(out io.Writer, v rollout.View) error {
	name := fmt.Sprintf("rollout %d", v.Number)
	if v.Number == 0 {
		name = "forecast"
	}
	fmt.Fprintf(out, "%s of gateway %s: %s %s %d %%\n", name, v.Version, v.State, bar(v.Percent, 30), v.Percent)
	if v.Reason != "" {
		fmt.Fprintf(out, "%s: %s\n", v.Service[strings.LastIndexByte(v.Service, '/')+1:], v.Reason)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nCHANNEL\tGROUP\tSHARE\tBAKE\tSTATE\tUPGRADED\tBEGINS\tENDS")
	for _, s := range v.Stages {
		fmt.Fprintf(w, "%s\t%d\t%d %%\t%s\t%s\t%d of %d\t%s\t%s\n", s.Channel, s.Group, s.Share, s.Bake, s.State, s.Upgraded, s.Services, moment(s.Begins), moment(s.Ends))
	}
	if len(v.Services) > 0 {
		fmt.Fprintln(w, "\nSERVICE\tCHANNEL\tGROUP\tGATEWAY\tIS\tSINCE\tEARLIEST\tERRORS (5XX)")
		for _, s := range v.Services {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", s.Service[strings.LastIndexByte(s.Service, '/')+1:], s.Channel, s.Group, s.Gateway, dash(string(s.Place)), moment(s.At), moment(s.Earliest), errorsOf(s))
		}
	}
	return w.Flush()
}
