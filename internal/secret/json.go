package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// sealedJSON is how a sealed value stands in a document: {"$sealed":"…"}.
type sealedJSON struct {
	Sealed *string `json:"$sealed"`
}

// SealJSON seals one JSON value of any type: the result is the object {"$sealed":"…"}.
func (s *Sealer) SealJSON(value json.RawMessage, context string) (json.RawMessage, error) {
	if !json.Valid(value) {
		return nil, errors.New("seal a value: it is not JSON")
	}
	sealed, err := s.Seal(value, context)
	if err != nil {
		return nil, err
	}
	return json.Marshal(sealedJSON{&sealed})
}

// OpenJSON returns the value that SealJSON sealed in the same context.
func (s *Sealer) OpenJSON(sealed json.RawMessage, context string) (json.RawMessage, error) {
	text, ok := sealedText(sealed)
	if !ok {
		return nil, fmt.Errorf("%w: it is not an object with $sealed alone", ErrUnsealable)
	}
	plain, err := s.Open(text, context)
	if err != nil {
		return nil, err
	}
	if !json.Valid(plain) {
		return nil, fmt.Errorf("%w: its content is not JSON", ErrUnsealable)
	}
	return plain, nil
}

// IsSealedJSON says whether a value has the form that SealJSON gives. A document that comes from a client must not
// contain such a value.
func IsSealedJSON(value json.RawMessage) bool {
	_, ok := sealedText(value)
	return ok
}

func sealedText(value json.RawMessage) (string, bool) {
	if value = bytes.TrimSpace(value); !bytes.HasPrefix(value, []byte("{")) {
		return "", false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil || len(members) != 1 {
		return "", false
	}
	var text *string
	if json.Unmarshal(members["$sealed"], &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}
