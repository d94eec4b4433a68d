// Package secret keeps secrets out of logs and sealed in the store.
//
// A Value holds a secret in memory and prints as ***. A Sealer encrypts what is stored. LoadOrCreateKey keeps the
// sealing key in a file.
package secret

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// mask is how every Value prints, empty or not.
const mask = "***"

// A Value is a secret that prints as *** in every format. Its text is behind a pointer, so that even the field of a
// struct that fmt cannot ask prints as an address. The zero Value is empty.
//
// JSON and text are read as they are and written as ***: a document that must keep its secrets is sealed, never
// marshalled from Values.
type Value struct{ text *string }

// New makes a Value of a text.
func New(text string) Value { return Value{&text} }

// Reveal returns the text. Every call is a place where the secret may get out.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// IsZero says whether the text is empty.
func (v Value) IsZero() bool { return v.Reveal() == "" }

// Equal compares two secrets in a time that depends on their lengths alone.
func (v Value) Equal(other Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(other.Reveal())) == 1
}

// String returns ***.
func (v Value) String() string { return mask }

// Format prints *** for every verb and flag.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// LogValue is *** for slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns ***.
func (v Value) MarshalText() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText reads a secret.
func (v *Value) UnmarshalText(text []byte) error {
	*v = New(string(text))
	return nil
}

// MarshalJSON returns "***".
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(mask) }
