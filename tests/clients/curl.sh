#!/bin/bash
# curl: forms, PUT with and without a length, slow and resumed transfers, ranges, conditions, and refusals that it sees.
set -euo pipefail
cd "$WORK"

fail() { echo "$*"; exit 1; }
same() { cmp "$1" "$2" || fail "$2 is not what $1 is"; }
# The value at a place of an answer: `at stored 0 path <answer`.
at() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for k in sys.argv[1:]: v=v[int(k)] if k.isdigit() else v[k]
print(v)' "$@"; }
# Asks, and checks the status: `expect 404 ARGUMENTS`. The body is left in `body`.
expect() {
    local wanted="$1" got
    shift
    got="$(curl -sS --max-time 60 -o body -w '%{http_code}' "$@")" || fail "curl $* ended with $?"
    [ "$got" = "$wanted" ] || fail "curl $*: $got instead of $wanted: $(head -c 300 body | tr -cd '[:print:]')"
}
get() { curl -sS --fail --max-time 60 "$@"; }

expect 200 -F "file=@$FILES/small.txt" -F "file=@$FILES/picture.png" -F "other=@$FILES/naïve café.txt" \
    -F 'category=from curl' "$URL/ingest/media"
index=0
for name in small.txt picture.png 'naïve café.txt'; do
    [ "$(at stored "$index" original_name <body)" = "$name" ] || fail "the name of $name: $(cat body)"
    get -o got "$URL/$(at stored "$index" path <body)"
    same "$FILES/$name" got
    index=$((index + 1))
done
# Under the name that it was sent with.
picture="$URL/$(at stored 1 path <body)"
(mkdir named && cd named && get -OJ "$picture" && same "$FILES/picture.png" picture.png)
echo "a form of three files"

expect 201 -T "$FILES/big.bin" "$URL/files/big.bin?category=from+curl"
big="$URL/$(at path <body)"
get -o got "$big"
same "$FILES/big.bin" got
expect 200 -T "$FILES/big.bin" "$URL/files/big.bin?category=from+curl"
echo "a PUT, and again as a duplicate"

head -c 700000 "$FILES/big.bin" >part-of-it
expect 201 -T - "$URL/files/streamed.bin" <part-of-it
get -o got "$URL/$(at path <body)"
same part-of-it got
expect 200 --http1.0 -T "$FILES/small.txt" "$URL/files/old.txt?category=http+1.0"
get --http1.0 -o got "$URL/$(at path <body)"
same "$FILES/small.txt" got
expect 200 --http2 "$URL/healthz"
echo "a PUT of unknown length, HTTP/1.0, and an offer of HTTP/2 that is not taken"

head -c 1000000 /dev/urandom >slow.bin
expect 200 --limit-rate 1M -F file=@slow.bin "$URL/ingest/media"
get --limit-rate 1M -o got "$URL/$(at stored 0 path <body)"
same slow.bin got
echo "slow transfers, both ways"

head -c 1234567 "$FILES/big.bin" >resumed
get -C - -o resumed "$big"
same "$FILES/big.bin" resumed
for range in 0-99 100000-699999 -100 5242000-; do
    expect 206 -r "$range" "$big"
    case "$range" in
    0-99) head -c 100 "$FILES/big.bin" >want ;;
    100000-699999) head -c 700000 "$FILES/big.bin" | tail -c 600000 >want ;;
    -100) tail -c 100 "$FILES/big.bin" >want ;;
    5242000-) tail -c +5242001 "$FILES/big.bin" >want ;;
    esac
    same want body
done
# Several ranges come in one answer, each with its place.
expect 206 -r 0-9,1000-1009 "$big"
for range in 0-9 1000-1009; do
    grep -aq "^Content-Range: bytes $range/" body || fail "bytes $range are not in the answer"
done
expect 416 -r 99999999- "$big"
echo "a resumed download, ranges, and one that cannot be had"

get --etag-save tag -o got "$big"
expect 304 --etag-compare tag "$big"
expect 412 -H 'If-Match: "another"' "$big"
echo "conditions"

expect 404 "$URL/storage/images/nothing-here.png"
[ -n "$(at error <body)" ] || fail "an error says what was wrong"
expect 405 -X DELETE "$URL/healthz"
expect 400 -F category=alone "$URL/ingest/media"
expect 415 -d 'a=b' "$URL/ingest/media"
expect 413 -F "file=@$FILES/toobig.bin" "$URL/ingest/media"
expect 413 -T "$FILES/toobig.bin" "$URL/files/toobig.bin"
expect 413 -H 'Expect:' -T "$FILES/toobig.bin" "$URL/files/toobig.bin"
expect 413 -T - "$URL/files/toobig.bin" <"$FILES/toobig.bin"
expect 403 -H 'Origin: http://elsewhere.test' -T "$FILES/small.txt" "$URL/files/small.txt"
expect 421 -H 'Host: elsewhere.test' "$URL/healthz"
expect 400 -H 'Content-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:' \
    -T "$FILES/small.txt" "$URL/files/small.txt"
echo "refusals: 400, 403, 404, 405, 413, 415, 421"
