// The microphone: one recording at a time, its level, and the end of speech.

import { hasText, text } from "../text.js";
import { Take } from "./take.js";

const RATE = 16_000; // what models listen at; a browser that cannot, records at its own rate
const SETTLED_MS = 1400;
const SPOKEN_MS = 150;
const WORKLET = new URL("pcm.js", import.meta.url);

/** The microphone cannot be used; `message` says why, for a person. */
export class MicrophoneError extends Error {}

/** Why no recording can be made on this page at all, or null. */
export function obstacle() {
  if (!window.isSecureContext) return text("microphone.insecure");
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) return text("microphone.unable");
  return null;
}

export class Recorder {
  #ended = false;

  /**
   * @param {{limit: number, onStart: (take: Take) => void, onPiece: (level: number, seconds: number) => void,
   *   onSettled: () => void, onEnd: (take: Take, lost: boolean) => void}} options limit in seconds, level in 0..1
   *   onSettled: speech was heard and is over; lost: the microphone went away
   */
  constructor(options) {
    this.options = options;
    this.cancelled = false;
  }

  /** Asks for the microphone and starts. @throws {MicrophoneError} */
  async start() {
    this.stream = await openMicrophone();
    if (this.cancelled) return this.#release();
    const source = this.#source();
    await this.context.audioWorklet.addModule(WORKLET);
    if (this.cancelled) return this.#release();
    this.#listen(source);
    await this.context.resume();
  }

  /** Ends the recording; onEnd follows. */
  stop() {
    this.#end(false);
  }

  /** Ends the recording and forgets it. */
  cancel() {
    this.cancelled = true;
    this.#release();
  }

  /** At the models' own rate where the browser can connect a microphone of another one to that. */
  #source() {
    try {
      this.context = new AudioContext({ sampleRate: RATE });
      return this.context.createMediaStreamSource(this.stream);
    } catch {
      this.context?.close();
      this.context = new AudioContext();
      return this.context.createMediaStreamSource(this.stream);
    }
  }

  #listen(source) {
    const take = this.take = new Take(this.context.sampleRate);
    const speech = new SpeechEnd();
    const node = new AudioWorkletNode(this.context, "pcm", {
      numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit",
    });
    node.port.onmessage = ({ data }) => {
      if (this.#ended || this.cancelled) return;
      take.add(data);
      const level = levelOf(data);
      this.options.onPiece(Math.min(1, Math.sqrt(level) * 1.8), take.seconds);
      if (take.seconds >= this.options.limit) this.stop();
      else if (speech.settled(level, (1000 * data.length) / take.rate)) this.options.onSettled();
    };
    this.stream.getTracks()[0].addEventListener("ended", () => this.#end(true));
    source.connect(node);
    this.options.onStart(take);
  }

  #end(lost) {
    if (this.#ended || this.cancelled || !this.take) return;
    this.#ended = true;
    this.#release();
    this.options.onEnd(this.take, lost);
  }

  #release() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    if (this.context && this.context.state !== "closed") this.context.close();
  }
}

/** Root mean square, 0..1. @param {Int16Array} samples */
function levelOf(samples) {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length) / 32768;
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
    const known = `microphone.${error.name}`;
    throw new MicrophoneError(hasText(known) ? text(known) : text("microphone.failed", { reason: error.name }));
  }
}
