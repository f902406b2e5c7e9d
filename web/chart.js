// Lines that move to the left, one point a look. Drawn as a picture of paths; colours are the style sheet's.

import { h, setText, svg } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 150;
// With fewer points than this the rest of the picture is empty; with more of them it is as wide as they are.
const POINTS_LEAST = 30;
const TOP = 12;
const BOTTOM = 4;
const ZERO = HEIGHT - BOTTOM;

export class Chart {
  #series;
  #points = [];
  #labels = [];

  // `series` are class names of the lines, `area` the one that is filled; `scale` "linear" or "log"; `show(value)` for labels.
  constructor({ series, points = 120, scale = "linear", least = 0, show, label }) {
    Object.assign(this, { most: points, scale, least, format: show });
    this.#series = series.map((name) => ({ name, line: svg("path", { class: `line is-${name}` }), area: svg("path", { class: `area is-${name}` }) }));
    const grid = svg("g", { class: "grid" });
    for (let n = 0; n < 3; n++) {
      const y = TOP + ((HEIGHT - TOP - BOTTOM) * n) / 2;
      grid.append(svg("path", { d: `M0 ${y}H${WIDTH}` }));
    }
    this.picture = svg(
      "svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      grid, ...this.#series.flatMap(({ area, line }) => [area, line]),
    );
    this.#labels = [0, 1, 2].map((n) => h("span", { class: `chart-label is-${n}` }));
    this.begin = h("span");
    this.element = h("div", {},
      h("div", { class: "chart-frame" }, this.picture, ...this.#labels),
      h("p", { class: "chart-axis" }, this.begin, h("span", {}, "now")));
  }

  // One value for each series; null where there is none.
  push(values) {
    this.#points.push(values);
    if (this.#points.length > this.most) this.#points.shift();
    this.#draw();
  }

  replace(points) {
    this.#points = points.slice(-this.most);
    this.#draw();
  }

  describe(words) {
    this.picture.setAttribute("aria-label", words);
  }

  #draw() {
    const values = this.#points.flat().filter((value) => value !== null && value > 0);
    const { low, high } = this.scale === "log" ? decades(values, this.least) : { low: 0, high: roundUp(Math.max(this.least, ...values)) };
    const room = HEIGHT - TOP - BOTTOM;
    const y = (value) => {
      const share = this.scale === "log" ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : value / high;
      return (TOP + room * (1 - Math.min(1, Math.max(0, share)))).toFixed(1);
    };
    const across = Math.max(POINTS_LEAST, this.#points.length);
    setText(this.begin, `${across - 1} looks ago`);
    const x = (at) => (WIDTH - ((this.#points.length - 1 - at) * WIDTH) / (across - 1)).toFixed(1);
    this.#series.forEach(({ line, area }, of) => {
      let path = "";
      let filled = "";
      let begin = null;
      this.#points.forEach((values, at) => {
        const value = values[of];
        if (value === null) {
          if (begin !== null) filled += `L${x(at - 1)} ${ZERO}L${begin} ${ZERO}Z`;
          begin = null;
          return;
        }
        const step = `${begin === null ? "M" : "L"}${x(at)} ${y(value)}`;
        begin ??= x(at);
        path += step;
        filled += step;
      });
      if (begin !== null) filled += `L${WIDTH} ${ZERO}L${begin} ${ZERO}Z`;
      // A point alone shows as a dot: its line goes nowhere and has round ends.
      line.setAttribute("d", path.replace(/M([\d.]+ [\d.]+)(?=M|$)/g, "M$1h0.01"));
      area.setAttribute("d", filled);
    });
    const middle = this.scale === "log" ? Math.sqrt(low * high) : high / 2;
    [high, middle, low].forEach((value, at) => setText(this.#labels[at], this.format(value).replace(/\.0(?= )/, "")));
  }
}

function decades(values, least) {
  const low = 10 ** Math.floor(Math.log10(Math.max(1e-5, Math.min(...values, least))));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values, low * 100)));
  return { low, high };
}

// To the next of 1, 2, 5, 10, ...
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((step) => value <= step * power * 1.0001);
}
