#!/bin/bash
# Fuzzes one target for some time: `fuzz.sh TARGET SECONDS`. What it learns stays in fuzz/corpus/TARGET, which git does
# not keep; what fails is left in fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
target="$1" seconds="$2"

if [ ! -d "seeds/$target" ]; then
    echo "fuzz: there is no target $target; there are: $(ls seeds | tr '\n' ' ')" >&2
    exit 1
fi
mkdir -p "corpus/$target"
cargo fuzz run --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
    -max_total_time="$seconds" -max_len=4096 -timeout=60 -print_final_stats=1
