// How the service is doing, from its metrics: asked every few seconds while somebody looks.

import { Problem } from "../api.js";
import { byId, make } from "../dom.js";
import { askForKey } from "../key.js";
import { bytesText, hasText, text, written } from "../text.js";
import { ProblemBox, button } from "../ui.js";
import { linkTo } from "../views.js";
import { Reading, between, grown, quantile } from "./prometheus.js";
import { Spark } from "./spark.js";

const EVERY_S = 3;
const STAGES = ["decode", "queue", "encode", "search", "total"];
const SECONDS = "speechclip_stage_seconds";
// Codes of answers to those who may not have them: no key for it, or it is on the operators' own port.
const ELSEWHERE = new Set([401, 403, 404]);

const WATCHING = new Set(["/metrics", "/readyz", "/livez"]);

const rate = (value) => written(value, { maximumFractionDigits: 1 });
const whole = (value) => written(Math.round(value));

/** @param {import("../app.js").Shell} shell @returns {import("../views.js").View} */
export function makeStatus(shell) {
  const view = new StatusView(shell);
  byId("view-status").append(view.element);
  return { show: () => view.open(), hide: () => view.close() };
}

class StatusView {
  #timer = 0;
  #asking = false;
  #shown = false;
  #paused = false;
  /** @type {Reading | null} */
  #first = null;
  /** @type {Reading | null} */
  #last = null;

  /** @param {import("../app.js").Shell} shell */
  constructor(shell) {
    this.problem = new ProblemBox();
    this.note = make("p", "note", text("status.about", { seconds: EVERY_S }));
    this.pause = button("status.pause", () => this.#turn());
    this.sparks = {
      rate: new Spark("status.rate", rate),
      refused: new Spark("status.refused", rate),
      queued: new Spark("status.queued", whole),
      batch: new Spark("status.batch", rate),
      memory: new Spark("status.memory", bytesText),
    };
    this.uptime = make("p", "note");
    this.latency = make("div", "wide");
    this.refusals = make("div", "wide");
    this.collections = make("div", "wide");
    for (const frame of [this.latency, this.refusals, this.collections]) frame.tabIndex = 0;
    this.numbers = make("div", "stack", ...this.#parts());
    this.numbers.hidden = true;
    const head = make("div", "head", make("div", "grow", this.note, this.uptime), this.pause);
    this.element = make("div", "stack", head, this.problem.element, this.numbers);
    document.addEventListener("visibilitychange", () => this.#ask());
  }

  #parts() {
    const charts = make("div", "sparks", ...Object.values(this.sparks).map((spark) => spark.element));
    const section = (title, content) => make("section", "box", make("h2", "", text(title)), content);
    return [
      section("status.now", charts),
      section("status.latency", this.latency),
      section("status.collections", this.collections),
      section("status.refusals", this.refusals),
    ];
  }

  open() {
    this.#shown = true;
    this.#ask();
  }

  close() {
    this.#shown = false;
    clearTimeout(this.#timer);
  }

  #turn() {
    this.#paused = !this.#paused;
    this.pause.textContent = text(this.#paused ? "status.go" : "status.pause");
    this.#ask();
  }

  /** Once, and then again and again while it is looked at. */
  async #ask() {
    clearTimeout(this.#timer);
    if (this.#asking || !this.#shown || this.#paused || document.hidden) return;
    this.#asking = true;
    try {
      this.#show(await read());
      this.problem.hide();
    } catch (error) {
      this.#refuse(error);
    }
    this.#asking = false;
    if (this.#shown && !this.#paused) this.#timer = setTimeout(() => this.#ask(), EVERY_S * 1000);
  }

  #refuse(error) {
    if (error.code !== "elsewhere") return this.problem.show(error);
    this.numbers.hidden = true;
    this.note.textContent = text("status.elsewhere");
    this.#paused = true;
    this.pause.textContent = text("status.go");
  }

  /** @param {Reading} now */
  #show(now) {
    this.note.textContent = text("status.about", { seconds: EVERY_S });
    this.numbers.hidden = false;
    this.#first ??= now;
    const before = this.#last ?? now;
    this.#last = now;
    this.#push(now, before);
    this.uptime.textContent = uptime(now);
    this.latency.replaceChildren(latency(now, this.#first));
    this.collections.replaceChildren(collections(now));
    this.refusals.replaceChildren(refusals(now));
  }

  /** @param {Reading} now @param {Reading} before */
  #push(now, before) {
    const seconds = Math.max(0.001, (now.at - before.at) / 1000);
    const more = (name) => grown(now.sum(name), before.sum(name));
    this.sparks.rate.push(grown(answered(now), answered(before)) / seconds);
    this.sparks.refused.push(more("speechclip_refusals_total") / seconds);
    this.sparks.queued.push(now.sum("speechclip_queued"));
    const batches = more("speechclip_batch_size_count");
    this.sparks.batch.push(batches ? more("speechclip_batch_size_sum") / batches : 0);
    this.sparks.memory.push(now.sum("process_resident_memory_bytes"));
  }
}

/** @returns {Promise<Reading>} */
async function read() {
  const answer = await fetch("metrics", { cache: "no-store" }).catch(() => null);
  if (!answer) throw new Problem("unreachable");
  if (answer.status === 401 && await askForKey()) return read();
  if (ELSEWHERE.has(answer.status)) throw new Problem("elsewhere");
  if (!answer.ok) throw new Problem(`HTTP ${answer.status}`);
  return new Reading(await answer.text(), performance.now());
}

/** Requests answered but those that only ask how the service is, as this view does. @param {Reading} reading */
function answered(reading) {
  const found = reading.all("speechclip_requests_total").filter(({ labels }) => !WATCHING.has(labels.route));
  return found.reduce((total, { value }) => total + value, 0);
}

/** @param {string[]} titles keys of words @param {(string | Node)[][]} rows */
function table(titles, rows) {
  const head = titles.map((key) => {
    const cell = make("th", "", text(key));
    cell.scope = "col";
    return cell;
  });
  const lines = rows.map((row) => make("tr", "", ...row.map((value) => make("td", "", value))));
  return make("table", "", make("thead", "", make("tr", "", ...head)), make("tbody", "", ...lines));
}

/** Of what came since the view was opened, or of all there ever was until something came. */
function latency(now, first) {
  const rows = STAGES.map((stage) => {
    const all = now.buckets(SECONDS, { stage });
    const since = between(all, first.buckets(SECONDS, { stage }));
    const buckets = since.at(-1)?.[1] ? since : all;
    const count = buckets.at(-1)?.[1] ?? 0;
    return [text(`status.stage.${stage}`), whole(count), time(quantile(buckets, 0.5)), time(quantile(buckets, 0.95))];
  });
  return table(["status.stage", "status.count", "status.p50", "status.p95"], rows);
}

const time = (seconds) => (seconds === null ? text("status.none")
  : text("status.milliseconds", { ms: written(seconds * 1000, { maximumSignificantDigits: 2 }) }));

function collections(now) {
  const rows = now.all("speechclip_collection_records").map(({ labels, value }) => {
    const link = make("a", "", labels.collection);
    link.href = linkTo("collections", labels.collection);
    return [link, whole(value), whole(now.sum("speechclip_collection_version", labels))];
  });
  return table(["status.collection", "collections.items", "collections.version"], rows);
}

function refusals(now) {
  const found = now.all("speechclip_refusals_total").filter(({ value }) => value);
  found.sort((one, other) => other.value - one.value);
  if (!found.length) return make("p", "note", text("status.refusals.none"));
  const words = ({ code }) => (hasText(`problem.${code}`) ? `${text(`problem.${code}`)} (${code})` : code);
  return table(["status.code", "status.times"], found.map(({ labels, value }) => [words(labels), whole(value)]));
}

function uptime(now) {
  const started = now.sum("process_start_time_seconds");
  if (!started) return "";
  const minutes = Math.max(0, Math.round((Date.now() / 1000 - started) / 60));
  const hours = Math.round(minutes / 60);
  const words = minutes < 120 ? text("status.minutes", { count: minutes }) : text("status.hours", { count: hours });
  return `${text("status.uptime")}: ${words}`;
}
