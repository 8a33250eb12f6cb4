// Searching: one query at a time, understood once, and asked of three collections at once; speech already while it is
// being said.

import { Problem, download, patientRequest } from "../api.js";
import { byId, say } from "../dom.js";
import { bytesText, text } from "../text.js";
import { linkTo } from "../views.js";
import { AskedView } from "./asked.js";
import { showHeard } from "./heard.js";
import { History } from "./history.js";
import { Live } from "./live.js";
import { fromFile, fromRecord, fromSpeech, fromText, heardRequest, toRequest, vectorRequest } from "./query.js";
import { nameOf, showCaptions, showImages, showKeywords, showNote, showTimings } from "./results.js";
import { SpeakButton } from "./speak.js";
import { Viewer } from "./viewer.js";

const PANELS = { images: "search/images?top_k=18", keywords: "keywords?top_k=12", captions: "search/captions?top_k=8" };

let controller = new AbortController();
/** @type {import("./query.js").Query | null} */
let asked = null;
/** @type {Live | null} */
let live = null;

/** @type {import("../app.js").Shell} */
let shell;
/** @type {AskedView} */
let askedView;
/** @type {History} */
let history;
/** @type {Viewer} */
let viewer;
/** @type {SpeakButton} */
let speak;

/** The view to speak to. @param {import("../app.js").Shell} given @returns {import("../views.js").View} */
export function makeSearch(given) {
  shell = given;
  askedView = new AskedView();
  history = new History(searchText);
  viewer = new Viewer((record, name) => ask(fromRecord(record, name)));
  speak = new SpeakButton({
    limit: () => shell.limits.maxSeconds,
    onStart: () => { abandon(); showBusy(false); hideProblem(); askedView.player?.audio.pause(); },
    onTake: listen,
    onPiece: () => live?.pump(),
    onRecording: hearOut,
    onCancel: () => { live?.close(); live = null; },
    onProblem: (message) => showProblem(message, "", false),
    onStatus: (words) => say(byId("status"), words),
  });
  bindControls();
  return { show: showShared, hide: giveUp, files: searchFile, dropWords: () => "search.drop" };
}

/** A link to a text says what to search for; coming back to what is shown already asks nothing. */
function showShared(words) {
  const shown = asked?.kind === "text" ? asked.name : "";
  if (words && words !== shown) searchText(words);
}

/** Someone begins to speak. @param {import("./take.js").Take} take */
function listen(take) {
  const mine = new Live(take, {
    onInterim: (heard) => { if (live === mine) showLive(heard); },
    // Whoever holds the button goes on after a pause: the whole is asked at the end.
    onFinal: () => { if (live === mine && !speak.finish()) { mine.close(); live = null; } },
    onProblem: (code) => { if (live === mine && code === "overloaded") say(byId("status"), text("speak.busy")); },
  });
  live = mine;
}

/** Someone has spoken. @param {import("./take.js").Take} take @param {boolean} lost the microphone went away */
function hearOut(take, lost) {
  const listening = live;
  live = null;
  ask(fromSpeech(take.toBlob()), listening);
  if (lost) showProblem(text("microphone.lost"), "", false);
}

/**
 * Asks everything about one query; an older one is given up.
 * @param {import("./query.js").Query} query @param {Live | null} listening to what is asked, from when it was said
 */
async function ask(query, listening = null) {
  controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  asked = query;
  hideProblem();
  const address = linkTo("search", query.kind === "text" ? query.name : "");
  if (location.hash !== address && (location.hash || query.kind === "text")) window.history.pushState(null, "", address);
  shell.views.title("search", query.kind === "speech" ? "" : query.name);
  if (query.blob?.size === 0) return refuse(new Problem("empty"));
  askedView.show(query);
  const { maxBytes } = shell.limits;
  if (query.blob?.size > maxBytes) {
    return refuse(new Problem("body_too_large", text("megabytes", { size: bytesText(maxBytes) })));
  }
  showBusy(true, text("search.searching"));
  try {
    const since = performance.now();
    const heard = listening && await listening.finish(signal);
    if (signal.aborted) return;
    if (heard) showFinal(heard, performance.now() - since);
    else await search(query, signal);
  } catch (error) {
    if (!signal.aborted) refuse(error);
  }
}

/** What was found so far, or at last, while someone speaks. @param {import("./live.js").Heard} heard */
function showLive(heard) {
  for (const [panel, results] of Object.entries(heard.searches)) {
    showAnswer(panel, { results, collection: { name: panel } }, vectorRequest(heard.vector));
  }
  if (heard.keywords) showAnswer("keywords", { ...heard.keywords, collection: { name: "keywords" } }, null);
}

/** @param {import("./live.js").Heard} heard @param {number} ms since its end */
function showFinal(heard, ms) {
  showBusy(false);
  showLive(heard);
  if (heard.keywords?.slots?.length) showHeard(heard.keywords.slots, heard.seconds, askedView.player, searchText);
  // Most of the work was done while there was still something to record.
  showTimings({}, ms);
  const { images = [], captions = [] } = heard.searches;
  tellFound([images, captions, keywordsOf(heard)].find((found) => found.length), ms, false);
}

/** The model hears the query once: the searches go with the vector that it made of it, or that is stored already. */
async function search(query, signal) {
  const heard = askedView.player ? await hear(query, signal) : null;
  const stored = query.kind === "record";
  const embedded = heard ?? (stored ? null : await patiently("embed", toRequest(query), signal));
  const request = embedded ? vectorRequest(embedded.answer.vector) : toRequest(query);
  const searched = heard ? heardRequest(heard.answer.vector, heard.answer.slots) : request;
  const panels = Object.keys(PANELS).map((panel) => (
    panel === "keywords" && heard ? Promise.resolve(heard) : askPanel(panel, searched, request, signal)
  ));
  const outcomes = await Promise.allSettled(panels);
  if (signal.aborted) return;
  showBusy(false);
  showOutcome(embedded, outcomes);
}

/** Keywords, words in time and the vector, all at once; null where there are no keywords to search. */
async function hear(query, signal) {
  try {
    const heard = await patiently(`${PANELS.keywords}&include=vector`, toRequest(query), signal);
    if (!signal.aborted) {
      showAnswer("keywords", heard.answer, null);
      showHeard(heard.answer.slots, heard.answer.query.seconds, askedView.player, searchText);
    }
    return heard;
  } catch (error) {
    if (error.code?.startsWith("collection_") || error.code === "model_mismatch") return null;
    throw error;
  }
}

/** @param {keyof typeof PANELS} panel @param {RequestInit} searched @param {RequestInit} request what may be explained */
async function askPanel(panel, searched, request, signal) {
  const outcome = await patiently(PANELS[panel], searched, signal);
  if (!signal.aborted) showAnswer(panel, outcome.answer, request);
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

/** @param {RequestInit | null} request what it is the answer to, for panels of pictures */
function showAnswer(panel, answer, request) {
  document.body.dataset.view = "results";
  byId("results").hidden = byId("results").inert = false;
  if (panel === "images") {
    showImages(answer, (index) => viewer.open(answer, index, request));
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
  const lists = answered.map(({ answer }) => answer.results ?? []);
  tellFound([...lists, ...answered.map(({ answer }) => keywordsOf(answer))].find((found) => found.length), roundTrip,
    embedded?.answer.query.truncated);
}

/** As if they were records, for those who have nothing else. */
const keywordsOf = ({ keywords = [] }) => (keywords.keywords ?? keywords).map(({ keyword }) => ({ caption: keyword }));

/**
 * @param {import("./results.js").Result[]} [results] of the first panel that has any
 * @param {number} ms @param {boolean} cut whether the sound broke off
 */
function tellFound(results, ms, cut) {
  const first = results?.[0];
  const count = results?.length;
  const found = first ? text("search.found", { count, ms: Math.round(ms), name: nameOf(first) }) : text("search.nothing");
  say(byId("status"), cut ? `${found} ${text("search.cut")}` : found);
  if (asked.kind === "text") history.add("text", asked.name);
  else if (first) history.add(asked.kind, nameOf(first));
}

/** Of all requests together; the searches run at the same time, so the slowest of them counts. */
function timeOf(embedded, answered) {
  const later = answered.filter((one) => one !== embedded).sort((one, other) => other.roundTrip - one.roundTrip);
  const roundTrip = (embedded?.roundTrip ?? 0) + (later[0]?.roundTrip ?? 0);
  const timings = embedded?.answer.timings_ms ?? {};
  const search = (timings.search ?? 0) + (later[0]?.answer.timings_ms.search ?? 0);
  return { timings: { ...timings, search }, roundTrip };
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

function searchFile(files) {
  speak.cancel();
  if (files.length) ask(fromFile(files[0], files[0].name));
}

/** Somebody else's recording is asked with as if it were a file of one's own, and heard. @param {HTMLButtonElement} chip */
async function searchSpoken(chip) {
  speak.cancel();
  abandon();
  controller = new AbortController();
  const { signal } = controller;
  try {
    const recording = await download(`page/examples/${chip.value}.mp3`, signal);
    ask(fromFile(recording, chip.textContent));
    // A browser may be told to be silent.
    askedView.player?.audio.play().catch(() => {});
  } catch (error) {
    if (signal.aborted) return;
    showBusy(false);
    showProblem(error.message, "", false);
  }
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
  byId("spoken").addEventListener("click", (event) => {
    const chip = event.target.closest("button");
    if (chip) searchSpoken(chip);
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
  const searching = abandon();
  if (recording || searching) showBusy(false, text("speak.cancelled"));
}

/** Ends a search that is on its way; what is shown is no answer to it. @returns {boolean} whether there was one */
function abandon() {
  controller.abort();
  const searching = byId("status").hasAttribute("data-busy");
  if (searching) {
    byId("results").inert = true;
    asked = null;
  }
  return searching;
}
