// Package armclient is the management client of Portico's own commands. It speaks ARM over HTTP like any other client:
// it gets a token, sends requests, follows long-running operations and lists to their end.
package armclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/arm"
)

// Endpoints is the content of DIR/endpoints.json.
type Endpoints struct {
	ARM            string `json:"arm"`
	ARMTLS         string `json:"armTls"`
	Portal         string `json:"portal"`
	Edge           string `json:"edge"`
	EdgeTLS        string `json:"edgeTls"`
	TenantID       string `json:"tenantId"`
	SubscriptionID string `json:"subscriptionId"`
	CAFile         string `json:"caFile"`
}

// Credentials is the content of DIR/credentials.json.
type Credentials struct {
	TenantID       string `json:"tenantId"`
	ClientID       string `json:"clientId"`
	ClientSecret   string `json:"clientSecret"`
	SubscriptionID string `json:"subscriptionId"`
}

// A Client talks to one Portico. It is safe for concurrent use.
type Client struct {
	Endpoints   Endpoints
	credentials Credentials
	http        *http.Client

	mu      sync.Mutex // guards below
	token   string
	expires time.Time
}

// Open reads where the Portico of a data folder listens and how to log in.
func Open(dir string) (*Client, error) {
	c := &Client{http: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	for name, into := range map[string]any{"endpoints.json": &c.Endpoints, "credentials.json": &c.credentials} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no Portico has run in %s yet: start one with `portico up --data %s`", dir, dir)
		}
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, into); err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, name), err)
		}
	}
	return c, nil
}

// Subscription is the path of the Azure subscription: /subscriptions/{id}.
func (c *Client) Subscription() string { return "/subscriptions/" + c.Endpoints.SubscriptionID }

// Token returns a bearer token, a new one when the last is about to expire.
func (c *Client) Token(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Until(c.expires) > time.Minute {
		return c.token, nil
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.credentials.ClientID},
		"client_secret": {c.credentials.ClientSecret}, "scope": {c.Endpoints.ARM + "/.default"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoints.ARM+"/"+c.credentials.TenantID+"/oauth2/v2.0/token", bytes.NewBufferString(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.http.Do(req)
	if err != nil {
		return "", fmt.Errorf("get a token: %w", c.reach(err))
	}
	defer res.Body.Close()
	var got struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&got); err != nil {
		return "", fmt.Errorf("get a token: status %d: %w", res.StatusCode, err)
	}
	if got.AccessToken == "" {
		return "", fmt.Errorf("get a token: status %d: %s", res.StatusCode, got.Description)
	}
	c.token, c.expires = got.AccessToken, time.Now().Add(time.Duration(got.ExpiresIn)*time.Second)
	return c.token, nil
}

// reach says what to do when nobody answers.
func (c *Client) reach(err error) error {
	var op *url.Error
	if errors.As(err, &op) && !op.Timeout() {
		return fmt.Errorf("%w (is `portico up` running?)", err)
	}
	return err
}

// A Response is an answer whose status is below 400.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the body as JSON.
func (r *Response) Decode(into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return fmt.Errorf("read answer %.200q: %w", r.Body, err)
	}
	return nil
}

const maxAnswer = 64 << 20 // bytes

// Do sends one request. path is a resource ID, a path with a query, or an absolute URL that the server gave; body is
// sent as JSON unless nil. An answer from 400 on is returned as *arm.Error.
func (c *Client) Do(ctx context.Context, method, path, apiVersion string, body any, header ...string) (*Response, error) {
	res, err := c.send(ctx, method, path, apiVersion, body, header...)
	if Status(err) == http.StatusUnauthorized {
		// A token can end early: when the server's clock is set, or its key is new. What was refused has changed nothing.
		c.mu.Lock()
		c.expires = time.Time{}
		c.mu.Unlock()
		return c.send(ctx, method, path, apiVersion, body, header...)
	}
	return res, err
}

func (c *Client) send(ctx context.Context, method, path, apiVersion string, body any, header ...string) (*Response, error) {
	token, err := c.Token(ctx)
	if err != nil {
		return nil, err
	}
	target, err := c.target(path, apiVersion)
	if err != nil {
		return nil, err
	}
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, payload)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.reach(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return nil, problem(res.StatusCode, data)
	}
	return &Response{res.StatusCode, res.Header, data}, nil
}

func (c *Client) target(path, apiVersion string) (string, error) {
	u, err := url.Parse(path)
	if err != nil {
		return "", err
	}
	if u.Host == "" {
		base, err := url.Parse(c.Endpoints.ARM)
		if err != nil {
			return "", err
		}
		u.Scheme, u.Host = base.Scheme, base.Host
	}
	if apiVersion != "" {
		q := u.Query()
		q.Set("api-version", apiVersion)
		u.RawQuery = q.Encode()
	}
	return u.String(), nil
}

func problem(status int, data []byte) error {
	var body struct {
		Error *arm.Error `json:"error"`
	}
	if err := json.Unmarshal(data, &body); err != nil || body.Error == nil {
		body.Error = &arm.Error{Code: http.StatusText(status), Message: string(data)}
	}
	body.Error.Status = status
	return body.Error
}

// Run sends a request and, when it starts a long-running operation, waits for its end. progress (optional) is called
// with the operation's percentage. The result is the final answer: for PUT and PATCH, the resource.
func (c *Client) Run(ctx context.Context, method, path, apiVersion string, body any, progress func(percent int)) (*Response, error) {
	res, err := c.Do(ctx, method, path, apiVersion, body)
	if err != nil {
		return nil, err
	}
	if monitor := res.Header.Get("Azure-AsyncOperation"); monitor != "" {
		if err := c.follow(ctx, monitor, progress); err != nil {
			return nil, err
		}
		if method == http.MethodPut || method == http.MethodPatch {
			return c.Do(ctx, http.MethodGet, path, apiVersion, nil)
		}
		if at := res.Header.Get("Location"); at != "" {
			return c.Do(ctx, http.MethodGet, at, "", nil)
		}
		return res, nil
	}
	for began := time.Now(); res.Status == http.StatusAccepted && res.Header.Get("Location") != ""; {
		at := res.Header.Get("Location")
		if err := pause(ctx, time.Since(began)); err != nil {
			return nil, err
		}
		if res, err = c.Do(ctx, http.MethodGet, at, "", nil); err != nil {
			return nil, err
		}
		if res.Header.Get("Location") == "" && res.Status == http.StatusAccepted {
			res.Header.Set("Location", at)
		}
	}
	return res, nil
}

// follow polls a status monitor until it names an end.
func (c *Client) follow(ctx context.Context, monitor string, progress func(int)) error {
	for began := time.Now(); ; {
		res, err := c.Do(ctx, http.MethodGet, monitor, "", nil)
		if err != nil {
			return err
		}
		var op struct {
			Status  string     `json:"status"`
			Percent int        `json:"percentComplete"`
			Error   *arm.Error `json:"error"`
		}
		if err := res.Decode(&op); err != nil {
			return err
		}
		if progress != nil {
			progress(op.Percent)
		}
		switch op.Status {
		case "Succeeded":
			return nil
		case "Failed", "Canceled":
			if op.Error == nil {
				op.Error = &arm.Error{Code: op.Status, Message: "the operation gave no reason"}
			}
			return op.Error
		}
		if err := pause(ctx, time.Since(began)); err != nil {
			return err
		}
	}
}

// pollEvery is far below what Retry-After asks of foreign clients: commands wait on the host they run on. Who has waited
// for long, because operations take their time at the pace of the platform, looks less often, up to pollAtLeast.
const (
	pollEvery   = 20 * time.Millisecond
	pollAtLeast = time.Second
)

func pause(ctx context.Context, waited time.Duration) error {
	const share = 50 // of the time waited
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(max(pollEvery, waited/share), pollAtLeast)):
		return nil
	}
}

// List follows a collection to its end.
func (c *Client) List(ctx context.Context, path, apiVersion string) ([]json.RawMessage, error) {
	var all []json.RawMessage
	for next := path; next != ""; apiVersion = "" {
		res, err := c.Do(ctx, http.MethodGet, next, apiVersion, nil)
		if err != nil {
			return nil, err
		}
		var page struct {
			Value    []json.RawMessage `json:"value"`
			NextLink string            `json:"nextLink"`
		}
		if err := res.Decode(&page); err != nil {
			return nil, err
		}
		all, next = append(all, page.Value...), page.NextLink
	}
	return all, nil
}

// Status is the HTTP status of an error of Do, 0 for errors of another kind.
func Status(err error) int {
	if e, ok := errors.AsType[*arm.Error](err); ok {
		return e.Status
	}
	return 0
}
