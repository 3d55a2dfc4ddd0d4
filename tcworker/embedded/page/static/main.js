// Where the page begins: which view is shown for which address, and the keys that work everywhere.

import { showCreate } from "./create.js";
import { showGroup } from "./group.js";
import { showGroups } from "./groups.js";
import { showQueue, showQueues } from "./queues.js";
import { takeFromAddress } from "./session.js";
import { showTask } from "./task.js";
import { offer, showWho } from "./who.js";

const VIEWS = {
  groups: { show: showGroups, title: "Groups", tab: "groups" },
  group: { show: showGroup, title: "Group", tab: "groups" },
  task: { show: showTask, title: "Task", tab: "groups" },
  queues: { show: showQueues, title: "Queues", tab: "queues" },
  queue: { show: showQueue, title: "Queue", tab: "queues" },
  create: { show: showCreate, title: "Create task", tab: "create" },
};

const main = document.getElementById("main");
const find = document.getElementById("find-id");
let leave = new AbortController();

function show(first) {
  leave.abort();
  leave = new AbortController();
  const [name, ...params] = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  const view = VIEWS[name] ?? VIEWS.groups;
  document.title = `${view.title} · Taskcluster`;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === view.tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  view.show(main, params.map((param) => param || undefined), leave.signal);
  if (!first) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function step(by) {
  const rows = [...main.querySelectorAll("a.row")];
  const next = rows[Math.max(0, Math.min(rows.length - 1, rows.indexOf(document.activeElement) + by))];
  next?.focus();
}

document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input, textarea, select, dialog *");
  if (event.ctrlKey || event.metaKey || event.altKey || writing) return;
  const keys = { j: () => step(1), k: () => step(-1), "/": () => find.focus() };
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

document.getElementById("find").addEventListener("submit", (event) => {
  event.preventDefault();
  if (find.value.trim()) location.hash = `#/task/${encodeURIComponent(find.value.trim())}`;
  find.value = "";
});

document.querySelector(".skip").addEventListener("click", (event) => {
  // The address says which view is shown, and must not become that of the content.
  event.preventDefault();
  main.focus();
});

function begin(first) {
  const notice = document.getElementById("notice");
  const given = takeFromAddress(first);
  const showSigner = () => showWho(document.getElementById("who"), notice, () => show(true));
  showSigner();
  if (given !== null) {
    offer(notice, given, () => {
      showSigner();
      show(true);
    });
  }
  show(first);
}

addEventListener("hashchange", () => begin(false));
begin(true);
