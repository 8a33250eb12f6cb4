// The service as the page sees it: every failure is a Problem with a stable code and words for a person.

import { askForKey } from "./key.js";

const MAX_RETRIES = 4;
const MAX_WAIT_SECONDS = 20;

/** @type {Record<string, string>} */
const WORDS = {
  audio_too_long: "That was too long. Please keep it shorter.",
  non_finite_audio: "This sound is damaged and cannot be listened to.",
  audio_too_short: "That was too short to hear a word. Press, speak, then press again.",
  silent_audio: "Only silence arrived. Is the microphone muted, or is another one chosen?",
  unsupported_media: "This file could not be read. A sound has to be wav, flac, mp3, ogg, webm, m4a, aac or aiff;"
    + " a picture png, jpeg or webp.",
  empty: "There is nothing in this file; it is empty.",
  body_too_large: "This file is too big.",
  malformed: "The service could not make sense of this. The file may be damaged.",
  invalid_parameter: "The service does not accept this question.",
  unauthorized: "The service asks for a key first.",
  forbidden: "Your key is not for this.",
  rate_limited: "Your key has asked too often. Please wait a moment.",
  collection_not_found: "There is nothing to search in here yet.",
  item_not_found: "This is no longer there.",
  model_mismatch: "This collection was made with another model and has to be indexed again.",
  overloaded: "Too many people are asking right now. Please try again in a moment.",
  request_timeout: "Sending it took too long. Is the connection slow?",
  collection_damaged: "This collection is damaged and cannot be searched.",
  not_ready: "The service is still getting ready.",
  failed: "The service could not start.",
  draining: "The service is shutting down.",
  deadline_exceeded: "The answer took too long. Please try again.",
  unreachable: "The service cannot be reached. Is it still running, and are you online?",
  page: "Something went wrong on this page.",
  unreadable: "The service gave an answer this page cannot read.",
};

/** A request that did not work. `message` is for a person, `detail` is what the service said. */
export class Problem extends Error {
  /** @param {string} code @param {string} detail @param {number | null} retryAfter seconds */
  constructor(code, detail = "", retryAfter = null) {
    super(WORDS[code] ?? "Something went wrong in the service. Please try again.");
    this.code = code;
    this.detail = detail;
    this.retryAfter = retryAfter;
  }
}

/**
 * Sends one request and reads its JSON.
 * @param {string} path @param {RequestInit} options
 * @throws {Problem}
 */
export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("unreachable");
  }
  const body = await readJson(response);
  if (response.ok && body) return body;
  if (response.ok) throw new Problem("unreadable");
  if (response.status === 401 && await askForKey()) return request(path, options);
  const http = `HTTP ${response.status}`;
  throw new Problem(body?.code ?? http, body?.detail ?? http, retryAfter(response));
}

/**
 * The same, patiently: waits while the service is overloaded, and until it is ready.
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
      if (error.code === "not_ready") {
        await patience.untilReady(options.signal);
      } else if (error.code === "overloaded" && attempt < MAX_RETRIES) {
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

function retryAfter(response) {
  const seconds = Number.parseFloat(response.headers.get("Retry-After") ?? "");
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0.5), MAX_WAIT_SECONDS) : null;
}
