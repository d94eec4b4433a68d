package management

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// maxToken is how far ahead a user's token may expire.
const maxToken = 30 * 24 * time.Hour

// userToken answers with a shared access token of a user: who, until when, and a signature with one of the user's two
// keys.
// https://learn.microsoft.com/rest/api/apimanagement/user/get-shared-access-token
func (q *request) userToken() (*reply, *arm.Error) {
	key, expiry, err := q.tokenWish()
	if err != nil {
		return nil, err
	}
	token := ""
	err = q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if err := q.readable(p); err != nil {
			return err
		}
		if p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		o, err := q.engine.Open(*p.doc)
		if err != nil {
			return err
		}
		text := lastSegment(p.id) + "&" + expiry.UTC().Format("200601021504")
		mac := hmac.New(sha512.New, []byte(o.Text("tokenKeys."+key)))
		mac.Write([]byte(text)) //nolint:errcheck // a hash never fails
		token = text + "&" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		return nil
	})
	return &reply{status: http.StatusOK, body: map[string]any{"value": token}}, err
}

// tokenWish reads which key signs and when the token expires. Before 2019 the body had no bag of properties.
func (q *request) tokenWish() (key string, expiry time.Time, _ *arm.Error) {
	body, err := q.readBody()
	if err != nil {
		return "", time.Time{}, err
	}
	o, err := resource.ReadObject(body)
	if err != nil {
		return "", time.Time{}, err
	}
	bag := ""
	if !q.version.Before("2019-01-01") {
		bag = "properties."
	}
	key, text := strings.ToLower(o.Text(bag+"keyType")), o.Text(bag+"expiry")
	var found []arm.ErrorDetail
	if key != "primary" && key != "secondary" {
		found = append(found, resource.Finding("keyType", "'%s' is not a valid value of 'keyType'. Possible values: primary, secondary.", o.Text(bag+"keyType")))
	}
	expiry, perr := time.Parse(time.RFC3339Nano, text)
	switch {
	case perr != nil:
		found = append(found, resource.Finding("expiry", "'expiry' is not a date and time."))
	case time.Until(expiry) > maxToken:
		found = append(found, resource.Finding("expiry", "'expiry' may be at most 30 days from now."))
	}
	if len(found) > 0 {
		return "", time.Time{}, arm.Invalid(found...)
	}
	return key, expiry, nil
}
