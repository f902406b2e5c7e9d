// Some workers that hash files, so that neither the page nor the connection waits for it.

const WORKERS_MAX = 4;
// A worker has the next files before it is done with one, else it would wait for this thread, and for the disk, between any two.
const AHEAD = 8;

// The one address that may become a worker: everything else is refused by the page's policy (Trusted Types).
const addresses = globalThis.trustedTypes?.createPolicy("rhinobox", { createScriptURL: () => "/ui/hash-worker.js" });
const WORKER_URL = addresses?.createScriptURL("") ?? "/ui/hash-worker.js";

export class Hasher {
  #workers = [];
  #last = 0;

  constructor() {
    const threads = Math.min(WORKERS_MAX, Math.max(1, (navigator.hardwareConcurrency || 2) - 1));
    for (let n = 0; n < threads; n++) this.#workers.push({ thread: null, jobs: new Map() });
  }

  get hasRoom() {
    return this.#workers.some((worker) => worker.jobs.size < AHEAD);
  }

  // `onProgress(bytes)`, then once `onEnd({ hash })` or `onEnd({ error })`, with `isUnstarted` if there was no worker to do it.
  hash(file, onProgress, onEnd) {
    const worker = this.#workers.reduce((least, other) => (other.jobs.size < least.jobs.size ? other : least));
    const id = ++this.#last;
    worker.jobs.set(id, { onProgress, onEnd });
    worker.thread ??= this.#begin(worker);
    worker.thread.postMessage({ id, file });
  }

  #begin(worker) {
    const thread = new Worker(WORKER_URL, { type: "module" });
    thread.onmessage = ({ data }) => this.#take(worker, data);
    // Its code did not come. The next file has a worker that tries again.
    thread.onerror = () => {
      thread.terminate();
      const jobs = [...worker.jobs.values()];
      Object.assign(worker, { thread: null, jobs: new Map() });
      for (const job of jobs) job.onEnd({ error: "The browser could not start to hash it.", isUnstarted: true });
    };
    return thread;
  }

  #take(worker, { id, bytes, ...end }) {
    const job = worker.jobs.get(id);
    if (bytes !== undefined) {
      job?.onProgress(bytes);
      return;
    }
    worker.jobs.delete(id);
    job?.onEnd(end);
  }
}
