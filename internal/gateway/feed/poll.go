package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/portico-dev/portico/internal/snapshot"
)

// maxAnswer bounds an answer of the control plane.
const maxAnswer = 1 << 30

// poll asks once. The first poll of a process names no Seq, so that it is answered at once.
func (f *Feed) poll(ctx context.Context, first bool) (*snapshot.PollResponse, error) {
	body, err := json.Marshal(f.request(first))
	if err != nil {
		return nil, fmt.Errorf("encode poll: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://publish"+snapshot.PollPath, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make poll: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("poll: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("poll: %s", res.Status)
	}
	var out snapshot.PollResponse
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&out); err != nil {
		return nil, fmt.Errorf("decode poll: %w", err)
	}
	return &out, nil
}

// request says what the machine has, unless the control plane knows it from the session.
func (f *Feed) request(first bool) snapshot.PollRequest {
	req := snapshot.PollRequest{Machine: f.opt.Machine, Service: f.opt.Service, Location: f.opt.Location}
	lost := f.cache.lost()
	f.mu.Lock()
	defer f.mu.Unlock()
	if lost {
		f.session = ""
	}
	if !first {
		req.Seq = f.seq
	}
	req.Refused = f.refusals()
	if req.Session = f.session; f.session != "" {
		return req
	}
	req.Have = make(map[string]string, len(f.services))
	if f.opt.Service != "" { // a worker's are too many to list: of what changed while it was away it gets all parts
		req.Parts = f.cache.list()
	}
	for _, s := range f.services {
		if !s.gone && !s.lost && f.whole(s) {
			req.Have[s.id] = s.digest
		}
	}
	return req
}
