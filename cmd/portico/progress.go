package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

// A progress shows how far long work is: as a bar where a person looks on, in lines elsewhere.
type progress struct {
	out      io.Writer
	what     string
	terminal bool
	begun    time.Time
	drawn    bool // a bar is on the line
	told     int  // the percentage of the last line
}

// Lines say something about work that takes its time alone: after a second, and again for each tenth of it.
const (
	quick     = time.Second
	lineSteps = 10
)

func newProgress(w io.Writer, what string) *progress {
	f, ok := w.(*os.File)
	if ok {
		info, err := f.Stat()
		ok = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return &progress{out: w, what: what, terminal: ok, begun: time.Now(), told: -lineSteps}
}

func (p *progress) step(percent int) { p.show(percent, time.Since(p.begun)) }

func (p *progress) show(percent int, took time.Duration) {
	switch {
	case p.terminal:
		const width = 30
		fmt.Fprintf(p.out, "\r%s %s %3d %% %s", p.what, bar(percent, width), percent, took.Round(100*time.Millisecond))
		p.drawn = true
	case took >= quick && percent >= p.told+lineSteps:
		fmt.Fprintf(p.out, "%s: %d %% after %s\n", p.what, percent, took.Round(time.Second))
		p.told = percent
	}
}

// end leaves the line of the bar, so that what follows begins on its own.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprintln(p.out)
	}
}

// bar draws how much of something is done.
func bar(percent, width int) string {
	full := width * min(max(percent, 0), 100) / 100
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

// run sends a request that may be long-running, and shows its progress.
func run(cmd *cobra.Command, c *armclient.Client, what, method, path, apiVersion string, body any) (*armclient.Response, error) {
	p := newProgress(cmd.ErrOrStderr(), what)
	res, err := c.Run(cmd.Context(), method, path, apiVersion, body, p.step)
	p.end()
	if errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("%s: not waited for any longer; what the platform has taken on goes on, as `portico operations` shows", what)
	}
	return res, err
}
