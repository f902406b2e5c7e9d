#!/usr/bin/env python3
"""Reads the daemon's answers and shows them as a table: `demo_report.py ANSWERS DOWNLOADS`.

ANSWERS holds pairs: `NNN.json`, what the daemon answered, and `NNN.sent`, the files sent, in order. Writes
DOWNLOADS, a line for each path: the path, a tab, the file it must equal. Fails if an answer does not fit what
was sent, or if there is less of it than a demonstration needs.
"""

import hashlib
import json
import pathlib
import sys

FILES_MIN = 200
KINDS_MIN = 8


def read(answers):
    """Pairs of a file sent and its record, in the order of the requests."""
    for answer in sorted(answers.glob("*.json")):
        body = json.loads(answer.read_text())
        # A form answers with a list, a PUT with the record itself.
        records = body["stored"] if "stored" in body else [body]
        sent = answer.with_suffix(".sent").read_text().splitlines()
        if len(records) != len(sent):
            sys.exit(f"{answer}: {len(sent)} files were sent, {len(records)} came back")
        yield from zip(sent, records)


def check(sent, record):
    """What the record says must be true of the file, and it must stand where the file was sent."""
    data = pathlib.Path(sent).read_bytes()
    said = (record["hash"], record["size"])
    true = (hashlib.sha256(data).hexdigest(), len(data))
    if said != true:
        sys.exit(f"{sent}: the answer says {said}, the file is {true}")


def size(count):
    """A number of bytes for a person."""
    return f"{count / 1e6:,.2f} MB" if count >= 1e4 else f"{count:,} B"


def main():
    answers, downloads = (pathlib.Path(argument) for argument in sys.argv[1:3])
    kinds, paths, news = {}, {}, {}
    for sent, record in read(answers):
        check(sent, record)
        paths[record["path"]] = sent
        is_again = record.get("duplicate", False)
        news[record["hash"]] = news.get(record["hash"], 0) + (not is_again)
        kind = "/".join(record["category"].split("/")[:2])
        row = kinds.setdefault(kind, {"mime": record["mime_type"], "files": 0, "bytes": 0, "again": 0})
        row["files"] += 1
        row["bytes"] += record["size"]
        row["again"] += is_again
    line = "{:<22} {:>6} {:>12} {:>11}   {}"
    print(line.format("kind", "files", "size", "duplicates", "type"))
    for kind, row in sorted(kinds.items()):
        print(line.format(kind, row["files"], size(row["bytes"]), row["again"] or "", row["mime"]))
    files = sum(row["files"] for row in kinds.values())
    again = sum(row["again"] for row in kinds.values())
    print(line.format(f"{len(kinds)} kinds", files, size(sum(row["bytes"] for row in kinds.values())), again, ""))
    downloads.write_text("".join(f"{path}\t{sent}\n" for path, sent in paths.items()))
    # Every content was new exactly once. Where a form holds it twice, the files race, and either may be first.
    wrong = [digest for digest, count in news.items() if count != 1]
    if wrong:
        sys.exit(f"{len(wrong)} contents were not new exactly once, the first {wrong[0]}")
    if files < FILES_MIN or len(kinds) < KINDS_MIN:
        sys.exit(f"{files} files of {len(kinds)} kinds; a demonstration needs {FILES_MIN} of {KINDS_MIN}")


if __name__ == "__main__":
    main()
