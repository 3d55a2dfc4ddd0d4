// Names of tasks: random UUIDs of version 4, in 22 letters.

export function newSlugid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  // "Nice" ones do not begin with a dash, which command lines would take for an option.
  bytes[0] &= 0x7f;
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").slice(0, 22);
}
