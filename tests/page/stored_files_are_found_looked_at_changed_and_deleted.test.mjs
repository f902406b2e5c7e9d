// What is stored is listed newest first, by type and words, page after page; a file is looked at in full, renamed,
// copied, saved and deleted. The address says all of it: back, forward and reload work.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";

const shown = `[...document.querySelectorAll(".file-name")].map((e) => e.textContent)`;

export default async function ({ page: open, daemon: start, dir, screenshot }) {
  const daemon = await start();
  for (let n = 0; n < 130; n++) await daemon.upload(`note ${n}.txt`, `words ${n}`, `?category=${n % 2 === 0 ? "even" : "odd"}`);
  await daemon.upload("tone.wav", Buffer.concat([Buffer.from("RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0", "latin1")]));
  const last = await daemon.upload("Beach in July.txt", "sand", "?category=Holiday&comment=the%20first%20day");
  await daemon.upload("the same again.txt", "sand");
  await daemon.lists(133);

  const page = await open();
  await page.go(`${daemon.plainUrl}/#/browse`);
  await page.until(`${shown}.length >= 60`);
  assert.deepEqual((await page.run(shown)).slice(0, 4), ["the same again.txt", "Beach in July.txt", "tone.wav", "note 129.txt"]);
  // The end of the list coming into view fetches more of it.
  await page.until(`(scrollTo(0, 1e9), ${shown}.length === 133)`);
  await page.says("133 files");
  await page.run("scrollTo(0, 0)");

  await page.press("Audio");
  await page.until(`${shown}.join() === "tone.wav"`);
  assert.equal(await page.run("location.hash"), "#/browse?type=audio");
  await page.click(".file");
  await page.until(`document.querySelector(".details audio") !== null`);
  await page.press("Close");
  await page.until(`location.hash === "#/browse?type=audio"`);
  await page.run("history.back()");
  await page.until(`${shown}.length >= 60`);
  await page.run("history.forward()");
  await page.until(`${shown}.join() === "tone.wav"`);
  await page.press("All");

  await page.type("input[type=search]", "beach");
  await page.until(`${shown}.join() === "Beach in July.txt"`);
  await page.arrive(() => page.ask("Page.reload"));
  await page.until(`${shown}.join() === "Beach in July.txt"`);
  assert.equal(await page.run(`document.querySelector("input[type=search]").value`), "beach");
  await page.type("input[type=search]", "nothing is called so");
  await page.says("Nothing that is stored matches.");
  await page.press("Show everything");
  await page.until(`${shown}.length >= 60`);
  await page.press("List");
  await page.press("Pictures");

  // In full.
  await page.run(`location.hash = "#/browse?q=beach"`);
  await page.until(`${shown}.join() === "Beach in July.txt"`);
  await page.click(".file");
  await page.until(`document.querySelector(".details .preview pre")?.textContent === "sand"`);
  for (const words of [last.hash, last.path, "text/plain", "4 B", "holiday", "the first day", "All 2 names"]) {
    assert.ok((await page.textOf(".details")).includes(words), words);
  }
  await screenshot(page, "details-text");
  await page.press("Copy link");
  await page.says("The link is copied.");
  await page.browser.ask("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: path.join(dir, "saved"), browserContextId: page.browserContextId });
  await page.press("Download");
  for (const end = Date.now() + 10_000; ; ) {
    const saved = await readFile(path.join(dir, "saved", "Beach in July.txt"), "utf8").catch(() => null);
    if (saved === "sand") break;
    assert.ok(Date.now() < end, "the file is saved under its name");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }

  await page.press("Rename");
  await page.type("dialog form [name=name]", "Ocean.txt");
  await page.press("Rename");
  await page.until(`document.querySelector("#details-title")?.innerText === "Ocean.txt"`);
  const meta = async () => (await fetch(`${daemon.url}/files/${last.hash}/meta`)).json();
  const renamed = (await meta()).names.find((name) => name.original_name === "Ocean.txt");
  assert.deepEqual([renamed.comment, renamed.category], ["the first day", last.category]);
  assert.equal((await meta()).names_total, 2, "the old name is gone");

  await page.press("Delete");
  await page.says("Delete “Ocean.txt”?");
  await page.press("Not now");
  assert.equal((await meta()).names_total, 2);
  await page.press("Delete");
  await page.click("dialog [value=content]");
  await page.press("Delete");
  await page.until(`document.querySelectorAll("dialog[open]").length === 0`);
  assert.equal((await fetch(`${daemon.url}/files/${last.hash}`)).status, 404);

}
