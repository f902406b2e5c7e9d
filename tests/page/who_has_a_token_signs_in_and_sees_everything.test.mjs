// A daemon with tokens: the page asks for one at once, says what is wrong with a bad one, and with a good one stores, shows
// and saves, although elements of a page cannot send a token themselves. It is forgotten with the tab, or by hand; a token
// that is taken back in mid-drop is asked for again, and the drop goes on.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";

import { manyFiles } from "./support/files.mjs";

// One red pixel.
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

export default async function ({ page: open, daemon: start, dir, screenshot }) {
  const daemon = await start();
  const token = (...args) => execFileSync(daemon.program, ["token", ...args, "--data-dir", `${daemon.dir}/data`], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  const all = ["--scope", "upload,read,delete,admin"];
  const first = token("create", "first", ...all);
  const picture = path.join(dir, "picture.png");
  await writeFile(picture, Buffer.from(PIXEL, "base64"));
  const without = async (target) => (await fetch(`${daemon.url}${target}`)).status;
  for (const end = Date.now() + 5000; (await without("/stats")) !== 401; ) assert.ok(Date.now() < end, "the daemon asks for tokens");

  const page = await open();
  await page.go(`${daemon.plainUrl}/`);
  await page.says("Sign in");
  await screenshot(page, "sign-in");
  await page.type("dialog input", "rhb_not_one_of_ours");
  // Nothing is kept that the server has not taken, not even while it is being asked.
  await page.run(`(() => {
    const write = Storage.prototype.setItem;
    globalThis.kept = [];
    Storage.prototype.setItem = function (name, value) { kept.push(value); write.call(this, name, value); };
  })()`);
  await page.press("Sign in");
  await page.until(`document.querySelector("dialog .problem").innerText !== ""`);
  assert.deepEqual(await page.run("kept"), []);
  await page.type("dialog input", first);
  await page.press("Sign in");
  await page.until(`document.querySelector("dialog[open]") === null`);
  assert.deepEqual(await page.run("[sessionStorage.length, localStorage.length, document.cookie]"), [1, 0, ""]);

  await page.drop([picture]);
  await page.says("1 file stored");
  // It is a link from the next frame on.
  await page.click("a.row-name[href]");
  // Shown though the picture's address is refused to whoever has no token.
  await page.until(`document.querySelector(".details .preview img")?.naturalWidth === 1`);
  assert.match(await page.run(`document.querySelector(".preview img").src`), /^blob:/);
  const address = await page.run(`document.querySelector(".facts").lastElementChild.innerText`);
  assert.equal(await without(`/${address}`), 401);
  await page.browser.ask("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: path.join(dir, "saved"), browserContextId: page.browserContextId });
  await page.press("Download");
  for (const end = Date.now() + 10_000; ; ) {
    const saved = await readdir(path.join(dir, "saved")).catch(() => []);
    if (saved.includes("picture.png")) break;
    assert.ok(Date.now() < end, `saved: ${saved}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await page.press("Close");
  await page.press("Watch");
  await page.until(`document.querySelector(".tile-value")?.innerText?.endsWith("/s")`);

  // Taken back: what is dropped then waits for another.
  const second = token("create", "second", ...all);
  token("revoke", "first");
  const status = async () => (await fetch(`${daemon.url}/stats`, { headers: { Authorization: `Bearer ${first}` } })).status;
  for (const end = Date.now() + 5000; (await status()) !== 401; ) assert.ok(Date.now() < end, "the token is taken back");
  await page.says("Sign in");
  await page.type("dialog input", second);
  await page.press("Sign in");
  await page.until(`document.querySelector("dialog[open]") === null`);
  await page.press("Drop");
  await page.drop(await manyFiles(path.join(dir, "files"), 20));
  await page.says("21 files stored");

  await page.arrive(() => page.press("Sign out"));
  await page.says("Sign in");
  assert.equal(await page.run("sessionStorage.length"), 0);
}
