package agent_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/platform"
)

// sleepy is a set whose machines sleep after a moment, with a name.
func sleepy(t testing.TB, h *agenttest.Host) platform.Set {
	t.Helper()
	s := setOf("pool", platform.Serving, 1)
	s.Platform, s.Sleep = platform.MTv1, 30*time.Millisecond
	apply(t, h, s)
	name(t, h, "pool", "shop.example")
	return s
}

func TestSleep_NextConnectionStartsTheMachine(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := sleepy(t, h)
	var pids []int
	for range 2 {
		pids = append(pids, ask(t, h.Info.Edge.HTTP, "shop.example").PID)
		waitPhase(t, h, s, platform.Asleep)
		agenttest.Eventually(t, "the process has ended", func() bool { return observe(t, h).Machines[s.Machines[0].ID].PID == 0 })
	}
	if pids[0] == pids[1] {
		t.Errorf("process %d answered before and after the sleep", pids[0])
	}
	m := observe(t, h).Machines[s.Machines[0].ID]
	if m.Mode != platform.Serving || m.PID != 0 || m.Restarts != 0 || m.Error != "" {
		t.Errorf("asleep: %+v, want one that serves, without process, restarts and errors", m)
	}
}

// Clients come at all moments of falling asleep and of waking, many at a time, on connections of their own.
func TestSleep_FailsNoRequest(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := sleepy(t, h)
	for i := range 6 {
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				if got := ask(t, h.Info.Edge.HTTP, "shop.example").Set; got != s.ID {
					t.Errorf("set %q answers, want %s", got, s.ID)
				}
			})
		}
		clients.Wait()
		if i%2 == 0 {
			waitPhase(t, h, s, platform.Asleep)
			continue
		}
		agenttest.Eventually(t, "the machine is about to sleep", func() bool {
			m := observe(t, h).Machines[s.Machines[0].ID]
			return m.Conns == 0 && m.Phase != platform.Starting
		})
	}
}

// A machine with an open connection stays awake, however quiet the connection is.
func TestSleep_NotWithAnOpenConnection(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := sleepy(t, h)
	c, err := net.Dial("tcp", h.Info.Edge.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	keep := func() agenttest.Answer {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return answerOn(t, c)
	}
	before := keep()
	other := setOf("other", platform.Serving, 1) // which falls asleep meanwhile
	other.Platform, other.Sleep = platform.MTv1, 30*time.Millisecond
	apply(t, h, other)
	waitPhase(t, h, other, platform.Asleep)
	if after := keep(); after.PID != before.PID {
		t.Errorf("process %d answers, before it was %d", after.PID, before.PID)
	}
	_ = c.Close()
	waitPhase(t, h, s, platform.Asleep)
}

// What is asked of a sleeping machine is done: it ends, or is kept awake.
func TestSleep_IsEndedByTheControlPlane(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := sleepy(t, h)
	waitPhase(t, h, s, platform.Asleep)
	s.Sleep = 0
	apply(t, h, s)
	waitPhase(t, h, s, platform.Ready)
	s.Sleep = 30 * time.Millisecond
	apply(t, h, s)
	waitPhase(t, h, s, platform.Asleep)
	s.Machines[0].Mode = platform.Draining
	apply(t, h, s)
	waitPhase(t, h, s, platform.Exited)
	if err := h.Delete(t.Context(), lease, s.ID); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, "the machine is forgotten", func() bool { return len(observe(t, h).Machines) == 0 })
}

// A machine that sleeps beside one that takes what comes is left alone.
func TestSleep_IsNotDisturbedByWhatAnotherTakes(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := setOf("pool", platform.Serving, 2)
	s.Machines[1].Mode = platform.Parked
	s.Platform, s.Sleep = platform.MTv1, 30*time.Millisecond
	apply(t, h, s)
	name(t, h, "pool", "shop.example")
	first, second := s.Machines[0].ID, s.Machines[1].ID
	agenttest.Eventually(t, "the first sleeps", func() bool {
		o := observe(t, h).Machines
		return o[first].Phase == platform.Asleep && o[second].Phase == platform.Ready
	})
	s.Machines[1].Mode = platform.Serving
	s.Sleep = time.Hour
	apply(t, h, s)
	agenttest.Eventually(t, "the second takes connections", func() bool { return observe(t, h).Machines[second].Mode == platform.Serving })
	for range 20 {
		if got := ask(t, h.Info.Edge.HTTP, "shop.example").Machine; got != second {
			t.Errorf("machine %s answers, want %s", got, second)
		}
	}
	if p := observe(t, h).Machines[first].Phase; p != platform.Asleep {
		t.Errorf("the first machine is %s, want asleep", p)
	}
}
