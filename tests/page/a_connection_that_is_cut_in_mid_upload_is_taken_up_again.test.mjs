// Something between browser and server cuts a connection while a big file is on its way: what was stored is stored, the
// rest is sent again by itself, and everything is there once.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { bigFile, manyFiles, sha256 } from "./support/files.mjs";

export default async function ({ page: open, daemon: start, link: connect, dir }) {
  const daemon = await start();
  const link = await connect(daemon.port);
  const big = await bigFile(path.join(dir, "files"), "film.mp4", 9_000_000);
  const small = await manyFiles(path.join(dir, "files"), 80);

  const page = await open();
  await page.go(`${link.url}/`);
  Object.assign(link, { cutsLeft: 3, bytesBetween: 4_000_000 });
  await page.drop([big, ...small]);
  await page.says("81 files stored");
  assert.equal(link.cutsLeft, 0);
  assert.equal(await daemon.metric("rhinobox_contents"), 81);
  const content = await readFile(big);
  assert.equal((await fetch(`${daemon.url}/files/${sha256(content)}`, { method: "HEAD" })).status, 200);
  await page.until(`document.querySelector("#server-state").dataset.state === "ready"`);
}
