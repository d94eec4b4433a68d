package arm

import "net/http"

// An Error is an error that a management client sees. Causes are logged, never sent.
type Error struct {
	Status  int           `json:"-"` // HTTP status
	Code    string        `json:"code"`
	Message string        `json:"message"`
	Target  string        `json:"target,omitempty"`
	Details []ErrorDetail `json:"details,omitempty"`
}

// An ErrorDetail is one finding of a validation.
type ErrorDetail struct {
	Code    string `json:"code"`
	Target  string `json:"target,omitempty"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// NotFound is the answer for a missing child of a service: "API not found.".
func NotFound(entity string) *Error {
	return &Error{Status: http.StatusNotFound, Code: "ResourceNotFound", Message: entity + " not found."}
}

// Invalid is a ValidationError with its findings.
func Invalid(details ...ErrorDetail) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "ValidationError", Message: "One or more fields contain incorrect values:", Details: details}
}
