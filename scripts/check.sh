#!/bin/bash
# Runs the given make targets one after another, stops at the first that fails, and says how long each took.
set -euo pipefail
cd "$(dirname "$0")/.."

took=()
for step in "$@"; do
    printf '\n== make %s\n' "$step"
    begun=$SECONDS
    if ! make --no-print-directory "$step"; then
        printf '\n%s\n== make %s failed after %d s\n' "$(printf '%s\n' "${took[@]}")" "$step" $((SECONDS - begun))
        exit 1
    fi
    took+=("$(printf '  %-10s %4d s' "$step" $((SECONDS - begun)))")
done
printf '\n== all checks passed in %d s\n' "$SECONDS"
printf '%s\n' "${took[@]}"
