// The frame around the views: which of them is shown, whether the server is there, colours, signing in.
//
// Always: the address says what is shown (`#/view?what`), so back, forward and reload work, and a link can be kept.

import { ask, server, token } from "./api.js";
import { byId, setText } from "./dom.js";
import { DropView } from "./drop.js";
import { forGood } from "./keep.js";
import { signIn } from "./signin.js";

const TITLES = { drop: "Drop", browse: "Browse", watch: "Watch" };
// How often an idle page looks whether the server is there.
const PULSE_MS = 4000;
const THEME_KEY = "rhinobox-theme";
const THEMES = { auto: "light dark", light: "light", dark: "dark" };

const views = { drop: new DropView(byId("view-drop")) };
let shown = null;

// What is looked at seldom comes when it is looked at, once however often it is asked for meanwhile.
const coming = {};
const make = {
  browse: async () => new (await import("./browse.js")).BrowseView(byId("view-browse")),
  watch: async () => new (await import("./watch.js")).WatchView(byId("view-watch")),
};

async function viewOf(name) {
  if (views[name]) return views[name];
  coming[name] ??= make[name]().finally(() => delete coming[name]);
  views[name] = await coming[name];
  return views[name];
}

function route() {
  const [, name, query] = /^#\/([a-z]+)(?:\?(.*))?$/.exec(location.hash) ?? [];
  return { name: Object.hasOwn(TITLES, name ?? "") ? name : "drop", what: new URLSearchParams(query ?? "") };
}

async function show({ isFirst = false } = {}) {
  const { name, what } = route();
  for (const other of Object.keys(TITLES)) byId(`view-${other}`).hidden = other !== name;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[name]} · rhinobox`;
  const isChange = shown !== name;
  if (isChange) {
    views[shown]?.hide?.();
    shown = name;
    if (!isFirst) byId(`${name}-title`).focus({ preventScroll: true });
  }
  let view;
  try {
    view = await viewOf(name);
  } catch {
    // A part of the page did not come; it is asked for again when the server is back.
    server.set("away", "The server does not answer.");
    return;
  }
  if (shown === name) view.show?.(what);
}

function showServer() {
  const element = byId("server-state");
  const was = element.dataset.state;
  element.dataset.state = server.state;
  if (server.isReady) {
    setText(element, was && was !== "ready" ? "The server is back." : "");
    if (was && was !== "ready") {
      setTimeout(() => server.isReady && setText(element, ""), 3000);
      if (views[shown]) views[shown].goOn?.();
      else show();
    }
  } else {
    setText(element, `${server.words} Looking again every second; nothing is lost.`);
  }
}

function chooseTheme(name) {
  const button = byId("theme");
  button.dataset.theme = name;
  document.documentElement.style.colorScheme = THEMES[name];
  setText(button.querySelector("span"), name[0].toUpperCase() + name.slice(1));
  button.setAttribute("aria-label", `Colours: ${name === "auto" ? "as the system has them" : name}`);
}

function showTheme() {
  const kept = forGood.get(THEME_KEY);
  chooseTheme(Object.hasOwn(THEMES, kept) ? kept : "auto");
  byId("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(byId("theme").dataset.theme) + 1) % names.length];
    forGood.set(THEME_KEY, next);
    chooseTheme(next);
  });
}

function takePulse() {
  if (!document.hidden && server.isReady) server.look();
}

function showToken() {
  byId("sign-out").hidden = token.get() === null;
}

let isSigningIn = false;
server.addEventListener("signin", async ({ detail }) => {
  if (isSigningIn) return;
  isSigningIn = true;
  await signIn(detail);
  isSigningIn = false;
  showToken();
  views.drop.resume();
  show();
});
server.addEventListener("change", showServer);
byId("sign-out").addEventListener("click", () => {
  token.forget();
  // What the page shows was fetched with the token: all of it goes.
  location.reload();
});
addEventListener("hashchange", () => show());
// The address says what is shown, so this link must not change it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
document.addEventListener("visibilitychange", takePulse);
setInterval(takePulse, PULSE_MS);
showServer();
showTheme();
showToken();
// Whether a token is wanted shows at once, not with the first drop; and whether there is a catalogue to browse.
ask("/files?limit=1").catch((error) => {
  document.querySelector("[data-view=browse]").hidden = error.status === 404 || error.status === 501;
});
show({ isFirst: true });
