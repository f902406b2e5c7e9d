#!/bin/bash
# Installs what fuzzing needs if it is not there: cargo-fuzz, into cargo's own bin folder, and a C++ compiler, for
# libFuzzer. Building cargo-fuzz takes about half a minute, once.
#
# The stable toolchain does: the targets are built without a sanitizer (the daemon's unsafe code is at the kernel's door,
# which they do not reach), and what libFuzzer itself needs of the compiler is stable.
set -euo pipefail

if ! command -v c++ >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup-fuzz: installing g++"
        export DEBIAN_FRONTEND=noninteractive
        install() { apt-get install -y -qq --no-install-recommends g++ >/dev/null 2>&1; }
        install || { apt-get update -qq >/dev/null 2>&1 && install; } || true
    fi
    command -v c++ >/dev/null || { echo "setup-fuzz: no C++ compiler (c++) was found; on Debian: apt-get install g++" >&2; exit 1; }
fi
if cargo fuzz --version >/dev/null 2>&1; then
    exit 0
fi
echo "cargo-fuzz is not installed; building it (half a minute, once)"
# A target folder of its own: it shares nothing with this project's. Unoptimised: it only calls cargo.
CARGO_TARGET_DIR="$(mktemp -d)"
export CARGO_TARGET_DIR
trap 'rm -rf "$CARGO_TARGET_DIR"' EXIT
cargo install --locked --quiet --debug cargo-fuzz
