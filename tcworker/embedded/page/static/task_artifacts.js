// The tab with a run's artifacts.

import { all, artifactUrl, path } from "./api.js";
import { h, swap } from "./dom.js";
import { bytes } from "./format.js";
import { column, failure, message, runPicker, table, when } from "./parts.js";
import { every } from "./polling.js";

const ARTIFACTS_SHOWN = 2000;

export function showArtifacts(body, watched, asked, signal) {
  every(3, signal, async () => {
    const run = watched.run(asked);
    if (run === undefined) {
      swap(body, message("No run, no artifacts."));
      return;
    }
    try {
      const content = await list(watched.taskId, run.runId);
      if (!signal.aborted) swap(body, runPicker(watched, "artifacts", run.runId), content);
    } catch (error) {
      swap(body, failure(error));
    }
    // Signed addresses grow old, and artifacts of exceptions come late: no look is the last.
  });
}

async function list(taskId, runId) {
  const artifacts = await all(`${path("task", taskId, "runs", runId)}/artifacts`, "artifacts", ARTIFACTS_SHOWN);
  if (artifacts.length === 0) return message("No artifacts yet.");
  const links = await Promise.all(artifacts.map(({ name }) => artifactUrl(taskId, runId, name)));
  const columns = ["Name", column("Type", "detail"), column("Size", "number"), column("Expires", "when")];
  return table("Artifacts", columns, artifacts.map((artifact, index) => row(artifact, links[index])));
}

// Whatever it is, it comes from a place that the browser treats as nobody's: see the storage's answers.
function row({ name, contentType, contentLength, storageType, expires }, href) {
  const link = h("a", { class: "row", href, target: "_blank", rel: "noopener noreferrer", "data-key": name }, name);
  return [
    storageType === "error" ? [link, h("span", { class: "under bad" }, "could not be published")] : link,
    storageType === "error" ? "error" : contentType,
    contentLength === undefined ? "" : bytes(contentLength),
    when(expires),
  ];
}
