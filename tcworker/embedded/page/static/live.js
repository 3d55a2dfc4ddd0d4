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
    const found = await readOnce(view, await artifactUrl(taskId, runId, name), last, signal);
    if (found === "another log") {
      await resumed(view, signal);
      view.restart();
    } else if (last) {
      return view.end();
    } else {
      await pause(AGAIN, signal);
    }
    if (signal.aborted) return;
  }
}

async function readOnce(view, url, last, signal) {
  try {
    const response = await fetch(url, { signal, cache: "no-store", credentials: "omit" });
    if (!response.ok) return await explain(view, response, last);
    view.say(last ? "Loading …" : "Live", last ? "" : "live");
    const same = await readBody(view, response, signal);
    view.say(last ? "Complete" : "Waiting for more …");
    return same ? "read" : "another log";
  } catch (error) {
    if (signal.aborted) return "left";
    const again = "The live log cannot be reached. Looking again …";
    view.say(last ? "The log could not be read to its end." : again, "bad");
    if (!(error instanceof TypeError)) throw error;
    return "not reached";
  }
}

async function explain(view, response, last) {
  const said = await response.json().catch(() => ({}));
  if (response.status === 404) view.say(last ? "This run has no log." : "No log yet. Looking again …");
  else if (response.status === 424) view.say(`There is no log: ${said.message ?? said.reason}`, "bad");
  else view.say(`The log cannot be read: ${(said.message ?? response.statusText).split("\n")[0]}`, "bad");
  return "refused";
}

/** Read to the end; `false` when that is not the log whose beginning is shown. */
async function readBody(view, response, signal) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const shown = new Shown(view);
  let until = performance.now() + SLICE;
  for (;;) {
    const { done, value } = await reader.read();
    if (done || signal.aborted) return shown.left === 0;
    const fresh = shown.pass(value);
    if (fresh === null) {
      await reader.cancel();
      return false;
    }
    view.add(fresh);
    // A large log comes faster than it is shown: the browser has its turn, too.
    if (performance.now() > until) {
      await new Promise((resolve) => setTimeout(resolve));
      until = performance.now() + SLICE;
    }
  }
}

/** Lets pass what is not shown yet: a log that is read once more stays where somebody reads it. */
class Shown {
  constructor({ received, tail }) {
    this.left = received;
    this.tail = tail;
    this.seen = "";
  }

  /** Give what is new; `null` when what should have been known was something else. */
  pass(text) {
    if (this.left === 0) return text;
    const again = text.slice(0, this.left);
    this.left -= again.length;
    this.seen = (this.seen + again).slice(-this.tail.length);
    return this.left === 0 && this.seen !== this.tail ? null : text.slice(again.length);
  }
}

async function resumed(view, signal) {
  while (view.paused && !signal.aborted) await pause(0.3, signal);
}
