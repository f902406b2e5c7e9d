// Node's fetch: a form, a streamed body, downloads as streams, and refusals that it sees.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";

const { URL: url, FILES: files } = process.env;
const names = ["small.txt", "picture.png", "naïve café.txt", "big.bin"];
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function status(wanted, answer) {
  if (answer.status !== wanted) {
    assert.fail(`${answer.url}: ${answer.status} instead of ${wanted}: ${await answer.text()}`);
  }
  return answer;
}

async function refused(wanted, answer) {
  const { error } = await (await status(wanted, answer)).json();
  assert.ok(error, "an error says what was wrong");
}

async function download(path, want) {
  const answer = await status(200, await fetch(`${url}/${path}`));
  const hash = createHash("sha256");
  for await (const piece of answer.body) hash.update(piece);
  assert.equal(hash.digest("hex"), sha256(want), `${path} came back different`);
}

const form = new FormData();
form.append("category", "from node");
for (const name of names) form.append("files", new Blob([await readFile(`${files}/${name}`)]), name);
const answer = await status(200, await fetch(`${url}/ingest/media`, { method: "POST", body: form }));
const { stored } = await answer.json();
assert.deepEqual(stored.map((record) => record.original_name), names);
for (const { path, original_name } of stored) await download(path, await readFile(`${files}/${original_name}`));
console.log("a form of four files");

const big = await readFile(`${files}/big.bin`);
const body = Readable.toWeb(createReadStream(`${files}/big.bin`, { end: 999_999, highWaterMark: 7_001 }));
const streamed = await fetch(`${url}/files/streamed.bin`, { method: "PUT", body, duplex: "half" });
await download((await (await status(201, streamed)).json()).path, big.subarray(0, 1_000_000));
const put = await fetch(`${url}/files/picture.png?category=again`, { method: "PUT", body: await readFile(`${files}/picture.png`) });
assert.equal((await (await status(200, put)).json()).duplicate, true);
console.log("a streamed body, and a PUT of what is there already");

const path = stored[3].path;
const range = await status(206, await fetch(`${url}/${path}`, { headers: { Range: "bytes=1000-1999" } }));
assert.deepEqual(Buffer.from(await range.arrayBuffer()), big.subarray(1000, 2000));
const again = await fetch(`${url}/${path}`, { headers: { "If-None-Match": range.headers.get("ETag") } });
await status(304, again);
// A reader that goes away in the middle, and one that stays.
const abort = new AbortController();
const left = await status(200, await fetch(`${url}/${path}`, { signal: abort.signal }));
for await (const _ of left.body) break;
abort.abort();
await download(path, big);
console.log("a range, a condition, and a download given up");

await refused(404, await fetch(`${url}/storage/nothing-here`));
const nothing = new FormData();
nothing.append("a", "b");
await refused(400, await fetch(`${url}/ingest/media`, { method: "POST", body: nothing }));
await refused(415, await fetch(`${url}/ingest/media`, { method: "POST", body: new URLSearchParams({ a: "b" }) }));
await refused(416, await fetch(`${url}/${path}`, { headers: { Range: "bytes=9999999-" } }));
const tooBig = await readFile(`${files}/toobig.bin`);
await refused(413, await fetch(`${url}/files/toobig.bin`, { method: "PUT", body: tooBig }));
const tooBigForm = new FormData();
tooBigForm.append("file", new Blob([tooBig]), "toobig.bin");
await refused(413, await fetch(`${url}/ingest/media`, { method: "POST", body: tooBigForm }));
await status(200, await fetch(`${url}/healthz`));
console.log("refusals: 400, 404, 413, 415, 416");
