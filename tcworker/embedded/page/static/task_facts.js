// The tabs with a task's runs and with its definition.

import { h, swap } from "./dom.js";
import { span } from "./format.js";
import { badge, column, message, table, when } from "./parts.js";

export function showRuns(body, watched) {
  const show = () => swap(body, runs(watched));
  watched.onChange(show);
  show();
}

function runs({ taskId, status }) {
  if (status.runs.length === 0) return message("No runs yet.");
  const [scheduled, took] = [column("Scheduled", "when"), column("Took", "when")];
  const columns = ["Run", column("State", "state"), "Why", "Worker", scheduled, took];
  const link = ({ runId }) => h("a", { class: "row", href: `#/task/${taskId}/log/${runId}` }, `Run ${runId}`);
  return table("Runs", columns, status.runs.map((run) => [
    link(run),
    badge(run.state, run.reasonResolved),
    run.reasonCreated,
    run.workerId ? `${run.workerGroup}/${run.workerId}` : "",
    when(run.scheduled),
    run.started ? span(run.started, run.resolved) : "",
  ]));
}

export function showDefinition(body, { task }) {
  const { metadata, dependencies } = task;
  const fact = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  body.append(
    h("p", { class: "description" }, metadata.description),
    h(
      "dl",
      { class: "definition" },
      fact("Owner", metadata.owner),
      fact("Source", source(metadata.source)),
      fact("Priority", task.priority),
      fact("Deadline", when(task.deadline)),
      fact("Expires", when(task.expires)),
      fact("Retries", String(task.retries)),
      dependencies.length > 0 && fact("Depends on", dependencies.map(link)),
    ),
    h("pre", { class: "code", tabindex: "0", "aria-label": "Definition" }, JSON.stringify(task, null, 2)),
  );
}

function link(taskId) {
  return [h("a", { href: `#/task/${taskId}` }, h("code", {}, taskId)), " "];
}

// Somebody else wrote it: anything but the web's own addresses stays text.
function source(text) {
  return /^https?:\/\//.test(text) ? h("a", { href: text, target: "_blank", rel: "noopener noreferrer" }, text) : text;
}
