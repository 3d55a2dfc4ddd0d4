// One task group: its tasks in the order in which they were made, all of them or those in one state.

import { page, path, queue } from "./api.js";
import { h, swap } from "./dom.js";
import { count, span } from "./format.js";
import { STATES, badge, bar, failure, heading, message, pager, table, when } from "./parts.js";
import { every } from "./polling.js";

const AT_ONCE = 100;

export function showGroup(main, [groupId, state], signal) {
  const group = path("task-groups", groupId);
  const top = h("div");
  const list = h("div");
  const said = h("div");
  let tokens = [""];
  const look = async () => {
    const token = tokens.at(-1);
    const query = `?limit=${AT_ONCE}${state ? `&state=${state}` : ""}${token && `&continuationToken=${token}`}`;
    try {
      const [whole, tasks] = await Promise.all([page("GET", group), page("GET", `${group}/tasks${query}`)]);
      if (signal.aborted || token !== tokens.at(-1)) return;
      swap(top, summary(whole, state, act));
      swap(list, tasks.tasks.length ? [rows(tasks.tasks), pager(tokens, tasks.continuationToken, turn)] : message("No tasks here."));
    } catch (error) {
      if (!signal.aborted) swap(list, failure(error));
    }
  };
  const turn = (next) => {
    tokens = next;
    look();
  };
  const act = async (route) => {
    try {
      await queue("POST", `${path("task-group", groupId)}/${route}`);
      swap(said);
    } catch (error) {
      swap(said, failure(error));
    }
    look();
  };
  main.append(top, said, list);
  every(3, signal, look);
}

function summary(group, chosen, act) {
  const link = (state, text) =>
    h("a", { href: `#/group/${group.taskGroupId}${state ? `/${state}` : ""}`, class: `filter ${state}`, "aria-current": chosen === (state || undefined) ? "true" : null, "data-key": `filter-${state}` }, text);
  const filters = STATES.filter((state) => group.states[state] || state === chosen);
  const seal = h("button", { type: "button", "data-key": "seal", disabled: group.sealed, click: () => act("seal") }, group.sealed ? "Sealed" : "Seal");
  const cancel = h("button", { type: "button", class: "danger", "data-key": "cancel", disabled: !group.sealed, title: group.sealed ? null : "Only a sealed group can be cancelled", click: () => act("cancel") }, "Cancel all");
  return [
    heading(group.name || "Task group", h("div", { class: "actions" }, seal, cancel)),
    h("p", { class: "facts" }, h("code", {}, group.taskGroupId), h("span", {}, count(group.size, "task")), group.created && h("span", {}, "created ", when(group.created))),
    bar(group.states, group.size),
    h("nav", { class: "filters", "aria-label": "States" }, link("", `All ${group.size.toLocaleString("en")}`), filters.map((state) => link(state, `${state} ${(group.states[state] ?? 0).toLocaleString("en")}`))),
  ];
}

/** A table of tasks, for a group's and a queue's. */
export function rows(tasks) {
  const columns = ["Task", { name: "State", class: "state" }, { name: "Queue", class: "queue" }, { name: "Took", class: "when" }];
  return table("Tasks", columns, tasks.map((task) => [
    h("a", { class: "row", href: `#/task/${task.taskId}`, "data-key": task.taskId }, task.name),
    badge(task.state, task.reason),
    h("a", { class: "quiet", href: `#/queue/${task.taskQueueId}` }, task.taskQueueId),
    task.started ? span(task.started, task.resolved) : "",
  ]));
}
