// Searching while someone speaks: the recording goes out as it grows, and answers come back until the last one.

import { pause } from "../api.js";
import { WORDS } from "./query.js";

const WANTED = { searches: { images: 18, captions: 8 }, keywords: 12, words: WORDS, include: ["vector"] };
const MOST_WAITING = 256 * 1024; // bytes on their way; what is recorded meanwhile waits in the recording
const LAST_ANSWER_S = 8;
const LOOK_AGAIN_S = 0.02;

/**
 * @typedef {{type: string, seconds: number, searches: Record<string, import("./results.js").Result[]>,
 *   keywords: any, vector: number[]}} Heard an interim or the final answer
 */

export class Live {
  #sent = 0;
  #settle;

  /**
   * @param {import("./take.js").Take} take may still grow
   * @param {{onInterim: (heard: Heard) => void, onFinal: () => void, onProblem: (code: string) => void}} options
   *   onFinal: the service has heard enough; nothing comes after it, nor after a problem
   */
  constructor(take, options) {
    this.take = take;
    this.options = options;
    /** @type {Promise<Heard | null>} */
    this.answer = new Promise((resolve) => { this.#settle = resolve; });
    const address = new URL("stream", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(address);
    this.socket.addEventListener("open", () => {
      this.socket.send(JSON.stringify({ type: "start", format: "pcm", rate: take.rate, ...WANTED }));
      this.pump();
    });
    this.socket.addEventListener("message", ({ data }) => this.#take(data));
    this.socket.addEventListener("close", () => this.#settle(null));
  }

  /** Sends what was recorded since, as far as the line takes it. @returns {boolean} whether that is all */
  pump() {
    const { pieces } = this.take;
    while (this.#open && this.#sent < pieces.length && this.socket.bufferedAmount < MOST_WAITING) {
      this.socket.send(pieces[this.#sent]);
      this.#sent += 1;
    }
    return this.#sent === pieces.length;
  }

  /**
   * The answer to the whole, once the recording is over; null where it has to be asked for in another way.
   * @param {AbortSignal} signal @returns {Promise<Heard | null>}
   */
  async finish(signal) {
    try {
      const late = pause(LAST_ANSWER_S, signal).then(() => null);
      return await Promise.race([this.#lastAnswer(signal), late]);
    } finally {
      this.close();
    }
  }

  /** Nothing is wanted any more. */
  close() {
    this.#settle(null);
    this.socket.close();
  }

  get #open() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  async #lastAnswer(signal) {
    while (this.#open && !this.pump()) await pause(LOOK_AGAIN_S, signal);
    if (this.#open) this.socket.send(JSON.stringify({ type: "end" }));
    // A line that is still not there comes too late: the file is sent sooner than this would be.
    if (this.socket.readyState === WebSocket.CONNECTING) return null;
    return this.answer;
  }

  #take(data) {
    const message = parsed(data);
    if (message?.type === "interim") this.options.onInterim(message);
    if (message?.type === "problem") this.options.onProblem(message.code);
    if (message?.type !== "final") return;
    this.#settle(message);
    this.options.onFinal();
  }
}

/** @returns {any} null for what is no JSON */
function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
