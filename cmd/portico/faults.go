package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/hosting/fabric"
)

// Where zones are shown and switched, and machines killed.
const (
	zonesPath    = "/portico/zones"
	machinesPath = "/portico/machines"
)

// Spellings of the state of a zone.
const (
	zoneUp   = "up"
	zoneDown = "down"
)

// A zoneView is a zone as /portico/zones shows it.
type zoneView struct {
	Zone     string `json:"zone"`
	State    string `json:"state"`    // up or down
	Machines int    `json:"machines"` // placed there
	Running  int    `json:"running"`  // of those, that have a process
}

func (c *controlPlane) listZones(ctx context.Context, _ []byte) (any, *arm.Error) {
	obs, err := c.agent.fabric.Observe(ctx)
	if err != nil {
		return nil, c.faultError(ctx, "list zones", err)
	}
	inv, err := c.agent.fabric.Inventory(ctx)
	if err != nil {
		return nil, c.faultError(ctx, "list zones", err)
	}
	views := []zoneView{}
	for _, z := range c.controller.Zones() {
		v := zoneView{Zone: z, State: zoneUp}
		if slices.Contains(obs.Down, z) {
			v.State = zoneDown
		}
		for _, s := range inv.Sets {
			for _, m := range s.Machines {
				if m.Zone == z {
					v.Machines++
				}
				if m.Zone == z && obs.Machines[m.ID].PID != 0 {
					v.Running++
				}
			}
		}
		views = append(views, v)
	}
	return map[string]any{"value": views}, nil
}

// switchZone takes a zone down or up, and answers with all zones.
func (c *controlPlane) switchZone(ctx context.Context, body []byte) (any, *arm.Error) {
	var in struct {
		Zone  string `json:"zone"`
		State string `json:"state"`
	}
	zones := c.controller.Zones()
	if err := json.Unmarshal(body, &in); err != nil || !slices.Contains(zones, in.Zone) || in.State != zoneUp && in.State != zoneDown {
		return nil, &arm.Error{
			Status: http.StatusBadRequest, Code: "InvalidRequestContent",
			Message: fmt.Sprintf("'zone' must be one of %s, and 'state' one of up, down.", strings.Join(zones, ", ")),
		}
	}
	if err := c.agent.fabric.SwitchZone(ctx, in.Zone, in.State == zoneUp); err != nil {
		return nil, c.faultError(ctx, "switch zone", err)
	}
	c.log.WarnContext(ctx, "zone switched", slog.String("zone", in.Zone), slog.String("state", in.State))
	return c.listZones(ctx, nil)
}

// killMachine ends a machine as a crash does.
func (c *controlPlane) killMachine(ctx context.Context, body []byte) (any, *arm.Error) {
	var in struct {
		Kill string `json:"kill"`
	}
	if err := json.Unmarshal(body, &in); err != nil || in.Kill == "" {
		return nil, &arm.Error{Status: http.StatusBadRequest, Code: "InvalidRequestContent", Message: "'kill' is required: the ID of a machine."}
	}
	err := c.agent.fabric.Kill(ctx, in.Kill)
	if errors.Is(err, fabric.ErrNoMachine) {
		return nil, &arm.Error{Status: http.StatusNotFound, Code: "MachineNotFound", Message: fmt.Sprintf("No process runs of machine '%s'. `portico units NAME` lists machines.", in.Kill)}
	}
	if err != nil {
		return nil, c.faultError(ctx, "kill machine", err)
	}
	c.log.WarnContext(ctx, "machine killed", slog.String("machine", in.Kill))
	return map[string]any{"killed": in.Kill}, nil
}

func (c *controlPlane) faultError(ctx context.Context, doing string, err error) *arm.Error {
	c.log.ErrorContext(ctx, "the agent refused", slog.String("doing", doing), slog.Any("error", err))
	return &arm.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The agent did not " + doing + "."}
}

func zoneCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "zone",
		Short: "show zones, and switch them off and on, to see what the platform makes of it",
	})
	cmd.AddCommand(
		zonesCommand("list", "", "show the zones of this host and the machines in them"),
		zonesCommand("down N", zoneDown, "cut the power of a zone: its machines are killed and not started"),
		zonesCommand("up N", zoneUp, "turn the power of a zone on again"),
	)
	return cmd
}

// zonesCommand shows the zones, after switching one if state says so.
func zonesCommand(use, state, short string) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: takes(strings.Fields(use)[1:]...)}
	dir := dataFlag(cmd)
	output := format("table")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*dir)
		if err != nil {
			return err
		}
		method, body := http.MethodGet, any(nil)
		if state != "" {
			method, body = http.MethodPost, object{"zone": args[0], "state": state}
		}
		res, err := c.Do(cmd.Context(), method, zonesPath, "", body)
		if err != nil {
			return err
		}
		var list struct {
			Value []zoneView `json:"value"`
		}
		if err := res.Decode(&list); err != nil {
			return err
		}
		if output == "json" {
			return printJSON(cmd.OutOrStdout(), list.Value)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ZONE\tSTATE\tMACHINES\tRUNNING")
		for _, z := range list.Value {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", z.Zone, z.State, z.Machines, z.Running)
		}
		return w.Flush()
	}
	return cmd
}

func killCommand() *cobra.Command {
	kill := &cobra.Command{
		Use:   "kill ID",
		Short: "end a machine as a crash does: the connections that it holds are cut, and it starts again",
		Args:  takes("ID"),
	}
	dir := dataFlag(kill)
	kill.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*dir)
		if err != nil {
			return err
		}
		if _, err := c.Do(cmd.Context(), http.MethodPost, machinesPath, "", object{"kill": args[0]}); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "machine %s was killed; the platform starts it again\n", args[0])
		return err
	}
	return kill
}
