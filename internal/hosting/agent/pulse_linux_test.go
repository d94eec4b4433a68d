package agent_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/platform"
)

// A process that is stopped neither ends nor answers. It is killed and started again; the connection that came meanwhile
// waits for the next one.
func TestMachine_ThatHangsIsReplacedWithoutLosingWhatWaits(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, func(o *agent.Options) { o.HangTime = 600 * time.Millisecond })
	s := setOf("set", platform.Serving, 1)
	apply(t, h, s)
	v := reserve(t, h, "vip")
	waitPhase(t, h, s, platform.Ready)
	route(t, h, v, "set")
	first := ask(t, plainAddr(h, v), "shop.example")
	if err := syscall.Kill(first.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, "the process is stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", first.PID))
		return err == nil && strings.Contains(string(stat), ") T ")
	})
	c, err := net.Dial("tcp", plainAddr(h, v))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, "the machine is started again", func() bool {
		m := observe(t, h).Machines["set-0"]
		return m.Phase == platform.Ready && m.PID != first.PID
	})
	if got := answerOn(t, c); got.PID == first.PID || got.Machine != "set-0" {
		t.Errorf("answer %+v, want one of the next process", got)
	}
	if m := observe(t, h).Machines["set-0"]; m.Restarts != 1 {
		t.Errorf("%d restarts, want 1", m.Restarts)
	}
}
