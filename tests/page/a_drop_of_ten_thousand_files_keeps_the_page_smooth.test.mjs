// Ten thousand files in a hundred folders: all are stored, each in its folder; the list holds the rows in view and no more
// all the while, shows the right ones wherever it is scrolled to, and the page never stands still.

import assert from "node:assert/strict";
import path from "node:path";

import { manyFiles } from "./support/files.mjs";

const FOLDERS = 100;
const FILES = 10_000;
const ROWS_MOST = 60;
// What a frame takes is milliseconds. This is for a machine that does much else: work that grows with the number of files
// for each frame, or for each file, is far beyond it.
const BLOCKED_MS_MOST = 500;

// Looks, with each frame, how many rows there are, and at whatever held the page up.
const WATCH = `(() => {
  const seen = globalThis.seen = { rows: 0, frames: 0, blockedMs: 0, longest: [] };
  const look = () => {
    seen.frames++;
    seen.rows = Math.max(seen.rows, document.querySelectorAll(".row").length);
    requestAnimationFrame(look);
  };
  look();
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) seen.blockedMs = Math.max(seen.blockedMs, duration);
  }).observe({ type: "longtask" });
})()`;

const name = (n) => `note ${String(n % (FILES / FOLDERS)).padStart(4, "0")}.txt`;
const folder = (n) => `Everything/${String(Math.floor(n / (FILES / FOLDERS))).padStart(3, "0")}`;

export default async function ({ page: open, daemon: start, dir, say }) {
  const daemon = await start();
  const root = path.join(dir, "Everything");
  const each = FILES / FOLDERS;
  for (let at = 0; at < FOLDERS; at++) {
    await manyFiles(path.join(root, String(at).padStart(3, "0")), each, (n) => `file ${at * each + n}`);
  }
  const page = await open();
  await page.go(`${daemon.plainUrl}/`);
  await page.run(WATCH);
  const begun = Date.now();
  await page.drop([root]);
  await page.says("10,000 files stored", 110_000);
  say(`10,000 files dropped and stored in ${Date.now() - begun} ms`);
  assert.equal(await daemon.metric("rhinobox_contents"), FILES);

  // The rows are in the order of their names.
  for (const share of [1, 0.5, 0]) {
    await page.run(`(() => { const list = document.querySelector(".scroller"); list.scrollTop = ${share} * (list.scrollHeight - list.clientHeight); })()`);
    const middle = Math.max(1, Math.round(share * FILES));
    await page.until(`document.querySelector("[aria-posinset='${middle}']") !== null`);
    const rows = await page.run(`[...document.querySelectorAll(".row")].map((row) => [Number(row.getAttribute("aria-posinset")), row.querySelector(".row-name").textContent, row.querySelector(".row-more").textContent.split(" · ")[0], row.querySelector(".row-state").textContent])`);
    for (const [at, ...shown] of rows) assert.deepEqual(shown, [name(at - 1), folder(at - 1), "stored"], `row ${at}`);
  }
  const seen = await page.run("seen");
  say(`${seen.rows} rows at most, ${seen.frames} frames, blocked for ${Math.round(seen.blockedMs)} ms at most`);
  assert.ok(seen.rows > 0 && seen.rows < ROWS_MOST, `${seen.rows} rows`);
  assert.ok(seen.blockedMs < BLOCKED_MS_MOST, `blocked for ${seen.blockedMs} ms`);
}
