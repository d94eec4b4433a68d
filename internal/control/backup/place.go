package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Place is where a client says that a backup is.
type Place struct {
	Account   string `json:"account"`
	Key       string `json:"key,omitempty"`      // the account's access key, base64
	Identity  bool   `json:"identity,omitempty"` // opened by an identity of the service, and not by a key of the client's
	Container string `json:"container"`
	Name      string `json:"name"`
}

// Errors of places. They are the client's to mend.
var (
	ErrNoContainer = errors.New("there is no such container")
	ErrNoBackup    = errors.New("there is no such backup")
	ErrDenied      = errors.New("the storage account refuses the access key")
	ErrNoGrant     = errors.New("identities are not let into the storage account")
	ErrTooLarge    = errors.New("it is larger than a backup can be")
)

// maxArchive bounds what is read from a place, in bytes.
const maxArchive = 1 << 30

// Accounts are the storage accounts that backups can be put into.
type Accounts struct {
	// Endpoint is the address of the Blob service of an account, with {account} where its name belongs.
	Endpoint string
	// Folders stand in for accounts: by name, a folder that holds a folder for each container.
	Folders map[string]string
	// Keys are the accounts that identities of services are let into: by name, the file with the access key.
	Keys map[string]string
}

// DefaultEndpoint is that of accounts in the cloud.
const DefaultEndpoint = "https://{account}.blob.core.windows.net"

// Put stores a backup, whole or not at all, in the place of one that is there.
func (a Accounts) Put(ctx context.Context, p Place, data []byte) error {
	if dir, ok := a.Folders[p.Account]; ok {
		return folder(dir).put(p, data)
	}
	p, err := a.grant(p)
	if err != nil {
		return err
	}
	return a.blob(p).put(ctx, data)
}

// Get reads a backup.
func (a Accounts) Get(ctx context.Context, p Place) ([]byte, error) {
	if dir, ok := a.Folders[p.Account]; ok {
		return folder(dir).get(p)
	}
	p, err := a.grant(p)
	if err != nil {
		return nil, err
	}
	return a.blob(p).get(ctx)
}

// grant gives an identity the key that the installation has for the account. It is read anew each time: keys are
// replaced.
func (a Accounts) grant(p Place) (Place, error) {
	if !p.Identity {
		return p, nil
	}
	file, ok := a.Keys[p.Account]
	if !ok {
		return p, ErrNoGrant
	}
	key, err := os.ReadFile(file) //nolint:gosec // a file that a setting names
	if err != nil {
		return p, fmt.Errorf("read the key of the storage account %s: %w", p.Account, err)
	}
	p.Key = strings.TrimSpace(string(key))
	return p, nil
}

// NeedsKey says whether an account asks for an access key. A folder asks for none.
func (a Accounts) NeedsKey(account string) bool {
	_, isFolder := a.Folders[account]
	return !isFolder
}

func (a Accounts) blob(p Place) *blob {
	endpoint := a.Endpoint
	if endpoint == "" {
		endpoint = DefaultEndpoint
	}
	return &blob{Place: p, endpoint: strings.TrimRight(strings.ReplaceAll(endpoint, "{account}", p.Account), "/")}
}

var (
	accountName   = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	containerName = regexp.MustCompile(`^[a-zA-Z0-9](-?[a-zA-Z0-9])*$`)
)

// ValidAccount says whether a name is one that storage accounts have.
func ValidAccount(name string) bool { return accountName.MatchString(name) }

// ValidContainer says whether a name may be one of a container. Those of accounts have small letters alone; that is for
// the account to say, because published samples use others.
func ValidContainer(name string) bool {
	return len(name) >= 3 && len(name) <= 63 && containerName.MatchString(name)
}

// ValidName says whether a name is one that blobs have: its parts are no dots alone, because clients and folders take
// those for something else.
func ValidName(name string) bool {
	bad := func(r rune) bool { return unicode.IsControl(r) || r == '\\' }
	if name == "" || len(name) > 1024 || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return false
	}
	return !slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.Trim(part, ".") == "" })
}

// ParsePaths reads "account=path,account=path".
func ParsePaths(s string) (map[string]string, error) {
	paths := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, path, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || path == "" || !ValidAccount(name) {
			return nil, fmt.Errorf("%q is not ACCOUNT=PATH, with 3 to 24 small letters and digits as the name of the account", pair)
		}
		paths[name] = path
	}
	return paths, nil
}
