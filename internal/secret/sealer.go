package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// KeySize is the length of a sealing key in bytes.
const KeySize = 32

// ErrUnsealable is returned by Open for a text that this key did not seal in this context.
var ErrUnsealable = errors.New("the sealed value cannot be opened with this key in this place")

// A sealed value is the base64 (URL alphabet, no padding) of
//
//	format (1 byte) | key id (4) | nonce (12) | AES-256-GCM ciphertext and tag
//
// where format, key id and context are authenticated. A later format or a second key can be told apart by the header.
const (
	formatGCM  = 1
	keyIDSize  = 4
	nonceSize  = 12
	headerSize = 1 + keyIDSize
)

// A Sealer seals and opens secrets with one key. It is safe for concurrent use.
//
// Sealing is deterministic: the nonce is a MAC of context and plaintext (as in SIV modes), so that writing the same
// secret to the same place again gives the same text and a document that did not change compares equal. All that
// this shows is whether a secret at one place is the one that was there before.
type Sealer struct {
	aead     cipher.AEAD
	nonceKey []byte
	header   []byte // format and key id
}

// NewSealer makes a Sealer from a key of KeySize bytes.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("sealing key has %d bytes, want %d", len(key), KeySize)
	}
	derive := func(use string, n int) ([]byte, error) { return hkdf.Key(sha256.New, key, nil, "portico "+use, n) }
	sealKey, err1 := derive("seal", KeySize)
	nonceKey, err2 := derive("nonce", KeySize)
	keyID, err3 := derive("key id", keyIDSize)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("derive sealing keys: %w", err)
	}
	block, err := aes.NewCipher(sealKey)
	if err != nil {
		return nil, fmt.Errorf("make sealer: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make sealer: %w", err)
	}
	return &Sealer{aead: aead, nonceKey: nonceKey, header: append([]byte{formatGCM}, keyID...)}, nil
}

// Seal encrypts plain. The context names the place of the value (a resource ID and a path, say): what is sealed for
// one place cannot be opened in another.
func (s *Sealer) Seal(plain []byte, context string) (string, error) {
	if uint64(len(plain)) > 1<<30 {
		return "", fmt.Errorf("seal a value of %d bytes: more than 1 GiB", len(plain))
	}
	nonce := s.nonce(plain, context)
	sealed := make([]byte, 0, headerSize+nonceSize+len(plain)+s.aead.Overhead())
	sealed = append(sealed, s.header...)
	sealed = append(sealed, nonce...)
	sealed = s.aead.Seal(sealed, nonce, plain, s.additional(context))
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open returns what Seal sealed in the same context. Errors for texts of another key, place or origin are
// ErrUnsealable and do not tell which.
func (s *Sealer) Open(sealed, context string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(b) < headerSize+nonceSize+s.aead.Overhead() {
		return nil, fmt.Errorf("%w: it is not a sealed value", ErrUnsealable)
	}
	if b[0] != formatGCM {
		return nil, fmt.Errorf("%w: format %d is unknown", ErrUnsealable, b[0])
	}
	if !hmac.Equal(b[:headerSize], s.header) {
		return nil, fmt.Errorf("%w: key %x sealed it", ErrUnsealable, b[1:headerSize])
	}
	nonce, body := b[headerSize:headerSize+nonceSize], b[headerSize+nonceSize:]
	plain, err := s.aead.Open(nil, nonce, body, s.additional(context))
	if err != nil {
		return nil, ErrUnsealable
	}
	return plain, nil
}

// nonce is the MAC of context and plaintext; the length keeps the two apart.
func (s *Sealer) nonce(plain []byte, context string) []byte {
	mac := hmac.New(sha256.New, s.nonceKey)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(context)))
	mac.Write(n[:])
	mac.Write([]byte(context))
	mac.Write(plain)
	return mac.Sum(nil)[:nonceSize]
}

func (s *Sealer) additional(context string) []byte {
	return append(append([]byte(nil), s.header...), context...)
}
