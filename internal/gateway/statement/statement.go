// Package statement holds the policy statements: one file for each, with its builder, and testdata/<name>.txtar with
// its cases. All lists them; a statement that is not listed is refused by name when a policy is compiled.
package statement

import (
	"maps"
	"slices"

	"github.com/portico-dev/portico/internal/gateway/backend"
	"github.com/portico-dev/portico/internal/gateway/cache"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
)

// Env is what statements use besides the exchange.
type Env struct {
	Pool        *backend.Pool
	Concurrency *Concurrency // nil makes one
	Cache       *cache.Cache // nil makes one
}

// All lists the builders by element name.
func All(env Env) map[string]pipeline.Builder {
	if env.Concurrency == nil {
		env.Concurrency = new(Concurrency)
	}
	if env.Cache == nil {
		env.Cache = cache.New(0)
	}
	return map[string]pipeline.Builder{
		"cache-lookup":        env.cacheLookup,
		"cache-lookup-value":  env.cacheLookupValue,
		"cache-remove-value":  env.cacheRemoveValue,
		"cache-store":         env.cacheStore,
		"cache-store-value":   env.cacheStoreValue,
		"check-header":        checkHeader,
		"choose":              choose,
		"cors":                newCORS,
		"find-and-replace":    findAndReplace,
		"forward-request":     env.forwardRequest,
		"include-fragment":    includeFragment,
		"ip-filter":           ipFilter,
		"limit-concurrency":   env.limitConcurrency,
		"mock-response":       mockResponse,
		"quota":               newQuota,
		"rate-limit":          newRate,
		"retry":               newRetry,
		"return-response":     returnResponse,
		"rewrite-uri":         rewriteURI,
		"send-request":        env.sendRequest,
		"set-backend-service": setBackendService,
		"set-body":            setBody,
		"set-header":          setHeader,
		"set-method":          setMethod,
		"set-query-parameter": setQueryParameter,
		"set-status":          setStatus,
		"set-variable":        setVariable,
		"trace":               trace,
		"wait":                wait,
	}
}

// Names lists the statements there are, sorted: what a policy may use on this gateway.
func Names() []string { return slices.Sorted(maps.Keys(All(Env{}))) }
