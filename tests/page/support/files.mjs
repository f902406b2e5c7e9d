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

// Files as people have them, as `[name, content, category]`: landscapes, each another, and what goes with them.
export function anAlbum(count) {
  const skies = [["#fbd3a2", "#e8825c"], ["#bfe0e8", "#4f8fb5"], ["#f6e2c0", "#d59a5b"], ["#d6d2ee", "#6b5fa8"], ["#cfe8cf", "#4c8f6d"], ["#f4c6c6", "#a8475a"]];
  const landscape = (n) => {
    const [light, deep] = skies[n % skies.length];
    const hill = (row) => {
      const at = (x) => 150 + row * 45 + 34 * Math.sin(x / (70 + 13 * ((n + row) % 4)) + n * 1.7 + row * 2.1);
      const line = Array.from({ length: 41 }, (_, k) => `L${k * 10} ${at(k * 10).toFixed(1)}`).join("");
      return `<path d="M0 300${line}L400 300z" fill="${deep}" fill-opacity="${0.35 + row * 0.22}"/>`;
    };
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300"><rect width="400" height="300" fill="${light}"/><circle cx="${80 + ((n * 97) % 240)}" cy="${70 + ((n * 41) % 60)}" r="${24 + (n % 3) * 8}" fill="#fff" fill-opacity=".75"/>${hill(0)}${hill(1)}${hill(2)}</svg>`;
  };
  const wave = Buffer.concat([Buffer.from("RIFF\x24\x10\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\x10\0\0", "latin1"), Buffer.alloc(4096, 128)]);
  const others = [
    ["Packing list.md", "# Packing list\n\n- tent, pegs, the small stove\n- maps of the coast\n- two cameras, one film each\n- wool socks\n- the letter for Ada\n", "Coast 2026"],
    ["Gulls at the pier.wav", wave, "Sound"],
    ["distances.csv", "from,to,km\nharbour,lighthouse,12.4\nlighthouse,cove,7.9\ncove,ferry,21.3\nferry,harbour,3.2\n", "Coast 2026"],
    ["tides.py", "import math\n\ndef height(hour, range_m=4.2):\n    \"\"\"Metres above low water.\"\"\"\n    return range_m * (1 - math.cos(hour / 6.2 * math.pi)) / 2\n", "Tools"],
  ];
  const all = [];
  for (let n = 0; all.length < count; n++) {
    if (n % 4 === 2 && others.length > 0) all.push(others.shift());
    all.push([`Coast, day ${n + 1}.svg`, landscape(n), "Coast 2026"]);
  }
  return all.slice(-count);
}

// Bytes that are nowhere else; gives the path.
export async function bigFile(folder, name, bytes) {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, name);
  await writeFile(file, randomBytes(bytes));
  return file;
}
