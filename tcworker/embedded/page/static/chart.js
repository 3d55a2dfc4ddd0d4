// The course of a run's resource use, drawn from an artifact that its worker made.

import { h, s } from "./dom.js";
import { bytes } from "./format.js";

const WIDTH = 600;
const HEIGHT = 120;
const MOST = 600;

const SERIES = {
  cpu: { title: "Processors", show: (value) => value.toFixed(2) },
  memory: { title: "Memory", show: bytes },
  disk: { title: "Disk, read and written so far", show: bytes, grows: true },
  processes: { title: "Processes", show: (value) => Math.round(value).toLocaleString("en") },
};

const OWN = "public/monitoring/resource-usage.json";

/**
 * The artifact that is the record of it, the worker's own rather than one that the task made:
 * `{"samples": [{"time": seconds, "cpu": processors, "memory": bytes, "disk": bytes, "processes": number}],
 * "totals": {"cpu": {"mean", "peak"}, "memory": …, "processes": …}}`, of which the totals may be missing.
 */
export function usageAmong(artifacts) {
  const found = artifacts.filter(({ name, storageType }) => isUsage(name) && storageType !== "error");
  return found.find(({ name }) => name === OWN) ?? found[0];
}

function isUsage(name) {
  return /(^|\/)(resource-usage|monitoring)\.json$/.test(name);
}

/** Draw every series that the samples have; text instead where they have none. */
export function charts(usage) {
  const given = Array.isArray(usage?.samples) ? usage.samples : [];
  const samples = thin(given.filter((sample) => Number.isFinite(sample?.time)));
  const drawn = Object.keys(SERIES).filter((key) => pointsOf(samples, key).length > 1);
  if (drawn.length === 0) return h("p", { class: "message" }, "The artifact holds no samples.");
  return h("div", { class: "charts" }, drawn.map((key) => chart(SERIES[key], pointsOf(samples, key), usage.totals?.[key])));
}

function pointsOf(samples, key) {
  return samples.filter((sample) => Number.isFinite(sample[key])).map((sample) => [sample.time, sample[key]]);
}

function thin(samples) {
  const step = Math.ceil(samples.length / MOST);
  return samples.filter((_, index) => index % step === 0 || index === samples.length - 1);
}

/** What is said of a series as a whole: by the totals if there are any, for samples may be put together of many. */
function summary({ show, grows }, values, totals) {
  const given = (key, own) => show(Number.isFinite(totals?.[key]) ? totals[key] : own);
  const peak = Math.max(...values);
  if (grows) return `${show(peak)} in all`;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return `peak ${given("peak", peak)}, mean ${given("mean", mean)}`;
}

function chart(series, points, totals) {
  const { title, show } = series;
  const start = points[0][0];
  const length = points.at(-1)[0] - start || 1;
  const values = points.map(([, value]) => value);
  const peak = Math.max(...values);
  const whole = summary(series, values, totals);
  const across = (time) => (((time - start) / length) * WIDTH).toFixed(1);
  const down = (value) => (HEIGHT - 4 - (value / (peak || 1)) * (HEIGHT - 12)).toFixed(1);
  const line = points.map(([time, value]) => `${across(time)},${down(value)}`).join(" L");
  const label = `${title}: ${whole}, over ${length.toFixed(0)} seconds`;
  const cursor = s("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
  const value = h("output", {}, whole);
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
    value.textContent = whole;
  });
  const ends = [h("span", {}, "0 s"), h("span", {}, `${length.toFixed(0)} s`)];
  const axis = h("div", { class: "axis", "aria-hidden": "true" }, ends);
  return h("figure", {}, h("figcaption", {}, h("strong", {}, title), value), picture, axis);
}
