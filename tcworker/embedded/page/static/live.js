// Reads the log of a run into a LogView, while it grows and when it is whole.

import { artifactUrl } from "./api.js";
import { pause } from "./polling.js";

const AGAIN = 2;
const SLICE = 40;

/**
 * Follow a log until it is whole or the view is left.
 *
 * `isResolved()` says whether the run is over: then what is read is all there will be.
 */
export async function followLog(view, { taskId, runId, name, isResolved }, signal) {
  for (;;) {
    const last = isResolved();
    const url = await artifactUrl(taskId, runId, name);
    const whole = await readOnce(view, url, last, signal);
    if (signal.aborted || (last && whole !== "look again")) return;
    await pause(AGAIN, signal);
  }
}

async function readOnce(view, url, last, signal) {
  try {
    const response = await fetch(url, { signal, cache: "no-store", credentials: "omit" });
    if (!response.ok) return await explain(view, response, last);
    await readBody(view, response, last, signal);
    view.say(last ? "Complete" : "Live");
  } catch (error) {
    if (signal.aborted) return "left";
    view.say(last ? "The log could not be read to its end." : "The live log cannot be reached. Looking again …", "bad");
    if (!(error instanceof TypeError)) throw error;
  }
  return "read";
}

async function explain(view, response, last) {
  const said = await response.json().catch(() => ({}));
  if (response.status === 404) view.say(last ? "This run has no log." : "No log yet. Looking again …");
  else if (response.status === 424) view.say(`There is no log: ${said.message ?? said.reason}`, "bad");
  else view.say(`The log cannot be read: ${(said.message ?? response.statusText).split("\n")[0]}`, "bad");
  return "refused";
}

async function readBody(view, response, last, signal) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let began = false;
  let until = performance.now() + SLICE;
  for (;;) {
    const { done, value } = await reader.read();
    if (done || signal.aborted) return;
    if (!began) view.restart();
    if (!began) view.say(last ? "Loading …" : "Live", last ? "" : "live");
    began = true;
    view.add(value);
    // A large log comes faster than it is shown: the browser has its turn, too.
    if (performance.now() > until) {
      await new Promise((resolve) => setTimeout(resolve));
      until = performance.now() + SLICE;
    }
  }
}
