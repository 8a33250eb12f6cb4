// The words that a model with keyword slots has heard, and when: marks under the sound, and a list that says the same.

import { byId, make } from "../dom.js";

const MOST = 12;

/**
 * @typedef {{word: string, score: number, start: number, end: number}} Heard
 * @typedef {{start: number, end: number, words: {word: string, score: number}[]}} Slot
 */

/**
 * The nearest word of every slot, each once, in the order in which they were said.
 * @param {Slot[]} slots @returns {Heard[]}
 */
function inTime(slots) {
  /** @type {Map<string, Heard>} */
  const best = new Map();
  for (const { start, end, words: [nearest] } of slots) {
    const before = nearest && best.get(nearest.word);
    if (nearest && !(before && before.score >= nearest.score)) best.set(nearest.word, { ...nearest, start, end });
  }
  const nearest = [...best.values()].sort((one, other) => other.score - one.score).slice(0, MOST);
  return nearest.sort((one, other) => one.start - other.start || one.end - other.end);
}

/**
 * @param {{slots: Slot[], query: {seconds: number}}} answer
 * @param {HTMLElement} marks under the sound, as wide as it @param {(text: string) => void} search
 */
export function showHeard(answer, marks, search) {
  const words = inTime(answer.slots);
  const drawn = words.map((heard) => mark(heard, answer.query.seconds));
  marks.replaceChildren(...drawn);
  byId("heard").replaceChildren(...words.map((heard, index) => make("li", "", chip(heard, drawn[index], search))));
  byId("heard").hidden = !words.length;
}

export function hideHeard() {
  byId("heard").replaceChildren();
  byId("heard").hidden = true;
}

/** @param {Heard} heard @param {number} seconds of the whole */
function mark(heard, seconds) {
  const element = make("i");
  element.style.setProperty("--from", String(Math.min(1, heard.start / seconds)));
  element.style.setProperty("--to", String(Math.min(1, heard.end / seconds)));
  return element;
}

/** @param {Heard} heard @param {HTMLElement} drawn its mark @param {(text: string) => void} search */
function chip(heard, drawn, search) {
  const time = make("span", "score", `${heard.start.toFixed(1)}–${heard.end.toFixed(1)} s`);
  const button = make("button", "", make("span", "name", heard.word), time);
  button.addEventListener("click", () => search(heard.word));
  for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => drawn.classList.add("shown"));
  for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => drawn.classList.remove("shown"));
  return button;
}
