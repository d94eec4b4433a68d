package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/store"
)

// operationsPath is where long-running operations are listed.
const operationsPath = "/portico/operations"

// An operationView is a long-running operation as /portico/operations shows it.
type operationView struct {
	Name    string     `json:"name"`
	Kind    string     `json:"kind"`
	Target  string     `json:"target"`
	Status  lro.Status `json:"status"`
	Percent int        `json:"percent"`
	By      string     `json:"by,omitempty"`
	Started time.Time  `json:"started"` // platform time, as all times here
	// Ends is when it can end, for one that takes its time; Ended when it did.
	Ends  time.Time  `json:"ends,omitzero"`
	Ended time.Time  `json:"ended,omitzero"`
	Steps []lro.Step `json:"steps,omitempty"`
	Error *arm.Error `json:"error,omitempty"`
}

// listOperations shows the operations of the last day, newest first.
func (c *controlPlane) listOperations(ctx context.Context, _ []byte) (any, *arm.Error) {
	all := []operationView{}
	err := c.store.View(ctx, func(r store.Reader) error {
		docs, err := r.List(store.Query{Type: lro.Type})
		for _, d := range docs {
			op, err := lro.Load(r, strings.TrimPrefix(d.ID, lro.IDPrefix))
			if err != nil {
				return err
			}
			v := operationView{op.Name, op.Kind, op.Target, op.Status, op.Percent, op.By, op.Started, op.NotBefore, op.Ended, op.Steps, op.Error}
			if v.Status == lro.InProgress {
				v.Percent = op.Progress(c.clock.Now())
			}
			all = append(all, v)
		}
		return err
	})
	if err != nil {
		c.log.ErrorContext(ctx, "operations cannot be listed", slog.Any("error", err))
		return nil, &arm.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The operations cannot be listed."}
	}
	slices.SortFunc(all, func(a, b operationView) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(a.Name, b.Name))
	})
	return map[string]any{"value": all}, nil
}

func operationsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "operations",
		Short: "list the long-running operations of the last day, newest first",
		Args:  takes(),
	}
	dir := dataFlag(cmd)
	output := format("table")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	running := cmd.Flags().Bool("running", false, "only those that have not ended")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*dir)
		if err != nil {
			return err
		}
		res, err := c.Do(cmd.Context(), http.MethodGet, operationsPath, "", nil)
		if err != nil {
			return err
		}
		var list struct {
			Value []operationView `json:"value"`
		}
		if err := res.Decode(&list); err != nil {
			return err
		}
		if *running {
			list.Value = slices.DeleteFunc(list.Value, func(v operationView) bool { return v.Status != lro.InProgress })
		}
		if output == "json" {
			return printJSON(cmd.OutOrStdout(), list.Value)
		}
		return printOperations(cmd.OutOrStdout(), list.Value)
	}
	return cmd
}

func printOperations(out io.Writer, all []operationView) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STARTED\tKIND\tTARGET\tSTATUS\tDONE\tLAST STEP")
	for _, v := range all {
		last := ""
		switch {
		case v.Error != nil:
			last = v.Error.Code + ": " + v.Error.Message
		case len(v.Steps) > 0:
			last = v.Steps[len(v.Steps)-1].Name
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s %3d %%\t%s\n", v.Started.Local().Format(time.DateTime), v.Kind, v.Target[strings.LastIndexByte(v.Target, '/')+1:],
			v.Status, bar(v.Percent, 10), v.Percent, dash(last))
	}
	return w.Flush()
}
