// Package arm holds what every Azure Resource Manager client relies on and every type shares: resource IDs,
// api-versions, the error body, ETags, paging. It knows no resource type and serves no request.
package arm
