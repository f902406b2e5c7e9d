// A chromium without a window, driven through a pipe (--remote-debugging-pipe): nothing but Node is needed.
//
// Always: what a page throws, or what its policy forbids it, is kept in `problems`, so that a test can say there was none.

import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

const PATIENCE_MS = 30_000;
// Where something led to another document nothing is left there to ask.
const gone = (error) => {
  if (!/context|navigated|target/i.test(error.message)) throw error;
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Browser {
  #process;
  #pieces = [];
  #asked = new Map();
  #listeners = new Set();
  #last = 0;

  constructor(profile) {
    const flags = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--no-proxy-server",
      // A page is drawn whatever else the browser thinks is in front of it.
      "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding", "--disable-background-timer-throttling",
      "--hide-scrollbars", `--user-data-dir=${profile}`, "--remote-debugging-pipe",
      // Two names for loopback: one that the daemon was given with --host, one that it was not.
      "--host-resolver-rules=MAP media.test 127.0.0.1, MAP elsewhere.test 127.0.0.1",
      "about:blank",
    ];
    this.#process = spawn("chromium", flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.#process.stdio[4].on("data", (data) => this.#receive(data));
    this.ended = new Promise((resolve) => this.#process.on("exit", resolve));
  }

  #receive(data) {
    for (let at; (at = data.indexOf(0)) >= 0; data = data.subarray(at + 1)) {
      const message = JSON.parse(Buffer.concat([...this.#pieces, data.subarray(0, at)]).toString());
      this.#pieces = [];
      this.#take(message);
    }
    this.#pieces.push(data);
  }

  #take(message) {
    const asked = this.#asked.get(message.id);
    this.#asked.delete(message.id);
    if (!asked) {
      for (const listener of this.#listeners) listener(message);
    } else if (message.error) {
      asked.reject(new Error(`${asked.method}: ${message.error.message}`));
    } else {
      asked.resolve(message.result);
    }
  }

  ask(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { method, resolve, reject });
      this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  listen(listener) {
    this.#listeners.add(listener);
  }

  // The next event that `wanted` takes.
  next(wanted) {
    return new Promise((resolve) => {
      const listener = (message) => {
        if (wanted(message)) {
          this.#listeners.delete(listener);
          resolve(message.params);
        }
      };
      this.#listeners.add(listener);
    });
  }

  async close() {
    await this.ask("Browser.close");
    await this.ended;
  }
}

export class Page {
  problems = [];

  // In a context of its own: no storage, cache or connection is shared with another page.
  static async open(browser) {
    const { browserContextId } = await browser.ask("Target.createBrowserContext", { disposeOnDetach: true });
    const { targetId } = await browser.ask("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await browser.ask("Target.attachToTarget", { targetId, flatten: true });
    const page = new this();
    Object.assign(page, { browser, sessionId, browserContextId });
    browser.listen((message) => message.sessionId === sessionId && page.#note(message));
    for (const domain of ["Page", "Runtime", "DOM", "Log"]) await page.ask(`${domain}.enable`);
    await page.ask("Emulation.setFocusEmulationEnabled", { enabled: true });
    // Not the bodies that pages send: they are long.
    await page.ask("Network.enable", { maxPostDataSize: 1 });
    return page;
  }

  #note({ method, params }) {
    if (method === "Runtime.exceptionThrown") {
      const { exception, text } = params.exceptionDetails;
      this.problems.push(exception?.description ?? text);
    } else if (method === "Log.entryAdded" && params.entry.source === "security") {
      this.problems.push(params.entry.text);
    } else if (method === "Page.javascriptDialogOpening") {
      // A question before leaving is the page's own; any other would be somebody else's script.
      if (params.type !== "beforeunload") this.problems.push(`a dialog of type ${params.type}: ${params.message}`);
      this.ask("Page.handleJavaScriptDialog", { accept: true });
    }
  }

  ask(method, params = {}) {
    return this.browser.ask(method, params, this.sessionId);
  }

  close() {
    return this.browser.ask("Target.disposeBrowserContext", { browserContextId: this.browserContextId });
  }

  // Does something that leads to another document; gives that one's status, and waits until it is there.
  async arrive(action) {
    const of = (method) => (message) => message.method === method && message.sessionId === this.sessionId;
    const answered = this.browser.next((message) => of("Network.responseReceived")(message) && message.params.type === "Document");
    const loaded = this.browser.next(of("Page.loadEventFired"));
    await action();
    const { response } = await answered;
    await loaded;
    return response.status;
  }

  go(to) {
    return this.arrive(() => this.ask("Page.navigate", { url: to }));
  }

  // Loads the page that is shown anew, at this place in it.
  async again(hash) {
    await this.run(`location.hash = ${JSON.stringify(hash)}`);
    return this.arrive(() => this.ask("Page.reload"));
  }

  async run(expression) {
    const { result, exceptionDetails } = await this.ask("Runtime.evaluate", {
      expression, awaitPromise: true, returnByValue: true, userGesture: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  // Waits until the expression is true, or whatever else counts as that; gives it.
  async until(expression, patienceMs = PATIENCE_MS) {
    const end = Date.now() + patienceMs;
    for (;;) {
      const value = await this.run(expression);
      if (value) return value;
      if (Date.now() > end) {
        const text = await this.run("document.body.innerText.slice(0, 2000)");
        throw new Error(`still not: ${expression}\nthe page says:\n${text}\nits problems: ${this.problems.join("\n")}`);
      }
      await pause(50);
    }
  }

  textOf(selector) {
    return this.run(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? null`);
  }

  says(text, patienceMs) {
    return this.until(`document.body.innerText.includes(${JSON.stringify(text)})`, patienceMs);
  }

  // Clicks as a mouse does: at a place on the screen, on whatever is there.
  click(selector) {
    return this.#clickOn(`document.querySelector(${JSON.stringify(selector)})`, selector);
  }

  // The button with this label, in what is open on top.
  press(label) {
    const name = JSON.stringify(label);
    const scope = `([...document.querySelectorAll("dialog[open]")].at(-1) ?? document)`;
    const isWanted = `(e) => (e.innerText.trim() === ${name} || e.getAttribute("aria-label") === ${name}) && e.checkVisibility() && !e.disabled`;
    return this.#clickOn(`[...${scope}.querySelectorAll("button, a, summary")].find(${isWanted})`, label);
  }

  // What the expression finds, once it is shown, has kept its place for two frames, and nothing covers it. It may move or be
  // drawn anew all the same before the mouse is there: a click that neither it nor what is found now heard of is made again.
  async #clickOn(found, what) {
    const ready = `(async () => {
      const place = () => {
        const element = ${found};
        if (!element?.checkVisibility()) return null;
        element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
        // Of a link over several lines the first.
        const [box] = element.getClientRects();
        return box ? { element, x: box.x + box.width / 2, y: box.y + box.height / 2 } : null;
      };
      const before = place();
      const frame = () => new Promise((resolve) => { requestAnimationFrame(resolve); setTimeout(resolve, 1000); });
      for (let frames = 0; frames < 2; frames++) await frame();
      const at = place();
      if (!before || !at || before.element !== at.element || before.x !== at.x || before.y !== at.y) return null;
      const hit = document.elementFromPoint(at.x, at.y);
      globalThis.covers = hit && !at.element.contains(hit) ? hit.outerHTML.slice(0, 200) : null;
      if (!hit || covers) return null;
      globalThis.isClicked = false;
      addEventListener("click", (event) => {
        const on = event.composedPath();
        isClicked ||= on.includes(at.element) || on.includes(${found});
      }, { capture: true, once: true });
      return { x: at.x, y: at.y };
    })()`;
    for (const end = Date.now() + PATIENCE_MS; ; ) {
      const at = await this.until(ready).catch(async (error) => {
        throw new Error(`${what} cannot be clicked: covered by ${await this.run("globalThis.covers")}\n${error.message}`);
      });
      for (const type of ["mousePressed", "mouseReleased"]) {
        await this.ask("Input.dispatchMouseEvent", { type, ...at, button: "left", clickCount: 1 });
      }
      if ((await this.run("globalThis.isClicked").catch(gone)) !== false) return;
      if (Date.now() > end) throw new Error(`${what} never hears of a click`);
    }
  }

  // In place of what the field holds.
  async type(selector, text) {
    await this.until(`(() => {
      const field = document.querySelector(${JSON.stringify(selector)});
      if (!field?.checkVisibility()) return false;
      field.focus();
      field.select?.();
      return document.activeElement === field;
    })()`);
    await this.ask("Input.insertText", { text });
  }

  async key(key, { code = key, windowsVirtualKeyCode = 0, text } = {}) {
    await this.ask("Input.dispatchKeyEvent", { type: "keyDown", key, code, windowsVirtualKeyCode, text });
    await this.ask("Input.dispatchKeyEvent", { type: "keyUp", key, code, windowsVirtualKeyCode });
  }

  // Drops files and folders of this machine on the page, as a file manager does. The browser tells the page of a drop only
  // once the page has said, to a look at what hovers, that it takes it; what comes while the page is busy may be lost, and
  // a drop that was refused ends the whole drag. So it begins again until the page has heard of the drop.
  async drop(paths, patienceMs = PATIENCE_MS) {
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    const send = (type) => this.ask("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
    const veil = `document.querySelector("#drop-veil").hidden`;
    await this.run(`(() => {
      window.heard = { dragover: 0, drop: 0 };
      if (window.listens) return;
      window.listens = true;
      for (const type of ["dragover", "drop"]) document.addEventListener(type, () => { window.heard[type]++; }, true);
    })()`);
    const isHeard = async (type, times = 1) => {
      for (const end = Date.now() + 2000; Date.now() < end; await pause(10)) {
        if (await this.run(`window.heard.${type} >= ${times}`)) return true;
      }
      return false;
    };
    for (const end = Date.now() + patienceMs; Date.now() < end; ) {
      await this.run("window.heard.dragover = 0");
      await send("dragEnter");
      await send("dragOver");
      if (!(await isHeard("dragover"))) continue;
      if (await this.run(veil)) throw new Error("the page does not say that it takes what hovers");
      // Once more, behind the page's own answer to the first; and some time for the answer to that to reach the browser.
      await send("dragOver");
      if (!(await isHeard("dragover", 2))) continue;
      await pause(100);
      await send("drop");
      if (await isHeard("drop")) return;
      await send("dragCancel");
    }
    throw new Error("the page never heard of the drop");
  }

  async choose(selector, paths) {
    const { root } = await this.ask("DOM.getDocument");
    const { nodeId } = await this.ask("DOM.querySelector", { nodeId: root.nodeId, selector });
    await this.ask("DOM.setFileInputFiles", { nodeId, files: paths });
  }

  async look({ width = 1200, height = 850, scheme = "light", scale = 1 } = {}) {
    await this.ask("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: scale, mobile: false });
    await this.ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  }

  async screenshot(file) {
    await mkdir(path.dirname(file), { recursive: true });
    // Not in the middle of a movement. A browser that draws nothing for a while, as behind a drag, does not get on with it.
    await this.run("document.getAnimations().forEach((animation) => animation.finish())");
    const { data } = await this.ask("Page.captureScreenshot", { format: "png" });
    await writeFile(file, Buffer.from(data, "base64"));
  }
}
