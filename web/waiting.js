// What waits to be named or sent, and what of it goes next.
//
// Always: what travels together has the same category and comment; a batch has a bounded number of files and of bytes; a
// file that is large, or that is to be alone, travels alone.

// Up to this a file travels with others.
const SMALL_BYTES = 1 << 20;
const BATCH_BYTES = 8 << 20;
const BATCH_FILES = 256;
// With fewer than this in hand a batch waits while more are on their way to it.
const BATCH_FILES_LEAST = 48;
const NAMES_AT_ONCE = 500;

export class Waiting {
  #toName = [];
  #small = [];
  #big = [];

  // What is stored already and lacks this name.
  name(item) {
    this.#toName.push(item);
  }

  send(item) {
    (item.size <= SMALL_BYTES ? this.#small : this.#big).push(item);
  }

  clear() {
    for (const queue of [this.#toName, this.#small, this.#big]) queue.length = 0;
  }

  // `{ items, isKnown }`, the latter of those to be named; null if nothing is to be begun now.
  next(isMoreComing) {
    const known = this.#nextToName();
    const items = known ?? this.#nextBatch(isMoreComing) ?? this.#nextBig();
    return items && { items, isKnown: known !== null };
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

  #nextBatch(isMoreComing) {
    const first = this.#small[0];
    if (!first) return null;
    let end = 0;
    for (let bytes = 0; end < Math.min(this.#small.length, BATCH_FILES); end++) {
      const item = this.#small[end];
      bytes += item.size;
      const fits = item.terms === first.terms && bytes <= BATCH_BYTES && !item.isAlone && !first.isAlone;
      if (end > 0 && !fits) break;
    }
    if (end === this.#small.length && end < BATCH_FILES_LEAST && isMoreComing) return null;
    return this.#small.splice(0, end);
  }
}
