package main

import (
	"strings"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	steps := []struct {
		percent int
		took    time.Duration
	}{{0, 0}, {20, 900 * time.Millisecond}, {25, time.Second}, {31, 2 * time.Second}, {35, 2400 * time.Millisecond}, {100, 61 * time.Second}}
	for terminal, want := range map[bool]string{
		true: "\rscale shop [..............................]   0 % 0s\rscale shop [######........................]  20 % 900ms\rscale shop [#######.......................]  25 % 1s" +
			"\rscale shop [#########.....................]  31 % 2s\rscale shop [##########....................]  35 % 2.4s\rscale shop [##############################] 100 % 1m1s\n",
		false: "scale shop: 25 % after 1s\nscale shop: 35 % after 2s\nscale shop: 100 % after 1m1s\n",
	} {
		var out strings.Builder
		p := newProgress(&out, "scale shop")
		p.terminal = terminal
		for _, s := range steps {
			p.show(s.percent, s.took)
		}
		if p.end(); out.String() != want {
			t.Errorf("terminal %v:\n got %q\nwant %q", terminal, out.String(), want)
		}
	}
}
