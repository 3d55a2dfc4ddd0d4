// A stream of text cut into lines.

// Whoever prints no newline still gets lines: a browser would take long to lay out one of a megabyte.
const LONGEST = 8192;

export class Lines {
  constructor() {
    this.open = "";
  }

  /** Give the lines that are whole with this text; what follows them stays in `open`. */
  add(text) {
    const lines = (this.open + text).split("\n");
    this.open = lines.pop();
    const whole = lines.flatMap(cut);
    if (this.open.length > LONGEST) {
      const pieces = cut(this.open);
      this.open = pieces.pop();
      whole.push(...pieces);
    }
    return whole;
  }
}

/** What a terminal would show of a line in the end: a carriage return goes back to its start. */
export function shown(line) {
  const end = line.endsWith("\r") ? line.length - 1 : line.length;
  return line.slice(line.lastIndexOf("\r", end - 1) + 1, end);
}

function cut(line) {
  if (line.length <= LONGEST) return [line];
  const pieces = [];
  for (let from = 0; from < line.length; from += LONGEST) pieces.push(line.slice(from, from + LONGEST));
  return pieces;
}
