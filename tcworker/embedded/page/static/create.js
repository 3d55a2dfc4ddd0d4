// A new task, written as YAML.

import { all, page, path, queue } from "./api.js";
import { h, swap } from "./dom.js";
import { failure, heading } from "./parts.js";
import { newSlugid } from "./slugid.js";

const example = (taskQueueId) => `# A task. What you leave out is filled in: created is now, the deadline tomorrow.
taskQueueId: ${taskQueueId}
metadata:
  name: hello
  description: Says hello, in green
  owner: you@example.com
  source: https://example.com/hello
payload:
  maxRunTime: 60
  command:
    # Each command is a list: a program and its arguments.
    - - sh
      - -euc
      - |
        for i in 1 2 3 4 5; do
          printf '\\033[32mhello\\033[0m %s\\n' $i
          sleep 1
        done
`;
const LENGTHS = { second: 1, minute: 60, hour: 3600, day: 86400, week: 604800 };
const USUAL_QUEUE = "local/tasks";
const UNNAMED = { name: "task", description: "", owner: "nobody@example.com", source: "https://example.com/" };

// What somebody wrote is not lost when they look at something else. `like` is the task that it was copied of.
const draft = { text: null, like: null };

export function showCreate(main, [likeId], signal) {
  const said = h("div");
  const text = editor(likeId);
  const button = h("button", { type: "submit", class: "primary" }, "Create task");
  const send = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const taskId = await create(text.value);
      draft.like = null;
      if (!signal.aborted) location.hash = `#/task/${taskId}`;
    } catch (error) {
      swap(said, failure(error));
    }
    button.disabled = false;
  };
  const anew = () => {
    Object.assign(draft, { text: null, like: null });
    fill(text, undefined, signal);
  };
  const form = h(
    "form",
    { submit: send, class: "create" },
    h("label", { for: "definition" }, "Definition, in YAML"),
    text,
    help(),
    said,
    h("div", { class: "actions" }, button, h("button", { type: "button", click: anew }, "Take the example")),
  );
  main.append(heading("Create a task"), form);
  fill(text, likeId, signal).catch((error) => swap(said, failure(error)));
}

function editor(likeId) {
  const written = { spellcheck: "false", rows: "22", "aria-describedby": "create-help" };
  const text = h("textarea", { id: "definition", class: "code", ...written });
  text.value = draft.text ?? example(USUAL_QUEUE);
  text.addEventListener("input", () => Object.assign(draft, { text: text.value, like: likeId ?? draft.like }));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit();
  });
  return text;
}

/** Show the task that the new one is to be like, else the draft, else the example. */
async function fill(text, likeId, signal) {
  const before = draft.text;
  const copied = likeId !== undefined && likeId !== draft.like;
  const content = copied ? await copyOf(likeId) : (draft.text ?? example(await queueInUse()));
  // Whoever has begun to write meanwhile, here or in this view opened once more, goes on.
  if (signal.aborted || draft.text !== before) return;
  text.value = content;
  if (copied) Object.assign(draft, { text: content, like: likeId });
}

/** The queue in which something happened last, where the caller may know it. */
async function queueInUse() {
  const queues = await all("/task-queues", "taskQueues").catch(() => []);
  const [last] = queues.sort((one, other) => other.lastDateActive.localeCompare(one.lastDateActive));
  return last?.taskQueueId ?? USUAL_QUEUE;
}

function help() {
  const date = h("code", {}, "{$fromNow: 2 hours}");
  return h("p", { id: "create-help", class: "help" }, "Ctrl and Enter create it, too. ", date, " stands for a date.");
}

// JSON is YAML, too. Dates and group of the other task are not the new one's.
async function copyOf(taskId) {
  const task = await queue("GET", path("task", taskId));
  const { created, deadline, expires, taskGroupId, dependencies, provisionerId, workerType, ...kept } = task;
  return JSON.stringify(kept, null, 2);
}

async function create(text) {
  const { value } = await page("POST", "/read-yaml", { text });
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Error("A definition has keys and values: see the example.");
  }
  const taskId = newSlugid();
  const now = Date.now();
  const filled = { created: date(now), deadline: date(now + LENGTHS.day * 1000), ...withDates(value, now) };
  filled.metadata = { ...UNNAMED, ...filled.metadata };
  await queue("PUT", path("task", taskId), filled);
  return taskId;
}

function withDates(value, now) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => withDates(item, now));
  if (typeof value.$fromNow === "string") return date(fromNow(value.$fromNow, now));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withDates(item, now)]));
}

function fromNow(text, now) {
  const [, amount, unit] = /^\s*(-?\d+)\s*(second|minute|hour|day|week)s?\s*$/.exec(text) ?? [];
  if (unit === undefined) throw new Error(`"${text}" is no time from now: write, for example, "2 hours".`);
  return now + amount * LENGTHS[unit] * 1000;
}

function date(milliseconds) {
  return new Date(milliseconds).toISOString();
}
