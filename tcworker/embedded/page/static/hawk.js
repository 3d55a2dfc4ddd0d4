// Hawk signatures: who calls is proved by a MAC made here, so that the token itself never leaves the browser.

const encoder = new TextEncoder();

/** Whether this browser lets the page sign: it does so for HTTPS and for this very machine only. */
export const canSign = globalThis.crypto?.subtle !== undefined;

/** The Authorization header for one request. `url` is a URL object, just as it will be requested; `body` is JSON or "". */
export async function sign(method, url, credentials, body) {
  const time = Math.floor(Date.now() / 1000);
  const nonce = base64(crypto.getRandomValues(new Uint8Array(6)));
  const hash = body && (await hashOf(body));
  const mac = await macOf("header", credentials, [time, nonce, method, ...target(url), hash, ""]);
  const id = credentials.clientId.replace(/[\\"]/g, "\\$&");
  return `Hawk id="${id}", ts="${time}", nonce="${nonce}"${hash && `, hash="${hash}"`}, mac="${mac}"`;
}

/** Give a URL that is good for everybody who has it, for reading and for some seconds. */
export async function signedUrl(url, credentials, seconds) {
  const until = Math.floor(Date.now() / 1000) + seconds;
  const mac = await macOf("bewit", credentials, [until, "", "GET", ...target(url), "", ""]);
  const bewit = base64(encoder.encode([credentials.clientId, until, mac, ""].join("\\")));
  const signed = new URL(url);
  signed.searchParams.set("bewit", bewit.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""));
  return signed;
}

function target(url) {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  // What is signed of an address of IPv6 has no brackets.
  return [url.pathname + url.search, url.hostname.replace(/^\[|\]$/g, ""), port];
}

async function macOf(kind, credentials, fields) {
  const text = [`hawk.1.${kind}`, ...fields, ""].join("\n");
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(credentials.accessToken), algorithm, false, ["sign"]);
  return base64(new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text))));
}

async function hashOf(body) {
  const text = `hawk.1.payload\napplication/json\n${body}\n`;
  return base64(new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text))));
}

function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}
