// A thousand files of which a hundred are stored: those are named and not sent, the others are sent, and every one can be
// read back by its name. The list has few rows, however many files there are.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { manyFiles, sha256 } from "./support/files.mjs";

export default async function ({ page: open, daemon: start, dir, screenshot, say }) {
  const daemon = await start();
  const paths = await manyFiles(path.join(dir, "files"), 1000);
  for (const file of paths.slice(300, 400)) await daemon.upload("stored before.txt", await readFile(file));
  const received = await daemon.metric("rhinobox_stored_bytes_total");

  const page = await open();
  // Not a secure context: the page hashes with code of its own.
  await page.go(`${daemon.plainUrl}/`);
  assert.equal(await page.run("typeof crypto.subtle"), "undefined");
  await page.type("#category", "Holiday 2026");
  await page.type("#comment", "all of <it>");
  const begun = Date.now();
  await page.drop(paths);
  await page.says("1,000 files stored");
  say(`1,000 files dropped and stored in ${Date.now() - begun} ms`);
  await screenshot(page, "drop-thousand");

  assert.match(await page.textOf(".figures"), /100 already stored/);
  assert.equal(await daemon.metric('rhinobox_files_total{outcome="stored"}'), 1000, "100 before, 900 now");
  const sizes = await Promise.all(paths.map(async (file) => (await readFile(file)).length));
  const missing = sizes.reduce((sum, size, n) => (n >= 300 && n < 400 ? sum : sum + size), 0);
  assert.equal((await daemon.metric("rhinobox_stored_bytes_total")) - received, missing, "no byte was sent twice");
  for (const n of [0, 299, 300, 350, 399, 400, 999]) {
    const content = await readFile(paths[n]);
    const meta = await (await fetch(`${daemon.url}/files/${sha256(content)}/meta`)).json();
    const name = meta.names.find((name) => name.original_name === path.basename(paths[n]));
    assert.deepEqual([name.category, name.comment], ["documents/txt/holiday-2026", "all of <it>"]);
    assert.deepEqual(Buffer.from(await (await fetch(`${daemon.url}/${name.path}`)).arrayBuffer()), content);
  }

  assert.ok((await page.run(`document.querySelectorAll(".row").length`)) < 60, "only rows in view are elements");
  await page.run(`document.querySelector(".scroller").scrollTop = 1e9`);
  await page.until(`document.querySelector("[aria-posinset='1000'] .row-state")?.innerText === "stored"`);
  await page.press("Already stored 100");
  await page.until(`[...document.querySelectorAll(".row-state")].length > 0 && [...document.querySelectorAll(".row-state")].every((e) => e.innerText === "already stored")`);
  assert.equal(await page.run(`document.querySelector(".row").getAttribute("aria-setsize")`), "100");
  await page.press("Clear finished");
  await page.until(`document.querySelector("#transfer").hidden`);
}
