#!/bin/bash
# Lets schemathesis ask the daemon everything that docs/openapi.yaml allows, and much that it does not, and compare the
# answers with it: `test-openapi.sh TARGET`, where TARGET/debug/rhinobox was built. Once without tokens and once with.
# The same seed asks the same each time.
set -euo pipefail
cd "$(dirname "$0")/.."
target="$(cd "${1:-target}" && pwd)"
rhinobox="$target/debug/rhinobox"
st="$target/openapi-tools/venv/bin/st"
examples="${OPENAPI_EXAMPLES:-20}"
# A proxy in the environment has no part in this.
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY RHINOBOX_DATA_DIR RHINOBOX_TOKEN

"$target/openapi-tools/venv/bin/python" scripts/openapi.py --check

work="$(mktemp -d "${TMPDIR:-/tmp}/rhinobox-openapi.XXXXXX")"
daemon=
trap 'if [ -n "$daemon" ]; then kill "$daemon" 2>/dev/null || true; wait "$daemon" || true; fi; rm -rf "$work"' EXIT

start() {
    : >"$work/out"
    "$rhinobox" serve --data-dir "$1" --addr 127.0.0.1:0 --max-upload-mb 16 >"$work/out" 2>"$work/log" </dev/null &
    daemon=$!
    url=
    for _ in $(seq 400); do
        url="$(sed -n 's/^listening on //p' "$work/out")"
        [ -z "$url" ] || return 0
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.05
    done
    cat "$work/out" "$work/log" >&2
    echo "test-openapi: the daemon did not start" >&2
    exit 1
}

stop() {
    local code=0
    kill -TERM "$daemon"
    wait "$daemon" || code=$?
    daemon=
    if [ "$code" != 0 ] || grep -q panic "$work/log"; then
        cat "$work/log" >&2
        echo "test-openapi: the daemon ended with $code" >&2
        exit 1
    fi
}

ask() {
    # What is stored changes with every request, so that a failure is told as it was seen, not after it was asked again.
    (cd "$work" && timeout 300 "$st" --config-file "$OLDPWD/scripts/schemathesis.toml" run "$url/openapi.json" \
        --max-examples "$examples" --seed 1 --workers 1 --request-timeout 20 "$@")
}

echo "== without tokens"
start "$work/open"
ask
stop

echo "== with a token"
token="$("$rhinobox" token create all --scope admin --data-dir "$work/closed" 2>/dev/null)"
start "$work/closed"
ask --header "Authorization: Bearer $token"
stop
