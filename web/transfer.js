// The way of files from a drop to the store: hashed, asked about, named or sent, each on its own.
//
//   waiting -> hashing -> checking -> queued -> sending -> stored | known
//                 \----------\---------\---------\-------> failed | cancelled
//
// Always: every file is in one state, and `counts` and `bytes` agree with that; a file is `stored` or `known` only by the
// server's word; a request that got no answer is sent again once the server is back, a bounded number of times.

import { ApiError, AwayError, askJson, sendForm, server } from "./api.js";
import { Hasher } from "./hasher.js";

// Requests at once. A browser keeps six connections to a server: two are left for the rest of the page.
const LANES = 4;
// Up to this a file travels with others.
const SMALL_BYTES = 1 << 20;
const BATCH_BYTES = 8 << 20;
const BATCH_FILES = 256;
// With fewer than this in hand a batch waits while more are on their way to it.
const BATCH_FILES_LEAST = 48;
const ASK_HASHES = 1000;
const NAMES_AT_ONCE = 500;
// How often one file is sent into a connection that breaks, and how often to a server that is busy.
const BREAKS_MAX = 4;
const BUSY_MAX = 60;
// What a file counts beside its bytes when work is measured: about what a request for it costs.
const FILE_WEIGHT = 8192;
const SAMPLE_MS = 500;
const SAMPLES = 12;

const FINISHED = new Set(["stored", "known", "failed", "cancelled"]);
export const isFinished = (item) => FINISHED.has(item.state);

export class Transfer extends EventTarget {
  items = [];
  counts = { waiting: 0, hashing: 0, checking: 0, queued: 0, sending: 0, stored: 0, known: 0, failed: 0, cancelled: 0 };
  bytes = { total: 0, stored: 0, known: 0 };
  isPaused = false;
  #hasher = null;
  #toHash = [];
  #toCheck = [];
  #toName = [];
  #small = [];
  #big = [];
  #jobs = new Set();
  #isChecking = false;
  // By hash, the one file of that content that is being sent; the others of the same wait for it (`twins`).
  #leaders = new Map();
  #notBefore = 0;
  #samples = [];
  #weight = { total: 0, done: 0 };

  constructor() {
    super();
    server.addEventListener("change", () => this.#pump());
  }

  get active() {
    const { waiting, hashing, checking, queued, sending } = this.counts;
    return waiting + hashing + checking + queued + sending;
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
      this.counts.waiting++;
      this.bytes.total += item.size;
      this.#weight.total += item.size + FILE_WEIGHT;
      this.#toHash.push(item);
    }
    this.#pump();
  }

  // Shows what could not even be read.
  addUnreadable(path, words) {
    const item = { name: path, folder: "", size: 0, state: "failed", error: words, isLost: true };
    this.items.push(item);
    this.counts.failed++;
    this.#tell();
  }

  pause() {
    this.isPaused = true;
    this.#tell();
  }

  resume() {
    this.isPaused = false;
    this.#samples = [];
    this.#pump();
  }

  cancel() {
    for (const job of this.#jobs) job.abort();
    for (const queue of [this.#toHash, this.#toCheck, this.#toName, this.#small, this.#big]) queue.length = 0;
    this.#leaders.clear();
    for (const item of this.items) {
      if (!isFinished(item)) this.#set(item, "cancelled");
    }
    this.isPaused = false;
    this.#tell();
  }

  retryFailed() {
    for (const item of this.items) {
      if (item.state !== "failed" || item.isLost) continue;
      Object.assign(item, { error: "", note: "", breaks: 0, busy: 0, moved: 0, twins: [] });
      this.#set(item, "waiting");
      this.#toHash.push(item);
    }
    this.resume();
  }

  // Takes what is finished off the list.
  clear() {
    this.items = this.items.filter((item) => !isFinished(item));
    for (const state of FINISHED) this.counts[state] = 0;
    const total = this.items.reduce((sum, item) => sum + item.size, 0);
    this.bytes = { total, stored: 0, known: 0 };
    this.#weight = { total: total + FILE_WEIGHT * this.items.length, done: 0 };
    this.#samples = [];
    this.#tell();
  }

  // How far all of it is, from 0 to 1; how fast, over the last seconds; and how long it will still take, if that is known.
  progress() {
    const moving = this.#movingBytes();
    const done = this.#weight.done + moving;
    const share = this.#weight.total > 0 ? Math.min(1, done / this.#weight.total) : 0;
    const now = performance.now();
    const files = this.items.length - this.active;
    const bytes = this.bytes.stored + this.bytes.known + moving;
    const last = this.#samples.at(-1);
    if (!last || now - last.at >= SAMPLE_MS) {
      this.#samples.push({ at: now, done, files, bytes });
      if (this.#samples.length > SAMPLES) this.#samples.shift();
    }
    const first = this.#samples[0];
    const seconds = (now - first.at) / 1000;
    if (seconds < 1 || this.active === 0 || this.isPaused) return { share, bytesRate: 0, filesRate: 0, leftS: null };
    const workRate = (done - first.done) / seconds;
    return {
      share,
      bytesRate: Math.max(0, (bytes - first.bytes) / seconds),
      filesRate: Math.max(0, (files - first.files) / seconds),
      leftS: workRate > 0 ? (this.#weight.total - done) / workRate : null,
    };
  }

  #movingBytes() {
    let sum = 0;
    for (const job of this.#jobs) {
      for (const item of job.items) sum += item.state === "sending" ? item.moved : 0;
    }
    return sum;
  }

  #set(item, state) {
    this.counts[item.state]--;
    const wasFinished = FINISHED.has(item.state);
    item.state = state;
    this.counts[state]++;
    const isNow = FINISHED.has(state);
    if (isNow !== wasFinished) this.#weight.done += (isNow ? 1 : -1) * (item.size + FILE_WEIGHT);
    if (state === "stored" || state === "known") this.bytes[state] += item.size;
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }

  // Starts whatever can be started now. Called whenever anything has changed.
  #pump() {
    this.#tell();
    if (this.isPaused || !server.isReady) return;
    this.#hashSome();
    this.#checkSome();
    const wait = this.#notBefore - performance.now();
    if (wait > 0) return;
    while (this.#jobs.size < LANES && this.#startJob());
  }

  #hashSome() {
    while (this.#toHash.length > 0) {
      this.#hasher ??= new Hasher();
      if (!this.#hasher.hasRoom) return;
      const item = this.#toHash.shift();
      this.#set(item, "hashing");
      const onProgress = (bytes) => {
        if (item.state === "hashing") item.moved = bytes;
        this.#tell();
      };
      this.#hasher.hash(item.file, onProgress, ({ hash, error }) => {
        if (item.state !== "hashing") return;
        if (error) {
          this.#fail(item, error);
        } else {
          Object.assign(item, { hash, moved: 0 });
          this.#set(item, "checking");
          this.#toCheck.push(item);
        }
        this.#pump();
      });
    }
  }

  // Asks which of the hashed are missing: when many have come together, or none is about to come.
  async #checkSome() {
    const isMoreComing = this.#toCheck.length < ASK_HASHES && this.counts.hashing + this.#toHash.length > 0;
    if (this.#isChecking || this.#toCheck.length === 0 || (isMoreComing && this.#toCheck.length < BATCH_FILES)) return;
    const items = this.#toCheck.splice(0, ASK_HASHES);
    this.#isChecking = true;
    try {
      const hashes = [...new Set(items.map((item) => item.hash))];
      const { missing } = await askJson("/dedup", { method: "POST", json: { hashes } });
      const isMissing = new Set(missing);
      for (const item of items.filter((item) => item.state === "checking")) {
        this.#set(item, "queued");
        if (isMissing.has(item.hash)) this.#queueToSend(item);
        else this.#toName.push(item);
      }
    } catch (error) {
      this.#recover(items.filter((item) => item.state === "checking"), error, (item) => {
        this.#set(item, "checking");
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
    (item.size <= SMALL_BYTES ? this.#small : this.#big).push(item);
  }

  // Whether there was something to do.
  #startJob() {
    const known = this.#nextToName();
    const items = known ?? this.#nextBatch() ?? this.#nextBig();
    if (!items) return false;
    const job = new AbortController();
    job.items = items;
    this.#jobs.add(job);
    for (const item of items) this.#set(item, "sending");
    const work = known ? this.#name(items, job) : this.#send(items, job);
    work.finally(() => {
      this.#jobs.delete(job);
      this.#pump();
    });
    return true;
  }

  #nextToName() {
    const first = this.#toName[0];
    if (!first) return null;
    const end = this.#toName.findIndex((item) => item.terms !== first.terms);
    return this.#toName.splice(0, Math.min(NAMES_AT_ONCE, end < 0 ? this.#toName.length : end));
  }

  #nextBig() {
    return this.#big.length > 0 ? this.#big.splice(0, 1) : null;
  }

  #nextBatch() {
    const first = this.#small[0];
    if (!first) return null;
    let end = 0;
    for (let bytes = 0; end < Math.min(this.#small.length, BATCH_FILES); end++) {
      const item = this.#small[end];
      bytes += item.size;
      const fits = item.terms === first.terms && bytes <= BATCH_BYTES && !item.isAlone && !first.isAlone;
      if (end > 0 && !fits) break;
    }
    const isMoreComing = this.counts.hashing + this.counts.checking + this.#toHash.length > 0;
    if (end === this.#small.length && end < BATCH_FILES_LEAST && isMoreComing) return null;
    return this.#small.splice(0, end);
  }

  // Names stored contents, without sending them.
  async #name(items, job) {
    const names = items.map(({ hash, name, folder }) => ({ hash, name, folder }));
    const again = (item) => {
      this.#set(item, "queued");
      this.#toName.push(item);
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
          this.#set(item, "queued");
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
        item.moved = Math.min(item.size, left);
        left -= item.moved;
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
    try {
      await sendForm(form, { onSent, onLine, signal: job.signal });
    } catch (error) {
      this.#refuse(items.filter((item) => item.state === "sending"), error);
    }
  }

  #refuse(items, error) {
    this.#recover(items, error, (item) => {
      // Whatever it is that breaks or is too large: the others need not share it for ever.
      if (item.breaks > 1 || error.status === 413) item.isAlone = true;
      this.#set(item, "queued");
      (item.size <= SMALL_BYTES ? this.#small : this.#big).push(item);
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
    if (error.status === 401) this.pause();
    for (const item of items) {
      item.moved = 0;
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
    this.#set(item, "failed");
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
    Object.assign(item, { record, moved: item.size });
    this.#set(item, state);
    if (this.#leaders.get(item.hash) !== item) return;
    this.#leaders.delete(item.hash);
    this.#toName.push(...item.twins);
    item.twins = [];
  }
}
