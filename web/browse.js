// The view of what is stored: newest first, by type and category and words, as pictures or as a list.
//
// Always: the address holds all of what is asked for and which file is open; the list is what the server said, with what
// was changed here since.

import { AwayError, askJson } from "./api.js";
import { Details } from "./details.js";
import { h, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { forGood } from "./keep.js";
import { Shelf, thumbnail } from "./media.js";

const TYPES = ["", "images", "videos", "audio", "documents", "spreadsheets", "presentations", "archives", "code", "other"];
const AT_ONCE = 60;
const TYPING_MS = 180;
const LAYOUT_KEY = "rhinobox-layout";

export class BrowseView {
  #asked = null;
  #cursor = null;
  #loading = null;
  #records = new Map();
  #shelf = new Shelf();
  #seen = new IntersectionObserver((entries) => this.#note(entries), { rootMargin: "300px" });
  #actions = new WeakMap();
  #typing = null;
  #later = null;
  #isFromList = false;
  #layout = forGood.get(LAYOUT_KEY) === "list" ? "list" : "grid";

  constructor(element) {
    this.element = element;
    this.#build();
    this.details = new Details({
      onClose: () => this.#leaveDetails(),
      onChange: (path, record) => this.#change(path, record),
      onCategory: (category) => this.#go({ category, open: null, at: null }),
    });
  }

  show(what) {
    const asked = { type: what.get("type") ?? "", category: what.get("category") ?? "", q: what.get("q") ?? "" };
    const isOther = JSON.stringify(asked) !== JSON.stringify(this.#asked);
    const open = what.get("open");
    if (isOther || (open === null && !this.details.isOpen)) {
      this.#asked = asked;
      this.#showAsked();
      this.#reload();
    }
    if (open === null) this.details.close();
    else this.details.open(open, what.get("at"));
  }

  // The server is back: what it did not answer is asked again, what is shown stays.
  goOn() {
    if (!this.again.hidden) this.#load();
  }

  // By itself, when the server said it will have time: not for a page that nobody sees, and it waits no longer than a minute.
  // What is said and can be pressed stays until there is an answer.
  #goOnLater(seconds) {
    this.#later = setTimeout(() => {
      if (document.hidden) this.#goOnLater(seconds);
      else this.#load(true);
    }, 1000 * Math.min(seconds, 60));
  }

  hide() {
    clearTimeout(this.#typing);
    clearTimeout(this.#later);
    this.#loading?.abort();
    this.#loading = null;
    this.details.close();
    // So that it is looked at anew when it is shown again.
    this.#asked = null;
  }

  #build() {
    const label = (type) => (type === "" ? "All" : type[0].toUpperCase() + type.slice(1));
    this.search = h("input", { type: "search", name: "q", placeholder: "Search names, categories, comments", "aria-label": "Search", autocomplete: "off", spellcheck: "false" });
    this.category = h("input", { type: "text", name: "category", placeholder: "Any category", "aria-label": "Category", autocomplete: "off", spellcheck: "false" });
    const ask = () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#goTyping({ q: this.search.value.trim(), category: this.category.value.trim() }), TYPING_MS);
    };
    this.search.addEventListener("input", ask);
    // A category is found when it is whole, so not with each letter of it.
    this.category.addEventListener("change", ask);
    this.types = TYPES.map((type) => h("button", { type: "button", class: "chip", onclick: () => this.#go({ type }) }, label(type)));
    this.layouts = ["grid", "list"].map((name) => h("button", { type: "button", class: "chip", onclick: () => this.#lay(name) }, name === "grid" ? "Pictures" : "List"));
    this.list = h("ul", { class: "files", "aria-labelledby": "browse-title" });
    this.words = h("p", { class: "words", role: "status" });
    this.clear = h("button", { type: "button", onclick: () => this.#go({ type: "", category: "", q: "" }) }, "Show everything");
    this.again = h("button", { type: "button", onclick: () => this.goOn() }, "Try again");
    this.more = h("button", { type: "button", class: "more", onclick: () => this.#load() }, "More");
    this.element.append(
      h("form", { class: "search", role: "search", onsubmit: (event) => { event.preventDefault(); ask(); } }, this.search, this.category),
      h("div", {},
        h("div", { class: "chips", role: "group", "aria-label": "Type" }, ...this.types),
        h("div", { class: "chips layouts", role: "group", "aria-label": "Layout" }, ...this.layouts)),
      this.list,
      h("div", { class: "browse-end" }, this.words, this.clear, this.again, this.more),
    );
    this.#whenSeen(this.more, () => this.more.hidden || this.#load(), true);
    this.#lay(this.#layout);
  }

  // The address with these changes.
  #address(changes) {
    const what = new URLSearchParams(location.hash.split("?")[1] ?? "");
    for (const [name, value] of Object.entries(changes)) {
      if (value) what.set(name, value);
      else what.delete(name);
    }
    return what.size > 0 ? `#/browse?${what}` : "#/browse";
  }

  #go(changes) {
    location.hash = this.#address(changes);
  }

  #replace(changes) {
    history.replaceState(null, "", this.#address(changes));
    this.show(new URLSearchParams(location.hash.split("?")[1] ?? ""));
  }

  // While somebody types, the last address is replaced: back leads to before the words.
  #goTyping(changes) {
    if (this.#address(changes) === location.hash) return;
    if (this.#asked.q === "" && this.#asked.category === "") history.pushState(null, "", location.hash);
    this.#replace(changes);
  }

  // Back to the list: by the way it was left, if it was; else the address is that of the list from now on.
  #leaveDetails() {
    const isFromList = this.#isFromList;
    this.#isFromList = false;
    // The end of a dialog is told a moment later: somebody may be elsewhere by then.
    if (!/^#\/browse\?(.*&)?open=/.test(location.hash)) return;
    if (isFromList) history.back();
    else this.#replace({ open: null, at: null });
  }

  #showAsked() {
    const { type, category, q } = this.#asked;
    TYPES.forEach((name, at) => setAttribute(this.types[at], "aria-pressed", String(name === type)));
    // Not while it is being typed in: what is there is newer than the address.
    if (document.activeElement !== this.search) this.search.value = q;
    if (document.activeElement !== this.category) this.category.value = category;
  }

  #lay(name) {
    this.#layout = name;
    forGood.set(LAYOUT_KEY, name);
    this.list.className = `files is-${name}`;
    ["grid", "list"].forEach((layout, at) => setAttribute(this.layouts[at], "aria-pressed", String(layout === name)));
  }

  #reload() {
    this.#loading?.abort();
    this.#loading = null;
    this.#cursor = null;
    this.#load();
  }

  // The next page; the first one while there is no cursor, as behind the last nothing is asked for.
  async #load(isByItself = false) {
    if (this.#loading) return;
    clearTimeout(this.#later);
    const isFirst = this.#cursor === null;
    const loading = new AbortController();
    this.#loading = loading;
    setAttribute(this.list, "aria-busy", "true");
    if (!isByItself) this.#say({ words: this.#records.size === 0 ? "Looking …" : "" });
    try {
      const what = new URLSearchParams({ limit: AT_ONCE, sort: "newest" });
      for (const [name, value] of Object.entries(this.#asked)) if (value !== "") what.set(name, value);
      if (!isFirst) what.set("cursor", this.#cursor);
      const { files, next_cursor: cursor } = await askJson(`/files?${what}`, { signal: loading.signal });
      // Something else was asked for while the answer was on its way here.
      if (loading.signal.aborted) return;
      if (isFirst) this.#empty();
      for (const record of files) this.#append(record);
      this.#cursor = cursor ?? null;
      this.#sayEnd();
    } catch (error) {
      if (loading.signal.aborted) return;
      if (isFirst && !(error instanceof AwayError)) this.#empty();
      this.#say({ words: error.message, canRetry: true });
      if (error.retryAfterS > 0) this.#goOnLater(error.retryAfterS);
    }
    setAttribute(this.list, "aria-busy", false);
    if (this.#loading === loading) this.#loading = null;
    // A short page may leave the end in view, and then nothing would move it there again.
    if (!this.more.hidden) this.#seen.observe(this.more);
  }

  #sayEnd() {
    const { type, category, q } = this.#asked;
    const isNarrow = type !== "" || category !== "" || q !== "";
    const shown = this.#records.size;
    if (shown > 0) this.#say({ words: this.#cursor === null ? format.files(shown) : "", hasMore: this.#cursor !== null });
    else if (isNarrow) this.#say({ words: "Nothing that is stored matches.", canClear: true });
    else this.#say({ words: "Nothing is stored yet. Drop something on this page." });
  }

  #say({ words, canRetry = false, canClear = false, hasMore = false }) {
    setText(this.words, words);
    this.again.hidden = !canRetry;
    this.clear.hidden = !canClear;
    this.more.hidden = !hasMore;
    this.#seen.unobserve(this.more);
  }

  #empty() {
    this.#shelf.clear();
    this.#seen.disconnect();
    this.#records.clear();
    this.list.replaceChildren();
  }

  #append(record) {
    const known = this.#records.get(record.path);
    const element = this.#makeElement(record);
    if (known) known.element.replaceWith(element);
    else this.list.append(element);
    this.#records.set(record.path, { record, element });
  }

  #makeElement(record) {
    const link = h("a", { class: "file", onclick: (event) => { this.#isFromList = !(event.ctrlKey || event.metaKey || event.shiftKey); } },
      thumbnail(record, this.#shelf, (element, action) => this.#whenSeen(element, action)),
      h("span", { class: "file-name" }, format.name(record.original_name || record.path.split("/").at(-1))),
      h("span", { class: "file-more" }, [format.name(record.folder ?? ""), ownCategory(record)].filter(Boolean).join(" · ") || kindOf(record)),
      h("span", { class: "file-size" }, format.bytes(record.size)),
      h("span", { class: "file-date" }, format.date(record.uploaded_at)));
    // The address is that of the moment it is followed: what is searched for may have changed since.
    const address = () => link.setAttribute("href", this.#address({ open: record.hash, at: record.path }));
    address();
    for (const event of ["pointerdown", "focus"]) link.addEventListener(event, address);
    return h("li", {}, link);
  }

  // A file has another name or other attributes now, or is gone.
  #change(path, record) {
    const known = this.#records.get(path);
    if (!known) return;
    this.#records.delete(path);
    if (record === null) {
      known.element.remove();
      if (this.#records.size === 0 && this.#asked !== null) this.#reload();
      return;
    }
    // It may have met another of the list.
    this.#records.get(record.path)?.element.remove();
    const element = this.#makeElement(record);
    known.element.replaceWith(element);
    this.#records.set(record.path, { record, element });
  }

  #whenSeen(element, action, isLasting = false) {
    this.#actions.set(element, { action, isLasting });
    this.#seen.observe(element);
  }

  #note(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      const { action, isLasting } = this.#actions.get(target);
      this.#seen.unobserve(target);
      if (!isLasting) this.#actions.delete(target);
      action();
    }
  }
}

// `txt` of `documents/txt/holiday`.
const kindOf = ({ category = "", media_type: type }) => category.split("/")[1] ?? type;

// What the person called it: behind the media type and the kind.
export const ownCategory = ({ category = "" }) => category.split("/").slice(2).join("/");
