// All task groups, the newest first.

import { page, pageQuery } from "./api.js";
import { h, swap } from "./dom.js";
import { bar, failure, heading, pager, table, when } from "./parts.js";
import { every } from "./polling.js";

const AT_ONCE = 25;

export function showGroups(main, _, signal) {
  const list = h("div");
  let tokens = [""];
  const look = async () => {
    const token = tokens.at(-1);
    const asked = page("GET", `/task-groups${pageQuery(AT_ONCE, token)}`);
    const answer = await asked.catch((error) => ({ error }));
    if (signal.aborted || token !== tokens.at(-1)) return;
    swap(list, answer.error ? failure(answer.error) : content(answer, tokens, turn));
  };
  const turn = (next) => {
    tokens = next;
    look();
  };
  main.append(heading("Task groups"), list);
  every(3, signal, look);
}

function content({ taskGroups, continuationToken }, tokens, turn) {
  if (taskGroups.length === 0) {
    const create = h("a", { class: "button primary", href: "#/create" }, "Create the first one");
    return h("div", { class: "empty" }, h("p", {}, "No tasks yet."), create);
  }
  const columns = ["Group", { name: "Tasks", class: "states" }, { name: "Created", class: "when" }];
  return [table("Task groups", columns, taskGroups.map(row)), pager(tokens, continuationToken, turn)];
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
