// Task queues: what waits, what runs, and who works.

import { all, ifRefused, pageQuery, path, queue } from "./api.js";
import { h, swap } from "./dom.js";
import { count, span } from "./format.js";
import { showPages } from "./paging.js";
import { column, failure, heading, message, table, when } from "./parts.js";
import { every } from "./polling.js";

const QUEUES_ON_A_PAGE = 25;
const TASKS_SHOWN = 50;

export function showQueues(main, _, signal) {
  const list = h("div");
  main.append(heading("Queues"), list);
  showPages(list, signal, queues, overview);
}

async function queues(token) {
  const route = `/task-queues${pageQuery(QUEUES_ON_A_PAGE, token)}`;
  const answer = await queue("GET", route).catch(ifRefused(() => queuesByOldNames(token)));
  const withCounts = async (one) => ({ ...one, ...(await counts(one.taskQueueId)) });
  return { ...answer, taskQueues: await Promise.all(answer.taskQueues.map(withCounts)) };
}

// Everybody may list provisioners and worker types, which is the same; pages of these begin at a number.
async function queuesByOldNames(token) {
  const names = (await all("/provisioners", "provisioners")).map(({ provisionerId }) => provisionerId);
  const types = names.map((name) => all(`${path("provisioners", name)}/worker-types`, "workerTypes"));
  const found = (await Promise.all(types)).flat();
  const [from, to] = [Number(token), Number(token) + QUEUES_ON_A_PAGE];
  const taskQueues = found
    .slice(from, to)
    .map((one) => ({ ...one, taskQueueId: `${one.provisionerId}/${one.workerType}` }));
  return { taskQueues, continuationToken: to < found.length ? String(to) : undefined };
}

/** How much waits and runs in a queue, as far as the caller may know. */
function counts(id) {
  const pending = () => queue("GET", path("pending", id)).catch(ifRefused(() => ({})));
  return queue("GET", `${path("task-queues", id)}/counts`).catch(ifRefused(pending));
}

function overview({ taskQueues }) {
  if (taskQueues.length === 0) {
    const why = "No queue yet: the first task, or the first worker that asks for one, makes it.";
    return h("div", { class: "empty" }, h("p", {}, why));
  }
  const columns = ["Queue", column("Pending", "number"), column("Claimed", "number"), column("Last active", "when")];
  return table("Queues", columns, taskQueues.map((one) => [
    h("a", { class: "row", href: `#/queue/${one.taskQueueId}`, "data-key": one.taskQueueId }, one.taskQueueId),
    one.pendingTasks?.toLocaleString("en") ?? "–",
    one.claimedTasks?.toLocaleString("en") ?? "–",
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
  const columns = ["Task", column("Priority", "detail"), column("Waiting", "when")];
  const row = ({ taskId, task, inserted }) => [link(taskId, task), task.priority, span(inserted)];
  const { pendingTasks: number } = await counts(id);
  return tasksOf(id, "pending", columns, row, { title: "Pending", number, nothing: "Nothing waits here." });
}

async function claimedTasks(id) {
  const columns = ["Task", column("Worker", "detail"), column("For", "when")];
  const row = (one) => [link(one.taskId, one.task), `${one.workerGroup}/${one.workerId}`, span(one.claimed)];
  const { claimedTasks: number } = await counts(id);
  return tasksOf(id, "claimed", columns, row, { title: "Claimed", number, nothing: "Nothing runs." });
}

async function tasksOf(id, which, columns, row, about) {
  const asked = queue("GET", `${path("task-queues", id)}/${which}?limit=${TASKS_SHOWN}`);
  const shown = asked.then(({ tasks }) => section(about, columns, tasks.map(row)));
  // How many there are is for more people to know than which.
  return shown.catch(ifRefused((error) => [title(about), failure(error)]));
}

async function workers(_, provisionerId, workerType) {
  const found = await all(`${path("provisioners", provisionerId, "worker-types", workerType)}/workers`, "workers", 500);
  const columns = ["Worker", column("Last task", "detail"), column("Last active", "when")];
  const rows = found.map((worker) => [
    [h("strong", {}, `${worker.workerGroup}/${worker.workerId}`), quarantined(worker)],
    latest(worker.latestTask),
    when(worker.lastDateActive),
  ]);
  const nothing = "No worker has asked for tasks.";
  return section({ title: "Workers", number: found.length, nothing }, columns, rows);
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

function section(about, columns, rows) {
  if (rows.length === 0) return [title(about), message(about.nothing)];
  const more = about.number > rows.length ? `The first ${rows.length} of ${count(about.number, "task")}.` : null;
  return [title(about), table(about.title, columns, rows), more && message(more)];
}

function title({ title: text, number }) {
  return h("h2", {}, text, " ", number !== undefined && h("span", { class: "number" }, number.toLocaleString("en")));
}

function link(taskId, task) {
  return h("a", { class: "row", href: `#/task/${taskId}`, "data-key": taskId }, task.metadata.name);
}
