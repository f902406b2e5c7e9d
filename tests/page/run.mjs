// Lets a browser use the page: `run.mjs RHINOBOX WORK SCREENSHOTS [NAME...]`.
//
// Each file `*.test.mjs` beside this one is a behaviour, named by its sentence; it is given what it needs, and a browser
// page and daemons of its own. What it does not reach because this machine cannot (no loop device, say) it says with
// `skip`: where CI is set, or as root, that is a failure.

import assert from "node:assert/strict";
import { mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { Browser, Page } from "./support/chromium.mjs";
import { Daemon, Link } from "./support/daemon.mjs";

const [program, work, screenshots, ...wanted] = process.argv.slice(2).map((argument) => path.resolve(argument));
const only = wanted.map((name) => path.basename(name));
const here = path.dirname(fileURLToPath(import.meta.url));
const PATIENCE_MS = 120_000;
const mayNotSkip = Boolean(process.env.CI) || process.getuid() === 0;

const failed = [];
let browser = new Browser(path.join(work, "profile"));

async function test(name) {
  const dir = path.join(work, name.replace(/\W+/g, "-"));
  await mkdir(dir, { recursive: true });
  const opened = [];
  const daemons = [];
  let skipped = null;
  const context = {
    browser, dir,
    async page(options) {
      const page = await Page.open(browser);
      opened.push(page);
      await page.look(options);
      return page;
    },
    async daemon(options = {}) {
      const daemon = await Daemon.start({ program, dir: path.join(dir, `daemon-${daemons.length}`), ...options });
      daemons.push(daemon);
      return daemon;
    },
    async link(port) {
      const link = await Link.to(port);
      opened.push(link);
      return link;
    },
    screenshot: (page, picture) => page.screenshot(path.join(screenshots, `${picture}.png`)),
    say: (words) => console.log(`  ${words}`),
    skip(why) { skipped = why; },
  };
  const begun = Date.now();
  let late;
  try {
    const { default: run } = await import(path.join(here, `${name}.test.mjs`));
    const tooLate = new Promise((_, reject) => { late = setTimeout(() => reject(new Error(`not done after ${PATIENCE_MS} ms`)), PATIENCE_MS); });
    await Promise.race([run(context), tooLate]);
    for (const page of opened.filter((page) => page instanceof Page)) {
      assert.deepEqual(page.problems, [], "what the page threw, or was forbidden");
    }
    if (skipped !== null) {
      console.log(`page: ${name}: SKIPPED in part: ${skipped}`);
      if (mayNotSkip) failed.push(name);
    } else {
      console.log(`page: ${name}: passed in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
    }
  } catch (error) {
    failed.push(name);
    console.log(`page: ${name}: FAILED: ${error.stack}`);
    await Promise.race([opened.find((page) => page instanceof Page)?.screenshot(path.join(screenshots, `failed-${name}.png`)).catch(() => {}), new Promise((resolve) => setTimeout(resolve, 3000))]);
    for (const daemon of daemons) if (daemon.log) console.log(daemon.log.replace(/^/gm, "  | "));
  }
  clearTimeout(late);
  for (const one of opened) await Promise.race([one.close(), new Promise((resolve) => setTimeout(resolve, 3000))]);
  for (const daemon of daemons) await daemon.stop("SIGKILL");
  await context.cleanUp?.();
  await rm(dir, { recursive: true, force: true });
}

const names = (await readdir(here)).filter((name) => name.endsWith(".test.mjs")).map((name) => name.slice(0, -".test.mjs".length)).sort();
for (const name of names) {
  if (only.length === 0 || only.some((part) => name.includes(part))) await test(name);
}
await browser.close();
console.log(failed.length === 0 ? "page: all passed" : `page: ${failed.length} FAILED: ${failed.join(", ")}`);
process.exit(failed.length === 0 ? 0 : 1);
