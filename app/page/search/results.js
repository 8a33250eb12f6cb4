// The three lists of answers, and the time they took.

import { mediaUrl } from "../api.js";
import { byId, make } from "../dom.js";
import { text } from "../text.js";
import { arrange } from "./lists.js";
import { playButton } from "./wave.js";

const SOUND = /\.(wav|flac|mp3|ogg|opus|webm|m4a|aac|aiff?)$/i;
// Up to here a drawing with air around it; anything larger fills its tile.
const DRAWING_PX = 160;
const STAGES = ["decode", "queue", "encode", "search"];

/**
 * @typedef {{id: string, rank: number, score: number, uri: string | null, caption: string | null}} Result
 * @typedef {{keyword: string, score: number, rank: number}} Keyword
 * @typedef {{results: Result[], keywords?: Keyword[], collection: {name: string, count?: number},
 *   timings_ms: Record<string, number>, query: {truncated: boolean}}} Answer
 */

/** @param {Result} result */
export const nameOf = (result) => result.caption || result.id;

/** @param {number} score a cosine */
export const scoreText = (score) => score.toFixed(3);

/** @param {Answer} answer @param {(index: number) => void} open */
export function showImages(answer, open) {
  const { name } = answer.collection;
  fill("images", answer, answer.results, (result) => `${name}/${result.id}`, (entry, result, index) => {
    const tile = entry.firstElementChild ?? entry.appendChild(
      make("button", "tile", picture(name, result), make("span", "name", nameOf(result)), scored()),
    );
    entry.dataset.id = result.id;
    tellScore(tile, result);
    tile.onclick = () => open(index);
  });
}

/** @param {Answer} answer @param {(text: string) => void} search */
export function showCaptions(answer, search) {
  const best = Math.max(answer.results[0]?.score ?? 0, 1e-6);
  fill("captions", answer, answer.results, (result) => `${answer.collection.name}/${result.id}`, (entry, result) => {
    if (!entry.firstElementChild) entry.append(...caption(answer.collection.name, result, search));
    tellScore(entry, result);
    entry.lastElementChild.style.setProperty("--share", String(Math.max(0, result.score / best)));
  });
}

/** @param {Answer} answer @param {(text: string) => void} search */
export function showKeywords(answer, search) {
  fill("keywords", answer, answer.keywords, (found) => found.keyword, (entry, found) => {
    const chip = entry.firstElementChild ?? entry.appendChild(
      make("button", "", make("span", "name", found.keyword), scored()),
    );
    tellScore(chip, found);
    chip.onclick = () => search(found.keyword);
  });
}

/** Says in one panel why it has nothing to show. @param {string} panel @param {string} words */
export function showNote(panel, words) {
  byId(panel).replaceChildren();
  note(panel, words);
}

function note(panel, words) {
  const section = byId(panel).parentElement;
  section.querySelector("small").textContent = "";
  const line = section.querySelector(".note");
  line.textContent = words;
  line.hidden = !words;
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

/** @param {string} panel @param {(item: any) => string} keyOf @param {(entry: any, item: any, index: number) => void} draw */
function fill(panel, answer, items, keyOf, draw) {
  note(panel, items.length ? "" : text("search.nothing"));
  arrange(byId(panel), items, keyOf, draw);
  const { count } = answer.collection;
  const told = count === undefined ? "" : text("search.nearest", { count });
  byId(panel).parentElement.querySelector("small").textContent = told;
}

function scored() {
  const element = make("span", "score");
  element.title = text("search.score");
  return element;
}

function tellScore(element, result) {
  element.querySelector(".score").textContent = scoreText(result.score);
}

/** @returns {HTMLElement[]} a line to search with, and before it what plays the sound where there is one */
function caption(collection, result, search) {
  const line = make("button", "line", make("span", "name", nameOf(result)), scored());
  line.addEventListener("click", () => search(nameOf(result)));
  if (!SOUND.test(result.uri ?? "")) return [line];
  const audio = new Audio();
  audio.preload = "none";
  audio.src = mediaUrl(collection, result.id);
  return [playButton(audio, nameOf(result)), line];
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
