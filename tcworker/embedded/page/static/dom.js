// Elements made of tags, attributes and text. Nothing here, nor anywhere else on this page, makes HTML of a string.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: functions become listeners, `null` and `false` attributes are left out, strings become text. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put other content into an element; whoever has the focus keeps it, if something with its `data-key` is there again. */
export function swap(container, ...children) {
  const focused = container.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  container.replaceChildren(...children.flat(3).filter(Boolean));
  if (focused) {
    for (const element of container.querySelectorAll("[data-key]")) {
      if (element.dataset.key === focused) return element.focus({ preventScroll: true });
    }
  }
}

/** Copies what it names to the clipboard. */
export function copyable(text) {
  const button = h("button", { type: "button", class: "copy", "aria-label": `Copy ${text}`, "data-key": `copy-${text}` }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return h("span", { class: "id" }, h("code", {}, text), button);
}
