#!/bin/bash
# Real clients against the real daemon: `test-clients.sh TARGET [CLIENT...]`, where TARGET/debug/rhinobox was built.
#
# For each client in tests/clients/ a daemon is started on a fresh folder and a free port of loopback, and stopped as an
# operator would. A client passes when its program ends with 0, and the daemon too. A client whose program is not
# installed is skipped; where CI is set that is a failure: scripts/setup-clients.sh was to install it.
#
# A client is given URL, FILES (what to upload: small.txt, picture.png, "naïve café.txt", big.bin; toobig.bin is
# beyond the limit), WORK (a folder of its own), and, if it is a browser, HOST_URL, the daemon under another name.
set -euo pipefail
cd "$(dirname "$0")/.."
target="$(cd "${1:-target}" && pwd)"
shift || true
rhinobox="$target/debug/rhinobox"
export PYTHONPATH="$target/client-tools/python" PYTHONDONTWRITEBYTECODE=1
# A proxy in the environment has no part in this.
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY
export NO_PROXY='*' no_proxy='*'

work="$(mktemp -d "${TMPDIR:-/tmp}/rhinobox-clients.XXXXXX")"
daemon=
trap 'if [ -n "$daemon" ]; then kill "$daemon" 2>/dev/null || true; wait "$daemon" || true; fi; rm -rf "$work"' EXIT

export FILES="$work/files"
mkdir "$FILES"
printf 'line %d of a small text\n' $(seq 80) >"$FILES/small.txt"
printf 'a name beyond ASCII\n' >"$FILES/naïve café.txt"
{ printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6\0\0\0'; head -c 3000 /dev/urandom; } >"$FILES/picture.png"
# Kept in a file of its own by the store, and sent in many pieces.
head -c $((5 * 1024 * 1024 + 17)) /dev/urandom >"$FILES/big.bin"
truncate -s 24M "$FILES/toobig.bin"

start() {
    "$rhinobox" serve --data-dir "$1/data" --addr 127.0.0.1:0 --host media.test --max-upload-mb 16 \
        >"$1/out" 2>"$1/log" </dev/null &
    daemon=$!
    for _ in $(seq 400); do
        URL="$(sed -n 's/^listening on //p' "$1/out")"
        if [ -n "$URL" ]; then
            export URL HOST_URL="http://media.test:${URL##*:}"
            return
        fi
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.05
    done
    cat "$1/out" "$1/log" >&2
    echo "test-clients: the daemon did not start" >&2
    exit 1
}

# The program that runs a client; nothing where it is not installed.
program_of() {
    case "$1" in
    curl) command -v curl >/dev/null && echo bash ;;
    wget) command -v wget >/dev/null && echo bash ;;
    requests | httpx) python3 -c "import $1" 2>/dev/null && echo python3 ;;
    node) command -v node >/dev/null && node -e 'process.exit(typeof fetch === "function" ? 0 : 1)' && echo node ;;
    browser) command -v chromium >/dev/null && command -v node >/dev/null && echo node ;;
    esac
}

passed=0 failed=0 skipped=0
run() {
    local client="$1" script program begun=$SECONDS code=0 stopped=0
    script="$(echo tests/clients/"$client".*)"
    program="$(program_of "$client" || true)"
    if [ -z "$program" ]; then
        echo "$client: skipped: it is not installed"
        skipped=$((skipped + 1))
        [ -z "${CI:-}" ] || failed=$((failed + 1))
        return
    fi
    export WORK="$work/$client"
    mkdir "$WORK"
    start "$WORK"
    timeout 120 "$program" "$script" >"$WORK/said" 2>&1 </dev/null || code=$?
    kill -TERM "$daemon"
    wait "$daemon" || stopped=$?
    daemon=
    sed "s/^/$client: /" "$WORK/said"
    if [ "$code" != 0 ] || [ "$stopped" != 0 ]; then
        echo "$client: FAILED: the client ended with $code, the daemon with $stopped; it logged:"
        sed "s/^/$client: | /" "$WORK/log"
        failed=$((failed + 1))
    else
        echo "$client: passed in $((SECONDS - begun)) s"
        passed=$((passed + 1))
    fi
}

for client in ${*:-curl wget requests httpx node browser}; do run "$client"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
