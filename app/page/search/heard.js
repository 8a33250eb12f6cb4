// The words that a model with keyword slots has heard, and when: on the waveform, and in a list that says the same.

import { request } from "../api.js";
import { byId, make } from "../dom.js";
import { text, written } from "../text.js";
import { nearestAmong } from "./query.js";
import { playButtonOf } from "./wave.js";

const MOST = 12;
const REST_MS = 150; // a pointer that only passes by asks for nothing

/**
 * @typedef {{word: string, score: number, start: number, end: number}} Heard
 * @typedef {{start: number, end: number, known: boolean, words: {word: string, score: number}[]}} Slot
 */

/**
 * The nearest word of every slot that heard one of the vocabulary, each once, in the order in which they were said.
 * @param {Slot[]} slots @returns {Heard[]}
 */
function inTime(slots) {
  /** @type {Map<string, Heard>} */
  const best = new Map();
  for (const { start, end, words: [nearest] } of slots.filter(({ known }) => known)) {
    const before = nearest && best.get(nearest.word);
    if (nearest && !(before && before.score >= nearest.score)) best.set(nearest.word, { ...nearest, start, end });
  }
  const nearest = [...best.values()].sort((one, other) => other.score - one.score).slice(0, MOST);
  return nearest.sort((one, other) => one.start - other.start || one.end - other.end);
}

/**
 * @param {Slot[]} slots @param {number} seconds of the whole
 * @param {import("./wave.js").Player} player of the sound, on which the marks are drawn
 * @param {(text: string) => void} search
 */
export function showHeard(slots, seconds, player, search) {
  const entries = inTime(slots).map((heard) => new Entry(heard, seconds, player, search));
  player.marks.replaceChildren(...entries.map((entry) => entry.mark));
  byId("heard").replaceChildren(...entries.map((entry) => entry.element));
  byId("heard").hidden = !entries.length;
}

export function hideHeard() {
  byId("heard").replaceChildren();
  byId("heard").hidden = true;
}

/** One word: its place on the waveform, and what can be done with it. */
class Entry {
  /** @type {HTMLElement | null} */
  #tile = null;

  /** @param {Heard} heard */
  constructor(heard, seconds, player, search) {
    this.heard = heard;
    const span = [heard.start, heard.end].map((at) => written(at, { minimumFractionDigits: 1, maximumFractionDigits: 1 }));
    const time = text("heard.span", { start: span[0], end: span[1] });
    const play = () => player.playSpan(heard.start, heard.end);
    this.mark = make("i");
    this.mark.style.setProperty("--from", String(Math.min(1, heard.start / seconds)));
    this.mark.style.setProperty("--to", String(Math.min(1, heard.end / seconds)));
    this.mark.addEventListener("click", play);
    const chip = make("button", "", make("span", "name", heard.word), make("span", "score", time));
    chip.addEventListener("click", () => search(heard.word));
    this.element = make("li", "", playButtonOf(text("heard.play", { word: heard.word, time }), play), chip);
    this.#follow(this.mark, "pointerenter", "pointerleave");
    this.#follow(this.element, "pointerenter", "pointerleave");
    this.#follow(this.element, "focusin", "focusout");
  }

  #follow(element, begins, ends) {
    element.addEventListener(begins, () => this.#point(true));
    element.addEventListener(ends, () => this.#point(false));
  }

  #point(on) {
    for (const element of [this.mark, this.element]) element.classList.toggle("shown", on);
    clearTimeout(this.timer);
    this.#tile?.classList.remove("near");
    if (on) this.timer = setTimeout(() => this.#pointAtPicture(), REST_MS);
  }

  /** At the picture, among those that are shown, that is nearest to the word. */
  async #pointAtPicture() {
    const shown = new Map([...byId("images").children].map((entry) => [entry.dataset.id, entry]));
    const ids = [...shown.keys()];
    // It is only a hint: without it nothing is wrong.
    this.nearest ??= request("search/images", nearestAmong(this.heard.word, ids)).catch(() => ({ results: [] }));
    const { results: [found] } = await this.nearest;
    if (!this.mark.classList.contains("shown")) return;
    this.#tile = found ? shown.get(found.id)?.firstElementChild ?? null : null;
    this.#tile?.classList.add("near");
  }
}
