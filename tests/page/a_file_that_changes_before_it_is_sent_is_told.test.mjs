// Files that are changed, or go, after they were hashed cannot be sent: those say so, and all others of the drop are stored.
// The server is not taken for being away.

import assert from "node:assert/strict";
import { rm, utimes, writeFile } from "node:fs/promises";
import path from "node:path";

import { bigFile, manyFiles } from "./support/files.mjs";

const state = (name) => `document.querySelectorAll("[data-state=${name}]").length`;

export default async function ({ page: open, daemon: start, link: connect, dir }) {
  const daemon = await start();
  const link = await connect(daemon.port);
  const folder = path.join(dir, "files");
  const films = [];
  for (let n = 0; n < 4; n++) films.push(await bigFile(folder, `film ${n}.mp4`, 1_500_000));
  const notes = await manyFiles(folder, 20);
  const late = await bigFile(folder, "late film.mp4", 1_500_000);

  const page = await open({ height: 2600 });
  await page.go(`${link.url}/`);
  await page.run(`(() => {
    globalThis.said = [];
    new MutationObserver(() => said.push(document.querySelector("#server-state").textContent)).observe(document.querySelector("#server-state"), { childList: true, characterData: true, subtree: true });
  })()`);
  // The films take all that can be sent at once, so the others wait.
  link.bytesPerSecond = 300_000;
  await page.drop(films);
  await page.until(`${state("sending")} === 4`);
  await page.drop([...notes, late]);
  await page.until(`${state("sending")} + ${state("queued")} === 25`);
  await writeFile(notes[3], "quite another note");
  // A browser sees it by the second.
  const later = new Date(Date.now() + 60_000);
  await utimes(notes[3], later, later);
  await rm(late);
  link.bytesPerSecond = Infinity;
  await page.says("23 files stored, 2 failed");
  await page.press("Failed 2");
  await page.until(`${state("failed")} === 2 && ${state("stored")} === 0`);
  const rows = await page.run(`[...document.querySelectorAll("[data-state=failed]")].map((row) => [row.querySelector(".row-name").textContent, row.querySelector(".row-more").textContent])`);
  for (const [, words] of rows) assert.match(words, /changed or taken away/);
  assert.deepEqual(rows.map(([name]) => name).sort(), ["late film.mp4", "note 0003.txt"]);
  assert.deepEqual(await page.run("said"), [], "the server was there all the while");
  assert.equal(await daemon.metric("rhinobox_contents"), 23);
}
