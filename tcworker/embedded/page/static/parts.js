// Pieces that several views are made of.

import { h } from "./dom.js";
import { ago, moment } from "./format.js";

export const STATES = ["unscheduled", "pending", "running", "completed", "failed", "exception"];

/** A state by a sign and its name; never by colour alone. */
export function badge(state, reason) {
  const why = reason && reason !== state ? ` · ${reason.replaceAll("-", " ")}` : "";
  return h("span", { class: `badge ${state}` }, h("i", { "aria-hidden": "true" }), state, why && h("span", { class: "why" }, why));
}

/** How many tasks of a group are in which state, as a bar with a legend for those who do not see it. */
export function bar(states, size) {
  const parts = Object.entries(states);
  const label = parts.map(([state, tasks]) => `${tasks} ${state}`).join(", ") || "no tasks";
  const pieces = parts.map(([state, tasks]) => {
    const piece = h("i", { class: state });
    piece.style.flexGrow = Math.max(tasks / size, 0.015);
    return piece;
  });
  return h("span", { class: "bar", role: "img", "aria-label": label, title: label }, pieces);
}

export function when(date) {
  return date ? h("time", { datetime: date, title: moment(date) }, ago(date)) : "";
}

export function heading(title, ...beside) {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), ...beside);
}

export function message(text, kind = "") {
  return h("p", { class: `message ${kind}`, role: kind === "bad" ? "alert" : "status" }, text);
}

/** A failure in words, with what to do about it where that is known. */
export function failure(error) {
  if (error.status === 403 || error.status === 401) {
    return h(
      "div",
      { class: "message bad", role: "alert" },
      h("p", {}, error.status === 401 ? "Your credentials are not accepted." : "You are not allowed to see or do this."),
      h("pre", {}, error.message),
    );
  }
  return message(error.message, "bad");
}

/** A table whose cells know their column's name, which is shown in front of them on narrow screens. */
export function table(label, columns, rows) {
  const names = columns.map((column) => column.name ?? column);
  const head = h("tr", {}, columns.map((column) => h("th", { scope: "col", class: column.class ?? null }, column.name ?? column)));
  const body = rows.map((cells) =>
    h("tr", {}, cells.map((cell, index) => h("td", { "data-name": names[index], class: columns[index].class ?? null }, cell))),
  );
  return h("table", { "aria-label": label }, h("thead", {}, head), h("tbody", {}, body));
}

/** Buttons to the pages before and after; `tokens` are those of the pages up to this one. */
export function pager(tokens, next, turn) {
  if (tokens.length === 1 && !next) return null;
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    h("button", { type: "button", "data-key": "earlier", disabled: tokens.length === 1, click: () => turn(tokens.slice(0, -1)) }, "← Previous"),
    h("span", {}, `Page ${tokens.length}`),
    h("button", { type: "button", "data-key": "later", "data-token": next ?? null, disabled: !next, click: () => turn([...tokens, next]) }, "Next →"),
  );
}

/** Links to the runs of a task, where there are several. */
export function runPicker({ taskId, status }, tab, chosen) {
  if (status.runs.length < 2) return null;
  return h(
    "nav",
    { class: "filters", "aria-label": "Runs" },
    status.runs.map((run) =>
      h("a", { class: `filter ${run.state}`, href: `#/task/${taskId}/${tab}/${run.runId}`, "aria-current": run.runId === chosen ? "true" : null, "data-key": `run-${run.runId}` }, `Run ${run.runId}`),
    ),
  );
}
