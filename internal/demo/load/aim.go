package load

import "sync"

// An aim is where requests go for a while, and how many are under way there.
type aim struct {
	targets []Target

	mu    sync.Mutex // guards below
	going int
	over  bool
	empty chan struct{} // closed when it is over and nothing is under way any more
}

func newAim(targets []Target) *aim { return &aim{targets: targets, empty: make(chan struct{})} }

// Aim sends the requests that begin from now on to other targets, in turn. It returns when those that went to the
// targets before have ended, so that what was left may go.
func (c *Client) Aim(targets ...Target) {
	before := c.aim.Swap(newAim(targets))
	before.mu.Lock()
	before.over = true
	if before.going == 0 {
		close(before.empty)
	}
	before.mu.Unlock()
	<-before.empty
}

// Targets returns where requests go now.
func (c *Client) Targets() []Target { return c.aim.Load().targets }

// enter begins a request.
func (c *Client) enter() *aim {
	for {
		if a := c.aim.Load(); a.enter() {
			return a
		}
	}
}

func (a *aim) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return false
	}
	a.going++
	return true
}

// leave ends a request.
func (a *aim) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.going--; a.over && a.going == 0 {
		close(a.empty)
	}
}
