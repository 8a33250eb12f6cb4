// The microphone: one recording at a time, its level, and the end of speech.

import { hasText, text } from "../text.js";

const TICK_MS = 50;
const FORMATS = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];
const SETTLED_MS = 1400;
const SPOKEN_MS = 150;

/** The microphone cannot be used; `message` says why, for a person. */
export class MicrophoneError extends Error {}

/** Why no recording can be made on this page at all, or null. */
export function obstacle() {
  if (!window.isSecureContext) return text("microphone.insecure");
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) return text("microphone.unable");
  return null;
}

export class Recorder {
  /**
   * @param {{limit: number, onTick: (level: number, seconds: number) => void, onSettled: () => void,
   *   onEnd: (recording: Blob) => void}} options limit in seconds, level in 0..1
   *   onSettled: speech was heard and is over
   */
  constructor(options) {
    this.options = options;
    this.cancelled = false;
  }

  /** Asks for the microphone and starts. @throws {MicrophoneError} */
  async start() {
    this.stream = await openMicrophone();
    if (this.cancelled) return this.#release();
    const chunks = [];
    const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format));
    this.recorder = new MediaRecorder(this.stream, mimeType ? { mimeType } : {});
    this.recorder.ondataavailable = (event) => chunks.push(event.data);
    this.recorder.onstop = () => {
      this.#release();
      if (!this.cancelled) this.options.onEnd(new Blob(chunks, { type: essence(this.recorder.mimeType) }));
    };
    this.recorder.start();
    this.#listen();
  }

  /** Ends the recording; onEnd follows. */
  stop() {
    if (this.recorder?.state === "recording") this.recorder.stop();
  }

  /** Ends the recording and forgets it. */
  cancel() {
    this.cancelled = true;
    this.stop();
    this.#release();
  }

  #listen() {
    const measure = this.#meter();
    const speech = new SpeechEnd();
    const started = performance.now();
    this.timer = setInterval(() => {
      const seconds = (performance.now() - started) / 1000;
      const level = measure();
      this.options.onTick(Math.min(1, Math.sqrt(level) * 1.8), seconds);
      if (seconds >= this.options.limit) this.stop();
      else if (speech.settled(level, TICK_MS)) this.options.onSettled();
    }, TICK_MS);
  }

  #meter() {
    this.context = new AudioContext();
    const analyser = new AnalyserNode(this.context, { fftSize: 2048 });
    this.context.createMediaStreamSource(this.stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    return () => {
      analyser.getFloatTimeDomainData(samples);
      return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    };
  }

  #release() {
    clearInterval(this.timer);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    if (this.context && this.context.state !== "closed") this.context.close();
  }
}

/** Tells when someone has spoken and then stopped, against the room's own noise. */
class SpeechEnd {
  #floor = Infinity;
  #spoken = 0;
  #quiet = 0;

  /** @param {number} level root mean square @param {number} elapsed milliseconds since the last call */
  settled(level, elapsed) {
    // The floor drops at once and rises slowly, so that a steady fan is noise and a word is not.
    this.#floor = Math.min(level, this.#floor === Infinity ? level : this.#floor * 1.01 + 1e-5);
    const loud = level > Math.max(0.012, this.#floor * 3);
    this.#spoken += loud ? elapsed : 0;
    this.#quiet = loud ? 0 : this.#quiet + elapsed;
    return this.#spoken >= SPOKEN_MS && this.#quiet >= SETTLED_MS;
  }
}

async function openMicrophone() {
  const reason = obstacle();
  if (reason) throw new MicrophoneError(reason);
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false } });
  } catch (error) {
    const key = `microphone.${error.name}`;
    throw new MicrophoneError(hasText(key) ? text(key) : text("microphone.failed", { reason: error.name }));
  }
}

/** "audio/webm;codecs=opus" -> "audio/webm" */
export const essence = (type) => type.split(";")[0].trim().toLowerCase();
