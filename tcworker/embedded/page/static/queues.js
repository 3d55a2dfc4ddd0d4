// Task queues: what waits, what runs, and who works.

import { all, path, queue } from "./api.js";
import { h, swap } from "./dom.js";
import { count, span } from "./format.js";
import { failure, heading, message, pager, table, when } from "./parts.js";
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
  const answer = await queue("GET", `/task-queues?limit=${AT_ONCE}${token && `&continuationToken=${encodeURIComponent(token)}`}`);
  const counted = await Promise.all(
    answer.taskQueues.map(async (one) => ({ ...one, ...(await queue("GET", `${path("task-queues", one.taskQueueId)}/counts`)) })),
  );
  return { counted, next: answer.continuationToken };
}

function overview(found) {
  if (found.length === 0) return h("div", { class: "empty" }, h("p", {}, "No queue yet: the first task, or the first worker that asks for one, makes it."));
  const columns = ["Queue", { name: "Pending", class: "number" }, { name: "Claimed", class: "number" }, { name: "Last active", class: "when" }];
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
  const { pendingTasks: number } = await queue("GET", `${path("pending", id)}`);
  const { tasks } = await queue("GET", `${path("task-queues", id)}/pending?limit=${SHOWN}`);
  const columns = ["Task", { name: "Priority", class: "type" }, { name: "Waiting", class: "when" }];
  return section(`Pending`, number, tasks.length, "Nothing waits here.", columns, tasks.map(({ taskId, task, inserted }) => [link(taskId, task), task.priority, span(inserted)]));
}

async function claimedTasks(id) {
  const { claimedTasks: number } = await queue("GET", `${path("task-queues", id)}/counts`);
  const { tasks } = await queue("GET", `${path("task-queues", id)}/claimed?limit=${SHOWN}`);
  const columns = ["Task", { name: "Worker", class: "type" }, { name: "For", class: "when" }];
  return section("Claimed", number, tasks.length, "Nothing runs.", columns, tasks.map(({ taskId, task, workerGroup, workerId, claimed }) => [link(taskId, task), `${workerGroup}/${workerId}`, span(claimed)]));
}

async function workers(_, provisionerId, workerType) {
  const found = await all(`${path("provisioners", provisionerId, "worker-types", workerType)}/workers`, "workers", 500);
  const columns = ["Worker", { name: "Last task", class: "type" }, { name: "Last active", class: "when" }];
  return section("Workers", found.length, found.length, "No worker has asked for tasks.", columns, found.map((worker) => [
    [h("strong", {}, `${worker.workerGroup}/${worker.workerId}`), quarantined(worker)],
    latest(worker.latestTask),
    when(worker.lastDateActive),
  ]));
}

function latest(task) {
  return task ? h("a", { href: `#/task/${task.taskId}/log/${task.runId}`, "data-key": `latest-${task.taskId}` }, h("code", {}, task.taskId)) : "";
}

function quarantined({ quarantineUntil }) {
  const until = quarantineUntil && new Date(quarantineUntil) > Date.now();
  return until ? h("span", { class: "under bad" }, "quarantined, ends ", when(quarantineUntil)) : null;
}

function section(title, number, shown, nothing, columns, rows) {
  const more = number > shown ? message(`The first ${shown} of ${count(number, "task")}.`) : null;
  return [h("h2", {}, title, h("span", { class: "number" }, number.toLocaleString("en"))), rows.length ? table(title, columns, rows) : message(nothing), more];
}

function link(taskId, task) {
  return h("a", { class: "row", href: `#/task/${taskId}`, "data-key": taskId }, task.metadata.name);
}
