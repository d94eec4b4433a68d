package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/armclient"
)

// gatewaysPath is where the versions of the gateway are listed and installed.
const gatewaysPath = "/portico/gateways"

// A gatewayView is an installed version of the gateway as /portico/gateways shows it.
type gatewayView struct {
	Version  string `json:"version"`
	Size     int64  `json:"size"`     // of the program, in bytes
	Services int    `json:"services"` // that should run it
	Machines int    `json:"machines"` // that are listed with it
	Current  bool   `json:"current"`  // what new services get
}

// keepGateway puts this program where machines run it from.
func (c *controlPlane) keepGateway() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return c.gateways.Keep(buildVersion(), exe)
}

// pruneGateways removes the versions that earlier control planes were and that nothing uses any more. A trial leaves what
// may be gone back to.
func (c *controlPlane) pruneGateways(ctx context.Context) error {
	if os.Getenv(trialEnv) != "" {
		return nil
	}
	use, err := c.controller.Versions(ctx)
	if err != nil {
		return err
	}
	rolled, err := c.usedByRollouts(ctx)
	if err != nil {
		return err
	}
	return c.gateways.Prune(func(version string) bool {
		_, used := use[version]
		return used || rolled[version] || version == buildVersion()
	})
}

// gatewaysBehind counts the services that should run another version of the gateway than this one.
func (c *controlPlane) gatewaysBehind(ctx context.Context) (n int) {
	use, err := c.controller.Versions(ctx)
	if err != nil {
		c.log.WarnContext(ctx, "versions in use are not known", slog.Any("error", err))
	}
	for version, u := range use {
		if version != buildVersion() {
			n += u.Services
		}
	}
	return n
}

// hostEndpoints are what /portico answers.
func (c *controlPlane) hostEndpoints() map[string]func(context.Context, []byte) (any, *arm.Error) {
	all := map[string]func(context.Context, []byte) (any, *arm.Error){
		"GET gateways": func(ctx context.Context, _ []byte) (any, *arm.Error) {
			all, err := c.gatewayViews(ctx)
			if err != nil {
				c.log.ErrorContext(ctx, "gateways cannot be listed", slog.Any("error", err))
				return nil, &arm.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The gateways cannot be listed."}
			}
			return map[string]any{"value": all}, nil
		},
		"POST gateways":  c.installGateway,
		"POST upgrade":   c.upgradeSelf,
		"GET clock":      c.showClock,
		"POST clock":     c.advanceClock,
		"GET zones":      c.listZones,
		"POST zones":     c.switchZone,
		"POST machines":  c.killMachine,
		"GET operations": c.listOperations,
	}
	maps.Copy(all, c.rolloutEndpoints())
	return all
}

func (c *controlPlane) gatewayViews(ctx context.Context) ([]gatewayView, error) {
	installed, err := c.gateways.List()
	if err != nil {
		return nil, err
	}
	use, err := c.controller.Versions(ctx)
	if err != nil {
		return nil, err
	}
	all := []gatewayView{}
	for _, v := range installed {
		u := use[v.Name]
		all = append(all, gatewayView{v.Name, v.Size, u.Services, u.Machines, v.Name == buildVersion()})
	}
	return all, nil
}

// installGateway installs a program that lies on this host. None is taken over the network: whoever may manage services
// could then run anything here.
func (c *controlPlane) installGateway(ctx context.Context, body []byte) (any, *arm.Error) {
	var in struct {
		File string `json:"file"`
	}
	if err := json.Unmarshal(body, &in); err != nil || !filepath.IsAbs(in.File) {
		return nil, &arm.Error{Status: http.StatusBadRequest, Code: "InvalidRequestContent", Message: "'file' is required: the absolute path of a program on the host."}
	}
	v, err := c.gateways.Install(ctx, in.File)
	if err != nil {
		c.log.WarnContext(ctx, "gateway not installed", slog.String("file", in.File), slog.Any("error", err))
		return nil, &arm.Error{Status: http.StatusBadRequest, Code: "InvalidGateway", Message: err.Error()}
	}
	c.log.InfoContext(ctx, "gateway installed", slog.String("version", v.Name), slog.String("file", in.File))
	return gatewayView{Version: v.Name, Size: v.Size, Current: v.Name == buildVersion()}, nil
}

func gatewayCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "gateway", Short: "install, list and roll out versions of the gateway program"})
	cmd.AddCommand(gatewayInstallCommand(), gatewayListCommand(), rolloutCommand())
	return cmd
}

func gatewayInstallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "install FILE",
		Short: "install a version of the gateway: a portico program on this host",
		Long: `Copies a portico program into the data folder, under the version that it says it
is, beside those that are there. Nothing runs it before ` + "`portico service upgrade`" + `.`,
		Args: takes("FILE"),
	}
	dir := dataFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*dir)
		if err != nil {
			return err
		}
		file, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		res, err := c.Do(cmd.Context(), http.MethodPost, gatewaysPath, "", object{"file": file})
		if err != nil {
			return err
		}
		var v gatewayView
		if err := res.Decode(&v); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "gateway %s is installed; `%s service upgrade NAME --to %s` moves a service to it\n", v.Version, self(), v.Version)
		return err
	}
	return cmd
}

func gatewayListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list the installed versions of the gateway and what runs them", Args: takes()}
	dir := dataFlag(cmd)
	output := format("table")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*dir)
		if err != nil {
			return err
		}
		res, err := c.Do(cmd.Context(), http.MethodGet, gatewaysPath, "", nil)
		if err != nil {
			return err
		}
		var list struct {
			Value []gatewayView `json:"value"`
		}
		if err := res.Decode(&list); err != nil {
			return err
		}
		if output == "json" {
			return printJSON(cmd.OutOrStdout(), list.Value)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "VERSION\tSERVICES\tMACHINES\tSIZE\tNEW SERVICES")
		for _, v := range list.Value {
			current := "-"
			if v.Current {
				current = "get it"
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%.1f MB\t%s\n", v.Version, v.Services, v.Machines, float64(v.Size)/1e6, current)
		}
		return w.Flush()
	}
	return cmd
}
