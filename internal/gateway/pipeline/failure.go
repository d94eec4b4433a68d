package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
)

// Reasons of failures, spelt as context.LastError.Reason shows them.
const (
	ReasonOperationNotFound = "OperationNotFound"
	ReasonKeyNotFound       = "SubscriptionKeyNotFound"
	ReasonKeyInvalid        = "SubscriptionKeyInvalid"
	ReasonClient            = "ClientConnectionFailure"
	ReasonBackend           = "BackendConnectionFailure"
	ReasonTimeout           = "Timeout"
	ReasonExpression        = "ExpressionValueEvaluationFailure"
	ReasonRateLimit         = "RateLimitExceeded"
	ReasonQuota             = "QuotaExceeded"
	ReasonErrorStatus       = "ErrorStatusCode"
	ReasonConcurrency       = "ConcurrencyLimitExceeded"
	ReasonCallerUnknown     = "FailedToParseCallerIP"
	ReasonCallerNotAllowed  = "CallerIpNotAllowed"
	ReasonCallerBlocked     = "CallerIpBlocked"
	ReasonHeaderNotFound    = "HeaderNotFound"
	ReasonHeaderNotAllowed  = "HeaderValueNotAllowed"
)

// A Failure ends the normal course of an exchange. It is what context.LastError shows, and carries the answer that
// the client gets when no on-error section changes it.
type Failure struct {
	Source   string // the statement, or a built-in step: configuration, authorization
	Reason   string
	Message  string
	Scope    string
	Section  string
	Path     string
	PolicyID string

	Status int     // 0 means 500
	Public string  // the message in the default body; unused with 500
	Header []Field // of the default answer
	// KeepResponse leaves the exchange's response as it is: an error status of the backend goes through on-error.
	KeepResponse bool
	Err          error // the cause; logged, never sent

	placed bool // Source to PolicyID tell where it happened
}

func (f *Failure) Error() string {
	return f.Source + ": " + f.Reason + ": " + f.Message
}

// Internal reports whether the gateway itself has failed, rather than the client or whatever the gateway depends on.
func (f *Failure) Internal() bool {
	switch f.Reason {
	case ReasonClient, ReasonBackend, ReasonTimeout, ReasonErrorStatus:
		return false
	}
	return f.Status == 0 || f.Status >= 500
}

func (f *Failure) Unwrap() error { return f.Err }

// fail records err and replaces the response by the default answer for it.
func (x *Exchange) fail(err error) {
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Reason: ReasonExpression, Message: err.Error(), Err: err}
	}
	if f.Scope == "" {
		f.Scope = "global"
	}
	if f.Section == "" {
		f.Section = string(x.Section)
	}
	if errors.Is(err, context.Canceled) && x.Err() != nil {
		f.Reason = ReasonClient
	}
	x.LastError = f
	if f.KeepResponse && x.Response != nil {
		return
	}
	if err := x.SetResponse(f.response(x.RequestID())); err != nil {
		x.secondary = append(x.secondary, err)
	}
}

func (f *Failure) response(activity string) *Message {
	status := f.Status
	if status == 0 {
		status = 500
	}
	m := NewResponse(status)
	m.Header.Add("Content-Type", "application/json")
	for _, h := range f.Header {
		m.Header.Add(h.Name, h.Value)
	}
	if status == 500 {
		m.Body = Bytes([]byte(`{ "statusCode": 500, "message": "Internal server error", "activityId": "` + activity + `" }`))
	} else {
		m.Body = Bytes(ErrorBody(status, f.Public))
	}
	return m
}

// ErrorBody is the body of an answer that the gateway itself makes. Its spacing is what clients of the service see.
func ErrorBody(status int, message string) []byte {
	text, err := json.Marshal(message)
	if err != nil { // a string always marshals
		text = []byte(`""`)
	}
	b := make([]byte, 0, 40+len(text))
	b = append(b, `{ "statusCode": `...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `, "message": `...)
	b = append(b, text...)
	return append(b, " }"...)
}
