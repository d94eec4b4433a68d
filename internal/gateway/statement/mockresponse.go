package statement

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
	"github.com/portico-dev/portico/internal/snapshot"
)

// mockResponse builds <mock-response>: the answer is an example that the API operation describes for the status, of the
// media type that is asked for, else the first one of the status, else what a schema of the status describes, chosen in
// the same way, else nothing. It ends the pipeline.
func mockResponse(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	status, err1 := b.Fixed(s, "status-code", "200")
	media, err2 := b.Fixed(s, "content-type", "")
	index, err3 := b.Fixed(s, "index", "0")
	enabled, err4 := b.Bool(s, "enabled", true)
	code, err5 := strconv.Atoi(status)
	place, err6 := strconv.Atoi(index)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	if err := errors.Join(err5, err6); err != nil || !finalStatus(int64(code)) || place < 0 {
		return nil, b.Errorf(s, "'status-code' is the code of a final response and 'index' a whole number of zero or more.")
	}
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		if !enabled {
			return pipeline.Next, nil
		}
		m := pipeline.NewResponse(code)
		if c, example, ok := mocked(x.Operation, code, media, place); ok {
			m.Header.Add("Content-Type", c)
			m.Body = pipeline.Bytes([]byte(example))
		}
		return pipeline.End, x.SetResponse(m)
	}, nil
}

// mocked finds the body. Without an operation, as in on-error of a request that matched none, there is none.
func mocked(o *snapshot.Operation, status int, media string, place int) (contentType, body string, ok bool) {
	if o == nil {
		return "", "", false
	}
	example := func(c snapshot.Content) (string, bool) {
		if len(c.Examples) == 0 {
			return "", false
		}
		return c.Examples[min(place, len(c.Examples)-1)], true
	}
	made := func(c snapshot.Content) (string, bool) { return c.Sample, c.Sample != "" }
	for _, bodyOf := range []func(snapshot.Content) (string, bool){example, made} {
		for _, asked := range []string{media, ""} { // none of the media type: any
			for _, r := range o.Responses {
				if r.Status != status {
					continue
				}
				for _, c := range r.Contents {
					if body, ok := bodyOf(c); ok && (asked == "" || strings.EqualFold(c.Type, asked)) {
						return c.Type, body, true
					}
				}
			}
		}
	}
	return "", "", false
}
