package agent_test

import (
	"syscall"
	"testing"

	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/platform"
)

// What a machine has answered is that of all its processes: a crash forgets nothing.
func TestMachine_CountsAnswersOfAllItsProcesses(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := setOf("set", platform.Serving, 1)
	apply(t, h, s)
	v := reserve(t, h, "vip")
	waitPhase(t, h, s, platform.Ready)
	route(t, h, v, "set")
	counted := func(want int64) (pid int) {
		t.Helper()
		agenttest.Eventually(t, "answers are counted", func() bool {
			m := observe(t, h).Machines[s.Machines[0].ID]
			pid = m.PID
			return m.Answers == platform.Answers{All: want}
		})
		return pid
	}
	ask(t, plainAddr(h, v), "shop.example")
	ask(t, plainAddr(h, v), "shop.example")
	if err := syscall.Kill(counted(2), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, plainAddr(h, v), "shop.example"); got.Set != "set" { // waits for the next process
		t.Errorf("answer %+v", got)
	}
	counted(3)
}
