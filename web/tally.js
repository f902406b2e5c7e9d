// How far a drop is: how many files are in which state, how many bytes that is, and how fast it gets on.
//
// Always: `counts` and `bytes` agree with the states of the items that were added and not cleared.

// What a file counts beside its bytes when work is measured: about what a request for it costs.
const FILE_WEIGHT = 8192;
const SAMPLE_MS = 500;
const SAMPLES = 12;

const FINISHED = new Set(["stored", "known", "failed", "cancelled"]);
export const isFinished = (item) => FINISHED.has(item.state);

const weightOf = (item) => item.size + FILE_WEIGHT;

export class Tally {
  counts = { waiting: 0, hashing: 0, checking: 0, queued: 0, sending: 0, stored: 0, known: 0, failed: 0, cancelled: 0 };
  bytes = { total: 0, stored: 0, known: 0 };
  #weight = { total: 0, done: 0 };
  // What of the files that are being sent has left.
  #moving = 0;
  #samples = [];

  get active() {
    const { waiting, hashing, checking, queued, sending } = this.counts;
    return waiting + hashing + checking + queued + sending;
  }

  get moved() {
    return this.bytes.stored + this.bytes.known + this.#moving;
  }

  add(item) {
    this.counts[item.state]++;
    this.bytes.total += item.size;
    this.#weight.total += weightOf(item);
    if (isFinished(item)) this.#weight.done += weightOf(item);
  }

  set(item, state) {
    if (item.state === "sending") this.#moving -= item.moved;
    const wasFinished = isFinished(item);
    this.counts[item.state]--;
    Object.assign(item, { state, moved: 0 });
    this.counts[state]++;
    if (isFinished(item) !== wasFinished) this.#weight.done += wasFinished ? -weightOf(item) : weightOf(item);
    if (state === "stored" || state === "known") this.bytes[state] += item.size;
  }

  // So much of it was hashed, or has left.
  move(item, bytes) {
    if (item.state === "sending") this.#moving += bytes - item.moved;
    item.moved = bytes;
  }

  // Begins anew with these, of which none is finished.
  restart(items) {
    for (const state of FINISHED) this.counts[state] = 0;
    const total = items.reduce((sum, item) => sum + item.size, 0);
    this.bytes = { total, stored: 0, known: 0 };
    this.#weight = { total: items.reduce((sum, item) => sum + weightOf(item), 0), done: 0 };
    this.forgetSpeed();
  }

  // What was fast or slow before says nothing of what comes.
  forgetSpeed() {
    this.#samples = [];
  }

  // The share that is done, from 0 to 1; how fast, over the last seconds; and how long it will still take, in seconds, if
  // that is known.
  progress() {
    const done = this.#weight.done + this.#moving;
    const share = this.#weight.total > 0 ? Math.min(1, done / this.#weight.total) : 0;
    const now = performance.now();
    const { counts, moved: bytes } = this;
    const files = counts.stored + counts.known + counts.failed + counts.cancelled;
    const last = this.#samples.at(-1);
    if (!last || now - last.at >= SAMPLE_MS) {
      this.#samples.push({ at: now, done, files, bytes });
      if (this.#samples.length > SAMPLES) this.#samples.shift();
    }
    const first = this.#samples[0];
    const seconds = (now - first.at) / 1000;
    if (seconds < 1 || this.active === 0) return { share, bytesRate: 0, filesRate: 0, leftS: null };
    const workRate = (done - first.done) / seconds;
    return {
      share,
      bytesRate: Math.max(0, (bytes - first.bytes) / seconds),
      filesRate: Math.max(0, (files - first.files) / seconds),
      leftS: workRate > 0 ? (this.#weight.total - done) / workRate : null,
    };
  }
}
