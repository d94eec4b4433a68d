package resource

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// NewKey makes a subscription key: 32 hex digits.
func NewKey() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails, says its documentation
	return hex.EncodeToString(b[:])
}

// Timestamp is a time as the service writes it: UTC with seven digits after the second.
func Timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }
