// The tab with the course of a run's resource use.

import { all, artifactUrl, path } from "./api.js";
import { charts, isUsage } from "./chart.js";
import { h, swap } from "./dom.js";
import { failure, message, runPicker } from "./parts.js";
import { every } from "./polling.js";

const LARGEST = 20_000_000;

export function showUsage(body, watched, asked, signal) {
  const top = h("div");
  const drawing = h("div");
  let drawn = "";
  body.append(top, drawing);
  every(3, signal, async () => {
    const run = watched.run(asked);
    const found = run ? await find(watched.taskId, run.runId).catch((error) => failure(error)) : null;
    if (signal.aborted) return true;
    const told = typeof found === "string" ? null : (found ?? message("This run has no record of its resource use."));
    swap(top, run && runPicker(watched, "resources", run.runId), told);
    if (told === null && found !== drawn) drawing.replaceChildren(charts(JSON.parse(found)));
    drawn = found;
    return told === null && watched.over;
  });
}

/** The record, as text; an element that says why it cannot be read; `null` if there is none. */
async function find(taskId, runId) {
  const artifacts = await all(`${path("task", taskId, "runs", runId)}/artifacts`, "artifacts");
  const usage = artifacts.find(({ name, storageType }) => isUsage(name) && storageType !== "error");
  if (usage === undefined) return null;
  const response = await fetch(await artifactUrl(taskId, runId, usage.name), { credentials: "omit" });
  const large = Number(response.headers.get("content-length")) > LARGEST;
  return response.ok && !large ? response.text() : message("The record of its resource use cannot be read.", "bad");
}
