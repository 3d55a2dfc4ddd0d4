// One task group: its tasks in the order in which they were made, all of them or those in one state.

import { page, pageQuery, path, queue } from "./api.js";
import { h, swap } from "./dom.js";
import { count, span } from "./format.js";
import { STATES, badge, bar, column, failure, filter, heading, message, pager, table, when } from "./parts.js";
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
    const query = `${pageQuery(AT_ONCE, token)}${state ? `&state=${encodeURIComponent(state)}` : ""}`;
    try {
      const [whole, part] = await Promise.all([page("GET", group), page("GET", `${group}/tasks${query}`)]);
      if (signal.aborted || token !== tokens.at(-1)) return;
      swap(top, summary(whole, state, act));
      const shown = part.tasks.length > 0 ? rows(part.tasks) : message("No tasks here.");
      swap(list, shown, pager(tokens, part.continuationToken, turn));
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
  const facts = [h("code", {}, group.taskGroupId), h("span", {}, count(group.size, "task"))];
  return [
    heading(group.name || "Task group", actions(group, act)),
    h("p", { class: "facts" }, facts, group.created && h("span", {}, "created ", when(group.created))),
    bar(group.states, group.size),
    filters(group, chosen),
  ];
}

function actions({ sealed }, act) {
  const why = sealed ? null : "Only a sealed group can be cancelled";
  const seal = { "data-key": "seal", disabled: sealed, click: () => act("seal") };
  const cancel = { "data-key": "cancel", disabled: !sealed, title: why, click: () => act("cancel") };
  return h(
    "div",
    { class: "actions" },
    h("button", { type: "button", ...seal }, sealed ? "Sealed" : "Seal"),
    h("button", { type: "button", class: "danger", ...cancel }, "Cancel all"),
  );
}

function filters({ taskGroupId, size, states }, chosen) {
  const link = (state) => {
    const tasks = (states[state] ?? 0).toLocaleString("en");
    return filter(`#/group/${taskGroupId}/${state}`, `${state} ${tasks}`, state === chosen);
  };
  const all = filter(`#/group/${taskGroupId}`, `All ${size.toLocaleString("en")}`, chosen === undefined);
  const shown = STATES.filter((state) => states[state] || state === chosen);
  return h("nav", { class: "filters", "aria-label": "States" }, all, shown.map(link));
}

function rows(tasks) {
  const columns = ["Task", column("State", "state"), column("Queue", "queue"), column("Took", "when")];
  return table("Tasks", columns, tasks.map((task) => [
    h("a", { class: "row", href: `#/task/${task.taskId}`, "data-key": task.taskId }, task.name),
    badge(task.state, task.reason),
    h("a", { class: "quiet", href: `#/queue/${task.taskQueueId}` }, task.taskQueueId),
    task.started ? span(task.started, task.resolved) : "",
  ]));
}
