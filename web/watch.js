// The view that shows the server at work: the figures of `rhinobox top`, moving.

import { ask, askJson, server } from "./api.js";
import { Chart } from "./chart.js";
import { byId, h, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { STAGES, between, parse } from "./metrics.js";

const LOOK_MS = 1000;
// Totals of the whole store change slowly and cost more to ask for.
const TOTALS_LOOKS = 10;
// Looks that are kept for the charts.
const KEPT = 120;

const STAGE_WORDS = {
  total: "from the request's head to the end of its answer", admit: "until the upload is let in", recv: "waiting for its bytes",
  parse: "reading the form", hash: "hashing and typing", claim: "waiting for another upload of the same", queue: "waiting for a batch to begin",
  write: "writing and flushing", answer: "making and sending the answer",
};

export class WatchView {
  #before = null;
  #kept = [];
  #stage = "total";
  #timer = null;
  #looks = 0;
  #totals = {};
  #isLooking = false;

  constructor(element) {
    this.element = element;
    this.#build();
  }

  show() {
    if (this.#timer !== null) return;
    this.#before = null;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#look();
  }

  hide() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #build() {
    this.tiles = {};
    const tile = (name, label) => {
      const [value, more] = [h("p", { class: "tile-value" }, "–"), h("p", { class: "tile-more" }, "")];
      this.tiles[name] = { value, more };
      return h("div", { class: "tile" }, h("h2", {}, label), value, more);
    };
    const legend = (...names) => h("p", { class: "legend" }, ...names.map(([of, words]) => h("span", { class: `key is-${of}` }, words)));
    const panel = (title, more, ...content) => h("div", { class: "panel" }, h("div", { class: "panel-head" }, h("h2", {}, title), more), ...content);

    this.files = new Chart({ series: ["first", "second"], points: KEPT, least: 10, show: (value) => format.count(value), label: "Files a second" });
    this.data = new Chart({ series: ["first", "second"], points: KEPT, least: 1e5, show: format.bytes, label: "Bytes a second" });
    this.times = new Chart({ series: ["p99", "p95", "p50"], points: KEPT, scale: "log", least: 1e-4, show: format.duration, label: "Times of a stage" });
    this.queue = new Chart({ series: ["first"], points: KEPT, least: 10, show: (value) => format.count(value), label: "Queue depth" });
    this.stageButtons = STAGES.map((name) => h("button", { type: "button", class: "chip", title: STAGE_WORDS[name], "aria-pressed": String(name === this.#stage), onclick: () => this.#choose(name) }, name));
    this.stageWords = h("p", { class: "hint" }, STAGE_WORDS.total);
    this.stageRows = new Map(STAGES.map((name) => [name, ["p50", "p95", "p99", "mean", "share"].map(() => h("td", {}, "–"))]));
    this.cores = h("ul", { class: "cores" });
    this.queueNow = h("p", { class: "hint" });

    this.element.append(
      h("p", { class: "lead" }, "What the server does at this moment, looked at each second. The same figures as ", h("code", {}, "rhinobox top"), "."),
      h("div", { class: "tiles" }, tile("files", "Files"), tile("data", "Data"), tile("dedup", "Already stored"), tile("stored", "In the store"), tile("disk", "Disk")),
      h("div", { class: "panels" },
        panel("Files a second", legend(["first", "new"], ["second", "already stored"]), this.files.element),
        panel("Bytes a second", legend(["first", "new"], ["second", "already stored"]), this.data.element),
        h("div", { class: "panel is-wide" },
          h("div", { class: "panel-head" }, h("h2", {}, "Where an upload's time goes"), legend(["p50", "p50"], ["p95", "p95"], ["p99", "p99"])),
          h("div", { class: "chips", role: "group", "aria-label": "Stage" }, ...this.stageButtons), this.stageWords, this.times.element,
          h("div", { class: "table-frame", tabindex: "0", role: "region", "aria-label": "Stages in numbers" }, h("table", {},
            h("caption", { class: "unseen" }, "Times of the stages of uploads during the last second"),
            h("thead", {}, h("tr", {}, ...["stage", "p50", "p95", "p99", "mean", "share"].map((name) => h("th", { scope: "col" }, name)))),
            h("tbody", {}, ...STAGES.map((name) => h("tr", {}, h("th", { scope: "row" }, name), ...this.stageRows.get(name)))),
          ))),
        panel("Queue", null, this.queue.element, this.queueNow),
        panel("Cores", legend(["user", "user"], ["system", "system"]), this.cores),
      ),
    );
  }

  #choose(stage) {
    this.#stage = stage;
    STAGES.forEach((name, at) => setAttribute(this.stageButtons[at], "aria-pressed", String(name === stage)));
    setText(this.stageWords, STAGE_WORDS[stage]);
    this.times.replace(this.#kept.map((rates) => this.#timesOf(rates)));
  }

  #timesOf(rates) {
    const stage = rates?.stages.find(({ name }) => name === this.#stage);
    return ["p99", "p95", "p50"].map((name) => stage?.[name]?.seconds ?? null);
  }

  async #look() {
    // A server that is slow to answer is not asked once more meanwhile.
    if (document.hidden || !server.isReady || this.#isLooking) return;
    this.#isLooking = true;
    try {
      if (this.#looks++ % TOTALS_LOOKS === 0) this.#totals = await askJson("/stats");
      const page = await (await ask("/metrics")).text();
      const sample = parse(page, performance.now());
      if (this.#before) this.#paint(between(this.#before, sample));
      this.#before = sample;
    } catch (error) {
      if (error.status === 403) setText(this.tiles.files.more, error.message);
      this.#before = null;
    }
    this.#isLooking = false;
  }

  #paint(rates) {
    this.#kept.push(rates);
    if (this.#kept.length > KEPT) this.#kept.shift();
    const filesRate = rates.storedRate + rates.knownRate;
    const bytesRate = rates.storedBytesRate + rates.savedBytesRate;
    this.files.push([rates.storedRate, rates.knownRate]);
    this.files.describe(`Files a second: ${format.count(filesRate)} now`);
    this.data.push([rates.storedBytesRate, rates.savedBytesRate]);
    this.data.describe(`Bytes a second: ${format.bytes(bytesRate)} now`);
    this.times.push(this.#timesOf(rates));
    const chosen = rates.stages.find(({ name }) => name === this.#stage);
    this.times.describe(`Times of the stage ${this.#stage}: p50 ${time(chosen.p50)}, p95 ${time(chosen.p95)}, p99 ${time(chosen.p99)}`);
    this.queue.push([rates.queue]);
    this.#tile("files", `${format.count(filesRate)}/s`, rates.failedRate > 0 ? `${format.count(rates.failedRate)}/s failed` : `answers: ${format.count(rates.answersRate)}/s`);
    this.#tile("data", format.rate(bytesRate), `already stored: ${format.rate(rates.savedBytesRate)}`);
    const { saved_bytes: saved, disk_bytes: disk } = this.#totals;
    const savedWords = saved === undefined ? `${format.bytes(rates.savedBytes)} saved` : `${format.bytes(saved)} saved in all`;
    this.#tile("dedup", format.percent(rates.dedupFiles), `of the files; ${savedWords}`);
    if (rates.isRecovered) {
      this.#tile("stored", format.count(rates.names), `names, ${format.count(rates.contents)} contents`);
      this.#tile("disk", format.bytes(rates.free), `free; ${format.bytes(disk ?? rates.logBytes)} taken`);
    } else {
      this.#tile("stored", "–", "is being recovered");
    }
    this.#paintStages(rates.stages);
    this.#paintCores(rates.cores);
    const shed = rates.shedRate > 0 ? `, ${format.count(rates.shedRate)}/s refused` : "";
    setText(this.queueNow, `${format.count(rates.queue)} of ${format.count(rates.queueMost)} files; ${format.count(rates.connections)} connections; ${format.bytes(rates.resident)} of memory${shed}`);
  }

  #tile(name, value, more) {
    setText(this.tiles[name].value, value);
    setText(this.tiles[name].more, more);
  }

  #paintStages(stages) {
    const whole = stages[0].sum;
    for (const stage of stages) {
      const [p50, p95, p99, mean, share] = this.stageRows.get(stage.name);
      setText(p50, time(stage.p50));
      setText(p95, time(stage.p95));
      setText(p99, time(stage.p99));
      setText(mean, stage.mean === null ? "–" : format.duration(stage.mean));
      setText(share, stage.mean === null || whole === 0 ? "–" : format.percent(stage.sum / whole));
    }
  }

  #paintCores(cores) {
    while (this.cores.children.length > cores.length) this.cores.lastChild.remove();
    cores.forEach((core, number) => {
      let row = this.cores.children[number];
      if (!row) {
        row = h("li", {}, h("span", { class: "core-name" }, `core ${number}`), h("span", { class: "bar" }, h("span", { class: "bar-part is-user" }), h("span", { class: "bar-part is-system" })), h("span", { class: "core-load" }));
        this.cores.append(row);
      }
      const [, bar, load] = row.children;
      bar.children[0].style.width = `${100 * core.user}%`;
      bar.children[1].style.width = `${100 * Math.min(core.system, 1 - core.user)}%`;
      setText(load, `${format.percent(core.user + core.system)}, ${format.count(core.requests)} in work`);
    });
  }
}

function time(quantile) {
  return quantile === null ? "–" : `${quantile.sign}${format.duration(quantile.seconds)}`;
}
