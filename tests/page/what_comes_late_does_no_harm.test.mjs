// What comes when nobody expects it any more: two addresses while a view is still on its way, words typed in a view that is
// left, a way back out of an open question, a part of the page that does not come at once, a daemon that is busy or stands still. The
// page throws nothing and goes on.

import assert from "node:assert/strict";
import path from "node:path";

import { BUSY } from "./support/daemon.mjs";
import { bigFile, manyFiles } from "./support/files.mjs";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const dialogs = `document.querySelectorAll("dialog[open]").length`;

export default async function ({ page: open, daemon: start, link: connect, dir }) {
  const daemon = await start();
  const link = await connect(daemon.port);
  const stored = await daemon.upload("a note.txt", "words");
  const page = await open({ height: 2000 });
  await page.go(`${link.url}/`);

  await page.run(`(async () => {
    location.hash = "#/browse";
    await new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
    location.hash = "#/browse?type=documents";
  })()`);
  await page.until(`document.querySelectorAll(".file").length === 1`);
  assert.equal(await page.run(`document.querySelectorAll("#view-browse .search").length`), 1, "the view is there once");

  // Left before what was typed is looked for.
  await page.type("#view-browse [name=q]", "note");
  await page.run(`location.hash = "#/watch"`);
  await pause(400);
  assert.equal(await page.run("location.hash"), "#/watch");

  await page.run(`location.hash = "#/browse?open=${stored.hash}"`);
  await page.press("Rename");
  await page.until(`${dialogs} === 2`);
  await page.run("history.back()");
  await page.until(`${dialogs} === 0`);

  // The link that skips to the content leaves the address as it is.
  await page.run(`location.hash = "#/browse?type=documents"`);
  await page.until(`document.querySelectorAll(".file").length === 1`);
  await page.run(`document.querySelector(".skip").click()`);
  assert.deepEqual(await page.run(`[location.hash, document.activeElement.id]`), ["#/browse?type=documents", "main"]);

  // The daemon has no time for a list: it is asked again when it said, though nobody asks the page to.
  link.answers = { to: "GET /files?", what: BUSY };
  await page.run(`location.hash = "#/browse?type=documents&q=note"`);
  await page.until(`document.querySelector("#view-browse .words").textContent === "busy"`);
  await page.until(`document.querySelectorAll(".file").length === 0`);
  for (const end = Date.now() + 30_000; link.answered < 2; await pause(50)) assert.ok(Date.now() < end, "asked again");
  link.answers = null;
  await page.until(`document.querySelectorAll(".file").length === 1`);

  // The code that hashes does not come: the files wait for it.
  link.refused = "GET /ui/hash-worker.js";
  await page.drop(await manyFiles(path.join(dir, "files"), 12));
  await page.until(`document.querySelector("#server-state").dataset.state === "away"`);
  link.refused = null;
  await page.says("12 files stored");

  // The daemon has no time to say what it has: it is asked again when it said, and not before.
  Object.assign(link, { answers: { to: "POST /dedup", what: BUSY }, answered: 0 });
  const begun = Date.now();
  await page.drop(await manyFiles(path.join(dir, "more"), 5, (n) => `more of them, ${n}`));
  for (; link.answered < 2; await pause(50)) assert.ok(Date.now() - begun < 30_000, "asked again");
  assert.ok(link.answered <= 1 + (Date.now() - begun) / 900, `asked ${link.answered} times in ${Date.now() - begun} ms`);
  link.answers = null;
  await page.says("17 files stored");

  // The daemon stands still in mid-drop, and says nothing at all.
  link.bytesPerSecond = 1_000_000;
  await page.drop([await bigFile(path.join(dir, "films"), "film.mp4", 4_000_000)]);
  await page.until(`document.querySelector("[data-state=sending]") !== null`);
  daemon.process.kill("SIGSTOP");
  try {
    await page.says("The server does not answer.");
  } finally {
    daemon.process.kill("SIGCONT");
  }
  await page.says("18 files stored");
  await page.until(`document.querySelector("#server-state").dataset.state === "ready"`);
  assert.equal(await daemon.metric("rhinobox_contents"), 19);
}
