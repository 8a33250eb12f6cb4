// Whether the service can answer: asked until it can, and again after it could not be reached.

import { Problem, pause } from "./api.js";

const POLL_SECONDS = 1;

/** @typedef {"checking" | "starting" | "failed" | "ready" | "draining" | "unreachable"} State */

export class Readiness {
  #waiting = [];
  #polling = false;

  /** @param {(state: State, detail: string, progress: number | null) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {State} */
    this.state = "checking";
  }

  /** Asks /readyz until the answer is yes. */
  async watch() {
    if (this.#polling) return;
    this.#polling = true;
    while (!(await this.#ask())) await pause(POLL_SECONDS);
    this.#polling = false;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /**
   * Resolves once the service is ready; rejects when it never will be, or with AbortError.
   * @param {AbortSignal} signal
   */
  async untilReady(signal) {
    const known = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.watch();
    const gone = new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    await Promise.race([known, gone]);
  }

  async #ask() {
    try {
      const response = await fetch("readyz", { headers: { Accept: "application/json" }, cache: "no-store" });
      const body = await response.json().catch(() => ({}));
      if (response.ok) this.#set("ready");
      else this.#refused(body);
    } catch {
      this.#set("unreachable");
    }
    return this.state === "ready";
  }

  #refused({ code, detail, progress }) {
    if (code === "draining") this.#set("draining", detail);
    else if (progress) this.#set("starting", detail, share(progress));
    else this.#fail(detail);
  }

  /** A start that failed does not go on, but another one may follow. */
  #fail(detail) {
    this.#set("failed", detail);
    for (const { reject } of this.#waiting.splice(0)) reject(new Problem("failed", detail));
  }

  #set(state, detail = "", progress = null) {
    this.state = state;
    this.onChange(state, detail, progress);
  }
}

/** {"done": 12, "total": 48} -> 0.25; null where the service cannot tell. */
function share(progress) {
  return progress.total > 0 && progress.done >= 0 ? Math.min(1, progress.done / progress.total) : null;
}
