package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/certtest"
)

// TestChaos makes random changes to services under light load while processes die, the disk is full and the clock is
// set, and checks after each round that nothing acknowledged is lost, that every operation has ended, that machines,
// sockets and addresses are those on record, and that no request failed but on connections of processes that were killed.
//
// PORTICO_CHAOS_ROUNDS is the number of rounds, 10 by default; PORTICO_CHAOS_SEED the seed, 1 by default.
func TestChaos(t *testing.T) {
	t.Parallel()
	rounds, seed := number(t, "PORTICO_CHAOS_ROUNDS", 10), number(t, "PORTICO_CHAOS_SEED", 1)
	c := startChaos(t, uint64(seed))
	defer func() {
		if t.Failed() {
			t.Log(c.story)
			c.allSucceeded() // tells of those that did not
		}
	}()
	for range rounds {
		c.round()
	}
	c.end()
}

func number(t *testing.T, variable string, n int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return n
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number from 1", variable, text)
	}
	return n
}

const (
	chaosServices = 3         // that are changed
	chaosWindow   = time.Hour // of coexistence, which ends when the clock is set on
)

// chaos is a host on which things go wrong.
type chaos struct {
	*crashHost
	rnd      *rand.Rand
	disk     *disk
	clock    string // file
	offset   time.Duration
	ca       certtest.Pair
	networks bool   // there can be virtual networks
	deck     []int  // of troubles that are to come
	story    string // of the round
	fleet    string // version of the gateway that new services get
	subjects []*chaosSubject
	tally    map[string]int // of changes and troubles
}

// A chaosSubject is a service that is changed, and what is known of it for certain.
type chaosSubject struct {
	name string
	want chaosFacts
	was  chaosFacts // before it was deleted
	kept time.Time  // platform time until which what it was moved from is kept
	// movedFrom is the platform of what is kept.
	movedFrom string
	// backup is the ledger of the last backup that was acknowledged, since the tier changed; empty when there is none.
	backup string
}

// chaosFacts are what a client may rely on.
type chaosFacts struct {
	There    bool
	Deleted  bool
	Tier     string
	Units    int
	Platform string
	Gateway  string // version; of a service with machines of its own
	Ledger   string // a named value
	Zones    string
	Away     string // other locations
	Out      bool   // the primary location is out of rotation
	Domain   string // thumbprint of the certificate of the custom name
	Tag      string
	Locked   bool
	Network  string // virtual network
	Mode     string // of its gateway there
	NAT      bool   // what it sends out has an address of its own
	Closed   bool   // its security group lets no clients through
	Endpoint bool   // there is a private endpoint
}

// A chaosChange is one request of a customer, with what it makes of the facts.
type chaosChange struct {
	name string
	send func(ctx context.Context) (*armclient.Response, error)
	then func(f *chaosFacts)
	// serves says that the service answers on its address all the while, moves that it does so until a window ends.
	serves, moves bool
	refuse        string // code of the error that is the right answer; none when it is to be accepted
	// done is called when it was acknowledged, lost when it is not known what came of it; nil for nothing.
	done, lost func()
}

func startChaos(t *testing.T, seed uint64) *chaos {
	t.Helper()
	dir, err := os.MkdirTemp("", "pchaos-")
	if err != nil {
		t.Fatal(err)
	}
	side, err := os.MkdirTemp("", "pchaosx-") // what is not to be on a full disk
	if err != nil {
		t.Fatal(err)
	}
	d := mountDisk(t, dir, filepath.Join(side, "full"))
	h := &crashHost{
		host:    &host{t: t, dir: dir, program: program},
		args:    []string{"--coexistence", chaosWindow.String(), "--backup-folders", "disk=" + side},
		aimFile: filepath.Join(side, "crash.aim"), hitLog: filepath.Join(side, "crash.hits"), windows: true,
	}
	c := &chaos{
		crashHost: h, rnd: rand.New(rand.NewPCG(seed, seed)), disk: d, clock: filepath.Join(side, "clock"), tally: map[string]int{}, fleet: "e2e",
		ca: certtest.Authority(t, "Chaos"),
	}
	if err := os.Mkdir(filepath.Join(side, "backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.env = []string{"PORTICO_FAILPOINT_CLOCK=" + c.clock, "PORTICO_FAILPOINT_FULL=" + d.file}
	t.Cleanup(func() {
		d.free(t)
		h.stopAll()
		d.unmount(t)
		for _, path := range []string{dir, side} {
			if err := os.RemoveAll(path); err != nil {
				t.Error(err)
			}
		}
	})
	if err := h.boot(); err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{h.group(), h.client.Subscription() + "/resourceGroups/calm"} {
		h.do(http.MethodPut, group, "2022-09-01", object{"location": "westeurope"})
	}
	h.portico("gateway", "install", next(t))
	h.run(http.MethodPut, h.calm(), recent, serviceBody("Premium", 1))
	for i := range chaosServices {
		c.subjects = append(c.subjects, &chaosSubject{name: fmt.Sprint("chaos-", i)})
	}
	c.makeNetworks()
	return c
}

// round is some changes and some trouble, and a look at what came of them.
func (c *chaos) round() {
	c.t.Helper()
	c.rounds++
	var times chaosTimes
	times.begin()
	c.settle()
	times.end("settled")
	trouble := c.trouble()
	c.tally[trouble.name]++
	roll := c.roll()
	changes := map[*chaosSubject]chaosChange{}
	for _, i := range c.rnd.Perm(len(c.subjects))[:1+c.rnd.IntN(len(c.subjects))] {
		s := c.subjects[i]
		c.still(s)
		all := c.possible(s, trouble)
		if roll != nil {
			all = c.beside(s)
		}
		if len(all) == 0 {
			continue
		}
		changes[s] = all[c.rnd.IntN(len(all))]
		c.tally[changes[s].name]++
	}
	c.story = fmt.Sprintf("round %d: %s, while %s", c.rounds, names(changes), trouble.name)
	if roll != nil {
		c.story += " and " + roll.to + " is rolled out"
	}
	pollers := c.load(changes, trouble, roll)

	times.end("chosen")
	answers := c.carryOut(changes, trouble, roll)
	times.end("answered")
	if trouble.after != nil {
		trouble.after(c)
	}
	c.aim(point{})
	c.disk.free(c.t)
	c.recover()
	times.end("recovered")
	for _, a := range answers {
		for c.revive(c.follow(a.res)) { // it had been hit, and died a moment later
			c.tally["starts of the control plane"]++
		}
	}
	if roll != nil {
		for c.revive(roll.follow(c)) {
			c.tally["starts of the control plane"]++
		}
		c.settle()
		roll.note(c)
	}
	times.end("followed")
	for s, ch := range changes {
		c.check(s, ch, answers[s])
	}
	times.end("checked")
	for name, p := range pollers {
		p.stop()
		if most := trouble.cuts(name); p.count == 0 || len(p.failures) > most {
			c.t.Errorf("%s: %d of %d requests failed, want at most %d: %v", name, len(p.failures), p.count, most, p.failures)
		}
	}
	if c.t.Failed() {
		c.t.FailNow()
	}
	c.t.Log(c.story + times.String())
}

// chaosTimes tell where a round spent its time.
type chaosTimes struct {
	last  time.Time
	parts []string
}

func (t *chaosTimes) begin() { t.last = time.Now() }

func (t *chaosTimes) end(part string) {
	if took := time.Since(t.last); took > time.Second {
		t.parts = append(t.parts, fmt.Sprintf("; %s after %.1f s", part, took.Seconds()))
	}
	t.last = time.Now()
}

func (t *chaosTimes) String() string { return strings.Join(t.parts, "") }

func names(changes map[*chaosSubject]chaosChange) string {
	var all []string
	for s, ch := range changes {
		all = append(all, ch.name+" "+s.name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// chaosAnswer is what a client got for a change; an error means that it does not know.
type chaosAnswer struct {
	res *armclient.Response
	err error
}

// carryOut sends all changes at once while the trouble happens.
func (c *chaos) carryOut(changes map[*chaosSubject]chaosChange, trouble chaosTrouble, roll *chaosRollout) map[*chaosSubject]chaosAnswer {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards answers
	answers := map[*chaosSubject]chaosAnswer{}
	wg.Go(func() { trouble.make(c) })
	if roll != nil {
		wg.Go(func() { roll.begin(c) })
	}
	for s, ch := range changes {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			res, err := ch.send(ctx)
			mu.Lock()
			defer mu.Unlock()
			answers[s] = chaosAnswer{res, err}
		})
	}
	wg.Wait()
	return answers
}

// recover starts the control plane again if it died, and waits until it, an agent and an edge are there.
func (c *chaos) recover() {
	c.t.Helper()
	for c.revive(c.get(c.calm(), &view{})) {
		c.tally["starts of the control plane"]++
	}
	eventually(c.t, time.Minute, "one agent and one edge", func() bool {
		kinds := slices.DeleteFunc(kindsOf(c.t, c.dir), func(k string) bool { return k == "machine" })
		return slices.Equal(kinds, []string{"edge", "host"})
	})
}

// check compares what is there with what a client may rely on: an acknowledged change is carried out, another one wholly
// or not at all.
func (c *chaos) check(s *chaosSubject, ch chaosChange, a chaosAnswer) {
	c.t.Helper()
	before, after := s.want, s.want
	ch.then(&after)
	got := c.look(s)
	switch refusal, refused := errors.AsType[*arm.Error](a.err); {
	case refused && ch.refuse != "" && refusal.Code == ch.refuse:
		if d := cmp.Diff(before, got); d != "" {
			c.t.Errorf("%s of %s was refused, and carried out (-before +got):\n%s", ch.name, s.name, d)
		}
	case a.err == nil && ch.refuse != "":
		c.t.Errorf("%s of %s was accepted, want %s", ch.name, s.name, ch.refuse)
	case a.err == nil:
		if ch.done != nil {
			ch.done()
		}
		if d := cmp.Diff(after, got); d != "" {
			c.t.Errorf("%s of %s was acknowledged and is lost (-want +got):\n%s", ch.name, s.name, d)
		}
	case refused && refusal.Status < 500:
		c.t.Errorf("%s of %s was refused: %v %+v", ch.name, s.name, refusal, refusal.Details)
	default:
		c.tally["changes without an answer"]++
		if ch.lost != nil {
			ch.lost()
		}
		if d := cmp.Diff(before, got); d != "" && !cmp.Equal(after, got) {
			c.t.Errorf("%s of %s was carried out in part (-before +got):\n%s", ch.name, s.name, d)
		}
	}
	if before.There && got.Deleted {
		s.was = before
	}
	s.want = got
	if got.Network != "" {
		c.reach(s)
	}
}

// still checks that a service is as it was left, and sees what is kept of it.
func (c *chaos) still(s *chaosSubject) {
	c.t.Helper()
	if d := cmp.Diff(s.want, c.look(s)); d != "" {
		c.t.Fatalf("%s is not what it was after the last round (-want +got):\n%s", s.name, d)
	}
}

// end stops everything, and tells what happened.
func (c *chaos) end() {
	c.t.Helper()
	c.settle()
	for _, s := range c.subjects {
		c.still(s)
	}
	c.allSucceeded()
	var lines []string
	for what, n := range c.tally {
		lines = append(lines, fmt.Sprintf("%4d %s", n, what))
	}
	slices.Sort(lines)
	c.t.Logf("%d rounds\n%s", c.rounds, strings.Join(lines, "\n"))
}
