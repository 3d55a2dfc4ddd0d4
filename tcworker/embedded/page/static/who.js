// Who uses the page, and a way to say so by hand.

import { h, swap } from "./dom.js";
import { canSign } from "./hawk.js";
import { credentials, forget, keep } from "./session.js";

const CANNOT_SIGN =
  "You can only look. Browsers let a page sign its calls on https:// or on this very machine, and this is neither. " +
  "Open it at http://127.0.0.1, for example through a tunnel by ssh, or put a proxy with HTTPS in front of the " +
  "server (--root-url).";
const NOBODY =
  "Nobody is signed in, so you can look but not change anything. " +
  "Use the address that the server printed when it started, or sign in with a client and its access token.";
const ROOT = "static/taskcluster/root";

/** Show who is there; `changed()` is called when that is another. */
export function showWho(button, notice, changed) {
  const signer = credentials();
  button.textContent = signer === null ? "Sign in" : signer.clientId;
  button.title = signer === null ? "" : `Signed in as ${signer.clientId}`;
  button.onclick = () => openDialog(button, notice, changed);
  swap(notice, warning(signer));
}

/** Ask whether to become whoever the address has the credentials of. */
export function offer(notice, given, decided) {
  const signer = credentials();
  const become = () => {
    keep(given);
    decided();
  };
  const stay = signer === null ? "Nobody is signed in." : `You are ${signer.clientId}.`;
  swap(notice, h(
    "div", { class: "notice", role: "alert" },
    h("p", {}, `The address that was opened has credentials of ${given.clientId || "somebody"}. ${stay}`),
    h("div", { class: "actions" },
      h("button", { type: "button", click: decided }, signer === null ? "Sign nobody in" : `Stay ${signer.clientId}`),
      h("button", { type: "button", disabled: !canSign, click: become }, `Become ${given.clientId}`)),
  ));
}

function warning(signer) {
  if (!canSign) {
    return h("p", { class: "notice" }, CANNOT_SIGN);
  }
  if (signer !== null) return null;
  return h("p", { class: "notice" }, NOBODY);
}

function openDialog(button, notice, changed) {
  const signer = credentials();
  const done = () => {
    dialog.close();
    showWho(button, notice, changed);
    changed();
  };
  const typed = { autocomplete: "off", spellcheck: "false", required: true };
  const clientId = h("input", { id: "client-id", ...typed, value: signer?.clientId ?? ROOT });
  const accessToken = h("input", { id: "access-token", type: "password", ...typed });
  const form = h(
    "form",
    { method: "dialog", submit: (event) => {
      event.preventDefault();
      keep({ clientId: clientId.value.trim(), accessToken: accessToken.value.trim() });
      done();
    } },
    h("h2", { id: "who-title" }, signer === null ? "Sign in" : "Signed in"),
    h("p", {}, "The token stays in this tab: it signs each call here, and is never sent."),
    h("label", { for: "client-id" }, "Client"), clientId,
    h("label", { for: "access-token" }, "Access token"), accessToken,
    h("div", { class: "actions" },
      h("button", { type: "submit", class: "primary", disabled: !canSign }, "Sign in"),
      signer && h("button", { type: "button", click: () => { forget(); done(); } }, "Sign out"),
      h("button", { type: "button", click: () => dialog.close() }, "Close")),
  );
  const dialog = h("dialog", { "aria-labelledby": "who-title", close: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
}
