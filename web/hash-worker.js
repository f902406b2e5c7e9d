// A worker that hashes one file after another. It is told `{ id, file }` and says `{ id, bytes }` as it gets on, then
// `{ id, hash }`, or `{ id, error }`.

import { Sha256 } from "./sha256.js";

const PIECE_BYTES = 4 << 20;

// The browser's own is several times as quick. It takes only what is in memory whole, and is missing without TLS.
const NATIVE_BYTES_MAX = 32 << 20;

async function hash(file, onProgress) {
  if (globalThis.crypto?.subtle && file.size <= NATIVE_BYTES_MAX) {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  const sha256 = new Sha256();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    const piece = await file.slice(at, at + PIECE_BYTES).arrayBuffer();
    sha256.update(new Uint8Array(piece));
    onProgress(at + piece.byteLength);
  }
  return sha256.hex();
}

let last = Promise.resolve();

self.onmessage = ({ data: { id, file } }) => {
  last = last.then(async () => {
    try {
      self.postMessage({ id, hash: await hash(file, (bytes) => self.postMessage({ id, bytes })) });
    } catch (error) {
      self.postMessage({ id, error: `It cannot be read: ${error.message}` });
    }
  });
};
