// Package identity is the local stand-in for the directory that Azure clients log in to, and the local certificate
// authority. It issues access tokens to the administrator's application and checks them on management requests; it
// issues the certificates of the management endpoint and of the services' host names.
//
// Tokens are signed with ES256: a P-256 key is made in microseconds, so that the first start stays fast, signatures
// are small, and the public key can be published for whoever wants to check tokens (JWKS). The published Azure
// clients never look at the signature of an access token.
//
// The administrator's secret is 256 random bits. Of it the server keeps SHA-256 only: a slow hash defends secrets that
// can be guessed, which this one cannot, and would make the token endpoint an easy target of denial of service.
//
// Start reading at Open, then Authority.Handler and Authority.Authenticate.
package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ErrNotSetUp is returned by Load for a folder in which Portico was never started.
var ErrNotSetUp = errors.New("no identity in this folder: portico was never started here")

// Files of the data folder. Both are 0600.
const (
	CredentialsFile = "credentials.json" // for the administrator; may be moved elsewhere
	identityFile    = "identity.json"    // for the server
)

// Credentials are the administrator's. The keys of the file are what scripts read.
type Credentials struct {
	TenantID       string `json:"tenantId"`
	ClientID       string `json:"clientId"`
	ClientSecret   string `json:"clientSecret"`
	SubscriptionID string `json:"subscriptionId"`
}

// record is the server's file. It holds no secret of the administrator.
type record struct {
	TenantID       string `json:"tenantId"`
	SubscriptionID string `json:"subscriptionId"`
	ClientID       string `json:"clientId"`
	SecretHash     string `json:"secretSha256"` // hex
	SigningKey     []byte `json:"signingKey"`   // PKCS #8
}

// Options of an Authority.
type Options struct {
	// Hosts are the names and addresses by which clients reach the server, besides localhost and loopback addresses.
	// A request that names another host gets no token: the issuer is made of the host it names.
	Hosts []string
	// Origin is the URL that tokens made without a request name as their issuer; empty means https://localhost.
	Origin string
	// Failures is how many failed logins one source may make in a burst before it is slowed down to one a second; 0
	// means 60.
	Failures int
}

// An Authority issues and checks tokens. It is safe for concurrent use.
type Authority struct {
	rec    record
	hash   []byte
	key    *ecdsa.PrivateKey
	keyID  string
	opt    Options
	hosts  map[string]bool // lower case
	limits *limiter
	good   *verified
}

// Open loads the identity of a data folder and makes it at the first start. A credentials file that is there decides
// about the administrator's secret, so that editing it and starting again changes the secret; one that was moved away
// is not missed.
func Open(dir string, opt Options) (*Authority, error) {
	rec, err := loadRecord(dir)
	if err != nil && !errors.Is(err, ErrNotSetUp) {
		return nil, err
	}
	fresh := err != nil
	cred, err := loadCredentials(dir)
	switch {
	case err == nil: // it decides
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case !fresh:
		return newAuthority(rec, opt)
	default:
		cred = newCredentials()
		if err := writeJSON(filepath.Join(dir, CredentialsFile), cred); err != nil {
			return nil, err
		}
	}
	want := record{
		TenantID: cred.TenantID, SubscriptionID: cred.SubscriptionID, ClientID: cred.ClientID,
		SecretHash: hashOf(cred.ClientSecret), SigningKey: rec.SigningKey,
	}
	if len(want.SigningKey) == 0 {
		if want.SigningKey, err = newSigningKey(); err != nil {
			return nil, err
		}
	}
	if fresh || !sameRecord(want, rec) {
		if err := writeJSON(filepath.Join(dir, identityFile), want); err != nil {
			return nil, err
		}
	}
	return newAuthority(want, opt)
}

// Load is Open for those who must not make anything: it returns ErrNotSetUp where there is nothing to load.
func Load(dir string, opt Options) (*Authority, error) {
	rec, err := loadRecord(dir)
	if err != nil {
		return nil, err
	}
	return newAuthority(rec, opt)
}

func newAuthority(rec record, opt Options) (*Authority, error) {
	key, err := x509.ParsePKCS8PrivateKey(rec.SigningKey)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, errors.New("signing key: it is not a P-256 key")
	}
	hash, err := hex.DecodeString(rec.SecretHash)
	if err != nil || len(hash) != sha256.Size {
		return nil, errors.New("the hash of the client secret is malformed")
	}
	public, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	id := sha256.Sum256(public)
	if opt.Origin == "" {
		opt.Origin = "https://localhost"
	}
	if opt.Failures == 0 {
		opt.Failures = 60
	}
	a := &Authority{
		rec: rec, hash: hash, key: ec, keyID: base64.RawURLEncoding.EncodeToString(id[:15]), opt: opt,
		hosts: map[string]bool{"localhost": true}, limits: newLimiter(opt.Failures), good: &verified{},
	}
	for _, h := range opt.Hosts {
		if h = normalHost(h); h != "" {
			a.hosts[h] = true
		}
	}
	return a, nil
}

// TenantID is the one tenant of this installation.
func (a *Authority) TenantID() string { return a.rec.TenantID }

// SubscriptionID is the Azure subscription that exists from the start.
func (a *Authority) SubscriptionID() string { return a.rec.SubscriptionID }

// ClientID is the administrator's application.
func (a *Authority) ClientID() string { return a.rec.ClientID }

// ObjectID is the object ID of an application in this tenant: the same for ever, without being stored.
func (a *Authority) ObjectID(clientID string) string {
	tenant, err := uuid.Parse(a.rec.TenantID)
	if err != nil {
		tenant = uuid.NameSpaceOID
	}
	return uuid.NewSHA1(tenant, []byte(strings.ToLower(clientID))).String()
}

// MintToken makes a token of the administrator for management requests, without asking for the secret: who can read
// the data folder may do everything anyway.
func (a *Authority) MintToken(_ context.Context) (token string, expires time.Time, err error) {
	return a.sign(a.opt.Origin, publicAudiences[0], a.rec.ClientID)
}

func (a *Authority) secretIsRight(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(sum[:], a.hash) == 1
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func newCredentials() Credentials {
	secret := make([]byte, 32)
	rand.Read(secret) //nolint:errcheck // crypto/rand never fails since Go 1.24
	return Credentials{
		TenantID: uuid.NewString(), ClientID: uuid.NewString(), SubscriptionID: uuid.NewString(),
		ClientSecret: base64.RawURLEncoding.EncodeToString(secret),
	}
}

func newSigningKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode signing key: %w", err)
	}
	return der, nil
}

func sameRecord(a, b record) bool {
	return a.TenantID == b.TenantID && a.SubscriptionID == b.SubscriptionID && a.ClientID == b.ClientID &&
		a.SecretHash == b.SecretHash && string(a.SigningKey) == string(b.SigningKey)
}

func loadRecord(dir string) (record, error) {
	var rec record
	err := readJSON(filepath.Join(dir, identityFile), &rec)
	if errors.Is(err, fs.ErrNotExist) {
		return rec, fmt.Errorf("%w (%s)", ErrNotSetUp, dir)
	}
	return rec, err
}

// minSecret keeps an edited file from weakening what the hash relies on.
const minSecret = 32

func loadCredentials(dir string) (Credentials, error) {
	var c Credentials
	if err := readJSON(filepath.Join(dir, CredentialsFile), &c); err != nil {
		return c, err
	}
	for _, id := range []struct{ key, value string }{{"tenantId", c.TenantID}, {"clientId", c.ClientID}, {"subscriptionId", c.SubscriptionID}} {
		if uuid.Validate(id.value) != nil {
			return c, fmt.Errorf("%s: %s is no GUID", CredentialsFile, id.key)
		}
	}
	if len(c.ClientSecret) < minSecret {
		return c, fmt.Errorf("%s: clientSecret is shorter than %d characters", CredentialsFile, minSecret)
	}
	return c, nil
}

// readJSON reads a file that nobody else may read, and sees to that first.
func readJSON(path string, v any) error {
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return writeFile(path, append(data, '\n'), 0o600)
}

// writeFile replaces a file so that a crash leaves the old one or the new one, and nobody ever sees it with wider
// rights than it shall have.
func writeFile(path string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(f.Name(), mode)
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
