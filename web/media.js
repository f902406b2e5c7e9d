// Stored contents as something to look at, to listen to, to read or to save.
//
// Always: nothing that is stored is opened as a document of this page's origin. Without a token, elements are given the
// address, whose answers are sandboxed. With one, what was fetched becomes a blob, and only of a type that cannot run.

import { ask, storedUrl, token } from "./api.js";
import { h, icon } from "./dom.js";
import * as format from "./format.js";

// What the contract calls inline, as far as browsers show it; an SVG only by its address, for as a blob it would have
// this page's origin wherever somebody opens it.
const RASTER = /^image\/(jpeg|png|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)$/;
const SOUND_OR_FILM = /^(audio|video)\/[a-z0-9.+-]+$/;
const READABLE = /^text\/|json|xml|yaml|toml|javascript|typescript|x-sh|x-python|sql$/;

const THUMBNAIL_BYTES_MAX = 24e6;
// With a token a film is fetched whole before it plays; a larger one only when that is asked for.
const UNASKED_BYTES_MAX = 64e6;
const TEXT_BYTES = 64 * 1024;
const EXCERPT_BYTES = 400;
const FETCHES_MAX = 4;

function kindOf({ mime_type: mime = "" }) {
  if (RASTER.test(mime)) return "image";
  if (mime === "image/svg+xml") return token.get() === null ? "image" : null;
  if (SOUND_OR_FILM.test(mime)) return mime.startsWith("audio") ? "audio" : "video";
  return READABLE.test(mime) ? "text" : null;
}

// Blobs of a view, and the fetches that make them: some at a time, in the order asked for.
export class Shelf {
  #urls = new Set();
  #waiting = [];
  #running = 0;
  #abort = new AbortController();

  // The address of a content for an element that shows it.
  async urlOf(record) {
    if (token.get() === null) return storedUrl(record.path);
    return this.#fetch(record, {}, async (answer) => {
      const url = URL.createObjectURL(new Blob([await answer.blob()], { type: record.mime_type }));
      this.#urls.add(url);
      return url;
    });
  }

  // Its first bytes, as text.
  beginningOf(record, bytes) {
    const headers = { Range: `bytes=0-${bytes - 1}` };
    return this.#fetch(record, headers, async (answer) => new TextDecoder().decode(await answer.arrayBuffer()));
  }

  async #fetch(record, headers, take) {
    // That of this moment: what waits across a clear() ends, too.
    const { signal } = this.#abort;
    if (this.#running >= FETCHES_MAX) await new Promise((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      signal.throwIfAborted();
      return await take(await ask(storedUrl(record.path), { headers, signal }));
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  // Forgets all of it. What still waits or runs ends.
  clear() {
    this.#abort.abort();
    this.#abort = new AbortController();
    for (const url of this.#urls) URL.revokeObjectURL(url);
    this.#urls.clear();
  }
}

// A small picture of a record, or what stands for one. `inView(element, action)` calls when the element comes into view.
export function thumbnail(record, shelf, inView) {
  const frame = h("span", { class: "thumbnail" }, icon(record.media_type));
  const kind = kindOf(record);
  if (kind === "text" && record.size > 0) {
    inView(frame, async () => {
      const text = await shelf.beginningOf(record, EXCERPT_BYTES).catch(() => "");
      if (text.trim() !== "") frame.append(h("span", { class: "excerpt", "aria-hidden": "true" }, text));
    });
  }
  if (kind !== "image" || record.size > THUMBNAIL_BYTES_MAX || record.size === 0) return frame;
  inView(frame, async () => {
    // Damaged, gone, or nothing that this browser knows: the icon stays.
    const src = await shelf.urlOf(record).catch(() => null);
    if (src === null) return;
    const picture = h("img", { alt: "", decoding: "async", onload: () => frame.replaceChildren(picture), src });
  });
  return frame;
}

// What is shown of a record in large.
export function preview(record, shelf) {
  const kind = kindOf(record);
  const frame = h("div", { class: "preview" });
  const nothing = (words) => frame.replaceChildren(icon(record.media_type), h("p", {}, words));
  const show = async () => {
    if (record.size === 0) return nothing("It is empty.");
    if (kind === null) return nothing("This kind of file has no preview.");
    frame.replaceChildren(h("p", {}, "Fetching it …"));
    try {
      if (kind === "text") frame.replaceChildren(await textOf(record, shelf));
      else frame.replaceChildren(await mediaOf(kind, record, shelf, nothing));
    } catch (error) {
      nothing(error.name === "AbortError" ? "" : error.message || "It cannot be shown.");
    }
  };
  const isLarge = token.get() !== null && kind !== "text" && record.size > UNASKED_BYTES_MAX;
  if (isLarge) {
    frame.append(icon(record.media_type), h("button", { type: "button", onclick: show }, `Fetch ${format.bytes(record.size)} to show it`));
  } else {
    show();
  }
  return frame;
}

async function mediaOf(kind, record, shelf, nothing) {
  const src = await shelf.urlOf(record);
  const failed = () => nothing("This browser cannot show it.");
  if (kind === "image") return h("img", { alt: record.original_name, src, onerror: failed });
  return h(kind, { controls: true, preload: "metadata", src, onerror: failed, "aria-label": record.original_name });
}

async function textOf(record, shelf) {
  const text = await shelf.beginningOf(record, TEXT_BYTES);
  const isCut = record.size > TEXT_BYTES;
  return h("pre", { tabindex: "0", role: "region", "aria-label": "Its text" }, isCut ? `${text}\n…` : text);
}

// Saves it to the person's disk.
export async function save(record) {
  if (token.get() === null) {
    follow(storedUrl(record.path), record.original_name);
    return;
  }
  const answer = await ask(storedUrl(record.path));
  const url = URL.createObjectURL(new Blob([await answer.blob()], { type: "application/octet-stream" }));
  follow(url, record.original_name);
  // The browser has its own hold on it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function follow(href, name) {
  const link = h("a", { href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}
