package identity

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/failpoint"
)

// lifetime of a token; answers say one second less, as the hosted directory does.
const lifetime = time.Hour

// leeway is how far clocks may differ.
const leeway = time.Minute

// publicAudiences are the names of the resource manager in the public cloud, which clients of any cloud may use.
var publicAudiences = []string{
	"https://management.azure.com/", "https://management.azure.com",
	"https://management.core.windows.net/", "https://management.core.windows.net",
}

// claims of an access token, version 1.0. The audience is one string: strict clients read it so.
type claims struct {
	Audience  string           `json:"aud"`
	Issuer    string           `json:"iss"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	ExpiresAt *jwt.NumericDate `json:"exp"`
	TenantID  string           `json:"tid"`
	ObjectID  string           `json:"oid"`
	Subject   string           `json:"sub"`
	AppID     string           `json:"appid"`
	AppACR    string           `json:"appidacr"` // "1": the application proved itself by a secret
	Kind      string           `json:"idtyp"`
	Version   string           `json:"ver"`
	Unique    string           `json:"uti"`
}

// The methods make claims a jwt.Claims.

func (c claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt, nil }
func (c claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.IssuedAt, nil }
func (c claims) GetNotBefore() (*jwt.NumericDate, error)      { return c.NotBefore, nil }
func (c claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c claims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c claims) GetAudience() (jwt.ClaimStrings, error)       { return jwt.ClaimStrings{c.Audience}, nil }

// A Principal is who a management request comes from.
type Principal struct {
	ObjectID string
	AppID    string
	Kind     string // "app": this directory has no users
}

func (a *Authority) sign(origin, audience, clientID string) (token string, expires time.Time, err error) {
	now := failpoint.Now()
	expires = now.Add(lifetime).Truncate(time.Second)
	oid := a.ObjectID(clientID)
	t := jwt.NewWithClaims(jwt.SigningMethodES256, claims{
		Issuer: origin + "/" + a.rec.TenantID + "/", Audience: audience,
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		TenantID: a.rec.TenantID, ObjectID: oid, Subject: oid, AppID: clientID, AppACR: "1", Kind: "app", Version: "1.0",
		Unique: uuid.NewString(),
	})
	t.Header["kid"] = a.keyID
	token, err = t.SignedString(a.key)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign token: %w", err)
	}
	return token, expires, nil
}

// Authenticate says who sent a management request. Errors are 401; Challenge gives the header that goes with them.
func (a *Authority) Authenticate(r *http.Request) (Principal, *arm.Error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return Principal{}, unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	}
	scheme, raw, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return Principal{}, unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is provided in an invalid format.")
	}
	raw = strings.TrimSpace(raw)
	var c claims
	if _, _, err := jwt.NewParser().ParseUnverified(raw, &c); err != nil {
		return Principal{}, unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
	}
	// A token of another directory is told apart from a bad one before its signature, which cannot be checked, is.
	if !strings.EqualFold(c.TenantID, a.rec.TenantID) {
		return Principal{}, a.wrongTenant(r, c.Issuer)
	}
	err := a.check(raw, &c)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired): // the signature was found good before
		return Principal{}, unauthorized("ExpiredAuthenticationToken", fmt.Sprintf(
			"The access token expiry UTC time '%s' is earlier than current UTC time '%s'.", stamp(c.ExpiresAt.Time), stamp(failpoint.Now())))
	case err != nil:
		return Principal{}, unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
	case !a.isManagement(c.Audience):
		return Principal{}, unauthorized("InvalidAuthenticationToken", fmt.Sprintf(
			"The access token has been obtained for wrong audience or resource '%s'. It should exactly match with one of the allowed audiences '%s'.",
			c.Audience, strings.Join(append([]string{a.origin(r), a.origin(r) + "/"}, publicAudiences...), "','")))
	}
	return Principal{ObjectID: c.ObjectID, AppID: c.AppID, Kind: c.Kind}, nil
}

// check says whether a token is ours and in force. c is what it says.
func (a *Authority) check(raw string, c *claims) error {
	rules := []jwt.ParserOption{jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(failpoint.Now)}
	if a.good.has(raw) {
		return jwt.NewValidator(rules...).Validate(c)
	}
	*c = claims{}
	_, err := jwt.ParseWithClaims(raw, c, func(*jwt.Token) (any, error) { return &a.key.PublicKey, nil },
		append(rules, jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}))...)
	if err == nil {
		a.good.add(raw)
	}
	return err
}

func (a *Authority) wrongTenant(r *http.Request, issuer string) *arm.Error {
	return unauthorized("InvalidAuthenticationTokenTenant", fmt.Sprintf(
		"The access token is from the wrong issuer '%s'. It must match the tenant '%s/%s/' associated with this subscription. Please use the authority (URL) '%[2]s/%[3]s' to get the token.",
		issuer, a.origin(r), a.rec.TenantID))
}

// Challenge is the WWW-Authenticate header of a 401. Clients find the tenant by it, so it is the same for every Azure
// subscription, whether there is such a one or not.
func (a *Authority) Challenge(r *http.Request, e *arm.Error) string {
	description := strings.NewReplacer(`"`, "'", `\`, "/").Replace(e.Message)
	return fmt.Sprintf(`Bearer authorization_uri="%s/%s", error="invalid_token", error_description="%s"`, a.origin(r), a.rec.TenantID, description)
}

// isManagement says whether a token for this audience is meant for management requests.
func (a *Authority) isManagement(audience string) bool {
	if slices.Contains(publicAudiences, audience) {
		return true
	}
	u, err := url.Parse(audience)
	return err == nil && isWeb(u) && (u.Path == "" || u.Path == "/") && a.isOurs(u.Hostname())
}

// isDirectory says the same of the directory's own API. No such API is served, but some clients want a token for it
// to read who they are.
func (a *Authority) isDirectory(audience string) bool {
	audience = strings.TrimRight(audience, "/")
	if audience == "https://graph.microsoft.com" || audience == "https://graph.windows.net" {
		return true
	}
	u, err := url.Parse(audience)
	return err == nil && isWeb(u) && u.Path == "/graph" && a.isOurs(u.Hostname())
}

func isWeb(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.RawQuery == "" && u.Fragment == "" && u.User == nil
}

func unauthorized(code, message string) *arm.Error {
	return &arm.Error{Status: http.StatusUnauthorized, Code: code, Message: message}
}

func stamp(t time.Time) string { return t.UTC().Format("1/2/2006 3:04:05 PM") }
