// The way of files from a drop to the store: hashed, asked about, named or sent, each on its own.
//
//   waiting -> hashing -> checking -> queued -> sending -> stored | known
//                 \----------\---------\---------\-------> failed | cancelled
//
// Always: every file is in one state, which `tally` counts; a file is `stored` or `known` only by the server's word; a
// request that got no answer is sent again once the server is back, a bounded number of times.

import { ApiError, AwayError, askJson, sendForm, server } from "./api.js";
import { Hasher } from "./hasher.js";
import { Tally, isFinished } from "./tally.js";
import { Waiting } from "./waiting.js";

// Requests at once. A browser keeps six connections to a server: two are left for the rest of the page.
const LANES = 4;
// Hashes asked about at once, at most; and, while more are on their way, at least.
const ASK_HASHES = 1000;
const ASK_HASHES_LEAST = 256;
// How often one file is sent into a connection that breaks, and how often to a server that is busy.
const BREAKS_MAX = 4;
const BUSY_MAX = 60;
const GONE = "It was changed or taken away after it was chosen, so it cannot be read any more.";

export class Transfer extends EventTarget {
  items = [];
  tally = new Tally();
  isPaused = false;
  // The server wants a token first, or another.
  isHeld = false;
  #hasher = null;
  #toHash = [];
  #toCheck = [];
  #waiting = new Waiting();
  #jobs = new Set();
  #isChecking = false;
  // By hash, the one file of that content that is being sent; the others of the same wait for it (`twins`).
  #leaders = new Map();
  #notBefore = 0;

  constructor() {
    super();
    server.addEventListener("change", () => this.#pump());
  }

  // Takes files up. `terms` are the category and comment of all of them.
  add(found, terms) {
    for (const { file, folder } of found) {
      const item = {
        file, folder, terms, name: file.name, size: file.size,
        state: "waiting", moved: 0, error: "", note: "", hash: "", record: null,
        breaks: 0, busy: 0, isAlone: false, twins: [],
      };
      this.items.push(item);
      this.tally.add(item);
      this.#toHash.push(item);
    }
    this.#pump();
  }

  // Shows what could not even be read.
  addUnreadable(path, words) {
    const item = { name: path, folder: "", size: 0, state: "failed", moved: 0, error: words, isLost: true };
    this.items.push(item);
    this.tally.add(item);
    this.#tell();
  }

  pause() {
    this.isPaused = true;
    this.#tell();
  }

  resume() {
    this.isPaused = false;
    this.tally.forgetSpeed();
    this.#pump();
  }

  // Somebody was asked for a token.
  letGo() {
    this.isHeld = false;
    this.tally.forgetSpeed();
    this.#pump();
  }

  cancel() {
    for (const job of this.#jobs) job.abort();
    this.#toHash.length = this.#toCheck.length = 0;
    this.#waiting.clear();
    this.#leaders.clear();
    for (const item of this.items) {
      if (!isFinished(item)) this.tally.set(item, "cancelled");
    }
    this.isPaused = false;
    this.#tell();
  }

  retryFailed() {
    for (const item of this.items) {
      if (item.state !== "failed" || item.isLost) continue;
      Object.assign(item, { error: "", note: "", breaks: 0, busy: 0, twins: [] });
      this.tally.set(item, "waiting");
      this.#toHash.push(item);
    }
    this.resume();
  }

  // Takes what is finished off the list.
  clear() {
    this.items = this.items.filter((item) => !isFinished(item));
    this.tally.restart(this.items);
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }

  // Starts whatever can be started now. Called whenever anything has changed.
  #pump() {
    // What comes next begins by itself.
    if (this.tally.active === 0) this.isPaused = false;
    this.#tell();
    if (this.isPaused || this.isHeld || !server.isReady) return;
    this.#hashSome();
    if (this.#notBefore > performance.now()) return;
    this.#checkSome();
    while (this.#jobs.size < LANES && this.#startJob());
  }

  #hashSome() {
    while (this.#toHash.length > 0) {
      this.#hasher ??= new Hasher();
      if (!this.#hasher.hasRoom) return;
      const item = this.#toHash.shift();
      this.tally.set(item, "hashing");
      const onProgress = (bytes) => {
        if (item.state === "hashing") this.tally.move(item, bytes);
        this.#tell();
      };
      this.#hasher.hash(item.file, onProgress, ({ hash, error, isUnstarted }) => {
        if (item.state !== "hashing") return;
        if (isUnstarted) {
          // A part of the page did not come: as long as the server is away.
          server.set("away", "The server does not answer.");
          this.#recover([item], new AwayError(error), () => {
            this.tally.set(item, "waiting");
            this.#toHash.push(item);
          });
        } else if (error) {
          this.#fail(item, error);
        } else {
          item.hash = hash;
          this.tally.set(item, "checking");
          this.#toCheck.push(item);
        }
        this.#pump();
      });
    }
  }

  // Asks which of the hashed are missing: when many have come together, or none is about to come.
  async #checkSome() {
    const isMoreComing = this.#toCheck.length < ASK_HASHES && this.tally.counts.hashing + this.#toHash.length > 0;
    if (this.#isChecking || this.#toCheck.length === 0 || (isMoreComing && this.#toCheck.length < ASK_HASHES_LEAST)) return;
    const items = this.#toCheck.splice(0, ASK_HASHES);
    this.#isChecking = true;
    try {
      const hashes = [...new Set(items.map((item) => item.hash))];
      const { missing } = await askJson("/dedup", { method: "POST", json: { hashes } });
      const isMissing = new Set(missing);
      for (const item of items.filter((item) => item.state === "checking")) {
        this.tally.set(item, "queued");
        if (isMissing.has(item.hash)) this.#queueToSend(item);
        else this.#waiting.name(item);
      }
    } catch (error) {
      this.#recover(items.filter((item) => item.state === "checking"), error, (item) => {
        this.tally.set(item, "checking");
        this.#toCheck.push(item);
      });
    }
    this.#isChecking = false;
    this.#pump();
  }

  #queueToSend(item) {
    const leader = this.#leaders.get(item.hash);
    if (leader !== undefined && leader !== item) {
      leader.twins.push(item);
      return;
    }
    this.#leaders.set(item.hash, item);
    this.#waiting.send(item);
  }

  // Whether there was something to do.
  #startJob() {
    const { hashing, checking } = this.tally.counts;
    const next = this.#waiting.next(hashing + checking + this.#toHash.length > 0);
    if (!next) return false;
    const { items, isKnown } = next;
    const job = new AbortController();
    this.#jobs.add(job);
    for (const item of items) this.tally.set(item, "sending");
    const work = isKnown ? this.#name(items, job) : this.#send(items, job);
    work.finally(() => {
      this.#jobs.delete(job);
      this.#pump();
    });
    return true;
  }

  // Names stored contents, without sending them.
  async #name(items, job) {
    const names = items.map(({ hash, name, folder }) => ({ hash, name, folder }));
    const again = (item) => {
      this.tally.set(item, "queued");
      this.#waiting.name(item);
    };
    try {
      const json = { ...items[0].terms, names };
      const headers = { Prefer: "handling=lenient" };
      const { stored, errors = [] } = await askJson("/names", { method: "POST", json, headers, signal: job.signal });
      const failures = new Map(errors.map((error) => [error.index, error]));
      let next = 0;
      items.forEach((item, index) => {
        const error = failures.get(index);
        if (!error) this.#finish(item, "known", stored[next++]);
        else if (error.status === 404) {
          // It went, or was damaged, since we asked.
          this.tally.set(item, "queued");
          this.#queueToSend(item);
        } else {
          this.#recover([item], new ApiError(error.status, error.error), again);
        }
      });
    } catch (error) {
      this.#recover(items.filter((item) => item.state === "sending"), error, again);
    }
  }

  async #send(items, job) {
    const form = new FormData();
    // In front of the files: answers in lines are given as each file is stored.
    for (const [name, value] of Object.entries(items[0].terms)) if (value !== "") form.append(name, value);
    for (const { file, folder, name } of items) form.append("file", file, folder === "" ? name : `${folder}/${name}`);
    const onSent = (bytes) => {
      let left = bytes;
      for (const item of items) {
        const bytes = Math.min(item.size, left);
        if (item.state === "sending") this.tally.move(item, bytes);
        left -= bytes;
      }
      this.#tell();
    };
    const onLine = (line) => {
      const item = items[line.index];
      if (!item || item.state !== "sending") return;
      if (line.status === 200) this.#finish(item, line.duplicate ? "known" : "stored", line);
      else this.#refuse([item], new ApiError(line.status, line.error));
      this.#tell();
    };
    const unanswered = () => items.filter((item) => item.state === "sending");
    try {
      await sendForm(form, { onSent, onLine, signal: job.signal });
      this.#refuse(unanswered(), new Error("The server did not say what became of it."));
    } catch (error) {
      // A file that cannot be read ends the request just as a connection does that breaks.
      const isGone = error instanceof AwayError && (await this.#failGone(unanswered()));
      if (error instanceof AwayError && !isGone) server.set("away", "The server does not answer.");
      this.#refuse(unanswered(), error, isGone);
    }
  }

  // Whether there were any.
  async #failGone(items) {
    const areThere = await Promise.all(items.map(({ file }) => file.slice(0, 1).arrayBuffer().then(() => true, () => false)));
    const gone = items.filter((item, at) => !areThere[at] && item.state === "sending");
    for (const item of gone) this.#fail(item, GONE);
    return gone.length > 0;
  }

  #refuse(items, error, isNoBreak = false) {
    this.#recover(items, error, (item) => {
      if (isNoBreak) item.breaks--;
      // Whatever it is that breaks or is too large: the others need not share it for ever.
      if (item.breaks > 1 || error.status === 413) item.isAlone = true;
      this.tally.set(item, "queued");
      this.#waiting.send(item);
    });
  }

  // What did not work is done again by `again`, or has failed.
  #recover(items, error, again) {
    if (error.name === "AbortError") return;
    const isAway = error instanceof AwayError;
    const isBusy = error.status === 503 || error.status === 429;
    if (isBusy) this.#wait(Math.max(1, error.retryAfterS));
    // Something else may be answered meanwhile: that it is there again does not say that this will work.
    if (isAway) this.#wait(1);
    if (error.status === 401) this.isHeld = true;
    for (const item of items) {
      const isWorthIt =
        (isAway && ++item.breaks < BREAKS_MAX) ||
        (isBusy && ++item.busy < BUSY_MAX) ||
        (error.status === 413 && items.length > 1) ||
        error.status === 401;
      if (isWorthIt) again(item);
      else this.#fail(item, error.message);
    }
  }

  #wait(seconds) {
    this.#notBefore = performance.now() + 1000 * seconds;
    setTimeout(() => this.#pump(), 1000 * seconds + 10);
  }

  #fail(item, words) {
    item.error = words;
    this.tally.set(item, "failed");
    if (this.#leaders.get(item.hash) !== item) return;
    // The next of the same content tries in its place.
    this.#leaders.delete(item.hash);
    const [next, ...others] = item.twins;
    item.twins = [];
    if (!next) return;
    next.twins = others;
    this.#queueToSend(next);
  }

  #finish(item, state, record) {
    if (record.hash !== item.hash) item.note = "It changed while it was sent: what arrived is what is stored.";
    item.record = record;
    this.tally.set(item, state);
    if (this.#leaders.get(item.hash) !== item) return;
    this.#leaders.delete(item.hash);
    for (const twin of item.twins) this.#waiting.name(twin);
    item.twins = [];
  }
}
