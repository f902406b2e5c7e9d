// An address that names no view, be it a name that every object has, shows the view for dropping files.

import assert from "node:assert/strict";

export default async function ({ page: open, daemon: start }) {
  const daemon = await start();
  const page = await open();
  const shown = () => page.run(`[...document.querySelectorAll("[id^=view-]")].filter((view) => !view.hidden).map((view) => view.id).join()`);
  for (const name of ["", "#/constructor", "#/nothing", "#/tostring?x"]) {
    await page.go(`${daemon.plainUrl}/${name}`);
    assert.equal(await shown(), "view-drop", name);
  }
  await page.go(`${daemon.plainUrl}/#/watch`);
  await page.until(`!document.querySelector("#view-watch").hidden`);
  await page.run(`location.hash = "#/constructor"`);
  await page.until(`!document.querySelector("#view-drop").hidden`);
  assert.equal(await shown(), "view-drop");
}
