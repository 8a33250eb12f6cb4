// Sound drawn as bars: the level while someone speaks, and a recording that can be played again.

import { text } from "../text.js";

const BAR = 3;
const GAP = 2;

/** Bars of the last seconds, newest on the right. */
export class Meter {
  #levels = [];

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    // Drawn again whenever its size or its colours change.
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear() {
    this.#levels = [];
    this.draw();
  }

  /** @param {number} level 0..1 */
  push(level) {
    this.#levels.push(level);
    this.draw();
  }

  draw() {
    const count = barCount(this.canvas);
    this.#levels = this.#levels.slice(-count);
    drawBars(this.canvas, [...Array(count - this.#levels.length).fill(0), ...this.#levels]);
  }
}

/** A button and a waveform that play one recording. */
export class Player {
  /** @param {Blob} blob @param {string} name */
  constructor(blob, name) {
    this.url = URL.createObjectURL(blob);
    this.audio = new Audio(this.url);
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.marks = document.createElement("div");
    this.marks.className = "marks";
    this.marks.setAttribute("aria-hidden", "true");
    this.label = document.createElement("span");
    this.label.className = "seconds";
    this.button = playButton(this.audio, name);
    this.samples = null;
    this.peaks = [];
    this.seconds = 0;
    this.until = Infinity;
    this.audio.addEventListener("timeupdate", () => this.#played());
    this.audio.addEventListener("pause", () => { this.until = Infinity; });
    this.audio.addEventListener("play", () => this.#follow());
  }

  /** Reads the sound to draw it; where that fails the button still plays. @param {Blob} blob */
  async load(blob) {
    try {
      const buffer = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(await blob.arrayBuffer());
      this.seconds = buffer.duration;
      this.samples = buffer.getChannelData(0);
      this.peaks = [];
    } catch {
      this.samples = null;
    }
    this.draw();
  }

  draw() {
    const played = this.seconds && !this.audio.ended ? this.audio.currentTime / this.seconds : 0;
    const count = barCount(this.canvas);
    if (this.peaks.length !== count) this.peaks = this.samples ? peaks(this.samples, count) : Array(count).fill(0);
    drawBars(this.canvas, this.peaks, played);
    this.label.textContent = this.seconds ? `${this.seconds.toFixed(1)} s` : "";
  }

  /** Plays a part alone. @param {number} start @param {number} end both in seconds */
  playSpan(start, end) {
    this.audio.pause();
    this.audio.currentTime = start;
    // After the pause has been told of, which would forget it.
    this.audio.addEventListener("play", () => { this.until = end; }, { once: true });
    this.audio.play().catch(() => {});
  }

  /** Stops and lets go of the recording. */
  close() {
    this.audio.pause();
    URL.revokeObjectURL(this.url);
  }

  #played() {
    if (this.audio.currentTime >= this.until) this.audio.pause();
    this.draw();
  }

  #follow() {
    this.#played();
    if (!this.audio.paused) requestAnimationFrame(() => this.#follow());
  }
}

const PLAY = "M8 5.5v13l11-6.5z";
const PAUSE = "M7 5h3.6v14H7zM13.4 5H17v14h-3.6z";

/** A round button that plays and pauses. @param {HTMLAudioElement} audio @param {string} name */
export function playButton(audio, name) {
  // A pause that comes early rejects playing too; a real failure has its own event.
  const button = playButtonOf("", () => { if (audio.paused) audio.play().catch(() => {}); else audio.pause(); });
  const show = () => {
    button.querySelector("path").setAttribute("d", audio.paused ? PLAY : PAUSE);
    button.setAttribute("aria-label", text(audio.paused ? "player.play" : "player.pause", { name }));
  };
  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, show);
  audio.addEventListener("error", () => { button.hidden = true; });
  show();
  return button;
}

/** One that only plays. @param {string} label @param {() => void} play */
export function playButtonOf(label, play) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "play";
  button.setAttribute("aria-label", label);
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  icon.appendChild(document.createElementNS(icon.namespaceURI, "path")).setAttribute("d", PLAY);
  button.append(icon);
  button.addEventListener("click", play);
  return button;
}

const barCount = (canvas) => Math.max(1, Math.floor(canvas.clientWidth / (BAR + GAP)));

/** @param {Float32Array} samples @param {number} count @returns {number[]} the loudest of each part, 0..1 */
function peaks(samples, count) {
  const size = Math.max(1, Math.floor(samples.length / count));
  const loudest = Array.from({ length: count }, (_, bar) => {
    const part = samples.subarray(bar * size, (bar + 1) * size);
    return part.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
  });
  const highest = Math.max(...loudest, 0.02);
  return loudest.map((peak) => peak / highest);
}

function drawBars(canvas, heights, played = 1) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.fillStyle = getComputedStyle(canvas).color;
  heights.forEach((value, index) => {
    const bar = Math.max(BAR, value * height);
    context.globalAlpha = played > 0 && index / heights.length > played ? 0.35 : 1;
    context.beginPath();
    context.roundRect(index * (BAR + GAP), (height - bar) / 2, BAR, bar, BAR / 2);
    context.fill();
  });
}
