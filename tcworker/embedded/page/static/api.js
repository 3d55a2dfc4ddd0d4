// Calls of Taskcluster's services, signed by whoever uses the page.

import { canSign, sign, signedUrl } from "./hawk.js";
import { credentials } from "./session.js";

const GOOD_FOR = 15 * 60;

/** A call that was refused or not answered; `status` is 0 when nobody answered. */
export class CallFailed extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** A path of encoded parts: `path("task", id)`. Parts of several names (artifacts) keep no slash of theirs. */
export function path(...parts) {
  return parts.map((part) => `/${encodeURIComponent(part)}`).join("");
}

export function queue(method, route, body) {
  return call(method, `/api/queue/v1${route}`, body);
}

export function page(method, route, body) {
  return call(method, `/api/page/v1${route}`, body);
}

/** The query of one page of a list; `token` is empty for the first. */
export function pageQuery(limit, token) {
  return `?limit=${limit}${token && `&continuationToken=${encodeURIComponent(token)}`}`;
}

/** Call all pages of a list, up to so many items of it. */
export async function all(route, name, most = 1000) {
  const items = [];
  let token = "";
  do {
    const answer = await queue("GET", `${route}${pageQuery(Math.min(most, 1000), token)}`);
    items.push(...answer[name]);
    token = answer.continuationToken ?? "";
  } while (token && items.length < most);
  return items;
}

/** The address of an artifact: good for a quarter of an hour when it takes more than anybody has to read it. */
export async function artifactUrl(taskId, runId, name) {
  const url = new URL(`/api/queue/v1${path("task", taskId, "runs", runId, "artifacts", name)}`, location.origin);
  const signer = credentials();
  const open = name.startsWith("public/") || signer === null || !canSign;
  return open ? url : signedUrl(url, signer, GOOD_FOR);
}

/** For `catch`: what to do instead of a call for which the caller's scopes did not do. */
export function ifRefused(instead) {
  return (error) => {
    if (error.status !== 403) throw error;
    return instead(error);
  };
}

async function call(method, target, body) {
  const url = new URL(target, location.origin);
  const headers = {};
  const text = body === undefined ? "" : JSON.stringify(body);
  const signer = credentials();
  if (signer !== null && canSign) headers.Authorization = await sign(method, url, signer, text);
  if (text) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, { method, headers, body: text || undefined, credentials: "omit" });
  } catch {
    throw new CallFailed(0, "The server does not answer. Is it still running?");
  }
  return read(response);
}

async function read(response) {
  const text = await response.text();
  const answer = text ? parse(text) : {};
  if (response.ok) return answer;
  // What follows the rule is for those who wrote the call.
  const said = (answer.message ?? answer.error ?? response.statusText).split("\n\n---\n")[0];
  throw new CallFailed(response.status, said);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text };
  }
}
