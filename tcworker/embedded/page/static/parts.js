// Pieces that several views are made of.

import { h } from "./dom.js";
import { ago, moment } from "./format.js";
import { canSign } from "./hawk.js";
import { credentials } from "./session.js";

export const STATES = ["unscheduled", "pending", "running", "completed", "failed", "exception"];

/** A state by a sign and its name; never by colour alone. */
export function badge(state, reason) {
  const why = reason && reason !== state ? ` · ${reason.replaceAll("-", " ")}` : "";
  const sign = h("i", { "aria-hidden": "true" });
  return h("span", { class: `badge ${state}` }, sign, state, why && h("span", { class: "why" }, why));
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
  if (error.status !== 403 && error.status !== 401) return message(error.message, "bad");
  if (credentials() === null) return notForAll();
  const why = error.status === 401 ? "Your credentials are not accepted." : "You are not allowed to see or do this.";
  return h("div", { class: "message bad", role: "alert" }, h("p", {}, why), h("pre", {}, error.message));
}

// Which scopes would be needed says nothing to those who have not signed in.
function notForAll() {
  const signIn = { type: "button", "data-key": "sign-in", click: () => document.getElementById("who").click() };
  return h(
    "div",
    { class: "message sign-in", role: "alert" },
    h("p", {}, "Only those who are signed in can see or do this, and you are not."),
    canSign && h("button", signIn, "Sign in"),
  );
}

/** A column of a table whose cells are laid out in some way. */
export function column(name, kind) {
  return { name, class: kind };
}

/** A table whose cells know their column's name, which is shown in front of them on narrow screens. */
export function table(label, columns, rows) {
  const all = columns.map((one) => (typeof one === "string" ? column(one, null) : one));
  const head = all.map((one) => h("th", { scope: "col", class: one.class }, one.name));
  const cell = (content, index) => h("td", { "data-name": all[index].name, class: all[index].class }, content);
  const body = rows.map((cells) => h("tr", {}, cells.map(cell)));
  return h("table", { "aria-label": label }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
}

/** A link to a choice of what is shown. */
export function filter(href, text, chosen) {
  return h("a", { class: "filter", href, "aria-current": chosen ? "true" : null, "data-key": href }, text);
}

/** Links to the runs of a task, where there are several. */
export function runPicker({ taskId, status }, tab, chosen) {
  if (status.runs.length < 2) return null;
  const link = ({ runId }) => filter(`#/task/${taskId}/${tab}/${runId}`, `Run ${runId}`, runId === chosen);
  return h("nav", { class: "filters", "aria-label": "Runs" }, status.runs.map(link));
}
