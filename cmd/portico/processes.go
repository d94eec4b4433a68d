package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/counters"
	"github.com/portico-dev/portico/internal/gateway/backend"
	"github.com/portico-dev/portico/internal/gateway/cache"
	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/feed"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/gateway/statement"
	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/edge"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/hosting/gateways"
	"github.com/portico-dev/portico/internal/hosting/guest"
	"github.com/portico-dev/portico/internal/load"
	"github.com/portico-dev/portico/internal/meter"
	"github.com/portico-dev/portico/internal/secret"
	"github.com/portico-dev/portico/internal/snapshot"
)

// The commands of this file are started by Portico itself: the agent by `portico up`, edge and machines by the agent.
// All of them take --data, so that a process list shows which folder they belong to.

// publishSocket is the name of the socket on which the control plane publishes configuration.
const publishSocket = "publish.sock"

func logger(level string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // config has checked it; otherwise info
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
}

func hostCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "host", Short: "run the agent of a data folder (started by portico up)", Hidden: true, Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := settings(cmd)
			if err != nil {
				return err
			}
			return runHost(cmd.Context(), cfg)
		},
	}
	settingFlags(cmd)
	return cmd
}

func runHost(ctx context.Context, cfg config.Up) error {
	layout, err := config.OpenLayout(cfg.Data)
	if err != nil {
		return err
	}
	key, err := secret.LoadOrCreateKey(layout.Keys())
	if err != nil {
		return err
	}
	publish, err := layout.Socket(publishSocket)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	go tidy(ctx)
	return agent.Run(ctx, agent.Options{
		Layout: layout, VIPHTTP: cfg.VIPHTTP, VIPHTTPS: cfg.VIPHTTPS, Pool: cfg.VIPPool,
		EdgeHTTP: cfg.Edge, EdgeTLS: cfg.EdgeTLS, Settings: agentSettings(cfg),
		Command: func(kind, version string) ([]string, error) {
			program := exe
			if version != "" {
				var err error
				if program, err = gateways.Open(layout.Gateways()).Program(version); err != nil {
					return nil, err
				}
			}
			// Every version of the gateway takes these flags.
			return []string{program, kind, "--data", layout.Dir, "--log-level", cfg.LogLevel, "--idle", cfg.Idle.String()}, nil
		},
		Publish: publish, Key: key, CounterKeys: cfg.Counters, CacheSize: cfg.Cache, HangTime: cfg.HangTime, GapTime: cfg.GapTime, Hardware: cfg.Hardware(), Version: buildVersion(), Log: logger(cfg.LogLevel),
	})
}

func edgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "edge", Short: "run the edge (started by the agent)", Hidden: true, Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := settings(cmd)
			if err != nil {
				return err
			}
			debug.SetGCPercent(50) // a small heap that is collected often keeps the process small
			go tidy(cmd.Context())
			return edge.Run(cmd.Context(), edge.Options{Version: buildVersion(), Log: logger(cfg.LogLevel)})
		},
	}
	settingFlags(cmd)
	return cmd
}

// machineCommand is a machine when the agent starts it, and what people do to machines.
func machineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "machine", Short: "work with single machines", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := settings(cmd)
			if err != nil {
				return err
			}
			return runMachine(cmd.Context(), cfg, logger(cfg.LogLevel))
		},
	}
	settingFlags(cmd)
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Hidden = true }) // they are the agent's
	cmd.AddCommand(killCommand())
	return cmd
}

// loadEvery is how often a machine reports its load.
const loadEvery = 500 * time.Millisecond

// runMachine ties the three parts of a machine together: the guest gives it listeners, the feed configuration, and the
// engine serves.
func runMachine(ctx context.Context, cfg config.Up, log *slog.Logger) error {
	g, err := guest.Attach(log)
	if err != nil {
		return err
	}
	m := g.Config()
	g.Runs(buildVersion())
	if m.Memory > 0 {
		debug.SetMemoryLimit(m.Memory)
	}
	log = log.With(slog.String("machine", m.Machine.ID))
	var srv *engine.Server
	f, err := feed.New(feed.Options{
		Machine: m.Machine.ID, Service: m.Service, Location: m.Location, Socket: m.Publish, Cache: m.Cache, Key: m.Key,
		Apply: func(b service.Bundle) ([]snapshot.Refusal, error) {
			refused, err := srv.Apply(b)
			switch {
			case err != nil && len(refused) > 0:
				g.Refused(refusal(refused))
			case err != nil:
				g.Refused(err.Error())
			}
			return refused, err
		},
		Drop: func(id string) { srv.Drop(id) },
		Served: func(st feed.Status) {
			g.Refused(refusal(st.Refused))
			g.Ready(st.Seq, st.Digest)
		},
		AskFirst: m.Woken, Log: log,
	})
	if err != nil {
		return err
	}
	opt := engine.Options{
		Machine: m.Machine.ID, Gateway: buildVersion(), Platform: string(m.Platform), Seq: f.Seq, Log: log,
		Compiler: &service.Compiler{
			Builders: statement.All(statement.Env{Pool: backend.NewPool(backend.PoolOptions{}), Cache: cache.New(m.CacheSize)}),
			Counters: openCounters(m, log), Location: m.Location,
		},
		Activation: engine.ActivationOptions{Idle: cfg.Idle},
	}
	if m.Service == "" {
		opt.Catalogue = f
	}
	metered, stopMeter, err := startMeter(m, log)
	if err != nil {
		return err
	}
	defer stopMeter()
	opt.Meter = metered
	srv = engine.New(opt)
	defer srv.Close() //nolint:errcheck // the process ends

	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	following.Go(func() {
		if err := f.Run(ctx); err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "configuration is no longer followed", slog.Any("error", err))
		}
	})
	go reportLoad(ctx, g, srv, m)
	go tidy(ctx)
	return g.Run(ctx, srv)
}

// startMeter counts the calls of each service of an mtv1 worker, until stop, which keeps what was counted.
func startMeter(m fabric.MachineConfig, log *slog.Logger) (count func(service string), stop func(), err error) {
	if m.Service != "" || m.Metering == "" {
		return nil, func() {}, nil
	}
	mt, err := meter.Open(m.Metering, m.Machine.ID)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			err := mt.Run(ctx)
			if err == nil || ctx.Err() != nil {
				return
			}
			log.Error("calls are counted in memory alone", slog.Any("error", err))
		}
	}()
	return mt.Count, func() { cancel(); <-done }, nil
}

// openCounters opens the counters that the machines of a service share. mtv1 workers have many services with few callers.
func openCounters(m fabric.MachineConfig, log *slog.Logger) func(string) (*counters.Table, error) {
	if m.Counters == "" {
		log.Warn("the agent is older and has no folder for counters: this machine counts on its own")
		return nil
	}
	keys := m.CounterKeys
	if m.Service == "" {
		keys = max(1, keys/8)
	}
	folder := counters.Folder{Dir: m.Counters, Location: m.Location, Options: counters.Options{Keys: keys}}
	return func(service string) (*counters.Table, error) {
		t, err := folder.Open(service)
		if err != nil {
			log.Error("calls that are limited are refused", slog.String("service", service), slog.Any("error", err))
		}
		return t, err
	}
}

// refusal says what a machine cannot serve: the first part with its reason, and how many others there are.
func refusal(parts []snapshot.Refusal) string {
	switch n := len(parts); n {
	case 0:
		return ""
	case 1:
		return parts[0].ID + ": " + parts[0].Reason
	default:
		return fmt.Sprintf("%s: %s (and %d more)", parts[0].ID, parts[0].Reason, n-1)
	}
}

// reportLoad tells the agent how busy the machine is; the guest sends only what has changed.
func reportLoad(ctx context.Context, g *guest.Guest, srv *engine.Server, m fabric.MachineConfig) {
	meter := load.NewMeter(load.Bounds{Cores: m.Cores, Memory: m.Memory, Conns: srv.MaxConns()})
	tick := time.NewTicker(loadEvery)
	defer tick.Stop()
	for {
		n := srv.Stats()
		l := guest.Load{Active: n.Active, Conns: n.Conns, Uses: meter.Read(n.Conns), Answers: n.Answers}
		l.Uses.Queue = max(l.Uses.Queue, g.Queued())
		if g.Config().Service == "" {
			l.Requests = n.Requests
		}
		g.Report(l)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
