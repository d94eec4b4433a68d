package publish

import (
	"crypto/rand"
	"maps"
	"time"

	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
)

// A session is what is known of a machine's configuration, so that neither side says again what both know. It is that
// of the last answer which the machine took, and, until the machine says that it took that one too, of the last answer.
type session struct {
	name    string
	last    time.Time          // of the newest poll
	have    map[string]holding // by key of the service
	parts   map[string]bool    // digests that the machine listed itself; nil once an answer was taken
	looked  int64              // of an mtv1 worker: the Seq up to which all services of its pool are in have
	answer  string             // name of the session after the last answer; empty when there was none
	pending map[string]holding // what the last answer changes; an empty digest takes the service away
	seen    int64              // looked after the last answer
}

// holding is a manifest that a machine has. parts are known unless only the digest is.
type holding struct {
	id, digest string
	known      bool
	parts      snapshot.Parts
}

// begin makes the session of a machine that tells what it has.
func begin(req snapshot.PollRequest) *session {
	s := &session{have: make(map[string]holding, len(req.Have)), parts: make(map[string]bool, len(req.Parts))}
	for id, digest := range req.Have {
		s.have[store.Key(id)] = holding{id: id, digest: digest}
	}
	for _, digest := range req.Parts {
		s.parts[digest] = true
	}
	return s
}

// resume makes the session what the machine says that it is: the one before the last answer or the one after it. It is
// false for any other.
func (s *session) resume(name string) bool {
	switch name {
	case s.answer:
		for key, h := range s.pending {
			if h.digest == "" {
				delete(s.have, key)
			} else {
				s.have[key] = h
			}
		}
		s.name, s.parts, s.looked = name, nil, s.seen
	case s.name:
	default:
		return false
	}
	s.answer, s.pending = "", nil
	return true
}

// note says what an answer changes and up to which Seq nothing is missing then, and gives the session a name for after
// it.
func (s *session) note(pending map[string]holding, seen int64) string {
	if len(pending) == 0 && s.name != "" {
		s.looked = seen
		return s.name
	}
	s.answer, s.pending, s.seen = sessionName(), pending, seen
	return s.answer
}

// sessionName is a name that no other session has, of an earlier publisher neither.
func sessionName() string { return rand.Text() }

// session is that of a polling machine; nil when it names one that is not known. A machine more than may be kept has a
// session for this poll alone. One that has not polled for ten poll timeouts is forgotten.
func (p *Publisher) session(req snapshot.PollRequest) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	s, found := p.sessions[req.Machine]
	switch {
	case req.Session == "":
		s = begin(req)
	case !found || !s.resume(req.Session):
		return nil
	}
	s.last = now
	if !found && len(p.sessions) >= p.opt.MaxSessions {
		maps.DeleteFunc(p.sessions, func(_ string, s *session) bool { return now.Sub(s.last) > 10*p.opt.PollTimeout })
		if len(p.sessions) >= p.opt.MaxSessions {
			return s // it gets its configuration all the same
		}
	}
	p.sessions[req.Machine] = s
	return s
}
