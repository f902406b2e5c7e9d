// Asking for a token, where the server wants one.

import { ask, isToken, token } from "./api.js";
import { askFor, field } from "./dialogs.js";
import { h } from "./dom.js";

export function signIn(words) {
  return askFor({
    title: "Sign in",
    content: [
      h("p", {}, words || "This server asks for a token. Whoever runs it can make one."),
      field("Token", { name: "token", type: "password", required: true, autofocus: true, spellcheck: "false" }),
      h("p", { class: "hint" }, "It is kept for this tab only, and forgotten when the tab is closed."),
    ],
    action: "Sign in",
    canClose: false,
    async send({ token: text }) {
      const value = text.trim();
      if (!isToken(value)) throw new Error("That cannot be a token: it has characters that no token has.");
      // A token that may not read is still one.
      await ask("/stats", { as: value, quiet: true }).catch((error) => {
        if (error.status !== 403) throw error;
      });
      token.set(value);
    },
  });
}
