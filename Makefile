# Everything one does with this project. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

MODULE := github.com/rclone-gateway/rclone-gateway
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# On amd64 the text begins 64 KiB behind where the linker puts it by itself: from there the
# kernel may map 2 MiB for each page that is touched, and a start touches the whole file.
TEXT := $(if $(filter linux/amd64,$(shell go env GOOS)/$(shell go env GOARCH)),-T 0x411000)
LDFLAGS := -s -w $(TEXT) -X $(MODULE)/internal/version.version=$(VERSION)
GOBUILD := go build -ldflags '$(LDFLAGS)'

# One set of flags for all that is compiled, so that the linters, the binaries and
# the tools share what one of them has compiled before, in whatever directory the
# checkout is; the race detector alone needs its own. Rclone's backends take minutes
# each time.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(filter-out -trimpath,$(shell go env GOFLAGS)) -trimpath)

# Where the tests find the programs they run.
export RCLONE_GATEWAY ?= $(CURDIR)/bin/rclone-gateway
export GATEWAYCTL ?= $(CURDIR)/bin/gatewayctl
export RCLONE ?= $(CURDIR)/.cache/bin/rclone
export RESTIC_0_14 ?= $(CURDIR)/.cache/restic/0.14/restic
export RESTIC_0_18 ?= $(CURDIR)/.cache/restic/0.18/restic

# Where `make install` puts things.
PREFIX ?= /usr/local

# TEST_ARGS narrows a run, which then does not lint: make test TEST_ARGS='-run TestWhoMayDoWhat ./gateway'.
TEST_ARGS ?= ./integration ./integration/compose ./integration/client ./integration/systemd ./integration/docs ./client ./integration/page ./gateway/remote ./gateway ./...
TEST_TIMEOUT ?= 40m
CHECK_PACKAGES ?= ./bench/... ./client/... ./cmd/... ./gateway/... ./integration/docs ./internal/...
FUZZTIME ?= 20s

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Back up and restore a real tree through the gateway (KEEP=1 leaves it running, DIR=… backs that up)
	@scripts/deps restic
	@echo 'building the gateway; the first time takes a minute or two'
	@go build -tags curated -o .cache/demo/ ./cmd/rclone-gateway ./cmd/gatewayctl
	@KEEP='$(KEEP)' DIR='$(or $(DIR),$(shell go env GOROOT)/src)' go run ./cmd/demo \
		-gateway .cache/demo/rclone-gateway -gatewayctl .cache/demo/gatewayctl

# The Go files and go.mod are left to the go command, which knows what changed.
.PHONY: build
build: ## Build bin/rclone-gateway, with all of rclone's backends, and bin/gatewayctl
	$(GOBUILD) -o bin/ ./cmd/rclone-gateway ./cmd/gatewayctl

.PHONY: build-curated
build-curated: ## Build both with the smaller set of backends
	$(GOBUILD) -tags curated -o bin/ ./cmd/rclone-gateway ./cmd/gatewayctl

.PHONY: install
install: ## Install what `make build` made, its manual pages, completions and systemd units below DESTDIR and PREFIX (/usr/local)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin bin/rclone-gateway bin/gatewayctl
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system deploy/systemd/rclone-gateway.service deploy/systemd/rclone-gateway.socket deploy/systemd/rclone-gateway-redis.service
	install -D -m 644 deploy/systemd/rclone-gateway.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/rclone-gateway.conf
	scripts/manuals bin $(DESTDIR)$(PREFIX)/share

.PHONY: packages
packages: ## Make deb, rpm and tar.gz in dist/packages, for ARCHES (amd64 arm64), with SHA256SUMS and SBOMs
	@VERSION='$(VERSION)' scripts/packages dist/packages $(ARCHES)

.PHONY: deps
deps: ## Get what the tests run: redis-server, restic in two versions, rest-server, rclone, storage servers
	@$(MAKE) -j2 downloads programs

# What comes over the network and what is compiled need one another little, so that
# each of the two has something to do while the other waits.
.PHONY: downloads
downloads:
	@scripts/deps || { [[ -z $${CI-} ]] && scripts/deps redis-server gcc curl && \
		echo 'Tests of what is missing are skipped.' >&2; }
	@scripts/restic-versions
	@scripts/arm64
	@scripts/debian-root
	@scripts/npm azurite azurite/dist/src/blob/main.js
	@scripts/npm browser playwright-core/index.js

# Who runs a part of the tests lints apart.
.PHONY: prepared
prepared:
	@$(MAKE) -j2 downloads programs build $(if $(filter file,$(origin TEST_ARGS)),lint)

.PHONY: programs
programs:
	@scripts/modules
	@go build -ldflags '-s -w' -o .cache/bin/rclone ./internal/rclone
	@scripts/storage-servers

# A program with the race detector waits for a second before it ends, in case that
# another thread reports something; tests start thousands of them.
#
# The curated backends are enough for a race build, and lint has vetted already. The
# integration tests wait for servers half of their time, so that more of them run at
# once than there are processors on a small machine; and those that take longest begin.
# Only scrypt is not watched, which a passphrase is turned into a key with: it shares
# nothing, and would take ten times as long.
.PHONY: test
test: prepared ## Lint, and run the unit and integration tests with the race detector; TEST_ARGS runs a part of them
	@$(info go test -race $(TEST_ARGS))
	@CGO_ENABLED=1 GORACE='atexit_sleep_ms=0 '"$${GORACE-}" \
		go test -json -race -gcflags=golang.org/x/crypto/scrypt=-race=false -tags curated -vet=off -p 3 -parallel 4 -timeout $(TEST_TIMEOUT) $(TEST_ARGS) | \
		go run ./internal/testsum

# Without the race detector and what runs servers of other projects, except a Redis where
# there is one. What has not changed since is not run again.
.PHONY: check
check: lint ## Lint, and run the tests that need no server: a few minutes where make test takes 30
	@go test -json -short -tags curated -vet=off $(CHECK_PACKAGES) | go run ./internal/testsum

.PHONY: lint
lint: .cache/bin/golangci-lint ## Vet and lint, by the rules of .golangci.yml
	.cache/bin/golangci-lint run

.cache/bin/golangci-lint: tools/go.mod tools/go.sum
	@scripts/modules tools
	go -C tools build -ldflags '-s -w' -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: vulnerabilities
vulnerabilities: ## Look for known vulnerabilities in what the programs call (BACKENDS=all: with all of rclone's backends)
	@scripts/modules tools
	@scripts/vulnerabilities $(BACKENDS)

.PHONY: fuzz
fuzz: ## Run every fuzz target, or the one that FUZZ names, for FUZZTIME (20s)
	@scripts/fuzz $(FUZZTIME) $(FUZZ)

.PHONY: bench
bench: build deps ## Compare the gateway with its peers, side by side (QUICK=1 for a look in seconds; BENCH_ARGS=-help tells the rest)
	@go build -o .cache/bench/ ./bench/sidebyside
	@.cache/bench/sidebyside $(if $(QUICK),-quick) $(BENCH_ARGS)

# Each package's tests hold its part of the reference against the code.
.PHONY: docs
docs: ## Make docs/reference from the code
	@mkdir -p docs/reference
	@UPDATE_DOCS=1 go test -count=1 -tags curated -vet=off -run '^TestReference' \
		./cmd/rclone-gateway ./client ./gateway ./gateway/catalog
	@go test -count=1 -tags curated -vet=off -run '^TestMetricsAreWhatTheDocumentationSays$$' ./gateway -update

# The smaller set of backends makes no difference here.
.PHONY: man
man: ## Make manual pages and shell completions in dist/share
	@$(GOBUILD) -tags curated -o .cache/man/ ./cmd/rclone-gateway ./cmd/gatewayctl
	@rm -rf dist/share
	@scripts/manuals .cache/man dist/share

.PHONY: clean
clean: ## Remove what was built and fetched
	rm -rf bin dist .cache
