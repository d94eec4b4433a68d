package statement

import (
	"errors"
	"fmt"
	"time"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// timeLimit is the pair of attributes timeout, in seconds, and timeout-ms: the time for the head of a response.
type timeLimit struct {
	value  pipeline.Value
	unit   time.Duration // 0: neither is there
	absent time.Duration
}

func newTimeLimit(b *pipeline.Build, s *policy.Statement, absent time.Duration) (l timeLimit, err error) {
	l.absent = absent
	switch {
	case s.Has("timeout") && s.Has("timeout-ms"):
		err = b.Errorf(s, "Only one of the attributes 'timeout' and 'timeout-ms' can be given.")
	case s.Has("timeout"):
		l.unit = time.Second
		l.value, err = wholeNumber(b, s, "timeout", "")
	case s.Has("timeout-ms"):
		l.unit = time.Millisecond
		l.value, err = wholeNumber(b, s, "timeout-ms", "")
	}
	return l, err
}

// of evaluates the limit. A time-out of 0 is allowed and runs out at once.
func (l timeLimit) of(x *pipeline.Exchange) (time.Duration, error) {
	if l.unit == 0 {
		return l.absent, nil
	}
	n, err := l.value.Int(x)
	if err != nil || n < 0 || n > int64(24*time.Hour/l.unit) {
		return 0, errors.Join(fmt.Errorf("time-out of %d", n), err)
	}
	return max(time.Duration(n)*l.unit, time.Nanosecond), nil
}
