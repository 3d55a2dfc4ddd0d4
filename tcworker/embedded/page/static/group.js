// One task group: its tasks in the order in which they were made, all of them or those in one state.

import { page, pageQuery, path, queue } from "./api.js";
import { h, swap } from "./dom.js";
import { count, span } from "./format.js";
import { showPages } from "./paging.js";
import { STATES, badge, bar, column, failure, filter, heading, message, table, when } from "./parts.js";

const TASKS_ON_A_PAGE = 100;

export function showGroup(main, [groupId, state], signal) {
  const group = path("task-groups", groupId);
  const top = h("div");
  const list = h("div");
  const said = h("div");
  const read = async (token) => {
    const query = `${pageQuery(TASKS_ON_A_PAGE, token)}${state ? `&state=${encodeURIComponent(state)}` : ""}`;
    const [whole, part] = await Promise.all([page("GET", group), page("GET", `${group}/tasks${query}`)]);
    return { whole, ...part };
  };
  const content = ({ whole, tasks }) => {
    swap(top, summary(whole, state, act));
    return tasks.length > 0 ? rows(tasks) : message("No tasks here.");
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
  const look = showPages(list, signal, read, content);
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
