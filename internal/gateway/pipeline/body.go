package pipeline

import (
	"bytes"
	"errors"
	"io"
)

// ErrBodyTooLarge is returned when a body that has to be held in memory exceeds its bound.
var ErrBodyTooLarge = errors.New("the body exceeds the size that may be buffered")

// A Body is the content of a message. It is streamed once from its source unless a statement reads or replaces it;
// then it is held in memory and can be read again. The zero value is no body.
type Body struct {
	stream io.ReadCloser
	data   []byte
	held   bool
	taken  bool  // an expression has read it away
	size   int64 // -1: unknown
}

// Stream makes a body that is read once. size is -1 when unknown.
func Stream(r io.ReadCloser, size int64) Body { return Body{stream: r, size: size} }

// Bytes makes a body of data that the caller gives away.
func Bytes(data []byte) Body { return Body{data: data, held: true, size: int64(len(data))} }

// Empty reports that there is no content.
func (b *Body) Empty() bool { return b.size == 0 || (b.stream == nil && !b.held) }

// Size is the length in bytes, -1 when unknown.
func (b *Body) Size() int64 {
	if b.Empty() {
		return 0
	}
	return b.size
}

// Held is the content when it is in memory.
func (b *Body) Held() ([]byte, bool) { return b.data, b.held }

// Buffer reads the content into memory, at most limit bytes, and keeps it readable.
func (b *Body) Buffer(limit int64) ([]byte, error) {
	if b.held || b.stream == nil {
		return b.data, nil
	}
	if b.size > limit {
		return nil, ErrBodyTooLarge
	}
	var buf bytes.Buffer
	if b.size > 0 {
		buf.Grow(int(b.size))
	}
	n, err := io.Copy(&buf, io.LimitReader(b.stream, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, ErrBodyTooLarge
	}
	err = b.stream.Close()
	*b = Bytes(buf.Bytes())
	return b.data, err
}

// Reader gives the content for sending. A held body can be asked for again; a streamed one is handed over, and the
// body is empty afterwards. It is nil when there is no content.
func (b *Body) Reader() io.ReadCloser {
	if b.held {
		if len(b.data) == 0 {
			return nil
		}
		return io.NopCloser(bytes.NewReader(b.data))
	}
	r := b.stream
	*b = Body{}
	return r
}

// Replace closes what is there and puts data in its place.
func (b *Body) Replace(data []byte) error {
	err := b.Close()
	*b = Bytes(data)
	return err
}

// Close lets go of a stream that was not read.
func (b *Body) Close() error {
	if b.stream == nil {
		return nil
	}
	err := b.stream.Close()
	*b = Body{}
	return err
}
