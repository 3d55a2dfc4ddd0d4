// The course of a run's resource use, drawn from an artifact that its worker made.

import { h, s } from "./dom.js";
import { bytes } from "./format.js";

const WIDTH = 600;
const HEIGHT = 120;
const MOST = 600;

const SERIES = {
  cpu: { title: "Processors", show: (value) => value.toFixed(2) },
  memory: { title: "Memory", show: bytes },
  disk: { title: "Disk", show: bytes },
  processes: { title: "Processes", show: (value) => Math.round(value).toLocaleString("en") },
};

/**
 * Whether an artifact is the record of it:
 * `{"samples": [{"time": seconds, "cpu": processors, "memory": bytes, "disk": bytes, "processes": number}]}`.
 */
export function isUsage(name) {
  return /(^|\/)(resource-usage|monitoring)\.json$/.test(name);
}

/** Draw every series that the samples have; text instead where they have none. */
export function charts(usage) {
  const given = Array.isArray(usage?.samples) ? usage.samples : [];
  const samples = thin(given.filter((sample) => Number.isFinite(sample?.time)));
  const drawn = Object.keys(SERIES).filter((key) => pointsOf(samples, key).length > 1);
  if (drawn.length === 0) return h("p", { class: "message" }, "The artifact holds no samples.");
  return h("div", { class: "charts" }, drawn.map((key) => chart(SERIES[key], pointsOf(samples, key))));
}

function pointsOf(samples, key) {
  return samples.filter((sample) => Number.isFinite(sample[key])).map((sample) => [sample.time, sample[key]]);
}

function thin(samples) {
  const step = Math.ceil(samples.length / MOST);
  return samples.filter((_, index) => index % step === 0 || index === samples.length - 1);
}

function chart({ title, show }, points) {
  const start = points[0][0];
  const length = points.at(-1)[0] - start || 1;
  const peak = Math.max(...points.map(([, value]) => value));
  const mean = points.reduce((sum, [, value]) => sum + value, 0) / points.length;
  const across = (time) => (((time - start) / length) * WIDTH).toFixed(1);
  const down = (value) => (HEIGHT - 4 - (value / (peak || 1)) * (HEIGHT - 12)).toFixed(1);
  const line = points.map(([time, value]) => `${across(time)},${down(value)}`).join(" L");
  const label = `${title}: peak ${show(peak)}, mean ${show(mean)}, over ${length.toFixed(0)} seconds`;
  const cursor = s("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
  const value = h("output", {}, `peak ${show(peak)} · mean ${show(mean)}`);
  const picture = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("path", { class: "area", d: `M0,${HEIGHT} L${line} L${WIDTH},${HEIGHT} Z` }),
    s("path", { class: "stroke", d: `M${line}`, "vector-effect": "non-scaling-stroke" }),
    cursor,
  );
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const time = start + ((event.clientX - box.left) / box.width) * length;
    const distance = (point) => Math.abs(point[0] - time);
    const nearest = points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
    cursor.setAttribute("x1", across(nearest[0]));
    cursor.setAttribute("x2", across(nearest[0]));
    cursor.setAttribute("visibility", "visible");
    value.textContent = `${show(nearest[1])} at ${(nearest[0] - start).toFixed(1)} s`;
  });
  picture.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    value.textContent = `peak ${show(peak)} · mean ${show(mean)}`;
  });
  const ends = [h("span", {}, "0 s"), h("span", {}, `${length.toFixed(0)} s`)];
  const axis = h("div", { class: "axis", "aria-hidden": "true" }, ends);
  return h("figure", {}, h("figcaption", {}, h("strong", {}, title), value), picture, axis);
}
