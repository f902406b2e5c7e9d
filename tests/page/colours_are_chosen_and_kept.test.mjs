// Colours follow the system until somebody chooses; the choice is kept.

import assert from "node:assert/strict";

export default async function ({ page: open, daemon: start }) {
  const daemon = await start();
  const page = await open({ scheme: "dark" });
  await page.go(`${daemon.plainUrl}/`);
  const paper = () => page.run("getComputedStyle(document.body).backgroundColor");
  const dark = await paper();
  await page.press("Colours: as the system has them");
  const light = await paper();
  assert.notEqual(light, dark);
  await page.arrive(() => page.ask("Page.reload"));
  await page.until(`document.querySelector("#theme").innerText === "Light"`);
  assert.equal(await paper(), light);
  await page.press("Colours: light");
  assert.equal(await paper(), dark);
  await page.press("Colours: dark");
  await page.until(`document.querySelector("#theme").innerText === "Auto"`);
}
