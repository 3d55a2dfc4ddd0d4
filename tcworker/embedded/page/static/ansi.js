// Text with the escape sequences of terminals, taken apart. Colours and styles are kept, all else is dropped.

const ESCAPES = new RegExp(
  [
    // Styles; then whatever else begins like them, titles and links, short sequences, and lone control characters.
    /\x1b\[([0-9;:]*)m/,
    /\x1b\[[0-?]*[ -/]*[@-~]/,
    /\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?/,
    /\x1b[ -/]*[0-~]?/,
    /[\x00-\x08\x0b-\x1f\x7f-\x9f]/,
  ].map((one) => one.source).join("|"),
  "g",
);

const PLAIN = Object.freeze({
  color: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
});

const SWITCHES = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
  39: { color: null },
  49: { background: null },
};

/** Remembers between lines which style is on. */
export class Ansi {
  constructor() {
    this.style = PLAIN;
  }

  /** Take a line apart: `[{text, style}]`. */
  parse(line) {
    const parts = [];
    let from = 0;
    for (const found of line.matchAll(ESCAPES)) {
      if (found.index > from) parts.push({ text: line.slice(from, found.index), style: this.style });
      from = found.index + found[0].length;
      if (found[1] !== undefined) this.#apply(found[1]);
    }
    if (from < line.length) parts.push({ text: line.slice(from), style: this.style });
    return parts;
  }

  /** Know what a line does to the style of those that follow. */
  skip(line) {
    if (line.includes("\x1b")) this.parse(line);
  }

  #apply(parameters) {
    const codes = parameters.split(/[;:]/).map(Number);
    while (codes.length > 0) {
      const code = codes.shift();
      if (code === 0) this.style = PLAIN;
      else if (code === 38) this.#set({ color: extended(codes) });
      else if (code === 48) this.#set({ background: extended(codes) });
      else this.#set(SWITCHES[code] ?? basic(code));
    }
  }

  #set(changes) {
    this.style = { ...this.style, ...changes };
  }
}

function basic(code) {
  if (code >= 30 && code <= 37) return { color: code - 30 };
  if (code >= 40 && code <= 47) return { background: code - 40 };
  if (code >= 90 && code <= 97) return { color: code - 82 };
  if (code >= 100 && code <= 107) return { background: code - 92 };
  return {};
}

// One of 16 by its number, which the style sheet knows; every other colour as CSS has it.
function extended(codes) {
  const kind = codes.shift();
  if (kind === 2) return `rgb(${[0, 0, 0].map(() => Math.min(codes.shift() || 0, 255)).join(" ")})`;
  if (kind !== 5) return null;
  const index = codes.shift() || 0;
  if (index < 16) return index;
  if (index > 231) return `rgb(${Array(3).fill(Math.min(8 + (index - 232) * 10, 255)).join(" ")})`;
  const step = (value) => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return `rgb(${step(Math.floor(cube / 36))} ${step(Math.floor(cube / 6) % 6)} ${step(cube % 6)})`;
}
