// A browser, chromium without a window: what its forms and its fetch may do, and what the rule of origins refuses.
//
// A page of this script's own server is the foreign site; pages of the daemon's own origin are made on top of its
// /healthz, for its page lets nothing become markup, and what it serves of others is sandboxed. A form there is filled in
// and sent as a person would. What the daemon's page does is tested in tests/page.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";

import { Browser, Page } from "../page/support/chromium.mjs";

const { URL: url, HOST_URL: hostUrl, FILES: files, WORK: work } = process.env;
const names = ["small.txt", "picture.png", "naïve café.txt", "big.bin"];

class FormPage extends Page {
  // Makes a form on the page, fills it in, presses its button; gives the answer's status and text.
  async sendForm(action, fileNames) {
    await this.run(`document.body.innerHTML = \`<form method="post" enctype="multipart/form-data" action="${action}">
      <input type="text" name="category" value="from a browser"><input type="file" name="files" multiple>
      <button>send</button></form>\``);
    const { root } = await this.ask("DOM.getDocument");
    const { nodeId } = await this.ask("DOM.querySelector", { nodeId: root.nodeId, selector: "input[type=file]" });
    await this.ask("DOM.setFileInputFiles", { nodeId, files: fileNames.map((name) => `${files}/${name}`) });
    const status = await this.arrive(() => this.run(`setTimeout(() => document.querySelector("button").click()), 0`));
    return { status, text: await this.run("document.body.innerText") };
  }
}

const sha256 = async (name) => createHash("sha256").update(await readFile(`${files}/${name}`)).digest("hex");

// What runs in a page: downloads, and says the status and the SHA-256 of what came.
const fetched = (path, options = "{}") => `(async () => {
  const answer = await fetch(${JSON.stringify(path)}, ${options});
  const bytes = await answer.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return { status: answer.status, size: bytes.byteLength, sha256: [...digest].map((b) => b.toString(16).padStart(2, "0")).join("") };
})()`;
const statusOf = (path, options) => `fetch(${JSON.stringify(path)}, ${options}).then((answer) => answer.status)`;

const elsewhere = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<body>a page</body>"));
await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
const port = elsewhere.address().port;
const browser = new Browser(`${work}/profile`);
const patience = setTimeout(() => { console.log("the browser hangs"); process.exit(1); }, 100_000);
try {
  const page = await FormPage.open(browser);

  assert.equal(await page.go(`${url}/healthz`), 200);
  const form = await page.sendForm("/ingest/media", names);
  assert.equal(form.status, 200, form.text);
  const { stored } = JSON.parse(form.text);
  assert.deepEqual(stored.map((record) => record.original_name), names);
  for (const { path, original_name, category } of stored) {
    assert.ok(category.endsWith("/from-a-browser"), category);
    const got = await page.run(fetched(`/${path}`));
    assert.deepEqual([got.status, got.sha256], [200, await sha256(original_name)], path);
  }
  console.log("a form of the same origin: stored, and downloaded by fetch");

  const put = await page.run(`(async () => {
    const body = new Blob([new Uint8Array(300000).fill(7)]);
    const answer = await fetch("/files/by-fetch.bin", { method: "PUT", body });
    return { status: answer.status, ...(await answer.json()) };
  })()`);
  assert.equal(put.status, 201);
  assert.equal((await page.run(fetched(`/${put.path}`))).size, 300000);
  const range = await page.run(fetched(`/${put.path}`, `{ headers: { Range: "bytes=10-19" } }`));
  assert.deepEqual([range.status, range.size], [206, 10]);
  const big = "new Uint8Array(20 << 20)";
  assert.equal(await page.run(statusOf("/storage/nothing-here", "{}")), 404);
  assert.equal(await page.run(statusOf("/ingest/media", `{ method: "POST", body: new FormData() }`)), 400);
  assert.equal(await page.run(statusOf(`/${put.path}`, `{ headers: { Range: "bytes=9999999-" } }`)), 416);
  assert.equal(await page.run(statusOf("/files/toobig.bin", `{ method: "PUT", body: ${big} }`)), 413);
  assert.equal(await page.run(statusOf("/ingest/media", `{ method: "POST", body: (() => {
    const form = new FormData(); form.append("file", new Blob([${big}]), "toobig.bin"); return form;
  })() }`)), 413);
  console.log("fetch of the same origin: 201, 206, 400, 404, 413, 416");

  const toobig = await page.sendForm("/ingest/media", ["toobig.bin"]);
  assert.equal(toobig.status, 413, toobig.text);
  assert.equal(await page.go(`${url}/storage/nothing-here`), 404);
  console.log("a form that is too long shows its 413");

  assert.equal(await page.go(`${hostUrl}/healthz`), 200);
  const named = await page.sendForm("/ingest/media", ["small.txt"]);
  assert.equal(named.status, 200, named.text);
  assert.equal(await page.go(hostUrl.replace("media.test", "elsewhere.test") + "/healthz"), 421);
  console.log("a host given with --host is served, another is 421");

  for (const from of [`http://127.0.0.1:${port}/`, `http://localhost:${port}/`, `http://elsewhere.test:${port}/`]) {
    assert.equal(await page.go(from), 200);
    const foreign = await page.sendForm(`${url}/ingest/media`, ["picture.png"]);
    assert.equal(foreign.status, 403, foreign.text);
    assert.equal(await page.go(from), 200);
    const blind = await page.run(`fetch("${url}/files/blind.bin", { method: "POST", mode: "no-cors", body: "x" }).then(() => "sent")`);
    assert.equal(blind, "sent");
    const put = await page.run(`fetch("${url}/files/blind.bin", { method: "PUT", body: "x" }).then(() => "sent", () => "refused")`);
    assert.equal(put, "refused", "no preflight is answered");
    const read = await page.run(`fetch("${url}/healthz").then((answer) => answer.text(), () => "refused")`);
    assert.equal(read, "refused", "another origin reads nothing");
  }
  const stray = createHash("sha256").update("x").digest("hex");
  assert.equal((await fetch(`${url}/files/${stray}`)).status, 404, "what the foreign pages sent is not stored");
  console.log("forms and fetches of other origins: 403, nothing read, nothing stored");

  // What was uploaded cannot act in the daemon's origin: a page is a download, and a picture is shown sandboxed.
  assert.equal(await page.go(`${url}/${stored[1].path}`), 200);
  assert.equal(await page.run("document.images.length"), 1);
  assert.equal(await page.run("self.origin"), "null");
  console.log("an uploaded picture is shown, in a sandbox");
} finally {
  clearTimeout(patience);
  await browser.close().catch(() => {});
  elsewhere.close();
  elsewhere.closeAllConnections();
}
