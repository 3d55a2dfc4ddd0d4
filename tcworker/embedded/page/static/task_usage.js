// The tab with the course of a run's resource use.

import { all, artifactUrl, path } from "./api.js";
import { charts, isUsage } from "./chart.js";
import { h, swap } from "./dom.js";
import { failure, message, runPicker } from "./parts.js";
import { every } from "./polling.js";

const LARGEST = 20_000_000;

export function showUsage(body, watched, asked, signal) {
  every(3, signal, async () => {
    const run = watched.run(asked);
    const found = run && (await find(watched.taskId, run.runId).catch((error) => failure(error)));
    if (signal.aborted) return true;
    swap(body, run && runPicker(watched, "resources", run.runId), found || message("This run has no record of its resource use."));
    return found instanceof HTMLElement && watched.over;
  });
}

async function find(taskId, runId) {
  const artifacts = await all(`${path("task", taskId, "runs", runId)}/artifacts`, "artifacts");
  const usage = artifacts.find(({ name, storageType }) => isUsage(name) && storageType !== "error");
  if (usage === undefined) return null;
  const response = await fetch(await artifactUrl(taskId, runId, usage.name), { credentials: "omit" });
  if (!response.ok || Number(response.headers.get("content-length")) > LARGEST) return h("p", { class: "message bad" }, "The record of its resource use cannot be read.");
  return charts(await response.json());
}
