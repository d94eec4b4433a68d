# `make` alone lists the targets. Everything a target needs it builds or fetches through Go itself.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
GO ?= go
BIN := bin/portico
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
TOOL := $(GO) tool -modfile=tools/go.mod
SOURCES := $(shell find cmd internal -name '*.go' -not -name '*_test.go' 2>/dev/null) go.mod go.sum

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(BIN): $(SOURCES)
	@echo "building $(BIN) (the first build compiles the embedded database and takes a minute or two)"
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/portico

.PHONY: build
build: $(BIN) ## build bin/portico

.PHONY: demo
demo: $(BIN) ## host a service, migrate, scale, kill and restart under load; prints one table
	@$(BIN) demo

.PHONY: run
run: $(BIN) ## run Portico here, data in ./portico-data
	@$(BIN) up

.PHONY: test
test: ## run all tests
	@$(GO) test -timeout 10m $$($(GO) list ./... | grep -v /test/)
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; $(GO) test -count=1 -timeout 15m -v ./test/e2e | grep -v '^=== ' | tee "$$log" \
		|| { echo; echo "what failed, once more:"; grep -A3 -E '^ +[a-z_]+_test\.go:[0-9]+: |^ *--- FAIL' "$$log"; exit 1; }

.PHONY: check
check: ## format, vet, staticcheck, race detector, cross-compile
	@bad="$$($(TOOL) gofumpt -l cmd internal test bench)"; if [ -n "$$bad" ]; then echo "not formatted (run: make fmt):"; echo "$$bad"; exit 1; fi
	@$(GO) vet ./...
	@$(TOOL) staticcheck ./...
	@for target in linux/arm64 darwin/arm64; do echo "cross-compile $$target"; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build -o /dev/null ./cmd/portico || exit 1; done
	@if command -v $${CC:-cc} >/dev/null 2>&1; then echo "tests with the race detector"; $(GO) test -race -short -timeout 10m $$($(GO) list ./... | grep -v /test/); \
		else echo "no C compiler: tests with the race detector left out"; fi

.PHONY: vectors
vectors: ## send the published samples (../shared/specs) to the management API; prints what is answered otherwise
	@$(GO) test -count=1 -v -run '^TestVectors$$' ./internal/control/management | grep -v '^=== '

.PHONY: fmt
fmt: ## format the sources
	@$(TOOL) gofumpt -w cmd internal test bench

.PHONY: clients
clients: $(BIN) ## run the unmodified Azure clients (Go, and JavaScript where npm is) against Portico
	@cd test/clients && PORTICO_BIN=$(BIN) $(GO) test -count=1 -timeout 15m .

.PHONY: lint
lint: ## golangci-lint with .golangci.yml (builds the linter once)
	@$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

.PHONY: bench
bench: $(BIN) ## measure start, memory, publish and the hot paths; prints tables
	@$(GO) run ./bench -bin $(BIN)

.PHONY: gen
gen: ## refresh the generated pages in docs/reference
	@$(GO) run ./internal/docgen -out docs/reference
	@$(GO) test ./cmd/portico -run TestCommandsPage -update >/dev/null

.PHONY: soak
soak: ## what takes too long for CI: SOAK (100000) requests through each change that is without downtime (ONLY=name for some), CASES (1000000) of the planner's properties
	@PORTICO_SOAK=$(or $(SOAK),100000) $(GO) test -count=1 -timeout 4h -v -run '^TestSoak$$/./$(ONLY)' ./test/e2e | grep -v '^=== '
	@[ -n "$(ONLY)" ] || PORTICO_PROPERTY_CASES=$(or $(CASES),1000000) $(GO) test -count=1 -timeout 4h ./internal/platform -run '^Test(Next|Forecast)_'

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (default 30s) each
	@for pkg in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
		echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(or $(FUZZTIME),30s) $$pkg || exit 1; done; done
