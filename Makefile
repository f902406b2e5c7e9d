# What a person types; `make` alone lists it. scripts/ has the steps that need more than a line.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
# For `make fuzz`, TARGET names what is fuzzed; everywhere else it is where cargo builds.
FUZZ_TARGET := $(or $(TARGET),head)
override TARGET := $(or $(CARGO_TARGET_DIR),target)
# For `make run`: settings, as flags of `rhinobox serve`. For `make bench` and its like: their own flags.
ARGS ?=
# For `make bench`: which of BENCHES; with ARGS and without PARTS it is end_to_end, whose flags they are.
PARTS ?=
BENCHES := end_to_end stages overhead pooling runtimes durability catalogue
# Seeds of `make soak`: simulated histories, each cut at a place of its own.
SEEDS ?= 20000
# For `make fuzz`.
SECONDS ?= 600
# For `make mutants`: names of tests/mutants/NAME.patch; none is all of them.
MUTANTS ?=
# Where scripts/setup-tests.sh leaves a python3 that has `requests`.
TEST_TOOLS := $(abspath $(TARGET))/test-tools

.PHONY: help
help: ## List the targets (the default)
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

.PHONY: run
run: | toolchain ## Build the release daemon and serve ./data on http://127.0.0.1:8090 (ARGS="--cores 4" for settings)
	@$(CARGO) run --release -- $(ARGS)

.PHONY: build
build: | toolchain ## Build the release binary, target/release/rhinobox
	$(CARGO) build --release

.PHONY: demo
demo: build ## Upload real media to a fresh daemon, download everything again and compare
	scripts/demo.sh "$(TARGET)"

.PHONY: test
test: | toolchain ## Install what the tests need and run them all
	scripts/setup-tests.sh "$(TARGET)"
	PATH="$(TEST_TOOLS):$$PATH" $(CARGO) test --no-fail-fast

.PHONY: test-hostile
test-hostile: | toolchain ## Only the tests with slow, silent, vanishing and greedy clients
	scripts/setup-tests.sh "$(TARGET)"
	$(CARGO) test --test hostile -- --nocapture

.PHONY: check
check: ## The gate: format, lints, tests, documentation, dependencies, a little fuzzing
	@scripts/check.sh fmt lint test docs deny fuzz-smoke

.PHONY: fmt
fmt: | toolchain ## Check the format (cargo fmt mends it)
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml

.PHONY: lint
lint: | toolchain ## Clippy over everything, warnings denied; and whether all mutants still apply
	$(CARGO) clippy --all-targets -- -D warnings
	for mutant in tests/mutants/*.patch; do git apply --check "$$mutant" || exit 1; done

.PHONY: docs
docs: | toolchain ## Build the documentation, broken links denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items

.PHONY: deny
deny: | toolchain ## Check the dependencies: bans, licences, sources
	scripts/setup-deny.sh
	$(CARGO) deny --all-features check bans licenses sources

.PHONY: test-clients
test-clients: | toolchain ## Install curl, wget, Python's and Node's clients and a browser, and let each use the daemon
	scripts/setup-clients.sh "$(TARGET)"
	$(CARGO) build
	scripts/test-clients.sh "$(TARGET)"

.PHONY: test-page
test-page: | toolchain ## Install a browser and let it use the page of the daemon (TESTS="drop tokens" for some of them)
	scripts/setup-clients.sh "$(TARGET)"
	$(CARGO) build
	scripts/test-page.sh "$(TARGET)" $(TESTS)

.PHONY: openapi
openapi: ## Make docs/openapi.json of docs/openapi.yaml
	scripts/setup-openapi.sh "$(TARGET)"
	"$(TARGET)/openapi-tools/venv/bin/python" scripts/openapi.py

.PHONY: test-openapi
test-openapi: | toolchain ## Let schemathesis compare the daemon with docs/openapi.yaml, without tokens and with
	scripts/setup-openapi.sh "$(TARGET)"
	$(CARGO) build
	scripts/test-openapi.sh "$(TARGET)"

.PHONY: fuzz-smoke
fuzz-smoke: | toolchain ## Run every fuzz target for some seconds, with a fixed seed
	scripts/setup-fuzz.sh
	scripts/fuzz-smoke.sh

.PHONY: fuzz
fuzz: | toolchain ## Fuzz one target for long (TARGET=head SECONDS=600); the targets are the folders of fuzz/seeds
	scripts/setup-fuzz.sh
	scripts/fuzz.sh "$(FUZZ_TARGET)" "$(SECONDS)"

.PHONY: bench
bench: | toolchain ## Measure all parts, each to one table (PARTS="stages"; ARGS="--rows 10k-c1 --seconds 2" for end_to_end alone)
	$(CARGO) bench $(addprefix --bench ,$(or $(PARTS),$(if $(ARGS),end_to_end,$(BENCHES)))) -- $(ARGS)

.PHONY: bench-full
bench-full: | toolchain ## The same for longer and with more repetitions
	$(CARGO) bench $(addprefix --bench ,$(BENCHES)) -- --full $(ARGS)

.PHONY: bench-restart
bench-restart: | toolchain ## Measure how long a start takes on a store of many files (ARGS="--files 10000000")
	$(CARGO) bench --bench restart -- $(ARGS)

.PHONY: bench-catalogue
bench-catalogue: | toolchain ## Measure lists of a store of many files, and how far the catalogue is behind (ARGS="--files 1000000")
	$(CARGO) bench --bench catalogue -- $(ARGS)

.PHONY: bench-churn
bench-churn: | toolchain ## Store and delete 2,000 files a second, with compaction and without, and print its price and the space (ARGS="--seconds 30 --churn-repeat 5")
	$(CARGO) bench --bench end_to_end -- --churn $(or $(ARGS),--seconds 60)

.PHONY: bench-overload
bench-overload: | toolchain ## Offer up to 3 x the load that a slowed disk takes and print what is answered in time (as root)
	scripts/setup-tests.sh "$(TARGET)"
	$(CARGO) bench --bench end_to_end -- --overload $(ARGS)

.PHONY: bench-peers
bench-peers: | toolchain ## Install nginx, dufs and SeaweedFS, measure rhinobox beside them and write docs/PEERS.md
	scripts/setup-peers.sh "$(TARGET)"
	$(CARGO) bench --bench end_to_end -- --peers --peers-tools "$(abspath $(TARGET))/peers-tools" --peers-document "$(CURDIR)/docs/PEERS.md" $(ARGS)

.PHONY: soak
soak: | toolchain ## Cut the power of simulated machines SEEDS times (SEEDS=20000)
	RHINOBOX_SOAK_SEEDS=$(SEEDS) $(CARGO) test --release --test crash_safety -- --nocapture

.PHONY: mutants
mutants: | toolchain ## Break the program on purpose, one way after the other, and expect the tests to notice (MUTANTS="NAME...")
	scripts/mutants.sh "$(TARGET)" $(MUTANTS)

.PHONY: clean
clean: ## Remove everything that was built (never ./data)
	$(CARGO) clean
	$(CARGO) clean --manifest-path fuzz/Cargo.toml

.PHONY: toolchain
toolchain:
	@command -v $(firstword $(CARGO)) >/dev/null || { echo "make: cargo was not found; install Rust 1.95 or newer, for example with https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "make: no C linker (cc) was found; on Debian: apt-get install gcc libc6-dev" >&2; exit 1; }
