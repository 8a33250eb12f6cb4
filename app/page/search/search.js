// Searching: one query at a time, understood once, and asked of three collections at once.

import { Problem, patientRequest } from "../api.js";
import { byId, make, say } from "../dom.js";
import { bytesText, text } from "../text.js";
import { hideHeard, showHeard } from "./heard.js";
import { fromFile, fromSpeech, fromText, toRequest, vectorRequest } from "./query.js";
import { nameOf, showCaptions, showImages, showKeywords, showNote, showTimings } from "./results.js";
import { SpeakButton } from "./speak.js";
import { Viewer } from "./viewer.js";
import { Player } from "./wave.js";

const PANELS = { images: "search/images?top_k=18", keywords: "keywords?top_k=12", captions: "search/captions?top_k=8" };
const SLOTTED = "cascaded"; // the branch that tells which words were said when

let controller = new AbortController();
/** @type {import("./query.js").Query | null} */
let asked = null;
/** @type {Player | null} */
let player = null;

/** @type {import("../app.js").Shell} */
let shell;
/** @type {Viewer} */
let viewer;
/** @type {SpeakButton} */
let speak;

/** The view to speak to. @param {import("../app.js").Shell} given @returns {import("../views.js").View} */
export function makeSearch(given) {
  shell = given;
  viewer = new Viewer(searchWithPicture);
  speak = new SpeakButton({
    limit: () => shell.limits.maxSeconds,
    onStart: () => { controller.abort(); showBusy(false); hideProblem(); player?.audio.pause(); },
    onRecording: (recording) => ask(fromSpeech(recording)),
    onProblem: (message) => showProblem(message, "", false),
    onStatus: (words) => say(byId("status"), words),
  });
  bindControls();
  return { show: () => {}, hide: giveUp, files: searchFile, dropWords: () => "search.drop" };
}

/** Asks everything about one query; an older one is given up. @param {import("./query.js").Query} query */
async function ask(query) {
  controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  asked = query;
  hideProblem();
  if (query.blob?.size === 0) return refuse(new Problem("empty"));
  showQuery(query);
  const { maxBytes } = shell.limits;
  if (query.blob?.size > maxBytes) {
    return refuse(new Problem("body_too_large", text("megabytes", { size: bytesText(maxBytes) })));
  }
  showBusy(true, text("search.searching"));
  try {
    await search(query, signal);
  } catch (error) {
    if (!signal.aborted) refuse(error);
  }
}

/** The model hears the query once: the searches go with the vector that it made of it. */
async function search(query, signal) {
  const hasSlots = shell.branches.includes(SLOTTED);
  const heard = hasSlots && player ? await hear(query, signal) : null;
  const embedded = heard ?? await patiently("embed", toRequest(query), signal);
  const request = vectorRequest(embedded.answer.vector);
  const asked = Object.keys(PANELS).map((panel) => (
    panel === "keywords" && heard ? Promise.resolve(heard) : askPanel(panel, request, signal)
  ));
  const outcomes = await Promise.allSettled(asked);
  if (signal.aborted) return;
  showBusy(false);
  showOutcome(embedded, outcomes);
}

/** Keywords, words in time and the vector, all at once; null where there are no keywords to search. */
async function hear(query, signal) {
  try {
    const heard = await patiently(`${PANELS.keywords}&include=vector`, toRequest(query), signal);
    if (!signal.aborted) {
      showAnswer("keywords", heard.answer);
      showHeard(heard.answer, player.marks, searchText);
    }
    return heard;
  } catch (error) {
    if (error.code?.startsWith("collection_") || error.code === "model_mismatch") return null;
    throw error;
  }
}

/** @param {keyof typeof PANELS} panel */
async function askPanel(panel, request, signal) {
  const outcome = await patiently(PANELS[panel], request, signal);
  if (!signal.aborted) showAnswer(panel, outcome.answer);
  return outcome;
}

/** @param {string} path @param {RequestInit} options @param {AbortSignal} signal */
function patiently(path, options, signal) {
  return patientRequest(path, { ...options, signal }, {
    onWait: (seconds) => showBusy(true, text("search.busy", { seconds: Math.ceil(seconds) })),
    untilReady: async (waiting) => {
      showBusy(true, text("search.kept"));
      await shell.readiness.untilReady(waiting);
      showBusy(true, text("search.searching"));
    },
  });
}

function showAnswer(panel, answer) {
  document.body.dataset.view = "results";
  byId("results").hidden = byId("results").inert = false;
  if (panel === "images") {
    showImages(answer, (index) => viewer.open(answer, index));
  } else {
    (panel === "captions" ? showCaptions : showKeywords)(answer, searchText);
  }
}

function showOutcome(embedded, outcomes) {
  const answered = outcomes.filter((outcome) => outcome.status === "fulfilled").map((outcome) => outcome.value);
  if (!answered.length) return refuse(outcomes[0].reason);
  outcomes.forEach((outcome, index) => {
    if (outcome.status === "rejected") showNote(Object.keys(PANELS)[index], outcome.reason.message);
  });
  const { timings, roundTrip } = timeOf(embedded, answered);
  showTimings(timings, roundTrip);
  const first = answered[0].answer.results?.[0];
  const count = byId("images").children.length;
  const values = { count, ms: Math.round(roundTrip), name: first && nameOf(first) };
  const found = first ? text("search.found", values) : text("search.nothing");
  say(byId("status"), embedded.answer.query.truncated ? `${found} ${text("search.cut")}` : found);
}

/** Of all requests together; the searches run at the same time, so the slowest of them counts. */
function timeOf(embedded, answered) {
  const later = answered.filter((one) => one !== embedded).sort((one, other) => other.roundTrip - one.roundTrip);
  const roundTrip = embedded.roundTrip + (later[0]?.roundTrip ?? 0);
  const search = (embedded.answer.timings_ms.search ?? 0) + (later[0]?.answer.timings_ms.search ?? 0);
  return { timings: { ...embedded.answer.timings_ms, search }, roundTrip };
}

/** No answer at all: older results stay, but out of reach, so that nobody takes them for the answer. */
function refuse(error) {
  showBusy(false);
  byId("results").inert = true;
  byId("timings").hidden = true;
  if (error.code === "unreachable") shell.readiness.watch();
  const { message, detail } = error instanceof Problem ? error : new Problem("page", String(error));
  showProblem(message, detail, error.code !== "empty");
}

/** What was asked, to be seen or heard again. */
function showQuery(query) {
  player?.close();
  player = null;
  hideHeard();
  byId("query").hidden = false;
  byId("timings").hidden = true;
  shell.views.title("search", query.kind === "speech" ? "" : query.name);
  const content = byId("query-content");
  if (query.kind === "text") {
    content.replaceChildren(named(text("search.asked"), query.name));
  } else if (query.kind === "image") {
    content.replaceChildren(thumbnail(query.blob), named(text("search.picture"), query.name));
  } else {
    player = new Player(query.blob, query.name);
    content.replaceChildren(player.button, make("div", "wave", player.canvas, player.marks), player.label);
    player.load(query.blob);
  }
}

const named = (what, name) => make("p", "query-name", make("small", "", what), make("strong", "", name));

function thumbnail(blob) {
  const image = make("img");
  image.alt = "";
  image.src = URL.createObjectURL(blob);
  for (const event of ["load", "error"]) image.addEventListener(event, () => URL.revokeObjectURL(image.src));
  image.addEventListener("error", () => image.remove());
  return image;
}

/** @param {boolean} busy @param {string} words */
function showBusy(busy, words = "") {
  byId("results").setAttribute("aria-busy", String(busy));
  byId("status").toggleAttribute("data-busy", busy);
  say(byId("status"), words);
}

function showProblem(message, detail, canRetry) {
  say(byId("problem-title"), message);
  say(byId("problem-detail"), detail);
  byId("again").hidden = !canRetry;
  byId("problem").hidden = false;
}

function hideProblem() {
  byId("problem").hidden = true;
}

function searchText(words) {
  byId("text").value = words;
  ask(fromText(words));
}

async function searchWithPicture(url, name) {
  try {
    const response = await fetch(url);
    ask(fromFile(await response.blob(), name));
  } catch {
    refuse(new Problem("unreachable"));
  }
}

function searchFile(files) {
  speak.cancel();
  if (files.length) ask(fromFile(files[0], files[0].name));
}

function bindControls() {
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const words = byId("text").value.trim();
    if (words) searchText(words);
    else byId("text").focus();
  });
  byId("examples").addEventListener("click", (event) => {
    const chip = event.target.closest("button");
    if (chip) searchText(chip.textContent);
  });
  byId("choose").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", () => {
    searchFile([...byId("file").files]);
    byId("file").value = "";
  });
  byId("again").addEventListener("click", () => ask(asked));
  byId("dismiss").addEventListener("click", hideProblem);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && shell.views.current === "search" && !document.querySelector("dialog[open]")) giveUp();
  });
}

function giveUp() {
  const recording = speak.cancel();
  const searching = byId("status").hasAttribute("data-busy");
  controller.abort();
  if (recording || searching) showBusy(false, text("speak.cancelled"));
}
