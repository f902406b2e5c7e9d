// Every button, link and field of every view is used once, and does what it says. What is there to be used is asked of the
// page: a control that this list has not, or does not use, is a failure.

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import path from "node:path";

import { BROKEN } from "./support/daemon.mjs";
import { bigFile, manyFiles } from "./support/files.mjs";

const SHOWN = `(() => {
  const scope = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document;
  const controls = [...scope.querySelectorAll("a[href], button, input, select, textarea, summary")];
  const label = (e) => e.getAttribute("aria-label") ?? e.closest("label")?.textContent.trim() ?? e.textContent.trim();
  return [...new Set(controls.filter((e) => e.checkVisibility() && !e.matches(".file, .row-name")).map(label))].sort();
})()`;
const FRAME = ["Skip to the content", "rhinobox, to the start", "Drop", "Browse", "Watch", "Colours: as the system has them"];
const DROP = ["Choose files", "Choose a folder", "Category", "Comment"];
const TYPES = ["All", "Images", "Videos", "Audio", "Documents", "Spreadsheets", "Presentations", "Archives", "Code", "Other"];
const STAGES = ["total", "admit", "recv", "parse", "hash", "claim", "queue", "write", "answer"];

export default async function ({ page: open, daemon: start, link: connect, dir }) {
  const daemon = await start();
  const link = await connect(daemon.port);
  const stored = [
    ["picture.svg", `<svg xmlns="http://www.w3.org/2000/svg"/>`], ["film.mp4", "no film"], ["tone.mp3", "ID3 no tone"], ["note.txt", "words"],
    ["sheet.csv", "a,b"], ["talk.ppt", "no talk"], ["things.zip", "PK\x03\x04"], ["program.rs", "fn main() {}"], ["thing.unknown", "thing"],
  ];
  for (const [name, content] of stored) await daemon.upload(name, Buffer.from(content), "?category=mine");
  const note = await daemon.upload("second name.txt", "words");
  await daemon.lists(stored.length + 1);

  const page = await open({ height: 2000 });
  let left = new Set();
  // These controls and no others are shown; each is to be used before the next are.
  const expect = async (...labels) => {
    assert.deepEqual([...left], [], "these were not used");
    const wanted = [...new Set(labels.flat())].sort();
    await page.until(`JSON.stringify(${SHOWN}) === ${JSON.stringify(JSON.stringify(wanted))}`).catch(async () => assert.deepEqual(await page.run(SHOWN), wanted));
    left = new Set(wanted);
  };
  const used = (...labels) => labels.flat().forEach((label) => left.delete(label));
  const press = async (label, effect) => {
    await page.press(label);
    if (effect) await page.until(effect);
    used(label);
  };
  const names = `[...document.querySelectorAll(".file-name")].map((e) => e.textContent)`;
  const hash = (is) => `location.hash === ${JSON.stringify(is)}`;
  const view = (name) => `!document.querySelector("#view-${name}").hidden`;

  // Dropping.
  await page.go(`${link.url}/`);
  await expect(FRAME, DROP);
  await press("Browse", view("browse"));
  await press("Watch", view("watch"));
  await press("Drop", view("drop"));
  await press("Browse", view("browse"));
  await press("rhinobox, to the start", view("drop"));
  await page.run(`document.querySelector(".skip").focus()`);
  await page.key("Enter", { windowsVirtualKeyCode: 13, text: "\r" });
  await page.until(`document.activeElement.id === "main" && ${hash("#/drop")}`);
  used("Skip to the content");
  await press("Colours: as the system has them", `document.documentElement.style.colorScheme === "light"`);
  await page.press("Colours: light");
  await page.press("Colours: dark");
  await page.ask("Page.setInterceptFileChooserDialog", { enabled: true });
  for (const [label, mode] of [["Choose files", "selectMultiple"], ["Choose a folder", "selectSingle"]]) {
    const chooser = page.browser.next(({ method, sessionId }) => method === "Page.fileChooserOpened" && sessionId === page.sessionId);
    await press(label);
    assert.equal((await chooser).mode, mode);
  }
  await page.type("#category", "Trip");
  await page.type("#comment", "the first day");
  used("Category", "Comment");
  link.bytesPerSecond = 100_000;
  const gone = await bigFile(path.join(dir, "files"), "gone.mp4", 1_100_000);
  await page.drop([gone]);
  const chips = (all, open, known, failed) => [`All ${all}`, `In work ${open}`, `Already stored ${known}`, `Failed ${failed}`];
  await page.until(`document.querySelector("[data-state=sending]") !== null`);
  await press("Pause", `document.querySelector(".figures").textContent.includes("paused")`);
  await press("Resume", `!document.querySelector(".figures").textContent.includes("paused")`);
  await press("Cancel", `document.querySelector("[data-state=cancelled]") !== null`);
  await page.press("Clear finished");
  link.bytesPerSecond = Infinity;
  // One that cannot be read fails, as often as it is tried.
  const paths = await manyFiles(path.join(dir, "files"), 8);
  await page.choose("#files", [gone]);
  await page.until(`document.querySelector(".transfer-headline").textContent === "1 file stored"`);
  // Category and comment go with it.
  await daemon.lists(1, "&category=trip&q=the+first+day");
  await page.press("Clear finished");
  link.bytesPerSecond = 300_000;
  const films = [];
  for (let n = 0; n < 5; n++) films.push(await bigFile(path.join(dir, "files"), `film ${n}.mp4`, 1_100_000));
  await page.drop([gone, ...paths, ...films]);
  await page.until(`document.querySelectorAll("[data-state=sending]").length === 4 && document.querySelectorAll("[data-state=queued]").length === 1`);
  await page.press("Pause");
  const waiting = await page.run(`document.querySelector("[data-state=queued] .row-name").textContent`);
  await rm(path.join(dir, "files", waiting));
  link.bytesPerSecond = Infinity;
  await page.press("Resume");
  await page.says("13 files stored, 1 failed");
  await expect(FRAME, DROP, "Retry failed", "Clear finished", chips(14, 0, 1, 1));
  used(FRAME, DROP);
  const states = (is) => `[...document.querySelectorAll(".row")].map((row) => row.dataset.state).filter((state) => state !== "${is}").length === 0`;
  await press("Failed 1", `${states("failed")} && document.querySelectorAll(".row").length === 1`);
  await press("Already stored 1", `${states("known")} && document.querySelectorAll(".row").length === 1`);
  await press("In work 0", `document.querySelectorAll(".row").length === 0`);
  await press("All 14", `document.querySelectorAll(".row").length === 14`);
  // It is looked at anew: now it is not even found to be hashed.
  await press("Retry failed", `document.querySelector("[data-state=failed] .row-more")?.textContent.startsWith("It cannot be read")`);
  await press("Clear finished", `document.querySelector("#transfer").hidden`);

  // Browsing.
  await page.press("Browse");
  await page.until(`${names}.length >= ${stored.length}`);
  await expect(FRAME, "Search", "Category", TYPES, "Pictures", "List");
  used(FRAME);
  for (const [at, label] of TYPES.slice(1).entries()) {
    await press(label, `${names}.includes(${JSON.stringify(stored[at][0])}) && !${names}.includes(${JSON.stringify(stored[(at + 1) % stored.length][0])}) && document.querySelector("#view-browse [aria-pressed=true]").textContent === ${JSON.stringify(label)}`);
  }
  await press("All", `${names}.length >= ${stored.length} && ${hash("#/browse")}`);
  await press("List", `document.querySelector(".files.is-list") !== null`);
  await press("Pictures", `document.querySelector(".files.is-grid") !== null`);
  await page.type("#view-browse [name=category]", "mine");
  await page.key("Enter", { windowsVirtualKeyCode: 13, text: "\r" });
  await page.until(`${names}.length === ${stored.length}`);
  await page.type("#view-browse [name=q]", "nothing is called so");
  used("Search", "Category");
  await page.says("Nothing that is stored matches.");
  await expect(FRAME, "Search", "Category", TYPES, "Pictures", "List", "Show everything");
  used(FRAME, "Search", "Category", TYPES, "Pictures", "List");
  await press("Show everything", `${names}.length >= ${stored.length}`);

  // A file in full.
  await page.run(`location.hash = "#/browse?open=${note.hash}"`);
  const full = ["Close", "Download", "Copy link", "Rename", "Edit", "Delete", "mine", "second name.txt"];
  await expect(full);
  await press("second name.txt", `document.querySelector("#details-title").textContent === "second name.txt"`);
  await page.run("history.back()");
  await page.until(`document.querySelector("#details-title").textContent === "note.txt"`);
  await press("Copy link", `document.querySelector(".details [role=status]").textContent !== ""`);
  await page.browser.ask("Browser.setDownloadBehavior", { behavior: "deny", eventsEnabled: true, browserContextId: page.browserContextId });
  const download = page.browser.next(({ method }) => method === "Browser.downloadWillBegin");
  await press("Download");
  assert.equal((await download).suggestedFilename, "note.txt");
  const questions = {
    Rename: ["Name", "Category", "Rename", "Not now"],
    Edit: ["Comment", "Tags, one in a line", "Save", "Not now"],
    Delete: ["Only this name; the content stays under its others", "The content with all its 2 names", "Delete", "Not now"],
  };
  for (const [label, controls] of Object.entries(questions)) {
    await press(label);
    // What they do when they are answered yes is a test of its own for each.
    const rest = left;
    left = new Set();
    await expect(controls);
    await page.press("Not now");
    await page.until(`document.querySelectorAll("dialog[open]").length === 1`);
    left = rest;
  }
  await page.press("Rename");
  await page.type("dialog form [name=name]", "letter.txt");
  await page.type("dialog form [name=category]", "post");
  await page.press("Rename");
  await page.until(`document.querySelector("#details-title").textContent === "letter.txt"`);
  await page.press("post");
  await page.until(`${hash("#/browse?category=post")} && document.querySelector("dialog[open]") === null`);
  used("mine");
  await page.run(`location.hash = "#/browse?open=${note.hash}"`);
  await page.until(`!["Looking …", undefined].includes(document.querySelector("#details-title")?.textContent)`);
  await press("Close", `document.querySelector("dialog[open]") === null`);

  // Watching.
  await page.press("Watch");
  await expect(FRAME, STAGES);
  used(FRAME);
  for (const stage of [...STAGES].reverse()) {
    await press(stage, `document.querySelector("#view-watch [aria-pressed=true]").textContent === "${stage}"`);
  }

  // What is shown when the list cannot be had.
  await page.press("Browse");
  await page.until(`${view("browse")} && / files$/.test(document.querySelector("#view-browse .words").textContent)`);
  link.answers = { to: "GET /files?", what: BROKEN };
  await page.press("Audio");
  await page.until(`document.querySelector("#view-browse .words").textContent === "broken"`);
  link.answers = null;
  await page.press("Try again");
  // Of the new list, and of that alone: what was shown before is gone.
  await page.until(`JSON.stringify(${names}) === ${JSON.stringify(JSON.stringify(["tone.mp3"]))}`);
  assert.deepEqual([...left], [], "these were not used");
}
