// The view that takes files: by drop anywhere on the page, by a picker, by paste; and how they get on.

import { byId, h, icon, oncePerFrame, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { VirtualList } from "./list.js";
import { chosen, dropped } from "./scan.js";
import { isFinished } from "./tally.js";
import { Transfer } from "./transfer.js";

// As in the style sheet.
const ROW_HEIGHT = 56;
const FILTERS = {
  all: ["All", () => true],
  open: ["In work", (item) => !isFinished(item)],
  known: ["Already stored", (item) => item.state === "known"],
  failed: ["Failed", (item) => item.state === "failed"],
};
const WORDS = {
  waiting: "waiting", hashing: "hashing", checking: "looking it up", queued: "waiting to be sent", sending: "sending",
  stored: "stored", known: "already stored", failed: "failed", cancelled: "cancelled",
};

export class DropView {
  #transfer = new Transfer();
  #filter = "all";
  #shown = [];
  // How many drops are looked through, and how often all were cancelled.
  #walking = 0;
  #cancels = 0;
  #beganAt = 0;
  #wasActive = false;
  #terms = { category: "", comment: "" };

  constructor(element) {
    this.element = element;
    this.#build();
    this.#listen();
  }

  show() {
    this.#refresh();
  }

  // Somebody was asked for a token: what was held for want of one goes on, and asks again if there is still none.
  resume() {
    this.#transfer.letGo();
  }

  #build() {
    const button = (label, action) => h("button", { type: "button", onclick: action }, label);
    this.pause = button("Pause", () => this.#transfer.isPaused ? this.#transfer.resume() : this.#transfer.pause());
    this.cancel = button("Cancel", () => {
      this.#cancels++;
      this.#transfer.cancel();
    });
    this.retry = button("Retry failed", () => this.#transfer.retryFailed());
    this.clear = button("Clear finished", () => this.#transfer.clear());
    this.headline = h("h2", { class: "transfer-headline" });
    this.figures = h("p", { class: "figures" });
    this.bar = h("div", { class: "bar bar-all", role: "progressbar", "aria-label": "All files", "aria-valuemin": "0", "aria-valuemax": "100" });
    this.parts = ["known", "stored", "failed", "moving"].map((name) => h("span", { class: `bar-part is-${name}` }));
    this.bar.append(...this.parts);
    this.filters = Object.entries(FILTERS).map(([name, [label]]) => {
      const number = h("span", { class: "number" });
      const element = h("button", { type: "button", class: "chip", "aria-pressed": String(name === "all"), onclick: () => this.#choose(name) }, label, " ", number);
      return { name, element, number };
    });
    this.list = new VirtualList({
      label: "Files of this drop", rowHeight: ROW_HEIGHT, make: makeRow, paint: (row, index) => paintRow(row, this.#shown[index]),
    });
    byId("transfer").append(
      h("div", { class: "transfer-head" },
        this.headline,
        // At the end is what stays: nothing moves under somebody's finger when another comes.
        h("div", { class: "actions" }, this.retry, this.clear, this.pause, this.cancel)),
      this.bar,
      this.figures,
      h("div", { class: "chips", role: "group", "aria-label": "Which files to show" }, ...this.filters.map(({ element }) => element)),
      this.list.element,
    );
  }

  #listen() {
    const refresh = oncePerFrame(() => this.#refresh());
    this.#transfer.addEventListener("change", refresh);
    // Rates and the time left go on while nothing else changes.
    setInterval(() => this.#transfer.tally.active > 0 && refresh(), 500);
    for (const [button, input] of [["choose-files", byId("files")], ["choose-folder", byId("folder")]]) {
      byId(button).addEventListener("click", () => input.click());
      input.addEventListener("change", () => {
        this.#add(chosen(input.files));
        input.value = "";
      });
    }
    document.addEventListener("paste", (event) => {
      const files = chosen(event.clipboardData?.files ?? []);
      if (files.length === 0) return;
      event.preventDefault();
      this.#add(files);
    });
    this.#listenToDrags();
    addEventListener("beforeunload", (event) => this.#transfer.tally.active > 0 && event.preventDefault());
  }

  #listenToDrags() {
    const veil = byId("drop-veil");
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      veil.hidden = false;
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) veil.hidden = true;
    });
    document.addEventListener("drop", (event) => {
      veil.hidden = true;
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.#addDropped(event.dataTransfer);
    });
  }

  async #addDropped(transfer) {
    let isReadable = true;
    const found = dropped(transfer, (path, words) => {
      isReadable = false;
      this.#transfer.addUnreadable(path, words);
    });
    const terms = this.#termsNow();
    this.#walking++;
    let count = 0;
    const cancels = this.#cancels;
    for await (const some of found) {
      // Cancelled: what was not found yet is not looked for.
      if (cancels !== this.#cancels) break;
      // Shown once: who leaves while folders are looked through is not called back.
      this.#add(some, terms, count === 0);
      count += some.length;
    }
    this.#walking--;
    if (count === 0 && isReadable && cancels === this.#cancels) setText(byId("announcer"), "There were no files in it.");
    this.#refresh();
  }

  #add(found, terms = this.#termsNow(), isFirst = true) {
    if (found.length === 0) return;
    if (isFirst) location.hash = "#/drop";
    this.#transfer.add(found, terms);
  }

  // Category and comment as they are at the moment of the drop.
  #termsNow() {
    const terms = { category: byId("category").value.trim(), comment: byId("comment").value.trim() };
    // Files with the same terms may travel together, so these are one object.
    if (terms.category !== this.#terms.category || terms.comment !== this.#terms.comment) this.#terms = terms;
    return this.#terms;
  }

  #choose(name) {
    this.#filter = name;
    for (const { name: other, element } of this.filters) setAttribute(element, "aria-pressed", String(other === name));
    this.list.element.scrollTop = 0;
    this.#refresh();
  }

  #refresh() {
    const { items, tally: { counts, active } } = this.#transfer;
    this.element.classList.toggle("has-files", items.length > 0);
    byId("transfer").hidden = items.length === 0;
    if (active > 0 && !this.#wasActive) this.#beganAt = performance.now();
    if (active === 0 && this.#wasActive) this.#announceEnd();
    this.#wasActive = active > 0;
    this.#showHead();
    const numbers = { all: items.length, open: active, known: counts.known, failed: counts.failed };
    for (const { name, number } of this.filters) setText(number, format.count(numbers[name]));
    this.#shown = this.#filter === "all" ? items : items.filter(FILTERS[this.#filter][1]);
    this.list.count = this.#shown.length;
  }

  #showHead() {
    const { tally, isPaused, isHeld, items } = this.#transfer;
    const { counts, active, bytes } = tally;
    const { share, bytesRate, filesRate, leftS } = tally.progress();
    const done = counts.stored + counts.known;
    const total = items.length;
    let headline = `${format.count(done)} of ${format.files(total)}`;
    if (active === 0 && counts.failed > 0) headline = `${format.files(done)} stored, ${format.count(counts.failed)} failed`;
    else if (active === 0) headline = `${format.files(done)} stored`;
    setText(this.headline, headline);
    const figures = [`${format.bytes(tally.moved)} of ${format.bytes(bytes.total)}`];
    if (counts.known > 0) figures.push(`${format.count(counts.known)} already stored, ${format.bytes(bytes.known)} not sent`);
    if (isHeld && active > 0) figures.push("waiting for a token");
    else if (isPaused) figures.push("paused");
    else if (bytesRate > 0 || filesRate > 0) figures.push(`${format.rate(bytesRate)}, ${format.files(filesRate)} a second`);
    // While there is more to come nobody knows.
    const isMoving = active > 0 && !isPaused && !isHeld && this.#walking === 0;
    if (leftS !== null && isMoving) figures.push(`${format.span(leftS)} left`);
    if (active === 0 && this.#endedAfterS) figures.push(`in ${format.span(this.#endedAfterS)}`);
    if (this.#walking > 0) figures.push("looking through folders");
    setText(this.figures, figures.join(" · "));
    const part = (count) => (total > 0 ? count / total : 0);
    const shares = [part(counts.known), part(counts.stored), part(counts.failed)];
    shares.push(Math.max(0, share - shares[0] - shares[1] - shares[2]));
    this.parts.forEach((element, at) => { element.style.width = `${100 * shares[at]}%`; });
    setAttribute(this.bar, "aria-valuenow", Math.floor(100 * share));
    setText(this.pause, isPaused ? "Resume" : "Pause");
    this.pause.hidden = this.cancel.hidden = active === 0;
    this.retry.hidden = counts.failed === 0 || active > 0;
    this.clear.hidden = active === total;
  }

  #endedAfterS = 0;

  #announceEnd() {
    const { counts } = this.#transfer.tally;
    this.#endedAfterS = (performance.now() - this.#beganAt) / 1000;
    const failed = counts.failed > 0 ? `, ${format.count(counts.failed)} failed` : "";
    setText(byId("announcer"), `${format.files(counts.stored + counts.known)} stored${failed}.`);
  }
}

function makeRow() {
  const parts = {
    icon: h("span", { class: "row-icon" }), name: h("a", { class: "row-name" }), more: h("span", { class: "row-more" }),
    state: h("span", { class: "row-state" }), bar: h("span", { class: "bar row-bar" }, h("span", { class: "bar-part is-moving" })),
  };
  const row = h("div", { class: "row", role: "listitem" }, parts.icon, h("div", { class: "row-text" }, parts.name, parts.more), parts.state, parts.bar);
  row.parts = parts;
  return row;
}

function paintRow(row, item) {
  const { parts } = row;
  const kind = item.record?.media_type ?? guess(item.file?.type ?? "");
  if (row.kind !== kind) {
    row.kind = kind;
    parts.icon.replaceChildren(icon(kind));
  }
  setText(parts.name, format.name(item.name));
  setAttribute(parts.name, "href", item.record ? `#/browse?open=${item.record.hash}` : null);
  const more = [format.name(item.folder), format.bytes(item.size), item.note || item.terms?.category].filter(Boolean);
  setText(parts.more, item.error === "" ? more.join(" · ") : item.error);
  const share = item.size > 0 ? item.moved / item.size : 0;
  const isMoving = (item.state === "sending" || item.state === "hashing") && item.size > 1 << 20;
  const words = WORDS[item.state];
  setText(parts.state, isMoving ? `${words} ${format.percent(share)}` : words);
  setAttribute(row, "data-state", item.state);
  setAttribute(parts.bar, "hidden", isMoving ? false : "");
  parts.bar.firstChild.style.width = `${100 * share}%`;
}

// What an icon tells until the server has looked.
function guess(type) {
  const [major, minor = ""] = type.split("/");
  const kinds = { image: "images", video: "videos", audio: "audio", text: "documents" };
  return kinds[major] ?? (minor === "pdf" ? "documents" : /zip|tar|compress/.test(minor) ? "archives" : "other");
}
