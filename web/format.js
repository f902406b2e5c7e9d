// Numbers, sizes and times as people read them. Bytes are in units of a thousand, as `rhinobox top` has them.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
const counts = new Intl.NumberFormat("en");
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function scaled(number, units) {
  let unit = 0;
  // What would be rounded to a thousand is one of the next.
  while (number >= 999.5 && unit + 1 < units.length) [number, unit] = [number / 1000, unit + 1];
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
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const days = Math.round(minutes / (24 * 60));
  return days < 1000 ? `${count(days)} days` : "years";
}

// A name as text that shows what is in it: what would turn the letters behind it around, or do nothing that can be seen,
// is written as its number, so that a program does not look like a picture.
export function name(text) {
  return text.replace(UNSEEN, (sign) => `‹U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
}

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export function date(rfc3339) {
  const at = new Date(rfc3339);
  return Number.isNaN(at.getTime()) ? String(rfc3339 ?? "") : dates.format(at);
}
