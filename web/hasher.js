// Some workers that hash files, so that neither the page nor the connection waits for it.

const WORKERS_MAX = 4;
// A worker has the next file before it is done with one, else it would wait for this thread between any two.
const AHEAD = 4;

// The one address that may become a worker: everything else is refused by the page's policy (Trusted Types).
const addresses = globalThis.trustedTypes?.createPolicy("rhinobox", { createScriptURL: () => "/ui/hash-worker.js" });
const WORKER_URL = addresses?.createScriptURL("") ?? "/ui/hash-worker.js";

export class Hasher {
  #workers = [];
  #last = 0;

  constructor() {
    const threads = Math.min(WORKERS_MAX, Math.max(1, (navigator.hardwareConcurrency || 2) - 1));
    for (let n = 0; n < threads; n++) {
      const worker = { thread: new Worker(WORKER_URL, { type: "module" }), jobs: new Map() };
      worker.thread.onmessage = ({ data }) => this.#take(worker, data);
      worker.thread.onerror = () => {
        for (const job of worker.jobs.values()) job.onEnd({ error: "The browser could not hash it." });
        worker.jobs.clear();
      };
      this.#workers.push(worker);
    }
  }

  get hasRoom() {
    return this.#workers.some((worker) => worker.jobs.size < AHEAD);
  }

  // `onProgress(bytes)`, then once `onEnd({ hash })` or `onEnd({ error })`.
  hash(file, onProgress, onEnd) {
    const worker = this.#workers.reduce((least, other) => (other.jobs.size < least.jobs.size ? other : least));
    const id = ++this.#last;
    worker.jobs.set(id, { onProgress, onEnd });
    worker.thread.postMessage({ id, file });
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
