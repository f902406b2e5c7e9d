// SHA-256 (FIPS 180-4) of a stream, in plain JavaScript: pages that came without TLS have no WebCrypto, and WebCrypto
// has no streams.
//
// Always: words are 32-bit signed integers, as `| 0` makes them; `update` may be called with pieces of any length.

const ROUND_CONSTANTS = (() => {
  // The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  const words = new Int32Array(64);
  for (let candidate = 2, found = 0; found < 64; candidate++) {
    let isPrime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) {
      if (candidate % divisor === 0) isPrime = false;
    }
    if (isPrime) words[found++] = fraction(Math.cbrt(candidate));
  }
  return words;
})();

function fraction(root) {
  return ((root - Math.floor(root)) * 0x1_0000_0000) | 0;
}

// Of the square roots of the first eight primes.
const INITIAL_STATE = Int32Array.from([2, 3, 5, 7, 11, 13, 17, 19], (prime) => fraction(Math.sqrt(prime)));

const BLOCK_BYTES = 64;

export class Sha256 {
  #state = INITIAL_STATE.slice();
  #schedule = new Int32Array(64);
  // What has come of a block that is not whole.
  #rest = new Uint8Array(BLOCK_BYTES);
  #restBytes = 0;
  #totalBytes = 0;

  update(bytes) {
    this.#totalBytes += bytes.length;
    let at = 0;
    if (this.#restBytes > 0) {
      at = Math.min(BLOCK_BYTES - this.#restBytes, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#restBytes);
      this.#restBytes += at;
      if (this.#restBytes < BLOCK_BYTES) return this;
      this.#compress(this.#rest, 0, BLOCK_BYTES);
      this.#restBytes = 0;
    }
    const wholeEnd = bytes.length - ((bytes.length - at) % BLOCK_BYTES);
    this.#compress(bytes, at, wholeEnd);
    this.#rest.set(bytes.subarray(wholeEnd), 0);
    this.#restBytes = bytes.length - wholeEnd;
    return this;
  }

  // 64 hexadecimal digits. Nothing can be added afterwards.
  hex() {
    const lengthAt = this.#restBytes < BLOCK_BYTES - 8 ? BLOCK_BYTES - 8 : 2 * BLOCK_BYTES - 8;
    const tail = new Uint8Array(lengthAt + 8);
    tail.set(this.#rest.subarray(0, this.#restBytes));
    tail[this.#restBytes] = 0x80;
    // In bits, as 64 bits; lengths are exact in a double up to 2^53 bytes.
    const view = new DataView(tail.buffer);
    view.setUint32(lengthAt, Math.floor(this.#totalBytes / 0x2000_0000));
    view.setUint32(lengthAt + 4, (this.#totalBytes << 3) >>> 0);
    this.#compress(tail, 0, tail.length);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  // Takes whole blocks. Eight rounds at a time need no shuffling: what is `a` in one round is `b` in the next, and after
  // eight of them every word is where it began.
  #compress(bytes, begin, end) {
    const w = this.#schedule;
    const k = ROUND_CONSTANTS;
    const state = this.#state;
    for (let at = begin; at < end; at += BLOCK_BYTES) {
      for (let t = 0, from = at; t < 16; t++, from += 4) {
        w[t] = (bytes[from] << 24) | (bytes[from + 1] << 16) | (bytes[from + 2] << 8) | bytes[from + 3];
      }
      for (let t = 16; t < 64; t++) {
        const x = w[t - 15];
        const y = w[t - 2];
        const sigma0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const sigma1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[t] = (w[t - 16] + sigma0 + w[t - 7] + sigma1) | 0;
      }
      let a = state[0], b = state[1], c = state[2], d = state[3];
      let e = state[4], f = state[5], g = state[6], h = state[7];
      for (let t = 0; t < 64; t += 8) {
        h = (h + sum1(e) + (g ^ (e & (f ^ g))) + k[t] + w[t]) | 0;
        d = (d + h) | 0;
        h = (h + sum0(a) + ((a & b) | (c & (a | b)))) | 0;
        g = (g + sum1(d) + (f ^ (d & (e ^ f))) + k[t + 1] + w[t + 1]) | 0;
        c = (c + g) | 0;
        g = (g + sum0(h) + ((h & a) | (b & (h | a)))) | 0;
        f = (f + sum1(c) + (e ^ (c & (d ^ e))) + k[t + 2] + w[t + 2]) | 0;
        b = (b + f) | 0;
        f = (f + sum0(g) + ((g & h) | (a & (g | h)))) | 0;
        e = (e + sum1(b) + (d ^ (b & (c ^ d))) + k[t + 3] + w[t + 3]) | 0;
        a = (a + e) | 0;
        e = (e + sum0(f) + ((f & g) | (h & (f | g)))) | 0;
        d = (d + sum1(a) + (c ^ (a & (b ^ c))) + k[t + 4] + w[t + 4]) | 0;
        h = (h + d) | 0;
        d = (d + sum0(e) + ((e & f) | (g & (e | f)))) | 0;
        c = (c + sum1(h) + (b ^ (h & (a ^ b))) + k[t + 5] + w[t + 5]) | 0;
        g = (g + c) | 0;
        c = (c + sum0(d) + ((d & e) | (f & (d | e)))) | 0;
        b = (b + sum1(g) + (a ^ (g & (h ^ a))) + k[t + 6] + w[t + 6]) | 0;
        f = (f + b) | 0;
        b = (b + sum0(c) + ((c & d) | (e & (c | d)))) | 0;
        a = (a + sum1(f) + (h ^ (f & (g ^ h))) + k[t + 7] + w[t + 7]) | 0;
        e = (e + a) | 0;
        a = (a + sum0(b) + ((b & c) | (d & (b | c)))) | 0;
      }
      state[0] += a; state[1] += b; state[2] += c; state[3] += d;
      state[4] += e; state[5] += f; state[6] += g; state[7] += h;
    }
  }
}

const sum0 = (x) => ((x >>> 2) | (x << 30)) ^ ((x >>> 13) | (x << 19)) ^ ((x >>> 22) | (x << 10));
const sum1 = (x) => ((x >>> 6) | (x << 26)) ^ ((x >>> 11) | (x << 21)) ^ ((x >>> 25) | (x << 7));
