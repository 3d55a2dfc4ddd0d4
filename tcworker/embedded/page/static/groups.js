// All task groups, the newest first.

import { page, pageQuery } from "./api.js";
import { h } from "./dom.js";
import { showPages } from "./paging.js";
import { bar, column, heading, table, when } from "./parts.js";

const GROUPS_ON_A_PAGE = 25;

export function showGroups(main, _, signal) {
  const list = h("div");
  main.append(heading("Task groups"), list);
  showPages(list, signal, (token) => page("GET", `/task-groups${pageQuery(GROUPS_ON_A_PAGE, token)}`), content);
}

function content({ taskGroups }) {
  if (taskGroups.length === 0) {
    const create = h("a", { class: "button primary", href: "#/create" }, "Create the first one");
    return h("div", { class: "empty" }, h("p", {}, "No tasks yet."), create);
  }
  const columns = ["Group", column("Tasks", "states"), column("Created", "when")];
  return table("Task groups", columns, taskGroups.map(row));
}

function row(group) {
  // A task that is a group of its own is shown at once.
  const link = group.size === 1 ? `#/task/${group.taskGroupId}` : `#/group/${group.taskGroupId}`;
  const name = h("a", { class: "row", href: link, "data-key": group.taskGroupId }, group.name || group.taskGroupId);
  return [
    [name, h("span", { class: "under" }, h("code", {}, group.taskGroupId), group.sealed && " · sealed")],
    [bar(group.states, group.size), h("span", { class: "under counts" }, summary(group))],
    when(group.created),
  ];
}

function summary({ states }) {
  return Object.entries(states).map(([state, tasks]) => [h("span", {}, `${tasks.toLocaleString("en")} ${state}`), " "]);
}
