// The figures of `rhinobox top`, from pages of /metrics: what happened between two of them, and how it stands.
//
// Always: a counter that went back was begun anew (the server was started again) and counts from there; no number is
// negative; a quantile is read off the buckets by a straight line between two bounds.

export const STAGES = ["total", "admit", "recv", "parse", "hash", "claim", "queue", "write", "answer"];

const LINE = /^(rhinobox_[a-z_]+)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-z]+)="([^"]*)"/g;

// One page: plain numbers by name, stages with their buckets, cores.
export function parse(page, at) {
  const sample = { at, values: new Map(), stages: new Map(), cores: [] };
  for (const line of page.split("\n")) {
    const [, name, text = "", number] = LINE.exec(line) ?? [];
    const value = Number(number);
    if (name === undefined || !Number.isFinite(value)) continue;
    const labels = Object.fromEntries([...text.matchAll(LABEL)].map(([, label, is]) => [label, is]));
    take(sample, name.slice("rhinobox_".length), labels, value);
  }
  return sample;
}

function take(sample, name, labels, value) {
  if (labels.stage !== undefined && name.startsWith("stage_seconds")) {
    if (!sample.stages.has(labels.stage)) sample.stages.set(labels.stage, { buckets: [], sum: 0 });
    const stage = sample.stages.get(labels.stage);
    if (name === "stage_seconds_bucket") stage.buckets.push([labels.le === "+Inf" ? Infinity : Number(labels.le), value]);
    else if (name === "stage_seconds_sum") stage.sum = value;
  } else if (labels.core !== undefined) {
    const core = (sample.cores[Number(labels.core)] ??= { user: 0, system: 0 });
    core[name === "core_cpu_seconds_total" ? labels.mode : name] = value;
  } else {
    const key = labels.outcome ?? labels.class;
    sample.values.set(key === undefined ? name : `${name} ${key}`, value);
  }
}

const grown = (before, after) => Math.max(0, after < before ? after : after - before);
const ratio = (part, whole) => (whole > 0 ? part / whole : 0);

// What happened between two pages.
export function between(before, after) {
  const seconds = Math.max(0.001, (after.at - before.at) / 1000);
  const now = (name) => after.values.get(name) ?? 0;
  const perSecond = (name) => grown(before.values.get(name) ?? 0, now(name)) / seconds;
  const stages = STAGES.map((name) => stageBetween(name, before.stages.get(name), after.stages.get(name)));
  const [stored, known] = [now("files_total stored"), now("files_total duplicate")];
  const [storedBytes, savedBytes] = [now("stored_bytes_total"), now("saved_bytes_total")];
  return {
    at: after.at,
    storedRate: perSecond("files_total stored"), knownRate: perSecond("files_total duplicate"), failedRate: perSecond("files_total failed"),
    storedBytesRate: perSecond("stored_bytes_total"), savedBytesRate: perSecond("saved_bytes_total"),
    answersRate: ["2xx", "3xx", "4xx", "5xx"].reduce((sum, of) => sum + perSecond(`answers_total ${of}`), 0),
    errorsRate: perSecond("answers_total 4xx") + perSecond("answers_total 5xx"), shedRate: perSecond("shed_total"),
    queue: now("queue_depth"), queueMost: now("queue_capacity"), connections: now("connections"), resident: now("resident_bytes"),
    dedupFiles: ratio(known, stored + known), dedupBytes: ratio(savedBytes, storedBytes + savedBytes), savedBytes,
    isRecovered: after.values.has("contents"), contents: now("contents"), names: now("names"),
    logBytes: now("segment_bytes"), free: now("volume_free_bytes"),
    stages,
    cores: after.cores.map((core, number) => {
      const was = before.cores[number] ?? { user: 0, system: 0 };
      return {
        user: Math.min(1, grown(was.user, core.user) / seconds), system: Math.min(1, grown(was.system, core.system) / seconds),
        requests: core.core_requests ?? 0, queued: core.core_queue_records ?? 0,
      };
    }),
  };
}

function stageBetween(name, before = { buckets: [], sum: 0 }, after = { buckets: [], sum: 0 }) {
  const isSame =
    before.buckets.length === after.buckets.length &&
    after.buckets.every(([bound, count], at) => before.buckets[at][0] === bound && before.buckets[at][1] <= count);
  const buckets = after.buckets.map(([bound, count], at) => [bound, isSame ? count - before.buckets[at][1] : count]);
  const uploads = buckets.at(-1)?.[1] ?? 0;
  const sum = grown(before.sum, after.sum);
  return {
    name, uploads, sum, mean: uploads > 0 ? sum / uploads : null,
    p50: quantile(buckets, 0.5), p95: quantile(buckets, 0.95), p99: quantile(buckets, 0.99),
  };
}

// `{ seconds, sign }`: the sign is "<" in the first bucket and ">" beyond the last, of which no more is known. Null of nothing.
function quantile(buckets, share) {
  const rank = share * (buckets.at(-1)?.[1] ?? 0);
  if (rank <= 0) return null;
  const at = buckets.findIndex(([, upTo]) => upTo >= rank);
  if (at < 0) return null;
  const [bound, upTo] = buckets[at];
  if (at === 0) return { seconds: bound, sign: "<" };
  const [lower, below] = buckets[at - 1];
  if (bound === Infinity) return { seconds: lower, sign: ">" };
  return { seconds: lower + (bound - lower) * ratio(rank - below, upTo - below), sign: "" };
}
