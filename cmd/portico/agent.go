package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/fabric/local"
)

// An agentKeeper sees to it that the agent of the data folder runs, while the control plane does.
type agentKeeper struct {
	layout   config.Layout
	settings map[string]string
	logLevel string
	log      *slog.Logger
	fabric   *local.Fabric
	started  bool // by this process; set by ensure
}

func newAgentKeeper(cfg config.Up, layout config.Layout, log *slog.Logger) *agentKeeper {
	return &agentKeeper{layout: layout, settings: agentSettings(cfg), logLevel: cfg.LogLevel, log: log}
}

// agentSettings are the settings that an agent is started with and keeps until it ends.
func agentSettings(cfg config.Up) map[string]string {
	s := map[string]string{
		"edge": cfg.Edge, "edge-tls": cfg.EdgeTLS, "idle": cfg.Idle.String(), "vip-pool": "",
		"hang-time": cfg.HangTime.String(), "gap-time": cfg.GapTime.String(),
		"counters": strconv.Itoa(cfg.Counters), "cache": strconv.FormatInt(cfg.Cache>>10, 10) + "KiB",
		"machine-cores": coresText(cfg.MachineCores), "machine-memory": sizeText(cfg.MachineMemory),
		"vip-http": strconv.Itoa(cfg.VIPHTTP), "vip-https": strconv.Itoa(cfg.VIPHTTPS),
	}
	if cfg.VIPPool.IsValid() {
		s["vip-pool"] = cfg.VIPPool.String()
	}
	return s
}

// coresText is a number of cores as a setting spells it.
func coresText(n float64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

// sizeText is a size as a setting spells it.
func sizeText(n int64) string {
	if n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + "MiB"
	}
	return strconv.FormatInt(n>>10, 10) + "KiB"
}

// ensure finds the folder's agent or starts one. An agent that was started with other settings is refused: gateways
// would not be where the control plane says.
func (k *agentKeeper) ensure(ctx context.Context) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	argv := []string{exe, "host", "--data", k.layout.Dir, "--log-level", k.logLevel}
	for _, key := range slices.Sorted(maps.Keys(k.settings)) {
		if v := k.settings[key]; v != "" {
			argv = append(argv, "--"+key, v)
		}
	}
	spawn := agent.Detached(k.layout, argv...)
	found, err := agent.Ensure(ctx, k.layout, func() (<-chan error, error) {
		k.started = true
		return spawn()
	})
	if err != nil {
		return err
	}
	first := k.fabric == nil
	if first {
		k.fabric = found // connects when it is called: good for every agent that comes after
	} else {
		found.Close()
	}
	info, err := k.fabric.Ping(ctx)
	if err != nil {
		return fmt.Errorf("ask the agent: %w", err)
	}
	if err := k.agree(info.Settings); err != nil || info.Version == buildVersion() || !first {
		return err
	}
	return k.renew(ctx, exe, info.Version)
}

// renew makes an agent of another build run this one's program. Gateways do not notice. Where that cannot be, the agent
// goes on as it is. A control plane does so when it starts: one that comes later was put there by somebody.
func (k *agentKeeper) renew(ctx context.Context, program, version string) error {
	err := agent.Replace(ctx, k.layout, program)
	var refused *local.Error
	switch {
	case errors.As(err, &refused):
		k.log.WarnContext(ctx, "the agent stays another version's", slog.String("version", version), slog.Any("error", err))
		return nil
	case err != nil:
		return err
	}
	k.log.InfoContext(ctx, "the agent was another version's; it runs this one now", slog.String("was", version))
	return nil
}

// agree compares the settings of the running agent with those asked for.
func (k *agentKeeper) agree(running map[string]string) error {
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(k.settings)) {
		if have, ok := running[key]; ok && have != k.settings[key] {
			differ = append(differ, fmt.Sprintf("--%s is %s, not %s", key, given(have), given(k.settings[key])))
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return fmt.Errorf("gateways still run on %s with other settings: %s; start with the same settings, or stop them first with `portico down --data %s`",
		k.layout.Dir, strings.Join(differ, ", "), k.layout.Dir)
}

func given(value string) string {
	if value == "" {
		return "unset"
	}
	return value
}

// Pauses between attempts to start an agent.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
)

// run starts another agent whenever the one there is has ended. The new one takes over what the old one left; the
// hosting controller notices that it is another and tells it everything again.
func (k *agentKeeper) run(ctx context.Context) error {
	pause := firstPause
	for {
		// Nothing ever reaches this number: the call returns when the agent is gone.
		_, err := k.fabric.Wait(ctx, math.MaxInt64)
		if errors.Is(err, local.ErrUnavailable) {
			if err = k.ensure(ctx); err == nil {
				k.log.WarnContext(ctx, "the agent had ended; a new one runs")
				pause = firstPause
				continue
			}
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to end
		}
		k.log.ErrorContext(ctx, "the agent does not run", slog.Any("error", err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// undo stops an agent that this process started for a control plane that could not be.
func (k *agentKeeper) undo() error {
	if !k.started {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return agent.StopAll(ctx, k.layout)
}
