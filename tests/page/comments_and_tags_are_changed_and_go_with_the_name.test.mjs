// A name's comment and tags are changed, found by search, and go with it to another name; a tag that is taken out goes.

import assert from "node:assert/strict";

export default async function ({ page: open, daemon: start }) {
  const daemon = await start();
  const stored = await daemon.upload("Beach in July.txt", "sand", "?category=Holiday&comment=the%20first%20day");
  const names = async () => (await (await fetch(`${daemon.url}/files/${stored.hash}/meta`)).json()).names;
  const page = await open();
  await page.go(`${daemon.plainUrl}/#/browse?open=${stored.hash}`);
  await page.press("Edit");
  await page.type("dialog form [name=comment]", "the second day");
  await page.type("dialog form [name=tags]", "place = Lisbon\nbest");
  await page.press("Save");
  await page.until(`document.querySelector(".details .tags")?.innerText.includes("place: Lisbon")`);
  await page.press("Rename");
  await page.type("dialog form [name=name]", "Ocean.txt");
  await page.press("Rename");
  await page.until(`document.querySelector("#details-title")?.innerText === "Ocean.txt"`);
  const [renamed, ...others] = await names();
  assert.deepEqual([renamed.original_name, renamed.comment, renamed.tags], ["Ocean.txt", "the second day", { place: "Lisbon", best: "" }]);
  assert.deepEqual(others, []);

  await page.press("Edit");
  await page.type("dialog form [name=tags]", "place = Porto");
  await page.press("Save");
  await page.until(`document.querySelector(".details .tags")?.innerText.trim() === "place: Porto"`);
  assert.deepEqual((await names())[0].tags, { place: "Porto" });
  await page.press("Close");
  await daemon.lists(1, "&q=porto");
  await page.type("input[type=search]", "porto");
  await page.until(`document.querySelectorAll(".file").length === 1`);
}
