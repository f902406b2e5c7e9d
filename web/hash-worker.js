// A worker that hashes one file after another. It is told `{ id, file }` and says `{ id, bytes }` as it gets on, then
// `{ id, hash }`, or `{ id, error }`.

import { Sha256 } from "./sha256.js";

const PIECE_BYTES = 4 << 20;

// The browser's own is several times as quick. It takes only what is in memory whole, and is missing without TLS.
const NATIVE_BYTES_MAX = 32 << 20;

// What is small is read while others are hashed: most of its time goes to that.
const READ_AHEAD_BYTES_MAX = 1 << 20;

const read = async (file) => new Uint8Array(await file.arrayBuffer());

async function hash(file, ahead, onProgress) {
  if (globalThis.crypto?.subtle && file.size <= NATIVE_BYTES_MAX) {
    const digest = await crypto.subtle.digest("SHA-256", (await ahead) ?? (await read(file)));
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  const sha256 = new Sha256();
  if (ahead) return sha256.update(await ahead).hex();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    const piece = await file.slice(at, at + PIECE_BYTES).arrayBuffer();
    sha256.update(new Uint8Array(piece));
    onProgress(at + piece.byteLength);
  }
  return sha256.hex();
}

let last = Promise.resolve();

self.onmessage = ({ data: { id, file } }) => {
  const ahead = file.size <= READ_AHEAD_BYTES_MAX ? read(file) : null;
  // It is told when it is its turn.
  ahead?.catch(() => {});
  last = last.then(async () => {
    try {
      self.postMessage({ id, hash: await hash(file, ahead, (bytes) => self.postMessage({ id, bytes })) });
    } catch (error) {
      self.postMessage({ id, error: `It cannot be read: ${error.message}` });
    }
  });
};
