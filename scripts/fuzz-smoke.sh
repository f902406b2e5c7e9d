#!/bin/bash
# Builds all fuzz targets and runs each for a fixed number of executions with a fixed seed, beginning with its committed
# seeds: the same inputs at every run. What fails leaves its input in fuzz/artifacts/TARGET, and says how to run it.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

# Executions of each target: some seconds. One of recovery is a whole start of the daemon's store, twice.
declare -A runs=([head]=60000 [multipart]=20000 [chunked]=60000 [range]=60000 [name]=20000 [record]=60000 [recovery]=500)

cargo fuzz build --sanitizer none
corpus="$(mktemp -d)"
trap 'rm -rf "$corpus"' EXIT
for target in head multipart chunked range name record recovery; do
    # What a run finds interesting goes to the first folder, the empty one.
    mkdir "$corpus/$target"
    begun=$SECONDS
    if ! cargo fuzz run --sanitizer none "$target" "$corpus/$target" "seeds/$target" -- \
        -seed=1 -runs="${runs[$target]}" -max_len=4096 -timeout=60 -print_final_stats=1 >"$corpus/said" 2>&1; then
        tail -n 60 "$corpus/said"
        echo "fuzz-smoke: $target failed; run its input again: (cd fuzz && cargo fuzz run -s none $target artifacts/$target/...)"
        exit 1
    fi
    executed="$(sed -n 's/^stat::number_of_executed_units: *//p' "$corpus/said")"
    echo "$target: $executed executions in $((SECONDS - begun)) s, no findings"
done
