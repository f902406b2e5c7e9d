// The only door to the server: every request leaves here, with the token if there is one.
//
// Always: the token is kept for this tab alone, once the server has taken it, and goes to this server alone; whether the
// server is there is known in one place (`server`), which looks again by itself until it is.

import { forTheTab } from "./keep.js";

const TOKEN_KEY = "rhinobox-token";
const LOOK_AGAIN_MS = 1000;
// As long as a server may take that is there: its answer may wait behind a drop.
const LOOK_PATIENCE_MS = 10_000;

// An answer that is an error, in the server's own words.
export class ApiError extends Error {
  constructor(status, message, { retryAfterS = 0, body = null } = {}) {
    super(message);
    Object.assign(this, { status, retryAfterS, body });
  }
}

// There was no answer.
export class AwayError extends Error {}

// Whether the server can be used: "ready"; "busy" while it starts or stops; "away" while nobody answers. Tells of each
// change with an event `change`, and with `signin` that it wants a token.
class Server extends EventTarget {
  state = "ready";
  words = "";
  #timer = null;
  #isLooking = false;

  get isReady() {
    return this.state === "ready";
  }

  set(state, words = "") {
    if (state !== "ready") this.#timer ??= setTimeout(() => this.look(), LOOK_AGAIN_MS);
    if (state === this.state && words === this.words) return;
    Object.assign(this, { state, words });
    this.dispatchEvent(new Event("change"));
  }

  // Looks whether it is there; for a server that has stopped without a word nobody else sees that.
  async look() {
    clearTimeout(this.#timer);
    this.#timer = null;
    // One at a time: of two the older might have the last word.
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const answer = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(LOOK_PATIENCE_MS) });
      if (answer.status === 503) this.set("busy", await wordsOf(answer));
      else this.set("ready");
    } catch {
      this.set("away", "The server does not answer.");
    } finally {
      this.#isLooking = false;
    }
  }

  askToSignIn(words) {
    this.dispatchEvent(new CustomEvent("signin", { detail: words }));
  }
}

export const server = new Server();

export const token = {
  get: () => forTheTab.get(TOKEN_KEY),
  set: (value) => forTheTab.set(TOKEN_KEY, value),
  forget: () => forTheTab.forget(TOKEN_KEY),
};

function withToken(headers = {}, value = token.get()) {
  return value === null ? headers : { ...headers, Authorization: `Bearer ${value}` };
}

// Only headers can be sent that are printable ASCII; a token is checked before it is kept.
export const isToken = (text) => /^[\x21-\x7e]{1,1024}$/.test(text);

export const storedUrl = (path) => `/${path.split("/").map(encodeURIComponent).join("/")}`;

// Null of what is not of this server's making.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function wordsOf(answer) {
  const body = await answer.json().catch(() => null);
  return body?.error ?? `The server answered ${answer.status}.`;
}

// Asks, and gives the answer if it is good. Throws an ApiError, an AwayError, or what an abort throws. `as` is a token to be
// tried in place of the one that is kept; `quiet`, that nobody is asked to sign in.
export async function ask(path, { method = "GET", json, headers, signal, as, quiet = false } = {}) {
  // Without credentials a browser asks nobody for a password by itself: this page does.
  const options = { method, headers: withToken(headers, as), signal, credentials: "omit" };
  if (json !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(json);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (signal?.aborted) throw error;
    server.set("away", "The server does not answer.");
    throw new AwayError("The server does not answer.");
  }
  if (answer.ok) {
    if (!server.isReady) server.set("ready");
    return answer;
  }
  const body = await answer.json().catch(() => null);
  throw failure(answer.status, body, answer.headers.get("Retry-After"), quiet);
}

export async function askJson(path, options) {
  const answer = await ask(path, options);
  return answer.status === 204 ? null : answer.json();
}

function failure(status, body, retryAfter, quiet = false) {
  const error = new ApiError(status, body?.error ?? `The server answered ${status}.`, {
    retryAfterS: Number(retryAfter) || 0, body,
  });
  if (status === 401 && !quiet) server.askToSignIn(token.get() === null ? "" : error.message);
  return error;
}

// Sends a form of files and hears of each as it is stored (NDJSON). `onSent(bytes)` tells how much of the body has left,
// `onLine(object)` of a file. Resolves when the last line has come; an AwayError may also come of a file that cannot be read
// any more. XMLHttpRequest, for fetch tells nothing of what leaves.
export function sendForm(form, { onSent, onLine, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let read = 0;
    let isDone = false;
    const takeLines = () => {
      if (request.status !== 200) return;
      const text = request.responseText;
      for (let end; (end = text.indexOf("\n", read)) >= 0; read = end + 1) {
        const line = parsed(text.slice(read, end));
        if (line === null) return;
        if (line.done) isDone = true;
        else onLine(line);
      }
    };
    const broken = () => reject(new AwayError("The connection broke before the server had answered."));
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onprogress = takeLines;
    request.onload = () => {
      if (request.status === 200) {
        takeLines();
        if (isDone) resolve();
        else broken();
        return;
      }
      reject(failure(request.status, parsed(request.responseText), request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => {
      takeLines();
      broken();
    };
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.open("POST", "/ingest/media");
    for (const [name, value] of Object.entries(withToken({ Accept: "application/x-ndjson" }))) {
      request.setRequestHeader(name, value);
    }
    request.send(form);
  });
}
