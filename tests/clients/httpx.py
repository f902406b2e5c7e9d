"""httpx: forms of several files, streamed bodies, downloads in pieces, and refusals that it sees; blocking and async."""

import asyncio
import os
import pathlib

# This file has the name of what it imports.
import sys

sys.path.remove(str(pathlib.Path(__file__).parent))
import httpx

URL, FILES = os.environ["URL"], pathlib.Path(os.environ["FILES"])
NAMES = ["small.txt", "picture.png", "naïve café.txt", "big.bin"]
BIG = (FILES / "big.bin").read_bytes()


def status(wanted, answer):
    assert answer.status_code == wanted, (answer.request.url, answer.status_code, answer.text[:300])
    return answer


def refused(wanted, answer):
    assert status(wanted, answer).json()["error"], "an error says what was wrong"


def blocking():
    with httpx.Client(base_url=URL, timeout=60) as client:
        files = [("files", (name, (FILES / name).open("rb"))) for name in NAMES]
        answer = client.post("/ingest/media", files=files, data={"category": "from httpx", "comment": "Ünï"})
        for name, record in zip(NAMES, status(200, answer).json()["stored"], strict=True):
            assert record["original_name"] == name and record["comment"] == "Ünï", record
            with client.stream("GET", "/" + record["path"]) as answer:
                status(200, answer)
                got = b"".join(answer.iter_bytes())
            assert got == (FILES / name).read_bytes(), f"{name} came back different"
        path = record["path"]
        print("a form of four files")

        pieces = (BIG[at : at + 4_099] for at in range(0, 500_000, 4_099))
        answer = status(201, client.put("/files/streamed.bin", content=pieces))
        assert client.get("/" + answer.json()["path"]).content == BIG[: 4_099 * 122]
        answer = status(201, client.put("/files/of-known-length.bin", content=BIG[:1000]))
        assert client.get(f"/files/{answer.json()['hash']}").content == BIG[:1000]
        answer = client.get("/" + path, headers={"Range": "bytes=-7"})
        assert status(206, answer).content == BIG[-7:]
        print("bodies with and without a length, and a range")

        refused(404, client.get("/storage/nothing-here"))
        refused(400, client.post("/ingest/media", files={"a": (None, "b")}))
        refused(416, client.get("/" + path, headers={"Range": "bytes=9999999-"}))
        refused(415, client.post("/ingest/media", json={}))
        refused(413, client.put("/files/toobig.bin", content=b"\0" * (24 << 20)))
        with (FILES / "toobig.bin").open("rb") as body:
            refused(413, client.post("/ingest/media", files={"file": body}))
        status(200, client.get("/healthz"))
        print("refusals: 400, 404, 413, 415, 416")


async def several_at_once():
    async def body(seed):
        for at in range(20):
            yield BIG[seed * 1000 + at * 500 :][:500]
            await asyncio.sleep(0)

    async def one(client, seed):
        answer = status(201, await client.put(f"/files/async-{seed}.bin", content=body(seed)))
        got = await client.get("/" + answer.json()["path"])
        assert got.content == BIG[seed * 1000 :][:10_000], seed

    async with httpx.AsyncClient(base_url=URL, timeout=60) as client:
        await asyncio.gather(*(one(client, seed) for seed in range(50)))
    print("50 streamed bodies at once")


blocking()
asyncio.run(several_at_once())
