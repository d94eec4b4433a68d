package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/control/activity"
	"github.com/portico-dev/portico/internal/control/identity"
	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/control/publish"
	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/gateways"
	"github.com/portico-dev/portico/internal/hosting/rollout"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/secret"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

func upCommand() *cobra.Command {
	checks := false
	cmd := &cobra.Command{
		Use:   "up",
		Short: "run Portico on this host; Ctrl-C drains and stops everything",
		Long: `Runs the control plane, and starts the agent that runs the gateways if none does.
Killed with -9, agent, edge and gateways go on serving, and the next ` + "`portico up`" + `
on the same folder finds them again.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := settings(cmd)
			if err != nil {
				return err
			}
			if checks {
				return check(cmd.Context(), cfg, cmd.OutOrStdout())
			}
			return runUp(cmd.Context(), cfg, cmd.OutOrStdout())
		},
	}
	settingFlags(cmd)
	cmd.Flags().BoolVar(&checks, "check", false, "say whether this program could take over, and end")
	return cmd
}

// runUp runs the control plane until ctx ends, which stops everything, or SIGHUP comes, which replaces this process by
// a new one of the same program, or another program is to take over.
func runUp(ctx context.Context, cfg config.Up, out io.Writer) error {
	begin := time.Now()
	debug.SetGCPercent(50) // a small heap that is collected often keeps the process small
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	layout, err := config.OpenLayout(cfg.Data)
	if err != nil {
		return err
	}
	files := inherited()
	trial, undone := os.Getenv(trialEnv), os.Getenv(failedEnv)
	tenure, err := takeTenure(layout, files["lock"], trial != "")
	if err != nil {
		return err
	}
	defer tenure.end()
	c, err := open(ctx, cfg, layout, files, logger(cfg.LogLevel))
	if err != nil {
		return err
	}
	_, _ = os.Unsetenv(trialEnv), os.Unsetenv(failedEnv) // not for processes that are started from now on
	running, stop := context.WithCancel(ctx)
	defer stop()
	c.begin(trial)
	adopted := !c.agent.started
	failed := c.run(running)
	if trial != "" {
		err := c.onTrial(running, tenure, files[tetherName], failed)
		c.farewell.part(ctx)
		stop()
		return errors.Join(err, c.close())
	}
	go tidy(running)
	if err := tenure.ready(undone); err != nil {
		return errors.Join(err, c.close())
	}
	if undone != "" {
		c.log.ErrorContext(ctx, "upgrade undone: this program runs on", slog.String("reason", undone))
	}
	fmt.Fprintf(out, "portico ready in %d ms\n", time.Since(begin).Milliseconds())
	greet(out, cfg, c.endpoints, adopted, c.gatewaysBehind(ctx))
	c.log.InfoContext(ctx, "control plane ready", slog.String("arm", c.endpoints.ARM), slog.String("data", layout.Dir), slog.String("version", buildVersion()))

	var next *takeover
	select {
	case <-ctx.Done():
	case <-hup:
		next = &takeover{}
	case to := <-c.upgrades:
		next = &to
	case err = <-failed:
	}
	if next != nil {
		if err = c.succeed(ctx, stop, tenure, *next, hup); ctx.Err() == nil {
			return err
		}
	} else {
		stop()
		err = errors.Join(err, c.close())
	}
	drain, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return errors.Join(err, agent.StopAll(drain, layout))
}

// stopTimeout bounds the draining of all gateways. The agent itself gives each machine less.
const stopTimeout = 90 * time.Second

// greet says what to try next, to a person who sees it.
func greet(out io.Writer, cfg config.Up, e armclient.Endpoints, adopted bool, behind int) {
	found := ""
	if adopted {
		found = "\nThe gateways that ran on this folder go on serving.\n"
	}
	if behind > 0 {
		found += fmt.Sprintf("\nGateways of %s stay on another version until `%s service upgrade --all --to %s`.\n", count(behind, "service"), self(), buildVersion())
	}
	data := ""
	if cfg.Data != "./portico-data" {
		data = " --data " + cfg.Data
	}
	fmt.Fprintf(out, `
ARM   %s
edge  %s
data  %s
%s
Try, in another terminal:
  %[5]s service create shop%[6]s
  %[5]s api import openapi.yaml --service shop --path books%[6]s
  %[5]s service list%[6]s
`, e.ARM, e.Edge, cfg.Data, found, self(), data)
}

// A controlPlane is everything of this process.
type controlPlane struct {
	cfg        config.Up
	layout     config.Layout
	log        *slog.Logger
	agent      *agentKeeper
	gateways   gateways.Gateways
	store      *sqlite.Store
	clock      *pace.Clock
	activity   *activity.Log
	metrics    *metric.History
	authority  *identity.Authority
	ca         *identity.CA
	hosts      *identity.HostCertificates
	publisher  *publish.Publisher
	controller *hosting.Controller
	rollouts   *rollout.Runner
	engine     *lro.Engine
	management *management.Handler
	endpoints  armclient.Endpoints
	listeners  listeners
	servers    []*http.Server
	farewell   farewell
	upgrades   chan takeover // what is to take over next
	probation  time.Time     // when that of this program ends; zero for none
	work       sync.WaitGroup
}

// open builds the parts. The agent starts meanwhile: a process takes longer than all the rest. So does the copy of this
// program that machines run, which is made at the first start of a version.
func open(ctx context.Context, cfg config.Up, layout config.Layout, files map[string]*os.File, log *slog.Logger) (*controlPlane, error) {
	key, err := secret.LoadOrCreateKey(layout.Keys())
	if err != nil {
		return nil, err
	}
	sealer, err := secret.NewSealer(key)
	if err != nil {
		return nil, err
	}
	c := &controlPlane{cfg: cfg, layout: layout, log: log, upgrades: make(chan takeover, 1), agent: newAgentKeeper(cfg, layout, log.With(slog.String("part", "agent")))}
	c.gateways = gateways.Open(layout.Gateways())
	agentErr, keepErr := make(chan error, 1), make(chan error, 1)
	go func() { agentErr <- c.agent.ensure(ctx) }()
	go func() { keepErr <- c.keepGateway() }()
	stateErr := c.openState(ctx, sealer, files)
	if err := errors.Join(stateErr, <-agentErr, <-keepErr); err != nil {
		if stateErr == nil {
			err = errors.Join(err, c.close())
		}
		return nil, errors.Join(err, c.agent.undo())
	}
	if err := c.assemble(ctx, sealer, c.agent.fabric); err != nil {
		return nil, errors.Join(err, c.close(), c.agent.undo())
	}
	return c, nil
}

func (c *controlPlane) openState(ctx context.Context, sealer *secret.Sealer, files map[string]*os.File) (err error) {
	if c.store, err = sqlite.Open(ctx, c.layout.DB(), sqlite.Options{}); err != nil {
		return err
	}
	if c.clock, err = pace.Open(ctx, c.store, c.cfg.Pace); err != nil {
		return errors.Join(err, c.store.Close())
	}
	if c.activity, err = activity.Open(c.layout.Activity(), activity.Options{}); err != nil {
		return errors.Join(err, c.store.Close())
	}
	if c.listeners, err = listen(c.layout, c.cfg, files); err != nil {
		return errors.Join(err, c.store.Close())
	}
	hosts := []string{hostOf(c.cfg.ARM), hostOf(c.cfg.ARMTLS)}
	if c.authority, err = identity.Open(c.layout.Dir, identity.Options{Hosts: hosts}); err != nil {
		return errors.Join(err, c.store.Close())
	}
	if c.ca, err = identity.OpenCA(c.layout.CA(), hosts, c.log); err != nil {
		return errors.Join(err, c.store.Close())
	}
	c.hosts = identity.NewHostCertificates(c.store, c.ca, sealer, c.log)
	return nil
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address) // config has checked it
	return host
}

func (c *controlPlane) serve(l net.Listener, s *http.Server, failed chan<- error) {
	c.servers = append(c.servers, s)
	c.work.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
	})
}

// run starts everything that goes on. The channel gets the error of the first part that ends by itself.
func (c *controlPlane) run(ctx context.Context) <-chan error {
	failed := make(chan error, 16)
	for name, part := range map[string]func(context.Context) error{
		"publish": c.publisher.Run, "hosting": c.controller.Run, "rollouts": c.rollouts.Run, "operations": c.engine.Run,
		"certificates": c.hosts.Run, "management": c.management.Run, "agent": c.agent.run,
	} {
		c.work.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	h := c.farewell.handler(c.handler())
	errLog := slog.NewLogLogger(c.log.Handler(), slog.LevelDebug)
	const headTime = 30 * time.Second
	plain, sealed := c.farewell.listener(c.listeners.arm), c.farewell.listener(c.listeners.armTLS)
	c.serve(plain, &http.Server{Handler: h, ReadHeaderTimeout: headTime, ErrorLog: errLog, ConnState: c.farewell.state}, failed)
	c.serve(withTLS(sealed, c.ca.GetCertificate), &http.Server{Handler: h, ReadHeaderTimeout: headTime, ErrorLog: errLog, ConnState: c.farewell.state}, failed)
	c.serve(c.listeners.publish, &http.Server{Handler: c.publisher.Handler(), ReadHeaderTimeout: headTime, ErrorLog: errLog}, failed)
	return failed
}

// close ends requests and work, then the store. The gateways do not notice.
func (c *controlPlane) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var errs []error
	for _, s := range c.servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, s.Close())
		}
	}
	c.work.Wait()
	return errors.Join(append(errs, c.activity.Close(), c.store.Close())...)
}

// succeed hands sockets and lock to a new process, which takes this one's place: of another program that has shown that
// it can, or of the same one. What clients send meanwhile waits in the kernel. It returns when that cannot be, or ctx ends
// first.
func (c *controlPlane) succeed(ctx context.Context, stop func(), t *tenure, to takeover, hup <-chan os.Signal) error {
	var next successor
	for name, l := range map[string]net.Listener{"arm": c.listeners.arm, "armTls": c.listeners.armTLS, "publish": c.listeners.publish} {
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		if err := next.add(name, l.(interface{ File() (*os.File, error) })); err != nil {
			stop()
			return errors.Join(err, c.close())
		}
	}
	if err := next.add("lock", t); err != nil {
		stop()
		return errors.Join(err, c.close())
	}
	c.farewell.part(ctx)
	stop()
	err := c.close()
	if to.program == "" {
		return errors.Join(err, next.exec("", ""))
	}
	failed := c.trial(ctx, next, to, hup)
	if ctx.Err() != nil {
		return err
	}
	if failed == nil {
		failed = next.exec(to.program, "") // does not return when it can
	}
	before, perr := c.gateways.Program(buildVersion()) // what lies at the path of this one may be another by now
	return errors.Join(err, perr, next.exec(before, to.version+": "+failed.Error()))
}

// writeEndpoints tells where everything listens.
func (c *controlPlane) writeEndpoints() error {
	data, err := json.MarshalIndent(c.endpoints, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(c.layout.Endpoints(), append(data, '\n'))
}

// replaceFile writes a file whole or not at all, readable by its owner.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
