// Package lro keeps long-running operations: durable records of work that outlives a request, and the engine that
// carries them on after a crash. An operation is started inside the caller's transaction, together with what it is
// about; its end, whatever it changes, and its record are one transaction too.
//
// A handler runs an operation by steps that look before they act: a step may run again after a crash with the state
// it last saved.
package lro

import (
	"encoding/json"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// Type is the document type of operation records; their IDs are IDPrefix + name.
const (
	Type     = "portico/operations"
	IDPrefix = "/portico/operations/"
)

// Status of an operation, spelt as monitors answer it.
type Status string

// The words are exact: clients compare them.
const (
	InProgress Status = "InProgress"
	Succeeded  Status = "Succeeded"
	Failed     Status = "Failed"
	Canceled   Status = "Canceled"
)

// An Operation is the durable record. Its document's Status field holds it; Desired is empty.
type Operation struct {
	Name       string     `json:"name"` // opaque, safe in a path
	Kind       string     `json:"kind"` // which handler runs it: "service.update"
	Target     string     `json:"target"`
	APIVersion string     `json:"apiVersion"` // of the request that started it
	Status     Status     `json:"status"`
	Percent    int        `json:"percent"`
	Error      *arm.Error `json:"error,omitempty"`
	Started    time.Time  `json:"started"` // platform time, as Ended and those of Steps
	Ended      time.Time  `json:"ended,omitzero"`
	// By is who asked for it, Action what for as the activity log names it, Correlation what it has in common with other
	// events of the request. Empty for what the platform started.
	By          string `json:"by,omitempty"`
	Action      string `json:"action,omitempty"`
	Correlation string `json:"correlation,omitempty"`
	// NotBefore is the platform time before which the work does not begin: the pace of the platform gives the operation
	// a time to take.
	NotBefore time.Time `json:"notBefore,omitzero"`
	// Begun is the time of day at which the work began, by which it is given up.
	Begun time.Time       `json:"begun,omitzero"`
	Steps []Step          `json:"steps,omitempty"`
	State json.RawMessage `json:"state,omitempty"` // the handler's own
	// OnSuccess is written in the transaction that ends the operation well.
	OnSuccess []Write `json:"onSuccess,omitempty"`
}

// Progress is how far an operation is, in percent: as the time goes by that its pace lets it take, or as its work does.
func (op Operation) Progress(now time.Time) int {
	takes := op.NotBefore.Sub(op.Started)
	if op.Status != InProgress || takes <= 0 {
		return op.Percent
	}
	const held = 95 // what follows is the work
	return max(op.Percent, int(min(held, held*now.Sub(op.Started)/takes)))
}

// A Step is one entry of an operation's story.
type Step struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// A Write is a document to put, or to delete with everything below it.
type Write struct {
	Put        *store.Document `json:"put,omitempty"`
	Delete     string          `json:"delete,omitempty"`
	DeleteTree string          `json:"deleteTree,omitempty"` // the document and all below it
}
