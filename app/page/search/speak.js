// The round button: press and speak, press again or fall silent to end; or hold it while speaking.

import { byId, say } from "../dom.js";
import { text } from "../text.js";
import { MicrophoneError, Recorder, obstacle } from "./recorder.js";
import { Meter } from "./wave.js";

/** @typedef {import("./take.js").Take} Take */

const HOLD_MS = 500;
const CLICK_AFTER_RELEASE_MS = 400;
const SHORTEST_S = 0.3;
// A piece more than the service takes would be too long.
const MARGIN_S = 0.1;

const LABELS = { idle: "speak.speak", asking: "speak.cancel", recording: "speak.stop" };

export class SpeakButton {
  #phase = "idle";
  #pressedAt = 0;
  #releasedAt = -Infinity;
  #holding = false;

  /**
   * @param {{limit: () => number, onStart: () => void, onTake: (take: Take) => void, onPiece: () => void,
   *   onRecording: (take: Take, lost: boolean) => void, onCancel: () => void, onProblem: (message: string) => void,
   *   onStatus: (text: string) => void}} options limit in seconds; after onTake, whose recording grows with every
   *   piece, comes onRecording or onCancel; lost: the microphone went away
   */
  constructor(options) {
    this.options = options;
    this.button = byId("speak");
    this.voice = this.button.closest(".voice");
    this.meter = new Meter(byId("meter"));
    this.#bindPointer();
    this.#bindKeys();
    window.addEventListener("pagehide", () => this.cancel());
    if (obstacle()) options.onStatus(text("speak.otherwise", { obstacle: obstacle() }));
  }

  /** Forgets a recording that is being made. @returns {boolean} whether there was one */
  cancel() {
    if (this.#phase === "idle") return false;
    this.recorder.cancel();
    this.#enter("idle");
    this.options.onCancel();
    return true;
  }

  /** Takes the recording as it is, as a press would. @returns {boolean} false where the button is held still */
  finish() {
    if (this.#holding) return false;
    if (this.#phase === "recording") this.recorder.stop();
    return true;
  }

  #bindPointer() {
    this.button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.button.setPointerCapture(event.pointerId);
      this.#press(event);
    });
    this.button.addEventListener("pointerup", (event) => this.#release(event));
    this.button.addEventListener("pointercancel", (event) => this.#release(event));
    this.button.addEventListener("contextmenu", (event) => event.preventDefault());
    // Screen readers send a click alone; after a pointer it only repeats what was already done.
    this.button.addEventListener("click", (event) => {
      if (event.timeStamp - this.#releasedAt > CLICK_AFTER_RELEASE_MS) this.#toggle();
    });
  }

  #bindKeys() {
    document.addEventListener("keydown", (event) => {
      if (!this.#isSpeakKey(event)) return;
      event.preventDefault();
      if (!event.repeat) this.#press(event);
    });
    document.addEventListener("keyup", (event) => {
      if (!this.#isSpeakKey(event)) return;
      event.preventDefault();
      this.#release(event);
    });
  }

  /** Space anywhere but in another control, Enter on the button itself. */
  #isSpeakKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.button.closest("[hidden]")) return false;
    if (event.target === this.button) return event.key === " " || event.key === "Enter";
    return event.key === " " && !event.target.closest?.("button, a, input, select, textarea, summary, dialog, audio");
  }

  // By the times of the events: a page that is held up must not take a short press for a long one.
  #press(event) {
    this.#holding = this.#phase === "idle";
    this.#pressedAt = event.timeStamp;
    this.#toggle();
  }

  #release(event) {
    this.#releasedAt = event.timeStamp;
    const held = this.#holding && this.#releasedAt - this.#pressedAt > HOLD_MS;
    this.#holding = false;
    if (held && this.#phase === "recording") this.recorder.stop();
    else if (this.#phase === "recording") this.options.onStatus(text("speak.recording"));
  }

  #toggle() {
    if (this.#phase === "idle") this.#start();
    else if (this.#phase === "asking" || this.seconds < SHORTEST_S) this.cancel();
    else this.recorder.stop();
  }

  async #start() {
    this.options.onStart();
    this.#enter("asking");
    const recorder = new Recorder({
      limit: this.options.limit() - MARGIN_S,
      onStart: this.options.onTake,
      onPiece: (level, seconds) => this.#tick(level, seconds),
      onSettled: () => { if (!this.#holding) recorder.stop(); },
      onEnd: (take, lost) => {
        this.#enter("idle");
        if (take.seconds >= SHORTEST_S) return this.options.onRecording(take, lost);
        this.options.onCancel();
        this.options.onProblem(text("microphone.lost.early"));
      },
    });
    this.recorder = recorder;
    try {
      await recorder.start();
      if (!recorder.cancelled) this.#enter("recording");
    } catch (error) {
      recorder.cancel();
      if (this.recorder !== recorder || this.#phase === "idle") return;
      this.#enter("idle");
      const known = error instanceof MicrophoneError;
      this.options.onProblem(known ? error.message : text("speak.failed", { reason: error.message }));
    }
  }

  #enter(phase) {
    this.#phase = phase;
    this.seconds = 0;
    this.voice.dataset.phase = phase;
    say(byId("speak-label"), text(LABELS[phase]));
    say(byId("elapsed"), "");
    this.meter.clear();
    const status = phase === "recording" && this.#holding ? "held" : phase;
    this.options.onStatus(phase === "idle" ? "" : text(`speak.${status}`));
  }

  #tick(level, seconds) {
    this.seconds = seconds;
    this.meter.push(level);
    this.button.style.setProperty("--level", level.toFixed(3));
    say(byId("elapsed"), `${clock(seconds)} / ${clock(this.options.limit())}`);
    this.options.onPiece();
  }
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
