// One document, several views: the part of the address after # says which is shown.

import { Problem } from "./api.js";
import { byId } from "./dom.js";
import { text } from "./text.js";
import { ProblemBox } from "./ui.js";

/**
 * @typedef {object} View
 * @property {(argument: string) => void} show what follows the name in the address, "" where nothing does
 * @property {() => void} [hide]
 * @property {(files: File[]) => void} [files] takes what was dropped or pasted
 * @property {() => string} [dropWords] the key of what a drop would do now, "" where files are not taken
 */

/** "#collections/red%20shoes" -> ["collections", "red shoes"] @param {string} hash */
function parse(hash) {
  const [, name, argument] = /^#([a-z]*)\/?(.*)$/s.exec(hash) ?? [null, "", ""];
  return [name, decoded(argument)];
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string} name @param {string} argument @returns {string} the address of a view */
export const linkTo = (name, argument = "") => `#${name}${argument && `/${encodeURIComponent(argument)}`}`;

export class Views {
  /** @type {Record<string, View>} */
  #made = {};
  /** @type {Record<string, Promise<View>>} */
  #making = {};
  #problem = new ProblemBox();
  /** @type {Record<string, string>} */
  #details = {};
  current = "";

  /** @param {Record<string, () => Promise<View>>} makers by name, the first is shown first; each is made when needed */
  constructor(makers) {
    this.makers = makers;
    window.addEventListener("hashchange", () => this.#go());
  }

  /** Shows the view that the address names. */
  start() {
    return this.#go();
  }

  /** Puts what a view is about into the title of the window. @param {string} name @param {string} detail */
  title(name, detail) {
    this.#details[name] = detail;
    if (name === this.current) this.#entitle();
  }

  /** The key of the words that say what becomes of files dropped now; "" where they are not taken. */
  get dropWords() {
    return this.#made[this.current]?.dropWords?.() ?? "";
  }

  /** Gives files to the view that is shown. @param {File[]} files */
  take(files) {
    if (this.dropWords) this.#made[this.current].files(files);
  }

  async #go() {
    const [asked, argument] = parse(location.hash);
    const name = asked in this.makers ? asked : Object.keys(this.makers)[0];
    const before = this.current;
    this.current = name;
    if (before !== name) this.#turn(before, name);
    this.#problem.element.remove();
    try {
      this.#making[name] ??= this.makers[name]();
      this.#made[name] = await this.#making[name];
    } catch {
      if (this.current === name) this.#fail(name);
      return;
    }
    if (this.current === name) this.#made[name].show(argument);
  }

  /** Its files did not come. Browsers differ in whether they fetch them again, but for a page that is loaded anew. */
  #fail(name) {
    byId(`view-${name}`).append(this.#problem.element);
    this.#problem.show(new Problem("unreachable"), () => location.reload());
  }

  #turn(before, name) {
    for (const other of Object.keys(this.makers)) byId(`view-${other}`).hidden = other !== name;
    document.body.dataset.shown = name;
    for (const link of document.querySelectorAll(".views a")) {
      if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.#entitle();
    if (!before) return;
    this.#made[before]?.hide?.();
    window.scrollTo(0, 0);
    byId(`view-${name}`).querySelector("h1").focus();
  }

  #entitle() {
    const view = this.current === Object.keys(this.makers)[0] ? "" : text(`nav.${this.current}`);
    document.title = [this.#details[this.current], view, text("title")].filter(Boolean).join(" – ");
  }
}
