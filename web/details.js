// One file in full: what it looks like, what is known of it, and what can be done with it.

import { ask, askJson, storedUrl } from "./api.js";
import { ownCategory } from "./browse.js";
import { askFor, field } from "./dialogs.js";
import { h, setText } from "./dom.js";
import * as format from "./format.js";
import { Shelf, preview, save } from "./media.js";

const JOINED = (parts) => parts.filter(Boolean).join("/");

export class Details {
  #hash = null;
  #at = null;
  #shelf = new Shelf();
  // Ends with what it was asked about.
  #questions = new AbortController();

  // `onChange(path, record)`: the name at a path is now this record, or, with null, gone.
  constructor({ onClose, onChange, onCategory }) {
    Object.assign(this, { onClose, onChange, onCategory });
    this.body = h("div", { class: "details-body" });
    // Not part of what comes and goes: it is there to be pressed all the while.
    const close = h("button", { type: "button", class: "quiet details-close", "aria-label": "Close", onclick: () => this.dialog.close() }, "✕");
    this.dialog = h("dialog", { class: "details", "aria-labelledby": "details-title" }, close, this.body);
    this.dialog.addEventListener("close", () => {
      // The event comes later than the end: it may be open for another file by then.
      if (this.isOpen) return;
      const isByHand = this.#hash !== null;
      this.#hash = null;
      this.#shelf.clear();
      this.body.replaceChildren();
      if (isByHand) this.onClose();
    });
    // Beside the dialog is its own backdrop.
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    document.body.append(this.dialog);
  }

  get isOpen() {
    return this.dialog.open;
  }

  close() {
    this.#hash = null;
    this.#endQuestions();
    this.dialog.close();
  }

  #endQuestions() {
    this.#questions.abort();
    this.#questions = new AbortController();
  }

  #ask(question) {
    return askFor({ ...question, signal: this.#questions.signal });
  }

  // Of the content with this hash, under the name at this path, or its first.
  async open(hash, at) {
    if (hash === this.#hash && at === this.#at && this.isOpen) return;
    this.#hash = hash;
    this.#at = at;
    this.#endQuestions();
    this.#shelf.clear();
    this.#show(h("h2", { id: "details-title" }, "Looking …"));
    if (!this.isOpen) this.dialog.showModal();
    try {
      const meta = await askJson(`/files/${encodeURIComponent(hash)}/meta`);
      if (this.#hash === hash && this.#at === at) this.#paint(meta);
    } catch (error) {
      if (this.#hash !== hash || this.#at !== at) return;
      this.#show(h("h2", { id: "details-title" }, "It cannot be shown"), h("p", { class: "problem", role: "alert" }, error.message));
    }
  }

  #show(...content) {
    this.body.replaceChildren(...content);
  }

  #paint(meta) {
    const name = meta.names.find(({ path }) => path === this.#at) ?? meta.names[0];
    const record = { ...name, hash: meta.hash, size: meta.size };
    const says = h("p", { class: "hint", role: "status" });
    const button = (label, action, kind) => h("button", {
      type: "button", class: kind ?? false,
      onclick: async () => {
        try {
          await action();
        } catch (error) {
          setText(says, error.message);
        }
      },
    }, label);
    const fact = (label, ...content) => [h("dt", {}, label), h("dd", {}, ...content)];
    const own = ownCategory(record);
    const tags = Object.entries(record.tags ?? {});
    const facts = [
      fact("Size", `${format.bytes(record.size)}${record.size >= 1000 ? ` (${format.count(record.size)} bytes)` : ""}`),
      fact("Type", record.mime_type),
      fact("Category", own === "" ? record.category : button(own, () => this.onCategory(own), "link"), own === "" ? "" : ` in ${record.category.split("/").slice(0, 2).join("/")}`),
      record.folder ? fact("Folder", format.name(record.folder)) : [],
      record.comment ? fact("Comment", record.comment) : [],
      tags.length > 0 ? fact("Tags", h("span", { class: "tags" }, ...tags.map(([key, value]) => h("span", { class: "tag" }, value === "" ? key : `${key}: ${value}`)))) : [],
      fact("Stored", h("time", { datetime: record.uploaded_at }, format.date(record.uploaded_at))),
      fact("SHA-256", h("code", {}, record.hash)),
      fact("Path", h("code", {}, record.path)),
    ];
    this.#show(
      preview(record, this.#shelf),
      h("div", { class: "details-side" },
        h("h2", { id: "details-title" }, format.name(record.original_name || record.path)),
        meta.damaged && h("p", { class: "problem" }, "The stored copy is damaged. Storing the file again heals it."),
        h("p", { class: "actions" },
          button("Download", () => save(record), "primary"),
          button("Copy link", async () => setText(says, (await copy(new URL(storedUrl(record.path), location.origin).href)) ? "The link is copied." : "The browser does not let the page copy it."), null),
          button("Rename", () => this.#rename(record)),
          button("Edit", () => this.#edit(record)),
          button("Delete", () => this.#delete(record, meta.names_total), "danger")),
        says,
        h("dl", { class: "facts" }, ...facts.flat()),
        ...namesOf(meta, record)),
    );
  }

  async #again(at) {
    const hash = this.#hash;
    // Somebody went elsewhere while it was being done.
    if (hash === null) return;
    this.#hash = null;
    await this.open(hash, at);
  }

  async #rename(record) {
    let path = null;
    const isDone = await this.#ask({
      title: "Rename",
      content: [
        field("Name", { name: "name", value: record.original_name, required: true, autofocus: true, maxlength: 1024 }),
        field("Category", { name: "category", value: ownCategory(record), maxlength: 128 }),
        h("p", { class: "hint" }, "It gets the new name first; then the old one is deleted. Links to the old name end."),
      ],
      action: "Rename",
      send: async ({ name, category }) => {
        const json = { name, category, comment: record.comment ?? "", folder: record.folder ?? "" };
        const made = await askJson(`/files/${record.hash}/names`, { method: "POST", json });
        if (record.tags && Object.keys(record.tags).length > 0) {
          await askJson(storedUrl(made.path), { method: "PATCH", json: { tags: record.tags } });
        }
        // Names that differ in what a path leaves out meet at one path: there is no old one then.
        if (made.path !== record.path) await ask(storedUrl(record.path), { method: "DELETE" });
        path = made.path;
        this.onChange(record.path, { ...record, ...made, tags: record.tags });
      },
    });
    if (isDone) await this.#again(path);
  }

  async #edit(record) {
    const lines = Object.entries(record.tags ?? {}).map(([key, value]) => `${key} = ${value}`);
    const isDone = await this.#ask({
      title: "Comment and tags",
      content: [
        h("label", {}, "Comment", h("textarea", { name: "comment", rows: "3", maxlength: 4096, autofocus: true }, record.comment ?? "")),
        h("label", {}, "Tags, one in a line", h("textarea", { name: "tags", rows: "5", placeholder: "place = Lisbon", spellcheck: "false" }, lines.join("\n"))),
      ],
      action: "Save",
      send: async ({ comment, tags: text }) => {
        // A form's lines end in CR LF.
        const tags = parseTags(text.replaceAll("\r", ""));
        const edited = { ...record, comment: comment.replaceAll("\r\n", "\n"), tags };
        // What is not named stays; null takes a tag away.
        const gone = Object.keys(record.tags ?? {}).filter((key) => !Object.hasOwn(tags, key));
        const changes = { ...tags, ...Object.fromEntries(gone.map((key) => [key, null])) };
        await ask(storedUrl(record.path), { method: "PATCH", json: { comment: edited.comment, tags: changes } });
        this.onChange(record.path, edited);
      },
    });
    if (isDone) await this.#again(record.path);
  }

  async #delete(record, names) {
    const choice = (value, words, isChosen) => h("label", { class: "choice" }, h("input", { type: "radio", name: "what", value, checked: isChosen }), words);
    const isDone = await this.#ask({
      title: `Delete “${format.name(record.original_name)}”?`,
      content: names > 1
        ? [choice("name", "Only this name; the content stays under its others", true), choice("content", `The content with all its ${format.count(names)} names`, false)]
        : [h("p", {}, "It has no other name: the content goes too. This cannot be undone.")],
      action: "Delete",
      isDangerous: true,
      send: async ({ what }) => {
        await ask(what === "content" ? `/files/${record.hash}` : storedUrl(record.path), { method: "DELETE" });
        this.onChange(record.path, null);
      },
    });
    if (isDone) this.dialog.close();
  }
}

function namesOf(meta, shown) {
  if (meta.names_total < 2) return [];
  const more = meta.names_total - meta.names.length;
  return [
    h("h3", {}, `All ${format.count(meta.names_total)} names`),
    h("ul", { class: "names" }, ...meta.names.map((name) => {
      const words = [format.name(JOINED([name.folder, name.original_name])), h("span", { class: "hint" }, ` ${name.category}, ${format.date(name.uploaded_at)}`)];
      if (name.path === shown.path) return h("li", { "aria-current": "true" }, ...words);
      const what = new URLSearchParams(location.hash.split("?")[1] ?? "");
      what.set("open", meta.hash);
      what.set("at", name.path);
      return h("li", {}, h("a", { href: `#/browse?${what}` }, words[0]), words[1]);
    })),
    more > 0 && h("p", { class: "hint" }, `and ${format.count(more)} more`),
  ];
}

// `key = value` in each line; a line without the sign is a key alone.
function parseTags(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => {
    const at = line.indexOf("=");
    return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  }));
}

// Without TLS there is no clipboard for scripts but the old way, by a selection.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const field = h("textarea", { class: "unseen", "aria-hidden": "true", tabindex: "-1" }, text);
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  return isCopied;
}
