# What a person types; `make` alone lists it. scripts/ has the steps that need more than a line.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# For `make run`: settings, as flags of `rhinobox serve`. For `make bench`: its own flags.
ARGS ?=
# Seeds of `make soak`: simulated histories, each cut at a place of its own.
SEEDS ?= 20000
# For `make mutants`: names of tests/mutants/NAME.patch; none is all of them.
MUTANTS ?=
# Where scripts/setup-tests.sh leaves a python3 that has `requests`.
TEST_TOOLS := $(abspath $(TARGET))/test-tools

.PHONY: help
help: ## List the targets (the default)
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

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

.PHONY: check
check: ## The gate: format, lints, tests, documentation, dependencies
	@scripts/check.sh fmt lint test docs deny

.PHONY: fmt
fmt: | toolchain ## Check the format (cargo fmt mends it)
	$(CARGO) fmt --check

.PHONY: lint
lint: | toolchain ## Clippy over everything, warnings denied
	$(CARGO) clippy --all-targets -- -D warnings

.PHONY: docs
docs: | toolchain ## Build the documentation, broken links denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items

.PHONY: deny
deny: | toolchain ## Check the dependencies: bans, licences, sources
	scripts/setup-deny.sh
	$(CARGO) deny --all-features check bans licenses sources

.PHONY: bench
bench: | toolchain ## Measure a release daemon over loopback and print one table (ARGS="--rows 10k-c1 --seconds 2" for a part)
	$(CARGO) bench --bench end_to_end -- $(ARGS)

.PHONY: soak
soak: | toolchain ## Cut the power of simulated machines SEEDS times (SEEDS=20000)
	RHINOBOX_SOAK_SEEDS=$(SEEDS) $(CARGO) test --release --test crash_safety -- --nocapture

.PHONY: mutants
mutants: | toolchain ## Break the program on purpose, one way after the other, and expect the tests to notice (MUTANTS="NAME...")
	scripts/mutants.sh "$(TARGET)" $(MUTANTS)

.PHONY: clean
clean: ## Remove everything that was built (never ./data)
	$(CARGO) clean

.PHONY: toolchain
toolchain:
	@command -v $(firstword $(CARGO)) >/dev/null || { echo "make: cargo was not found; install Rust 1.95 or newer, for example with https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "make: no C linker (cc) was found; on Debian: apt-get install gcc libc6-dev" >&2; exit 1; }
