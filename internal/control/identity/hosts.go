package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/store"
)

// Documents of host certificates.
const (
	CertificateType   = "portico/certificates"
	CertificatePrefix = "/portico/certificates/"
)

// A Sealer encrypts secrets for storage; the context binds a sealed text to its document.
type Sealer interface {
	Seal(plain []byte, context string) (string, error)
	Open(sealed, context string) ([]byte, error)
}

// HostCertificates are the certificates that gateways present for host names. They are documents, so that every
// machine and every restart presents the same. It is safe for concurrent use.
type HostCertificates struct {
	st     store.Store
	ca     *CA
	sealer Sealer
	log    *slog.Logger

	mu    sync.Mutex      // guards below
	asked map[string]bool // hosts that were asked for since the start: those in use
}

// NewHostCertificates returns the host certificates of a store, issued by ca.
func NewHostCertificates(st store.Store, ca *CA, sealer Sealer, log *slog.Logger) *HostCertificates {
	return &HostCertificates{st: st, ca: ca, sealer: sealer, log: log, asked: map[string]bool{}}
}

// hostCertificate is the Desired of a document.
type hostCertificate struct {
	Certificate string `json:"certificate"` // PEM
	Key         sealed `json:"key"`
}

type sealed struct {
	Text string `json:"$sealed"`
}

// Certificate returns the chain and key of a host. They are made when there are none, or none that are from this
// authority and good for a while.
func (h *HostCertificates) Certificate(ctx context.Context, host string) (certPEM, keyPEM string, err error) {
	host = normalHost(host)
	h.note(host)
	err = h.st.View(ctx, func(r store.Reader) error {
		certPEM, keyPEM, err = h.read(r, host)
		return err
	})
	switch {
	case err != nil:
		return "", "", fmt.Errorf("load certificate of %s: %w", host, err)
	case certPEM != "":
		return certPEM, keyPEM, nil
	}
	freshCert, freshKey, err := h.ca.Issue(host)
	if err != nil {
		return "", "", err
	}
	_, err = h.st.Update(ctx, func(tx store.Tx) error {
		// Somebody else may have been faster; then theirs is the one.
		if certPEM, keyPEM, err = h.read(tx, host); err != nil || certPEM != "" {
			return err
		}
		certPEM, keyPEM = freshCert, freshKey
		return h.write(tx, host, certPEM, keyPEM)
	})
	if err != nil {
		return "", "", fmt.Errorf("store certificate of %s: %w", host, err)
	}
	return certPEM, keyPEM, nil
}

// maxAsked bounds the hosts whose certificates are renewed without being asked for; others are when they are.
const maxAsked = 1 << 16

func (h *HostCertificates) note(host string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.asked) < maxAsked {
		h.asked[host] = true
	}
}

// read returns empty texts when there is nothing usable. A key that cannot be unsealed is an error and not replaced:
// the wrong sealing key would otherwise renew every certificate.
func (h *HostCertificates) read(r store.Reader, host string) (certPEM, keyPEM string, err error) {
	d, err := r.Get(CertificatePrefix + host)
	if errors.Is(err, store.ErrNotFound) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	var c hostCertificate
	if err := json.Unmarshal(d.Desired, &c); err != nil {
		return "", "", fmt.Errorf("decode %s: %w", d.ID, err)
	}
	if !h.ca.Issued(c.Certificate) {
		return "", "", nil
	}
	key, err := h.sealer.Open(c.Key.Text, store.Key(d.ID))
	if err != nil {
		return "", "", fmt.Errorf("unseal the key of %s: %w", d.ID, err)
	}
	return c.Certificate, string(key), nil
}

func (h *HostCertificates) write(tx store.Tx, host, certPEM, keyPEM string) error {
	id := CertificatePrefix + host
	text, err := h.sealer.Seal([]byte(keyPEM), store.Key(id))
	if err != nil {
		return fmt.Errorf("seal the key of %s: %w", id, err)
	}
	desired, err := json.Marshal(hostCertificate{Certificate: certPEM, Key: sealed{text}})
	if err != nil {
		return fmt.Errorf("encode %s: %w", id, err)
	}
	_, err = tx.Put(store.Document{ID: id, Type: CertificateType, Desired: desired})
	return err
}

// renewEvery is how often Run looks; certificates are renewed months ahead.
const renewEvery = 12 * time.Hour

// Run renews the certificates in use before they end, until ctx ends. Their documents change, which publishes them.
func (h *HostCertificates) Run(ctx context.Context) error {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		h.mu.Lock()
		hosts := slices.Sorted(maps.Keys(h.asked))
		h.mu.Unlock()
		for _, host := range hosts {
			if _, _, err := h.Certificate(ctx, host); err != nil && ctx.Err() == nil {
				h.log.ErrorContext(ctx, "host certificate cannot be renewed", slog.String("host", host), slog.Any("error", err))
			}
		}
	}
}
