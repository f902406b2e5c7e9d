"""requests: forms of several files, bodies with and without a length, downloads in pieces, and refusals that it sees."""

import hashlib
import os
import pathlib

# This file has the name of what it imports.
import sys

sys.path.remove(str(pathlib.Path(__file__).parent))
import requests

URL, FILES = os.environ["URL"], pathlib.Path(os.environ["FILES"])
NAMES = ["small.txt", "picture.png", "naïve café.txt", "big.bin"]
PATIENCE = 60


def status(wanted, answer):
    assert answer.status_code == wanted, (answer.request.url, answer.status_code, answer.text[:300])
    return answer


def refused(wanted, answer):
    assert status(wanted, answer).json()["error"], "an error says what was wrong"


def download(session, path, want):
    with session.get(f"{URL}/{path}", stream=True, timeout=PATIENCE) as answer:
        status(200, answer)
        got = b"".join(answer.iter_content(64 * 1024))
    assert got == want, f"{path} came back different"
    assert answer.headers["ETag"].strip('"') == hashlib.sha256(want).hexdigest()


with requests.Session() as session:
    files = [("files", (name, (FILES / name).open("rb"))) for name in NAMES]
    answer = session.post(f"{URL}/ingest/media", files=files, data={"category": "from requests"}, timeout=PATIENCE)
    for name, record in zip(NAMES, status(200, answer).json()["stored"], strict=True):
        assert record["original_name"] == name, record
        assert record["category"].endswith("/from-requests"), record
        download(session, record["path"], (FILES / name).read_bytes())
    print("a form of four files")

    big = (FILES / "big.bin").read_bytes()
    pieces = (big[at : at + 10_007] for at in range(0, 700_000, 10_007))
    answer = session.put(f"{URL}/files/streamed.bin", data=pieces, timeout=PATIENCE)
    download(session, status(201, answer).json()["path"], big[: 10_007 * 70])
    with (FILES / "picture.png").open("rb") as body:
        answer = session.put(f"{URL}/files/picture.png?category=put", data=body, timeout=PATIENCE)
    assert status(200, answer).json()["duplicate"]
    path = answer.json()["path"]
    download(session, path, (FILES / "picture.png").read_bytes())
    print("a body of unknown length, and a PUT of what is there already")

    answer = session.get(f"{URL}/{path}", headers={"Range": "bytes=8-23"}, timeout=PATIENCE)
    assert status(206, answer).content == (FILES / "picture.png").read_bytes()[8:24]
    etag = {"If-None-Match": answer.headers["ETag"]}
    status(304, session.get(f"{URL}/{path}", headers=etag, timeout=PATIENCE))
    digest = hashlib.sha256(big).hexdigest()
    status(200, session.head(f"{URL}/files/{digest}", timeout=PATIENCE))
    status(404, session.head(f"{URL}/files/{'0' * 64}", timeout=PATIENCE))
    names = {"name": "Another.bin", "category": "again"}
    answer = session.post(f"{URL}/files/{digest}/names", json=names, timeout=PATIENCE)
    assert answer.ok and answer.json()["original_name"] == "Another.bin", answer.text
    download(session, answer.json()["path"], big)
    print("a range, conditions, and another name")

    refused(404, session.get(f"{URL}/storage/nothing-here", timeout=PATIENCE))
    refused(400, session.post(f"{URL}/ingest/media", files={"a": (None, "b")}, timeout=PATIENCE))
    refused(415, session.post(f"{URL}/ingest/media", data={"a": "b"}, timeout=PATIENCE))
    refused(416, session.get(f"{URL}/{path}", headers={"Range": "bytes=9999999-"}, timeout=PATIENCE))
    refused(400, session.put(f"{URL}/files/{'0' * 64}", data=b"not that", timeout=PATIENCE))
    with (FILES / "toobig.bin").open("rb") as body:
        refused(413, session.put(f"{URL}/files/toobig.bin", data=body, timeout=PATIENCE))
    with (FILES / "toobig.bin").open("rb") as body:
        refused(413, session.post(f"{URL}/ingest/media", files={"file": body}, timeout=PATIENCE))
    status(200, session.get(f"{URL}/healthz", timeout=PATIENCE))
    print("refusals: 400, 404, 413, 415, 416")
