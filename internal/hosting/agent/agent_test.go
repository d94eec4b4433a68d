package agent_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

func TestMain(m *testing.M) { agenttest.Main(m) }

const service = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/shop"

var lease = fabric.Lease{Service: service, Epoch: 1}

// setOf lists a set with machines set-0, set-1, … of one mode.
func setOf(id string, mode platform.Mode, machines int) platform.Set {
	s := platform.Set{ID: id, Service: service, Location: "westeurope", Platform: platform.STv2}
	for i := range machines {
		s.Machines = append(s.Machines, platform.Machine{ID: fmt.Sprintf("%s-%d", id, i), Slot: i, Mode: mode})
	}
	return s
}

func apply(t testing.TB, h *agenttest.Host, s platform.Set) {
	t.Helper()
	if err := h.Apply(t.Context(), lease, s); err != nil {
		t.Fatal(err)
	}
}

func observe(t testing.TB, h *agenttest.Host) platform.Observation {
	t.Helper()
	o, err := h.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// waitMode waits until all machines of a set have taken a mode.
func waitMode(t testing.TB, h *agenttest.Host, s platform.Set, mode platform.Mode) {
	t.Helper()
	agenttest.Eventually(t, fmt.Sprintf("machines of %s are %s", s.ID, mode), func() bool {
		o := observe(t, h)
		return !slices.ContainsFunc(s.Machines, func(m platform.Machine) bool { return o.Machines[m.ID].Mode != mode })
	})
}

// waitPhase waits until all machines of a set are in a phase.
func waitPhase(t testing.TB, h *agenttest.Host, s platform.Set, phase platform.Phase) {
	t.Helper()
	agenttest.Eventually(t, fmt.Sprintf("machines of %s are %s", s.ID, phase), func() bool {
		o := observe(t, h)
		return !slices.ContainsFunc(s.Machines, func(m platform.Machine) bool { return o.Machines[m.ID].Phase != phase })
	})
}

func reserve(t testing.TB, h *agenttest.Host, id string) platform.VIP {
	t.Helper()
	addr, err := h.Reserve(t.Context(), lease, platform.VIP{ID: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return platform.VIP{ID: id, Address: addr}
}

// route moves a VIP and waits until exactly the listed sets accept.
func route(t testing.TB, h *agenttest.Host, v platform.VIP, sets ...string) {
	t.Helper()
	v.Sets = sets
	if err := h.Route(t.Context(), lease, v); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, fmt.Sprintf("%s routes to %v", v.ID, sets), func() bool {
		return slices.Equal(observe(t, h).VIPs[v.ID], sets)
	})
}

func plainAddr(h *agenttest.Host, v platform.VIP) string {
	return net.JoinHostPort(v.Address, h.Info.VIPs.HTTP)
}

// ask sends one request on a connection of its own.
func ask(t testing.TB, addr, host string) agenttest.Answer {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only a test's connection
	return askOn(t, c, host)
}

func askOn(t testing.TB, c net.Conn, host string) agenttest.Answer {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host); err != nil {
		t.Fatal(err)
	}
	return answerOn(t, c)
}

// answerOn reads the answer to a request that was sent.
func answerOn(t testing.TB, c net.Conn) agenttest.Answer {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var a agenttest.Answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	return a
}

func TestVIP_MachineAcceptsOnAddressOfTheFolder(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := setOf("old", platform.Serving, 2)
	apply(t, h, s)
	v := reserve(t, h, "vip")
	if !strings.HasPrefix(v.Address, "127.") || strings.HasPrefix(v.Address, "127.0.") {
		t.Errorf("address %s is not in the folder's range %s", v.Address, h.Info.Pool)
	}
	again := reserve(t, h, "vip")
	if diff := cmp.Diff(v, again); diff != "" {
		t.Errorf("reserve twice (-first +second):\n%s", diff)
	}
	waitPhase(t, h, s, platform.Ready)
	route(t, h, v, "old")
	got := ask(t, plainAddr(h, v), "shop.example")
	if got.Set != "old" || got.Host != "shop.example" {
		t.Errorf("answer %+v, want one of set old for shop.example", got)
	}
	st := observe(t, h).Machines[got.Machine]
	want := platform.MachineStatus{ID: got.Machine, PID: got.PID, Phase: platform.Ready, Seq: 7, Digest: "digest-7", Gateway: agenttest.Version, Mode: platform.Serving}
	st.Since, st.Active, st.Conns, st.Answers = time.Time{}, 0, 0, platform.Answers{}
	if diff := cmp.Diff(want, st); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}
