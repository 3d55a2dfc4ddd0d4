// One task: its state, what can be done about it, and a tab each for log, artifacts, runs and definition.

import { path, queue } from "./api.js";
import { copyable, h, swap } from "./dom.js";
import { span } from "./format.js";
import { badge, failure, heading, when } from "./parts.js";
import { every } from "./polling.js";
import { showArtifacts } from "./task_artifacts.js";
import { showDefinition, showRuns } from "./task_facts.js";
import { showLog } from "./task_log.js";
import { showUsage } from "./task_usage.js";

const TABS = { log: ["Log", showLog], artifacts: ["Artifacts", showArtifacts], resources: ["Resources", showUsage], runs: ["Runs", showRuns], definition: ["Definition", showDefinition] };
const OVER = ["completed", "failed", "exception"];

/** What the tabs are told: the task, how it stands now, and when that changes. */
class Watched {
  #listeners = [];

  constructor(taskId, task, status) {
    Object.assign(this, { taskId, task, status });
  }

  get over() {
    return OVER.includes(this.status.state);
  }

  /** The run that was asked for, else the last one; `undefined` while there is none. */
  run(asked) {
    return asked === undefined ? this.status.runs.at(-1) : this.status.runs[asked];
  }

  isResolved(runId) {
    return OVER.includes(this.status.runs[runId]?.state);
  }

  onChange(call) {
    this.#listeners.push(call);
  }

  update(status) {
    const changed = JSON.stringify(status) !== JSON.stringify(this.status);
    this.status = status;
    if (changed) this.#listeners.forEach((call) => call());
  }
}

export async function showTask(main, [taskId, tab = "log", asked], signal) {
  const route = path("task", taskId);
  let watched;
  try {
    const [task, { status }] = await Promise.all([queue("GET", route), queue("GET", `${route}/status`)]);
    watched = new Watched(taskId, task, status);
  } catch (error) {
    main.append(heading("Task"), failure(error));
    return;
  }
  if (signal.aborted) return;
  const said = h("div");
  const top = h("div");
  const show = () => swap(top, ...header(watched, act));
  const act = async (verb) => {
    try {
      watched.update((await queue("POST", `${route}/${verb}`)).status);
      swap(said);
    } catch (error) {
      swap(said, failure(error));
    }
    show();
  };
  show();
  document.title = `${watched.task.metadata.name} · Taskcluster`;
  const body = h("div", { class: "tab" });
  main.append(top, said, tabs(watched, tab, asked, signal), body);
  (TABS[tab] ?? TABS.log)[1](body, watched, asked, signal);
  every(2, signal, async () => {
    await queue("GET", `${route}/status`).then(({ status }) => watched.update(status), () => {});
    // Also what has not changed: how long it has been running.
    if (!signal.aborted) show();
  });
}

function header(watched, act) {
  const { task, status, over } = watched;
  const last = status.runs.at(-1);
  const took = last?.started && span(last.started, last.resolved);
  const unscheduled = status.state === "unscheduled";
  return [
    heading(
      task.metadata.name,
      h(
        "div",
        { class: "actions" },
        unscheduled && h("button", { type: "button", "data-key": "schedule", click: () => act("schedule") }, "Schedule"),
        h("button", { type: "button", "data-key": "rerun", disabled: !over && !unscheduled, click: () => act("rerun") }, "Rerun"),
        h("button", { type: "button", class: "danger", "data-key": "cancel", disabled: over, click: () => act("cancel") }, "Cancel"),
      ),
    ),
    h("p", { class: "facts" }, badge(status.state, last?.reasonResolved), took && h("span", {}, took), h("span", {}, "created ", when(task.created)), copyable(watched.taskId)),
    h("p", { class: "facts" }, h("a", { href: `#/group/${status.taskGroupId}`, "data-key": "group" }, "Group"), h("a", { href: `#/queue/${status.taskQueueId}`, "data-key": "queue" }, status.taskQueueId), h("a", { href: `#/create/${watched.taskId}`, "data-key": "again" }, "Create one like it")),
  ];
}

function tabs({ taskId, status }, chosen, asked, signal) {
  const links = Object.entries(TABS).map(([key, [name]]) =>
    h("a", { href: `#/task/${taskId}/${key}${asked === undefined ? "" : `/${asked}`}`, "aria-current": key === chosen ? "page" : null }, name),
  );
  return h("nav", { class: "tabs", "aria-label": "About the task" }, links);
}
