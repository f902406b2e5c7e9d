// Files to drop.

import { createHash, randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

// So many small texts in a folder, each another; gives their paths.
export async function manyFiles(folder, count, content = (n) => `file ${n} ${"x".repeat(n % 700)}`) {
  await mkdir(folder, { recursive: true });
  const paths = [];
  for (let n = 0; n < count; n++) {
    const file = path.join(folder, `note ${String(n).padStart(4, "0")}.txt`);
    await writeFile(file, content(n));
    paths.push(file);
  }
  return paths;
}

// Bytes that are nowhere else; gives the path.
export async function bigFile(folder, name, bytes) {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, name);
  await writeFile(file, randomBytes(bytes));
  return file;
}
