// A list of very many rows, of which only those in view are elements.
//
// Always: rows are as high as `rowHeight` says, the same number as in the style sheet; a row's element may show another
// row a moment later, so `paint` writes everything that a row shows.

import { h, oncePerFrame } from "./dom.js";

const BEYOND_VIEW = 6;

export class VirtualList {
  #rows = new Map();
  #spare = [];
  #count = 0;

  // `make()` gives an element for a row, `paint(element, index)` lets it show that row.
  constructor({ label, rowHeight, make, paint }) {
    Object.assign(this, { rowHeight, make, paint });
    this.spacer = h("div", { class: "rows", role: "list", "aria-label": label });
    this.element = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": label }, this.spacer);
    this.refresh = oncePerFrame(() => this.#draw());
    this.element.addEventListener("scroll", this.refresh, { passive: true });
    new ResizeObserver(this.refresh).observe(this.element);
  }

  set count(count) {
    this.#count = count;
    this.refresh();
  }

  #draw() {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / this.rowHeight) - BEYOND_VIEW);
    const end = Math.min(this.#count, Math.ceil((scrollTop + clientHeight) / this.rowHeight) + BEYOND_VIEW);
    this.spacer.style.height = `${this.#count * this.rowHeight}px`;
    for (const [index, row] of this.#rows) {
      if (index >= first && index < end) continue;
      this.#rows.delete(index);
      row.remove();
      this.#spare.push(row);
    }
    for (let index = first; index < end; index++) {
      let row = this.#rows.get(index);
      if (!row) {
        row = this.#spare.pop() ?? this.make();
        row.style.transform = `translateY(${index * this.rowHeight}px)`;
        row.setAttribute("aria-posinset", index + 1);
        this.#rows.set(index, row);
        this.#place(row, index);
      }
      row.setAttribute("aria-setsize", this.#count);
      this.paint(row, index);
    }
  }

  // In the order of the list, for who reads it aloud.
  #place(row, index) {
    let next = null;
    for (const other of this.spacer.children) {
      if (Number(other.getAttribute("aria-posinset")) > index + 1) {
        next = other;
        break;
      }
    }
    this.spacer.insertBefore(row, next);
  }
}
