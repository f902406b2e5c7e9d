// A folder that is dropped is walked; each file keeps the folder that it was in. Twice the same content in one drop is
// sent once.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

import { manyFiles, sha256 } from "./support/files.mjs";

export default async function ({ page: open, daemon: start, dir }) {
  const daemon = await start();
  const trip = path.join(dir, "Trip");
  // More than the hundred entries that a browser lists at a time.
  await manyFiles(path.join(trip, "day 1"), 150);
  await mkdir(path.join(trip, "day 2", "empty"), { recursive: true });
  await writeFile(path.join(trip, "day 2", "naïve café.txt"), "the same");
  await writeFile(path.join(trip, "copy.txt"), "the same");
  await writeFile(path.join(trip, "nothing.txt"), "");

  const page = await open();
  await page.go(`${daemon.plainUrl}/`);
  await page.drop([trip]);
  await page.says("153 files stored");
  assert.equal(await daemon.metric("rhinobox_contents"), 152);
  const { names } = await (await fetch(`${daemon.url}/files/${sha256("the same")}/meta`)).json();
  const found = names.map((name) => `${name.folder}/${name.original_name}`).sort();
  assert.deepEqual(found, ["Trip/copy.txt", "Trip/day 2/naïve café.txt"]);
  assert.match(await page.textOf(".figures"), /1 already stored/);

  // By the picker too.
  await page.press("Clear finished");
  await page.choose("#folder", [path.join(trip, "day 2")]);
  await page.says("1 file stored");
  await page.choose("#files", [path.join(trip, "copy.txt"), path.join(trip, "nothing.txt")]);
  await page.says("3 files stored");
}
