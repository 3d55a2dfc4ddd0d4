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

const TABS = {
  log: ["Log", showLog],
  artifacts: ["Artifacts", showArtifacts],
  resources: ["Resources", showUsage],
  runs: ["Runs", showRuns],
  definition: ["Definition", showDefinition],
};
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
  main.append(top, said, tabs(taskId, tab, asked), body);
  (TABS[tab] ?? TABS.log)[1](body, watched, asked, signal);
  every(2, signal, async () => {
    await queue("GET", `${route}/status`).then(({ status }) => watched.update(status), () => {});
    // Also what has not changed: how long it has been running.
    if (!signal.aborted) show();
  });
}

function header({ taskId, task, status, over }, act) {
  const last = status.runs.at(-1);
  const took = last?.started && h("span", {}, span(last.started, last.resolved));
  const created = h("span", {}, "created ", when(task.created));
  const link = (href, text) => h("a", { href, "data-key": href }, text);
  return [
    heading(task.metadata.name, actions(status.state, over, act)),
    h("p", { class: "facts" }, badge(status.state, last?.reasonResolved), took, created, copyable(taskId)),
    h(
      "p",
      { class: "facts" },
      link(`#/group/${status.taskGroupId}`, "Group"),
      link(`#/queue/${status.taskQueueId}`, status.taskQueueId),
      link(`#/create/${taskId}`, "Create one like it"),
    ),
  ];
}

function actions(state, over, act) {
  const button = (verb, name, disabled, kind = null) =>
    h("button", { type: "button", class: kind, "data-key": verb, disabled, click: () => act(verb) }, name);
  const unscheduled = state === "unscheduled";
  return h(
    "div",
    { class: "actions" },
    unscheduled && button("schedule", "Schedule", false),
    button("rerun", "Rerun", !over && !unscheduled),
    button("cancel", "Cancel", over, "danger"),
  );
}

function tabs(taskId, chosen, asked) {
  const link = ([key, [name]]) => {
    const href = `#/task/${taskId}/${key}${asked === undefined ? "" : `/${asked}`}`;
    return h("a", { href, "aria-current": key === chosen ? "page" : null }, name);
  };
  return h("nav", { class: "tabs", "aria-label": "About the task" }, Object.entries(TABS).map(link));
}
