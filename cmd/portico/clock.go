package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/pace"
)

// clockPath is where the clock of the platform is shown and advanced.
const clockPath = "/portico/clock"

// A clockView is the clock as /portico/clock shows it.
type clockView struct {
	Now  time.Time `json:"now"`
	Pace string    `json:"pace"`
}

func (c *controlPlane) showClock(context.Context, []byte) (any, *arm.Error) {
	return clockView{c.clock.Now(), c.clock.Pace().String()}, nil
}

// advanceClock moves a clock that stands.
func (c *controlPlane) advanceClock(ctx context.Context, body []byte) (any, *arm.Error) {
	var in struct {
		Advance string `json:"advance"`
	}
	refused := &arm.Error{Status: http.StatusBadRequest, Code: "InvalidRequestContent", Message: "'advance' is required: a duration such as PT15M or P1DT2H."}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, refused
	}
	d, err := pace.ParseDuration(in.Advance)
	if err != nil {
		return nil, refused
	}
	now, err := c.clock.Advance(ctx, d)
	switch {
	case errors.Is(err, pace.ErrGoes):
		return nil, &arm.Error{Status: http.StatusConflict, Code: "ClockGoes", Message: fmt.Sprintf("The clock goes by itself, at the pace %s. Only at the pace manual it is advanced.", c.clock.Pace())}
	case err != nil:
		c.log.ErrorContext(ctx, "clock not advanced", slog.Any("error", err))
		return nil, &arm.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The clock cannot be advanced."}
	}
	c.log.InfoContext(ctx, "clock advanced", slog.Duration("by", d), slog.Time("to", now))
	return clockView{now, c.clock.Pace().String()}, nil
}

func clockCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clock",
		Short: "show the clock of the platform; --advance moves one that stands (portico up --pace manual)",
		Long: `Shows platform time, by which windows end – of coexistence, of soft delete – and
operations take their time. At the pace manual it stands until it is advanced.`,
		Example: "  portico clock --advance 15m",
		Args:    takes(),
	}
	dir := dataFlag(cmd)
	output := format("table")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	advance := cmd.Flags().Duration("advance", 0, "how far to move the clock, such as 15m or 48h")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*dir)
		if err != nil {
			return err
		}
		method, body := http.MethodGet, any(nil)
		switch {
		case *advance < 0:
			return errors.New("--advance: the clock never goes back")
		case *advance > 0:
			method, body = http.MethodPost, object{"advance": pace.FormatDuration(*advance)}
		}
		res, err := c.Do(cmd.Context(), method, clockPath, "", body)
		if err != nil {
			return err
		}
		var v clockView
		if err := res.Decode(&v); err != nil {
			return err
		}
		if output == "json" {
			return printJSON(cmd.OutOrStdout(), v)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s at the pace %s\n", v.Now.Format(time.DateTime), v.Pace)
		return err
	}
	return cmd
}
