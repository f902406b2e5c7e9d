// Numbers, sizes and times as people read them. Bytes are in units of a thousand, as `rhinobox top` has them.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
const counts = new Intl.NumberFormat("en");
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function scaled(number, units) {
  let unit = 0;
  while (number >= 1000 && unit + 1 < units.length) [number, unit] = [number / 1000, unit + 1];
  const decimals = number >= 100 || (unit === 0 && (number >= 10 || Number.isInteger(number))) ? 0 : 1;
  return `${number.toFixed(decimals)} ${units[unit]}`;
}

export const count = (number) => counts.format(Math.round(number));
export const bytes = (number) => scaled(number, UNITS);
export const rate = (perSecond) => `${bytes(perSecond)}/s`;
export const duration = (seconds) => scaled(seconds * 1e6, ["µs", "ms", "s"]);
export const percent = (share) => `${(100 * share).toFixed(share >= 0.9995 || share === 0 ? 0 : 1)} %`;

// `1 file`, `2 files`.
export const files = (number) => `${count(number)} ${Math.round(number) === 1 ? "file" : "files"}`;

// How long something still takes, or took: no more exact than anybody needs.
export function span(seconds) {
  if (seconds < 1) return "under 1 s";
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export function date(rfc3339) {
  const at = new Date(rfc3339);
  return Number.isNaN(at.getTime()) ? String(rfc3339 ?? "") : dates.format(at);
}
