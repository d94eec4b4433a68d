package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/armclient"
)

// processLanes are hosts on which agent, edge and machines die instead of the control plane.
var processLanes = []lane{
	{"life", nil, []*crashKind{createDeveloper, deleteSoft}, 8},
	{"migrate", []string{"--coexistence", keep}, []*crashKind{migratePreserveIP}, 8},
	{"scale", nil, []*crashKind{scaleOut, scaleIn}, 10},
	{"pool", []string{"--sleep", "100ms"}, []*crashKind{createConsumption, deleteConsumption}, 8},
	{"agents", nil, []*crashKind{loseAgent, replaceAgent, scaleOut}, 20},
}

var (
	loseAgent = &crashKind{
		name: "lose the agent", prepare: present("Premium", 1, 2, "stv2"), look: lookAtService, serves: true,
		send: func(h *crashHost) (*armclient.Response, error) {
			was := 0 // none for a moment, when the aim was at what one does all the time
			eventually(h.t, time.Minute, "an agent", func() bool { was = h.agentPID(); return was != 0 })
			if err := syscall.Kill(was, syscall.SIGKILL); err != nil && !h.hit() {
				return nil, err
			}
			eventually(h.t, time.Minute, "another agent", func() bool { now := h.agentPID(); return now != 0 && now != was })
			return nil, nil
		},
		want: func(_ *crashHost, before any) any { return before },
	}
	replaceAgent = &crashKind{
		name: "replace the agent", prepare: present("Premium", 1, 2, "stv2"), look: lookAtService, serves: true,
		send: func(h *crashHost) (*armclient.Response, error) {
			out, err := exec.Command(program, "restart", "--agent", "--data", h.dir).CombinedOutput()
			if err != nil && !h.hit() {
				return nil, fmt.Errorf("restart: %w\n%s", err, out)
			}
			return nil, nil
		},
		want: func(_ *crashHost, before any) any { return before },
	}
)

// hit says whether a process has died where it was aimed at.
func (h *crashHost) hit() bool {
	_, err := os.Stat(h.aimFile + ".hit")
	return err == nil
}

// TestCrash_EveryProcess kills agent, edge and machines at their failpoints, in all kinds of operations and while agents
// take over from each other, and checks that nobody has to do anything about it: operations end well, machines, sockets
// and addresses are those on record, there is one agent and one edge, and no request fails but on connections that the
// dead process held.
//
// PORTICO_CRASH is read as by TestCrash_EveryPoint.
func TestCrash_EveryProcess(t *testing.T) {
	seed, every := crashMode(t)
	histogram := newHistogram()
	t.Run("hosts", func(t *testing.T) {
		for i, l := range append(processLanes, networkProcessLanes()...) {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				h := startLane(t, l)
				h.bystander.stop() // each strike has its own
				shots := h.planStrikes(rand.New(rand.NewPCG(seed, uint64(i))), l.kinds)
				histogram.expect(shots)
				if n := sampleSize(l); !every && len(shots) > n {
					shots = shots[:n]
				}
				for _, s := range shots {
					histogram.enter(s, result{killed: h.strike(s), answered: true})
				}
				h.finish(l.kinds[len(l.kinds)-1])
			})
		}
	})
	fmt.Fprintf(os.Stdout, "crash test of processes, PORTICO_CRASH=%s\n%s", os.Getenv("PORTICO_CRASH"), histogram)
	if !t.Failed() && histogram.kills() == 0 {
		t.Error("no point killed anything")
	}
}

// mostHits bounds the shots at one point of one kind: the edge reaches some with every connection.
const mostHits = 3

// planStrikes runs each kind once without a crash and lists the points that agent, edge and machines reached, shuffled.
func (h *crashHost) planStrikes(rnd *rand.Rand, kinds []*crashKind) []shot {
	h.t.Helper()
	var queues [][]shot
	for _, k := range kinds {
		var q []shot
		for name, hits := range h.record(k, true) {
			for hit := range min(hits, mostHits) {
				q = append(q, shot{kind: k, point: point{name, hit + 1}})
			}
		}
		slices.SortFunc(q, func(a, b shot) int { return strings.Compare(a.point.String(), b.point.String()) })
		rnd.Shuffle(len(q), func(a, b int) { q[a], q[b] = q[b], q[a] })
		queues = append(queues, q)
	}
	return inTurns(queues)
}

// strike runs an operation while aiming at a point of a process of the host, and tells whether one died.
func (h *crashHost) strike(s shot) (hit bool) {
	h.t.Helper()
	defer func() {
		if h.t.Failed() {
			h.t.Logf("in round %d: %s, aimed at %s", h.rounds, s.kind.name, s.point)
			h.t.FailNow()
		}
	}()
	h.rounds++
	s.kind.prepare(h)
	h.settle()
	h.acknowledge()
	h.remember()
	before := s.kind.look(h)
	want := s.kind.want(h, before)
	var calm view
	if err := h.get(h.calm(), &calm); err != nil {
		h.t.Fatal(err)
	}
	edge := strings.TrimPrefix(h.client.Endpoints.Edge, "http://")
	pollers := map[string]*poller{"VIP": poll(calm.addr(), "/echo/"), "edge": pollHost(edge, bystander+".apim.localhost", "/echo/")}
	if s.kind.serves {
		pollers["subject"] = poll(h.show(subject).addr(), statusPath)
	}
	h.aim(s.point)
	res, err := s.kind.send(h)
	if err == nil {
		err = h.follow(res)
	}
	if err != nil {
		h.t.Fatalf("%s: %v\n%s", s.kind.name, err, h.log())
	}
	hit = h.hit()
	h.aim(point{})
	eventually(h.t, time.Minute, "one agent and one edge", func() bool {
		kinds := slices.DeleteFunc(kindsOf(h.t, h.dir), func(k string) bool { return k == "machine" })
		return slices.Equal(kinds, []string{"edge", "host"})
	})
	h.settle()
	for name, p := range pollers {
		h.bearable(name, p, s.point)
	}
	h.acknowledged()
	if d := cmp.Diff(want, s.kind.look(h)); d != "" {
		h.t.Errorf("%s was not carried out (-want +got):\n%s", s.kind.name, d)
	}
	return hit
}

// bearable ends a poller: it has one connection at a time, so that a dead process can have cut one, if it had it.
func (h *crashHost) bearable(name string, p *poller, at point) {
	h.t.Helper()
	p.stop()
	most := 0
	switch who, _, _ := strings.Cut(at.name, "."); {
	case who == "machine", who == "edge" && name == "edge":
		most = 1
	}
	if p.count == 0 || len(p.failures) > most {
		h.t.Errorf("%s: %d of %d requests failed, want at most %d: %v", name, len(p.failures), p.count, most, p.failures)
	}
}
