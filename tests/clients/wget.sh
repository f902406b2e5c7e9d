#!/bin/bash
# wget: PUT, downloads whole and resumed, under the name that was sent, by date, and refusals that it sees.
set -euo pipefail
cd "$WORK"

fail() { echo "$*"; exit 1; }
same() { cmp "$1" "$2" || fail "$2 is not what $1 is"; }
path_of() { python3 -c 'import json,sys; print(json.load(sys.stdin)["path"])'; }
# Asks, and checks the last status: `expect 404 ARGUMENTS`. The body is left in `body`.
expect() {
    local wanted="$1" got
    shift
    wget -q -S --content-on-error --tries 1 --timeout 60 -O body "$@" 2>heads || true
    got="$(sed -n 's/^ *HTTP\/1.1 \([0-9]*\).*/\1/p' heads | tail -n 1)"
    [ "$got" = "$wanted" ] || fail "wget $*: ${got:-no answer} instead of $wanted: $(cat heads)"
}
get() { wget -q --tries 1 --timeout 60 "$@"; }

expect 201 --method PUT --body-file "$FILES/big.bin" "$URL/files/big.bin?category=from+wget"
big="$URL/$(path_of <body)"
get -O got "$big"
same "$FILES/big.bin" got
echo "a PUT and a download"

head -c 2345678 "$FILES/big.bin" >resumed
get -c -O resumed "$big"
same "$FILES/big.bin" resumed
# There is nothing left to get: 416, which wget takes for the end.
get -c -O resumed "$big"
same "$FILES/big.bin" resumed
echo "a resumed download, and one that had been complete"

expect 201 --method PUT --body-file "$FILES/picture.png" "$URL/files/na%C3%AFve%20picture.png"
picture="$URL/$(path_of <body)"
(mkdir named && cd named && get --content-disposition "$picture" && same "$FILES/picture.png" ./*.png)
(mkdir dated && cd dated && get -N "$picture" && touch -c -r ./*.png ../first && get -N "$picture" && same "$FILES/picture.png" ./*.png)
echo "the name that was sent, and a second visit by date"

expect 404 "$URL/storage/images/nothing-here.png"
expect 416 --header 'Range: bytes=99999999-' "$big"
expect 415 --post-data 'a=b' "$URL/ingest/media"
expect 400 --method PUT --body-file "$FILES/small.txt" "$URL/files/$(printf '0%.0s' $(seq 64))"
code=0
get -O /dev/null "$URL/storage/nothing-here" || code=$?
[ "$code" = 8 ] || fail "wget ended with $code where the server refused"
# wget reads no answer before it has sent everything: the daemon passes over the rest of a body that it has refused.
expect 413 --method PUT --body-file "$FILES/toobig.bin" "$URL/files/toobig.bin"
expect 200 "$URL/healthz"
echo "refusals: 400, 404, 413, 415, 416"
