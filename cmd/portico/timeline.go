package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/hosting"
)

// timeline answers the extension …/Portico.Hosting/timeline.
func (c *controlPlane) timeline(ctx context.Context, service string) (json.RawMessage, *arm.Error) {
	t, err := c.controller.Timeline(ctx, service)
	if err == nil {
		var data []byte
		if data, err = json.Marshal(t); err == nil {
			return data, nil
		}
	}
	c.log.ErrorContext(ctx, "timeline cannot be shown", slog.String("service", service), slog.Any("error", err))
	return nil, &arm.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The timeline cannot be shown."}
}

func serviceTimelineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "timeline NAME",
		Short: "show what the platform did with a service, step by step",
		Args:  takes("NAME"),
	}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var steps hosting.Timeline
		if _, err := t.read(cmd.Context(), args[0], "timeline", &steps); err != nil {
			return err
		}
		if *t.output == "json" {
			return printJSON(cmd.OutOrStdout(), steps)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "TIME\tLOCATION\tSTEP\tFOR")
		for _, x := range steps.Value {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", x.Time.Local().Format(time.DateTime), dash(x.Location), x.Step, dash(x.Kind))
		}
		return w.Flush()
	}
	return cmd
}
