// Task queues: what waits, what runs, and who works.

import { all, pageQuery, path, queue } from "./api.js";
import { h, swap } from "./dom.js";
import { count, span } from "./format.js";
import { column, failure, heading, message, pager, table, when } from "./parts.js";
import { every } from "./polling.js";

const AT_ONCE = 25;
const SHOWN = 50;

export function showQueues(main, _, signal) {
  const list = h("div");
  let tokens = [""];
  const look = async () => {
    const token = tokens.at(-1);
    const found = await queues(token).catch((error) => ({ error }));
    if (signal.aborted || token !== tokens.at(-1)) return;
    swap(list, found.error ? failure(found.error) : [overview(found.counted), pager(tokens, found.next, turn)]);
  };
  const turn = (next) => {
    tokens = next;
    look();
  };
  main.append(heading("Queues"), list);
  every(3, signal, look);
}

async function queues(token) {
  const answer = await queue("GET", `/task-queues${pageQuery(AT_ONCE, token)}`);
  const withCounts = async (one) => ({ ...one, ...(await counts(one.taskQueueId)) });
  return { counted: await Promise.all(answer.taskQueues.map(withCounts)), next: answer.continuationToken };
}

function counts(id) {
  return queue("GET", `${path("task-queues", id)}/counts`);
}

function overview(found) {
  if (found.length === 0) {
    const why = "No queue yet: the first task, or the first worker that asks for one, makes it.";
    return h("div", { class: "empty" }, h("p", {}, why));
  }
  const columns = ["Queue", column("Pending", "number"), column("Claimed", "number"), column("Last active", "when")];
  return table("Queues", columns, found.map((one) => [
    h("a", { class: "row", href: `#/queue/${one.taskQueueId}`, "data-key": one.taskQueueId }, one.taskQueueId),
    one.pendingTasks.toLocaleString("en"),
    one.claimedTasks.toLocaleString("en"),
    when(one.lastDateActive),
  ]));
}

export function showQueue(main, [provisionerId, workerType], signal) {
  const id = `${provisionerId}/${workerType}`;
  const parts = [pendingTasks, claimedTasks, workers].map((look) => ({ look, body: h("section") }));
  main.append(heading(id), ...parts.map(({ body }) => body));
  every(3, signal, () =>
    Promise.all(
      parts.map(async ({ look, body }) => {
        const content = await look(id, provisionerId, workerType).catch((error) => [failure(error)]);
        if (!signal.aborted) swap(body, content);
      }),
    ),
  );
}

async function pendingTasks(id) {
  const { pendingTasks: number } = await counts(id);
  const { tasks } = await queue("GET", `${path("task-queues", id)}/pending?limit=${SHOWN}`);
  const columns = ["Task", column("Priority", "type"), column("Waiting", "when")];
  const rows = tasks.map(({ taskId, task, inserted }) => [link(taskId, task), task.priority, span(inserted)]);
  return section("Pending", number, "Nothing waits here.", columns, rows);
}

async function claimedTasks(id) {
  const { claimedTasks: number } = await counts(id);
  const { tasks } = await queue("GET", `${path("task-queues", id)}/claimed?limit=${SHOWN}`);
  const columns = ["Task", column("Worker", "type"), column("For", "when")];
  const rows = tasks.map(({ taskId, task, workerGroup, workerId, claimed }) => [
    link(taskId, task),
    `${workerGroup}/${workerId}`,
    span(claimed),
  ]);
  return section("Claimed", number, "Nothing runs.", columns, rows);
}

async function workers(_, provisionerId, workerType) {
  const found = await all(`${path("provisioners", provisionerId, "worker-types", workerType)}/workers`, "workers", 500);
  const columns = ["Worker", column("Last task", "type"), column("Last active", "when")];
  const rows = found.map((worker) => [
    [h("strong", {}, `${worker.workerGroup}/${worker.workerId}`), quarantined(worker)],
    latest(worker.latestTask),
    when(worker.lastDateActive),
  ]);
  return section("Workers", found.length, "No worker has asked for tasks.", columns, rows);
}

function latest(task) {
  if (!task) return "";
  const href = `#/task/${task.taskId}/log/${task.runId}`;
  return h("a", { href, "data-key": `latest-${task.taskId}` }, h("code", {}, task.taskId));
}

function quarantined({ quarantineUntil }) {
  const until = quarantineUntil && new Date(quarantineUntil) > Date.now();
  return until ? h("span", { class: "under bad" }, "quarantined, ends ", when(quarantineUntil)) : null;
}

function section(title, number, nothing, columns, rows) {
  const heading = h("h2", {}, title, " ", h("span", { class: "number" }, number.toLocaleString("en")));
  if (rows.length === 0) return [heading, message(nothing)];
  const more = number > rows.length ? message(`The first ${rows.length} of ${count(number, "task")}.`) : null;
  return [heading, table(title, columns, rows), more];
}

function link(taskId, task) {
  return h("a", { class: "row", href: `#/task/${taskId}`, "data-key": taskId }, task.metadata.name);
}
