// HTML, SVG and scripts that would act if anything let them, under names that are markup: stored by drop and by form, shown
// in the list and in full, previewed, and opened by every address that they have. Nothing of them runs.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

const ACT = "document.documentElement.dataset.acted = 'yes'; alert(document.domain)";
const HOSTILE = {
  "page.html": `<!doctype html><script>${ACT}</script><img src=x onerror="${ACT}"><meta http-equiv=refresh content="0;url=https://elsewhere.test/">`,
  "<img src=x onerror=alert(1)>.html": `<body onload="${ACT}">`,
  "picture.svg": `<svg xmlns="http://www.w3.org/2000/svg" onload="${ACT}"><script>${ACT}</script><foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="javascript:${ACT}"/></foreignObject></svg>`,
  "'\"><svg onload=alert(1)>.svg": `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><set attributeName="href" to="javascript:alert(1)"/></svg>`,
  "javascript:alert(1).txt": "javascript:alert(1)",
  "code.js": `self.onmessage = () => {}; ${ACT}`,
  "style.css": "* { display: none !important }",
  "\u202egnp.exe": "MZ a program that is called a picture",
  "%3Cscript%3Ealert(1)%3C%2Fscript%3E.json": `{"__proto__": {"acted": true}, "a": "<script>alert(1)</script>"}`,
  "frame.xhtml": `<html xmlns="http://www.w3.org/1999/xhtml"><script>${ACT}</script></html>`,
  "not a picture.png": `\x89PNG\r\n\x1a\n<script>${ACT}</script>`,
  "paper.pdf": `%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj`,
};

export default async function ({ page: open, daemon: start, dir, screenshot }) {
  const daemon = await start();
  const folder = path.join(dir, "<b onclick=alert(1)>bold");
  await mkdir(folder);
  for (const [name, content] of Object.entries(HOSTILE)) await writeFile(path.join(folder, name), content, "latin1");
  const page = await open({ height: 1200 });
  // Downloads are not what is tested, and would stay on the disk.
  await page.browser.ask("Browser.setDownloadBehavior", { behavior: "deny", browserContextId: page.browserContextId });
  const acted = `document.documentElement.dataset.acted ?? ({}).acted ?? document.querySelectorAll("main img[src=x], dialog script, main script, iframe, object, embed").length`;

  await page.go(`${daemon.plainUrl}/`);
  await page.type("#category", `"><script>alert(1)</script>`);
  await page.type("#comment", `<img src=x onerror="alert(1)">`);
  await page.drop([folder]);
  await page.says(`${Object.keys(HOSTILE).length} files stored`);
  assert.equal(await page.run(acted), 0);
  for (const name of Object.keys(HOSTILE)) {
    // What turns letters around is written as its number: a program does not look like a picture.
    const written = name.replace("\u202e", "‹U+202E›");
    const shown = `[...document.querySelectorAll(".row-name")].some((e) => e.textContent === ${JSON.stringify(written)})`;
    assert.ok(await page.run(shown), `${name} is shown as it is written`);
  }
  await screenshot(page, "drop-hostile");

  const hrefs = await page.run(`[...document.querySelectorAll("a.row-name")].map((a) => a.getAttribute("href"))`);
  assert.equal(hrefs.length, Object.keys(HOSTILE).length);
  const paths = [];
  for (const href of hrefs) {
    await page.run(`location.hash = ${JSON.stringify(href)}`);
    const hash = /open=([0-9a-f]+)/.exec(href)[1];
    await page.until(`document.querySelector(".details .facts")?.innerText.includes(${JSON.stringify(hash)})`);
    await page.until(`!document.querySelector(".preview").innerText.includes("Fetching")`);
    assert.equal(await page.run(acted), 0, href);
    for (const label of ["Download", "Copy link", "Edit", "Not now", "Rename", "Not now", "Delete", "Not now"]) {
      await page.press(label);
      assert.equal(await page.run(acted), 0, `${href}, ${label}`);
    }
    paths.push(`/files/${hash}`, await page.run(`"/" + document.querySelector(".facts").lastElementChild.innerText`));
  }

  assert.deepEqual(page.problems, [], "the page had to be forbidden nothing");

  // By every address, as a document of its own: it is a download, plain text or a picture, and never of this origin.
  for (const target of paths) {
    await page.go(`${daemon.plainUrl}/healthz`);
    const { errorText } = await page.ask("Page.navigate", { url: `${daemon.plainUrl}${target}` });
    if (errorText === undefined) {
      await page.until("document.readyState === 'complete'");
      assert.equal(await page.run("self.origin"), "null", target);
      assert.equal(await page.run("document.documentElement.dataset.acted ?? 'no'"), "no", target);
    } else {
      assert.equal(errorText, "net::ERR_ABORTED", `${target} is a download`);
    }
  }
  // There a policy stops what tries to act, and says so: only what was not stopped is a problem.
  page.problems = page.problems.filter((problem) => !/Content Security Policy|sandbox/.test(problem));
}
