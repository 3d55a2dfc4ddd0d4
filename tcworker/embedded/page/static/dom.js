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
    if (typeof value === "function") {
      element.addEventListener(name, value);
      element.listens = true;
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * Show other content in an element, and leave alone what is the same: a click takes a tenth of a second, and would be
 * lost on something that is taken away meanwhile. Whoever has the focus keeps it, if their `data-key` is there again.
 */
export function swap(container, ...children) {
  const focused = container.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const fresh = document.createDocumentFragment();
  fresh.append(...children.flat(3).filter(Boolean));
  morph(container, [...fresh.childNodes]);
  if (focused === undefined || container.contains(document.activeElement)) return;
  for (const element of container.querySelectorAll("[data-key]")) {
    if (element.dataset.key === focused) return element.focus({ preventScroll: true });
  }
}

function morph(container, fresh) {
  const old = [...container.childNodes];
  fresh.forEach((node, index) => {
    const was = old[index];
    if (was === undefined) container.append(node);
    else if (!was.isEqualNode(node)) become(was, node);
  });
  old.slice(fresh.length).forEach((node) => node.remove());
}

function become(was, node) {
  const alike = was.nodeName === node.nodeName && was instanceof Element && was.dataset.key === node.dataset.key;
  // What somebody listens to is replaced as a whole: the listeners know what was shown.
  if (!alike || was.listens || node.listens) return was.replaceWith(node);
  for (const name of was.getAttributeNames()) if (!node.hasAttribute(name)) was.removeAttribute(name);
  for (const name of node.getAttributeNames()) if (name !== "style") was.setAttribute(name, node.getAttribute(name));
  was.style.cssText = node.style.cssText;
  morph(was, [...node.childNodes]);
}

/** An identifier with a button that copies it, where the browser has a clipboard for pages. */
export function copyable(text) {
  const copy = async ({ target }) => {
    await navigator.clipboard.writeText(text);
    target.textContent = "Copied";
  };
  const named = { "aria-label": `Copy ${text}`, "data-key": `copy-${text}` };
  const button = h("button", { type: "button", class: "copy", ...named, click: copy }, "Copy");
  return h("span", { class: "id" }, h("code", {}, text), navigator.clipboard && button);
}
