// Package backup holds the form of a service's backup and the places where backups are kept: containers of storage
// accounts, spoken to by the Azure Blob protocol, and folders that stand in for them. What of a service belongs in a
// backup, and how it comes back, is for package management.
//
// Start reading at Archive for the form, at Accounts for the places.
package backup

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Valid is how long a backup can be restored.
const Valid = 30 * 24 * time.Hour

// format is the number of the form that Seal writes and Open reads.
const format = 1

// maxPlain bounds the documents of an archive, in bytes.
const maxPlain = 1 << 30

// An Archive is what one service contained at one time.
type Archive struct {
	Header
	Documents []Document
}

// A Header is the part of an archive that can be read without the key. It is covered by the seal.
type Header struct {
	Format  int       `json:"porticoBackup"`
	Service string    `json:"service"` // resource ID
	Tier    string    `json:"tier"`
	Created time.Time `json:"created"` // platform time
	Seq     int64     `json:"seq"`     // of the state that it is of
}

// A Document is one thing below a service, its secrets in the clear: the archive is sealed as a whole.
type Document struct {
	Path   string          `json:"path"` // below the service: /apis/echo
	Type   string          `json:"type"`
	Body   map[string]any  `json:"body"`
	Status json.RawMessage `json:"status,omitempty"`
}

// A Sealer encrypts; what is sealed in one context cannot be opened in another.
type Sealer interface {
	Seal(plain []byte, context string) (string, error)
	Open(sealed, context string) ([]byte, error)
}

// Reasons why Open refuses an archive.
var (
	ErrNoArchive = errors.New("it is not a backup")
	ErrFormat    = errors.New("it was made by a later version")
	ErrSeal      = errors.New("it was sealed with the key of another installation, or was changed since")
)

// Seal writes an archive: a line with the header, and a line with everything else, compressed and sealed.
func Seal(s Sealer, a Archive) ([]byte, error) {
	a.Format = format
	head, err := json.Marshal(a.Header)
	if err != nil {
		return nil, fmt.Errorf("encode header: %w", err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := errors.Join(json.NewEncoder(z).Encode(a.Documents), z.Close()); err != nil {
		return nil, fmt.Errorf("encode documents: %w", err)
	}
	sealed, err := s.Seal(packed.Bytes(), sealContext(head))
	if err != nil {
		return nil, fmt.Errorf("seal archive: %w", err)
	}
	return fmt.Appendf(nil, "%s\n%s\n", head, sealed), nil
}

// Open reads what Seal wrote.
func Open(s Sealer, data []byte) (Archive, error) {
	head, sealed, ok := bytes.Cut(data, []byte("\n"))
	var a Archive
	if err := json.Unmarshal(head, &a.Header); err != nil || !ok || a.Format < 1 {
		return Archive{}, ErrNoArchive
	}
	if a.Format != format {
		return Archive{}, ErrFormat
	}
	packed, err := s.Open(string(bytes.TrimSuffix(sealed, []byte("\n"))), sealContext(head))
	if err != nil {
		return Archive{}, fmt.Errorf("%w: %w", ErrSeal, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return Archive{}, fmt.Errorf("%w: %w", ErrNoArchive, err)
	}
	dec := json.NewDecoder(io.LimitReader(z, maxPlain))
	dec.UseNumber()
	if err := dec.Decode(&a.Documents); err != nil {
		return Archive{}, fmt.Errorf("%w: %w", ErrNoArchive, err)
	}
	return a, nil
}

func sealContext(head []byte) string { return "backup " + string(head) }
