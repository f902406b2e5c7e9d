// A volume without room: each file says so in the server's words; what was stored stays; when there is room again, one
// press stores the rest.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";

import { bigFile, manyFiles } from "./support/files.mjs";

export default async function (context) {
  const { page: open, daemon: start, dir, screenshot, skip } = context;
  const [image, volume] = [path.join(dir, "image"), path.join(dir, "volume")];
  const run = (program, ...args) => execFileSync(program, args, { stdio: "pipe", env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
  await mkdir(volume);
  try {
    run("truncate", "-s", "96M", image);
    run("mkfs.ext4", "-q", "-F", "-m", "0", image);
    run("mount", "-o", "loop", image, volume);
  } catch (error) {
    skip(`no file system can be mounted here: ${error.message}`);
    return;
  }
  context.cleanUp = () => run("umount", volume);

  const daemon = await start({ dir: path.join(volume, "daemon") });
  const paths = await manyFiles(path.join(dir, "files"), 40);
  const big = await bigFile(path.join(dir, "files"), "film.mp4", 3_000_000);
  const page = await open();
  await page.go(`${daemon.plainUrl}/`);
  await page.drop(paths.slice(0, 20));
  await page.says("20 files stored");

  const filler = path.join(volume, "filler");
  const free = Number(run("df", "--output=avail", "-B1", volume).toString().split("\n")[1]);
  run("fallocate", "-l", String(free - (1 << 20)), filler);
  // It looks twice a second.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  await page.drop([...paths.slice(20), big]);
  await page.says("20 files stored, 21 failed");
  const row = `[...document.querySelectorAll("[data-state=failed] .row-more")].map((e) => e.innerText)`;
  await page.press("Failed 21");
  await page.until(`${row}.length > 0`);
  for (const words of await page.run(row)) assert.match(words, /room|space|full/, "in the server's words");
  await screenshot(page, "drop-full-disk");

  await rm(filler);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  await page.press("Retry failed");
  await page.says("41 files stored");
  assert.equal(await daemon.metric("rhinobox_contents"), 41);
  await daemon.stop();
}
