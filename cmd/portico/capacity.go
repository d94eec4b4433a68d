package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

const metricsAPIVersion = "2023-10-01"

// A metricsView is an answer of …/Microsoft.Insights/metrics.
type metricsView struct {
	Value []struct {
		Name struct {
			Value string `json:"value"`
		} `json:"name"`
		Series []metricSeries `json:"timeseries"`
	} `json:"value"`
}

type metricSeries struct {
	Of []struct {
		Value string `json:"value"`
	} `json:"metadatavalues"`
	Data []struct {
		At      time.Time `json:"timeStamp"`
		Average *float64  `json:"average"`
		Maximum *float64  `json:"maximum"`
	} `json:"data"`
}

func serviceCapacityCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "capacity NAME",
		Short: "show how busy the gateways of a service have been in the last hour",
		Args:  takes("NAME"),
	}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, s, err := t.open(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		names := "Capacity"
		if strings.HasSuffix(s.SKU.Name, "V2") {
			names = "CpuPercent_Gateway,MemoryPercent_Gateway"
		}
		query := url.Values{"metricnames": {names}, "aggregation": {"Average,Maximum"}, "$filter": {"Location eq '*'"}}
		res, err := c.Do(cmd.Context(), http.MethodGet, s.ID+"/providers/Microsoft.Insights/metrics?"+query.Encode(), metricsAPIVersion, nil)
		if err != nil {
			return err
		}
		var v metricsView
		if err := res.Decode(&v); err != nil {
			return err
		}
		if *t.output == "json" {
			return printJSON(cmd.OutOrStdout(), v)
		}
		return printCapacity(cmd.OutOrStdout(), v)
	}
	return cmd
}

// printCapacity draws a sign for each minute.
func printCapacity(out io.Writer, v metricsView) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "METRIC\tLOCATION\tNOW\tAVERAGE\tMAXIMUM\tTHE LAST HOUR")
	for _, m := range v.Value {
		for _, s := range m.Series {
			now, average, most, picture := s.sum()
			where := ""
			for _, of := range s.Of {
				where = of.Value
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Name.Value, dash(where), now, average, most, picture)
		}
	}
	return w.Flush()
}

// sum is a series in words and as a picture.
func (s metricSeries) sum() (now, average, most, picture string) {
	var total, top, last float64
	var line strings.Builder
	n := 0
	for _, d := range s.Data {
		if d.Average == nil || d.Maximum == nil {
			line.WriteByte(' ')
			continue
		}
		n++
		total, top, last = total+*d.Average, max(top, *d.Maximum), *d.Average
		line.WriteString(level(int(*d.Average)))
	}
	if n == 0 {
		return "-", "-", "-", ""
	}
	percent := func(f float64) string { return fmt.Sprintf("%.0f %%", f) }
	return percent(last), percent(total / float64(n)), percent(top), strings.TrimLeft(line.String(), " ")
}
