// Questions in front of the page. The browser keeps the focus inside, and Escape is the answer no.

import { h } from "./dom.js";

// A dialog with this form's content. `send(values)` may throw an Error, whose words are shown; gives true once it has not,
// false when it was closed, by hand or by `signal`. While it is being sent it stays, unless
// `signal` ends it: what was sent goes on then.
export function askFor({ title, content, action, isDangerous = false, send, canClose = true, signal }) {
  return new Promise((resolve) => {
    const problem = h("p", { class: "problem", role: "alert" });
    const submit = h("button", { class: isDangerous ? "danger" : "primary" }, action);
    const close = h("button", { type: "button", hidden: !canClose, onclick: () => dialog.close() }, "Not now");
    const form = h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, title), ...content, problem, h("p", { class: "actions" }, submit, close));
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    let isDone = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      submit.disabled = close.disabled = true;
      problem.textContent = "";
      try {
        await send(Object.fromEntries(new FormData(form)));
        isDone = true;
        dialog.close();
      } catch (error) {
        problem.textContent = error.message;
      }
      submit.disabled = close.disabled = false;
    });
    dialog.addEventListener("cancel", (event) => {
      if (!canClose || close.disabled) event.preventDefault();
    });
    signal?.addEventListener("abort", () => dialog.close(), { once: true });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(isDone);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function field(label, properties) {
  return h("label", {}, label, h("input", { type: "text", autocomplete: "off", ...properties }));
}
