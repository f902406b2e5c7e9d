#!/bin/bash
# Installs cargo-deny into cargo's own bin folder if it is not there. Building it takes some minutes, once.
set -euo pipefail

if cargo deny --version >/dev/null 2>&1; then
    exit 0
fi
echo "cargo-deny is not installed; building it (some minutes, once)"
# A target folder of its own: it shares nothing with this project's.
CARGO_TARGET_DIR="$(mktemp -d)"
export CARGO_TARGET_DIR
trap 'rm -rf "$CARGO_TARGET_DIR"' EXIT
cargo install --locked --quiet cargo-deny
