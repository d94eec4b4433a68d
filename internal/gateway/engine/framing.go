package engine

import (
	"bytes"
	"errors"
	"strconv"
)

// errMalformed is what a connection reads instead of a request that is not strict HTTP/1.1. Nothing of what follows
// on that connection is looked at.
var errMalformed = errors.New("malformed HTTP/1.1 request")

// framing follows the bytes of a client's HTTP/1.1 connection. It knows at every byte whether a request has begun and
// where it ends, which is what a graceful end of the connection needs, and it refuses what different readers would
// understand differently: Content-Length with Transfer-Encoding, repeated Content-Length or Host, bare LF, folded
// lines, space before a colon, malformed chunk sizes, control characters.
type framing struct {
	state framingState
	left  uint64 // bytes of body or chunk to come
	carry []byte // a line that has begun in an earlier piece
	max   int    // longest line

	lines          int  // of the head so far
	http10         bool // from the request line
	length, coding bool // Content-Length, Transfer-Encoding were seen
	host           bool
	size           uint64 // of Content-Length
}

type framingState uint8

const (
	inHead framingState = iota
	inBody
	inChunkSize
	inChunk
	inChunkEnd
	inTrailer
)

// between reports that no byte of a next request has been seen.
func (f *framing) between() bool { return f.state == inHead && f.lines == 0 && len(f.carry) == 0 }

// inContent reports that more of a request's body has to come.
func (f *framing) inContent() bool { return f.state != inHead }

// feed takes the next bytes and returns how many of them may be passed on. After an error nothing more may be.
func (f *framing) feed(p []byte) (int, error) {
	for at := 0; at < len(p); {
		if f.state == inBody || f.state == inChunk {
			n := min(uint64(len(p)-at), f.left)
			at += int(n) //nolint:gosec // at most len(p)
			if f.left -= n; f.left == 0 {
				f.next()
			}
			continue
		}
		end := bytes.IndexByte(p[at:], '\n')
		if end < 0 {
			if len(f.carry)+len(p)-at > f.max {
				return len(p), nil // the reader gives up on its own limit
			}
			f.carry = append(f.carry, p[at:]...)
			return len(p), nil
		}
		line := p[at : at+end+1]
		if len(f.carry) > 0 {
			f.carry = append(f.carry, line...)
			line = f.carry
		}
		if !f.line(line) {
			return at + end, errMalformed
		}
		f.carry = f.carry[:0]
		at += end + 1
	}
	return len(p), nil
}

// next is the state after a body or a chunk has ended.
func (f *framing) next() {
	if f.state == inBody {
		f.reset()
		return
	}
	f.state = inChunkEnd
}

func (f *framing) reset() { *f = framing{carry: f.carry[:0], max: f.max} }

// line takes one line with its end and reports whether it is well-formed.
func (f *framing) line(line []byte) bool {
	n := len(line)
	if n < 2 || line[n-2] != '\r' {
		return false
	}
	line = line[:n-2]
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	switch f.state {
	case inHead:
		return f.headLine(line)
	case inChunkSize:
		return f.chunkSize(line)
	case inChunkEnd:
		f.state = inChunkSize
		return n == 2
	case inTrailer:
		if n == 2 {
			f.reset()
			return true
		}
		_, _, ok := field(line)
		return ok
	case inBody, inChunk:
	}
	return false
}

func (f *framing) headLine(line []byte) bool {
	f.lines++
	if f.lines == 1 {
		f.http10 = bytes.HasSuffix(line, []byte(" HTTP/1.0"))
		return len(line) > 0 && line[0] != ' '
	}
	if len(line) == 0 {
		return f.headEnd()
	}
	name, value, ok := field(line)
	if !ok {
		return false
	}
	switch { // by length first: most names are none of these
	case len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")):
		var err error
		f.size, err = strconv.ParseUint(string(value), 10, 63)
		return err == nil && once(&f.length)
	case len(name) == 17 && bytes.EqualFold(name, []byte("Transfer-Encoding")):
		return once(&f.coding)
	case len(name) == 4 && bytes.EqualFold(name, []byte("Host")):
		return once(&f.host)
	}
	return true
}

// once sets a mark and reports whether it was not set before.
func once(seen *bool) bool {
	first := !*seen
	*seen = true
	return first
}

// headEnd decides what follows the head. A transfer coding other than chunked is answered by the reader with 501 and
// the end of the connection, so that nothing after it matters.
func (f *framing) headEnd() bool {
	if f.coding && (f.length || f.http10) {
		return false
	}
	switch {
	case f.coding:
		f.state = inChunkSize
	case f.size > 0:
		f.state, f.left = inBody, f.size
	default:
		f.reset()
	}
	return true
}

func (f *framing) chunkSize(line []byte) bool {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	if len(digits) == 0 || len(digits) > 16 {
		return false
	}
	n, err := strconv.ParseUint(string(digits), 16, 63)
	if err != nil {
		return false
	}
	if n == 0 {
		f.state = inTrailer
		return true
	}
	f.state, f.left = inChunk, n
	return true
}

// field splits a header line. Folded lines and space before the colon are refused.
func field(line []byte) (name, value []byte, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i < 1 || bytes.ContainsAny(line[:i], " \t") {
		return nil, nil, false
	}
	return line[:i], bytes.Trim(line[i+1:], " \t"), true
}
