#!/bin/bash
# Lets a browser use the page of the real daemon: `test-page.sh TARGET [NAME...]`, where TARGET/debug/rhinobox was built.
# With names only the tests that have one of them in theirs. Screenshots go to TARGET/page/screenshots.
#
# Without chromium or Node nothing can be tested: that is said, and where CI is set, or as root, who can install them, it is
# a failure: scripts/setup-clients.sh was to do that.
set -euo pipefail
cd "$(dirname "$0")/.."
target="$(cd "${1:-target}" && pwd)"
shift || true
# A proxy in the environment has no part in this.
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY
export NO_PROXY='*' no_proxy='*'
export AXE="$target/client-tools/python/axe_playwright_python/axe.min.js"

for tool in chromium node; do
    command -v "$tool" >/dev/null && continue
    echo "test-page: SKIPPED: $tool is not installed, so the page was not tested at all"
    if [ -n "${CI:-}" ] || [ "$(id -u)" = 0 ]; then exit 1; fi
    exit 0
done

work="$(mktemp -d "${TMPDIR:-/tmp}/rhinobox-page.XXXXXX")"
# What the browser still writes while it ends is no failure of the page.
trap 'rm -rf "$work" || true' EXIT
timeout 1200 node tests/page/run.mjs "$target/debug/rhinobox" "$work" "$target/page/screenshots" "$@"
