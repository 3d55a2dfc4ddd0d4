// The tab with a run's log.

import { artifactUrl } from "./api.js";
import { h, swap } from "./dom.js";
import { LogView } from "./log.js";
import { followLog } from "./live.js";
import { message, runPicker } from "./parts.js";

const NO_RUN = "The task has not been scheduled: there is no run that could have a log.";

export function showLog(body, watched, asked, signal) {
  let shown = null;
  const show = async () => {
    const run = watched.run(asked);
    if (shown !== null && run?.runId === shown.runId) return swap(shown.picker, runPicker(watched, "log", shown.runId));
    shown?.leave.abort();
    shown = { runId: run?.runId, picker: h("div"), leave: new AbortController() };
    if (run === undefined) return swap(body, message(NO_RUN));
    await begin(body, watched, shown, AbortSignal.any([signal, shown.leave.signal]));
  };
  watched.onChange(show);
  show();
}

async function begin(body, watched, { runId, picker }, signal) {
  const { taskId, task } = watched;
  // A payload is whatever its author wrote.
  const live = task.payload?.logs?.live;
  const name = typeof live === "string" ? live : "public/logs/live.log";
  const view = new LogView(await artifactUrl(taskId, runId, name));
  swap(picker, runPicker(watched, "log", runId));
  // This very element, which the log goes on to be added to.
  body.replaceChildren(picker, view.element);
  followLog(view, { taskId, runId, name, isResolved: () => watched.isResolved(runId) }, signal);
}
