# Quartier. `make demo` and `make test` do everything that they need, on a machine with Go, Node and apt.
SHELL := /bin/bash
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
WEB     := cmd/internal/console/web
GOFLAGS_WEB := -tags web -ldflags "-s -w -X main.version=$(VERSION)"
# one way to compile for program, checks and tests, in whatever folder: what one of them compiled serves the others
export GOFLAGS := -buildvcs=false -trimpath
# On processors with AVX2 the optimizer takes four steps at a time (optimizer/ipm/vec_wide.go). `make GOEXPERIMENT= build` builds for every processor.
GOEXPERIMENT ?= $(shell test "$$(go env GOARCH)" = amd64 && grep -qsw avx2 /proc/cpuinfo && echo simd)
export GOEXPERIMENT

.PHONY: build demo test check go-test web-test e2e bench soak verify setup clean help

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: bin/quartier ## bin/quartier with the console inside

bin/quartier: FORCE $(WEB)/dist/index.html
	go build $(GOFLAGS_WEB) -o $@ ./cmd/quartier

WEB_SOURCES := $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

$(WEB)/node_modules/.done: $(WEB)/package.json $(WEB)/package-lock.json
	@command -v npm >/dev/null || { echo "make: npm is missing: install Node.js 20 or later"; exit 1; }
	cd $(WEB) && npm ci --no-audit --no-fund
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.done $(WEB_SOURCES)
	cd $(WEB) && npm run build
	@touch $@

drivers/foreign/node_modules/.done: drivers/foreign/package.json drivers/foreign/package-lock.json
	cd drivers/foreign && npm ci --no-audit --no-fund
	@touch $@

demo: build ## the whole system on simulated districts, console on http://127.0.0.1:8080
	bin/quartier demo

setup: drivers/foreign/node_modules/.done ## install what the tests need: browser, Modbus and OPC UA peers, TimescaleDB, HiGHS
	.ci/setup

test: ## every test, TimescaleDB and browser included
	$(MAKE) --no-print-directory -j 2 --output-sync=target setup check build
	.ci/test

check: ## gofmt, vet and staticcheck
	@bad=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$bad" || { echo "not gofmt'd: $$bad"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

bench: ## benchmarks
	go test -run '^$$' -bench . -benchtime 1x ./optimizer/... ./schemas/store/... ./drivers/... ./cmd/internal/balances

SOAK ?= 30m
soak: ## a day in fast time, then SOAK (30m) on sockets, of two hundred devices of which a tenth misbehaves; SOAK of pairs of faults
	QUARTIER_SOAK=$(SOAK) go test -count 1 -timeout 0 -v -run Soak ./drivers/poll ./drivers/modbus ./drivers/opcua ./cmd/internal/app

verify: ## hold the optimizer against the reference program named by QUARTIER_PLAN_REFERENCE
	go test -tags verify -count 1 ./optimizer/highstest

clean: ## remove what was built
	rm -rf bin var $(WEB)/dist

FORCE:
