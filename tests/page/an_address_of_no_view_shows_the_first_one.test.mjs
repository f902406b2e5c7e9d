// An address that names no view, be it a name that every object has, shows the view for dropping files.

import assert from "node:assert/strict";

export default async function ({ page: open, daemon: start }) {
  const daemon = await start();
  const page = await open();
  await page.go(`${daemon.plainUrl}/#/constructor`);
  await page.until(`!document.querySelector("#view-drop").hidden`);
  for (const name of ["constructor", "nothing", "tostring?x"]) {
    await page.run(`location.hash = "#/watch"`);
    await page.until(`!document.querySelector("#view-watch").hidden`);
    await page.run(`location.hash = "#/${name}"`);
    await page.until(`!document.querySelector("#view-drop").hidden`);
    assert.equal(await page.run(`document.querySelector("#view-watch").hidden`), true, name);
  }
}
