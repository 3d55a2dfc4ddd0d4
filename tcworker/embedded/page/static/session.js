// Who uses the page: credentials that came in the address, and live as long as this tab.

const PLACE = "credentials";

/** Take credentials out of the address, where they would stay in sight and in the history. */
export function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (!given.has("accessToken")) return;
  keep({ clientId: given.get("clientId") ?? "", accessToken: given.get("accessToken") });
  history.replaceState(null, "", `${location.pathname}#/groups`);
}

/** The credentials of this tab; `null` for none. */
export function credentials() {
  return JSON.parse(sessionStorage.getItem(PLACE));
}

export function keep(given) {
  sessionStorage.setItem(PLACE, JSON.stringify(given));
}

export function forget() {
  sessionStorage.removeItem(PLACE);
}
