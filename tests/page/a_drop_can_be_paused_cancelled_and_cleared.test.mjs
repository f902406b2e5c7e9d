// Pause stops between files and resume goes on; cancel ends what is on its way and keeps what was stored.

import assert from "node:assert/strict";
import path from "node:path";

import { bigFile, manyFiles } from "./support/files.mjs";

const state = (name) => `document.querySelectorAll("[data-state=${name}]").length`;

export default async function ({ page: open, daemon: start, link: connect, dir, screenshot }) {
  const daemon = await start();
  const link = await connect(daemon.port);
  const folder = path.join(dir, "files");
  const big = [];
  for (let n = 0; n < 8; n++) big.push(await bigFile(folder, `film ${n}.mp4`, 1_500_000));
  const page = await open();
  await page.go(`${link.url}/`);
  link.bytesPerSecond = 2_000_000;
  await page.drop(big);
  await page.until(`${state("sending")} > 0`);
  await page.press("Pause");
  await screenshot(page, "drop-paused");
  await page.until(`${state("sending")} === 0 && ${state("queued")} > 0`);
  const stored = await page.run(state("stored"));
  assert.ok(stored > 0 && stored < 8, `${stored} of 8: those on their way were finished, and no more were begun`);
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(await page.run(state("stored")), stored);
  await page.says("paused");
  await page.press("Resume");
  await page.says("8 files stored");

  await page.press("Clear finished");
  link.bytesPerSecond = 300_000;
  await page.drop([await bigFile(folder, "long film.mp4", 6_000_000), ...(await manyFiles(folder, 10))]);
  await page.until(`${state("sending")} > 0 && document.querySelector(".row-bar:not([hidden])") !== null`);
  await page.press("Cancel");
  await page.until(`${state("cancelled")} > 0 && ${state("sending")} === 0`);
  assert.ok((await daemon.metric("rhinobox_contents")) < 19, "the long film was not stored");
  await page.press("Clear finished");
  await page.until(`document.querySelector("#transfer").hidden`);

  // After all that it still takes files.
  link.bytesPerSecond = Infinity;
  await page.drop([big[0]]);
  await page.says("1 file stored");

  // A pause ends with what it was for.
  link.bytesPerSecond = 1_000_000;
  await page.drop([await bigFile(folder, "one more.mp4", 1_500_000)]);
  await page.until(`${state("sending")} === 1`);
  await page.press("Pause");
  await page.says("2 files stored");
  await page.drop([await bigFile(folder, "and another.mp4", 1_500_000)]);
  await page.says("3 files stored");
}
