package arm

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

const jsonType = "application/json; charset=utf-8"

// wireError is the envelope of a provider.
type wireError struct {
	Code    string        `json:"code"`
	Message string        `json:"message"`
	Target  *string       `json:"target,omitempty"`
	Details []ErrorDetail `json:"details"`
}

// WriteError answers with the error envelope. Errors that ARM itself makes carry x-ms-failure-cause; those of a
// provider always have "details", null when there are none.
func WriteError(w http.ResponseWriter, e *Error) {
	h := w.Header()
	status := e.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	out := wireError{Code: e.Code, Message: e.Message, Details: e.Details}
	if e.Target != "" {
		out.Target = &e.Target
	}
	var body any = struct {
		Error wireError `json:"error"`
	}{out}
	if MadeByARM(e.Code) {
		h.Set("X-Ms-Failure-Cause", "gateway")
		body = struct {
			Error *Error `json:"error"`
		}{e}
	}
	h.Set("X-Ms-Error-Code", e.Code)
	WriteJSON(w, status, body)
}

// MadeByARM says whether an error code belongs to ARM itself rather than to a provider.
func MadeByARM(code string) bool {
	switch code {
	case "MissingApiVersionParameter", "InvalidApiVersionParameter", "NoRegisteredProviderFound", "InvalidResourceType",
		"InvalidResourceNamespace", "InvalidSubscriptionId", "SubscriptionNotFound", "ResourceGroupNotFound",
		"ParentResourceNotFound", "LocationRequired", "LocationNotAvailableForResourceType",
		"LocationNotAvailableForResourceGroup", "InvalidResourceName", "ResourceNameInvalid", "AuthenticationFailed",
		"InvalidAuthenticationToken", "ExpiredAuthenticationToken", "InvalidAuthenticationTokenTenant",
		"AuthorizationFailed", "InvalidResourceLocation", "InvalidResourceGroupLocation", "ResourceGroupBeingDeleted",
		"ScopeLocked", "MissingSubscriptionRegistration", "InvalidRequestContent", "MethodNotAllowed",
		"SubscriptionRequestsThrottled", "UnsupportedMediaType", "RequestEntityTooLarge":
		return true
	}
	return false
}

// WriteJSON answers with a JSON body and its length.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // policies are full of angle brackets
	if err := enc.Encode(body); err != nil {
		b.Reset()
		status = http.StatusInternalServerError
		b.WriteString(`{"error":{"code":"InternalServerError","message":"The answer could not be encoded."}}`)
	}
	data := bytes.TrimRight(b.Bytes(), "\n")
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client has gone; there is nobody left to tell
}

// WriteEmpty answers without a body. Pollers of some clients insist on an explicit length.
func WriteEmpty(w http.ResponseWriter, status int) {
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", "0")
	}
	w.WriteHeader(status)
}
