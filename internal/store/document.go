package store

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ETagOf is the ETag of a document whose Desired was last changed by transaction seq: the same form in every
// implementation, so that a move from one to another keeps the ETags that clients hold.
func ETagOf(seq int64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(seq))
	return base64.StdEncoding.EncodeToString(b[:])
}

// Validate says what keeps a document from being stored. Every implementation refuses the same ones.
func (d Document) Validate() error {
	switch {
	case !strings.HasPrefix(d.ID, "/") || Key(d.ID) == "":
		return fmt.Errorf("document ID %q does not start with a slash and a name", d.ID)
	case !utf8.ValidString(d.ID) || strings.ContainsFunc(d.ID, unicode.IsControl):
		return fmt.Errorf("document ID %q has invalid or control characters", d.ID)
	case d.Type == "" || d.Type != strings.ToLower(d.Type):
		return fmt.Errorf("document %s: type %q is not a lower-case name", d.ID, d.Type)
	}
	return nil
}
