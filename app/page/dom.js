// Small helpers over the document. Data only ever becomes text, never markup.

/** @param {string} id @returns {any} the element of the page with this id */
export const byId = (id) => document.getElementById(id);

/**
 * @param {string} tag @param {string} className @param {...(Node | string)} children
 * @returns {any} the new element
 */
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (tag === "button") element.type = "button";
  element.append(...children);
  return element;
}

/** @param {HTMLElement} element @param {string} value announced only when it changed */
export function say(element, value) {
  if (element.textContent !== value) element.textContent = value;
}
