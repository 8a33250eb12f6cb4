// The three lists of answers, and the time they took.

import { mediaUrl } from "../api.js";
import { byId, make } from "../dom.js";
import { text } from "../text.js";
import { playButton } from "./wave.js";

const SOUND = /\.(wav|flac|mp3|ogg|opus|webm|m4a|aac|aiff?)$/i;
// Up to here a drawing with air around it; anything larger fills its tile.
const DRAWING_PX = 160;
const STAGES = ["decode", "queue", "encode", "search"];

/**
 * @typedef {{id: string, rank: number, score: number, uri: string | null, caption: string | null}} Result
 * @typedef {{keyword: string, score: number, rank: number}} Keyword
 * @typedef {{results: Result[], keywords?: Keyword[], collection: {name: string, count: number},
 *   timings_ms: Record<string, number>, query: {truncated: boolean}}} Answer
 */

/** @param {Result} result */
export const nameOf = (result) => result.caption || result.id;

/** @param {number} score a cosine */
export const scoreText = (score) => score.toFixed(3);

/** @param {Answer} answer @param {(index: number) => void} open */
export function showImages(answer, open) {
  fill("images", answer, answer.results, (result, index) => {
    const name = make("span", "name", nameOf(result));
    const button = make("button", "tile", picture(answer.collection.name, result), name, score(result));
    button.addEventListener("click", () => open(index));
    return button;
  });
}

/** @param {Answer} answer @param {(text: string) => void} search */
export function showCaptions(answer, search) {
  const best = Math.max(answer.results[0]?.score ?? 0, 1e-6);
  fill("captions", answer, answer.results, (result) => {
    const line = make("button", "line", make("span", "name", nameOf(result)), score(result));
    line.style.setProperty("--share", String(Math.max(0, result.score / best)));
    line.addEventListener("click", () => search(nameOf(result)));
    if (!SOUND.test(result.uri ?? "")) return line;
    const audio = new Audio();
    audio.preload = "none";
    audio.src = mediaUrl(answer.collection.name, result.id);
    return [playButton(audio, nameOf(result)), line];
  });
}

/** @param {Answer} answer @param {(text: string) => void} search */
export function showKeywords(answer, search) {
  fill("keywords", answer, answer.keywords, (found) => {
    const chip = make("button", "", make("span", "name", found.keyword), score(found));
    chip.addEventListener("click", () => search(found.keyword));
    return chip;
  });
}

/** Says in one panel why it has nothing to show. @param {string} panel @param {string} words */
export function showNote(panel, words) {
  byId(panel).replaceChildren();
  const section = byId(panel).parentElement;
  section.querySelector("small").textContent = "";
  const note = section.querySelector(".note");
  note.textContent = words;
  note.hidden = !words;
}

/**
 * The parts add up to the whole: what no stage accounts for is the way there and back, and the threads between stages.
 * @param {Record<string, number>} timings of the stages @param {number} roundTrip both in milliseconds
 */
export function showTimings(timings, roundTrip) {
  const parts = STAGES.map((stage) => [stage, timings[stage] ?? 0]);
  const accounted = parts.reduce((sum, [, ms]) => sum + ms, 0);
  parts.push(["network", Math.max(0, roundTrip - accounted)]);
  const shown = parts.filter(([, ms]) => ms >= 0.05);
  byId("timings-bar").replaceChildren(...shown.map(([stage, ms]) => {
    const bar = make("i", `part-${stage}`);
    bar.style.flexGrow = String(ms);
    return bar;
  }));
  const words = shown.map(([stage, ms]) => (
    make("span", `part-${stage}`, `${text(`search.stage.${stage}`)} ${milliseconds(ms)}`)
  ));
  byId("timings-text").replaceChildren(make("strong", "", `${milliseconds(roundTrip)} ms`), ...words);
  byId("timings").hidden = false;
}

const milliseconds = (ms) => (ms < 9.95 ? ms.toFixed(1) : ms.toFixed(0));

/** @param {string} panel @param {(item: any, index: number) => Node | Node[]} draw */
function fill(panel, answer, items, draw) {
  showNote(panel, items.length ? "" : text("search.nothing"));
  byId(panel).replaceChildren(...items.map((item, index) => make("li", "", ...[draw(item, index)].flat())));
  const count = answer.collection.count;
  byId(panel).parentElement.querySelector("small").textContent = text("search.nearest", { count });
}

function score(result) {
  const element = make("span", "score", scoreText(result.score));
  element.title = text("search.score");
  return element;
}

/** The caption beside it names the picture, so it has no text of its own unless there is none. */
function picture(collection, result) {
  const image = make("img");
  image.alt = result.caption ? "" : result.id;
  image.loading = "lazy";
  image.decoding = "async";
  image.src = mediaUrl(collection, result.id);
  const frame = make("span", "frame", image);
  image.addEventListener("load", () => frame.classList.toggle("photo", image.naturalWidth > DRAWING_PX));
  image.addEventListener("error", () => {
    image.remove();
    frame.classList.add("missing");
    frame.dataset.missing = text("picture.missing");
  });
  return frame;
}
