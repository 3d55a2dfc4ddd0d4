// The tab with the course of a run's resource use.

import { all, artifactUrl, path } from "./api.js";
import { charts, usageAmong } from "./chart.js";
import { h, swap } from "./dom.js";
import { failure, message, runPicker } from "./parts.js";
import { every } from "./polling.js";

const LARGEST = 20_000_000;
const AGAIN = 30_000;
const UNREADABLE = "The record of its resource use cannot be read.";

export function showUsage(body, watched, asked, signal) {
  const top = h("div");
  const drawing = h("div");
  let last = { drawn: null, told: null, of: null, due: 0 };
  body.append(top, drawing);
  every(3, signal, async () => {
    const run = watched.run(asked);
    const of = run && `${run.runId} ${run.state}`;
    // What was read is read again when the run has changed, and else rarely: it may be large.
    if (last.of !== of || performance.now() > last.due) {
      const due = performance.now() + AGAIN;
      const found = run ? await find(watched.taskId, run.runId).catch((error) => ({ told: failure(error) })) : null;
      if (signal.aborted) return true;
      last = found ? { drawn: null, told: null, of, due, ...found } : { drawn: null, told: null, of, due: 0 };
      drawing.replaceChildren(...(last.drawn ? [last.drawn] : []));
    }
    const told = last.told ?? (last.drawn ? null : message("This run has no record of its resource use."));
    swap(top, run && runPicker(watched, "resources", run.runId), told);
    return last.drawn !== null && watched.over && last.of === of;
  });
}

/** The record, drawn, or what is told instead; `null` if there is none. */
async function find(taskId, runId) {
  const artifacts = await all(`${path("task", taskId, "runs", runId)}/artifacts`, "artifacts");
  const usage = usageAmong(artifacts);
  if (usage === undefined) return null;
  try {
    const response = await fetch(await artifactUrl(taskId, runId, usage.name), { credentials: "omit" });
    const text = response.ok ? await readUpTo(response, LARGEST) : null;
    return text === null ? { told: message(UNREADABLE, "bad") } : { drawn: charts(JSON.parse(text)) };
  } catch {
    // The task's author may have written anything, and the place where it is kept may be anywhere.
    return { told: message(UNREADABLE, "bad") };
  }
}

/** The text of an answer; `null` if that has more bytes, whatever its header says. */
async function readUpTo(response, most) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const pieces = [];
  for (let size = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return pieces.join("") + decoder.decode();
    size += value.length;
    if (size > most) {
      await reader.cancel();
      return null;
    }
    pieces.push(decoder.decode(value, { stream: true }));
  }
}
