package publish

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/portico-dev/portico/internal/snapshot"
)

// maxRequest bounds a poll's body: digests of a few hundred thousand parts.
const maxRequest = 16 << 20

// Handler serves snapshot.PollPath. It belongs on a socket that only machines can reach: answers hold secrets.
func (p *Publisher) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+snapshot.PollPath, p.servePoll)
	return mux
}

func (p *Publisher) servePoll(w http.ResponseWriter, r *http.Request) {
	var req snapshot.PollRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&req); err != nil {
		http.Error(w, "malformed poll: "+err.Error(), http.StatusBadRequest)
		return
	}
	if req.Machine == "" || req.Service == "" && req.Location == "" {
		http.Error(w, "malformed poll: machine and service or location are required", http.StatusBadRequest)
		return
	}
	resp, err := p.Poll(r.Context(), req)
	switch {
	case errors.Is(err, errStopped):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case r.Context().Err() != nil:
		return // nobody is there any more
	case err != nil:
		p.log.ErrorContext(r.Context(), "poll failed", slog.String("machine", req.Machine), slog.Any("error", err))
		http.Error(w, "configuration cannot be read", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := write(w, *resp); err != nil {
		p.log.DebugContext(r.Context(), "poll was not answered", slog.String("machine", req.Machine), slog.Any("error", err))
	}
}

// write writes an answer as JSON, part by part: the first answer to a machine may have tens of megabytes of these.
func write(w io.Writer, resp snapshot.PollResponse) error {
	parts := resp.Parts
	resp.Parts = nil
	head, err := json.Marshal(resp)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	out.Write(bytes.TrimSuffix(head, []byte("}"))) //nolint:errcheck // Flush tells
	lead := `,"parts":{"`
	for digest, data := range parts {
		out.WriteString(lead + digest + `":"`) //nolint:errcheck // Flush tells
		text := base64.NewEncoder(base64.StdEncoding, out)
		if _, err := text.Write(data); err != nil {
			return err
		}
		if err := text.Close(); err != nil {
			return err
		}
		lead = `","`
	}
	if len(parts) > 0 {
		out.WriteString(`"}`) //nolint:errcheck // Flush tells
	}
	out.WriteByte('}') //nolint:errcheck // Flush tells
	return out.Flush()
}

var errStopped = errors.New("the publisher is stopping")

// Poll answers as soon as there is something to say: a service the machine lacks
// or should drop, or a Seq that concerns it and is newer than the one it knows. After PollTimeout it answers with the
// newest Seq and nothing else. Whatever it answers contains everything that was stored when Poll was called.
func (p *Publisher) Poll(ctx context.Context, req snapshot.PollRequest) (*snapshot.PollResponse, error) {
	ses := p.session(req)
	if ses == nil {
		return &snapshot.PollResponse{Resync: true}, nil
	}
	timeout := time.NewTimer(p.opt.PollTimeout)
	defer timeout.Stop()
	for expired := false; ; {
		if err := p.advance(ctx, 0); err != nil {
			return nil, err
		}
		resp, wait, err := p.answer(ctx, req, ses)
		if err != nil {
			return nil, err
		}
		if wait == nil || expired {
			return resp, nil
		}
		select {
		case <-wait:
		case <-timeout.C:
			expired = true
		case <-p.stopped:
			return nil, errStopped
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// answer says what there is to say now. When wait is not nil nothing concerns the machine until it is closed.
func (p *Publisher) answer(ctx context.Context, req snapshot.PollRequest, ses *session) (resp *snapshot.PollResponse, wait <-chan struct{}, err error) {
	p.mu.Lock()
	changed := p.changed
	resp = &snapshot.PollResponse{Seq: p.seq, Parts: map[string][]byte{}}
	mine, newest := p.servicesOf(req, ses)
	gone := p.goneOf(req, ses, mine)
	p.mu.Unlock()

	pending := map[string]holding{}
	for _, key := range gone {
		resp.Gone = append(resp.Gone, ses.have[key].id)
		pending[key] = holding{id: ses.have[key].id}
	}
	slices.Sort(resp.Gone)
	size, seen := 0, resp.Seq
	for _, s := range mine {
		if size > p.opt.AnswerBytes {
			resp.Seq, seen = req.Seq, ses.looked // there is more; the next poll gets it at once
			break
		}
		n, err := p.add(ctx, resp, s, ses, pending)
		if err != nil {
			return nil, nil, err
		}
		size += n
	}
	p.mu.Lock()
	resp.Session = ses.note(pending, seen)
	p.mu.Unlock()
	if len(pending) == 0 && req.Seq != 0 && req.Seq >= newest {
		return resp, changed, nil
	}
	return resp, nil, nil
}

// add brings a service up to date and, when the machine has another digest of it, puts its manifest, or the change of
// it, and the parts that the machine lacks into the answer. It returns the size of these.
func (p *Publisher) add(ctx context.Context, resp *snapshot.PollResponse, s *service, ses *session, pending map[string]holding) (size int, err error) {
	const attempts = 5 // a part may change while its bytes are made again
	had := ses.have[s.key]
	data := map[string][]byte{}
	for range attempts {
		made, err := p.refresh(ctx, s)
		if err != nil {
			return 0, err
		}
		maps.Copy(data, made)
		p.mu.Lock()
		if s.resting && s.digest != had.digest { // what the machine lacks has to be made again
			s.stale.all = true
			p.mu.Unlock()
			continue
		}
		m, has := s.manifest, holding{s.id, s.digest, !s.resting, s.manifest.Parts}
		if has.digest == had.digest {
			ses.have[s.key] = has // the machine may have told the digest alone
			p.mu.Unlock()
			return 0, nil
		}
		lacks := ses.lacks(had, m)
		complete := p.collect(s, lacks, data)
		p.mu.Unlock()
		if complete {
			m.Seq = resp.Seq
			pending[s.key] = has
			return tell(resp, m, had, lacks, data), nil
		}
	}
	return 0, errors.New(s.id + " changes faster than its parts can be made")
}

// lacks lists the parts of a manifest that the machine has not: neither did it say so, nor are they in the manifest that
// it has.
func (s *session) lacks(had holding, m snapshot.Manifest) []snapshot.PartRef {
	var out []snapshot.PartRef
	for _, d := range snapshot.Differences(had.parts, m.Parts) {
		if d.To != "" && !s.parts[d.To] {
			out = append(out, snapshot.PartRef{Kind: d.Kind, ID: d.ID, Digest: d.To})
		}
	}
	return out
}

// tell puts a manifest into an answer.
func tell(resp *snapshot.PollResponse, m snapshot.Manifest, had holding, lacks []snapshot.PartRef, data map[string][]byte) (size int) {
	if had.known {
		resp.Changes = append(resp.Changes, snapshot.Diff(snapshot.Manifest{Parts: had.parts}, m))
	} else {
		resp.Manifests = append(resp.Manifests, m)
	}
	for _, ref := range lacks {
		resp.Parts[ref.Digest] = data[ref.Digest]
		size += len(data[ref.Digest])
	}
	return size
}

// collect adds to data the bytes of parts. What is no longer in memory it marks to be made again, and says so. The
// caller holds mu.
func (p *Publisher) collect(s *service, refs []snapshot.PartRef, data map[string][]byte) (complete bool) {
	complete = true
	for _, ref := range refs {
		if data[ref.Digest] != nil {
			continue
		}
		key := keyOf(ref)
		d := s.parts[key].kept
		if d == nil {
			d, _ = p.cache.get(ref.Digest)
		}
		if d == nil {
			s.stale.part(key)
			complete = false
			continue
		}
		data[ref.Digest] = d
	}
	return complete
}
