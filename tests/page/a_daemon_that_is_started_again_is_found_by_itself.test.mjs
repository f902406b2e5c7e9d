// The daemon dies under the page: the page says so, takes files all the same, and stores them when it is back. So does the
// view of the daemon at work.

import assert from "node:assert/strict";
import path from "node:path";

import { manyFiles } from "./support/files.mjs";

export default async function ({ page: open, daemon: start, dir, screenshot }) {
  const daemon = await start();
  const paths = await manyFiles(path.join(dir, "files"), 300);
  const page = await open();
  await page.go(`${daemon.plainUrl}/`);
  await page.drop(paths.slice(0, 100));
  await page.says("100 files stored");

  await daemon.stop("SIGKILL");
  await page.drop(paths.slice(100));
  await page.says("The server does not answer.");
  await screenshot(page, "drop-away");
  assert.match(await page.textOf(".transfer-headline"), /^100 of 300 files/);
  await daemon.begin(daemon.port);
  await page.says("The server is back.");
  await page.says("300 files stored");
  assert.equal(await daemon.metric("rhinobox_names"), 300);

  await page.press("Watch");
  await page.until(`document.querySelector(".tile-value")?.innerText?.endsWith("/s")`);
  await daemon.stop("SIGKILL");
  await page.says("The server does not answer.");
  await daemon.begin(daemon.port);
  await page.until(`document.querySelector("#server-state").dataset.state === "ready"`);
  await page.until(`[...document.querySelectorAll(".tile-value")].some((e) => e.innerText === "300")`);
}
