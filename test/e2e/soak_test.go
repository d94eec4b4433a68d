package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/portico-dev/portico/internal/demo/bookshop"
	"github.com/portico-dev/portico/internal/demo/load"
)

// A scenario is a change that callers do not notice: no request fails, and no connection is cut but those that a killed
// process held.
type scenario struct {
	lane string
	name string
	// set makes what is there before, aims the load at it, and returns the change: there, and back again where there is
	// a way, so that it can be made any number of times.
	set func(s *strain) (round func())
}

// laneArgs are the settings of the hosts on which scenarios run, one after the other.
var laneArgs = map[string][]string{
	"change":  nil,
	"kill":    nil,
	"move":    {"--pace", "manual", "--coexistence", "2h"}, // the window lasts as long as the scenario wants
	"retire":  nil,
	"load":    {"--pace", "x1200", "--machine-cores", "0.02"}, // by which little load is much
	"sleep":   {"--sleep", "200ms", "--idle", "100ms", "--newer-cores", "3", "--newer-memory", "512MiB"},
	"network": {"--pace", "manual", "--coexistence", "2h"},
}

// TestSoak makes the changes that are promised to be without downtime under mixed load: on kept connections and new ones,
// with large bodies and slow answers.
//
// PORTICO_SOAK is how many requests must go through each of them; the change is repeated until they have, at the rate
// that the machine gives. Without it each is made once, under light load. `make soak` is the long form.
func TestSoak(t *testing.T) {
	t.Parallel()
	form := form{least: 150, load: load.Options{Workers: 12, Rate: 300, Slow: 2}, once: true}
	if os.Getenv("PORTICO_SOAK") != "" {
		form.least, form.once = int64(number(t, "PORTICO_SOAK", 1)), false
		form.load = load.Options{Workers: 24, Rate: 1e6, Slow: 4}
	}
	var results table
	t.Cleanup(func() { fmt.Fprint(os.Stdout, results.String()) })
	for _, name := range []string{"change", "kill", "move", "retire", "load", "sleep", "network"} {
		t.Run(name, func(t *testing.T) {
			if form.once {
				t.Parallel()
			}
			l := &soakLane{t: t, args: laneArgs[name], known: map[string]load.Target{}}
			for _, sc := range slices.Concat(scenarios, networkScenarios) {
				if sc.lane == name {
					t.Run(sc.name, func(t *testing.T) { results.add(l.run(t, sc, form)) })
				}
			}
		})
	}
}

// A form is how scenarios are run.
type form struct {
	least int64 // requests
	once  bool
	load  load.Options
}

// A soakLane is a host and what is on it. It is started by the first scenario.
type soakLane struct {
	t       *testing.T
	args    []string
	host    *host
	shop    *httptest.Server
	known   map[string]load.Target // services
	made    int                    // for a round each
	backend string                 // that virtual networks reach
}

func (l *soakLane) run(t *testing.T, sc scenario, f form) (r outcome) {
	if l.host == nil {
		l.shop = httptest.NewServer(bookshop.New())
		l.t.Cleanup(l.shop.Close)
		l.host = start(l.t, l.args...)
	}
	if l.t.Failed() {
		t.Skip("an earlier scenario has left the host as it may be")
	}
	l.host.t = t
	defer func() { l.host.t = l.t }()
	s := &strain{host: l.host, lane: l, form: f}
	defer s.rest()
	round := sc.set(s)
	began := time.Now()
	for said := time.Now(); ; {
		round()
		r.rounds++
		n := s.soFar()
		if n.Failed > 0 || n.Cut > s.mayCut {
			break // it will not get better
		}
		if f.once || n.Done >= f.least {
			break
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			fmt.Fprintf(os.Stdout, "    %s: %d of %d requests, %d rounds\n", sc.name, n.Done, f.least, r.rounds)
		}
	}
	s.rest()
	r.name, r.took, r.strain = sc.name, time.Since(began), s
	s.judge()
	return r
}

// A strain is the load on a scenario.
type strain struct {
	*host
	lane   *soakLane
	form   form
	c      *load.Client
	before load.Counts // of clients that have ended
	waits  load.Waits
	texts  []string
	mayCut int64        // connections that killed processes held
	last   string       // service that only one round was about
	inside *http.Client // reaches services that are not to be reached from here; nil when they are
}

// under sends the load to these targets from now on.
func (s *strain) under(targets ...load.Target) {
	s.t.Helper()
	if s.c != nil {
		s.c.Aim(targets...)
		return
	}
	s.c = load.Start(s.form.load, targets...)
	c := s.c
	eventually(s.t, time.Minute, "load", func() bool { return c.Counts().Done > 20 })
}

// rest ends the load, once there were enough requests for one round.
func (s *strain) rest() {
	if s.c == nil {
		return
	}
	for s.soFar().Done < s.form.least && s.form.once && !s.t.Failed() {
		time.Sleep(5 * time.Millisecond) // between two looks
	}
	s.pause()
}

// pause ends the load until it is aimed again.
func (s *strain) pause() {
	s.before = s.before.Add(s.c.Stop())
	s.waits.Add(s.c.TakeWaits())
	s.texts = append(s.texts, s.c.Failures()...)
	s.c = nil
}

func (s *strain) soFar() load.Counts {
	if s.c == nil {
		return s.before
	}
	return s.before.Add(s.c.Counts())
}

func (s *strain) judge() {
	t := s.t
	t.Helper()
	n := s.before
	if n.Failed > 0 || n.Cut > s.mayCut {
		t.Errorf("%d failed, %d cut, of which killed processes held %d:\n%s", n.Failed, n.Cut, s.mayCut, strings.Join(s.texts, "\n"))
	}
	if n.Fresh*10 < n.Done*3 || n.Posts == 0 || n.Slow == 0 {
		t.Errorf("%d of %d on new connections, %d posts and %d slow answers: want 30 %% and some of each", n.Fresh, n.Done, n.Posts, n.Slow)
	}
}

// serve makes sure that there is a service with the bookshop in it, and returns its address.
func (s *strain) serve(name, tier string, units int, version string, more ...object) load.Target {
	s.t.Helper()
	if t, ok := s.lane.known[name]; ok {
		return t
	}
	s.create(name, tier, units, version, more...)
	t := s.sell(name, s.lane.shop.URL)
	s.lane.known[name] = t
	return t
}

// renew makes a service that only one round is about, and aims at it. That of the round before goes.
func (s *strain) renew(tier string, units int, version string) (name string, t load.Target) {
	s.t.Helper()
	s.lane.made++
	name = fmt.Sprint("round-", s.lane.made)
	t = s.serve(name, tier, units, version)
	s.succeed(name, t)
	return name, t
}

// succeed aims at a service that only one round is about. That of the round before goes.
func (s *strain) succeed(name string, t load.Target) {
	s.t.Helper()
	s.under(s.doors(name, t)...)
	if s.last != "" {
		s.run(http.MethodDelete, s.service(s.last), recent, nil)
	}
	s.last = name
}

// doors are all targets that lead to a service.
func (s *strain) doors(name string, t load.Target) []load.Target {
	if strings.HasSuffix(t.Addr, ":80") { // in a virtual network
		return []load.Target{t}
	}
	return []load.Target{t, s.edge(name, t)}
}

// answers is the status of a request on a connection of its own, 0 when there is none.
func (s *strain) answers(t load.Target) int {
	if s.inside == nil {
		return get(t, "/books/1")
	}
	status, _ := buy(s.inside, t)
	return status
}

// edge is a service by its default name.
func (s *strain) edge(name string, t load.Target) load.Target {
	addr := strings.TrimPrefix(s.client.Endpoints.Edge, "http://")
	_, port, _ := strings.Cut(addr, ":")
	t.Addr, t.Host = "127.0.0.1:"+port, name+".apim.localhost:"+port
	return t
}

// killing ends a process with SIGKILL. It is held still for the moment in which its connections to some addresses are
// counted: those are what its end may cut.
func (s *strain) killing(pid int, addrs ...string) {
	s.t.Helper()
	s.hold(pid, addrs...)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
}

// hold stops a process, and counts its connections.
func (s *strain) hold(pid int, addrs ...string) {
	s.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	for _, a := range addrs {
		n, err := load.Held(pid, a)
		if err != nil {
			s.t.Fatal(err)
		}
		s.mayCut += int64(n)
	}
}

// migrate moves a service to stv2.
func (s *strain) migrate(name, mode string) {
	s.t.Helper()
	s.run(http.MethodPost, s.service(name)+"/migrateToStv2", latest, object{"mode": mode})
	if got := s.show(name).Properties.PlatformVersion; got != "stv2" {
		s.t.Errorf("%s is on %s after a migration", name, got)
	}
}

// stays checks that a service is where it was.
func (s *strain) stays(name string, t load.Target) {
	s.t.Helper()
	if now := s.address(name, t.Key).Addr; now != t.Addr {
		s.t.Errorf("%s is at %s, was at %s", name, now, t.Addr)
	}
	if got := s.answers(t); got != http.StatusOK {
		s.t.Errorf("%s answers %d at %s", name, got, t.Addr)
	}
}

// moves checks that a service has another address and that both answer, and has its callers go over to the new one until
// the window ends. What is to happen within the window is done by during.
func (s *strain) moves(name string, before load.Target, during ...func()) (after load.Target) {
	t := s.t
	t.Helper()
	after = s.address(name, before.Key)
	if after.Addr == before.Addr {
		t.Fatalf("%s is still at %s", name, after.Addr)
	}
	if s.inside == nil {
		after = s.aim(name, before.Key)
	}
	doors := s.doors(name, after)
	s.under(append([]load.Target{before}, doors...)...)
	both := s.soFar().Done
	eventually(t, time.Minute, "requests at both addresses", func() bool { return s.soFar().Done > both+30 })
	if got := s.answers(before); got != http.StatusOK {
		t.Errorf("%s answers %d at its old address during the window", name, got)
	}
	for _, f := range during {
		f()
	}
	s.under(doors...)
	s.windowEnds(name)
	if got := s.answers(before); got == http.StatusOK {
		t.Errorf("%s answers at its old address after the window", name)
	}
	s.lane.known[name] = after
	return after
}

// windowEnds lets the coexistence of a service end, where the clock of the platform stands.
func (s *strain) windowEnds(name string) {
	s.t.Helper()
	s.advance("PT2H")
	s.settled(name)
}

// A outcome is a line of the table.
type outcome struct {
	name   string
	rounds int
	took   time.Duration
	strain *strain
}

// A table is what the scenarios came to.
type table struct {
	mu   sync.Mutex // guards below
	rows []outcome
}

func (t *table) add(r outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, r)
	n := r.strain.before
	fmt.Fprintf(os.Stdout, "    %s: %d requests, %d failed, %d cut of %d held by killed, %d rounds in %.1f s, p99 %v, longest %v\n", r.name,
		n.Done, n.Failed, n.Cut, r.strain.mayCut, r.rounds, r.took.Seconds(), r.strain.waits.Quantile(0.99), r.strain.waits.Longest)
}

func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "scenario\trounds\trequests\tnew connections\tfailed\tcut\theld by killed\tp50\tp99\tlongest\ttook")
	for _, r := range slices.Clone(t.rows) {
		n := r.strain.before
		ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
		fmt.Fprintf(w, "%s\t%d\t%d\t%d %%\t%d\t%d\t%d\t%s\t%s\t%s\t%.1f s\n", r.name, r.rounds, n.Done, 100*n.Fresh/max(1, n.Done), n.Failed, n.Cut,
			r.strain.mayCut, ms(r.strain.waits.Quantile(0.5)), ms(r.strain.waits.Quantile(0.99)), ms(r.strain.waits.Longest), r.took.Seconds())
	}
	w.Flush()
	return b.String()
}
