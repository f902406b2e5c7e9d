#!/bin/bash
# The daemon at work: `demo.sh TARGET`, where TARGET/release/rhinobox was built.
#
# Starts it on a fresh folder and a free port, uploads real media as forms of many files, some of it twice, and a
# few files by PUT; shows what came back; stops the daemon, reads the folder back offline, starts it again, downloads
# every file by the path it was answered with and compares it with what was sent. Fails on any difference.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${1:-target}"
rhinobox="$target/release/rhinobox"
media="$target/demo-media"
work="$(mktemp -d "${TMPDIR:-/tmp}/rhinobox-demo.XXXXXX")"
daemon=
trap 'if [ -n "$daemon" ]; then kill "$daemon" 2>/dev/null || true; wait "$daemon" || true; fi; rm -rf "$work"' EXIT

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() { echo "demo: $*" >&2; exit 1; }
for tool in curl python3; do
    command -v "$tool" >/dev/null || fail "$tool is missing; scripts/setup-tests.sh installs it"
done

start() {
    "$rhinobox" serve --data-dir "$work/data" --addr 127.0.0.1:0 --allow-anonymous=false >"$work/out" 2>>"$work/log" &
    daemon=$!
    for _ in $(seq 200); do
        url="$(sed -n 's/^listening on //p' "$work/out")"
        if [ -n "$url" ]; then return; fi
        kill -0 "$daemon" 2>/dev/null || { cat "$work/out" "$work/log" >&2; fail "the daemon did not start"; }
        sleep 0.05
    done
    fail "the daemon did not say that it listens"
}

# Stopped as an operator would: SIGTERM, and exit code 0.
stop() {
    kill -TERM "$daemon"
    local code=0
    wait "$daemon" || code=$?
    daemon=
    tail -n 1 "$work/out"
    [ "$code" = 0 ] || { cat "$work/log" >&2; fail "the daemon stopped with exit code $code"; }
}

# Uploads a list of files as one form: `upload CATEGORY LIST`.
requests=0
upload() {
    local category="$1" list="$2" form=() answer
    requests=$((requests + 1))
    answer="$work/answers/$(printf '%03d' "$requests")"
    while IFS= read -r file; do form+=(-F "files=@\"$file\""); done <"$list"
    # The 100 Continue of curl would only add its delay: these bodies are within the limit.
    curl -sS --fail-with-body -H 'Expect:' "${form[@]}" -F "category=$category" -F 'comment=make demo' \
        -o "$answer.json" "$url/ingest/media" || fail "an upload was refused: $(cat "$answer.json")"
    cp "$list" "$answer.sent"
}

say "Gathering media from Debian packages (about 80 MB, once)"
scripts/demo-media.sh "$media"
find "$media/files" -type f | LC_ALL=C sort >"$work/all"
echo "$(wc -l <"$work/all") files, $(du -sm "$media/files" | cut -f1) MB, $(sed 's/.*\.//' "$work/all" | tr A-Z a-z | sort -u | wc -l) extensions"

say "Starting rhinobox on a fresh folder"
start
cat "$work/out"

say "Uploading"
mkdir "$work/answers"
begun=$SECONDS
for group in "$media/files"/*; do
    find "$group" -type f | LC_ALL=C sort >"$work/group"
    # Forms of at most 50 files.
    rm -f "$work"/batch.*
    split -l 50 "$work/group" "$work/batch."
    for batch in "$work"/batch.*; do upload "$(basename "$group")" "$batch"; done
done
# Some of it again, under another category: duplicates, stored once.
awk 'NR % 6 == 0' "$work/all" >"$work/again"
upload 'seen before' "$work/again"
# And the biggest three as plain bodies under a name of their own.
mkdir "$work/put"
find "$media/files" -type f -printf '%s\t%p\n' | sort -rn | awk -F'\t' 'NR <= 3 { print $2 }' >"$work/biggest"
while IFS= read -r file; do
    requests=$((requests + 1))
    answer="$work/answers/$(printf '%03d' "$requests")"
    curl -sS --fail-with-body -H 'Expect:' -T "$file" -o "$answer.json" \
        "$url/files/put-$requests.${file##*.}?category=by+PUT" || fail "a PUT was refused: $(cat "$answer.json")"
    echo "$file" >"$answer.sent"
done <"$work/biggest"
echo "$requests requests in $((SECONDS - begun)) s"

say "What came back"
python3 scripts/demo_report.py "$work/answers" "$work/downloads"

say "Metrics"
curl -sS "$url/metrics" | grep -E '^rhinobox_(files_total|stored_bytes|saved_bytes|contents|names|commits_total|records_total|queue_|error_ratio|resident|index_bytes|(request|flush)_seconds\{)'

say "Stopping, verifying offline, starting again"
stop
"$rhinobox" verify "$work/data" || fail "verify found damage"
start
sed -n '/^store:/p;/^listening/p' "$work/out"

say "Downloading everything by path and comparing"
mkdir "$work/got"
number=0
while IFS=$'\t' read -r path _; do
    number=$((number + 1))
    printf 'url = "%s/%s"\noutput = "%s/got/%d"\n' "$url" "$path" "$work" "$number"
done <"$work/downloads" >"$work/curl"
curl -sS --fail --config "$work/curl" || fail "a download failed"
number=0
while IFS=$'\t' read -r path sent; do
    number=$((number + 1))
    cmp -s "$sent" "$work/got/$number" || fail "$path came back different from $sent"
done <"$work/downloads"
echo "$number downloads, all byte for byte what was sent"
stop
