#!/bin/bash
# Gets the clients that `make test-clients` runs, and only what is missing: `setup-clients.sh [TARGET]`.
#
#   curl, wget                    Debian packages
#   python3, requests and httpx   Debian's python; the packages from PyPI into TARGET/client-tools/python, else Debian's
#   node                          18 or newer, which has fetch; Debian's nodejs
#   chromium                      Debian's; a browser is the only client with an origin
#   axe                           the rules of accessibility that `make test-page` asks; in a package from PyPI, likewise
#
# Debian packages are installed when this runs as root; what could not be had is said in a sentence.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="${1:-target}/client-tools"
mkdir -p "$tools"
tools="$(cd "$tools" && pwd)"

has() { command -v "$1" >/dev/null; }
say() { echo "setup-clients: $*"; }
node_has_fetch() { has node && node -e 'process.exit(typeof fetch === "function" ? 0 : 1)'; }
python_has_clients() { PYTHONPATH="$tools/python" python3 -c 'import requests, httpx' 2>/dev/null; }

updated=no
install() {
    if [ "$(id -u)" != 0 ] || ! has apt-get; then
        say "could not install $*: this needs root and Debian packages"
        return
    fi
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    if ! apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; then
        if [ "$updated" = no ]; then
            updated=yes
            apt-get update -qq >/dev/null 2>&1 || true
        fi
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 || say "could not install $*"
    fi
}

packages=()
has curl || packages+=(curl)
has wget || packages+=(wget)
has python3 || packages+=(python3)
node_has_fetch || packages+=(nodejs)
has chromium || packages+=(chromium)
[ "${#packages[@]}" = 0 ] || install "${packages[@]}"

if has python3 && ! python_has_clients; then
    say "installing the python packages requests and httpx"
    if ! python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
        --target "$tools/python" requests httpx >/dev/null 2>&1; then
        install python3-requests python3-httpx
    fi
fi

if has python3 && [ ! -s "$tools/python/axe_playwright_python/axe.min.js" ]; then
    say "installing axe"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps \
        --target "$tools/python" axe-playwright-python >/dev/null 2>&1 || say "could not install axe"
fi

missing=()
for tool in curl wget python3 chromium; do has "$tool" || missing+=("$tool"); done
node_has_fetch || missing+=("node with fetch")
python_has_clients || missing+=("the python packages requests and httpx")
if [ "${#missing[@]}" -gt 0 ]; then
    printf -v list '%s, ' "${missing[@]}"
    say "missing: ${list%, }; the clients that need them are skipped, and say so"
fi
