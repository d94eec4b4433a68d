package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/hosting/rollout"
	"github.com/portico-dev/portico/internal/platform"
)

const (
	rolledOut = "bench-next" // version that is rolled out
	bakes     = 30 * time.Second
)

// measureRollout rolls another build of the gateway out over many Consumption services, which share one pool.
func measureRollout(bin string, services int) (rows []result, err error) {
	ctx := context.Background()
	h, err := startWithGroup(ctx, bin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	if _, err := h.createMany(ctx, services); err != nil {
		return nil, err
	}
	next := filepath.Join(h.dir, "next")
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.version="+rolledOut, "-o", next, "./cmd/portico").CombinedOutput(); err != nil { //nolint:gosec // ours
		return nil, fmt.Errorf("build: %w: %s", err, out)
	}
	if out, err := exec.Command(bin, "gateway", "install", next, "--data", h.dir).CombinedOutput(); err != nil { //nolint:gosec // ours
		return nil, fmt.Errorf("install: %w: %s", err, out)
	}
	before, err := h.busy(bakes)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if _, err := h.client.Do(ctx, http.MethodPost, "/portico/rollouts", "", object{
		"version": rolledOut, "ignoreWindows": true, "groups": []object{{"share": 100, "bake": "PT1H"}},
	}); err != nil {
		return nil, err
	}
	started := ms(time.Since(begin))
	var took float64
	for took == 0 {
		time.Sleep(5 * time.Second) // whoever looks has all services read
		res, err := h.client.Do(ctx, http.MethodGet, "/portico/rollouts", "", nil)
		if err != nil {
			return nil, err
		}
		var list struct{ Value []rollout.View }
		if err := res.Decode(&list); err != nil {
			return nil, err
		}
		switch v := list.Value[0]; {
		case v.State != rollout.Running:
			return nil, fmt.Errorf("the rollout is %s: %s", v.State, v.Reason)
		case !v.BakeUntil.IsZero():
			took = time.Since(begin).Seconds()
		case time.Since(begin) > time.Hour:
			return nil, fmt.Errorf("%d %% after an hour", v.Percent)
		}
	}
	baking, err := h.busy(bakes)
	if err != nil {
		return nil, err
	}
	return []result{
		{name: fmt.Sprintf("answer to the start of a rollout, %d Consumption services", services), unit: "ms", samples: []float64{started}},
		{name: "until all of them are upgraded", unit: "s", samples: []float64{took}},
		{name: "processor time of the control plane before", unit: "% of a core", samples: []float64{before}},
		{name: "processor time of the control plane while it bakes", unit: "% of a core", samples: []float64{baking}},
	}, nil
}

// busy is how busy the control plane is for a while, in percent of a core, once it has become quiet.
func (h *host) busy(while time.Duration) (float64, error) {
	time.Sleep(while / 3)
	before, err := ticks(h.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	time.Sleep(while)
	after, err := ticks(h.cmd.Process.Pid)
	const perSecond = 100 // of the kernel's
	return 100 * float64(after-before) / perSecond / while.Seconds(), err
}

// ticks is the processor time that a process has used, in hundredths of a second.
func ticks(pid int) (int, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	const user, system = 11, 12
	u, err := strconv.Atoi(f[user])
	s, err2 := strconv.Atoi(f[system])
	return u + s, errors.Join(err, err2)
}

// rollOut rolls a version out over the crowd and gives how long that takes in seconds, and how busy this process is while it
// bakes, in percent of a core.
func (c *crowd) rollOut() (took, busy float64, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	x := rollout.New(c.st, c.ctl, slog.New(slog.DiscardHandler), rollout.Options{Gateway: "bench"})
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	defer func() { cancel(); err = errors.Join(err, <-ended) }()
	begin := time.Now()
	if _, err := x.Start(ctx, rollout.Ask{Version: rolledOut, AnyTime: true, Groups: []rollout.Group{{Share: 100, Bake: time.Hour}}}); err != nil {
		return 0, 0, err
	}
	for {
		time.Sleep(200 * time.Millisecond)
		all, err := x.List(ctx)
		if err != nil {
			return 0, 0, err
		}
		if v := all[0]; !v.BakeUntil.IsZero() {
			break
		} else if v.State != rollout.Running || time.Since(begin) > settleFor {
			return 0, 0, fmt.Errorf("the rollout is %s with %d %%: %s", v.State, v.Percent, v.Reason)
		}
	}
	took = time.Since(begin).Seconds()
	time.Sleep(restTime)
	began, before := time.Now(), processorTime()
	time.Sleep(2 * restTime)
	return took, 100 * float64(processorTime()-before) / float64(time.Since(began)), nil
}

// reportVersion has machines in process say that they run what they should.
func reportVersion(m fabric.MachineConfig, s *platform.MachineStatus) { s.Gateway = m.Machine.Gateway }
