// What is pasted from the clipboard as a file is stored like any other; pasted text stays text.

import assert from "node:assert/strict";

import { sha256 } from "./support/files.mjs";

export default async function ({ page: open, daemon: start }) {
  const daemon = await start();
  const page = await open();
  await page.go(`${daemon.plainUrl}/`);
  const paste = (files, text) => `(() => {
    const data = new DataTransfer();
    for (const [name, content] of ${JSON.stringify(files)}) data.items.add(new File([content], name, { type: "text/plain" }));
    if (${JSON.stringify(text)}) data.setData("text/plain", ${JSON.stringify(text)});
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  })()`;
  await page.run(paste([], "only words"));
  await page.run(paste([["note.txt", "from the clipboard"]], ""));
  await page.says("1 file stored");
  assert.equal((await fetch(`${daemon.url}/files/${sha256("from the clipboard")}`, { method: "HEAD" })).status, 200);
  assert.equal(await daemon.metric("rhinobox_contents"), 1);
}
