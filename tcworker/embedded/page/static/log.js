// A log on the page: its last lines, following its end unless somebody scrolls up or pauses it.

import { Ansi } from "./ansi.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { Lines, shown } from "./lines.js";

export const MOST = 10_000;
const BLOCK = 500;
const AT_ONCE = 2_000;
const NEAR = 30;
const SOON = 60;
const TAIL = 2_000;

export class LogView {
  #blocks = [];
  #waiting = [];
  #top = 0;
  #height = 0;
  #scheduled = false;
  #wait = SOON;

  /** `whole` is where all of the log can be had. */
  constructor(whole) {
    this.following = true;
    this.paused = false;
    this.status = h("span", { class: "log-status", role: "status" });
    this.pauseButton = h("button", { type: "button", click: () => this.#pause(!this.paused) }, "Pause");
    this.endButton = h("button", { type: "button", click: () => this.#follow() }, "Scroll to the end");
    const link = h("a", { class: "button", href: whole, target: "_blank", rel: "noopener noreferrer" }, "Whole log");
    const named = { role: "log", "aria-live": "off", "aria-label": "Log", tabindex: "0" };
    this.lines = h("div", { class: "log", ...named, scroll: () => this.#scrolled() });
    this.open = h("div", { class: "line open" });
    const top = h("div", { class: "log-bar" }, this.status, this.pauseButton, this.endButton, link);
    this.element = h("section", { class: "log-box" }, top, this.lines);
    this.restart();
  }

  /** Begin anew: what comes is the log from its beginning. */
  restart() {
    this.splitter = new Lines();
    this.ansi = new Ansi();
    this.received = 0;
    this.tail = "";
    this.total = 0;
    this.dropped = 0;
    this.#waiting = [];
    this.#blocks = [];
    this.lines.replaceChildren();
    this.#show();
  }

  /** More of the log. What came in all is known by its length, in characters, and its end. */
  add(text) {
    this.received += text.length;
    this.tail = (this.tail + text).slice(-TAIL);
    this.#waiting = this.#waiting.concat(this.splitter.add(text));
    // Whoever gets more than fits sees the last of it; twice as many may wait, so that they are seldom moved.
    if (this.#waiting.length > 2 * MOST) this.#drop(this.#waiting.length - MOST);
    this.#schedule();
  }

  /** Say something about the log, in the log's own place. */
  say(text, kind = "") {
    this.note = text;
    this.kind = kind;
    this.#show();
  }

  /** Nothing more will come. */
  end() {
    if (this.paused) this.#pause(false);
    this.pauseButton.hidden = true;
  }

  #drop(number) {
    for (const line of this.#waiting.slice(0, number)) this.ansi.skip(line);
    this.#waiting = this.#waiting.slice(number);
    this.total += number;
    this.dropped += number;
  }

  #schedule() {
    if (this.#scheduled || this.paused) return this.#show();
    this.#scheduled = true;
    // Not by animation frames, which do not come to a tab in the background.
    setTimeout(() => this.#flush(), this.#wait);
  }

  #flush() {
    this.#scheduled = false;
    if (this.paused) return;
    const began = performance.now();
    this.open.remove();
    if (this.#waiting.length > MOST) this.#drop(this.#waiting.length - MOST);
    for (const line of this.#waiting.splice(0, AT_ONCE)) this.#append(line);
    this.#trim();
    this.#showOpen();
    this.#show();
    if (this.following) this.lines.scrollTop = this.lines.scrollHeight;
    // The browser has at least twice that time for other things.
    this.#wait = Math.max(SOON, 2 * (performance.now() - began));
    if (this.#waiting.length > 0) this.#schedule();
  }

  #append(line) {
    let block = this.#blocks.at(-1);
    if (block === undefined || block.childElementCount >= BLOCK) {
      block = h("div", { class: "block" });
      this.#blocks.push(block);
      this.lines.append(block);
    }
    this.total += 1;
    block.append(h("div", { class: "line", "data-n": this.total }, spans(this.ansi.parse(shown(line)))));
  }

  #showOpen() {
    if (this.splitter.open === "") return;
    const style = this.ansi.style;
    this.open.dataset.n = this.total + 1;
    this.open.replaceChildren(...spans(this.ansi.parse(shown(this.splitter.open))));
    // It is parsed again when it is whole.
    this.ansi.style = style;
    this.lines.append(this.open);
  }

  #trim() {
    while (this.#blocks.length > MOST / BLOCK) {
      this.dropped += this.#blocks[0].childElementCount;
      this.#blocks.shift().remove();
    }
  }

  #pause(paused) {
    this.paused = paused;
    this.pauseButton.textContent = paused ? "Resume" : "Pause";
    this.pauseButton.setAttribute("aria-pressed", paused);
    this.#schedule();
  }

  #follow() {
    this.following = true;
    if (this.paused) this.#pause(false);
    this.lines.scrollTop = this.lines.scrollHeight;
    this.#show();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.lines;
    if (scrollHeight - scrollTop - clientHeight < NEAR) this.following = true;
    // Upwards though nothing went away above: that was a person.
    else if (scrollTop < this.#top && scrollHeight >= this.#height) this.following = false;
    this.#top = scrollTop;
    this.#height = scrollHeight;
    this.#show();
  }

  #show() {
    const parts = [
      this.note,
      this.total > 0 && this.#extent(),
      this.paused && "paused",
      this.paused && this.#waiting.length > 0 && `${count(this.#waiting.length, "line")} waiting`,
      !this.following && "not following",
    ];
    const text = parts.filter(Boolean).join(" · ");
    if (this.status.textContent !== text) this.status.textContent = text;
    this.status.className = `log-status ${this.kind ?? ""}`;
    this.endButton.disabled = this.following && !this.paused;
  }

  #extent() {
    const lines = count(this.total, "line");
    return this.dropped > 0 ? `the last ${(this.total - this.dropped).toLocaleString("en")} of ${lines}` : lines;
  }
}

function spans(parts) {
  return parts.map(({ text, style }) => (plain(style) ? text : span(text, style)));
}

function plain(style) {
  return Object.values(style).every((value) => value === null || value === false);
}

function span(text, style) {
  const names = ["bold", "dim", "italic", "underline", "strike"].filter((name) => style[name]);
  const color = style.inverse ? (style.background ?? "inverse") : style.color;
  const background = style.inverse ? (style.color ?? "inverse") : style.background;
  const element = h("span", {}, text);
  paint(element, names, "f", "color", color);
  paint(element, names, "b", "backgroundColor", background);
  element.className = names.join(" ");
  return element;
}

function paint(element, names, letter, property, value) {
  if (typeof value === "number" || value === "inverse") names.push(letter + value);
  else if (value !== null) element.style[property] = value;
}
