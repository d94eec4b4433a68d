package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

// An eventView is what commands show of an entry of the activity log.
type eventView struct {
	Time          time.Time         `json:"eventTimestamp"`
	Caller        string            `json:"caller"`
	Correlation   string            `json:"correlationId"`
	Resource      string            `json:"resourceId"`
	Operation     named             `json:"operationName"`
	Status        named             `json:"status"`
	SubStatus     named             `json:"subStatus"`
	Properties    map[string]string `json:"properties"`
	ClientAddress struct {
		Address string `json:"clientIpAddress,omitempty"`
		Method  string `json:"method,omitempty"`
	} `json:"httpRequest"`
}

type named struct {
	Value     string `json:"value"`
	Localized string `json:"localizedValue"`
}

func activityCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "activity",
		Short: "show the activity log: what was changed, by whom, when, and how it ended; newest first",
		Long: `Shows the activity log: writes, actions and deletions of resources, who asked for
them, when, and how they ended; the work of the platform too. Entries are kept for
90 days of platform time.`,
		Example: `  portico activity
  portico activity --service shop --since 48h
  portico activity --status Failed
  portico activity --correlation 7b1d…   (all of one request)`,
		Args: takes(),
	}
	f := addScopeFlags(cmd)
	since := cmd.Flags().Duration("since", 24*time.Hour, "how far back, in platform time")
	var terms [3]*string
	for i, x := range []struct{ flag, usage string }{
		{"status", "only entries that ended so: Started, Accepted, Succeeded, Failed or Canceled"},
		{"caller", "only what this caller asked for"},
		{"correlation", "only entries of one request, by its correlation `ID`"},
	} {
		terms[i] = cmd.Flags().String(x.flag, "", x.usage)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := armclient.Open(*f.dir)
		if err != nil {
			return err
		}
		filter, err := f.activityFilter(cmd.Context(), c, *since)
		if err != nil {
			return err
		}
		for i, field := range []string{"status", "caller", "correlationId"} {
			if *terms[i] != "" {
				filter += fmt.Sprintf(" and %s eq '%s'", field, *terms[i])
			}
		}
		path := c.Subscription() + "/providers/Microsoft.Insights/eventtypes/management/values?$filter=" + url.QueryEscape(filter)
		all, err := listAll[eventView](cmd.Context(), c, path, "2015-04-01")
		if err != nil {
			return err
		}
		if *f.output == "json" {
			return printJSON(cmd.OutOrStdout(), all)
		}
		return printActivity(cmd.OutOrStdout(), c, all)
	}
	return cmd
}

// activityFilter asks for the entries of a scope since some time ago, by the clock of the platform.
func (f scopeFlags) activityFilter(ctx context.Context, c *armclient.Client, since time.Duration) (string, error) {
	res, err := c.Do(ctx, http.MethodGet, clockPath, "", nil)
	if err != nil {
		return "", err
	}
	var clock clockView
	if err := res.Decode(&clock); err != nil {
		return "", err
	}
	scope, err := f.scope(ctx, c)
	filter := fmt.Sprintf("eventTimestamp ge '%s'", clock.Now.Add(-since).UTC().Format(time.RFC3339Nano))
	if scope != c.Subscription() {
		filter += fmt.Sprintf(" and resourceUri eq '%s'", scope)
	}
	return filter, err
}

func printActivity(out io.Writer, c *armclient.Client, all []eventView) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tSTATUS\tACTION\tRESOURCE\tCALLER\tRESULT")
	for _, e := range all {
		result := e.SubStatus.Value
		if code := e.Properties["statusCode"]; code != "" {
			result = clip(code + ": " + e.Properties["statusMessage"])
		}
		action := strings.TrimPrefix(cmp.Or(e.Operation.Localized, e.Operation.Value), "Microsoft.ApiManagement/")
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Time.Local().Format(time.DateTime), e.Status.Value, action, shortID(c, e.Resource), dash(e.Caller), dash(result))
	}
	return w.Flush()
}

// clip keeps a text on a line of a table; JSON has all of it.
func clip(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
