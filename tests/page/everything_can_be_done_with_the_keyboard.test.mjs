// Without a mouse: the link that skips to the content, the views, a file opened and closed, a question answered no.

import assert from "node:assert/strict";

const TAB = ["Tab", { windowsVirtualKeyCode: 9 }];
const ENTER = ["Enter", { windowsVirtualKeyCode: 13, text: "\r" }];
const ESCAPE = ["Escape", { windowsVirtualKeyCode: 27 }];

export default async function ({ page: open, daemon: start }) {
  const daemon = await start();
  const stored = await daemon.upload("a note.txt", "words to read");
  const page = await open();
  await page.go(`${daemon.plainUrl}/`);
  await page.until(`document.querySelector("nav [aria-current]") !== null`);
  const focused = () => page.run("document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText.trim()");
  const tabTo = async (label) => {
    for (let n = 0; n < 40; n++) {
      await page.key(...TAB);
      if ((await focused()) === label) return;
    }
    assert.fail(`Tab does not lead to ${label}`);
  };

  await page.key(...TAB);
  assert.equal(await focused(), "Skip to the content");
  await page.key(...ENTER);
  await tabTo("Choose files");
  await page.run("document.activeElement.blur()");
  await page.again(`#/browse?open=${stored.hash}`);
  await page.says("words to read");
  await tabTo("Delete");
  await page.key(...ENTER);
  await page.says("Delete “a note.txt”?");
  await page.key(...ESCAPE);
  await page.until(`document.querySelectorAll("dialog[open]").length === 1`);
  assert.equal(await focused(), "Delete", "the focus returns to where the question was asked");
  await page.key(...ESCAPE);
  await page.until(`document.querySelectorAll("dialog[open]").length === 0`);
  assert.equal((await fetch(`${daemon.url}/files/${stored.hash}`, { method: "HEAD" })).status, 200);
  await page.until(`location.hash === "#/browse"`);
  await page.run(`document.querySelector("[data-view=watch]").focus()`);
  await page.key(...ENTER);
  await page.until(`document.activeElement.id === "watch-title"`);
  assert.equal(await page.run("document.title"), "Watch · rhinobox");
}
