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

func (f *Feed) request(first bool) snapshot.PollRequest {
	req := snapshot.PollRequest{
		Machine: f.opt.Machine, Service: f.opt.Service, Location: f.opt.Location,
		Have: make(map[string]string), Parts: f.cache.list(),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !first {
		req.Seq = f.seq
	}
	for _, s := range f.services {
		if !s.gone {
			req.Have[s.manifest.Service] = s.digest
		}
	}
	req.Refused = f.refusals()
	return req
}
