// Light and dark, wide and as narrow as a phone, in each view: nothing runs out of the screen, and axe finds nothing
// serious. The first paint comes soon after the address was entered.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { anAlbum, manyFiles } from "./support/files.mjs";

const LOOKS = [
  { name: "light", width: 1200, height: 850, scheme: "light" },
  { name: "dark", width: 1200, height: 850, scheme: "dark" },
  { name: "phone", width: 360, height: 740, scheme: "light" },
  { name: "phone-dark", width: 360, height: 740, scheme: "dark" },
];

export default async function ({ page: open, daemon: start, dir, screenshot, say, skip }) {
  const daemon = await start();
  const paths = await manyFiles(path.join(dir, "files"), 30);
  const album = anAlbum(24);
  let picture = null;
  for (const [name, content, category] of [...album].reverse()) {
    const record = await daemon.upload(name, Buffer.from(content), `?category=${encodeURIComponent(category)}`);
    if (name.endsWith(".svg")) picture = record;
  }

  await daemon.lists(album.length);

  const page = await open();
  await page.go(`${daemon.plainUrl}/`);
  const { paint, size } = await page.until(`(() => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const parts = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource").filter((e) => e.name.includes("/ui/"))];
    return paint && { paint: paint.startTime, size: parts.reduce((sum, part) => sum + part.encodedBodySize, 0) };
  })()`);
  say(`first contentful paint after ${Math.round(paint)} ms, of ${size} bytes`);

  const axe = await readFile(process.env.AXE ?? "", "utf8").catch(() => null);
  if (axe === null) skip("axe is not installed, so accessibility was not looked at");
  // axe makes markup of text, which the page forbids.
  await page.ask("Page.setBypassCSP", { enabled: true });
  await page.again("#/drop");
  await page.until(`document.querySelector("nav [aria-current]") !== null`);
  if (axe !== null) await page.run(axe);

  const states = {
    "drop-empty": async () => {},
    browse: async () => {
      await page.press("Browse");
      await page.until(`document.querySelectorAll(".file").length === ${album.length} && document.querySelectorAll(".excerpt, .thumbnail img").length > 5`);
    },
    "browse-list": () => page.press("List"),
    details: async () => {
      await page.press("Pictures");
      await page.run(`location.hash = "#/browse?open=${picture.hash}"`);
      await page.until(`document.querySelector(".details .facts") !== null`);
    },
    question: () => page.press("Delete"),
    "drop-done": async () => {
      await page.press("Not now");
      await page.press("Close");
      await page.drop(paths);
      await page.says("30 files stored");
    },
    watch: async () => {
      await page.press("Watch");
      const begun = Date.now();
      for (let n = 0; Date.now() - begun < 6000; n++) {
        await daemon.upload(`reading ${n}.txt`, `reading ${n % 7 === 0 ? 0 : n} ${"x".repeat((n * 37) % 3000)}`);
        await new Promise((resolve) => setTimeout(resolve, 12 + 10 * Math.sin(n / 40)));
      }
      await page.until(`document.querySelector(".chart .line")?.getAttribute("d")?.includes("L")`);
    },
  };
  const problems = [];
  for (const [state, reach] of Object.entries(states)) {
    await page.look(LOOKS[0]);
    await reach();
    const colours = new Set();
    for (const look of LOOKS) {
      await page.look(look);
      await new Promise((resolve) => setTimeout(resolve, 250));
      await screenshot(page, `${state}-${look.name}`);
      const wide = await page.run("document.documentElement.scrollWidth - innerWidth");
      assert.ok(wide <= 0, `${state}, ${look.name}: ${wide} pixels too wide`);
      colours.add(await page.run("getComputedStyle(document.body).backgroundColor"));
      if (axe === null) continue;
      const found = await page.run(`axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + n.failureSummary.slice(0, 300)) })))`);
      for (const { id, impact, where } of found) problems.push(`${state}, ${look.name}: ${impact} ${id}: ${where.join(" | ")}`);
    }
    assert.equal(colours.size, 2, `${state}: light and dark differ`);
  }
  const isSerious = (problem) => /: (serious|critical) /.test(problem);
  for (const problem of problems.filter((problem) => !isSerious(problem))) say(problem);
  assert.deepEqual(problems.filter(isSerious), []);
}
