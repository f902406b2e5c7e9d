#!/bin/bash
# Gets what the tests need beyond Rust, and only what is missing: `setup-tests.sh [TARGET]`.
#
#   curl, python3 with requests   clients that people really use
#   mkfs.ext4, mkfs.xfs           volumes that can be filled up, and whose power can be cut
#   fsfreeze                      a volume that stops
#   strace                        a start that takes long
#   slowhttptest                  clients that are slow on purpose
#   nbdkit, nbdfuse               a disk with a volatile write cache, and a slow one for `make bench-overload`
#
# Debian packages are installed when this runs as root; what could not be had is said in a sentence. The python with
# `requests` is left as TARGET/test-tools/python3, which `make test` puts first on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="${1:-target}/test-tools"
mkdir -p "$tools"
tools="$(cd "$tools" && pwd)"

has() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }
say() { echo "setup-tests: $*"; }

packages=()
has curl || packages+=(curl)
has python3 || packages+=(python3)
has mkfs.ext4 || packages+=(e2fsprogs)
has fsfreeze || packages+=(util-linux)
has script || packages+=(bsdutils)
has strace || packages+=(strace)
has slowhttptest || packages+=(slowhttptest)
has mkfs.xfs || packages+=(xfsprogs)
has nbdkit || packages+=(nbdkit)
has nbdfuse || packages+=(libnbd-bin)
has fusermount3 || packages+=(fuse3)

# The first python that has requests.
find_python() {
    local python
    for python in python3 /usr/bin/python3 "$tools/venv/bin/python3"; do
        if command -v "$python" >/dev/null && "$python" -c 'import requests' 2>/dev/null; then
            "$python" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}
find_python >/dev/null || packages+=(python3-requests)

apt_works=no
if [ "${#packages[@]}" -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing ${packages[*]}"
        export DEBIAN_FRONTEND=noninteractive
        install() { apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1; }
        if install || { apt-get update -qq >/dev/null 2>&1 && install; }; then
            apt_works=yes
        fi
    fi
    [ "$apt_works" = yes ] || say "could not install ${packages[*]}: this needs root and Debian packages"
fi

if ! find_python >/dev/null && has python3; then
    say "making a python environment with requests"
    if ! { python3 -m venv "$tools/venv" && "$tools/venv/bin/pip" install -q requests; } >/dev/null 2>&1; then
        say "could not install the python package requests"
    fi
fi

if python="$(find_python)"; then
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$python" >"$tools/python3"
    chmod +x "$tools/python3"
else
    rm -f "$tools/python3"
fi

missing=()
for tool in curl python3 mkfs.ext4 mkfs.xfs fsfreeze strace slowhttptest nbdkit nbdfuse; do
    has "$tool" || missing+=("$tool")
done
find_python >/dev/null || missing+=("the python package requests")
[ "$(id -u)" = 0 ] || missing+=("root, to mount volumes")
if [ "${#missing[@]}" -gt 0 ]; then
    printf -v list '%s, ' "${missing[@]}"
    say "missing: ${list%, }; the tests that need them are skipped, and say so"
fi
