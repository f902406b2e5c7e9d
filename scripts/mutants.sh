#!/bin/bash
# Breaks the program on purpose and expects the tests to notice: `mutants.sh TARGET [NAME...]`.
#
# Each tests/mutants/NAME.patch is a small change that loses data or lies: its first lines say what it `breaks:` and,
# where it is not the default, the `test:` that must fail. In a copy of this tree under TARGET/mutants each is applied
# alone and the test is run. A mutant that survives, that does not apply or does not compile, fails this script; so does
# a test that fails without any, which is tried first where no names are given. Prints a table. The tree itself is not
# touched.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${1:-target}"
shift || true
mkdir -p "$target/mutants"
work="$(cd "$target/mutants" && pwd)"
copy="$work/tree"
patches="$PWD/tests/mutants"
default_test='cargo test --release --test crash_safety'
# Longer than any of the tests takes: one that hangs was caught, too.
seconds_max="${MUTANT_SECONDS_MAX:-900}"

# One build folder for all, and a build that is quick to make again: a mutant is compiled for one run.
export CARGO_TARGET_DIR="$work/build"
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_INCREMENTAL=true
export RUST_BACKTRACE=0

# As cargo's test harness says it, with or without the name of the module.
failed_test='^test (.*::)?([a-z0-9_]+)( - should panic)? \.\.\. FAILED$'

names=("$@")
whole=no
if [ "${#names[@]}" = 0 ]; then
    whole=yes
    for patch in "$patches"/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi

# The tree as it is, uncommitted changes and all. Files that did not change keep their times, so that cargo builds
# only what did.
refresh() {
    local list="$work/files"
    git ls-files -z --cached --others --exclude-standard >"$list"
    mkdir -p "$copy"
    while IFS= read -r -d '' file; do
        if [ -e "$file" ] && ! cmp -s "$file" "$copy/$file"; then
            mkdir -p "$copy/$(dirname "$file")"
            cp "$file" "$copy/$file"
        fi
    done <"$list"
    # What is no longer in the tree, and what a patch has left.
    (cd "$copy" && find . -type f -printf '%P\0') | while IFS= read -r -d '' file; do
        [ -e "$file" ] || rm -f "$copy/$file"
    done
}

# Runs a test in the copy; its output goes to this file. It is over when the first test has failed: the rest is not
# waited for.
run_test() {
    local log="$1" command="$2" running
    # timeout puts the test into a process group of its own, and passes a TERM on to all of it.
    (cd "$copy" && exec timeout "$seconds_max" bash -c "$command" >"$log" 2>&1 </dev/null) &
    running=$!
    while kill -0 "$running" 2>/dev/null; do
        if grep -qE "$failed_test" "$log" 2>/dev/null; then
            kill -TERM "$running" 2>/dev/null || true
            wait "$running" || true
            return 1
        fi
        sleep 0.2
    done
    wait "$running"
}

builds() {
    local log="$1" command="$2"
    (cd "$copy" && bash -c "${command%% -- *} --no-run" >"$log" 2>&1 </dev/null)
}

field() { sed -n "s/^$1: //p" "$2" | head -n 1; }

# The test that failed first, by name.
caught_by() {
    local name
    name="$(sed -nE "s/$failed_test/\\2/p" "$1" | head -n 1)"
    echo "${name:-the test run as a whole (see $1)}"
}

say() { printf '%-56s %4s s  %s\n' "$1" "$2" "$3"; }

if [ "$whole" = yes ]; then
    refresh
    begun=$SECONDS
    if ! run_test "$work/none.log" "$default_test"; then
        tail -n 30 "$work/none.log"
        echo "mutants: the test fails without any mutant" >&2
        exit 1
    fi
    say "(none: $default_test)" $((SECONDS - begun)) "passes, as it must"
fi

failures=0
for name in "${names[@]}"; do
    patch="$patches/$name.patch"
    log="$work/$name.log"
    [ -f "$patch" ] || { echo "mutants: there is no $patch" >&2; exit 1; }
    test="$(field test "$patch")"
    test="${test:-$default_test}"
    refresh
    begun=$SECONDS
    if ! (cd "$copy" && patch -p1 -F3 --no-backup-if-mismatch -r - <"$patch") >"$log" 2>&1; then
        verdict="DOES NOT APPLY (see $log)"
        failures=$((failures + 1))
    elif ! builds "$log" "$test"; then
        verdict="DOES NOT COMPILE (see $log)"
        failures=$((failures + 1))
    else
        status=0
        run_test "$log" "$test" || status=$?
        case "$status" in
            0) verdict="SURVIVED: $(field breaks "$patch")" failures=$((failures + 1)) ;;
            124) verdict="caught: still running after $seconds_max s" ;;
            *) verdict="caught by $(caught_by "$log")" ;;
        esac
    fi
    say "$name" $((SECONDS - begun)) "$verdict"
done
refresh
if [ "$failures" != 0 ]; then
    echo "mutants: $failures of ${#names[@]} were not caught" >&2
    exit 1
fi
echo "all ${#names[@]} mutants were caught"
