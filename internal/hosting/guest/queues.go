package guest

import "github.com/portico-dev/portico/internal/hosting/agent/wire"

// Queued is how full the fullest queue is that the machine accepts from, in percent: connections that wait on its
// addresses, which all machines of a VIP share, and those that the edge has put into the set's intake. It waits for an
// order that is being carried out.
func (g *Guest) Queued() int {
	g.mu.Lock()
	s := g.serving
	g.mu.Unlock()
	if s == nil {
		return 0
	}
	return s.queued()
}

func (s *serving) queued() (fullest int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	look := func(h *wire.Handle, fullness func(fd int) int) {
		_ = h.Use(func(fd int) error { // one that is closed has no queue
			fullest = max(fullest, fullness(fd))
			return nil
		})
	}
	for _, v := range s.vips {
		for _, h := range v.files {
			look(h, backlog)
		}
	}
	if s.intake != nil {
		for _, h := range s.intake.files[len(s.intake.files)/2:] { // the sending ends
			look(h, unread)
		}
	}
	return fullest
}
