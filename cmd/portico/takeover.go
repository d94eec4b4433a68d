package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

// A control plane is upgraded in three steps. While it works on, another program is asked whether it could do so: whether
// it takes the settings and reads the store. Then this process lets go of its work and has the program try, with all
// sockets, until it is ready; it works on probation for a while (trial.go) and ends again. Only a program that has done so
// takes the place of this one, by exec: the process stays the same for whoever watches it. One that fails is followed by the
// program there was.

// upgradePath is where the control plane is told to upgrade itself.
const upgradePath = "/portico/upgrade"

// Variables of the environment between two control planes.
const (
	trialEnv  = "PORTICO_TRIAL"          // set: get ready with the sockets of the parent, work for as long as it says, and end
	failedEnv = "PORTICO_UPGRADE_FAILED" // why the program that was to take over did not
)

// Bounds of an upgrade.
const (
	checkTime     = 30 * time.Second // for a program to say whether it could
	defaultWithin = time.Minute      // for it to get ready
	maxWithin     = time.Hour
	defaultWatch  = 10 * time.Minute
	maxWatch      = 24 * time.Hour
)

// A takeover is a program that is to take the place of this one.
type takeover struct {
	program string
	version string
	within  time.Duration // for it to get ready
	watch   time.Duration // how long it works on probation
}

// upgradeSelf has another program take over, after it has answered.
func (c *controlPlane) upgradeSelf(ctx context.Context, body []byte) (any, *arm.Error) {
	var in struct {
		File   string `json:"file"`
		Within string `json:"within"` // ISO 8601; a minute when left out
		Watch  string `json:"watch"`  // ISO 8601; ten minutes when left out
	}
	if err := json.Unmarshal(body, &in); err != nil || !filepath.IsAbs(in.File) {
		return nil, &arm.Error{Status: http.StatusBadRequest, Code: "InvalidRequestContent", Message: "'file' is required: the absolute path of a program on the host."}
	}
	within, watch := defaultWithin, defaultWatch
	if in.Within != "" {
		var err error
		if within, err = pace.ParseDuration(in.Within); err != nil || within <= 0 || within > maxWithin {
			return nil, badRollout("'within' is a duration such as PT1M, an hour at most.")
		}
	}
	if in.Watch != "" {
		var err error
		if watch, err = pace.ParseDuration(in.Watch); err != nil || watch < 0 || watch > maxWatch {
			return nil, badRollout("'watch' is a duration such as PT10M, a day at most.")
		}
	}
	v, err := c.gateways.Install(ctx, in.File)
	if err != nil {
		return nil, cannotTakeOver(err.Error())
	}
	answer := map[string]string{"version": v.Name, "was": buildVersion()}
	if v.Name == buildVersion() {
		return answer, nil
	}
	if !c.probation.IsZero() {
		return nil, &arm.Error{Status: http.StatusConflict, Code: "UpgradeConflict", Message: fmt.Sprintf("The control plane runs %s on probation until %s; `portico restart` ends that sooner.", buildVersion(), c.probation.Format(time.DateTime))}
	}
	program, err := c.gateways.Program(v.Name)
	if err != nil {
		return nil, cannotTakeOver(err.Error())
	}
	if err := askProgram(ctx, program); err != nil {
		c.log.WarnContext(ctx, "upgrade refused", slog.String("version", v.Name), slog.Any("error", err))
		return nil, cannotTakeOver(fmt.Sprintf("%s cannot take over: %s", v.Name, err))
	}
	select {
	case c.upgrades <- takeover{program, v.Name, within, watch}:
	default:
		return nil, &arm.Error{Status: http.StatusConflict, Code: "UpgradeConflict", Message: "The control plane is being upgraded already."}
	}
	c.log.InfoContext(ctx, "upgrade begins", slog.String("version", v.Name), slog.String("was", buildVersion()))
	return answer, nil
}

func cannotTakeOver(message string) *arm.Error {
	return &arm.Error{Status: http.StatusBadRequest, Code: "InvalidControlPlane", Message: message}
}

// askProgram asks a program whether it could be this control plane: with its settings, on its store.
func askProgram(ctx context.Context, program string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(os.Args[1:], "--check")...) //nolint:gosec // an operator has put it there
	cmd.WaitDelay = time.Second
	words := &ending{}
	cmd.Stderr = words
	if err := cmd.Run(); err != nil {
		return errors.New(words.or(err))
	}
	return nil
}

// check says whether this program could be the control plane of a folder.
func check(ctx context.Context, cfg config.Up, out io.Writer) error {
	layout, err := existing(cfg.Data)
	if err != nil {
		return err
	}
	if err := sqlite.Check(ctx, layout.DB()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, buildVersion())
	return err
}

// ending keeps the last words of a program.
type ending struct{ bytes.Buffer }

func (e *ending) Write(p []byte) (int, error) {
	const most = 64 << 10
	if e.Len() > most {
		e.Next(e.Len() - most/2)
	}
	return e.Buffer.Write(p)
}

// or is the last line, or what the error says when there is none.
func (e *ending) or(err error) string {
	lines := strings.Split(strings.TrimSpace(e.String()), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return strings.TrimPrefix(last, "portico: ")
	}
	return err.Error()
}

// environment is that of this process without what passes between control planes.
func environment() (env []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if name != inheritEnv && name != trialEnv && name != failedEnv {
			env = append(env, v)
		}
	}
	return env
}

func upgradeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "upgrade [FILE]", Short: "replace the control plane, agent and edge by another build of the program; gateways do not notice",
		Long: `Has the control plane that runs on this host replace itself by another build of the
program, which is installed as a version of the gateway as well. The new program
is asked whether it takes the settings and reads the store, then it gets ready once
with all sockets; only then it takes over, on probation: when it ends or no longer
answers within --watch, the program there was comes back. Requests wait during
each change; none fails. Services stay on their gateways until ` + "`portico gateway rollout`" + `.`,
		Example: "  portico upgrade ./portico-1.3",
		Args:    cobra.MaximumNArgs(1),
	}
	dir := dataFlag(cmd)
	within := cmd.Flags().Duration("within", defaultWithin, "how long the new program may take to get ready")
	watch := cmd.Flags().Duration("watch", defaultWatch, "how long it works on probation: the program there was comes back if it ends meanwhile; 0 for not at all")
	status := cmd.Flags().Bool("status", false, "change nothing: show which program runs, and what became of the last upgrade")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *status && len(args) == 0:
			return printTenant(cmd.OutOrStdout(), *dir)
		case *status || len(args) == 0:
			return errors.New("upgrade takes a FILE, or --status without one")
		}
		file, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		return upgradeControlPlane(cmd, *dir, file, *within, *watch)
	}
	return cmd
}

// printTenant shows which program is the control plane.
func printTenant(out io.Writer, dir string) error {
	layout, err := existing(dir)
	if err != nil {
		return err
	}
	now, ok, err := current(layout)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("no control plane runs on %s, or none is ready", layout.Dir)
	case now.Failed != "":
		_, err = fmt.Fprintf(out, "the control plane runs %s, after an upgrade was undone: %s\n", now.Version, now.Failed)
	case !now.Until.IsZero():
		_, err = fmt.Fprintf(out, "the control plane runs %s, on probation until %s\n", now.Version, moment(now.Until))
	default:
		_, err = fmt.Fprintf(out, "the control plane runs %s\n", now.Version)
	}
	return err
}

func upgradeControlPlane(cmd *cobra.Command, dir, file string, within, watch time.Duration) error {
	layout, err := existing(dir)
	if err != nil {
		return err
	}
	before, ok, err := current(layout)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("no control plane runs on %s: start one of the new program with `portico up --data %s`", layout.Dir, layout.Dir)
	}
	c, err := armclient.Open(dir)
	if err != nil {
		return err
	}
	res, err := c.Do(cmd.Context(), http.MethodPost, upgradePath, "", object{"file": file, "within": pace.FormatDuration(within), "watch": pace.FormatDuration(watch)})
	if err != nil {
		return err
	}
	var answer struct{ Version, Was string }
	if err := res.Decode(&answer); err != nil {
		return err
	}
	if answer.Version == answer.Was {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "the control plane runs %s already\n", answer.Was)
		return err
	}
	const rest = time.Minute // for the two that start after the trial
	var now tenant
	err = poll(cmd.Context(), within+rest, func() (bool, error) {
		now, ok, err = current(layout)
		return ok && now.Ready.After(before.Ready), err
	})
	switch {
	case err != nil:
		return fmt.Errorf("the control plane has not come back: %w; see its output", err)
	case now.Failed != "":
		return fmt.Errorf("%s (%s runs on)", now.Failed, answer.Was)
	}
	if _, err = fmt.Fprintf(cmd.OutOrStdout(), "the control plane runs %s, before it ran %s\n", now.Version, answer.Was); err == nil && !now.Until.IsZero() {
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "it is on probation until %s: when it ends before that, %s comes back\n", moment(now.Until), answer.Was)
	}
	return err
}
