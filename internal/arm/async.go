package arm

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Monitors says where a long-running operation is watched. Both URLs are absolute and carry the api-version of the
// request that started it; the operation's name is in the path, because one poller keeps nothing else.
type Monitors struct {
	Base     string // scheme and host the client used
	Resource string // resource ID; its operationresults are the monitors
	// Subscription and Location give the form that outlives the resource; used when Resource is empty.
	Subscription, Provider, Location string
	Name                             string // of the operation
	Version                          Version
	RetryAfter                       time.Duration
}

// SetHeaders adds Azure-AsyncOperation, Location and Retry-After. The flag &asyncResponse on the resource's own
// monitor asks for the status object instead of the result.
func (m Monitors) SetHeaders(h http.Header) {
	h.Set("Azure-Asyncoperation", m.StatusURL())
	h.Set("Location", m.ResultURL())
	SetRetryAfter(h, m.RetryAfter)
}

// StatusURL answers with the status object.
func (m Monitors) StatusURL() string {
	if m.Resource != "" {
		return m.ResultURL() + "&asyncResponse"
	}
	return m.perLocation("operationStatuses")
}

// ResultURL answers 202 while the operation runs, then as the synchronous operation would have.
func (m Monitors) ResultURL() string {
	if m.Resource != "" {
		return m.Base + EscapePath(m.Resource) + "/operationresults/" + m.Name + "?api-version=" + string(m.Version)
	}
	return m.perLocation("operationResults")
}

func (m Monitors) perLocation(kind string) string {
	if m.Provider == "" {
		return m.Base + "/subscriptions/" + m.Subscription + "/" + strings.ToLower(kind) + "/" + m.Name + "?api-version=" + string(m.Version)
	}
	return m.Base + "/subscriptions/" + m.Subscription + "/providers/" + m.Provider + "/locations/" + m.Location + "/" + kind + "/" + m.Name + "?api-version=" + string(m.Version)
}

// SetRetryAfter writes a whole number of seconds, zero allowed.
func SetRetryAfter(h http.Header, d time.Duration) {
	h.Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
}

// EscapePath percent-escapes what a resource ID may hold and a URL path may not.
func EscapePath(id string) string {
	const safe = "/-_.~;=@:!$&'()*+,"
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)+0x100, 16)[1:]))
	}
	return b.String()
}
