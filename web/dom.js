// Building the page out of elements and text.
//
// Always: what comes from a file or a server becomes text or the value of a harmless attribute, never markup.

const SVG = "http://www.w3.org/2000/svg";

// An element. In `properties`, `on…` are listeners, `true` is an attribute without a value, `false`, `null` and
// `undefined` are none; what follows are children, strings among them as text.
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

// The same for a picture.
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

// Writes text only where it is another, so that nothing is laid out anew, or read aloud again, in vain.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === false || value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// Outlines on a grid of 24.
const OUTLINES = {
  images: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  videos: "M4 6h12v12H4zM16 10l5-3v10l-5-3",
  audio: "M9 18V5l11-2v13M9 18a3 3 0 1 1-6 0 3 3 0 0 1 6 0M20 16a3 3 0 1 1-6 0 3 3 0 0 1 6 0",
  documents: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  spreadsheets: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 5v14",
  presentations: "M3 4h18M5 4v11h14V4M12 15v3M8 21l4-3 4 3",
  archives: "M4 7h16v13H4zM3 4h18v3H3zM10 11h4",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5M13.5 5l-3 14",
  other: "M6 3h8l4 4v14H6zM14 3v4h4",
  close: "M6 6l12 12M18 6L6 18",
  file: "M12 16V4M7 9l5-5 5 5M4 16v4h16v-4",
};

export function icon(name) {
  const outline = OUTLINES[name] ?? OUTLINES.other;
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: outline }));
}

// Calls `action` at the next frame, once however often it was asked for. While the page is hidden there are no frames, so
// then it is a timer's.
export function oncePerFrame(action) {
  let isDue = false;
  const act = () => {
    if (!isDue) return;
    isDue = false;
    action();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    if (document.hidden) setTimeout(act, 250);
    else requestAnimationFrame(act);
  };
}
