// Lists in pages.

import { h, swap } from "./dom.js";
import { failure } from "./parts.js";
import { every } from "./polling.js";

/**
 * Show a list page by page in an element, and look at it again every few seconds.
 *
 * `read(token)` gives an answer with its `continuationToken`, `content(answer)` what is shown of it. Gives a function
 * that looks at once.
 */
export function showPages(element, signal, read, content) {
  // Those of the pages up to this one.
  let tokens = [""];
  const look = async () => {
    const token = tokens.at(-1);
    const answer = await read(token).catch((error) => ({ error }));
    // Whoever has turned the page meanwhile does not want this one any more.
    if (signal.aborted || token !== tokens.at(-1)) return;
    if (answer.error) swap(element, failure(answer.error));
    else swap(element, content(answer), pager(tokens, answer.continuationToken, turn));
  };
  const turn = (next) => {
    tokens = next;
    look();
  };
  every(3, signal, look);
  return look;
}

/** Buttons to the pages before and after. */
function pager(tokens, next, turn) {
  if (tokens.length === 1 && !next) return null;
  const earlier = { "data-key": "earlier", disabled: tokens.length === 1, click: () => turn(tokens.slice(0, -1)) };
  // A button with another token is another button, though it looks the same.
  const later = { "data-key": "later", "data-token": next, disabled: !next, click: () => turn([...tokens, next]) };
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    h("button", { type: "button", ...earlier }, "← Previous"),
    h("span", {}, `Page ${tokens.length}`),
    h("button", { type: "button", ...later }, "Next →"),
  );
}
