package feed

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/portico-dev/portico/internal/snapshot"
)

// A summary is what a worker knows of all its services, in one file that it leaves behind when it ends in order: the next
// one starts without a look at what each of thousands has on disk. Whoever reads it removes it first, so it says how things
// are or is not there.
type summary struct {
	Seq      int64     `json:"seq"`
	Session  string    `json:"session,omitempty"`
	Services []summed  `json:"services"`
	Parts    partUsage `json:"parts"`
}

type summed struct {
	ID     string             `json:"id"`
	Digest string             `json:"digest"`
	Hosts  []string           `json:"hosts"`
	Good   []snapshot.PartRef `json:"good,omitempty"`
}

// partUsage is how many services use each part: digest and number, one after another.
type partUsage []byte

const (
	summaryFile = "summary"
	digestBytes = 16
	usageBytes  = digestBytes + 4
)

// summarize leaves a summary behind, unless something is not on disk as it should be.
func (f *Feed) summarize() error {
	if f.opt.Service != "" || f.cache.dir == "" || !f.swept || f.cache.lacks() {
		return nil
	}
	f.mu.Lock()
	s := summary{Seq: f.seq, Session: f.session}
	for _, one := range f.services {
		if one.manifest.Service != "" || one.lost || one.gone {
			f.mu.Unlock()
			return nil
		}
		s.Services = append(s.Services, summed{one.id, one.digest, one.hosts, one.fallbacks()})
	}
	f.mu.Unlock()
	var err error
	if s.Parts, err = f.cache.usage(); err != nil {
		return err
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return f.cache.write(summaryFile, data)
}

// recall takes over what the worker before has left; false when that is nothing.
func (f *Feed) recall() bool {
	s := f.cache.summary
	if s == nil {
		return false
	}
	f.cache.summary = nil
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range s.Services {
		f.replace(nil, &state{id: one.ID, digest: one.Digest, hosts: one.Hosts, good: index(one.Good)})
	}
	f.seq, f.session, f.swept = s.Seq, s.Session, true
	return len(s.Services) > 0
}

// usage is that of all parts.
func (c *cache) usage() (out partUsage, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out = make(partUsage, 0, len(c.parts)*usageBytes)
	for digest, u := range c.parts {
		raw, err := hex.DecodeString(digest)
		if err != nil || len(raw) != digestBytes || !u.held {
			return nil, errors.New("a part is not as it should be")
		}
		out = binary.BigEndian.AppendUint32(append(out, raw...), uint32(u.services)) //nolint:gosec // never negative
	}
	return out, nil
}

// takeSummary reads the summary and removes it; nil when there is none that is any good.
func (c *cache) takeSummary() *summary {
	data, err := c.read(summaryFile)
	if removed(os.Remove(filepath.Join(c.dir, summaryFile))) != nil || err != nil {
		return nil
	}
	var s summary
	if json.Unmarshal(data, &s) != nil || len(s.Parts)%usageBytes != 0 {
		return nil
	}
	for p := s.Parts; len(p) > 0; p = p[usageBytes:] {
		c.parts[hex.EncodeToString(p[:digestBytes])] = use{int32(binary.BigEndian.Uint32(p[digestBytes:usageBytes])), true} //nolint:gosec // was one
	}
	return &s
}
