package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// channelVersion is the first api-version with releaseChannel.
const channelVersion = "2024-06-01-preview"

func serviceUpdateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "update NAME --release-channel CHANNEL", Short: "choose how early a service gets new versions of the gateway: Preview, Default or Stable",
		Long: `Chooses the release channel of a service: Preview gets a new version first, Default
when that has proved itself, Stable last. Developer services are always early, and
Consumption services, which share their machines, go with the default.`,
		Args: takes("NAME"),
	}
	t := targetFlags(cmd)
	channel := cmd.Flags().String("release-channel", "", "Preview, Default or Stable")
	_ = cmd.MarkFlagRequired("release-channel")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, s, err := t.open(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		body := object{"properties": object{"releaseChannel": *channel}}
		if _, err := c.Run(cmd.Context(), http.MethodPatch, s.ID, channelVersion, body, nil); err != nil {
			return err
		}
		return showAgain(cmd.Context(), cmd, t, c, args[0])
	}
	return cmd
}

// A windowView is the maintenance window of a service as it is answered.
type windowView struct {
	Start    string            `json:"start"`
	Days     map[string]string `json:"days,omitempty"`
	Hours    int               `json:"hours"`
	TimeZone string            `json:"timeZone"`
	Channel  string            `json:"releaseChannel"`
	Next     struct {
		From time.Time `json:"from"`
		To   time.Time `json:"to"`
	} `json:"next"`
	Upcoming *struct {
		Gateway  string    `json:"gateway"`
		Earliest time.Time `json:"earliest"`
		Channel  string    `json:"channel"`
		Group    int       `json:"group"`
	} `json:"upcoming,omitempty"`
}

func serviceMaintenanceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "maintenance-window NAME", Short: "show or choose when the platform may work on a service: eight hours a day, 22:00 to 06:00 by its location's clocks",
		Example: "  portico service maintenance-window shop --start 01:00 --day saturday=10:00\n  portico service maintenance-window shop --reset",
		Args:    takes("NAME"),
	}
	t := targetFlags(cmd)
	start := cmd.Flags().String("start", "", "when the window begins, by the clocks of the service's location")
	days := cmd.Flags().StringToString("day", nil, "a day on which it begins at another time, such as saturday=10:00; repeatable")
	reset := cmd.Flags().Bool("reset", false, "take back what was chosen")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, s, err := t.open(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		path := s.ID + "/providers/Portico.Hosting/maintenanceWindow"
		chosen := *start != "" || len(*days) > 0
		switch {
		case *reset && chosen:
			return errors.New("--reset goes with neither --start nor --day")
		case *reset:
			_, err = c.Do(cmd.Context(), http.MethodDelete, path, cliAPIVersion, nil)
		case chosen:
			_, err = c.Do(cmd.Context(), http.MethodPut, path, cliAPIVersion, object{"start": *start, "days": *days})
		}
		if err != nil {
			return err
		}
		var v windowView
		if _, err := t.read(cmd.Context(), args[0], "maintenanceWindow", &v); err != nil {
			return err
		}
		if *t.output == "json" {
			return printJSON(cmd.OutOrStdout(), v)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tCHANNEL\tBEGINS\tOTHER DAYS\tHOURS\tTIME ZONE\tNEXT WINDOW\tUPCOMING")
		var other []string
		for _, day := range slices.Sorted(maps.Keys(v.Days)) {
			other = append(other, day+" "+v.Days[day])
		}
		upcoming := ""
		if u := v.Upcoming; u != nil {
			upcoming = "gateway " + u.Gateway + " from " + moment(u.Earliest)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", s.Name, v.Channel, v.Start, dash(strings.Join(other, ", ")), v.Hours, v.TimeZone, moment(v.Next.From), dash(upcoming))
		return w.Flush()
	}
	return cmd
}
