package backup

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// blobVersion is the version of the protocol: one in which a blob of maxArchive bytes is put in one request.
const blobVersion = "2021-08-06"

// A blob is a backup in a container of a storage account. Putting and getting one whole blob with the account's key is
// all of the protocol that backups need.
type blob struct {
	Place
	endpoint string // of the account, without a slash at the end
}

func (b *blob) put(ctx context.Context, data []byte) error {
	_, err := b.try(ctx, http.MethodPut, data)
	return err
}

func (b *blob) get(ctx context.Context) ([]byte, error) { return b.try(ctx, http.MethodGet, nil) }

// tries is how often a request is sent to an account that does not answer, or answers that it cannot.
const tries = 4

// try sends a request until it is answered for good.
func (b *blob) try(ctx context.Context, method string, data []byte) ([]byte, error) {
	for n := 1; ; n++ {
		got, again, err := b.send(ctx, method, data)
		if !again || n == tries {
			return got, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond << (2 * n)):
		}
	}
}

// send sends one request; again says that another try may go better.
func (b *blob) send(ctx context.Context, method string, data []byte) (got []byte, again bool, err error) {
	r, err := b.request(ctx, method, data)
	if err != nil {
		return nil, false, err
	}
	const patience = 10 * time.Minute // for one backup
	client := http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		return nil, ctx.Err() == nil, fmt.Errorf("reach the storage account %s: %w", b.Account, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusTooManyRequests:
		again = true
	case res.StatusCode < http.StatusMultipleChoices:
		got, err = readBounded(res.Body)
		return got, err != nil, err
	}
	return nil, again, refusal(method, res)
}

// refusal tells what an account says.
func refusal(method string, res *http.Response) error {
	var said struct {
		Code string `xml:"Code"`
	}
	const enough = 64 << 10
	_ = xml.NewDecoder(io.LimitReader(res.Body, enough)).Decode(&said) // an empty body says nothing
	if code := res.Header.Get("X-Ms-Error-Code"); code != "" {
		said.Code = code
	}
	switch {
	case said.Code == "ContainerNotFound", res.StatusCode == http.StatusNotFound && method == http.MethodPut:
		return ErrNoContainer
	case res.StatusCode == http.StatusNotFound:
		return ErrNoBackup
	case res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusUnauthorized:
		return ErrDenied
	}
	return fmt.Errorf("the storage account answers %d %s", res.StatusCode, said.Code)
}

func (b *blob) request(ctx context.Context, method string, data []byte) (*http.Request, error) {
	key, err := base64.StdEncoding.DecodeString(b.Key)
	if err != nil {
		return nil, ErrDenied
	}
	var body io.Reader
	if data != nil {
		body = bytes.NewReader(data)
	}
	target := b.endpoint + "/" + url.PathEscape(b.Container) + "/" + strings.ReplaceAll(url.PathEscape(b.Name), "%2F", "/")
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Ms-Date", time.Now().UTC().Format(http.TimeFormat))
	r.Header.Set("X-Ms-Version", blobVersion)
	if data != nil {
		r.Header.Set("X-Ms-Blob-Type", "BlockBlob")
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	r.Header.Set("Authorization", "SharedKey "+b.Account+":"+b.sign(r, key))
	return r, nil
}

// sign is the signature of a request, as "Authorize with Shared Key" describes it.
func (b *blob) sign(r *http.Request, key []byte) string {
	length := ""
	if r.ContentLength > 0 {
		length = fmt.Sprint(r.ContentLength)
	}
	lines := []string{
		r.Method, "", "", length, "", r.Header.Get("Content-Type"),
		"", "", "", "", "", "", // Date, which X-Ms-Date replaces, four conditions, Range
	}
	var names []string
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Ms-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		lines = append(lines, strings.ToLower(name)+":"+r.Header.Get(name))
	}
	lines = append(lines, "/"+b.Account+r.URL.EscapedPath())
	query := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		lines = append(lines, strings.ToLower(name)+":"+query.Get(name))
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.Join(lines, "\n")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
