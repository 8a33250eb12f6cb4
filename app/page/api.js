// The service as the page sees it: every failure is a Problem with a stable code and words for a person.

import { askForKey } from "./key.js";
import { hasText, text } from "./text.js";

const MAX_RETRIES = 4;
// What passes by itself in a moment.
const PASSING = new Set(["overloaded", "rate_limited", "collection_busy"]);
const MAX_WAIT_SECONDS = 20;

/** A request that did not work. `message` is for a person, `detail` is what the service said. */
export class Problem extends Error {
  /**
   * @param {string} code @param {string} detail @param {number | null} retryAfter seconds
   * @param {{field: string, detail: string}[]} errors which values were refused
   */
  constructor(code, detail = "", retryAfter = null, errors = []) {
    super(text(hasText(`problem.${code}`) ? `problem.${code}` : "problem.other"));
    this.code = code;
    this.detail = detail;
    this.retryAfter = retryAfter;
    this.errors = errors;
  }
}

/**
 * Sends one request and reads its JSON; null where it is answered without any.
 * @param {string} path @param {RequestInit} options
 * @throws {Problem}
 */
export async function request(path, options = {}, hasKey = false) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("unreachable");
  }
  if (response.status === 204) return null;
  const body = await readJson(response);
  if (response.ok && body) return body;
  // A key that was just accepted and does not come through would be asked for without end.
  if (response.status === 401 && !hasKey && await askForKey()) return request(path, options, true);
  throw refusal(response.status, body, response.headers.get("Retry-After"));
}

/**
 * Sends a file, and tells how far that has come, as `fetch` cannot.
 * @param {string} path @param {File} file
 * @param {{type: string, signal: AbortSignal, onProgress: (sent: number) => void}} options `sent`: bytes
 * @returns {Promise<any>} the JSON of the answer
 * @throws {Problem}
 */
export async function send(path, file, options, hasKey = false) {
  const { status, body, retryAfter } = await sent(path, file, options);
  if (status >= 200 && status < 300 && body) return body;
  if (status === 401 && !hasKey && await askForKey()) return send(path, file, options, true);
  throw refusal(status, body, retryAfter);
}

function sent(path, file, { type, signal, onProgress }) {
  const exchange = new XMLHttpRequest();
  const aborted = () => new DOMException("Aborted", "AbortError");
  return new Promise((resolve, reject) => {
    if (signal.aborted) throw aborted();
    exchange.open("POST", path);
    exchange.setRequestHeader("Accept", "application/json");
    exchange.setRequestHeader("Content-Type", type);
    exchange.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded));
    exchange.addEventListener("load", () => resolve({
      status: exchange.status,
      body: parsed(exchange.responseText),
      retryAfter: exchange.getResponseHeader("Retry-After"),
    }));
    exchange.addEventListener("error", () => reject(new Problem("unreachable")));
    exchange.addEventListener("abort", () => reject(aborted()));
    signal.addEventListener("abort", () => exchange.abort(), { once: true });
    exchange.send(file);
  });
}

/**
 * A file of the page's own.
 * @param {string} path @param {AbortSignal} signal @returns {Promise<Blob>}
 * @throws {Problem}
 */
export async function download(path, signal) {
  const response = await fetch(path, { signal }).catch(() => null);
  if (!response?.ok) throw new Problem(response ? `HTTP ${response.status}` : "unreachable");
  return response.blob();
}

const AWAY = new Set(["unreachable", "draining"]); // it may come back

/**
 * The same, patiently: waits while the service is overloaded, until it is ready, and until it is back.
 * @param {string} path @param {RequestInit} options
 * @param {{onWait: (seconds: number) => void, untilReady: (signal: AbortSignal) => Promise<void>}} patience
 * @returns {Promise<{answer: any, roundTrip: number}>} milliseconds of the attempt that was answered
 */
export async function patientRequest(path, options, patience) {
  for (let attempt = 0; ; attempt += 1) {
    const started = performance.now();
    try {
      const answer = await request(path, options);
      return { answer, roundTrip: performance.now() - started };
    } catch (error) {
      const away = AWAY.has(error.code) && attempt < MAX_RETRIES;
      if (error.code === "not_ready" || away) {
        await patience.untilReady(options.signal);
      } else if (PASSING.has(error.code) && attempt < MAX_RETRIES) {
        const seconds = error.retryAfter ?? 2 ** attempt;
        patience.onWait(seconds);
        await pause(seconds, options.signal);
      } else {
        throw error;
      }
    }
  }
}

/** @param {number} seconds @param {AbortSignal} [signal] */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("Aborted", "AbortError"));
    }, { once: true });
  });
}

/** @param {string} collection @param {string} id */
export const mediaUrl = (collection, id) => `media/${encodeURIComponent(collection)}/${encodeURIComponent(id)}`;

async function readJson(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}

function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

/** What an answer means that is not the one wanted. */
function refusal(status, body, retryAfter) {
  if (status >= 200 && status < 300) return new Problem("unreadable");
  const http = `HTTP ${status}`;
  return new Problem(body?.code ?? http, body?.detail ?? http, secondsOf(retryAfter), body?.errors ?? []);
}

/** @param {string | null} retryAfter */
function secondsOf(retryAfter) {
  const seconds = Number.parseFloat(retryAfter ?? "");
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0.5), MAX_WAIT_SECONDS) : null;
}
