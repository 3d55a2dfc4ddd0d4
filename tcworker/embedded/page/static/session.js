// Who uses the page: credentials that came in the address, and live as long as this tab.

const PLACE = "credentials";

/**
 * Take credentials out of the address, where they would stay in sight and in the history.
 *
 * Gives those that somebody must be asked about first: any page can open this one at an address of its choice, and who
 * is in a session already, or looks at this page already, is not to work for somebody else without knowing it.
 */
export function takeFromAddress(first) {
  const address = new URLSearchParams(location.hash.slice(1));
  if (!address.has("accessToken")) return null;
  history.replaceState(null, "", `${location.pathname}#/groups`);
  const given = { clientId: address.get("clientId") ?? "", accessToken: address.get("accessToken") };
  const signer = credentials();
  if (signer === null && first) keep(given);
  else if (signer?.clientId !== given.clientId || signer.accessToken !== given.accessToken) return given;
  return null;
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
