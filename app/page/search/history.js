// What was asked before, in this browser alone: words, kind and time. Of sounds and pictures nothing is kept.

import { byId, make } from "../dom.js";
import { text } from "../text.js";
import { language } from "../strings.js";

const KEY = "speechclip.asked";
const MOST = 20;
const MOST_CHARACTERS = 300;
const KINDS = ["text", "speech", "audio", "image", "record"];

/** @typedef {{kind: string, text: string, time: number}} Asked text: as typed, or the name of what was nearest */

export class History {
  /** @param {(words: string) => void} search */
  constructor(search) {
    this.search = search;
    byId("history-forget").addEventListener("click", () => {
      write([]);
      this.#show();
      byId("text").focus();
    });
    this.#show();
  }

  /** @param {string} kind @param {string} words */
  add(kind, words) {
    const asked = { kind, text: words.slice(0, MOST_CHARACTERS), time: Date.now() };
    const others = read().filter((one) => one.kind !== kind || one.text !== asked.text);
    write([asked, ...others].slice(0, MOST));
    this.#show();
  }

  #show() {
    const all = read();
    byId("history").hidden = !all.length;
    byId("history-list").replaceChildren(...all.map((asked) => make("li", "", this.#entry(asked))));
  }

  #entry({ kind, text: words, time }) {
    const button = make("button", "", make("span", "name", words), make("span", "score", text(`history.${kind}`)));
    button.title = new Date(time).toLocaleString(language);
    button.addEventListener("click", () => this.search(words));
    return button;
  }
}

/** @returns {Asked[]} newest first; nothing where the browser keeps nothing, or somebody else wrote something there */
function read() {
  try {
    const all = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return all.filter(isAsked).slice(0, MOST);
  } catch {
    return [];
  }
}

const isAsked = (one) => (
  KINDS.includes(one?.kind) && typeof one.text === "string" && one.text && Number.isFinite(one.time)
);

/** @param {Asked[]} all */
function write(all) {
  try {
    localStorage.setItem(KEY, JSON.stringify(all));
  } catch {
    // A browser that keeps nothing has no history.
  }
}
